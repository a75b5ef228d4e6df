"""Spellings of the catalogue's rows, taken apart: "torch.cat(tensors, dim|axis=0)"."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class ArgumentKind(enum.Enum):
    """The ways in which an argument reaches a parameter."""

    POSITIONAL = "positional"  # by position or keyword
    POSITIONAL_ONLY = "positional-only"
    KEYWORD_ONLY = "keyword-only"
    VARARGS = "varargs"  # one by one, or one sequence of them by position or keyword
    VARKEYWORDS = "varkeywords"  # any further keyword


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: its canonical name, the keywords that torch takes for it, its default as source text."""

    name: str
    keywords: tuple[str, ...]
    default: str | None = None
    kind: ArgumentKind = ArgumentKind.POSITIONAL


@dataclass(frozen=True, slots=True)
class Spelling:
    """One way to write an operation; of a method, the first parameter is the receiver."""

    qualified: str
    parameters: tuple[Parameter, ...]
    is_inplace: bool
    is_method: bool

    def parameter(self, keyword: str) -> Parameter | None:
        """The parameter that takes `keyword`, under its canonical name or another."""
        return next((found for found in self.parameters if keyword in found.keywords), None)


@dataclass(frozen=True, slots=True)
class Constructor:
    """A row's `nn` or `module`, taken apart: "Softmax(dim)"."""

    name: str
    parameters: tuple[str, ...]


def qualified_name(spelling: str) -> str:
    """Of "torch.cat(tensors, dim=0)", "torch.cat"."""
    return spelling.partition("(")[0]


def parse_spelling(text: str) -> Spelling:
    """`text`, taken apart."""
    qualified, _, rest = text.partition("(")
    is_method = qualified.startswith("Tensor.")
    parameters = _parse_parameters(_split(rest[:-1]), is_method)
    return Spelling(qualified, parameters, _is_inplace(qualified), is_method)


def parse_constructor(text: str) -> Constructor:
    """Name and parameters of "Softmax(dim)" or "Tanh"."""
    name, _, rest = text.partition("(")
    return Constructor(name, _split(rest.rstrip(")")))


def _is_inplace(qualified: str) -> bool:
    place, _, name = qualified.rpartition(".")
    if name.startswith("__"):
        return name.startswith("__i")
    if place == "operator":
        return name.startswith("i") and name not in ("inv", "invert")
    return name.endswith("_")


def _split(text: str) -> tuple[str, ...]:
    """`text` at its commas, but those in brackets or quotes."""
    parts, depth, start, quoted = [], 0, 0, False
    for index, character in enumerate(text):
        if character == "'":
            quoted = not quoted
        depth += (character in "([") - (character in ")]")
        if character == "," and not depth and not quoted:
            parts.append(text[start:index].strip())
            start = index + 1
    parts.append(text[start:].strip())
    return tuple(part for part in parts if part)


def _parse_parameters(parts: tuple[str, ...], is_method: bool) -> tuple[Parameter, ...]:
    slash = parts.index("/") if "/" in parts else int(is_method)
    found: list[Parameter] = []
    kind = ArgumentKind.POSITIONAL
    for index, part in enumerate(parts):
        if part == "*":
            kind = ArgumentKind.KEYWORD_ONLY
        elif part.startswith("**"):
            found.append(Parameter(part[2:], (), None, ArgumentKind.VARKEYWORDS))
        elif part.startswith("*"):
            found.append(_parse_parameter(part[1:], ArgumentKind.VARARGS))
            kind = ArgumentKind.KEYWORD_ONLY
        elif part != "/":
            found.append(_parse_parameter(part, ArgumentKind.POSITIONAL_ONLY if index < slash else kind))
    return tuple(found)


def _parse_parameter(text: str, kind: ArgumentKind) -> Parameter:
    names, equals, default = text.partition("=")
    keywords = tuple(names.split("|"))
    return Parameter(
        keywords[0], () if kind is ArgumentKind.POSITIONAL_ONLY else keywords, default if equals else None, kind
    )
