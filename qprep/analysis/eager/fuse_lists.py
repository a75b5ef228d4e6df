"""Faults of the names in fuse lists."""

from __future__ import annotations

import ast
import difflib
from typing import TYPE_CHECKING

from qprep.analysis.eager.eager_facts import FusedAgain, FusedName, FusedWrongly
from qprep.analysis.eager.fuse_targets import Leaf, Missing, walk_down
from qprep.analysis.eager.fusion import place_of
from qprep.analysis.eager.single_consumer import followers
from qprep.foundation.catalogue.torch_ao import FUSABLE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qprep.analysis.eager.fuse_targets import Found
    from qprep.analysis.eager.fusion import FuseCall, NameList
    from qprep.analysis.interpreter.protocol import Analysis
    from qprep.analysis.symbols.symbol_table import FileIndex


def judge_lists(analysis: Analysis, calls: Iterable[FuseCall]) -> None:
    """Names that the class does not have, classes that do not fuse, and modules that are fused away twice."""
    for call in calls:
        index = analysis.project.index(call.place.module)
        if call.lists is None or call.holder is None or index is None:
            continue
        listed: set[str] = set()
        for names in call.lists:
            found = [walk_down(analysis, call.holder, str(node.value)) for node in names]
            for node, item in zip(names, found, strict=True):
                if isinstance(item, Missing):
                    _note_unknown(analysis, index, call, node, item)
            _note_wrong(analysis, index, call, names, found)
            _note_again(analysis, index, call, names, listed)
            listed.update(str(node.value) for node in names)


def _note_unknown(analysis: Analysis, index: FileIndex, call: FuseCall, node: ast.Constant, missing: Missing) -> None:
    place, name = place_of(index, node), str(node.value)
    close = tuple(_close(name.rpartition(".")[2], missing))
    head = name.rpartition(".")[0]
    close = tuple(f"{head}.{other}" if head else other for other in close)
    fact = FusedName(place, call.unit, call.function, name, missing.owner, close)
    analysis.facts.eager.unknown_names.setdefault(place, fact)


def _close(name: str, missing: Missing) -> list[str]:
    """Names that may be meant: the only ones of the class that `name` spells, then those spelled alike."""
    by_class = [key for key, cls in missing.names if cls.lower() == name.lower()]
    if len(by_class) == 1:
        return by_class
    lower = {key.lower(): key for key, _ in missing.names}
    return [lower[key] for key in difflib.get_close_matches(name.lower(), lower, 3)]


def _note_wrong(analysis: Analysis, index: FileIndex, call: FuseCall, names: NameList, found: list[Found]) -> None:
    """The first member at which no sequence that can be fused goes on."""
    classes = tuple(item.cls for item in found if isinstance(item, Leaf))
    if len(classes) != len(found) or classes in FUSABLE:
        return
    length = next(n for n in range(1, len(classes) + 1) if not _starts_one(classes[:n]) or n == len(classes))
    node = names[length - 1]
    droppable = length == len(classes) and classes[:-1] in FUSABLE
    place = place_of(index, node)
    fact = FusedWrongly(place, call.unit, call.function, str(node.value), classes, droppable)
    analysis.facts.eager.wrong.setdefault(place, fact)


def _starts_one(classes: tuple[str, ...]) -> bool:
    return any(known[: len(classes)] == classes for known in FUSABLE)


def _note_again(analysis: Analysis, index: FileIndex, call: FuseCall, names: NameList, listed: set[str]) -> None:
    for before, node in zip((None, *names), names, strict=False):
        name = str(node.value)
        runs = name not in listed and _runs_again(analysis, call, name)
        if name not in listed and not runs:
            continue
        if runs and (before is None or not _is_activation(analysis, call, name)):
            continue  # a layer with weights that runs twice is another matter
        place = place_of(index, node)
        if place in analysis.facts.eager.unknown_names or place in analysis.facts.eager.wrong:
            continue
        meant = _meant(analysis, call, str(before.value)) if before is not None and not runs else None
        fact = FusedAgain(place, call.unit, call.function, name, runs, meant if meant != name else None)
        analysis.facts.eager.again.setdefault(place, fact)


def _is_activation(analysis: Analysis, call: FuseCall, name: str) -> bool:
    found = walk_down(analysis, call.holder, name) if call.holder is not None else None
    return isinstance(found, Leaf) and found.cls == "ReLU"


def _runs_again(analysis: Analysis, call: FuseCall, name: str) -> bool:
    """True if forward runs a module of the class itself more than once."""
    if call.cls is None or call.prefix:
        return False
    return any(
        str(site.path) == name and (site.again or site.count > 1)
        for site in analysis.facts.calls.values()
        if (site.unit.module, site.unit.name) == (call.cls.module, call.cls.name)
    )


def _meant(analysis: Analysis, call: FuseCall, before: str) -> str | None:
    """The module that forward calls on the output of the one before, unless it is listed elsewhere."""
    if call.cls is None or call.prefix or call.lists is None:
        return None
    after = followers(analysis, call.cls).get(before)
    listed = {str(node.value) for names in call.lists for node in names}
    return after if after is not None and after not in listed else None
