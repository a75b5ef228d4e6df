"""Passes that an import brings: of every quantizer from then on, or of those for one target."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from qprep.foundation.errors import QprepError
from qprep.foundation.suggestions import did_you_mean
from qprep.quantizer.graph.graph_passes import Pass, Passes, pass_name

GROUP: Final = "qprep.quantizer.passes"  # of entry points: each names a module, or a function, to import
_PLACE: Final = "share-scales"


@dataclass(frozen=True, slots=True)
class RegisteredPass:
    """One pass, and where it runs: behind the pass `after`, or before the pass `before`.

    target  the hardware that it is for, None for every quantizer
    """

    name: str
    function: Pass
    after: str | None
    before: str | None
    target: str | None


_REGISTERED: Final[dict[str, RegisteredPass]] = {}


def register_pass(
    name: str | None = None, *, after: str | None = None, before: str | None = None, target: str | None = None
) -> Callable[[Pass], Pass]:
    """Register the decorated pass `(graph) -> None` for all new quantizers, or for those with this `target`.

    name    by default the function's, with - for _
    after   the pass before it; by default "share-scales", the last one that plans
    before  the pass after it, instead of `after`

    `PostTrainingQuantizer(model, target="tile")` uses the passes of a target. A package that names its module under the
    entry point group `qprep.quantizer.passes` need not be imported. Raises QprepError if both places are given, and for
    a name that another function has.
    """
    if after is not None and before is not None:
        raise QprepError(f"expected a pass after another or before one, found after={after!r} and before={before!r}")

    def remember(function: Pass) -> Pass:
        made = pass_name(function) if name is None else name
        known = _REGISTERED.get(made)
        if known is not None and _same(known.function) != _same(function):
            raise QprepError(f"expected a new name for a pass, found {made!r}, which {known.function!r} has")
        _REGISTERED[made] = RegisteredPass(made, function, after, before, target)
        return function

    return remember


def unregister_pass(name: str) -> None:
    """Forget a pass; QprepError if there is none of this name."""
    if _REGISTERED.pop(name, None) is None:
        raise QprepError(f"expected a registered pass, found {name!r}{did_you_mean(name, _REGISTERED)}")


def add_registered(passes: Passes, target: str | None, given: Iterable[Pass] = ()) -> list[str]:
    """Put the registered passes for `target`, and those `given`, into their places; returns what to note.

    A pass for every quantizer whose place is not in this one's list is left out, with a note. Raises QprepError for a
    target that no pass is for, and for your own passes whose place is not there.
    """
    _load_entry_points()
    targets = sorted({each.target for each in _REGISTERED.values() if each.target is not None})
    if target is not None and target not in targets:
        known = ", ".join(targets) or "none"
        raise QprepError(f"expected a target that passes are registered for ({known}), found {target!r}")
    notes = []
    for each in _REGISTERED.values():
        if each.target not in (None, target):
            continue
        place = each.before or each.after or _PLACE
        if place not in passes.names:
            if each.target is not None:
                raise QprepError(
                    f"expected the pass {place} that {each.name} belongs to, found {', '.join(passes.names)}"
                )
            notes.append(f"the pass {each.name} is left out: there is no pass {place} here")
            continue
        _put(passes, each)
    for function in given:
        registered = next((each for each in _REGISTERED.values() if each.function is function), None)
        if registered is None or registered.name not in passes.names:
            _put(passes, registered or RegisteredPass(pass_name(function), function, None, None, None))
    return notes


def _put(passes: Passes, new: RegisteredPass) -> None:
    if new.before is not None:
        passes.insert_before(new.before, new.name, new.function)
    elif new.after is None and _PLACE not in passes.names:
        passes.insert_before("insert-observers", new.name, new.function)
    else:
        passes.insert_after(new.after or _PLACE, new.name, new.function)


def _same(function: Pass) -> tuple[str, str]:
    return str(getattr(function, "__module__", "")), str(getattr(function, "__qualname__", repr(function)))


@lru_cache(maxsize=1)
def _load_entry_points() -> None:
    for entry in sorted(importlib.metadata.entry_points(group=GROUP), key=lambda each: each.name):
        try:
            entry.load()
        except Exception as error:  # what an import of somebody else's raises
            raise QprepError(f"expected the passes of {entry.name} ({entry.value}), found {error!r}") from error
