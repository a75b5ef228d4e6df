"""Effects: every place in the given files that may change a module, or that depends on which modules there are.

An effect says what is done, where, and to which abstract objects. What a class does to attributes of its own `self` by
plain assignment is no effect: it is part of the class, which the rewrite reads as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from qprep.analysis.effects.assignment_effects import assigned_attributes, assigned_variables
from qprep.analysis.effects.call_effects import calls
from qprep.analysis.effects.class_effects import computed_classes, identity_comparisons
from qprep.analysis.effects.effect_kinds import Effect
from qprep.analysis.effects.effect_search import EffectSearch
from qprep.analysis.effects.item_effects import assigned_items
from qprep.analysis.effects.observation_effects import exposed, visits
from qprep.analysis.effects.passed_methods import passed_methods
from qprep.analysis.effects.read_effects import reads

if TYPE_CHECKING:
    from qprep.analysis.effects.outside_effects import OutsideEffects
    from qprep.analysis.effects.points_to import PointsTo


def effects_of(points_to: PointsTo, module: str, outside: OutsideEffects) -> Iterator[Effect]:
    """The effects of the code of one module."""
    file = points_to.file(module)
    if file is None:
        return
    search = EffectSearch(points_to, file)
    yield from assigned_attributes(search)
    yield from assigned_items(search)
    yield from calls(search)
    yield from assigned_variables(search)
    yield from passed_methods(search)
    yield from computed_classes(search)
    yield from identity_comparisons(search)
    yield from visits(search, outside)
    yield from exposed(search)
    yield from reads(search)
