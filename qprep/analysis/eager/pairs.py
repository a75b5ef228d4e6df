"""Convolutions and their BatchNorm that no fuse list names, in classes that fuse others."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from qprep.analysis.eager.eager_facts import UnfusedPair
from qprep.analysis.eager.fuse_targets import leaf_class
from qprep.analysis.eager.fusion import place_of
from qprep.analysis.eager.single_consumer import chained_calls
from qprep.analysis.places import Unit
from qprep.foundation.catalogue.torch_ao import FOLDABLE

if TYPE_CHECKING:
    from qprep.analysis.eager.fusion import FuseCall
    from qprep.analysis.interpreter.protocol import Analysis


def find_unfused_pairs(analysis: Analysis, calls: list[FuseCall]) -> None:
    """Note pairs of classes that fuse in themselves; a list that is not known, or is spelled wrongly,
    could name any pair.
    """
    if any(call.lists is None for call in calls) or analysis.facts.eager.unknown_names:
        return
    covered = {pair for call in calls for pair in _covered(call)}
    own = {call.cls: call for call in calls if call.cls is not None and not call.prefix and call.holder is not None}
    for cls, call in own.items():
        index = analysis.project.index(cls.module)
        for first, (second, node) in chained_calls(analysis, cls).items() if index is not None else ():
            classes = leaf_class(analysis, cls, first), leaf_class(analysis, cls, second)
            if classes not in FOLDABLE or (first, second) in covered or index is None:
                continue
            place, unit = place_of(index, node), Unit(cls.module, cls.name, True)
            target = (
                place_of(index, call.nested) if call.nested is not None and call.place.module == cls.module else None
            )
            fact = UnfusedPair(place, unit, call.function, (first, second), classes, target)
            analysis.facts.eager.pairs.setdefault(place, fact)


def _covered(call: FuseCall) -> list[tuple[str, str]]:
    """Neighbours in the lists of a call by the last part of their names: `layer.conv` may be anyone's `conv`."""
    last = [[str(node.value).rpartition(".")[2] for node in names] for names in call.lists or ()]
    return [pair for names in last for pair in itertools.pairwise(names)]
