"""Code that reads the parameters of constructors, or the variables of those who call it."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qprep.analysis.effects.abstract_objects import ClassObject
from qprep.analysis.effects.escaping_classes import HARMLESS, handed_names
from qprep.analysis.effects.stored_values import dictionary_owner
from qprep.analysis.places import Unit
from qprep.analysis.symbols.ast_utils import argument_values, dotted_root, is_class_of, last_name, walk
from qprep.analysis.values.abstract_values import ClassRef, External, FunctionRef, options
from qprep.rewriting.fix_session import remembered

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from qprep.analysis.symbols.symbol_table import FileIndex
    from qprep.rewriting.fix_session import RewriteContext

_ASKING = frozenset(("signature", "getfullargspec", "getargspec", "from_callable", "get_type_hints"))
_FRAMES = frozenset(("currentframe", "save_hyperparameters"))
_MARKS = (*(f"{name}(" for name in (*_ASKING, *_FRAMES)), *(f"{name} as " for name in _ASKING))
_COMPARED = re.compile(r"""["']__init__["']|__init__\s*(?:is|==|!=)|(?:is|is not|==|!=) .*\.__init__""")
_OF_INIT = "__init__.__"  # Net.__init__.__annotations__
_DUNDERS = frozenset(("__init__", "__call__", "__new__"))


@dataclass(frozen=True, slots=True)
class InspectedConstructors:
    """The classes whose constructors' parameters are read.

    classes  those named where that is done
    values   all that are passed on as values
    any      all of them
    """

    classes: frozenset[ClassRef] = frozenset()
    values: bool = False
    any: bool = False


def may_be_asked(context: RewriteContext, ref: ClassRef) -> bool:
    """True if some given file may ask the constructor of a class for its parameters."""
    asked, members = asked_classes(context), context.family(Unit(ref.module, ref.name, True))
    if asked.any or not asked.classes.isdisjoint(members):
        return True
    return asked.values and not class_values(context).isdisjoint(members)


def is_compared(context: RewriteContext, ref: ClassRef) -> bool:
    """True if some code asks if a class has a constructor of its own: `"__init__" in vars(Net)`."""
    return not compared_classes(context).isdisjoint(context.family(Unit(ref.module, ref.name, True)))


@remembered
def compared_classes(context: RewriteContext) -> frozenset[ClassRef]:
    """The classes whose constructors are compared, or are looked up in the table of the class."""
    owners = (each for module in context.project.given for each in _compared_in(context, module))
    found = (each.base for module, node in owners for each in context.effects.points_to.where(module, node))
    return frozenset(base.cls for base in found if isinstance(base, ClassObject) and isinstance(base.cls, ClassRef))


def _compared_in(context: RewriteContext, module: str) -> Iterator[tuple[str, ast.expr]]:
    text = context.project.text(module) or ""
    file = context.effects.points_to.file(module) if _COMPARED.search(text) else None
    for node in file.index.of(ast.Compare, ast.Subscript, ast.Call) if file is not None else ():
        match node:
            case ast.Compare(left=ast.Constant(value="__init__"), comparators=[table]):
                owner = dictionary_owner(table)
            case ast.Subscript(value=table, slice=ast.Constant(value="__init__")):
                owner = dictionary_owner(table)
            case ast.Call(func=ast.Attribute(value=table, attr="get"), args=[ast.Constant(value="__init__"), *_]):
                owner = dictionary_owner(table)
            case ast.Compare(left=left, comparators=others):
                sides = [side for side in (left, *others) if isinstance(side, ast.Attribute)]
                yield from ((module, side.value) for side in sides if side.attr == "__init__")
                continue
            case _:
                continue
        if owner is not None:
            yield module, owner


def is_watched(context: RewriteContext, ref: ClassRef) -> bool:
    """True if constructors of a class may run code that reads the variables of its callers."""
    bases = (base for base in context.project.mro(ref) if isinstance(base, ClassRef | External))
    return any(base.name.rpartition(".")[2] in frame_watchers(context) for base in bases)


@remembered
def asked_classes(context: RewriteContext) -> InspectedConstructors:
    """The constructors that all given files inspect together."""
    found = [part for name in context.project.given for part in _asked_in(context, name)]
    return InspectedConstructors(
        frozenset(cls for part in found for cls in part.classes),
        any(part.values for part in found),
        any(part.any for part in found) or (any(part.values for part in found) and _hands_on_types(context)),
    )


def _asked_in(context: RewriteContext, module: str) -> Iterator[InspectedConstructors]:
    text = context.project.text(module) or ""
    if not any(mark in text for mark in (*_MARKS, _OF_INIT)):
        return
    index = context.project.index(module)
    for call in index.of(ast.Call) if index is not None else ():
        if index is not None and _imported(index, call.func) in _ASKING and call.args:
            yield _asked(context, index, call.args[0])
    for node in index.of(ast.Attribute) if index is not None else ():
        if isinstance(node.value, ast.Attribute) and node.value.attr == "__init__" and index is not None:
            yield _asked(context, index, node.value)


def _imported(index: FileIndex, func: ast.expr) -> str:
    """The last name of what is called, where it has another name here: `from inspect import signature as sig`."""
    known = index.imports.get(func.id) if isinstance(func, ast.Name) else None
    return known.target.rpartition(".")[2] if known is not None else last_name(func)


def _asked(context: RewriteContext, index: FileIndex, node: ast.expr) -> InspectedConstructors:
    """The classes whose constructor parameters an expression reads."""
    while isinstance(node, ast.Attribute) and node.attr in _DUNDERS:
        node = node.value
    if isinstance(node, ast.Attribute) and node.attr == "forward":
        return InspectedConstructors()
    if is_class_of(node) or (isinstance(node, ast.Name) and node.id == "cls"):
        return InspectedConstructors(any=True)
    root = dotted_root(node)
    if not isinstance(root, ast.Name) or root.id not in (*index.imports, *index.classes, *index.functions):
        return InspectedConstructors(values=True)
    found = list(options(context.project.resolve(context.project.expression_name(index, node) or "?")))
    if not all(isinstance(option, ClassRef | FunctionRef | External) for option in found):
        return InspectedConstructors(values=True)
    inside = [o for o in found if isinstance(o, External) and o.name.partition(".")[0] in context.project.tops]
    return InspectedConstructors(
        frozenset(option for option in found if isinstance(option, ClassRef)), values=bool(inside)
    )


def _hands_on_types(context: RewriteContext) -> bool:
    """True if some given file keeps the class of an object or hands it to a function."""
    for name in context.project.given:
        text = context.project.text(name) or ""
        index = context.project.index(name) if "type(" in text or "__class__" in text else None
        for call in index.of(ast.Call) if index is not None else ():
            values = argument_values(call)
            if last_name(call.func) not in HARMLESS and any(map(is_class_of, values)):
                return True
        for node in index.of(ast.Assign, ast.Return, ast.NamedExpr) if index is not None else ():
            value: ast.AST | None = getattr(node, "value", None)
            if value is not None and is_class_of(value):
                return True
    return False


@remembered
def class_values(context: RewriteContext) -> frozenset[ClassRef]:
    """Classes that some given file keeps or passes as values: not called, inherited from or tested for."""
    return frozenset(_class_values(context))


def _class_values(context: RewriteContext) -> Iterator[ClassRef]:
    project = context.project
    for module in project.given:
        summary, index = project.summary(module), None
        if summary is None and (index := project.index(module)) is not None:
            names: Iterable[str] = handed_names(index)
        else:
            names = summary.handed if summary is not None else ()
        for name in names:
            found = project.resolve(project.dotted_name(module, name) or "?")
            yield from (option for option in options(found) if isinstance(option, ClassRef))


@remembered
def frame_watchers(context: RewriteContext) -> frozenset[str]:
    """Names of the functions and classes of the given files that may look at their callers' variables."""
    texts = {name: context.project.text(name) or "" for name in context.project.given}
    if not any(f"{name}(" in text for text in texts.values() for name in _FRAMES):
        return frozenset()
    callers: dict[str, set[str]] = defaultdict(set)
    for module in texts:
        index = context.project.index(module)
        for name, called in _calls(index) if index is not None else ():
            callers[called].add(name)
    found, waiting = set[str](), list(_FRAMES)
    while waiting:
        for name in callers[waiting.pop()] - found:
            found.add(name)
            waiting.append(name)
    return frozenset(found)


def _calls(index: FileIndex) -> Iterator[tuple[str, str]]:
    """Functions and what they call, by their last names; a constructor has the name of its class."""
    classes = {method: cls for cls in index.of(ast.ClassDef) for method in cls.body}
    for function in index.of(ast.FunctionDef):
        cls = classes.get(function) if function.name == "__init__" else None
        name = cls.name if cls is not None else function.name
        for call in (node for node in walk(function) if isinstance(node, ast.Call)):
            called = last_name(call.func)
            if called == "__init__":
                yield from ((name, last_name(base)) for base in cls.bases) if cls is not None else ()
            else:
                yield name, called
