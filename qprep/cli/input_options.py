"""The flags of verbs that run a model: its example inputs and its device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

_F = TypeVar("_F", bound=Callable[..., Any])

INPUTS: Final = (
    click.option(
        "--input",
        "inputs",
        multiple=True,
        metavar="[NAME=]SHAPE[:DTYPE]",
        help="Shape of an input, as 1,3,224,224; repeat for several.",
    ),
    click.option(
        "--inputs", "maker", metavar="MODULE:NAME", help="A function that returns the inputs, instead of --input."
    ),
)


def with_inputs(command: _F) -> _F:
    """A decorator: `--input` and `--inputs`, as the parameters `inputs` and `maker`."""
    for option in reversed(INPUTS):
        command = option(command)
    return command


def with_device(purpose: str) -> Callable[[_F], _F]:
    """A decorator: `--device`, for a `purpose` such as "run on"."""
    return click.option(
        "--device", metavar="DEVICE", default="cpu", show_default=True, help=f"The device to {purpose}."
    )
