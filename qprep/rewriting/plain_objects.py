"""Classes that are not nn.Module, of objects that modules hold: these objects are lent the operations of their methods.

The class names its operations in its body; each class of nn.Module that holds such an object, or makes one while it
runs, has an `ObjectOperations`, from which the object takes them.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qprep.analysis.interpreter import constructor_arguments
from qprep.analysis.places import Place, Unit
from qprep.analysis.symbols.ast_utils import last_name, positional_parameters, walk
from qprep.analysis.values.abstract_values import ClassRef, External, Mapping, Object, Opaque, Sequence, options
from qprep.foundation.findings import Rejection, RejectionCode
from qprep.rewriting import mixins
from qprep.rewriting.fix_session import remembered
from qprep.rewriting.rewrite_result import Doubt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qprep.analysis.symbols.symbol_table import ClassNode
    from qprep.analysis.values.abstract_values import Kind
    from qprep.rewriting.fix_session import RewriteContext
    from qprep.rewriting.source_code import Code

OPERATIONS = "ObjectOperations"
_PLAIN_BASES = frozenset(("builtins.object", "object", "abc.ABC", "typing.Generic"))
_UNBOUND = frozenset(("classmethod", "staticmethod"))
_BARRED = frozenset(("__slots__", "__getattr__", "__getattribute__", "__new__"))


@dataclass(frozen=True, slots=True)
class ObjectAttribute:
    """`self.attribute` of a class of nn.Module may be such an object."""

    unit: Unit
    attribute: str


@dataclass(frozen=True, slots=True)
class TemporaryObject:
    """A method of a class of nn.Module makes such an object and keeps it no longer than it runs."""

    unit: Unit
    place: Place  # the name of the class
    is_lent: bool  # `operations.given(…)` is there already


@remembered
def is_plain(context: RewriteContext, unit: Unit) -> bool:
    """True if objects of a class of the project, and of those that inherit from it, are not modules."""
    ref = ClassRef(unit.module, unit.name)
    if not unit.is_class or not unit.name or context.analysis.is_module(ref):
        return False
    return not any(map(context.analysis.is_module, context.project.subclasses(ref)))


def rejection_of(context: RewriteContext, unit: Unit) -> Rejection | None:
    """The reason why objects of a class cannot use operations of their holder; None if they can."""
    for member in context.family(unit):
        entry = context.project.class_node(member)
        if entry is None:
            return _cannot_hold(unit, f"`{member.name}` is not given")
        if (rejection := _unusual(context, unit, member, entry)) is not None:
            return rejection
    entry = context.project.class_node(ClassRef(unit.module, unit.name))
    if entry is None or entry.around or body_point(context.code(unit.module), entry) is None:
        return _cannot_hold(unit, "no line can be added to its body")
    if not (held(context, unit) or made(context, unit)):
        return _cannot_hold(unit, "no module that holds one is known")
    return None


def _cannot_hold(unit: Unit, detail: str) -> Rejection:
    return Rejection(
        f"`{unit.name}` is not an nn.Module, so it cannot hold a module, and {detail}", RejectionCode.CLASS_SHAPE
    )


def doubts(context: RewriteContext, unit: Unit) -> Iterator[Doubt]:
    """Uses of tables in which operations for the objects of a class, or the hook of what holds them, would be seen."""
    if not is_plain(context, unit):
        return
    classes = context.family(unit)
    holders = {member for lender in lenders(context, unit) for member in context.family(lender)}
    for effect in context.effects.on_tables(classes, holders):
        yield Doubt(f"{effect.text}, which may list what objects of `{unit.name}` are given", effect.place)


def _unusual(context: RewriteContext, unit: Unit, member: ClassRef, entry: ClassNode) -> Rejection | None:
    """A rejection where the objects of a class cannot be given modules."""
    node = entry.node
    index = context.project.index(member.module)
    names = [index and context.project.expression_name(index, getattr(d, "func", d)) for d in node.decorator_list]
    if any(name != "dataclasses.dataclass" for name in names) or any(
        isinstance(d, ast.Call) and any(k.arg in ("slots", "frozen") for k in d.keywords) for d in node.decorator_list
    ):
        return _cannot_hold(unit, f"`{member.name}` has decorators that may replace it by another class")
    bases = [base for base in context.project.mro(member) if not isinstance(base, ClassRef)]
    if any(not isinstance(base, External) or base.name not in _PLAIN_BASES for base in bases):
        return _cannot_hold(unit, f"`{member.name}` has unknown bases")
    if any(keyword.arg != "metaclass" or last_name(keyword.value) != "ABCMeta" for keyword in node.keywords):
        return _cannot_hold(unit, f"`{member.name}` has a metaclass")
    if (name := next(iter(_BARRED & {*entry.methods, *entry.values}), None)) is not None:
        return _cannot_hold(unit, f"`{member.name}` defines {name}")
    looks = any(
        (isinstance(part, ast.Attribute) and part.attr == "__dict__")
        or (isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and part.func.id == "vars")
        for part in walk(node)
    )
    return _cannot_hold(unit, f"`{member.name}` reads all its attributes") if looks else None


def body_point(code: Code | None, entry: ClassNode) -> tuple[int, str] | None:
    """The insertion point of operations in the body of a class, in front of its first method; and the indentation."""
    first = next((item for item in entry.node.body if isinstance(item, ast.FunctionDef)), None)
    if code is None or first is None or not code.is_alone_on_line(first):
        return None
    lineno = min([first.lineno, *(decorator.lineno for decorator in first.decorator_list)])
    if lineno <= entry.node.lineno:
        return None
    return code.source.starts[lineno - 1], code.indent_of(first)


@remembered
def held(context: RewriteContext, unit: Unit) -> tuple[ObjectAttribute, ...]:
    """The attributes of modules that may be objects of a class."""
    return tuple(each for each, cls in _all_held(context) if cls == ClassRef(unit.module, unit.name))


@remembered
def _all_held(context: RewriteContext) -> tuple[tuple[ObjectAttribute, ClassRef], ...]:
    return tuple(dict.fromkeys(_find_held(context)))


def _find_held(context: RewriteContext) -> Iterator[tuple[ObjectAttribute, ClassRef]]:
    for name in sorted(context.project.given):
        index = context.project.index(name)
        for cls in index.classes if index is not None else ():
            ref = ClassRef(name, cls)
            if not context.analysis.is_module(ref):
                continue
            for attribute, entry in context.analysis.attributes_of(ref).names.items():
                makers = [c.unit for c in entry.creations.values() if c.unit.is_class]
                units = dict.fromkeys(unit for maker in makers for unit in mixins.first_modules(context, maker))
                for found in _objects(context, entry.kind):
                    bases = [base for base in context.project.mro(found) if isinstance(base, ClassRef)]
                    yield from ((ObjectAttribute(unit, attribute), base) for unit in units for base in bases)


def _objects(context: RewriteContext, kind: Kind) -> Iterator[ClassRef]:
    """The classes of the objects that a value is, or that it holds; those of a parameter are what calls give it."""
    for option in options(kind):
        if isinstance(option, Opaque):
            given = constructor_arguments.given(context.analysis, option)
            yield from _objects(context, given) if not isinstance(given, Opaque) else ()
        if isinstance(option, Object):
            yield option.cls
        elif isinstance(option, Sequence | Mapping):
            parts = [option.item, *(option.items or ())] if isinstance(option, Sequence) else [option.value]
            yield from (cls for part in parts for cls in _objects(context, part))


@remembered
def made(context: RewriteContext, unit: Unit) -> tuple[TemporaryObject, ...]:
    """The places where methods of modules make objects of a class and no attribute takes them."""
    wanted = {ClassRef(unit.module, unit.name)} | context.project.subclasses(ClassRef(unit.module, unit.name))
    return tuple(each for each, cls in _all_made(context) if cls in wanted)


@remembered
def _all_made(context: RewriteContext) -> tuple[tuple[TemporaryObject, ClassRef], ...]:
    return tuple(_find_made(context))


def _find_made(context: RewriteContext) -> Iterator[tuple[TemporaryObject, ClassRef]]:
    for name in sorted(context.project.given):
        index, code = context.project.index(name), context.code(name)
        if index is None or code is None:
            continue
        for node in index.of(ast.Call):
            func = _lent_class(node.func) or node.func
            dotted = context.project.expression_name(index, func) if _is_named(func) else None
            cls = context.project.resolve(dotted) if dotted is not None else None
            owner = _method_around(context, code, name, node)
            if isinstance(cls, ClassRef) and owner is not None and not _is_kept(code, node):
                is_lent = func is not node.func or _is_argument_of_given(code, node)
                yield TemporaryObject(owner, Place.of(name, func), is_lent), cls


def _lent_class(func: ast.expr) -> ast.expr | None:
    """The class in `operations.given(Class)`."""
    match func:
        case ast.Call(func=ast.Attribute(attr="given"), args=[cls], keywords=[]):
            return cls
    return None


def _is_argument_of_given(code: Code, node: ast.Call) -> bool:
    outer = code.parents[node]
    return isinstance(outer, ast.Call) and isinstance(outer.func, ast.Attribute) and outer.func.attr == "given"


def _is_named(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) or (isinstance(node, ast.Attribute) and _is_named(node.value))


def _method_around(context: RewriteContext, code: Code, module: str, node: ast.AST) -> Unit | None:
    """The class of nn.Module in whose method, no constructor, a node stands."""
    function = code.function(node)
    around = code.parents.get(function) if function is not None else None
    if function is None or not isinstance(around, ast.ClassDef) or function.name == "__init__":
        return None
    if not positional_parameters(function) or any(last_name(d) in _UNBOUND for d in function.decorator_list):
        return None
    found = next((cls for cls, entry in code.index.classes.items() if entry.node is around), None)
    is_owner = found is not None and context.analysis.is_module(ClassRef(module, found))
    return Unit(module, found, True) if found is not None and is_owner else None


def _is_kept(code: Code, node: ast.Call) -> bool:
    """True if an attribute takes the object."""
    statement = code.statement(node)
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    return any(isinstance(target, ast.Attribute) for target in targets)


def lenders(context: RewriteContext, unit: Unit) -> tuple[Unit, ...]:
    """The classes of nn.Module that lend objects of a class their operations."""
    units = [*(each.unit for each in held(context, unit)), *(each.unit for each in made(context, unit))]
    return tuple(dict.fromkeys(units))


def is_lent(code: Code, unit: Unit, attribute: str) -> bool:
    """True if a class has operations for the objects of an attribute already."""
    entry = code.index.classes.get(unit.name)
    for node in walk(entry.node) if entry is not None else ():
        if isinstance(node, ast.Call) and last_name(node.func) == OPERATIONS and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant) and first.value == attribute:
                return True
    return False
