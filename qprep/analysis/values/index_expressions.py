"""Sources of indices: which of them pick the same child in another round of a loop."""

from __future__ import annotations

import ast
import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_LITERAL = re.compile(r"-?\d*(?::-?\d*){0,2}|(?:'[^']*'|\"[^\"]*\")")  # a number, a slice of numbers, a text
_NAMING = ("(", "f'", 'f"', "'", '"')  # begins a key that is made of texts and variables
_ARITHMETIC = (ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Name, ast.Constant, ast.Load)
_STRIDED = re.compile(r"(?:(\d+) \* \w+|\w+ \* (\d+))(?: ([+-]) (\d+))?")


def any_of(index: str) -> str:
    """Return an index once its loop is over: `1::2` for `2 * i + 1`, `*` for `i + 1`; numbers and texts stay."""
    if _LITERAL.fullmatch(index):
        return index
    if index.startswith(_NAMING) and (named := _any_name(index)) is not None:
        return named
    strided = _STRIDED.fullmatch(index)
    if strided is None:
        return "*"
    stride, offset = int(strided[1] or strided[2]), int(f"{strided[3] or ''}{strided[4] or 0}")
    return f"{offset % stride}::{stride}" if stride > 1 else "*"


def _any_name(index: str) -> str | None:
    """`('up', i)` and `f'up_{i}'` for any number: texts and numbers stay; None for what is not a key made of texts."""
    try:
        key = ast.parse(index, mode="eval").body
    except SyntaxError:
        return None
    is_made = isinstance(key, ast.Tuple) or any(
        isinstance(part, ast.Constant) and isinstance(part.value, str) for part in ast.walk(key)
    )
    for part in ast.walk(key):
        if isinstance(part, ast.Name):
            part.id = "_"
    return ast.unparse(key) if is_made else None


def stride_of(node: ast.expr) -> int:
    """The stride of a loop over `range(start, stop, step)`; 1 if it is not written out."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range"):
        return 1
    step = node.args[2] if len(node.args) == 3 else None
    return step.value if isinstance(step, ast.Constant) and isinstance(step.value, int) else 1


def with_strides(index: str, strides: Mapping[str, int]) -> str:
    """Return `2 * i + 1` for `i + 1` in a loop over `i` with a stride of two."""
    bracketed = f"[{index}]"
    for name, stride in strides.items():
        bracketed = re.sub(rf"(?<=[\[ (]){name}\b", f"{stride} * {name}", bracketed)
    return bracketed[1:-1]


def computed_indices(loop: ast.For) -> dict[str, ast.expr]:
    """The names that the body of a loop binds once, each round, to sums and products of names and whole numbers."""
    found = {
        statement.targets[0].id: statement.value
        for statement in loop.body
        if isinstance(statement, ast.Assign)
        and isinstance(statement.targets[0], ast.Name)
        and isinstance(statement.value, ast.BinOp)
        and all(isinstance(part, _ARITHMETIC) for part in ast.walk(statement.value))
    }
    if not found:
        return {}
    bound = Counter(
        part.id for part in ast.walk(loop) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
    )
    return {name: value for name, value in found.items() if bound[name] == 1}


def written_out(index: ast.expr, values: Mapping[str, ast.expr]) -> ast.expr:
    """`j` where a loop computes `j = 2 * i` is `2 * i`."""
    return values.get(index.id, index) if isinstance(index, ast.Name) else index
