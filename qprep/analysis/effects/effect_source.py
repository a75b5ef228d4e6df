"""All effects of the given files, and the objects that each may reach."""

from __future__ import annotations

from functools import cached_property

from qprep.analysis.effects.abstract_objects import MANY_OBJECTS, Below, Instance, References
from qprep.analysis.effects.class_facts import ClassFacts
from qprep.analysis.effects.effect_index import EffectIndex
from qprep.analysis.effects.effect_kinds import Effect
from qprep.analysis.effects.held_modules import HeldModules
from qprep.analysis.effects.mutations import effects_of
from qprep.analysis.effects.outside_effects import OutsideEffects
from qprep.analysis.effects.points_to import PointsTo
from qprep.analysis.effects.written_texts import words_in
from qprep.analysis.interpreter.protocol import Analysis
from qprep.analysis.values.abstract_values import ClassRef, Number, Plain, Tensor, Word, options

MAX_GENERIC = 16
"""Classes that one statement may work on before it counts as code for any model, which is not followed."""
_VALUES = (Number, Plain, Tensor, Word)  # kinds of values that hold no module


class EffectSource:
    """All effects of a project, with the analyses that they follow from."""

    def __init__(self, analysis: Analysis) -> None:
        self.analysis = analysis
        self.project = analysis.project
        self.points_to = PointsTo(analysis.project, analysis.project.given, self.may_hold, self._has_own)
        self.facts = ClassFacts(analysis)
        self.held_modules = HeldModules(analysis, self.points_to)
        self._reached: dict[Effect, References] = {}

    def may_hold(self, cls: ClassRef, attribute: str) -> bool:
        """True if an attribute may hold a module, function or class, or something that holds one."""
        entry = self.analysis.attributes_of(cls).names.get(attribute)
        return entry is None or not all(isinstance(kind, _VALUES) for kind in options(entry.kind))

    def _has_own(self, cls: ClassRef, attribute: str) -> bool:
        """True if the code of a class, or of its bases, gives its instances an attribute."""
        return attribute in self.analysis.attributes_of(cls).names

    @cached_property
    def index(self) -> EffectIndex:
        """All effects, by kind and by the attribute that they set."""
        outside = OutsideEffects(self.points_to)
        modules = self.project.given
        return EffectIndex(effect for module in modules for effect in effects_of(self.points_to, module, outside))

    @cached_property
    def written_words(self) -> frozenset[str]:
        """The words of all texts in the given files but docstrings, and the names of their classes."""
        files = (file for module in self.project.given if (file := self.points_to.file(module)) is not None)
        return frozenset(word for file in files for word in words_in(file))

    def targets_of(self, effect: Effect) -> References:
        """The objects that an effect may reach; over-approximates for generic code, which works on many classes."""
        if effect not in self._reached:
            owners = [t.base.owner if isinstance(t.base, Below) else t.base for t in effect.targets]
            classes = {owner.cls for owner in owners if isinstance(owner, Instance)}
            self._reached[effect] = MANY_OBJECTS if len(classes) > MAX_GENERIC else effect.targets
        return self._reached[effect]
