"""Calls of `fuse_modules`, with what they fuse in and the names that they list."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qprep.analysis.eager.fuse_targets import FuseTarget, made, walk_down
from qprep.analysis.places import Place, Unit
from qprep.analysis.symbols.ast_utils import positional_parameters
from qprep.analysis.symbols.definition_names import DefinitionName
from qprep.analysis.values.abstract_values import ClassRef, External, FunctionRef
from qprep.foundation.catalogue.torch_ao import FUSING, eager_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from qprep.analysis.interpreter.protocol import Analysis
    from qprep.analysis.symbols.symbol_table import FileIndex

Function = ast.FunctionDef | ast.AsyncFunctionDef
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
NameList = tuple[ast.Constant, ...]


@dataclass(slots=True)
class FuseCall:
    """One call.

    holder  what the names are looked up in; None if that is unknown
    prefix  how the class of `cls` reaches the holder: "" for itself, "layer1" for `self.layer1`
    lists   the names, list by list; None if they are computed
    nested  the list of lists as written, for one more list to be added
    """

    place: Place
    unit: Unit
    function: str
    holder: FuseTarget | None
    cls: ClassRef | None
    prefix: str
    lists: tuple[NameList, ...] | None
    nested: ast.List | None = None


@dataclass(frozen=True, slots=True)
class FusionPlace:
    """The place of a call: its file, class and the functions around it."""

    index: FileIndex
    cls: ClassRef | None
    function: Function | None
    name: str


def place_of(index: FileIndex, node: ast.expr) -> Place:
    """The place of an expression."""
    return Place.of(index.name, node)


def find_fuse_calls(analysis: Analysis, names: Iterable[str]) -> list[FuseCall]:
    """Every call of `fuse_modules`, or of a function that hands its arguments on to it."""
    found: list[FuseCall] = []
    for name in names:
        index = analysis.project.index(name)
        for where, body in functions_of(index) if index is not None else ():
            for node in body:
                if isinstance(node, ast.Call) and _fuses(analysis, where.index, node.func):
                    call = _read(analysis, where, node)
                    if call is not None:
                        found.append(call)
    return found


def walk_own(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """The nodes of a function; functions and classes defined in it are given, but not looked into."""
    stack = list(body)
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, _DEFINITIONS):
            stack.extend(ast.iter_child_nodes(node))


def functions_of(index: FileIndex) -> Iterator[tuple[FusionPlace, list[ast.AST]]]:
    """Every function, and the module's own level, with the nodes that belong to it."""
    stack: list[tuple[ast.Module | ast.ClassDef | Function, FusionPlace]] = [
        (index.tree, FusionPlace(index, None, None, ""))
    ]
    while stack:
        node, where = stack.pop()
        own = list(walk_own(node.body))
        if not isinstance(node, ast.ClassDef):
            yield where, own
        for inner in own:
            if not isinstance(inner, _DEFINITIONS):
                continue
            name = f"{where.name}.{inner.name}" if where.name else inner.name
            if isinstance(inner, ast.ClassDef):
                stack.append((inner, FusionPlace(index, ClassRef(index.name, name), None, name)))
            else:
                cls = where.cls if isinstance(node, ast.ClassDef) else None
                stack.append((inner, FusionPlace(index, cls, inner, name)))


def _fuses(analysis: Analysis, index: FileIndex, node: ast.expr) -> bool:
    dotted = analysis.project.expression_name(index, node)
    if eager_name(dotted) in FUSING:
        return True
    found = analysis.project.resolve(dotted) if dotted is not None else None
    if isinstance(found, External):
        return eager_name(found.name) in FUSING
    return isinstance(found, FunctionRef) and _hands_on(analysis, found)


def _hands_on(analysis: Analysis, ref: FunctionRef) -> bool:
    """True if a function of the project passes its first two parameters to `fuse_modules`."""
    node, index = analysis.project.function_node(ref), analysis.project.index(ref.module)
    if node is None or index is None or len(positional_parameters(node)) < 2 or "." in ref.name:
        return False
    parts = list(walk_own(node.body))
    mentions = any(
        eager_name(analysis.project.expression_name(index, part)) in FUSING
        for part in parts
        if isinstance(part, ast.Attribute | ast.Name)
    )
    first = [arg.arg for arg in positional_parameters(node)[:2]]
    return mentions and any(
        isinstance(part, ast.Call) and [arg.id for arg in part.args[:2] if isinstance(arg, ast.Name)] == first
        for part in parts
    )


