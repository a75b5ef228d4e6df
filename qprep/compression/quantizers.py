"""qprep's quantizers as a schedule names them, and Distiller's names and arguments for them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from qprep.compression.errors import CompressionError
from qprep.compression.names import plain
from qprep.foundation.suggestions import did_you_mean
from qprep.quantizer import (
    DorefaQuantizer,
    LinearQATQuantizer,
    LSQQuantizer,
    PACTQuantizer,
    PostTrainingQuantizer,
    Quantizer,
    TQTQuantizer,
    WRPNQuantizer,
)
from qprep.quantizer.config.config_settings import NAMES

CLASSES: Final = MappingProxyType[str, type[Quantizer]](
    {
        each.__name__: each
        for each in (
            *(LSQQuantizer, TQTQuantizer, PACTQuantizer, DorefaQuantizer, WRPNQuantizer, LinearQATQuantizer),
            PostTrainingQuantizer,
        )
    }
)
ALIASES: Final = MappingProxyType(
    {
        "QuantAwareTrainRangeLinearQuantizer": "LinearQATQuantizer",
        "PostTrainLinearQuantizer": "PostTrainingQuantizer",
    }
)
_FLOAT_BITS: Final = 32
_MODES: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "SYMMETRIC": {"scheme": "symmetric"},
        "SYMMETRIC_RESTRICTED": {"scheme": "restricted"},
        "ASYMMETRIC_UNSIGNED": {"scheme": "asymmetric", "signed": False},
        "ASYMMETRIC_SIGNED": {"scheme": "asymmetric", "signed": True},
    }
)
_CLIPS: Final = MappingProxyType({"NONE": "min-max", "AVG": "average", "MSE": "mse"})
_RENAMED: Final = MappingProxyType(
    {
        "bits_parameters": "bits_weights",
        "bits_accum": "bits_accumulator",
        "num_bits_inputs": "bits_inputs",
        "wts": "bits_weights",
        "acts": "bits_activations",
        "bias": "bits_bias",
    }
)
OWN: Final = frozenset(("allow_unprepared", "act_clip_init_val"))
_UNMATCHED: Final = frozenset(
    (
        *(
            "model_activation_stats",
            "fp16",
            "clip_n_stds",
            "no_clip_layers",
            "clip_half_range",
            "scale_approx_mult_bits",
        ),
        *("inputs_quant_auto_fallback", "save_fp_weights", "also_clip_weights"),
    )
)


def known_class(name: str) -> type[Quantizer]:
    """The quantizer that a file calls `name`; CompressionError names the nearest."""
    found = CLASSES.get(ALIASES.get(name, name))
    if found is None:
        hint = did_you_mean(name, [*CLASSES, *ALIASES])
        raise CompressionError(f"expected the class of a quantizer, found {name!r}{hint}")
    return found


def arguments(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of qprep's constructor for those of a file; CompressionError for what has no counterpart."""
    found: dict[str, Any] = {}
    for key, value in given.items():
        found |= _argument(name, key, value)
    cls = known_class(name)
    options = {*NAMES, "overrides", "bits_overrides", "train_with_fp_copy", *OWN}
    for kind in cls.__mro__:
        if "__init__" in vars(kind):
            options |= set(inspect.signature(vars(kind)["__init__"]).parameters)
    options -= {"self", "model", "optimizer", "defaults", "args", "kwargs", "teacher"}
    for key in found:
        if key in _UNMATCHED - options:
            raise CompressionError(
                f"{key} of Distiller's {name} has no counterpart in qprep's {known_class(name).__name__}: leave it out"
            )
        if key not in options:
            raise CompressionError(f"unknown argument {key!r} of {name}{did_you_mean(key, options)}")
    return found


def ignored(given: Mapping[str, Any]) -> list[str]:
    """The arguments that qprep's quantizers have no counterpart of and that change little."""
    return [key for key in given if _OWN.get(key) is _nothing]


