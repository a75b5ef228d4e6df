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
    sets = frozenset(pattern for text in texts for pattern in _set_names(node, text))
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


def _set_names(method: ast.FunctionDef, node: ast.expr) -> list[str]:
    """The pattern of such a name: itself if it is written out, anything if it is unknown before the run."""
    if isinstance(node, ast.Constant):
        return [re.escape(str(node.value))]
    loops = [
        part for part in walk(method) if isinstance(part, ast.For) and ast.unparse(part.target) == ast.unparse(node)
    ]
    texts = [item for loop in loops for item in getattr(loop.iter, "elts", [None])]
    if isinstance(node, ast.Name) and texts and all(isinstance(text, ast.Constant) for text in texts):
        return [re.escape(str(text.value)) for text in texts if isinstance(text, ast.Constant)]
    return [text_pattern(node) or ".*"]


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
