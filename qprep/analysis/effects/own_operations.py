"""Operations that classes of the project define by their own: `__add__` or `relu` of a kind of tensors, of a record.

A module that calls a function of torch does not run such a method, or does so with other arguments.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Collection, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from qprep.analysis.effects.abstract_objects import Instance
from qprep.analysis.effects.implicit_calls import operator_methods
from qprep.analysis.places import Place
from qprep.analysis.values.abstract_values import ClassRef, External
from qprep.foundation.catalogue.op import Op

if TYPE_CHECKING:
    from qprep.analysis.effects.points_to import PointsTo

_TENSORS = frozenset(("Buffer", "Parameter", "Tensor"))
_METHOD = "Tensor."


def method_names(op: Op) -> frozenset[str]:
    """The methods by which Python or a program may run an operation: `add`, `__add__`, `__radd__`."""
    spelled = (text.partition("(")[0] for text in op.spellings)
    names = {text.removeprefix(_METHOD) for text in spelled if text.startswith(_METHOD)}
    return frozenset(names | {f"__r{name[2:]}" for name in names if name.startswith("__")})


class OwnOperations:
    """The methods of a project's classes that have the name of an operation of tensors."""

    def __init__(self, points_to: PointsTo) -> None:
        self._points_to = points_to

    def of_tensors(self, names: Collection[str]) -> Iterator[tuple[ClassRef, Place]]:
        """Methods of these names in classes of tensors: any tensor may be an instance of one."""
        for name in sorted(names):
            yield from self._of_tensors.get(name, ())

    @cached_property
    def _of_tensors(self) -> dict[str, list[tuple[ClassRef, Place]]]:
        found: dict[str, list[tuple[ClassRef, Place]]] = defaultdict(list)
        project = self._points_to.project
        surfaces = ((name, project.surface(name)) for name in project.given)
        for cls in (
            ClassRef(name, each) for name, surface in surfaces if surface is not None for each in surface.classes
        ):
            if any(_is_of_tensors(base) for base in project.mro(cls)):
                for name, place in self._methods(cls):
                    found[name].append((cls, place))
        return found

    def of_operands(self, module: str, node: ast.AST, names: Collection[str]) -> Iterator[tuple[ClassRef, Place]]:
        """Methods that an operator, or a call of a method, may run in the classes of what its operands may be."""
        for operand, run in _operands(node, names):
            for reference in sorted(self._points_to.where(module, operand), key=repr):
                if isinstance(reference.base, Instance):
                    for base in self._points_to.project.mro(reference.base.cls):
                        methods = self._methods(base) if isinstance(base, ClassRef) else ()
                        yield from ((reference.base.cls, place) for name, place in methods if name in run)

    def _methods(self, cls: ClassRef) -> Iterator[tuple[str, Place]]:
        entry = self._points_to.project.class_node(cls)
        for name, node in entry.methods.items() if entry is not None else ():
            yield name, Place.of(cls.module, node)
        for name, value in entry.values.items() if entry is not None else ():
            if isinstance(value, ast.expr):
                yield name, Place.of(cls.module, value)


def _is_of_tensors(base: object) -> bool:
    return isinstance(base, External) and base.name.startswith("torch.") and base.name.rpartition(".")[2] in _TENSORS


def _operands(node: ast.AST, names: Collection[str]) -> list[tuple[ast.expr, Collection[str]]]:
    """The objects whose methods an operator or a call may run, with the names of these methods.

    `names` are those of the operation. What follows an operator runs the reflected method alone.
    """
    match node:
        case ast.BinOp(left=left, right=right, op=operator):
            plain, reflected, _ = operator_methods(operator)
            return [(left, (plain,)), (right, (reflected,))]
        case ast.AugAssign(target=target, value=value, op=operator):
            plain, reflected, in_place = operator_methods(operator)
            return [(target, (plain, in_place)), (value, (reflected,))]
        case ast.UnaryOp(operand=operand, op=operator):
            return [(operand, operator_methods(operator))]
        case ast.Call(func=ast.Attribute(value=value, attr=name)):
            return [(value, (name,) if name in names else ())]  # `self.function(x)` runs what `function` holds
        case ast.Call(func=ast.Name(), args=arguments):
            return [(argument, names) for argument in arguments]  # abs(x), sum(parts)
    return []