def _argument(name: str, key: str, value: Any) -> dict[str, Any]:  # noqa: ANN401  (of the file)
    own = _OWN.get(key)
    if own is not None:
        return own(value)
    if key == "bits_overrides":  # the quantizers read Distiller's first form of it
        return {key: {_path(pattern): _bits(each) for pattern, each in _mapping(key, value).items()}}
    renamed = _RENAMED.get(key, key)
    if renamed.startswith("bits_"):
        return {renamed: None if value == _FLOAT_BITS else value}
    if key == "overrides":
        return {
            "overrides": {
                _path(pattern): _override(name, pattern, each) for pattern, each in _mapping(key, value).items()
            }
        }
    return {key: value}


def _override(name: str, pattern: str, values: Any) -> dict[str, Any]:  # noqa: ANN401
    found: dict[str, Any] = {}
    for key, value in _mapping(pattern, values).items():
        found |= _argument(name, key, value)
    return found


def _bits(given: Any) -> Any:  # noqa: ANN401
    """Bits, or a mapping of them, with None if Distiller says 32."""
    if isinstance(given, Mapping):
        return {key: _bits(value) for key, value in given.items()}
    return None if given == _FLOAT_BITS else given


def _mapping(name: str, given: Any) -> Mapping[str, Any]:  # noqa: ANN401
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise CompressionError(f"expected a mapping of {name}, found {given!r}")
    return given


def _path(pattern: str) -> str:
    return plain(pattern) if "module" in pattern.split(".") else pattern


def _mode(value: Any) -> dict[str, Any]:  # noqa: ANN401
    if isinstance(value, Mapping):
        acts, weights = value.get("activations", "ASYMMETRIC_UNSIGNED"), value.get("weights", "SYMMETRIC")
    else:
        acts = weights = value
    for each in (acts, weights):
        if each not in _MODES:
            raise CompressionError(f"expected mode among {', '.join(_MODES)}, found {each!r}")
    found: dict[str, Any] = {"scheme_activations": _MODES[acts]["scheme"], "scheme_weights": _MODES[weights]["scheme"]}
    if "signed" in _MODES[acts]:
        found["signed_activations"] = _MODES[acts]["signed"]
    return found


def _clips(value: Any) -> dict[str, Any]:  # noqa: ANN401
    chosen = value.get("activations", "NONE") if isinstance(value, Mapping) else value
    if chosen not in _CLIPS:
        raise CompressionError(f"expected clip_acts among {', '.join(_CLIPS)}, found {chosen!r}")
    return {"estimator_activations": _CLIPS[chosen]}


def _switch(name: str, *, on: Mapping[str, Any], off: Mapping[str, Any]) -> Callable[[Any], dict[str, Any]]:
    """Reads true or false; CompressionError for anything else, which Python would take for true."""

    def read(value: Any) -> dict[str, Any]:  # noqa: ANN401
        if not isinstance(value, bool):
            raise CompressionError(f"expected {name} to be true or false, found {value!r}")
        return dict(on if value else off)

    return read


def _nothing(_: Any) -> dict[str, Any]:  # noqa: ANN401
    return {}


_OWN: Final[Mapping[str, Callable[[Any], dict[str, Any]]]] = MappingProxyType(
    {
        "mode": _mode,
        "clip_acts": _clips,
        "per_channel_wts": _switch(
            "per_channel_wts", on={"granularity_weights": "per-channel"}, off={"granularity_weights": "per-tensor"}
        ),
        "ema_decay": _nothing,
        "quantize_inputs": _switch("quantize_inputs", on={}, off={"bits_inputs": None}),
        "act_clip_decay": lambda value: {"alpha_decay": value},
        "quantize_bias": _switch("quantize_bias", on={}, off={"bits_bias": None}),
    }
)
TRANSLATED: Final = tuple(_OWN)  # arguments of Distiller's with another name or value here
