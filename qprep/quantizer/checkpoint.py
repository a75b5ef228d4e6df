"""Quantized models on disk: settings, plan and options as data, and tensors; no pickled classes."""

from __future__ import annotations

import inspect
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import torch

from qprep.foundation.atomic_write import save as written
from qprep.foundation.errors import QprepError
from qprep.quantizer.config.config_settings import NAMES
from qprep.quantizer.formats.spec import Spec
from qprep.quantizer.graph.quantization_plan import passes_of, plan_of
from qprep.quantizer.prepared_model import PreparedModel

_FORMAT: Final = "qprep.quantizer/3"
_PLAIN: Final = (bool, int, float, str)
_GIVEN: Final = ("self", "model", "optimizer", "overrides")  # what `load` is given, or has from settings
_VARIADIC: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Rebuildable(PreparedModel, Protocol):
    """A quantizer that knows what its constructor was given."""

    given: frozenset[str]


def save(quantizer: Rebuildable, path: str | Path) -> None:
    """Write what `load` needs: the method's name, its options, what passes decided, slots and the state_dict."""
    slots = [{"name": each.name, "spec": each.spec.to_data()} for each in quantizer.quantizers]
    stream = io.BytesIO()
    torch.save(
        {
            "format": _FORMAT,
            "method": type(quantizer).__name__,
            **quantizer.settings.to_data(),
            "options": options_of(quantizer),
            "given": sorted(quantizer.given),
            "passes": passes_of(quantizer.passes),
            "plan": plan_of(quantizer.graph),
            "notes": list(quantizer.notes),
            "slots": slots,
            "state": quantizer.graph.model.state_dict(),
        },
        stream,
    )
    written(Path(path), stream.getvalue(), "quantized model")


def given_names(kind: type, args: Sequence[object], keywords: Iterable[str]) -> frozenset[str]:
    """The names that the constructors of `kind` have for what a call gives them.

    Positional arguments that a constructor takes as `*args` are those of the next one that it has.
    """
    names, left = set(keywords), list(args)
    for constructor in _constructors(kind):
        parameters = list(inspect.signature(constructor).parameters.values())[1:]
        positional = [each.name for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD]
        names.update(positional[: len(left)])
        left = left[len(positional) :]
        if not left:
            break
    return frozenset(names)


def _constructors(kind: type) -> Iterator[Callable[..., None]]:
    return (vars(each)["__init__"] for each in kind.__mro__ if "__init__" in vars(each) and each is not object)


def options_of(quantizer: Rebuildable) -> dict[str, Any]:
    """The options that build the quantizer again, without settings: attributes that its constructor names or was given.

    Names that only a base class has count where they were given: a constructor may set them itself.
    """
    own: list[str] = []
    for number, constructor in enumerate(_constructors(type(quantizer))):
        parameters = inspect.signature(constructor).parameters.values()
        names = [each.name for each in parameters if each.kind not in _VARIADIC]
        own += [name for name in names if number == 0 or name in quantizer.given]
    mine = [name for name in dict.fromkeys(own) if name not in _GIVEN and name not in NAMES]
    found = {name: getattr(quantizer, name) for name in mine if hasattr(quantizer, name)}
    return {name: value for name, value in found.items() if value is not None and isinstance(value, _PLAIN)}


def accepted(kind: type, data: dict[str, Any]) -> dict[str, Any]:
    """The arguments in a file for the constructor of `kind`: its options, and settings that it names or was given."""
    first = next(_constructors(kind))
    named = set(inspect.signature(first).parameters) | set(data["given"])
    return {**{name: value for name, value in data["settings"].items() if name in named}, **data["options"]}


def read(path: str | Path, method: str) -> dict[str, Any]:
    """The contents of a file that `save` wrote for `method`; QprepError for any other."""
    try:
        data = torch.load(path, weights_only=True, map_location="cpu")  # where it is loaded there may be no GPU
    except Exception as error:  # torch raises what its reader happens on
        raise QprepError(f"expected a file that a quantizer saved, found {path}: {error}") from error
    if not isinstance(data, dict) or data.get("format") != _FORMAT:
        raise QprepError(f"expected a file of format {_FORMAT}, found another at {path}")
    if data["method"] != method:
        raise QprepError(f"expected a model of {method}, found one of {data['method']} at {path}")
    return data


def restore(quantizer: PreparedModel, data: dict[str, Any], path: str | Path) -> None:
    """Put the saved state into a prepared quantizer; QprepError if its slots are not those saved."""
    slots = list(quantizer.quantizers)
    saved = [(each["name"], Spec.from_data(each["spec"])) for each in data["slots"]]
    planned = [(each.name, each.spec) for each in slots]
    # signs of power-of-two formats come with the data
    if [(name, spec.holding(-1)) for name, spec in planned] != [(name, spec.holding(-1)) for name, spec in saved]:
        raise QprepError(f"expected the model that was saved, found other slots than in {path}")
    try:
        quantizer.graph.model.load_state_dict(data["state"])
    except RuntimeError as error:
        raise QprepError(f"expected the saved model, found another than in {path}: {error}") from error
    quantizer.notes = list(data["notes"])
