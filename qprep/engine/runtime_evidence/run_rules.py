"""The rules whose findings only a run of the model can make."""

from __future__ import annotations

from qprep.foundation.findings import Rule

TRACED_OPERATION = Rule(
    "QP110",
    "traced-operation",
    "An operation on activations that only a run of the model shows",
    "Reported with --trace. A forward pass ran an operation here that has no module, and that the source alone does"
    " not show: behind getattr, in a function stored in data, or on values of unknown type. The message names the "
    "operation and the module that ran it.",
    fixable=False,
)
TRACED_REUSE = Rule(
    "QP210",
    "traced-reuse",
    "A module instance that a run of the model calls more than once",
    "Reported with --trace. One leaf module ran more than once in a forward pass, in a way that the source alone "
    "does not show: in a loop that depends on data, through other objects, or under several names. The message "
    "names it.",
    fixable=False,
)
RUN_RULES = (TRACED_OPERATION, TRACED_REUSE)
RUN_CODES = frozenset(rule.code for rule in RUN_RULES)
