"""Effects by kind and attribute, so that a query looks only at those that may answer it."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from qprep.analysis.effects.attribute_names import may_be

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from qprep.analysis.effects.effect_kinds import Effect, EffectKind


class EffectIndex:
    """Effects in the order in which they were found, which every answer keeps."""

    def __init__(self, effects: Iterable[Effect]) -> None:
        self.all = tuple(effects)
        self._places = {id(effect): place for place, effect in enumerate(self.all)}
        self._by_kind: dict[EffectKind, list[Effect]] = defaultdict(list)
        self._by_attribute: dict[EffectKind, dict[str, list[Effect]]] = defaultdict(lambda: defaultdict(list))
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
        return self.in_order(self._named(kind, names))

    def _named(self, kind: EffectKind, names: Collection[str]) -> Iterator[Effect]:
        for attribute, effects in self._by_attribute.get(kind, {}).items():
            if any(may_be(attribute, name) for name in names):
                yield from effects

    def in_order(self, effects: Iterable[Effect]) -> list[Effect]:
        """Some effects, each once, in the order in which they were found."""
        return sorted(dict.fromkeys(effects), key=lambda effect: self._places[id(effect)])
