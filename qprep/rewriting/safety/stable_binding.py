"""True if a function is, for as long as the program runs, what its definition says, and the same if it stands twice."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.effects.write_records import variable_write
from qprep.analysis.symbols.private_names import is_private
from qprep.analysis.symbols.symbol_table import Imported
from qprep.foundation.findings import Rejection, RejectionCode
from qprep.rewriting.safety.name_capture import bound_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qprep.analysis.symbols.symbol_table import FileIndex
    from qprep.rewriting.fix_session import RewriteContext

_LOOKING = frozenset(("locals", "vars", "dir", "eval", "exec"))  # what a class in the place of a function would show
_FRAMES = frozenset(("sys._getframe", "inspect.currentframe", "inspect.stack"))
_CHANGING = frozenset(
    ("append", "extend", "insert", "update", "setdefault", "pop", "clear", "add", "remove", "discard")
)


def rejection_of(context: RewriteContext, index: FileIndex, node: ast.FunctionDef) -> Rejection | None:
    """The reason why a class made of a function's text would not do the same as the function."""
    name = node.name
    if name in index.values or name in index.imports or name in _global_names(index) or _is_defined_again(index, node):
        return Rejection(f"`{name}` is bound more than once", RejectionCode.FUNCTION)
    if variable_write(name) in context.writes or any(context.effects.on_variable(index.name, name)):
        return Rejection(f"`{name}` is replaced or changed elsewhere", RejectionCode.FUNCTION)
    return body_rejection(node)


def body_rejection(node: ast.FunctionDef) -> Rejection | None:
    """The reason why the text of a function would not do the same in a class of its own."""
    name = node.name
    if any(is_private(found) for found in _names(node)):
        return Rejection(
            f"`{name}` uses a name with two leading underscores, which Python changes inside a class",
            RejectionCode.FUNCTION,
        )
    if any(_looks_around(part) for part in ast.walk(node)):
        return Rejection(f"`{name}` reads its own variables or its caller's", RejectionCode.FUNCTION)
    defaults = [default for default in (*node.args.defaults, *node.args.kw_defaults) if default is not None]
    if any(isinstance(d, ast.List | ast.Dict | ast.Set) for d in defaults) and _changes(node):
        return Rejection(f"`{name}` changes a default that its calls share", RejectionCode.FUNCTION)
    return None


def is_imported_once(index: FileIndex, name: str) -> bool:
    """True if all imports of a file that bind a name bind it to the same."""
    targets: set[str] = set()
    for node in index.all_imports:
        if node.names[0].name != "*":
            bound: dict[str, Imported] = {}
            index.bind_import(node, bound)
            targets |= {entry.target for key, entry in bound.items() if key == name}
    return len(targets) < 2


def _is_defined_again(index: FileIndex, function: ast.FunctionDef) -> bool:
    same = [node for node in index.tree.body if isinstance(node, ast.FunctionDef) and node.name == function.name]
    return any(node is not function and "overload" not in map(_last_name, node.decorator_list) for node in same)


def _last_name(node: ast.expr) -> str:
    return ast.unparse(node).rpartition(".")[2]


def _global_names(index: FileIndex) -> frozenset[str]:
    """Names that some function binds at the top level."""
    return frozenset(name for node in index.of(ast.Global) for name in node.names)


def _names(function: ast.FunctionDef) -> Iterator[str]:
    for node in ast.walk(function):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.arg | ast.keyword):
            yield node.arg or ""


def _looks_around(node: ast.AST) -> bool:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id in _LOOKING and (not node.args or node.func.id in ("eval", "exec"))
    return isinstance(node, ast.Attribute) and ast.unparse(node) in _FRAMES


def _changes(function: ast.FunctionDef) -> bool:
    """True if a function may change an object that one of its parameters is."""
    parameters = bound_names(function)
    for node in ast.walk(function):
        if isinstance(node, ast.AugAssign):
            return True
        target = node.value if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load) else None
        if isinstance(node, ast.Attribute) and node.attr in _CHANGING:
            target = node.value
        if isinstance(target, ast.Name) and target.id in parameters:
            return True
    return False
