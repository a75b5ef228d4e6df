"""Summary of the body of each class for its instances, computed once: a family of hundreds shares its bases."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qprep.analysis.effects.attribute_names import text_pattern
from qprep.analysis.symbols.ast_utils import last_name, positional_parameters, walk
from qprep.rewriting.safety.guarded_loops import beginnings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qprep.analysis.symbols.symbol_table import ClassNode

PROPERTIES = frozenset(("property", "cached_property", "unused_property"))
_SETTING = frozenset(("setattr", "__setattr__", "add_module", "register_module"))
_TABLES = frozenset(("_modules", "__dict__"))
_BINDING = ("arg", "asname", "name", "rest")
"""Fields of nodes that bind a name: of parameters, imports, exceptions, definitions and patterns."""
_NAMING = frozenset(
    [
        "setattr",
        "getattr",
        "hasattr",
        "delattr",
        "add_module",
        "register_module",
        "register_buffer",
        "register_parameter",
        "get_submodule",
    ]
)


@dataclass(frozen=True, slots=True)
class Method:
    """One method.

    lines      its first and its last one
    called     methods of self that it calls; calling self calls `forward`
    named      attributes of self that it names
    computed   whether it runs where it is read, not called
    has_owner  whether it has a parameter for self
    sets       regular expressions for attributes of self that it sets by their names: `setattr(self, name, other)`;
               what it sets to None nobody calls
    """

    lines: tuple[int, int]
    called: frozenset[str]
    named: frozenset[str]
    computed: bool
    has_owner: bool
    sets: frozenset[str]

    def spans(self, line: int) -> bool:
        """True if a line is one of its own."""
        return self.lines[0] <= line <= self.lines[1]


@dataclass(frozen=True, slots=True)
class Body:
    """One class.

    names       names that mean something on self
    patterns    regular expressions for names made up at run time: `setattr(self, f"relu_{i}", …)`
    beginnings  of the names that loops over children look for
    methods     by the name in the class, those that set or delete a property as "act.setter"
    """

    names: frozenset[str]
    patterns: tuple[str, ...]
    beginnings: tuple[str, ...]
    methods: dict[str, Method]


def read_body(entry: ClassNode) -> Body:
    """Look through a class."""
    nodes = walk(entry.node)
    methods = {name: _method(method) for name, method in (*entry.methods.items(), *entry.setters.items())}
    sought = tuple(text for node in nodes if isinstance(node, ast.For) for text in beginnings(node))
    return Body(frozenset(_names(entry, nodes)), tuple(dict.fromkeys(_patterns(nodes))), sought, methods)


def computed(methods: Collection[tuple[str, Method]]) -> frozenset[str]:
    """Methods of these names that run where they are read; of several of one name the last one counts."""
    return frozenset(name for name, method in dict(methods).items() if method.computed)


def run_on_self(method: Method, properties: frozenset[str]) -> frozenset[str]:
    """The methods of self that a method calls, or reads where they are `properties`."""
    return method.called | (method.named & properties)


def _method(node: ast.FunctionDef) -> Method:
    owner = positional_parameters(node)[0].arg if positional_parameters(node) else ""
    called: set[str] = set()
    named: set[str] = set()
    for part in walk(node):
        if isinstance(part, ast.Attribute) and _is_name(part.value, owner):
            named.add(part.attr)
        elif isinstance(part, ast.Call) and _is_name(part.func, owner):
            called.add("forward")
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) and _is_name(part.func.value, owner):
            called.add(part.func.attr)
    decorators = [ast.unparse(decorator).rpartition(".")[2] for decorator in node.decorator_list]
    lines = (node.lineno, node.end_lineno or node.lineno)
    is_computed = not PROPERTIES.isdisjoint(decorators)
    texts = [text for part in walk(node) for text in _set_by_name(part, owner)]
    sets = frozenset(pattern for text in texts for pattern in names_of(node, text))
    return Method(lines, frozenset(called), frozenset(named), is_computed, bool(positional_parameters(node)), sets)


def _set_by_name(node: ast.AST, owner: str) -> Iterator[ast.expr]:
    """`name` in `setattr(self, name, other)`, `self.add_module(name, other)`, `self._modules[name] = other`."""
    if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
        if isinstance(node.value, ast.Attribute) and node.value.attr in _TABLES and _is_name(node.value.value, owner):
            yield node.slice
    elif isinstance(node, ast.Call) and last_name(node.func) in _SETTING and not _is_none(node.args[-1:]):
        is_method = isinstance(node.func, ast.Attribute) and _is_name(node.func.value, owner)
        if is_method or (len(node.args) > 1 and _is_name(node.args[0], owner)):
            yield from node.args[:1] if is_method else node.args[1:2]


def _is_none(values: list[ast.expr]) -> bool:
    return any(isinstance(value, ast.Constant) and value.value is None for value in values)


def names_of(method: ast.FunctionDef, node: ast.expr) -> list[str]:
    """The patterns of a name: itself if it is written out, anything if it is unknown before the run."""
    if isinstance(node, ast.Constant):
        return [re.escape(str(node.value))]
    texts = _texts_gone_through(method, node.id) if isinstance(node, ast.Name) else []
    if texts:
        return [re.escape(text) for text in texts]
    return [text_pattern(node) or ".*"]


def _texts_gone_through(method: ast.FunctionDef, name: str) -> list[str]:
    """The texts that loops alone give a variable: `for name in ["act", "norm"]`; none where it may be another one."""
    loops = [part for part in walk(method) if isinstance(part, ast.For) and _is_name(part.target, name)]
    if len(_stores(method, name)) != len(loops):
        return []
    items = [_items(method, loop.iter) for loop in loops]
    texts = [each.value for found in items for each in found if isinstance(each, ast.Constant)]
    is_known = all(items) and len(texts) == sum(map(len, items))
    return [text for text in texts if isinstance(text, str)] if is_known else []


def _items(method: ast.FunctionDef, node: ast.expr) -> list[ast.expr]:
    """The items of a list that is written out, also of a variable that holds such lists alone and is only read."""
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return node.elts
    if not isinstance(node, ast.Name):
        return []
    read = [part for part in walk(method) if isinstance(part, ast.Name) and part.id == node.id]
    loops = [part.iter for part in walk(method) if isinstance(part, ast.For)]
    if any(isinstance(part.ctx, ast.Load) and part not in loops for part in read):
        return []  # it may be changed
    values = [
        part.value
        for part in walk(method)
        if isinstance(part, ast.Assign) and len(part.targets) == 1 and _is_name(part.targets[0], node.id)
    ]
    lists = [value.elts for value in values if isinstance(value, ast.List | ast.Tuple | ast.Set)]
    is_known = len(lists) == len(values) == len(_stores(method, node.id))
    return [item for elements in lists for item in elements] if is_known else []


def _stores(method: ast.FunctionDef, name: str) -> list[ast.AST]:
    """The nodes that may give a variable of a method a value."""
    stored = [
        part
        for part in walk(method)
        if isinstance(part, ast.Name) and part.id == name and not isinstance(part.ctx, ast.Load)
    ]
    outer = [part for part in walk(method) if isinstance(part, ast.Global | ast.Nonlocal) and name in part.names]
    return [*stored, *outer, *(part for part in walk(method) if name in (getattr(part, key, None) for key in _BINDING))]


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _names(entry: ClassNode, nodes: list[ast.AST]) -> Iterator[str]:
    owners = {
        positional_parameters(method)[0].arg for method in entry.methods.values() if positional_parameters(method)
    }
    yield from (*entry.methods, *entry.values, *entry.annotations)
    for node in nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in owners:
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
            yield node.value


def _patterns(nodes: list[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Call) and last_name(node.func) in _NAMING:
            yield from (pattern for arg in node.args[:2] if (pattern := text_pattern(arg)) is not None)
