"""quant.yaml: a method, defaults and overrides, checked key by key."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

from torch import nn

from qprep.foundation.errors import QprepError
from qprep.foundation.suggestions import did_you_mean
from qprep.quantizer.config.backend_presets import preset
from qprep.quantizer.config.config_settings import (
    NAMES,
    LayerSettings,
    Overrides,
    checked,
    compiled,
    names_of,
    with_values,
)
from qprep.quantizer.config.yaml_file import Located, read_yaml
from qprep.quantizer.graph.graph_passes import Pass
from qprep.quantizer.methods.method_names import METHODS, OPTIONS
from qprep.quantizer.quantizer_base import Quantizer
from qprep.tracing.model_target import find

SECTIONS: Final = ("method", "options", "defaults", "overrides", "backend", "target", "types", "passes")


@dataclass(frozen=True, slots=True)
class QuantConfig:
    """The content of a quant.yaml.

    method     a name of the command line's --method, None if the file leaves it open
    options    numbers of the method's own, such as AdaRound's iterations
    defaults   settings of all modules
    overrides  settings by regular expressions on module names
    backend    whose kernels' formats are the defaults
    target     whose registered passes are run
    types      qualified names of the classes of modules that alone are quantized
    passes     functions of the graph, "package.module:function" each
    lines      the line of each option, override and pass, by its name or expression
    """

    path: Path = Path("quant.yaml")
    method: str | None = None
    options: Mapping[str, int | float | bool] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    backend: str | None = None
    target: str | None = None
    types: tuple[str, ...] = ()
    passes: tuple[str, ...] = ()
    lines: Mapping[str, int] = field(default_factory=dict)

    @property
    def arguments(self) -> dict[str, Any]:
        """For any quantizer's constructor: `LSQQuantizer(model, optimizer, **config.arguments)`."""
        return {
            **self.options,
            **self.defaults,
            "overrides": {pattern: dict(values) for pattern, values in self.overrides.items()},
            **self._choices(),
        }

    def _choices(self) -> dict[str, Any]:
        """The arguments of the file other than settings; imports passes; QprepError with the line if one is unknown."""
        found: dict[str, Any] = {"backend": self.backend, "target": self.target, "types": list(self.types) or None}
        found = {name: value for name, value in found.items() if value is not None}
        if self.passes:
            found["passes"] = [pass_at(each, f"{self.path}:{self.lines[each]}: passes") for each in self.passes]
        return found

    def quantizer(self, model: nn.Module, method: str | None = None, **settings: Any) -> Quantizer:
        """The quantizer of `model`, by this method or the file's or "ptq", with settings before those of the file.

        Raises QprepError, with file and line, for an override that matches nothing and an option of another method.
        """
        name = method or self.method or "ptq"
        check_method(name, "method")
        self.check_options(name)
        self.check_names(model)
        return METHODS[name](model, **{**self.options, **self.arguments, **settings})

    def check_names(self, model: nn.Module) -> None:
        """QprepError, with file and line, for an override that matches nothing in `model`."""
        names = names_of(model)
        for pattern in self.overrides:
            _attempt(
                self.path, self.lines[pattern], "overrides", partial(Overrides, LayerSettings(), {pattern: {}}, names)
            )

    def check_options(self, method: str) -> None:
        """QprepError, with file and line, for an option that `method` does not have."""
        for name in self.options:
            if name not in OPTIONS[method]:
                known = ", ".join(OPTIONS[method]) or "none"
                raise QprepError(
                    f"{self.path}:{self.lines[name]}: options: {method} has no option {name!r}; known are {known}"
                )


