"""Settings of each module: defaults and overrides by ordered regular expressions on module names."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from torch import nn

from qprep.foundation.errors import QprepError
from qprep.foundation.suggestions import did_you_mean
from qprep.quantizer.formats.spec import FLOATS, Granularity, Scheme, Spec
from qprep.quantizer.ranges.estimators import check_name, spelled

Bits = int | str | None


@dataclass(frozen=True, slots=True)
class LayerSettings:
    """The formats of one module. Bits are 1 to 16, None (unchanged), "float16" or "bfloat16".

    With reduced_range, activations have half as many levels as their bits allow, so that kernels which add pairs of
    products in 16 bits do not overflow.

    With bits_accumulator, a layer with weights counts as two operations: its sums of products, which get this format,
    and the addition of its bias (bits_bias), whose result is the output of the layer (bits_activations).
    """

    bits_activations: Bits = None
    bits_weights: Bits = None
    bits_bias: Bits = None
    bits_inputs: Bits = None
    bits_accumulator: Bits = None
    scheme_activations: Scheme = Scheme.ASYMMETRIC
    scheme_weights: Scheme = Scheme.RESTRICTED
    scheme_accumulator: Scheme = Scheme.SYMMETRIC
    signed_activations: bool = False
    reduced_range: bool = False
    granularity_weights: Granularity = Granularity.CHANNEL
    group_size: int = 0
    estimator_activations: str = "min-max"
    estimator_weights: str = "min-max"

    @property
    def asks(self) -> bool:
        """True if any format is set."""
        return any(getattr(self, name) is not None for name in NAMES if name.startswith("bits_"))

    @property
    def activations(self) -> Spec | None:
        """The format of outputs; None leaves them unchanged."""
        return self._activation(self.bits_activations, self.scheme_activations)

    @property
    def inputs(self) -> Spec | None:
        """The format of inputs; None leaves them unchanged."""
        return self._activation(self.bits_inputs, self.scheme_activations)

    @property
    def accumulator(self) -> Spec | None:
        """The format of a layer's sums of products before the bias is added; None for exact sums."""
        return self._activation(self.bits_accumulator, self.scheme_accumulator)

    def to_data(self) -> dict[str, Any]:
        """Plain values by name, as overrides have them."""
        found = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value.value if isinstance(value, enum.Enum) else value for name, value in found.items()}

    def _activation(self, bits: Bits, scheme: Scheme) -> Spec | None:
        if not isinstance(bits, int):
            return _float_spec(bits)
        bits -= int(self.reduced_range and bits > 1)
        return Spec(bits, scheme, signed=self.signed_activations, estimator=self.estimator_activations)

    def weights(self, axis: int, dims: int) -> Spec | None:
        """The format of a parameter of `dims` dimensions whose channels are along `axis`; vectors have one scale."""
        if not isinstance(self.bits_weights, int):
            return _float_spec(self.bits_weights)
        granularity = self.granularity_weights if dims > 1 else Granularity.TENSOR
        scheme = Scheme.SYMMETRIC if self.bits_weights == 1 else self.scheme_weights
        group = self.group_size if granularity is Granularity.GROUP else 0
        return Spec(self.bits_weights, scheme, granularity, True, axis, group, self.estimator_weights)

    @property
    def bias(self) -> Spec | None:
        """The format of biases; None leaves them unchanged."""
        if not isinstance(self.bits_bias, int):
            return _float_spec(self.bits_bias)
        return Spec(self.bits_bias, Scheme.SYMMETRIC)


NAMES: Final = tuple(each.name for each in fields(LayerSettings))
_KINDS: Final = {each.name: type(each.default) for each in fields(LayerSettings) if type(each.default) in (bool, int)}
_SHOWN: Final = 6
_ENUMS: Final[Mapping[str, type[Scheme | Granularity]]] = {
    "scheme_activations": Scheme,
    "scheme_weights": Scheme,
    "scheme_accumulator": Scheme,
    "granularity_weights": Granularity,
}


def _float_spec(bits: Bits) -> Spec | None:
    return Spec(None, dtype=bits) if isinstance(bits, str) and bits != "float32" else None