def _read(analysis: Analysis, where: FusionPlace, node: ast.Call) -> FuseCall | None:
    given = dict(enumerate(node.args))
    keywords = {keyword.arg: keyword.value for keyword in node.keywords}
    model = given.get(0) or keywords.get("model")
    listed = given.get(1) or keywords.get("modules_to_fuse")
    if model is None or listed is None:
        return None
    if where.function is not None and isinstance(listed, ast.Name):
        if listed.id in [arg.arg for arg in positional_parameters(where.function)]:
            return None  # a function that passes on what it is given
        listed = _only_value(where.function, listed.id) or listed
    cls, prefix, holder = _holder(analysis, where, model)
    lists, nested = _lists(listed)
    owner = DefinitionName.parse(where.name).owner
    unit = Unit(where.index.name, owner if where.cls is not None else "", True)
    return FuseCall(place_of(where.index, node), unit, where.name, holder, cls, prefix, lists, nested)


def _only_value(function: Function, name: str) -> ast.expr | None:
    """The value of a local that is bound once and read by the call alone."""
    uses = [part for part in walk_own(function.body) if isinstance(part, ast.Name) and part.id == name]
    bound = [
        part.value
        for part in walk_own(function.body)
        if isinstance(part, ast.Assign) and [t.id for t in part.targets if isinstance(t, ast.Name)] == [name]
    ]
    return bound[0] if len(bound) == 1 and len(uses) == 2 else None


def _lists(node: ast.expr) -> tuple[tuple[NameList, ...] | None, ast.List | None]:
    """The names of one list, or of a list of lists, where all of them are written out."""
    if not isinstance(node, ast.List | ast.Tuple) or not node.elts:
        return None, None
    flat = _names(node)
    if flat is not None:
        return (flat,), None
    lists = [_names(item) if isinstance(item, ast.List | ast.Tuple) else None for item in node.elts]
    if any(item is None for item in lists):
        return None, None
    return tuple(item for item in lists if item is not None), node if isinstance(node, ast.List) else None


def _names(node: ast.List | ast.Tuple) -> NameList | None:
    items = [item for item in node.elts if isinstance(item, ast.Constant) and isinstance(item.value, str)]
    return tuple(items) if items and len(items) == len(node.elts) else None


def _holder(analysis: Analysis, where: FusionPlace, node: ast.expr) -> tuple[ClassRef | None, str, FuseTarget | None]:
    """The class at the root of the model's expression, the way from there, and what that is."""
    path: list[str] = []
    while isinstance(node, ast.Attribute):
        path.insert(0, node.attr)
        node = node.value
    cls = _class_of(analysis, where, node.id) if isinstance(node, ast.Name) else None
    if cls is None or not analysis.is_module(cls):
        return None, "", None
    prefix = ".".join(path)
    found = walk_down(analysis, cls, prefix) if path else cls
    return cls, prefix, None if found is None or not isinstance(found, FuseTarget) else found


def _class_of(analysis: Analysis, where: FusionPlace, name: str) -> ClassRef | None:
    """The class of what a name holds: self, what a test of its type says, or the one instance that it is bound to."""
    function = where.function
    if function is not None and where.cls is not None and positional_parameters(function):
        if positional_parameters(function)[0].arg == name and not any(
            isinstance(d, ast.Name) and d.id in ("staticmethod", "classmethod") for d in function.decorator_list
        ):
            return where.cls
    body = function.body if function is not None else where.index.tree.body
    values = [
        part.value
        for part in walk_own(body)
        if isinstance(part, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in part.targets)
    ]
    bound = [part for part in walk_own(body) if isinstance(part, ast.Name) and part.id == name]
    if len(values) != 1 or sum(isinstance(part.ctx, ast.Store) for part in bound) != 1:
        return None
    value = values[0]
    while (
        isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr in ("eval", "train")
    ):
        value = value.func.value
    found = made(analysis, where.index, value, "")
    return found if isinstance(found, ClassRef) else None
