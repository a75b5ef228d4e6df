"""Handlers that see the functions of torch that run: which of them a rewrite may make see another function."""

from __future__ import annotations

import re
from collections.abc import Collection

from qprep.analysis.effects.function_handlers import Asked
from qprep.analysis.values.abstract_values import External
from qprep.foundation.catalogue.op import Op


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def may_notice(asked: Asked | None, op: Op) -> bool:
    """True if a handler may tell the call of a module from that of a function, or of an operator.

    It cannot if it tests for other functions. If it tests for the one that runs, it must read the arguments in the
    same way, however they are passed.
    """
    if asked is None or asked.of_all:
        return True
    spelled = [re.split(r"[(\s]", text)[0].rpartition(".")[2] for text in op.spellings]
    modules = [re.split(r"[(\s]", text)[0].rpartition(".")[2] for text in (op.nn, op.module) if text]
    if asked.names.isdisjoint((*spelled, *modules, *map(_snake_case, modules))):
        return not all(name.isidentifier() for name in spelled)
    if asked.reads is None or len(set(spelled)) != 1:
        return True
    parameters = re.findall(r"\w+(?=\s*[,=)])", op.spellings[0].partition("(")[2])
    return any(position >= len(parameters) or parameters[position] != name for name, position in asked.reads)


def is_mode(bases: Collection[object]) -> bool:
    """True if a class is a mode of torch's dispatcher, by the names that torch gives their bases."""
    return any(isinstance(base, External) and base.name.endswith("Mode") for base in bases)
