"""FloatFunctional, shared or made inside forward, and `torch.cat` where it belongs to one."""

from __future__ import annotations

import ast
from collections import defaultdict
from typing import TYPE_CHECKING

from qprep.analysis.eager.eager_facts import InlineFunctional, SharedFunctional
from qprep.analysis.eager.fusion import functions_of, place_of
from qprep.analysis.places import Place, Unit
from qprep.analysis.symbols.ast_utils import is_attribute_of, positional_parameters
from qprep.analysis.values.abstract_values import ClassRef, External, modules_of
from qprep.foundation.catalogue.torch_ao import FUNCTIONAL, FUNCTIONAL_METHODS, eager_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from qprep.analysis.eager.fusion import FuseCall, FusionPlace
    from qprep.analysis.interpreter.protocol import Analysis
    from qprep.analysis.symbols.symbol_table import FileIndex

Parents = dict[ast.AST, ast.AST]
Running = tuple["FusionPlace", list[ast.AST]]  # a method that some forward runs, and its nodes


def find_functional(analysis: Analysis, names: Iterable[str], calls: Iterable[FuseCall]) -> None:
    """Note what is wrong with FloatFunctionals, and which `torch.cat` runs on quantized tensors."""
    quantized = {call.cls for call in calls if call.cls is not None}
    domains: dict[tuple[str, str], tuple[int, int]] = {}
    running: dict[ClassRef, list[Running]] = {}
    stubbed: set[tuple[str, str]] = set()
    requantized: set[Place] = set()
    for name in names:
        index = analysis.project.index(name)
        for where, body in functions_of(index) if index is not None else ():
            if where.cls is None or where.function is None or not analysis.is_module(where.cls):
                continue
            if held_attributes(analysis, where.cls, FUNCTIONAL) or held_attributes(analysis, where.cls, "QuantStub"):
                quantized.add(where.cls)
            domains[where.index.name, where.name] = _domain(analysis, where, body)
            if stubs := held_attributes(analysis, where.cls, "QuantStub"):
                stubbed.add((where.index.name, where.name))
                requantized |= set(_given(where, body, stubs))
            if (where.index.name, where.name) in analysis.ran:
                parents = _parents(where.function)
                _note_shared(analysis, where, body, parents)
                _note_inline(analysis, where, body, parents)
                running.setdefault(where.cls, []).append((where, body))
    for found in running.values():
        _note_shared_by_methods(analysis, found)
    analysis.facts.eager.islands |= requantized & analysis.facts.ops.keys()
    for place, site in analysis.facts.ops.items():
        first, last = domains.get((place.module, site.function), (0, 0))
        if (place.module, site.function) in stubbed and not first < place.line < last:
            analysis.facts.eager.outside.add(place)
        if (
            site.op.name == "cat"
            and site.form == "function"
            and ClassRef(site.unit.module, site.unit.name) in quantized
        ):
            first, last = domains.get((place.module, site.function), (0, 0))
            if first < place.line < last:
                analysis.facts.eager.cats.add(place)


def _given(where: FusionPlace, body: list[ast.AST], stubs: Collection[str]) -> Iterator[Place]:
    """The values that QuantStubs of a class get."""
    for node in body:
        if isinstance(node, ast.Call) and _attribute(node.func, where) in stubs:
            yield from (Place.of(where.index.name, arg) for arg in node.args)


def _domain(analysis: Analysis, where: FusionPlace, body: list[ast.AST]) -> tuple[int, int]:
    """The lines between which tensors are quantized: from the QuantStub's call to the DeQuantStub's."""
    assert where.cls is not None
    assert where.function is not None
    first, last = where.function.lineno, (where.function.end_lineno or 0) + 1
    for stub in ("QuantStub", "DeQuantStub"):
        held = held_attributes(analysis, where.cls, stub)
        lines = [n.lineno for n in body if isinstance(n, ast.Call) and _attribute(n.func, where) in held]
        if stub == "QuantStub" and held:
            first = min(lines, default=last)
        elif lines:
            last = min(lines) if first < min(lines) else last
    dequantized = [n.lineno for n in body if isinstance(n, ast.Attribute) and n.attr == "dequantize"]
    return first, min([last, *dequantized])


def held_attributes(analysis: Analysis, cls: ClassRef, name: str) -> set[str]:
    """Attributes of self that are a FloatFunctional, or a stub."""
    return {
        key
        for key, entry in analysis.attributes_of(cls).names.items()
        if any(isinstance(m.cls, External) and eager_name(m.cls.name) == name for m in modules_of(entry.kind))
        or any(_makes(analysis, creation.place.module, creation.place, name) for creation in entry.creations.values())
    }


def _makes(analysis: Analysis, module: str, place: tuple[str, int, int, int, int], name: str) -> bool:
    index = analysis.project.index(module)
    node = index.expression_at(*place[1:]) if index is not None else None
    return index is not None and isinstance(node, ast.Call) and _called(analysis, index, node) == name


