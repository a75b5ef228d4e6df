"""Arguments that constructors get, at the places of the project that make instances."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

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
    join_all,
    options,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

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
            passed[place] = join_all([*objects, *options(passed.get(place, objects[0]))])


def given(analysis: Analysis, parameter: Opaque) -> Kind:
    """The instances of the project's classes and functions of torch that a constructor's parameter refers to.

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
    """Instances of the project's classes, as nobody reaches them yet, and functions with a row in the catalogue."""
    found: list[Kind] = []
    for option in options(kind):
        if isinstance(option, Module) and isinstance(option.cls, ClassRef):
            found.append(Module(option.cls))
        elif isinstance(option, Object):
            found.append(option)
        elif isinstance(option, External):
            row = analysis.catalogue.function(option.name)
            if row is not None and analysis.is_compute(row[0]):
                found.append(option)
    return found


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
