"""Stubs without their counterpart, and stubs that are made and never called."""

from __future__ import annotations

import ast
from collections import Counter
from typing import TYPE_CHECKING

from qprep.analysis.eager.eager_facts import MissingStub
from qprep.analysis.eager.fusion import functions_of, place_of
from qprep.analysis.places import Unit
from qprep.analysis.symbols.ast_utils import is_attribute_of, positional_parameters
from qprep.analysis.values.abstract_values import ClassRef, External
from qprep.foundation.catalogue.torch_ao import STUBS, WRAPPERS, eager_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from qprep.analysis.eager.fusion import FusionPlace
    from qprep.analysis.interpreter.protocol import Analysis
    from qprep.analysis.symbols.symbol_table import FileIndex

Made = tuple[
    "FusionPlace", ast.Call, str | None
]  # where, the stub's construction, the attribute of self that it becomes


def find_missing_stubs(analysis: Analysis, names: Iterable[str]) -> None:
    """Note stubs that are alone in all files given, and those whose attribute nothing mentions again."""
    made: dict[str, list[Made]] = {stub: [] for stub in STUBS}
    wrapped = False
    mentions: Counter[tuple[str, ClassRef | None]] = Counter()
    for name in names:
        index = analysis.project.index(name)
        for where, body in functions_of(index) if index is not None else ():
            owners = _attributes(body)
            for node in body:
                mentions.update(_mentioned(where, node))
                short = _name(analysis, where.index, node)
                wrapped = wrapped or short in WRAPPERS
                if isinstance(node, ast.Call) and short in STUBS:
                    made[short].append((where, node, owners.get(node)))
    for stub, places in made.items():
        alone = not made[STUBS[stub]] and not wrapped
        for where, node, attribute in places:
            if where.cls is None or not analysis.is_module(where.cls):
                continue
            unused = attribute is not None and _uses(analysis, mentions, attribute, where.cls) == 1
            if unused or alone:
                _note(analysis, where, node, stub if unused else STUBS[stub], attribute if unused else None)


def _mentioned(where: FusionPlace, node: ast.AST) -> Iterator[tuple[str, ClassRef | None]]:
    """Names of attributes, with the class where they are its own: `self.quant`."""
    if isinstance(node, ast.Attribute):
        function = where.function
        owner = (
            positional_parameters(function)[0].arg if function is not None and positional_parameters(function) else None
        )
        is_own = is_attribute_of(node, owner)
        yield node.attr, where.cls if is_own else None
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value, None


def _uses(
    analysis: Analysis, mentions: Mapping[tuple[str, ClassRef | None], int], attribute: str, cls: ClassRef
) -> int:
    """The number of times that an attribute is mentioned in its class, those around it, or on any other object."""
    family = {base for base in analysis.project.mro(cls) if isinstance(base, ClassRef)}
    family |= {cls, *analysis.project.subclasses(cls)}
    return sum(times for (name, of), times in mentions.items() if name == attribute and (of is None or of in family))


def _attributes(body: list[ast.AST]) -> dict[ast.expr, str]:
    """The values that are assigned to `self.x`."""
    return {
        node.value: target.attr
        for node in body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Attribute)
    }


def _name(analysis: Analysis, index: FileIndex, node: ast.AST) -> str:
    func = node.func if isinstance(node, ast.Call) else None
    dotted = analysis.project.expression_name(index, func) if func is not None else None
    found = analysis.project.resolve(dotted) if dotted is not None else None
    return eager_name(found.name) if isinstance(found, External) else ""


def _note(analysis: Analysis, where: FusionPlace, node: ast.Call, stub: str, attribute: str | None) -> None:
    place = place_of(where.index, node)
    unit = Unit(where.index.name, where.cls.name if where.cls is not None else "", True)
    analysis.facts.eager.stubs.setdefault(place, MissingStub(place, unit, where.name, stub, attribute))