def _called(analysis: Analysis, index: FileIndex, node: ast.Call) -> str:
    """The class or function of eager quantization that a call names."""
    dotted = analysis.project.expression_name(index, node.func)
    found = analysis.project.resolve(dotted) if dotted is not None else None
    return eager_name(found.name) if isinstance(found, External) else ""


def _attribute(node: ast.expr, where: FusionPlace) -> str | None:
    """Of `self.add`, "add"."""
    owner = (
        positional_parameters(where.function)[0].arg
        if where.function is not None and positional_parameters(where.function)
        else None
    )
    return node.attr if is_attribute_of(node, owner) else None


def _note_shared(analysis: Analysis, where: FusionPlace, body: list[ast.AST], parents: Parents) -> None:
    assert where.cls is not None
    for attribute, found in _uses(analysis, where, body).items():
        for position, node in enumerate(found):
            before = any(not _are_alternatives(other, node, parents) for other in found[:position])
            loops = _in_loop(node, parents)
            if before or loops:
                _add_shared(analysis, where, attribute, node, loops=loops)


def _uses(analysis: Analysis, where: FusionPlace, body: list[ast.AST]) -> dict[str, list[ast.Call]]:
    """The calls of FloatFunctionals of self in a method, by attribute, in the order in which they run."""
    assert where.cls is not None
    held = held_attributes(analysis, where.cls, FUNCTIONAL)
    uses: dict[str, list[ast.Call]] = defaultdict(list)
    for node in body:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in FUNCTIONAL_METHODS:
            attribute = _attribute(node.func.value, where)
            if attribute in held:
                uses[attribute or ""].append(node)
    for found in uses.values():
        found.sort(key=lambda node: (node.end_lineno or 0, node.end_col_offset or 0))
    return uses


def _add_shared(analysis: Analysis, where: FusionPlace, attribute: str, node: ast.Call, *, loops: bool) -> None:
    assert where.cls is not None
    assert isinstance(node.func, ast.Attribute)
    place, unit = place_of(where.index, node), Unit(where.cls.module, where.cls.name, True)
    fact = SharedFunctional(place, unit, where.name, attribute, node.func.attr, loops)
    analysis.facts.eager.shared.setdefault(place, fact)


def _note_shared_by_methods(analysis: Analysis, methods: list[Running]) -> None:
    """A FloatFunctional that several methods call: it belongs to the first of these, in the order of the source."""
    taken: dict[str, str] = {}
    for where, body in sorted(methods, key=lambda found: getattr(found[0].function, "lineno", 0)):
        for attribute, found in _uses(analysis, where, body).items():
            if taken.setdefault(attribute, where.name) != where.name:
                parents = _parents(where.function) if where.function is not None else {}
                for node in found:
                    _add_shared(analysis, where, attribute, node, loops=_in_loop(node, parents))


def _note_inline(analysis: Analysis, where: FusionPlace, body: list[ast.AST], parents: Parents) -> None:
    assert where.cls is not None
    for node in body:
        if not isinstance(node, ast.Call) or _called(analysis, where.index, node) != FUNCTIONAL:
            continue
        around = parents.get(node)
        if isinstance(around, ast.Assign) and any(_attribute(target, where) for target in around.targets):
            continue
        method = around.attr if isinstance(around, ast.Attribute) else ""
        place, unit = place_of(where.index, node), Unit(where.cls.module, where.cls.name, True)
        fact = InlineFunctional(place, unit, where.name, method, _in_loop(node, parents))
        analysis.facts.eager.inline.setdefault(place, fact)


def _parents(function: ast.AST) -> Parents:
    return {child: node for node in ast.walk(function) for child in ast.iter_child_nodes(node)}


def _ways(node: ast.AST, parents: Parents) -> list[tuple[ast.AST, ast.AST]]:
    """(parent, child) from a node up."""
    found = []
    while node in parents:
        found.append((parents[node], node))
        node = parents[node]
    return found


def _in_loop(node: ast.AST, parents: Parents) -> bool:
    kinds = ast.For | ast.While | ast.ListComp | ast.GeneratorExp | ast.SetComp | ast.DictComp
    return any(isinstance(parent, kinds) for parent, _ in _ways(node, parents))


def _are_alternatives(one: ast.AST, other: ast.AST, parents: Parents) -> bool:
    """True if two nodes stand in branches of one condition, of which a pass takes only one, or behind a return."""
    here = dict(_ways(one, parents))
    for parent, child in _ways(other, parents):
        if parent not in here or here[parent] is child:
            continue
        if isinstance(parent, ast.IfExp):
            return parent.test not in (child, here[parent])
        if isinstance(parent, ast.If):
            return (child in parent.orelse) != (here[parent] in parent.orelse) and parent.test not in (
                child,
                here[parent],
            )
        first = here[parent]
        return isinstance(first, ast.If) and any(isinstance(last, ast.Return | ast.Raise) for last in first.body[-1:])
    return False
