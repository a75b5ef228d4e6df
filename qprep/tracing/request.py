"""The request to a child process: the model, its inputs, and how to run it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final

from qprep.foundation.errors import QprepError

DEFAULT_TIMEOUT: Final = 300.0  # seconds
_INPUT: Final = re.compile(r"(?:(?P<name>[A-Za-z_]\w*)=)?(?P<shape>\d+(?:,\d+)*)?(?::(?P<dtype>[a-z]\w*))?", re.ASCII)
_DTYPES: Final = frozenset((
    "float64", "double", "float32", "float", "float16", "half", "bfloat16", "complex64", "complex128",
    "int64", "long", "int32", "int", "int16", "short", "int8", "uint8", "bool",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class InputSpec:
    """A random tensor to pass to the model: by position, or by keyword where it has a name."""

    name: str | None
    shape: tuple[int, ...]
    dtype: str = "float32"


@dataclass(frozen=True, slots=True)
class Request:
    """A model to build and its inputs.

    target  "package.module:factory" or "path/file.py:factory": an nn.Module, or a callable that returns one, or a
            pair (model, example_inputs)
    inputs  tensors to make; they replace the example inputs
    maker   "package.module:make_inputs": what makes the inputs; it replaces both
    device  where the model is built and run; "meta" needs no memory for weights
    timeout seconds for everything, the import of torch included
    """

    target: str
    inputs: tuple[InputSpec, ...] = ()
    maker: str | None = None
    device: str = "cpu"
    train: bool = False
    timeout: float = DEFAULT_TIMEOUT

    def to_json(self) -> str:
        """For the child process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Request:
        """Read the result of `to_json`."""
        data: dict[str, Any] = json.loads(text)
        inputs = tuple(InputSpec(item["name"], tuple(item["shape"]), item["dtype"]) for item in data["inputs"])
        return cls(**{**data, "inputs": inputs})


def make_request(
    target: str,
    inputs: Iterable[str] = (),
    *,
    maker: str | None = None,
    device: str = "cpu",
    train: bool = False,
    timeout: float | None = None,
) -> Request:
    """A request from the texts of the command line; QprepError says which of them is malformed."""
    timeout = DEFAULT_TIMEOUT if timeout is None else timeout
    for place in (target, maker):
        if place is not None:
            split_target(place)
    if timeout <= 0:
        raise QprepError(f"expected a time limit above 0 seconds, found {timeout:g}")
    return Request(target, tuple(parse_input(text) for text in inputs), maker, device, train, timeout)


def split_target(target: str) -> tuple[str, str]:
    """("package.module" or "path/file.py", "factory") of a target."""
    place, colon, name = target.rpartition(":")
    if not (place and colon and all(part.isidentifier() for part in name.split("."))):
        raise QprepError(f"expected a target as package.module:factory or path/file.py:factory, found {target!r}")
    return place, name


def parse_input(text: str) -> InputSpec:
    """The tensor that "1,3,224,224", "2,16:int64", "mask=2,16:bool" or ":float32" (a scalar) describes."""
    match = _INPUT.fullmatch(text)
    if match is None or not (match["shape"] or match["dtype"]):
        raise QprepError(f"expected an input as [name=]1,3,224,224[:dtype], found {text!r}")
    dtype = match["dtype"] or "float32"
    if dtype not in _DTYPES:
        raise QprepError(f"expected one of {', '.join(sorted(_DTYPES))} as the dtype of {text!r}, found {dtype!r}")
    shape = tuple(int(size) for size in match["shape"].split(",")) if match["shape"] else ()
    return InputSpec(match["name"], shape, dtype)
