# ruff: noqa: E501 -- sources as short strings
"""7, 8 and 9: a module that runs again under another name, inside another one, or handed to a function."""

from __future__ import annotations

from tests.rewrite.cases import Case, declined, module, net, prepared, untouched

_LAYERS = (
    "self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])\nself.act, self.other = nn.ReLU(), nn.Tanh()"
)
_FEATURES = "self.features = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.Tanh())"
_BLOCK = """
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.act = nn.ReLU()
        self.drop = nn.Dropout(0.5)

    def forward(self, x, y=None):
        x = self.drop(self.act(self.fc(x)))
        return x if y is None else x + y
"""
_FIRST = "for layer in self.layers:\n    x = layer(x)\n"
_CHECKPOINT = "from torch.utils.checkpoint import checkpoint, checkpoint_sequential\n"
_SUBCLASS = """
class Base(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([nn.Linear(4, 4)])

    def features(self, x):
        for block in self.blocks:
            x = block(x)
        return x

    def forward(self, x):
        return self.features(x) - self.features(x.flip(0))


class Net(Base):
    def __init__(self):
        super().__init__()
        self.blocks.append(nn.Linear(4, 4))
"""
_SIAMESE = """


class Net(nn.Module):
    def __init__(self, n=2):
        super().__init__()
        self.blocks = nn.ModuleList()
        for _ in range(n):
            self.blocks.append(Block())
        self.head = nn.Linear(4, 4)

    def encode(self, x):
        outs = []
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i > 0:
                outs.append(x)
        return outs

    def forward(self, a, b):
        fa, fb = self.encode(a), self.encode(b)
        return [self.head(u - v) for u, v in zip(fa, fb)]
"""


def _block(forward: str, extra: str = "") -> str:
    return net(forward, "self.block = Block()", extra=extra + _BLOCK)


def _go(forward: str, body: str) -> str:
    return net(forward, _LAYERS) + f"\n    def go(self, f, x):\n        return {body}\n"


LOOPS: tuple[Case, ...] = (
    prepared("over-the-layers-again", net(f"{_FIRST}{_FIRST}return x", _LAYERS)),
    prepared(
        "over-the-layers-again-and-numbers",
        net(_FIRST + "for a, layer in zip((1, 2, 3), self.layers):\n    x = layer(x) * a\nreturn x", _LAYERS),
    ),
    prepared(
        "over-some-layers-again",
        net(_FIRST + "for i, layer in enumerate(self.layers):\n    if i < 2:\n        x = layer(x)\nreturn x", _LAYERS),
    ),
    prepared(
        "over-the-layers-in-a-comprehension",
        net(_FIRST + "return {i: layer(x) for i, layer in enumerate(self.layers)}", _LAYERS),
    ),
    prepared(
        "over-the-layers-inside-a-loop",
        net(
            "for _ in range(iters):\n    for layer in self.layers:\n        x = self.act(layer(x))\nreturn x",
            _LAYERS,
            args="x, iters=3",
        ),
    ),
    prepared("each-layer-twice", net("for layer in self.layers:\n    x = layer(layer(x))\nreturn x", _LAYERS)),
    prepared(
        "each-layer-three-times",
        net(
            "for f in self.layers:\n    a, b, c = f(x), f(x * 2), f(x * 3)\n    x = (a + b + c) * 0.1\nreturn x",
            _LAYERS,
        ),
    ),
    prepared(
        "each-layer-in-a-loop",
        net("for layer in self.layers:\n    for _ in range(2):\n        x = layer(x)\nreturn x", _LAYERS),
    ),
    declined(
        "layer-compared",
        net(
            _FIRST + "for layer in self.layers:\n    if layer is not self.layers[-1]:\n        x = layer(x)\nreturn x",
            _LAYERS,
        ),
        "not an attribute of self",
    ),
    declined(
        "layer-read",
        net(_FIRST + "for layer in self.layers:\n    x = layer(x) * layer.weight.mean()\nreturn x", _LAYERS),
        "not an attribute of self",
    ),
    untouched(
        "all-but-the-last",
        net("for i in range(len(self.layers) - 1):\n    x = self.layers[i](x)\nreturn self.layers[-1](x)", _LAYERS),
    ),
    prepared("towers-over-blocks", module(_BLOCK + _SIAMESE)),
    declined("blocks-added-by-a-subclass", module(_SUBCLASS), "in `Net.__init__`"),
    declined(
        "list-with-one-twice",
        net("for layer in [self.fc, self.act, self.fc]:\n    x = layer(x)\nreturn x", _LAYERS),
        "not an attribute of self",
    ),
    untouched("list-of-different-ones", net("for layer in [self.fc, self.act]:\n    x = layer(x)\nreturn x", _LAYERS)),
    prepared("list-repeated-in-forward", net("for layer in [self.fc] * 3:\n    x = layer(x)\nreturn x", _LAYERS)),
)

