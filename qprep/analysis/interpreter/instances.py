"""Instances of classes that are no modules: what is put into them, and what their methods then find there."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.interpreter.arguments import Arguments
from qprep.analysis.interpreter.environment import unrooted
from qprep.analysis.values.abstract_values import (
    UNKNOWN,
    ClassRef,
    External,
    FunctionRef,
    Kind,
    Object,
    Record,
    flowing,
    flows,
    in_order,
    join_all,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qprep.analysis.interpreter.environment import Frame
    from qprep.analysis.interpreter.protocol import Analysis


_SPECIAL = {
    "+": "add",
    "-": "sub",
    "*": "mul",
    "/": "truediv",
    "//": "floordiv",
    "%": "mod",
    "**": "pow",
    "@": "matmul",
}
NAMED_TUPLES = frozenset(("collections.namedtuple", "typing.NamedTuple"))


def construct(analysis: Analysis, frame: Frame, cls: ClassRef, arguments: Arguments) -> Object:
    """An instance of a class that is no module; all instances of a class share what is known of their attributes."""
    made = Object(cls, arguments.flows)
    init = analysis.class_attribute(cls, made, "__init__")
    if isinstance(init, FunctionRef):
        analysis.call_beside(frame, init, arguments)
    elif _is_record(analysis, cls):
        names = _field_names(analysis, cls)
        for name, kind in zip(names, by_name(names, arguments) or (), strict=False):
            analysis.attributes_of(cls).add(name, unrooted(kind), None)
        call_own(analysis, frame, made, "__post_init__")
    return made


def call_own(analysis: Analysis, frame: Frame, owner: Object, name: str, *arguments: Kind) -> Kind | None:
    """Call a method that a class defines under a special name; None if it has none."""
    method = analysis.class_attribute(owner.cls, owner, name)
    if not isinstance(method, FunctionRef):
        return None
    return analysis.call_beside(frame, method, Arguments(list(arguments)))


def attribute(analysis: Analysis, value: Object, name: str) -> Kind | None:
    """The value put under a name into instances of the class; None if it is unknown."""
    if name.startswith("__"):
        return None
    table = analysis.attributes_of(value.cls)
    if name not in table.names and not table.names:
        analysis.build(value)
    entry = table.names.get(name)
    return entry.kind if entry is not None and entry.kind != UNKNOWN else None


def store(analysis: Analysis, frame: Frame, owner: Object, target: ast.Attribute, value: Kind) -> None:
    """`owner.name = value`."""
    analysis.attributes_of(owner.cls).add(target.attr, unrooted(value), None)
    holder = getattr(target.value, "id", None)
    if holder is not None and flows(value) and frame.scope.names.get(holder) == owner:
        frame.scope.names[holder] = Object(owner.cls, True)


def operate(analysis: Analysis, frame: Frame, symbol: str, left: Kind, right: Kind) -> Kind | None:
    """The result of `left + right` by the classes' own methods; None if neither value has one."""
    name = _SPECIAL.get(symbol, "")
    for owner, method, other in ((left, f"__{name}__", right), (right, f"__r{name}__", left)):
        known = [option for option in in_order(owner) if isinstance(option, Object)] if name else []
        results = [call_own(analysis, frame, option, method, other) for option in known]
        found = [result for result in results if result is not None]
        if found:
            return join_all(found)
    return None


def field(analysis: Analysis, cls: ClassRef, name: str) -> Kind | None:
    """The type that a class annotates an attribute with: `last: Tensor | None = None`."""
    entry, index = analysis.project.class_node(cls), analysis.project.index(cls.module)
    if entry is None or index is None or name not in entry.annotations:
        return None
    return analysis.annotated(index, entry.annotations[name])


def fields(analysis: Analysis, value: Object) -> Kind | None:
    """The field of an object at an index; None if it has none."""
    kinds = [
        known
        for base in analysis.project.mro(value.cls)
        if isinstance(base, ClassRef) and (entry := analysis.project.class_node(base)) is not None
        for name in entry.annotations
        if (known := field(analysis, base, name)) is not None
    ]
    return flowing(join_all(kinds), value.flow) if kinds else None


def record(fields: ast.expr) -> Kind:
    """The names of a named tuple's fields, from a text, texts, or pairs of text and type."""
    if isinstance(fields, ast.Constant) and isinstance(fields.value, str):
        return Record(tuple(fields.value.replace(",", " ").split()))
    parts = fields.elts if isinstance(fields, ast.List | ast.Tuple) else []
    firsts = [part.elts[0] if isinstance(part, ast.Tuple) and part.elts else part for part in parts]
    names = tuple(part.value for part in firsts if isinstance(part, ast.Constant) and isinstance(part.value, str))
    return Record(names) if names and len(names) == len(parts) else UNKNOWN


def by_name(names: Iterable[str], arguments: Arguments) -> tuple[Kind, ...] | None:
    """The arguments of a constructor in the order of its fields; None if that is not known."""
    if not arguments.exact:
        return None
    given = dict(zip(names, arguments.args, strict=False)) | arguments.keywords
    return tuple(given.get(name, UNKNOWN) for name in names)


def _is_record(analysis: Analysis, cls: ClassRef) -> bool:
    """True if the constructor of a class is made from its annotations."""
    for base in analysis.project.mro(cls):
        if isinstance(base, External) and base.name == "typing.NamedTuple":
            return True
        if not isinstance(base, ClassRef):
            continue
        entry, index = analysis.project.class_node(base), analysis.project.index(base.module)
        if entry is None or index is None:
            continue
        decorators = (getattr(decorator, "func", decorator) for decorator in entry.node.decorator_list)
        if any(analysis.project.expression_name(index, name) == "dataclasses.dataclass" for name in decorators):
            return True
    return False


def _field_names(analysis: Analysis, cls: ClassRef) -> list[str]:
    """The annotated names of a class in the order of its constructor: those of its bases first."""
    entries = [analysis.project.class_node(base) for base in analysis.project.mro(cls) if isinstance(base, ClassRef)]
    return list(dict.fromkeys(name for entry in reversed(entries) if entry is not None for name in entry.annotations))
