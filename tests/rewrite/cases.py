"""One-construct models and what must happen to each."""

from __future__ import annotations

import enum
import textwrap
from dataclasses import dataclass

HEADER = "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n\n\n"


class Outcome(enum.Enum):
    """The expected result of `qprep fix` for a model."""

    PREPARED = "every operation has a module of its own afterwards"
    DECLINED = "something stays, with a reason"
    UNTOUCHED = "there is nothing to find"


@dataclass(frozen=True, slots=True)
class Case:
    """A model in one or more files; `reason` is part of the reason given for what stays."""

    name: str
    files: dict[str, str]
    outcome: Outcome
    reason: str = ""


def prepared(name: str, source: str | dict[str, str]) -> Case:
    """Everything is rewritten."""
    return Case(name, _files(source), Outcome.PREPARED)


def declined(name: str, source: str | dict[str, str], reason: str) -> Case:
    """At least one finding stays, for a reason."""
    return Case(name, _files(source), Outcome.DECLINED, reason)


def untouched(name: str, source: str | dict[str, str]) -> Case:
    """Nothing is found, nothing changes."""
    return Case(name, _files(source), Outcome.UNTOUCHED)


def net(forward: str, init: str = "", *, args: str = "x", extra: str = "") -> str:
    """A module with a linear layer `self.fc`, more of __init__, and forward's body; `extra` stands in front of it."""
    return (
        HEADER
        + (textwrap.dedent(extra).strip() + "\n\n\n" if extra else "")
        + "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        + "        self.fc = nn.Linear(4, 4)\n"
        + (_indented(init) + "\n" if init else "")
        + f"\n    def forward(self, {args}):\n"
        + _indented(forward)
        + "\n"
    )


def module(source: str) -> str:
    """A whole file under the usual imports."""
    return HEADER + textwrap.dedent(source).strip() + "\n"


def _indented(text: str) -> str:
    return textwrap.indent(textwrap.dedent(text).strip("\n"), "        ")


def _files(source: str | dict[str, str]) -> dict[str, str]:
    return source if isinstance(source, dict) else {"model.py": source}
