"""The rules whose findings only a run of the model can make."""

from __future__ import annotations

from qprep.foundation.findings import Rule

TRACED_OPERATION = Rule(
    "QP110",
    "traced-operation",
    "An operation on activations that only a run of the model shows",
    "Reported with --trace: a forward pass ran an operation here that no module stands for, and that the source alone "
    "does not show: behind getattr, in a function held in data, on values whose kind is not known. The message names "
    "the operation and the module that ran it.",
    fixable=False,
)
TRACED_REUSE = Rule(
    "QP210",
    "traced-reuse",
    "A module instance that a run of the model calls more than once",
    "Reported with --trace: one leaf module ran more than once in a forward pass, in a way that the source alone does "
    "not show: through a loop that depends on data, through other objects, under several names. The message names it.",
    fixable=False,
)
RUN_RULES = (TRACED_OPERATION, TRACED_REUSE)
RUN_CODES = frozenset(rule.code for rule in RUN_RULES)
