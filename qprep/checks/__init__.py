"""One rule a file: what it is, examples that are its tests and its documentation, and which facts it reports."""

from __future__ import annotations

import importlib
import pkgutil
from functools import lru_cache
from typing import TYPE_CHECKING

from qprep.checks.base import Check

if TYPE_CHECKING:
    from types import ModuleType


@lru_cache(maxsize=1)
def load_checks() -> tuple[Check, ...]:
    """All rules by code: each file of this package is one, except for `base` and names with an underscore."""
    names = [name for _, name, _ in pkgutil.iter_modules(__path__) if name != "base" and not name.startswith("_")]
    return tuple(sorted((as_check(importlib.import_module(f"{__name__}.{name}")) for name in names), key=_code))


def as_check(module: ModuleType) -> Check:
    """The rule that a module holds."""
    return Check(
        module.__name__.rpartition(".")[2],
        module.RULE,
        module.VALID,
        module.INVALID,
        module.check,
        getattr(module, "TARGET", None),
    )


def _code(check: Check) -> str:
    return check.rule.code