PARTS: tuple[Case, ...] = (
    prepared("slice-and-whole", net("a = self.features[:3](x)\nreturn a, self.features(x)", _FEATURES)),
    prepared("whole-and-item", net("y = self.features(x)\nreturn self.features[0](x), y", _FEATURES)),
    prepared(
        "whole-and-loop",
        net("y = self.features(x)\nfor layer in self.features:\n    x = layer(x)\nreturn x, y", _FEATURES),
    ),
    prepared(
        "loop-and-whole",
        net("y = x\nfor layer in self.features:\n    x = layer(x)\nreturn x, self.features(y)", _FEATURES),
    ),
    prepared("slices-that-overlap", net("return self.features[2:](self.features[:3](x))", _FEATURES)),
    untouched(
        "slices-that-do-not",
        net("a = self.features[:1](x)\nb = self.features[1:3](a)\nreturn a, b, self.features[3:](b)", _FEATURES),
    ),
    untouched(
        "whole-or-item", net("if self.training:\n    return self.features(x)\nreturn self.features[2](x)", _FEATURES)
    ),
    prepared("item-twice", net("return self.layers[-1](self.layers[-1](x))", _LAYERS)),
    prepared(
        "item-by-name-twice",
        net("return self.d['a'](self.d['a'](x))", "self.d = nn.ModuleDict({'a': nn.Linear(4, 4)})"),
    ),
    prepared("child-of-a-block-twice", _block("return self.block.fc(self.block.fc(x))")),
    prepared("block-and-its-children", _block("x = self.block(x)\nreturn self.block.act(self.block.fc(x))")),
    prepared("children-of-a-block", _block("return self.block.act(self.block.fc(x))")),
    prepared(
        "item-changed-at-construction",
        net("return self.features[3](self.features[3](x))", _FEATURES + "\nself.features[3] = nn.LeakyReLU()"),
    ),
    prepared(
        "item-that-may-not-be-there",
        net("if x.sum() > 1e9:\n    x = self.layers[7](self.layers[7](x))\nreturn self.fc(x)", _LAYERS),
    ),
    prepared(
        "child-that-may-not-be-there",
        net(
            "if self.b is None:\n    return x\nx = self.b.fc(x)\nreturn self.b.fc(x)", "self.b = Block()", extra=_BLOCK
        ),
    ),
    prepared("item-in-a-loop", net("for _ in range(3):\n    x = self.layers[0](x)\nreturn x", _LAYERS)),
    prepared("items-by-a-remainder", net("for i in range(6):\n    x = self.layers[i % 3](x)\nreturn x", _LAYERS)),
    prepared("items-by-number-again", net(_FIRST + "for i in range(3):\n    x = self.layers[i](x)\nreturn x", _LAYERS)),
    prepared(
        "items-by-number-inside-a-loop",
        net("for _ in range(2):\n    for i in range(3):\n        x = self.layers[i](x)\nreturn x", _LAYERS),
    ),
)

NAMES: tuple[Case, ...] = (
    prepared("local-name", net("f = self.act\nreturn f(self.fc(f(x)))", _LAYERS)),
    prepared("local-name-in-a-loop", net("f = self.act\nfor _ in range(2):\n    x = f(self.fc(x))\nreturn x", _LAYERS)),
    declined(
        "local-name-of-one-of-two",
        net("f = self.act\nx = f(x)\nif x.sum() > 0:\n    f = self.other\nreturn f(self.fc(f(x)))", _LAYERS),
        "not an attribute of self",
    ),
    declined(
        "parameter", _go("return self.go(self.act, self.go(self.act, x))", "f(self.fc(x))"), "not an attribute of self"
    ),
    declined(
        "parameter-for-one-of-two",
        _go("return self.go(self.act, self.go(self.other, x))", "f(f(x))"),
        "not an attribute of self",
    ),
)

HANDED_ON: tuple[Case, ...] = (
    prepared("map-of-a-block", _block("a, b = map(self.block, (x, x.flip(0)))\nreturn a, b")),
    untouched("map-over-layers", net("return list(map(lambda layer: layer(x), self.layers))", _LAYERS)),
    prepared("reduce-of-a-cell", _block("return functools.reduce(self.block, [x, x, x], x)", "import functools\n")),
    untouched(
        "reduce-over-layers",
        net("return functools.reduce(lambda h, layer: layer(h), self.layers, x)", _LAYERS, extra="import functools"),
    ),
    declined(
        "reduce-over-layers-twice",
        net(
            "for _ in range(2):\n    x = functools.reduce(lambda h, layer: layer(h), self.layers, x)\nreturn x",
            _LAYERS,
            extra="import functools",
        ),
        "not an attribute of self",
    ),
    declined(
        "partial",
        _block("f = functools.partial(self.block, y=x)\nreturn f(f(x))", "import functools\n"),
        "not an attribute of self",
    ),
    prepared(
        "checkpoint-twice",
        _block(
            "x = checkpoint(self.block, x, use_reentrant=False)\nreturn checkpoint(self.block, x, use_reentrant=False)",
            _CHECKPOINT,
        ),
    ),
    prepared(
        "handed-to-a-function-set-from-outside",
        net("return self.run(self.fc, F.relu(x)) + x", "self.run = None")
        + "\n\ndef example():\n    made = Net()\n    made.run = lambda function, x: function(x)\n"
        + "    return made, (torch.randn(2, 4),)\n",
    ),
    prepared(
        "checkpoint-in-a-loop",
        _block("for _ in range(2):\n    x = checkpoint(self.block, x, use_reentrant=False)\nreturn x", _CHECKPOINT),
    ),
    prepared(
        "checkpoints-of-a-sequential",
        net(
            "x = checkpoint_sequential(self.features, 2, x, use_reentrant=False)\nreturn checkpoint_sequential(self.features, 2, x, use_reentrant=False)",
            _FEATURES,
            extra=_CHECKPOINT,
        ),
    ),
)

CASES = {7: PARTS + NAMES, 8: LOOPS, 9: HANDED_ON}
