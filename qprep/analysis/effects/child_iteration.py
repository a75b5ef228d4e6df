"""Code that takes the children of another module by position or counts them."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.effects.abstract_objects import Anything, Below, Instance
from qprep.analysis.effects.effect_kinds import EffectKind
from qprep.analysis.effects.emptiness_tests import emptiness_tests
from qprep.analysis.facts import ChildIteration
from qprep.analysis.places import Place, Unit
from qprep.analysis.symbols.module_summary import TELLS_CHILDREN, WALKING, positional, walked_module
from qprep.analysis.values.abstract_values import ClassRef, modules_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qprep.analysis.effects.effect_table import EffectTable
    from qprep.analysis.effects.lexical_scopes import FileScopes
    from qprep.analysis.interpreter.protocol import Analysis

_ADDED = "qprep.runtime_modules.EltwiseAdd"  # a class of which children are added, as good as any other


def find_walks(analysis: Analysis, names: Iterable[str]) -> None:
    """Add every such place of the files to the facts, with the classes of the module where they are known."""
    for name in names:
        text = analysis.project.text(name)
        index = analysis.project.index(name) if text is not None and TELLS_CHILDREN in text else None
        if index is None:
            continue
        owners = {part: ClassRef(name, cls) for cls, entry in index.classes.items() for part in ast.walk(entry.node)}
        tests = set(emptiness_tests(analysis.project, index))
        for node in index.of(*WALKING):
            for call in positional(node):
                if call in tests:
                    continue
                place = Place.of(name, call)
                known = analysis.walked.get((name, call.lineno, call.col_offset))
                walk = analysis.facts.child_iterations.setdefault(
                    place, ChildIteration(place, Unit(name, "", True), _method(call))
                )
                walk.classes |= known or _attribute_classes(analysis, owners.get(call), call)


def add_visits(analysis: Analysis, effects: EffectTable) -> None:
    """Add loops over the children of other modules that a further child would change: `for m in net.children(): …`."""
    for effect in effects.effects:
        if effect.kind is not EffectKind.OBSERVE or effect.listing is None:
            continue
        place = effect.listing
        file = effects.points_to.file(place.module)
        call = file.call_at(place) if file is not None else None
        if file is None or call is None or walked_module(call) is None or _is_own(effects, file, call):
            continue
        # A new child has a new name: what is chosen by a given one does not meet it.
        targets = [t for t in effect.targets if isinstance(t.base, Below) and effects.may_be_new(t, _ADDED)]
        owners = [target.base.owner for target in targets if isinstance(target.base, Below)]
        if not any(effects.admits(target.tests, _ADDED) for target in targets):
            continue
        classes = {owner.cls for owner in owners if isinstance(owner, Instance)}
        if classes or any(isinstance(owner, Anything) for owner in owners):
            walk = analysis.facts.child_iterations.setdefault(
                place, ChildIteration(place, Unit(place.module, "", True), _method(call))
            )
            walk.classes |= classes


def _is_own(effects: EffectTable, file: FileScopes, call: ast.Call) -> bool:
    """True if a method lists the children of its own object: the rewrite of the class takes care of that."""
    module = walked_module(call)
    return isinstance(module, ast.Name) and module.id == effects.points_to.receiver(file.scope_of(call))


def _method(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _attribute_classes(analysis: Analysis, owner: ClassRef | None, call: ast.Call) -> set[ClassRef]:
    """The classes of `self.x` in `self.x.children()`; torch.nn's own count as known."""
    receiver = walked_module(call)
    if owner is None or not (isinstance(receiver, ast.Attribute) and isinstance(receiver.value, ast.Name)):
        return set()
    entry = analysis.attributes_of(owner).names.get(receiver.attr)
    kinds = modules_of(entry.kind) if entry is not None else ()
    if not kinds or any(kind.cls is None for kind in kinds):
        return set()
    return {kind.cls if isinstance(kind.cls, ClassRef) else ClassRef("torch.nn", "") for kind in kinds}
