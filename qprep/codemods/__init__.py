"""One rewrite a file, under the stem of its rule: examples before and after, and the rewrite itself."""

from __future__ import annotations

import importlib
import pkgutil
from functools import lru_cache
from typing import TYPE_CHECKING

from qprep.codemods.base import Codemod
from qprep.foundation.findings import Applicability

if TYPE_CHECKING:
    from types import ModuleType


@lru_cache(maxsize=1)
def load_codemods() -> dict[str, Codemod]:
    """All rewrites by the stem of their rule, found by walking this package."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name != "base")
    return {name: as_codemod(importlib.import_module(f"{__name__}.{name}")) for name in names}


def as_codemod(module: ModuleType) -> Codemod:
    """The rewrite that a module holds."""
    applicability = getattr(module, "APPLICABILITY", Applicability.SAFE)
    return Codemod(module.__name__.rpartition(".")[2], getattr(module, "REWRITES", ()), module.rewrite, applicability)
