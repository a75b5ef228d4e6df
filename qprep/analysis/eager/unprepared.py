"""Models that are to be quantized eagerly and have neither stubs nor fuse lists yet."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.eager.add_relu import find_sums
from qprep.analysis.eager.eager_facts import UnfusedModel, UnstubbedModel
from qprep.analysis.eager.fuse_targets import Leaf, Written, child
from qprep.analysis.eager.fusion import find_fuse_calls, place_of, walk_own
from qprep.analysis.eager.single_consumer import followers
from qprep.analysis.eager.views import find_views
from qprep.analysis.eager.wrapped_models import wrapped_models
from qprep.analysis.places import Unit
from qprep.analysis.symbols.ast_utils import returned_values
from qprep.analysis.values.abstract_values import (
    UNKNOWN,
    ClassRef,
    External,
    Module,
    Sequence,
    Tensor,
    modules_of,
    options,
)
from qprep.foundation.catalogue.torch_ao import FUSABLE, STUBS, eager_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qprep.analysis.interpreter.protocol import Analysis
    from qprep.analysis.symbols.symbol_table import ClassNode
    from qprep.analysis.values.abstract_values import Kind

Lists = tuple[tuple[str, ...], ...]
_LAYERS = ("Conv", "Linear")


def find_unprepared(analysis: Analysis, names: Iterable[str]) -> None:
    """Note the models of files whose target is torch's eager quantization: what they lack for it."""
    listed = list(names)
    if not listed:
        return
    find_sums(analysis, listed)
    find_views(analysis, listed)
    fuses = bool(find_fuse_calls(analysis, listed))
    classes = [
        ClassRef(name, cls)
        for name in listed
        if (index := analysis.project.index(name)) is not None
        for cls in index.classes
        if analysis.is_module(ClassRef(name, cls))
    ]
    handed = wrapped_models(analysis, listed, classes)
    lists = {} if fuses else {cls: found for cls in classes if (found := fuse_lists(analysis, cls))}
    for cls in classes:
        entry = analysis.project.class_node(cls)
        if entry is None or "forward" not in entry.methods:
            continue
        if _is_root(analysis, cls):
            if handed is not None and cls not in handed:
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
    """True if a ReLU of the class is still a function, or one for several places."""
    own = (cls.module, cls.name)
    functions = (site for site in analysis.facts.ops.values() if (site.unit.module, site.unit.name) == own)
    if any(site.op.name == "relu" and not site.owned for site in functions):
        return True
    calls = (site for site in analysis.facts.calls.values() if (site.unit.module, site.unit.name) == own)
    return any(site.classes == {"torch.nn.ReLU"} and (site.again or site.count > 1) for site in calls)


def fuse_lists(analysis: Analysis, cls: ClassRef) -> Lists:
    """Runs of modules that `fuse_modules` can fuse: consecutive calls in forward, and neighbours in Sequentials."""
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
    """True if a class is a whole model: no other module makes it, none inherits from it, and it has layers."""
    if cls in analysis.nested or analysis.project.subclasses(cls):
        return False
    modules = [m for entry in analysis.attributes_of(cls).names.values() for m in modules_of(entry.kind)]
    return any(map(_has_layers, modules))


def _has_layers(kind: Kind) -> bool:
    """True if a module is, or holds, a layer that eager quantization replaces, or a class that may hold one."""
    for option in options(kind):
        if isinstance(option, Module):
            if isinstance(option.cls, ClassRef):
                return True
            if isinstance(option.cls, External) and option.cls.name.removeprefix("torch.nn.").startswith(_LAYERS):
                return True
            if option.item is not None and _has_layers(option.item):
                return True
        elif isinstance(option, Sequence) and any(map(_has_layers, (option.item, *(option.items or ())))):
            return True
    return False


def _note_unstubbed(analysis: Analysis, cls: ClassRef, entry: ClassNode) -> None:
    index, init = analysis.project.index(cls.module), entry.methods.get("__init__")
    if index is None or init is None or _has_stub(analysis, cls):
        return
    start = next((node for node in walk_own(init.body) if _starts_module(node)), None)
    if not isinstance(start, ast.Call):
        return
    place, unit = place_of(index, start), Unit(cls.module, cls.name, True)
    input_name = _input(entry.methods["forward"]) if _gives_tensors(analysis, cls, entry.methods["forward"]) else None
    fact = UnstubbedModel(place, unit, f"{cls.name}.forward", cls.name, input_name)
    analysis.facts.eager.unstubbed.setdefault(place, fact)


def _input(forward: ast.FunctionDef) -> str | None:
    """The one tensor that a forward takes: `x`, or `xs[0]` of any number where no other one is used."""
    args = forward.args
    named = [*args.posonlyargs, *args.args][1:]
    required = [arg.arg for arg in named[: len(named) - len(args.defaults)]]
    if any(default is None for default in args.kw_defaults):
        return None
    if args.vararg is None:
        return required[0] if len(required) == 1 else None
    name = args.vararg.arg
    reads = [node for node in ast.walk(forward) if isinstance(node, ast.Name) and node.id == name]
    firsts = [node.value for node in ast.walk(forward) if isinstance(node, ast.Subscript) and _is_first(node)]
    return f"{name}[0]" if not named and reads and all(node in firsts for node in reads) else None


def _is_first(node: ast.Subscript) -> bool:
    return isinstance(node.slice, ast.Constant) and node.slice.value == 0


def _gives_tensors(analysis: Analysis, cls: ClassRef, forward: ast.FunctionDef) -> bool:
    """True if a forward gives one tensor, or a tuple or list of tensors that is written out at each return."""
    given = analysis.returned_by(cls)
    if isinstance(given, Tensor):
        return not given.is_open
    if not isinstance(given, Sequence) or not all(isinstance(item, Tensor) for item in given.items or (UNKNOWN,)):
        return False
    values = returned_values(forward)
    displays = [value for value in values if isinstance(value, ast.Tuple | ast.List)]
    return len(displays) == len(values) and not any(isinstance(p, ast.Starred) for d in displays for p in d.elts)


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
