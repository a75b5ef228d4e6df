"""QP502: a convolution and its BatchNorm that no fuse list names."""

from __future__ import annotations

from collections.abc import Iterator

from qprep.analysis.facts import Facts
from qprep.checks._examples import TWO_STAGES, edited
from qprep.checks.base import Hit, Invalid
from qprep.foundation.catalogue.torch_ao import WITHOUT_KERNEL
from qprep.foundation.findings import Rule

RULE = Rule(
    "QP502",
    "unfused-pair",
    "A convolution and its BatchNorm are in no fuse list, in a class that fuses others",
    "An unfused BatchNorm1d fails at run time with `aten::native_batch_norm … QuantizedCPU`. BatchNorm2d and "
    "BatchNorm3d run as separate operations with one more rounding, and the convolution cannot be trained with "
    "folded weights.",
)
VALID = (TWO_STAGES,)
INVALID = (
    Invalid(
        edited(TWO_STAGES, (', ["conv2", "bn2", "relu2"]', "")),
        ("self.bn2(self.conv2(x))",),
        after=edited(TWO_STAGES, (', "relu2"]', "]")),
    ),
)


def check(facts: Facts) -> Iterator[Hit]:
    """Pairs of classes that call `fuse_modules` on themselves."""
    for fact in facts.eager.pairs.values():
        first, second = fact.names
        if fact.classes[1] in WITHOUT_KERNEL:
            ending = "it fails at run time, because it has no quantized kernel"
        else:
            ending = "it is quantized as a separate operation"
        message = f"no fuse list names `{first}` and `{second}`, an nn.{fact.classes[1]}: {ending}"
        yield Hit(fact.place, message, f'fuse them: `["{first}", "{second}"]`', fact)
