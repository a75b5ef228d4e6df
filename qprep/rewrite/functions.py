"""A function outside classes that runs operations becomes a module, so that each call site owns its operations."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.rewrite import imports
from qprep.rewrite.pieces import Piece, apply

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qprep.project.facts import Unit
    from qprep.project.index import FileIndex
    from qprep.rewrite.code import Code
    from qprep.rewrite.context import Context
    from qprep.rewrite.model import Declaration, Import

# Decorators that say nothing about what the function computes, and those that a method can carry as well.
_DROPPED = frozenset(("torch.fx.wrap", "torch.jit.ignore", "torch.jit.unused", "torch.fx._symbolic_trace.wrap"))
_KEPT = frozenset(("torch.no_grad", "torch.enable_grad", "torch.inference_mode"))


def refusal(context: Context, unit: Unit) -> str | None:
    """Why a function cannot become a module; None where it can."""
    code = context.code(unit.module)
    if "." in unit.name:
        return f"`{unit.name}` is a static method"
    node = code.index.functions.get(unit.name) if code is not None else None
    if node is None or code is None:
        return f"`{unit.name}` is defined in {unit.module}, outside the paths given"
    if not isinstance(code.parents.get(node), ast.Module):
        return f"`{unit.name}` is defined conditionally"
    for name in context.analysis.decorators(unit.module, node):
        if name not in _DROPPED | _KEPT and not _returns_argument(context, name):
            return f"`{unit.name}` is decorated with `{name.removeprefix('builtins.')}`"
    return _unusual_body(code, node, unit)


def _returns_argument(context: Context, dotted: str) -> bool:
    """Whether a decorator of the project gives back the function that it is given."""
    from qprep.project.kinds import FunctionRef

    ref = context.project.resolve(dotted)
    node = context.project.function_node(ref) if isinstance(ref, FunctionRef) else None
    if node is None or len(node.args.args) != 1:
        return False
    returns = [part.value for part in ast.walk(node) if isinstance(part, ast.Return)]
    name = node.args.args[0].arg
    return bool(returns) and all(isinstance(value, ast.Name) and value.id == name for value in returns)


def _unusual_body(code: Code, node: ast.FunctionDef, unit: Unit) -> str | None:
    for part in ast.walk(node):
        if isinstance(part, ast.Yield | ast.YieldFrom | ast.Await):
            return f"`{unit.name}` is a generator"
        if (isinstance(part, ast.Name) and part.id == "self") or (isinstance(part, ast.arg) and part.arg == "self"):
            return f"`{unit.name}` has a variable called self"
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and part.func.id == unit.name:
            return f"`{unit.name}` calls itself"
        if (
            isinstance(part, ast.Constant | ast.JoinedStr)
            and part.end_lineno != part.lineno
            and not _is_docstring(code, part)
        ):
            return f"`{unit.name}` holds a text over several lines, which moving it would change"
    if not code.is_alone_on_line(node) or node.body[0].lineno == node.lineno:
        return f"`{unit.name}` shares its lines with other code"
    return None


def _is_docstring(code: Code, node: ast.AST) -> bool:
    parent = code.parents.get(node)
    return isinstance(parent, ast.Expr)


def class_name(unit: Unit, taken: Iterable[str]) -> str:
    """The module's name: `drop_path` → `DropPath`, `DropPathModule` where that is taken."""
    lead = "_" if unit.name.startswith("_") else ""
    camel = "".join(part[:1].upper() + part[1:] for part in unit.name.split("_") if part)
    used = set(taken)
    names = [f"{lead}{camel}", f"{lead}{camel}Module", *(f"{lead}{camel}Module{n}" for n in range(2, 1000))]
    return next(name for name in names if name not in used and name != unit.name)


def attribute_name(unit: Unit) -> str:
    """The attribute that a call site gives the module."""
    return unit.name.lstrip("_") or unit.name


def as_class(
    code: Code,
    node: ast.FunctionDef,
    name: str,
    base: str,
    declarations: Iterable[Declaration],
    pieces: Iterable[Piece],
) -> str:
    """The source of the module: the function's own text as forward, its new attributes in __init__."""
    unit, newline = code.indent_unit, code.newline
    start = code.source.starts[node.lineno - 1]
    end = code.span(node)[1]
    paren = code.text.index("(", code.text.index(node.name, start))
    first = code.skip_blank(paren + 1)
    gap = code.text[paren + 1 : first]
    separator = "" if code.text[first] == ")" else f",{gap}" if gap else ", "
    header = [
        Piece(start, paren + 1, "def forward("),
        Piece(first, first, f"self{separator}"),
        *(piece for piece in pieces if piece.start > paren),
    ]
    body = apply(code.text, header, start, end)
    lines = body.splitlines(keepends=True)
    indented = "".join(line if not line.strip() else unit + line for line in lines)
    made = "".join(f"{unit * 2}self.{d.name} = {d.expression}{newline}" for d in declarations)
    decorators = "".join(
        f"{unit}@{code.slice(decorator)}{newline}" for decorator in node.decorator_list if _is_kept(decorator)
    )
    return (
        f"{newline}{newline}class {name}({base}):{newline}"
        f'{unit}"""`{node.name}` as a module: each place that calls it has operations of its own."""{newline}{newline}'
        f"{unit}def __init__(self) -> None:{newline}{unit * 2}super().__init__(){newline}{made}{newline}"
        f"{decorators}{indented}{newline}"
    )


def _is_kept(decorator: ast.expr) -> bool:
    expr = decorator.func if isinstance(decorator, ast.Call) else decorator
    return ast.unparse(expr).rpartition(".")[2] in {name.rpartition(".")[2] for name in _KEPT}


def place_for_class(code: Code, node: ast.FunctionDef) -> int:
    """Behind the function."""
    return code.next_line(node.end_lineno or node.lineno)


def import_of(
    context: Context, caller: Code, unit: Unit, name: str, planned: frozenset[str]
) -> tuple[str, frozenset[Import]]:
    """How a file names the module made of a function: imported from where the function is defined."""
    index = context.project.index(caller.module)
    assert index is not None
    if caller.module == unit.module:
        return name, frozenset()
    return imports.imported(
        index, _module_path(index.name, index.is_package, unit.module, _is_relative(index, unit)), name, planned
    )


def _is_relative(index: FileIndex, unit: Unit) -> bool:
    """Files that import relatively get a relative import."""
    top = unit.module.partition(".")[0]
    if index.name.partition(".")[0] != top:
        return False
    return any(isinstance(n, ast.ImportFrom) and n.level for n in ast.walk(index.tree))


def _module_path(name: str, is_package: bool, target: str, relative: bool) -> str:
    """`timm.layers.drop` as seen from `timm.models.resnet`: itself, or `..layers.drop`."""
    if not relative:
        return target
    here = name.split(".") if is_package else name.split(".")[:-1]
    there = target.split(".")
    common = 0
    while common < min(len(here), len(there)) and here[common] == there[common]:
        common += 1
    return "." * (len(here) - common + 1) + ".".join(there[common:])
