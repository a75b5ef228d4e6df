"""QP511: classes without a fuse list."""

from __future__ import annotations

from collections.abc import Iterator

from qprep.analysis.facts import Facts
from qprep.checks._examples import WITH_STUBS, edited
from qprep.checks.base import Hit, Invalid
from qprep.foundation.catalogue.targets import TORCH_AO
from qprep.foundation.findings import Rule

TARGET = TORCH_AO
RULE = Rule(
    "QP511",
    "unfused-model",
    "Under the target torch-ao: a class with modules to fuse, and no fuse list",
    "`fuse_modules` turns these modules into one quantized kernel; an unfused BatchNorm1d has no kernel at all. "
    'Reported with `target = "torch-ao"` only.',
)
_FUSE_MODEL = """
    def fuse_model(self):
        fuse_modules(self, [["conv", "bn"]], inplace=True)
"""
VALID = (WITH_STUBS,)
INVALID = (Invalid(edited(WITH_STUBS, (", fuse_modules", ""), (_FUSE_MODEL, "")), ("nn.Module",)),)


def check(facts: Facts) -> Iterator[Hit]:
    """Classes that could fuse, in files without any fuse list."""
    for fact in facts.eager.unfused.values():
        message = f"`{fact.name}` has modules to fuse but no fuse list"
        yield Hit(fact.place, message, "write a `fuse_model` that calls `fuse_modules`", fact)
