"""Models that are to be quantized eagerly and have neither stubs nor fuse lists yet."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.eager.add_relu import find_sums
from qprep.analysis.eager.eager_facts import UnfusedModel, UnstubbedModel
from qprep.analysis.eager.fuse_targets import Leaf, Written, child
from qprep.analysis.eager.fusion import find_fuse_calls, place_of, walk_own
from qprep.analysis.eager.single_consumer import followers
from qprep.analysis.facts import Unit
from qprep.analysis.values.abstract_values import ClassRef, External, Tensor, modules_of
from qprep.foundation.catalogue.torch_ao import FUSABLE, STUBS, eager_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qprep.analysis.interpreter.interpreter import Analysis
    from qprep.analysis.symbols.symbol_table import ClassNode

Lists = tuple[tuple[str, ...], ...]
_LAYERS = ("Conv", "Linear")


def find_unprepared(analysis: Analysis, names: Iterable[str]) -> None:
    """Note the models of files whose target is torch's eager quantization: what they lack for it."""
    listed = list(names)
    if not listed:
        return
    find_sums(analysis, listed)
    fuses = bool(find_fuse_calls(analysis, listed))
    classes = [
        ClassRef(name, cls)
        for name in listed
        if (index := analysis.project.index(name)) is not None
        for cls in index.classes
        if analysis.is_module(ClassRef(name, cls))
    ]
    lists = {} if fuses else {cls: found for cls in classes if (found := fuse_lists(analysis, cls))}
    for cls in classes:
        entry = analysis.project.class_node(cls)
        if entry is None or "forward" not in entry.methods:
            continue
        if _is_root(analysis, cls):
            _note_unstubbed(analysis, cls, entry)
            inner = any(other != cls for other in lists)
        else:
            inner = False
        if (lists.get(cls) or inner) and entry.node.bases and not analysis.defines(cls, "fuse_model"):
            index = analysis.project.index(cls.module)
            assert index is not None
            place, unit = place_of(index, entry.node.bases[0]), Unit(cls.module, "", True)
            fact = UnfusedModel(place, unit, "", cls.name, lists.get(cls, ()), inner, _waits(analysis, cls))
            analysis.facts.eager.unfused.setdefault(place, fact)


def _waits(analysis: Analysis, cls: ClassRef) -> bool:
    """Whether a ReLU of the class is still a function, or one for several places."""
    own = (cls.module, cls.name)
    functions = (site for site in analysis.facts.ops.values() if (site.unit.module, site.unit.name) == own)
    if any(site.op.name == "relu" and not site.owned for site in functions):
        return True
    calls = (site for site in analysis.facts.calls.values() if (site.unit.module, site.unit.name) == own)
    return any(site.classes == {"torch.nn.ReLU"} and (site.again or site.count > 1) for site in calls)


def fuse_lists(analysis: Analysis, cls: ClassRef) -> Lists:
    """What of a class `fuse_modules` can fuse: calls in a row of its own modules, and neighbours in its Sequentials."""
    found: list[tuple[str, ...]] = []
    after = followers(analysis, cls)
    table = analysis.attributes_of(cls).names
    taken: set[str] = set()
    for name in table:
        if name in taken:
            continue
        row = [name]
        while (following := after.get(row[-1])) is not None and len(row) < 3:
            row.append(following)
        classes = [_class(analysis, cls, each) for each in row]
        taken.update(_add(found, row, classes))
        held = child(analysis, cls, name)
        if isinstance(held, Written):
            _add_neighbours(analysis, found, name, held)
    return tuple(found)


def _add_neighbours(analysis: Analysis, found: list[tuple[str, ...]], name: str, held: Written) -> None:
    names = [key for key, _ in held.items]
    classes = [_leaf(child(analysis, held, key)) for key in names]
    start = 0
    while start < len(names):
        used = _add(found, [f"{name}.{key}" for key in names[start : start + 3]], classes[start : start + 3])
        start += len(used) or 1


def _add(found: list[tuple[str, ...]], row: list[str], classes: list[str]) -> list[str]:
    """The longest head of a row that can be fused."""
    for length in (3, 2):
        if len(row) >= length and tuple(classes[:length]) in FUSABLE:
            found.append(tuple(row[:length]))
            return row[:length]
    return []


def _class(analysis: Analysis, cls: ClassRef, name: str) -> str:
    return _leaf(child(analysis, cls, name))


def _leaf(found: object) -> str:
    return found.cls if isinstance(found, Leaf) else ""


def _is_root(analysis: Analysis, cls: ClassRef) -> bool:
    """Whether a class is a whole model: no other module makes it, none inherits from it, and it has layers."""
    if cls in analysis.nested or analysis.project.subclasses(cls):
        return False
    modules = [m for entry in analysis.attributes_of(cls).names.values() for m in modules_of(entry.kind)]
    return any(
        isinstance(m.cls, ClassRef) or (isinstance(m.cls, External) and m.cls.name[9:].startswith(_LAYERS))
        for m in modules
    )


def _note_unstubbed(analysis: Analysis, cls: ClassRef, entry: ClassNode) -> None:
    index, init = analysis.project.index(cls.module), entry.methods.get("__init__")
    if index is None or init is None or _has_stub(analysis, cls):
        return
    start = next((node for node in walk_own(init.body) if _starts_module(node)), None)
    if not isinstance(start, ast.Call):
        return
    forward = entry.methods["forward"]
    required = [arg.arg for arg in forward.args.args[1:]]
    plain = len(required) == 1 and not (forward.args.kwonlyargs or forward.args.vararg or forward.args.kwarg)
    place, unit = place_of(index, start), Unit(cls.module, cls.name, True)
    input_name = required[0] if plain and isinstance(analysis.returned_by(cls), Tensor) else None
    fact = UnstubbedModel(place, unit, f"{cls.name}.forward", cls.name, input_name)
    analysis.facts.eager.unstubbed.setdefault(place, fact)


def _starts_module(node: ast.AST) -> bool:
    """`super().__init__()`."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "__init__"


def _has_stub(analysis: Analysis, cls: ClassRef) -> bool:
    for entry in analysis.attributes_of(cls).names.values():
        for creation in entry.creations.values():
            index = analysis.project.index(creation.place.module)
            for node in ast.walk(index.tree) if index is not None else ():
                if isinstance(node, ast.Call) and node.lineno == creation.place.line:
                    if index is not None and eager_name(analysis.project.expression_name(index, node.func)) in STUBS:
                        return True
    return False
