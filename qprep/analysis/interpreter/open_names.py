"""Names that the given files leave open: of these classes and functions only the files that use them may tell more."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any, NamedTuple

from qprep.analysis.symbols.definition_names import DefinitionName
from qprep.analysis.values.abstract_values import ClassRef, FunctionRef, Module, Object
from qprep.analysis.values.access_paths import SELF

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from qprep.analysis.interpreter.protocol import Analysis
    from qprep.analysis.places import Place
    from qprep.analysis.symbols.symbol_table import FileIndex

_MAKING = frozenset(("__init__", "__new__", "__init_subclass__", "__post_init__"))  # evaluated with their class


class OpenNames(NamedTuple):
    """Names for which other files may be asked.

    made    classes whose constructors get objects that the given files do not show
    called  functions and methods, or the names of objects, that run operations on what other files give them
    """

    made: tuple[str, ...]
    called: tuple[str, ...]

    @classmethod
    def of_record(cls, record: list[Any]) -> OpenNames:
        """The names from JSON; raises ValueError or TypeError for other data."""
        made, called = record
        return cls(tuple(map(str, made)), tuple(map(str, called)))


def open_names(analysis: Analysis, modules: Collection[str]) -> OpenNames:
    """The names that some modules leave open. It evaluates functions once more: the facts must have been read before.

    A class counts once the evaluation has looked for the places that make it.
    """
    made = {DefinitionName.parse(cls.name).name for cls in analysis.looked_for if cls.module in modules}
    called = {name for module in modules for name in _called(analysis, module)}
    return OpenNames(tuple(sorted(made)), tuple(sorted(called)))


def _called(analysis: Analysis, module: str) -> Iterator[str]:
    """Names by which other files may run further operations on activations."""
    index = analysis.project.index(module)
    if index is None:
        return
    found = {place for place, site in analysis.facts.ops.items() if not site.owned}

    def is_open(function: FunctionRef) -> bool:
        is_forward = isinstance(function.bound, Module) and _short_name(function) == "forward"  # run on tensors
        return not is_forward and _short_name(function) not in _MAKING and _runs_more(analysis, function, found)

    for name in index.functions:
        if is_open(FunctionRef(module, name)):
            yield DefinitionName.parse(name).name
    for name, entry in index.classes.items():
        cls = ClassRef(module, name)
        instance = Module(cls, SELF) if analysis.is_module(cls) else Object(cls)
        for method in entry.methods:
            function = FunctionRef(module, f"{name}.{method}", instance)
            if is_open(function):
                yield from _names_in_calls(index, DefinitionName.parse(name).name, _short_name(function))


def _names_in_calls(index: FileIndex, cls: str, method: str) -> list[str]:
    """Names of which code in another file spells one to call a method: its own; of `__call__` and operators, those of
    the class and of the file's variables, one of which may be an instance."""
    if not method.startswith("__"):
        return [method]
    return [cls, *(node.id for node in index.of(ast.Name) if isinstance(node.ctx, ast.Store))]


def _short_name(function: FunctionRef) -> str:
    """The name of a function without those of the definitions around it."""
    return DefinitionName.parse(function.name).name


def _runs_more(analysis: Analysis, ref: FunctionRef, found: set[Place]) -> bool:
    """True if a function may run operations, on what others give it, that the given files alone did not show.

    A function that these call with numbers may be called with tensors elsewhere.
    """
    frame = analysis.frame_of(ref.module)
    if frame is None:
        return False
    frame.recording = True
    before = len(analysis.facts.unknown)
    try:
        summary = analysis.summary(frame, ref, None, recording=True, root=True, beside=True)
    except RecursionError:
        return True
    return not summary.operation_places <= found or len(analysis.facts.unknown) > before
