"""A block with everything in it, and graphs of models."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from qprep.quantizer.config.config_settings import LayerSettings
from qprep.quantizer.graph.graph_tracing import build_graph
from qprep.quantizer.graph.quantization_graph import Graph
from qprep.runtime_modules import Concat, EltwiseAdd

SETTINGS = LayerSettings(bits_activations=8, bits_weights=8)


class Block(nn.Module):
    """conv → bn → relu, added to its input, pooled, joined, flattened, classified."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(3)
        self.relu = nn.ReLU(inplace=True)
        self.add = EltwiseAdd()
        self.pool = nn.MaxPool2d(2)
        self.sigmoid = nn.Sigmoid()
        self.cat = Concat(dim=1)
        self.drop = nn.Dropout()
        self.fc = nn.Linear(6 * 16, 5)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn(self.conv(x)))
        z = self.pool(self.add(y, x))
        joined: Tensor = self.drop(self.cat([z, self.sigmoid(z)])).flatten(1)
        return self.fc(joined)  # type: ignore[no-any-return]


def model() -> Block:
    torch.manual_seed(0)
    made = Block()
    made.train()
    with torch.no_grad():
        for _ in range(3):
            made(torch.randn(8, 3, 8, 8) * 2 + 1)
        nn.init.uniform_(made.bn.weight, 0.5, 2)
        nn.init.normal_(made.bn.bias)
    return made.eval()


def graph_of(module: nn.Module, *inputs: Tensor) -> Graph:
    return build_graph(module, inputs, {}, lambda _: SETTINGS)
