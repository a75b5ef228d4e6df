"""Bodies of classes: the names around them, and the values bound in them."""

from __future__ import annotations

import ast

from qprep.analysis.interpreter.argument_binding import bind
from qprep.analysis.interpreter.arguments import Arguments, Callee
from qprep.analysis.interpreter.environment import Frame
from qprep.analysis.interpreter.protocol import Analysis
from qprep.analysis.places import Unit
from qprep.analysis.symbols import local_classes
from qprep.analysis.values.abstract_values import UNKNOWN, ClassRef, Kind
from qprep.analysis.values.closure_values import NameScope


class ClassScopes:
    """The scopes of the classes of a project that functions define; each is evaluated once."""

    def __init__(self) -> None:
        self._around: dict[ClassRef, NameScope | None] = {}

    def value(self, analysis: Analysis, base: ClassRef, node: ast.expr) -> Kind:
        """A value bound in a class body."""
        frame = analysis.frame_of(base.module)
        if frame is None:
            return UNKNOWN
        frame.scope = NameScope({}, self.around(analysis, base))
        if isinstance(node, ast.Lambda):  # a method of the class
            frame.unit, frame.function = Unit(base.module, base.name, True), base.name
        return analysis.evaluate(frame, node)

    def around(self, analysis: Analysis, cls: ClassRef | None) -> NameScope | None:
        """The names that the functions around a class bind."""
        entry = analysis.project.class_node(cls) if cls is not None else None
        if cls is None or entry is None or not entry.around:
            return None
        if cls not in self._around:
            scopes = local_classes.scopes(entry)
            self._around[cls] = scopes[-1]
            index = analysis.project.index(cls.module)
            for function, scope in zip(entry.around, scopes, strict=True) if index is not None else ():
                assert index is not None
                unit = Unit(index.name, f"{function.name}.{local_classes.LOCALS}", False)
                names = bind(analysis, Callee(index, function), Arguments())
                frame = Frame(index, unit, function.name, None, None, NameScope(names, scope.parent), False)
                analysis.run_block(frame, function.body)
                scope.names.update(frame.scope.names)
        return self._around[cls]