def with_values(base: LayerSettings, values: Mapping[str, Any], where: str) -> LayerSettings:
    """`base` with `values`, each checked; QprepError names `where` and the nearest known setting."""
    if not isinstance(values, Mapping):
        raise QprepError(f"expected a mapping of settings {where}, found {type(values).__name__}")
    for name in values:
        if name not in NAMES:
            raise QprepError(f"unknown setting {name!r} {where}{did_you_mean(str(name), NAMES)}")
    try:
        made = replace(base, **{name: checked(name, value) for name, value in values.items()})
        made.activations, made.weights(0, 2), made.bias, made.inputs, made.accumulator
    except QprepError as error:
        raise QprepError(f"{error} {where}") from error
    return made


def checked(name: str, value: Any) -> Any:  # noqa: ANN401  (a setting of any kind)
    """`value` as the setting `name` holds it; QprepError for one that cannot be meant."""
    if name in _ENUMS:
        known = [each.value for each in _ENUMS[name]]
        plain = spelled(value)
        if plain not in known:
            raise QprepError(
                f"expected {name} among {', '.join(known)}, found {value!r}{did_you_mean(str(value), known)}"
            )
        return _ENUMS[name](plain)
    if name.startswith("estimator_"):
        check_name(value)
        return spelled(value)
    if name.startswith("bits_") and not _is_bits(value):
        raise QprepError(f"expected {name} from 1 to 16, None, or one of {', '.join(FLOATS)}, found {value!r}")
    kind = _KINDS.get(name)
    if kind is not None and type(value) is not kind:
        raise QprepError(f"expected {name} to be {'true or false' if kind is bool else 'an integer'}, found {value!r}")
    return value


def _is_bits(value: object) -> bool:
    if isinstance(value, int) and not isinstance(value, bool):
        return 1 <= value <= 16
    return value is None or value in FLOATS


def names_of(model: nn.Module) -> dict[str, list[str]]:
    """All names of each module and parameter, by each of its names."""
    names: dict[object, list[str]] = {}
    found = (*model.named_modules(remove_duplicate=False), *model.named_parameters(remove_duplicate=False))
    for name, each in found:
        names.setdefault(each, []).append(name)
    return {name: group for group in names.values() for name in group}


@dataclass(frozen=True, slots=True)
class OverrideMatch:
    """An override as it was given, what it sets, the names that it matches, and those for which it is the first."""

    override: str
    values: Mapping[str, Any]
    pattern: re.Pattern[str]
    matched: set[str]
    won: set[str]


