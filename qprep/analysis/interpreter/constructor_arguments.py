"""Arguments that constructors get, at the places of the project that make instances."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from qprep.analysis.interpreter.environment import unrooted
from qprep.analysis.symbols.ast_utils import walk
from qprep.analysis.symbols.definition_names import DefinitionName
from qprep.analysis.values.abstract_values import (
    UNKNOWN,
    ClassRef,
    External,
    FunctionRef,
    Kind,
    Module,
    Object,
    Opaque,
    Partial,
    join_all,
    options,
)
from qprep.analysis.values.closure_values import Closure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from qprep.analysis.interpreter.arguments import Arguments
    from qprep.analysis.interpreter.protocol import Analysis
    from qprep.analysis.symbols.symbol_table import FileIndex

_CALL = re.compile(r"\b(\w+)\(")


def note(analysis: Analysis, cls: ClassRef, arguments: Arguments) -> None:
    """An instance of a project class is made with these arguments."""
    places: list[tuple[int | str, Kind]] = [*(enumerate(arguments.args) if arguments.exact else ())]
    for place, kind in [*places, *arguments.keywords.items()]:
        if objects := _objects(analysis, kind):
            passed = analysis.passed.setdefault(cls, {})
            passed[place] = _joined(objects, options(passed[place]) if place in passed else ())


def _joined(new: Iterable[Kind], known: Iterable[Kind]) -> Kind:
    """All of several values; a lambda that was evaluated again is the same lambda."""
    known = list(known)
    lambdas = {option.node for option in known if isinstance(option, Closure)}
    return join_all([*known, *(each for each in new if not (isinstance(each, Closure) and each.node in lambdas))])


def given(analysis: Analysis, parameter: Opaque) -> Kind:
    """The instances of the project's classes, and the functions, that a constructor's parameter refers to.

    UNKNOWN where none are known.
    """
    cls = parameter.cls
    entry = analysis.project.class_node(cls) if cls is not None else None
    init = entry.methods.get("__init__") if entry is not None else None
    if cls is None or init is None:
        return UNKNOWN
    positional = [arg.arg for arg in (*init.args.posonlyargs, *init.args.args)][1:]
    places: list[int | str] = [parameter.name]
    places += [index for index, name in enumerate(positional) if name == parameter.name]
    makers = [made for made in (cls, *analysis.project.subclasses(cls)) if _builds_with(analysis, made, cls)]
    _look_through_callers(analysis, makers)
    kinds = [analysis.passed.get(made, {}).get(place) for made in makers for place in places]
    return join_all(sorted((kind for kind in kinds if kind is not None), key=repr))


def _builds_with(analysis: Analysis, made: ClassRef, cls: ClassRef) -> bool:
    """True if instances of `made` are built by the constructor of `cls`."""
    for base in analysis.project.mro(made):
        methods = analysis.project.methods(base) if isinstance(base, ClassRef) else None
        if base == cls or "__init__" in (methods or ()):
            return base == cls
    return False


def _objects(analysis: Analysis, kind: Kind) -> list[Kind]:
    """Instances of the project's classes, as nobody reaches them yet, its functions, and those in the catalogue."""
    found: list[Kind] = []
    for option in options(kind):
        if isinstance(option, Module) and isinstance(option.cls, ClassRef):
            found.append(Module(option.cls))
        elif isinstance(option, Object | Closure):
            found.append(option)
        elif (function := _own_function(option)) is not None:
            found.append(function)
        elif isinstance(option, External):
            row = analysis.catalogue.function(option.name)
            if row is not None and analysis.is_compute(row[0]):
                found.append(option)
    return found


def _own_function(kind: Kind) -> Kind | None:
    """A function of the project, a method of a module, or one of these with some arguments bound; None for others.

    A method is of an object that its user does not reach through self.
    """
    if isinstance(kind, Partial):
        function = _own_function(kind.function)
        return Partial(function, kind.args, kind.keywords) if function is not None else None
    if not isinstance(kind, FunctionRef) or kind.bound is None:
        return kind if isinstance(kind, FunctionRef) else None
    is_of_module = isinstance(kind.bound, Module) and isinstance(kind.bound.cls, ClassRef)
    return FunctionRef(kind.module, kind.name, unrooted(kind.bound)) if is_of_module else None


def _look_through_callers(analysis: Analysis, makers: list[ClassRef]) -> None:
    """Evaluate the functions outside classes that make instances of these classes: no forward runs them."""
    words = {DefinitionName.parse(cls.name).key for cls in makers if cls not in analysis.looked_for}
    analysis.looked_for.update(makers)
    if not words:
        return
    if analysis.called is None:
        analysis.called = _called(analysis)
    found = {module for word in words for module in analysis.called.get(word, ())}
    for module in (each for each in analysis.project.given if each in found):
        index = analysis.project.index(module)
        for function in _callers(index, words) if index is not None else ():
            analysis.look_through(FunctionRef(module, function))


def _called(analysis: Analysis) -> dict[str, list[str]]:
    """The files that call something of a name, by the names; each file is read once."""
    found: dict[str, list[str]] = {}
    for module in analysis.project.given:
        for word in dict.fromkeys(_CALL.findall(analysis.project.text(module) or "")):
            found.setdefault(word, []).append(module)
    return found


def _callers(index: FileIndex, words: set[str]) -> Iterator[str]:
    """Functions outside classes that call something of these names."""
    for name, node in index.functions.items():
        called = (part.func for part in walk(node) if isinstance(part, ast.Call))
        if any((getattr(func, "id", None) or getattr(func, "attr", None)) in words for func in called):
            yield name
