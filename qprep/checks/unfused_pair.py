"""QP502: a convolution and its BatchNorm that no fuse list names."""

from __future__ import annotations

from collections.abc import Iterator

from qprep.analysis.facts import Facts
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
VALID = (
    """
from torch import nn
from torch.ao.quantization import fuse_modules

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(4, 4, 1)
        self.bn1 = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 4, 1)
        self.bn2 = nn.BatchNorm2d(4)
        self.relu1 = nn.ReLU()
        self.relu2 = nn.ReLU()

    def forward(self, x):
        x = self.relu1(self.bn1(self.conv1(x)))
        x = self.bn2(self.conv2(x))
        return self.relu2(x)

    def fuse_model(self):
        fuse_modules(self, [["conv1", "bn1", "relu1"], ["conv2", "bn2", "relu2"]], inplace=True)
""",
)
INVALID = (
    Invalid(
        """\
from torch import nn
from torch.ao.quantization import fuse_modules


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(4, 4, 1)
        self.bn1 = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 4, 1)
        self.bn2 = nn.BatchNorm2d(4)
        self.relu1 = nn.ReLU()
        self.relu2 = nn.ReLU()

    def forward(self, x):
        x = self.relu1(self.bn1(self.conv1(x)))
        x = self.bn2(self.conv2(x))
        return self.relu2(x)

    def fuse_model(self):
        fuse_modules(self, [["conv1", "bn1", "relu1"]], inplace=True)
""",
        ("self.bn2(self.conv2(x))",),
        """\
from torch import nn
from torch.ao.quantization import fuse_modules


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(4, 4, 1)
        self.bn1 = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 4, 1)
        self.bn2 = nn.BatchNorm2d(4)
        self.relu1 = nn.ReLU()
        self.relu2 = nn.ReLU()

    def forward(self, x):
        x = self.relu1(self.bn1(self.conv1(x)))
        x = self.bn2(self.conv2(x))
        return self.relu2(x)

    def fuse_model(self):
        fuse_modules(self, [["conv1", "bn1", "relu1"], ["conv2", "bn2"]], inplace=True)
""",
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
