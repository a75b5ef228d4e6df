"""The factory that `qprep.prepare` builds a model with: a function or class of a module, with its arguments."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from qprep.engine.preparing.source_finder import original_file
from qprep.foundation.errors import QprepError


@dataclass(frozen=True, slots=True)
class Factory:
    """A function or class by its module and qualified name, and the arguments that it is called with."""

    module: str
    path: Path
    name: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def target(self) -> str:
        """The name of the factory in messages."""
        return f"{self.module}:{self.name}"

    def build(self, module: ModuleType) -> Any:  # noqa: ANN401  (whatever it returns)
        """Call the factory of that name in `module`."""
        found: Any = module
        for part in self.name.split("."):
            found = getattr(found, part)
        return found(*self.args, **self.kwargs)


def factory_of(build: Callable[..., object]) -> Factory:
    """The factory behind a callable; `functools.partial` gives it arguments.

    Raises QprepError for one that its module does not offer by name (a lambda, a nested function, a method of an
    object), or whose module cannot be imported a second time.
    """
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}
    while isinstance(build, functools.partial):
        args, kwargs = (*build.args, *args), {**build.keywords, **kwargs}
        build = build.func
    module, name = getattr(build, "__module__", None), getattr(build, "__qualname__", None)
    loaded = sys.modules.get(module) if isinstance(module, str) else None
    if loaded is None or not isinstance(name, str) or _reached(loaded, name) is not build:
        raise QprepError(
            f"expected a function or class that its module offers by name, found {build!r}: pass "
            'functools.partial(function, …) for arguments, or a target "package.module:factory"'
        )
    file = original_file(loaded.__name__)
    if module == "__main__" or file is None or not file.endswith(".py"):
        raise QprepError(
            f"expected a factory in a Python file that can be imported, found `{name}` in {file or module}: "
            "put it into a module"
        )
    return Factory(loaded.__name__, Path(file), name, args, kwargs)


def _reached(module: object, name: str) -> object:
    for part in name.split("."):
        module = getattr(module, part, None)
    return module
