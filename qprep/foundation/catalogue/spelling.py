"""Short ways to write the spellings of a row: one signature, many places where torch offers it."""

from __future__ import annotations

from typing import Final

# Keywords that torch's own argument parser accepts besides its own (python_arg_parser.cpp, numpy compatibility).
NATIVE_ALIASES: Final[dict[str, str]] = {
    "input": "input|x|a|x1",
    "other": "other|x2",
    "dim": "dim|axis",
    "keepdim": "keepdim|keepdims",
}

_NATIVE: Final[dict[str, str]] = {
    "t": "torch.{}",
    "T": "torch.{}_",
    "m": "Tensor.{}",
    "i": "Tensor.{}_",
    "s": "torch.special.{}",
    "l": "torch.linalg.{}",
    "x": "torch.fft.{}",
    "b": "torch.nn.functional.{}",
    "B": "torch.nn.functional.{}_",
}
_PYTHON: Final[dict[str, str]] = {
    "f": "torch.nn.functional.{}",
    "F": "torch.nn.functional.{}_",
    "p": "torch.{}",
    "q": "Tensor.{}",
}


def spell(signature: str, places: str = "tm") -> tuple[str, ...]:
    """Spellings of `signature` ("sum(input, dim=None)") in each of `places`.

    t torch.x, T torch.x_, m Tensor.x, i Tensor.x_, s torch.special.x, l torch.linalg.x, x torch.fft.x,
    b torch.nn.functional.x and B torch.nn.functional.x_ where they are implemented in C++: keywords have torch's
    numpy aliases (dim|axis). p torch.x, q Tensor.x, f torch.nn.functional.x and F torch.nn.functional.x_ where they
    are Python functions: keywords as written.
    """
    name, _, rest = signature.partition("(")
    native = f"({_with_aliases(rest)}"
    return tuple(
        _NATIVE[place].format(name) + native if place in _NATIVE else f"{_PYTHON[place].format(name)}({rest}"
        for place in places
    )


def _with_aliases(parameters: str) -> str:
    return ", ".join(_with_alias(parameter) for parameter in parameters.split(", "))


def _with_alias(parameter: str) -> str:
    stem = parameter.partition("=")[0].rstrip(")")
    return NATIVE_ALIASES.get(stem, stem) + parameter[len(stem) :]