def load_config(path: str | Path) -> QuantConfig:
    """Read a quant.yaml; a QprepError names file, line and key of an error, and the closest known name."""
    path = Path(path)
    given = _mapping(read_yaml(path), path, "", SECTIONS)
    method = given.get("method")
    if method is not None:
        check_method(method.value, f"{path}:{method.line}: method")
    options = _mapping(given.get("options", Located({}, 1)), path, "options", _defaults())
    for name, each in options.items():
        _attempt(path, each.line, f"options.{name}", partial(_check_option, name, each.value))
    defaults = _settings(given.get("defaults", Located({}, 1)), path, "defaults", LayerSettings())
    base = with_values(LayerSettings(), defaults, "in defaults")
    overrides = _mapping(given.get("overrides", Located({}, 1)), path, "overrides")
    for pattern, each in overrides.items():
        _attempt(path, each.line, "overrides", partial(compiled, pattern))
    found = {pattern: _settings(each, path, f"overrides.{pattern}", base) for pattern, each in overrides.items()}
    named = {name: _names(given, path, name) for name in ("backend", "target", "types", "passes")}
    lines = {name: each.line for name, each in (*options.items(), *overrides.items())}
    return QuantConfig(
        path,
        None if method is None else str(method.value),
        {name: each.value for name, each in options.items()},
        defaults,
        found,
        backend=next(iter(named["backend"]), None),
        target=next(iter(named["target"]), None),
        types=tuple(named["types"]),
        passes=tuple(named["passes"]),
        lines={**lines, **named["passes"]},
    )


def _names(given: Mapping[str, Located], path: Path, key: str) -> dict[str, int]:
    """A name, or for `types` and `passes` a list of names, with their lines."""
    found = given.get(key)
    if found is None or found.value is None:
        return {}
    many = key in ("types", "passes") and isinstance(found.value, list)
    entries = found.value if many else [found]
    for each in entries:
        if not isinstance(each.value, str):
            raise QprepError(f"{path}:{each.line}: {key}: expected a name, found {each.value!r}")
    if key == "backend":
        _attempt(path, found.line, key, partial(preset, found.value))
    return {each.value: each.line for each in entries}


def pass_at(name: str, where: str) -> Pass:
    """The function that "package.module:function" names; QprepError, beginning with `where`, if there is none."""
    try:
        found = find(name)
    except Exception as error:  # what an import of the user's raises
        raise QprepError(f"{where}: expected a function of a graph at {name}, found {error}") from error
    if not callable(found):
        raise QprepError(f"{where}: expected a function of a graph at {name}, found {type(found).__name__}")
    return found


def check_method(method: object, where: str) -> None:
    """QprepError, beginning with `where`, for no name of a method."""
    if method not in METHODS:
        known, hint = ", ".join(METHODS), did_you_mean(str(method), METHODS)
        raise QprepError(f"{where}: expected one of {known}, found {method!r}{hint}")


def _check_option(name: str, value: object) -> None:
    kind = type(_defaults()[name])
    fits = type(value) is kind or (kind is float and type(value) is int)
    if not fits or (kind is not bool and not value >= 0):  # type: ignore[operator]
        names = {bool: "true or false", int: "a whole number", float: "a number"}
        raise QprepError(f"expected {names[kind]}, not below 0, found {value!r}")


def _settings(given: Located, path: Path, key: str, base: LayerSettings) -> dict[str, Any]:
    """Settings, each checked by itself so that an error has its line, then together."""
    entries = _mapping(given, path, key, NAMES)
    values = {name: each.plain() for name, each in entries.items()}
    for name, each in entries.items():
        _attempt(path, each.line, f"{key}.{name}", partial(checked, name, values[name]))
    _attempt(path, given.line, key, partial(with_values, base, values, f"in {key}"))
    return values


def _mapping(given: Located, path: Path, key: str, known: Iterable[str] = ()) -> Mapping[str, Located]:
    """The entries of a mapping; an empty one may be left out altogether."""
    if given.value is None:
        return {}
    place = f"{key}: " if key else ""
    if not isinstance(given.value, Mapping):
        raise QprepError(f"{path}:{given.line}: {place}expected a mapping, found {type(given.value).__name__}")
    for name, each in given.value.items():
        if known and name not in known:
            hint = did_you_mean(name, known) or f"; known are {', '.join(known)}"
            raise QprepError(f"{path}:{each.line}: {place}unknown key {name!r}{hint}")
    return given.value


def _attempt(path: Path, line: int, key: str, check: Callable[[], object]) -> None:
    try:
        check()
    except QprepError as error:
        raise QprepError(f"{path}:{line}: {key}: {error}") from error


@cache
def _defaults() -> Mapping[str, int | float | bool]:
    """The options of all methods with their defaults; methods of other packages are found on the first use."""
    return {name: default for options in OPTIONS.values() for name, default in options.items()}
