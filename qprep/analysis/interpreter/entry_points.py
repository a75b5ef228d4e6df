"""Summary of one call of a module: the operations that it owns, and those of its modules that run twice."""

from __future__ import annotations

import ast
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from qprep.analysis.facts import MANY, ModuleCall, Unknown
from qprep.analysis.interpreter import attributes
from qprep.analysis.interpreter.conditions import exclude_each_other
from qprep.analysis.interpreter.environment import Counts
from qprep.analysis.interpreter.losses import is_loss
from qprep.analysis.places import Place, Unit
from qprep.analysis.symbols.definition_names import DefinitionName, plain_name
from qprep.analysis.symbols.forward_methods import quantizes_itself
from qprep.analysis.values import path_overlap
from qprep.analysis.values.abstract_values import FunctionRef, Module, join_all, options
from qprep.analysis.values.access_paths import SELF, AccessPath
from qprep.analysis.values.path_events import (
    CHILDREN,
    TOTAL,
    Event,
    FunctionCalled,
    MethodEntered,
    ModuleRan,
    ModuleRanAt,
    OperationRan,
    PathRan,
    SelfCalled,
)
from qprep.foundation.catalogue.torch_ao import eager_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qprep.analysis.facts import Facts
    from qprep.analysis.interpreter.arguments import Arguments
    from qprep.analysis.interpreter.environment import CallSummary, Frame
    from qprep.analysis.interpreter.protocol import Analysis
    from qprep.analysis.values.abstract_values import ClassRef, Kind
    from qprep.analysis.values.allocation_sites import Origin

# Modules of which one instance may serve every call: nothing to observe, or an instance per call inside.
_NOT_CALLED_ON_SELF = frozenset(
    ("builtins.staticmethod", "builtins.classmethod", "builtins.property", "functools.cached_property", "?")
)
SEPARATE = frozenset(("torch.nn.Identity", "qprep.runtime_modules.PerCall"))


def beside_forward(analysis: Analysis, cls: ClassRef) -> Iterator[FunctionRef]:
    """The public methods of a class that no forward runs, and that take something."""
    entry = analysis.project.class_node(cls)
    for name, node in entry.methods.items() if entry is not None else ():
        own = f"{cls.name}.{name}"
        if name.startswith("_") or plain_name(name) != name or name == "forward" or (cls.module, own) in analysis.ran:
            continue
        takes = len([*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]) > 1
        if takes and _NOT_CALLED_ON_SELF.isdisjoint(analysis.decorators(cls.module, node)):
            yield FunctionRef(cls.module, own, Module(cls, SELF))


def has_optional(analysis: Analysis, cls: ClassRef) -> bool:
    """True if the forward of a class takes something that may be left out: no caller need show what is done with it."""
    entry = analysis.project.class_node(cls)
    node = entry.methods.get("forward") if entry is not None else None
    defaults = (*node.args.defaults, *node.args.kw_defaults) if node is not None else ()
    return any(isinstance(default, ast.Constant) and default.value is None for default in defaults)


def is_entry(summary: CallSummary) -> bool:
    """True if a method runs operations as well as modules of its object: other methods may read settings or weights."""
    return bool(summary.operation_places) and any(isinstance(event, ModuleRan | SelfCalled) for event in summary.counts)


def sizes(facts: Facts) -> tuple[int, ...]:
    """The sizes of the tables of facts, to go back to."""
    return tuple(len(table) for table in _taken_back(facts))


def take_back(facts: Facts, before: tuple[int, ...], *, is_known: bool) -> None:
    """Forget what a method added that is not an entry; its operations, where it has some, count as unknown."""
    unknown = dict(facts.unknown) if is_known else {}
    added = [site for place, site in facts.ops.items()][before[1] :]
    forget(facts, before)
    facts.unknown.update(unknown)
    for site in added:
        facts.unknown.setdefault(site.place, Unknown(site.place, site.op.name))


def forget(facts: Facts, before: tuple[int, ...]) -> None:
    """Forget what was added since the tables of facts had these sizes."""
    for table, size in zip(_taken_back(facts), before, strict=True):
        while len(table) > size:
            table.popitem()


def _taken_back(facts: Facts) -> tuple[dict[Any, Any], ...]:
    return (facts.unknown, facts.ops, facts.helpers, facts.calls, facts.held, facts.callers)


def around_forward(
    analysis: Analysis, frame: Frame, cls: ClassRef, bound: Module, arguments: Arguments | None, returned: Kind
) -> Kind:
    """The result of calling an instance whose forward returns `returned`: its class may define `__call__`."""
    if not analysis.defines_method(cls, "__call__"):
        return returned
    methods = [
        option
        for option in options(attributes.class_attribute(analysis, cls, bound, "__call__"))
        if isinstance(option, FunctionRef)
    ]
    return join_all([analysis.run_root(frame, cls, method, arguments) for method in methods]) if methods else returned


