"""Effects by kind and attribute, so that a query looks only at those that may answer it."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from qprep.analysis.effects.attribute_names import may_be

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from qprep.analysis.effects.effect_kinds import Effect, EffectKind


class EffectIndex:
    """Effects in the order in which they were found, which every answer keeps."""

    def __init__(self, effects: Iterable[Effect]) -> None:
        self.all = tuple(effects)
        self._places = {id(effect): place for place, effect in enumerate(self.all)}
        self._by_kind: dict[EffectKind, list[Effect]] = defaultdict(list)
        self._by_attribute: dict[EffectKind, dict[str, list[Effect]]] = defaultdict(lambda: defaultdict(list))
        self._matched: dict[tuple[EffectKind, str], list[Effect]] = {}
        for effect in self.all:
            self._by_kind[effect.kind].append(effect)
            self._by_attribute[effect.kind][effect.attribute].append(effect)

    def of(self, *kinds: EffectKind) -> Iterable[Effect]:
        """The effects of some kinds."""
        if len(kinds) == 1:
            return self._by_kind.get(kinds[0], ())
        return self.in_order(effect for kind in kinds for effect in self._by_kind.get(kind, ()))

    def named(self, kind: EffectKind, names: Collection[str]) -> Iterable[Effect]:
        """The effects of a kind on an attribute that may be one of some names."""
        return self.in_order(effect for name in names for effect in self._named(kind, name))

    def _named(self, kind: EffectKind, name: str) -> list[Effect]:
        """The effects on an attribute that may be the one of a name; each name is compared with all patterns once."""
        if (kind, name) not in self._matched:
            by_attribute = self._by_attribute.get(kind, {})
            found = [effects for attribute, effects in by_attribute.items() if may_be(attribute, name)]
            self._matched[kind, name] = [effect for effects in found for effect in effects]
        return self._matched[kind, name]

    def in_order(self, effects: Iterable[Effect]) -> list[Effect]:
        """Some effects, each once, in the order in which they were found."""
        return sorted(dict.fromkeys(effects), key=lambda effect: self._places[id(effect)])
