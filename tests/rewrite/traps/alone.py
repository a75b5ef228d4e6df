# ruff: noqa: E501 -- sources as short strings
"""18: code that must be left alone."""

from __future__ import annotations

from tests.rewrite.cases import Case, module, net, prepared, untouched

_MODEL = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return self.fc(x)
"""

_AROUND = {
    "metric": "def accuracy(logits, labels):\n    return (logits.argmax(-1) == labels).float().mean() * 100",
    "loss-function": "def loss(a, b):\n    return F.mse_loss(a, b) + (a - b).abs().mean()",
    "training-loop": "def train(model, batches, optimizer):\n    total = torch.zeros(())\n    for x, y in batches:\n"
    "        loss = F.cross_entropy(model(x), y) * 0.5\n        loss.backward()\n        optimizer.step()\n        total += loss.detach()\n    return total / 2",
    "data-loading": "def collate(items):\n    return torch.stack([item / 255 for item in items])",
    "numpy": "def normalize(image, mean, std):\n    import numpy as np\n\n    return (np.asarray(image) - mean) / std",
    "test": "def test_net():\n    x = torch.randn(2, 4)\n    assert torch.allclose(Net()(x) + 1, Net()(x) + 1)",
    "initialization": "def init(model):\n    with torch.no_grad():\n        for p in model.parameters():\n            p.mul_(0.5).add_(torch.randn_like(p) * 0.1)",
    "script": "if __name__ == '__main__':\n    print((Net()(torch.randn(2, 4)) + 1).sum())",
    "optimizer": "class Step(torch.optim.Optimizer):\n    def step(self, closure=None):\n        for group in self.param_groups:\n"
    "            for p in group['params']:\n                p.data = p.data - 0.1 * p.grad",
}

AROUND: tuple[Case, ...] = tuple(
    untouched(name, module(text + "\n\n\n" + _MODEL.strip() if name != "script" else _MODEL.strip() + "\n\n\n" + text))
    for name, text in _AROUND.items()
)

INSIDE: tuple[Case, ...] = (
    untouched(
        "loss-module",
        module(
            """
class Loss(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = 0.5

    def forward(self, a, b):
        return F.mse_loss(a, b)
"""
            "\n\n" + _MODEL.strip()
        ),
    ),
    untouched(
        "positions",
        net(
            "pos = torch.arange(x.size(1)).unsqueeze(0) + 1\nmask = (pos % 2 == 0) & (pos > 1)\nreturn self.fc(x)[:, mask[0]]"
        ),
    ),
    untouched("integer-tensor", net("i = x.argmax(-1) + 1\nreturn self.fc(x), i * 2 - i // 2")),
    untouched("boolean-tensor", net("keep = (x > 0) | (x < -1)\nkeep &= x != 2\nreturn self.fc(x), ~keep")),
    untouched("mask-of-ones", net("mask = torch.tril(torch.ones(4, 4)) * 2 - 1\nreturn self.fc(x), mask")),
    untouched(
        "frequencies-from-nothing",
        net(
            "f = 1.0 / (10000 ** (torch.arange(0, 4, 2).float() / 4))\nreturn self.fc(x), torch.outer(torch.arange(3).float(), f).sin()"
        ),
    ),
    untouched("shape-tensor", net("n = torch.tensor(x.shape).prod() * 2\nreturn self.fc(x), n")),
    untouched(
        "weights-in-the-constructor",
        net("return self.fc(x)", "with torch.no_grad():\n    self.fc.weight.copy_(self.fc.weight * 2 + torch.eye(4))"),
    ),
    untouched(
        "autograd-function",
        module(
            """
class Round(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.round() * 1.0

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * (x.abs() < 1)
"""
            "\n\n" + _MODEL.strip()
        ),
    ),
    untouched(
        "method-outside-forward",
        module(
            _MODEL.strip()
            + """

    def regularizer(self):
        return (self.fc.weight**2).sum() * 0.01
"""
        ),
    ),
    prepared(
        "loss-in-a-model-method",
        module("""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return F.relu(self.fc(x))

    def loss(self, a, b):
        return F.mse_loss(a, b) + (a - b).abs().mean()
"""),
    ),
    prepared(
        "integers-beside-activations",
        net("i = torch.arange(x.size(1)) * 2\nreturn self.fc(x) * i.float().view(-1, 1, 1)[:4]"),
    ),
    prepared(
        "mask-applied",
        net("mask = torch.ones(4, 4).tril() == 0\nreturn self.fc(x).masked_fill(mask, -1e9).softmax(-1)"),
    ),
    prepared(
        "position-embedding-added",
        net(
            "pos = torch.arange(x.size(1))\nreturn self.fc(x) + self.emb(pos).unsqueeze(1)",
            "self.emb = nn.Embedding(8, 4)",
        ),
    ),
    untouched(
        "dedicated-module",
        module("""
class Add(nn.Module):
    def forward(self, a, b):
        return a + b


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.add = Add()

    def forward(self, x):
        return self.add(self.fc(x), x)
"""),
    ),
    untouched(
        "already-prepared",
        module("""
from qprep.runtime_modules import Concat, EltwiseAdd


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.add = EltwiseAdd()
        self.cat = Concat(dim=1)

    def forward(self, x):
        return self.cat([self.add(self.fc(x), x), x])
"""),
    ),
)

CASES = {18: AROUND + INSIDE}