class Overrides:
    """Settings per module path: of the patterns that fully match it or a container around it, the first wins."""

    def __init__(
        self,
        defaults: LayerSettings,
        overrides: Mapping[str, Mapping[str, Any]],
        names: Iterable[str],
        aliases: Mapping[str, Sequence[str]] | None = None,
        own: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        """Raises QprepError for a pattern that is wrong, has a capture group, or matches none of `names`.

        aliases  all names of what has several, by each of them
        own      settings that modules bring themselves, by their paths: they count where no override does
        """
        self.defaults = defaults
        self.types: tuple[str, ...] = ()  # where given, only modules of these classes are quantized
        self._known = [name for name in names if name]
        self._own = {
            path: with_values(defaults, values, f"of {path or 'the model'}") for path, values in (own or {}).items()
        }
        self._aliases = aliases or {}
        if not isinstance(overrides, Mapping):
            raise QprepError(f"expected a mapping of overrides, found {type(overrides).__name__}")
        self._patterns = [
            (compiled(pattern), with_values(defaults, values, f"in the override {pattern!r}"))
            for pattern, values in overrides.items()
        ]
        self._given = {pattern: dict(values) for pattern, values in overrides.items()}
        for pattern, _ in self._patterns:
            if not any(pattern.fullmatch(name) for name in self._known):
                raise QprepError(f"the override {pattern.pattern!r} matches no module{_hint(pattern, self._known)}")

    def put_first(self, name: str, values: Mapping[str, Any]) -> None:
        """Ask for `values` at the module or parameter `name`, or at what the expression matches, before all others."""
        pattern = re.escape(name) if name in self._known else name
        found = compiled(pattern)
        if not any(found.fullmatch(each) for each in self._known):
            raise QprepError(f"expected the name of a module or parameter, found {name!r}{_hint(found, self._known)}")
        self._patterns.insert(0, (found, with_values(self.defaults, values, f"in the override {name!r}")))
        self._given = {pattern: dict(values), **{key: each for key, each in self._given.items() if key != pattern}}

    def __call__(self, path: str) -> LayerSettings:
        """The settings of the module at `path`."""
        found = self._match(path)
        return self.defaults if found is None else found

    def reach(self) -> list[OverrideMatch]:
        """The names that each override matches and those that it sets, in their order."""
        labels = {re.escape(name) if name in self._known else name: name for name in self._given}
        found = []
        for pattern, _ in self._patterns:
            label = labels.get(pattern.pattern, pattern.pattern)
            found.append(OverrideMatch(label, self._given.get(label, {}), pattern, set(), set()))
        for name in self._known:
            names = [each for other in self._aliases.get(name, (name,)) for each in _with_containers(other)]
            matching = [each for each in found if any(map(each.pattern.fullmatch, names))]
            for each in matching:
                each.matched.add(name)
            for each in matching[:1]:
                each.won.add(name)
        return found

    def changed(self, names: Iterable[str], given: Iterable[str]) -> list[str]:
        """The settings among `names` that the defaults (those `given`) or an override change from `LayerSettings()`."""
        plain, asked = LayerSettings(), set(given)
        found = {name for name in names if name in asked and getattr(self.defaults, name) != getattr(plain, name)}
        for each in self.reach():
            found |= {name for name, value in each.values.items() if checked(name, value) != getattr(plain, name)}
        return [name for name in names if name in found]

    def bars(self, path: str) -> bool:
        """True if an override leaves the module at `path` as it is, where the defaults ask for something."""
        found = self._match(path)
        return found is not None and not found.asks and self.defaults.asks

    def _match(self, path: str) -> LayerSettings | None:
        names = [each for name in self._aliases.get(path, (path,)) for each in _with_containers(name)]
        matching = (settings for pattern, settings in self._patterns if any(map(pattern.fullmatch, names)))
        own = (self._own[name] for name in names if name in self._own)
        return next(matching, next(own, None))

    def conflicts(self, path: str) -> list[str]:
        """The other names of what is at `path` whose overrides ask for other settings than those that count."""
        counts = self(path)
        return [name for name in self._aliases.get(path, ()) if self._named(name, counts) != counts]

    def _named(self, name: str, otherwise: LayerSettings) -> LayerSettings:
        """The settings of the overrides for one name alone; `otherwise` if none matches."""
        names = _with_containers(name)
        matching = (settings for pattern, settings in self._patterns if any(map(pattern.fullmatch, names)))
        return next(matching, otherwise)

    @classmethod
    def from_data(
        cls,
        data: Mapping[str, Any],
        names: Mapping[str, Sequence[str]],
        own: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Overrides:
        """Read the result of `to_data`, for a model with these names (all of them, by each) and settings of its own."""
        base = with_values(LayerSettings(), data["settings"], "in the file")
        made = cls(base, data["overrides"], names, names, own)
        made.types = tuple(data.get("types", ()))
        return made

    def to_data(self) -> dict[str, Any]:
        """`settings` and `overrides` as plain values that the constructor of a quantizer takes again."""
        return {
            "settings": self.defaults.to_data(),
            "overrides": self._given,
            "types": list(self.types),
        }


def _with_containers(path: str) -> list[str]:
    names = [path]
    while "." in names[-1]:
        names.append(names[-1].rpartition(".")[0])
    return names


def compiled(pattern: str) -> re.Pattern[str]:
    """The expression of an override; QprepError if it is not a regular expression, or has a capture group."""
    try:
        found = re.compile(pattern)
    except (re.error, TypeError) as error:
        meant = _as_expression(pattern) if isinstance(pattern, str) else pattern
        hint = f"; did you mean {meant!r}?" if meant != pattern else ""
        raise QprepError(f"expected a regular expression as an override, found {pattern!r}: {error}{hint}") from error
    if found.groups:
        raise QprepError(f"expected no capture group in the override {pattern!r}; write (?:…) instead of (…)")
    return found


def _as_expression(pattern: str) -> str:
    """The pattern of file names as a regular expression."""
    return re.sub(r"(?<![.\])])\*", ".*", pattern)


def _hint(pattern: re.Pattern[str], known: Sequence[str]) -> str:
    """The likely meaning: the pattern of file names as an expression, or the nearest name."""
    plain = _as_expression(pattern.pattern)
    if plain != pattern.pattern and any(re.fullmatch(plain, name) for name in known):
        return f"; did you mean {plain!r}? Overrides are regular expressions"
    return did_you_mean(pattern.pattern, known) or _sample(known)


def _sample(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return f" among {shown}{', …' if len(names) > _SHOWN else ''}" if names else ""
