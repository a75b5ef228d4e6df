"""Models that are the examples of several rules for eager quantization; a rule edits the line that it is about."""

from __future__ import annotations

ONE_STAGE = """\
from torch import nn
from torch.ao.quantization import fuse_modules


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 1)
        self.bn = nn.BatchNorm2d(4)
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.relu(self.bn(self.conv(x)))

    def fuse_model(self):
        fuse_modules(self, [["conv", "bn", "relu"]], inplace=True)
"""

TWO_STAGES = """\
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
"""

WITH_STUBS = """\
from torch import nn
from torch.ao.quantization import DeQuantStub, QuantStub, fuse_modules


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 1)
        self.bn = nn.BatchNorm2d(4)
        self.quant = QuantStub()
        self.dequant = DeQuantStub()

    def forward(self, x):
        return self.dequant(self.bn(self.conv(self.quant(x))))

    def fuse_model(self):
        fuse_modules(self, [["conv", "bn"]], inplace=True)
"""

SUM_AND_PRODUCT = """\
from torch import nn
from torch.ao.nn.quantized import FloatFunctional


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 1)
        self.add = FloatFunctional()
        self.mul = FloatFunctional()

    def forward(self, x):
        y = self.add.add(self.conv(x), x)
        return self.mul.mul(y, x)
"""


def edited(code: str, *edits: tuple[str, str]) -> str:
    """`code` with the old text of each edit replaced by the new one.

    Raises:
        ValueError: An old text is not in the code exactly once.
    """
    for old, new in edits:
        if code.count(old) != 1:
            raise ValueError(f"expected {old!r} once in the example, found it {code.count(old)} times")
        code = code.replace(old, new)
    return code
