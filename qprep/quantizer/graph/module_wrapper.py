"""The base of modules that stand in the place of another one and hold it as `module`."""

from __future__ import annotations

from typing import Any

from torch import nn


class ModuleWrapper(nn.Module):
    """Reads attributes that it lacks from `module`, except for those of Python's own protocols (`__len__` …)."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  (of the module)
        try:
            return super().__getattr__(name)
        except AttributeError:
            modules = self.__dict__.get("_modules", {})
            if "module" not in modules or name.startswith("__"):
                raise
            return getattr(modules["module"], name)