def note_module_call(
    analysis: Analysis,
    frame: Frame,
    node: ast.Call | ast.Attribute,
    identity: Origin,
    path: AccessPath,
    loops: frozenset[int],
    classes: set[str],
) -> ModuleCall | None:
    """A module reached through self is called here; remember whether it ran before on this path."""
    if all(name in SEPARATE or is_loss(name) or eager_name(name) == "DeQuantStub" for name in classes):
        return None
    place = frame.place(node)
    event = ModuleRan(identity, loops)
    settled = ModuleRan(identity.generalized(), frozenset()) if loops else event
    runs = PathRan(identity if isinstance(identity, AccessPath) else path, frozenset(classes))
    again = _happened(frame, event) or _happened(frame, settled) or path_overlap.runs_again(analysis, frame, runs)
    site = analysis.facts.calls.setdefault(place, ModuleCall(place, frame.unit, frame.function, path))
    site.classes |= classes
    site.again = site.again or again
    site.has_state = site.has_state or analysis.may_have_state(classes)
    add_run(frame, Counts({event: 1}))
    frame.counts.add(ModuleRanAt(identity, place, loops))
    frame.counts.add(runs)
    return site


def _happened(frame: Frame, event: Event) -> bool:
    """True if an event happened before, here or in a caller on the same object."""
    current: Frame | None = frame
    while current is not None:
        if current.counts.get(event) and not _is_excluded(current, event):
            return True
        current = current.caller
    return False


def add_run(frame: Frame, counts: Counts) -> None:
    """All of `counts` happens here; what only excluded branches did before happens once all the same."""
    for event, times in counts.items():
        if not _is_excluded(frame, event):
            frame.counts.add(event, times)
        frame.guards.setdefault(event, []).append(frame.conditions)


def _is_excluded(frame: Frame, event: Event) -> bool:
    """True if an event happened, and in branches alone that exclude the one that runs now."""
    known = frame.guards.get(event, ()) if frame.counts.get(event) else ()
    return bool(known) and all(exclude_each_other(frame.conditions, other) for other in known)


def finish_root(analysis: Analysis, cls: ClassRef, summary: CallSummary, *, is_forward: bool = True) -> None:
    """One class's forward, or another method that is called on an instance, was evaluated: settle what its events mean.

    Only what a forward runs can have a module of its own: no module is called where another method is.
    """
    counts = summary.counts
    if is_forward:
        analysis.runs[cls] = path_overlap.paths(counts)
    is_dedicated = is_forward and (_is_dedicated(analysis, cls, counts) or quantizes_itself(analysis.project, cls))
    settle(analysis, summary, is_dedicated=is_dedicated)


def settle(analysis: Analysis, summary: CallSummary, *, is_dedicated: bool = False) -> None:
    """Settle what the events of a call mean; only a dedicated module owns its operations."""
    for place in () if is_dedicated else summary.operation_places:
        site = analysis.facts.ops.get(place)
        if site is not None and (place.module in analysis.with_losses or not site.is_loss):
            site.owned = False
    _settle_counts(analysis.facts, summary.counts)
    _settle_reuse(analysis.facts, summary.counts)


def _is_dedicated(analysis: Analysis, cls: ClassRef, counts: Counts) -> bool:
    """True if the class is an operation module already: no children, and one operation at most."""
    if counts.get(TOTAL, 0) > 1 or counts.get(CHILDREN) or analysis.attributes_of(cls).holds_modules:
        return False
    return not analysis.is_container(cls)


def _settle_counts(facts: Facts, counts: Counts) -> None:
    for event, times in counts.items():
        if isinstance(event, OperationRan) and event.place in facts.ops:
            op = facts.ops[event.place]
            op.count = max(op.count, times)
        elif isinstance(event, FunctionCalled) and event.place in facts.helpers:
            helper = facts.helpers[event.place]
            helper.count = max(helper.count, times)
        elif isinstance(event, MethodEntered):
            key = (Unit(event.module, DefinitionName.parse(event.function).owner, True), event.function)
            facts.entered[key] = max(facts.entered.get(key, 0), times)


def _settle_reuse(facts: Facts, counts: Counts) -> None:
    """Calls of one instance: a call that itself runs many times, and calls after the first."""
    sites: dict[Origin, list[Place]] = defaultdict(list)
    for event, times in counts.items():
        if isinstance(event, ModuleRanAt) and event.place in facts.calls:
            sites[event.identity].append(event.place)
            call = facts.calls[event.place]
            call.count = max(call.count, times)
    for event, times in counts.items():
        if not isinstance(event, ModuleRan) or times < MANY:
            continue
        places = sites[event.identity]
        if len(places) > 1 and not any(facts.calls[place].again for place in places):
            for place in places[1:]:
                facts.calls[place].again = True
