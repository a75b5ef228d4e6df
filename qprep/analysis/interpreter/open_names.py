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

_MAKING = frozenset(("__init__", "__new__", "__init_subclass__", "__post_init__"))  # evaluated with their class


class OpenNames(NamedTuple):
    """Names for which other files may be asked.

    made    classes whose constructors get objects that the given files do not show
    called  functions, and classes with methods, that run operations and that nothing in the given files calls
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
    called = {name for module in modules for name in _not_run(analysis, module)}
    return OpenNames(tuple(sorted(made)), tuple(sorted(called)))


def _not_run(analysis: Analysis, module: str) -> Iterator[str]:
    """The functions, and the classes with methods, that nothing here uses and that run operations on activations."""
    index = analysis.project.index(module)
    if index is None:
        return
    read = {node.id for node in index.of(ast.Name) if isinstance(node, ast.Name)}
    read |= {node.attr for node in index.of(ast.Attribute) if isinstance(node, ast.Attribute)}

    def is_open(function: FunctionRef) -> bool:
        short = DefinitionName.parse(function.name).name
        is_used = (module, function.name) in analysis.ran or short in read or short in _MAKING
        return not is_used and _runs_operations(analysis, function)

    for name in index.functions:
        if is_open(FunctionRef(module, name)):
            yield DefinitionName.parse(name).name
    for name, entry in index.classes.items():
        cls = ClassRef(module, name)
        instance = Module(cls, SELF) if analysis.is_module(cls) else Object(cls)
        if any(is_open(FunctionRef(module, f"{name}.{method}", instance)) for method in entry.methods):
            yield DefinitionName.parse(name).name


def _runs_operations(analysis: Analysis, ref: FunctionRef) -> bool:
    """True if a function may run operations on what it is given."""
    frame = analysis.frame_of(ref.module)
    if frame is None:
        return False
    frame.recording = True
    before = len(analysis.facts.unknown)
    try:
        summary = analysis.summary(frame, ref, None, recording=True, root=True, beside=True)
    except RecursionError:
        return True
    return bool(summary.operation_places) or len(analysis.facts.unknown) > before
