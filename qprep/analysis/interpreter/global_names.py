"""Names at the top level of files: their values, across imports and conditional definitions."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.interpreter import (
    registered_functions,
)
from qprep.analysis.interpreter.protocol import Analysis
from qprep.analysis.symbols.definition_names import plain_name, variants
from qprep.analysis.values.abstract_values import (
    UNKNOWN,
    ClassRef,
    External,
    FunctionRef,
    Kind,
    in_order,
    join_all,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qprep.analysis.symbols.symbol_table import FileIndex


class GlobalNames:
    """The values of the module-level names of a project; each is computed once."""

    def __init__(self) -> None:
        self._globals: dict[tuple[str, str], Kind] = {}

    def kind(self, analysis: Analysis, index: FileIndex, name: str) -> Kind:
        """The kind of a module-level name."""
        key = (index.name, name)
        if key not in self._globals:
            self._globals[key] = UNKNOWN
            self._globals[key] = self._find_global(analysis, index, name)
        return self._globals[key]

    def _find_global(self, analysis: Analysis, index: FileIndex, name: str) -> Kind:
        if name in index.alternatives:
            return join_all(self._alternatives(analysis, index, name))
        if name in index.values and name not in index.classes and name not in index.functions:
            value = self._value_kind(analysis, index, index.values[name])
            return registered_functions.with_registered(analysis, index, "", name, value)
        return self.resolved(analysis, analysis.project.global_name(index, name))

    def _alternatives(self, analysis: Analysis, index: FileIndex, name: str) -> Iterator[Kind]:
        """All that a name may be, each in runs of its own."""
        yield from (ClassRef(index.name, other) for other in variants(index.classes, name))
        yield from (FunctionRef(index.name, other) for other in variants(index.functions, name))
        yield from (self._value_kind(analysis, index, index.values[other]) for other in variants(index.values, name))
        imported = [index.imports[name].target] if name in index.imports else []
        yield from (self.resolved(analysis, target) for target in (*imported, *index.alternatives[name]))

    def _value_kind(self, analysis: Analysis, index: FileIndex, value: ast.expr) -> Kind:
        frame = analysis.frame_of(index.name)
        if frame is None or (isinstance(value, ast.Call) and not isinstance(value.func, ast.Name | ast.Attribute)):
            return UNKNOWN
        return analysis.evaluate(frame, value)

    def resolved(self, analysis: Analysis, dotted: str) -> Kind:
        """The value that a dotted name refers to; for a constant of another file, the kind of its value."""
        found = analysis.project.resolve(dotted)
        for option in in_order(found):
            if isinstance(option, External):
                head, _, last = option.name.rpartition(".")
                index = analysis.project.index(head) if head and not head.startswith(("torch", "builtins")) else None
                return self.kind(analysis, index, last) if index is not None and last in index.values else found
            if isinstance(option, ClassRef | FunctionRef) and (name := self._varied(analysis, option)) is not None:
                index = analysis.project.index(option.module)
                return self.kind(analysis, index, name) if index is not None else found
        return found

    def _varied(self, analysis: Analysis, ref: ClassRef | FunctionRef) -> str | None:
        """The name of a class or function that is one of several definitions of it."""
        name, surface = plain_name(ref.name), analysis.project.surface(ref.module)
        is_one = name != ref.name or (surface is not None and len(variants(surface.values, name)) > 0)
        return name if is_one and "." not in ref.name else None
