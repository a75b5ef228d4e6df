"""Classes by the names in a schedule file, by section."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from qprep.compression import channel_lasso
from qprep.compression.distillation import Distiller
from qprep.compression.errors import CompressionError
from qprep.compression.lr import lr_classes
from qprep.compression.policies import statistics, thinning
from qprep.compression.policy import Policy
from qprep.compression.pruners import BUILT_IN
from qprep.compression.pruners.pruner import Pruner
from qprep.compression.quantizers import ALIASES, CLASSES, known_class
from qprep.compression.registry import Section, registered
from qprep.compression.regularizers import Regularizer
from qprep.foundation.suggestions import did_you_mean

_INJECTED: Final[Mapping[Section, frozenset[str]]] = {Section.LR_SCHEDULERS: frozenset(("optimizer",))}
# Torch's schedules printed their steps by it until 2.6; files of that time have it.
_OUTDATED: Final[Mapping[Section, frozenset[str]]] = {Section.LR_SCHEDULERS: frozenset(("verbose",))}
_BUILT_IN: Final = (*BUILT_IN, channel_lasso, statistics, thinning)  # imported so that they are registered


def injected(section: Section) -> frozenset[str]:
    """Arguments that a file does not give."""
    return _INJECTED.get(section, frozenset())


def outdated(section: Section) -> frozenset[str]:
    """Arguments that classes no longer take and that change nothing: they are left out with a note."""
    return _OUTDATED.get(section, frozenset())


def known_classes(section: Section) -> dict[str, type]:
    """All classes that a section may name."""
    if section is Section.LR_SCHEDULERS:
        return lr_classes()
    if section is Section.QUANTIZERS:
        return {**CLASSES, **{alias: CLASSES[name] for alias, name in ALIASES.items()}}
    return {name: each for name, each in registered().items() if _section(each) is section}


def class_of(section: Section, name: str) -> type:
    """The class that `name` means in a section; CompressionError for an unknown one and for one of another section."""
    if section is Section.QUANTIZERS and name not in registered():
        return known_class(name)
    known = known_classes(section)
    if name in known:
        return known[name]
    for other in Section:
        if other is not section and name in known_classes(other):
            raise CompressionError(f"expected a class of {section.value}, found {name!r} of {other.value}")
    hint = did_you_mean(name, known) or f"; known are {', '.join(sorted(known))}"
    raise CompressionError(f"expected a class of {section.value}, found {name!r}{hint}")


def _section(cls: type) -> Section | None:
    if issubclass(cls, Pruner):
        return Section.PRUNERS
    if issubclass(cls, Regularizer):
        return Section.REGULARIZERS
    if issubclass(cls, Distiller):
        return Section.DISTILLERS
    return Section.EXTENSIONS if issubclass(cls, Policy) else None
