# ruff: noqa: E501 -- sources as short strings
"""8: loops. 9 and 10: reused modules with parameters, or with keywords."""

from __future__ import annotations

from tests.rewrite.cases import Case, module, net, prepared, untouched

_LAYERS = "self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])\nself.act = nn.ReLU()\nself.n = 3"

LOOPS: tuple[Case, ...] = (
    untouched("what-a-comprehension-goes-through", net("return [part for part in self.fc(x)][0]")),
    prepared("module-list", net("for layer in self.layers:\n    x = self.act(layer(x)) + x\nreturn x", _LAYERS)),
    prepared(
        "range-of-a-setting", net("for i in range(self.n):\n    x = self.act(self.layers[i](x)) + x\nreturn x", _LAYERS)
    ),
    prepared("range-of-a-literal", net("for _ in range(2):\n    x = self.act(self.fc(x))\nreturn x", _LAYERS)),
    prepared(
        "range-of-a-length",
        net("for i in range(len(self.layers)):\n    x = F.gelu(self.layers[i](x))\nreturn x", _LAYERS),
    ),
    prepared(
        "enumerate",
        net(
            "for i, layer in enumerate(self.layers):\n    x = layer(x)\n    if i < 2:\n        x = self.act(x)\nreturn x",
            _LAYERS,
        ),
    ),
    prepared(
        "zip",
        net(
            "for a, b in zip(self.layers, self.more):\n    x = F.relu(a(x)) * b(x)\nreturn x",
            _LAYERS + "\nself.more = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])",
        ),
    ),
    untouched(
        "by-twos",
        net(
            "for i in range(0, len(self.layers), 2):\n    x = self.layers[i](x)\n    x = self.layers[i + 1](x)\nreturn x",
            "self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(4)])",
        ),
    ),
    untouched(
        "even-and-odd",
        net(
            "for i in range(2):\n    x = self.layers[2 * i](x)\n    x = self.layers[2 * i + 1](x)\nreturn x",
            "self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(4)])",
        ),
    ),
    untouched(
        "even-and-odd-by-name",
        net(
            "for i in range(2):\n    j = 2 * i\n    k = 2 * i + 1\n    x = self.layers[j](x)\n    x = self.layers[k](x)\nreturn x",
            "self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(4)])",
        ),
    ),
    prepared(
        "even-and-even-by-name",
        net(
            "for i in range(2):\n    j = 2 * i\n    k = 2 * i\n    x = self.layers[j](x)\n    x = self.layers[k](x)\nreturn x",
            "self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(4)])",
        ),
    ),
    prepared(
        "odd-by-a-name-that-changes",
        net(
            "for i in range(2):\n    j = 2 * i\n    x = self.layers[j](x)\n    j += 0\n    x = self.layers[j](x)\nreturn x",
            "self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(4)])",
        ),
    ),
    *(
        untouched(
            f"nested-{name}",
            net(
                f"for level in {outer}:\n    for {inner}:\n        x = layer(x)\nreturn x",
                "self.levels = nn.Sequential(*[nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4)) for _ in range(2)])",
            ),
        )
        for name, outer, inner in (
            ("children", "self.levels.children()", "name, layer in level.named_children()"),
            ("modules-by-name", "self.levels._modules.values()", "layer in level._modules.values()"),
            ("some-children", "self.levels", "i, layer in enumerate(level.children())"),
        )
    ),
    *(
        prepared(
            f"module-dict-{name}",
            net(
                f"for _ in range(3):\n    for {loop}:\n        x = {call}(x) + x\nreturn x",
                "self.towers = nn.ModuleDict({'a': nn.Linear(4, 4), 'b': nn.Linear(4, 4)})",
            ),
        )
        for name, loop, call in (
            ("keys", "name in ('a', 'b')", "self.towers[name]"),
            ("values", "tower in self.towers.values()", "tower"),
            ("items", "name, tower in self.towers.items()", "tower"),
        )
    ),
    prepared(
        "module-dict-grown",
        net(
            "for _ in range(3):\n    for name in ('a', 'b'):\n        x = self.towers[name](x) + x\nreturn x",
            "self.towers = nn.ModuleDict()\nfor name in ('a', 'b'):\n    self.towers[name] = nn.Linear(4, 4)",
        ),
    ),
    untouched(
        "slices-by-twos",
        net(
            "for a, b in zip(self.layers[::2], self.layers[1::2]):\n    x = b(a(x))\nreturn x",
            "self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(4)])",
        ),
    ),
    prepared(
        "by-ones-with-the-next",
        net(
            "for i in range(0, 2):\n    x = self.layers[i](x)\n    x = self.layers[i + 1](x)\nreturn x",
            "self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(4)])",
        ),
    ),
    prepared("mapped", net("return sum(map(lambda layer: F.relu(layer(x)), self.layers))", _LAYERS)),
    prepared("reversed", net("for layer in reversed(self.layers):\n    x = self.act(layer(x))\nreturn x", _LAYERS)),
    prepared(
        "slice-of-a-list",
        net("for layer in self.layers[:-1]:\n    x = self.act(layer(x))\nreturn self.layers[-1](x)", _LAYERS),
    ),
    prepared(
        "nested-loops-over-layers",
        net("for _ in range(2):\n    for layer in self.layers:\n        x = self.act(layer(x)) + x\nreturn x", _LAYERS),
    ),
    prepared(
        "nested-loops",
        net("for _ in range(2):\n    for _ in range(self.n):\n        x = self.act(x) + x\nreturn self.fc(x)", _LAYERS),
    ),
    prepared(
        "while-counter", net("i = 0\nwhile i < 3:\n    x = self.act(self.layers[i](x))\n    i += 1\nreturn x", _LAYERS)
    ),
    prepared("while-on-data", net("while x.abs().max() > 0.5:\n    x = self.act(x) * 0.5\nreturn self.fc(x)", _LAYERS)),
    prepared(
        "length-depends-on-the-input",
        net(
            "out = x[:, 0]\nfor i in range(x.size(1)):\n    out = out + self.act(x[:, i])\nreturn self.fc(out)", _LAYERS
        ),
    ),
    prepared("over-a-tensor", net("return torch.stack([self.act(row) for row in x])", _LAYERS)),
    prepared("list-comprehension", net("return sum([self.act(layer(x)) for layer in self.layers])", _LAYERS)),
    prepared("generator", net("return sum(F.relu(layer(x)) for layer in self.layers)", _LAYERS)),
    prepared(
        "dict-comprehension", net("return {str(i): self.act(layer(x)) for i, layer in enumerate(self.layers)}", _LAYERS)
    ),
    prepared("map", net("return torch.cat(list(map(self.act, [x, self.fc(x)])), 1)", _LAYERS)),
    prepared(
        "break",
        net(
            "for layer in self.layers:\n    x = self.act(layer(x))\n    if x.sum() > 0:\n        break\nreturn x",
            _LAYERS,
        ),
    ),
    prepared(
        "for-else",
        net("for layer in self.layers:\n    x = self.act(layer(x))\nelse:\n    x = self.act(x)\nreturn x", _LAYERS),
    ),
    prepared(
        "after-the-loop", net("for layer in self.layers:\n    x = layer(x)\nreturn self.act(x) + self.fc(x)", _LAYERS)
    ),
    prepared(
        "module-dict",
        net(
            "for name in ('a', 'b'):\n    x = self.act(self.towers[name](x))\nreturn x",
            _LAYERS + "\nself.towers = nn.ModuleDict({'a': nn.Linear(4, 4), 'b': nn.Linear(4, 4)})",
        ),
    ),
    prepared(
        "recursion",
        module("""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.act = nn.ReLU()

    def descend(self, x, depth):
        return x if depth == 0 else self.descend(self.act(x) * 0.5, depth - 1)

    def forward(self, x):
        return self.descend(self.fc(x), 2)
"""),
    ),
)

_BLOCK = """
class Block(nn.Module):
    def __init__(self, act{default}):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.act = act

    def forward(self, x):
        return self.act(self.fc(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        {made}

    def forward(self, x):
        {body}
"""

PARAMETERS: tuple[Case, ...] = (
    prepared("linear-twice", net("return self.fc(self.fc(x))")),
    prepared("linear-in-a-loop", net("for _ in range(3):\n    x = self.fc(x)\nreturn x")),
    prepared("norm-twice", net("return self.norm(self.fc(self.norm(x)))", "self.norm = nn.BatchNorm2d(4)")),
    prepared(
        "sequential-twice",
        net("return self.body(self.body(x))", "self.body = nn.Sequential(nn.Linear(4, 4), nn.ReLU())"),
    ),
    prepared("dropout-twice", net("return self.drop(self.fc(self.drop(x)))", "self.drop = nn.Dropout(0.5)")),
    untouched(
        "tied-weights",
        net("return self.out(self.fc(x))", "self.out = nn.Linear(4, 4)\nself.out.weight = self.fc.weight"),
    ),
    prepared(
        "tied-weights-and-reuse",
        net("return self.out(self.fc(self.out(x)))", "self.out = nn.Linear(4, 4)\nself.out.weight = self.fc.weight"),
    ),
    prepared("one-layer-under-two-names", net("return self.fc2(self.fc(x))", "self.fc2 = self.fc")),
    prepared(
        "block-with-parameters-twice",
        module(
            _BLOCK.format(default="", made="self.block = Block(nn.PReLU())", body="return self.block(self.block(x))")
        ),
    ),
    prepared("constant-index-twice", net("x = self.layers[0](x)\nreturn x + self.layers[0](x)", _LAYERS)),
    prepared(
        "weight-norm-twice",
        net("return self.wn(self.wn(x))", "self.wn = nn.utils.parametrizations.weight_norm(nn.Linear(4, 4))"),
    ),
    prepared("scores-and-gradients", net("a = self.fc(x)\nb = self.fc(x.flip(1))\nreturn (a * b).sum(-1)")),
    prepared(
        "embedding-twice",
        module("""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(3, 4)

    def forward(self, i):
        return self.emb(i) * self.emb(i.flip(0))


def example():
    return Net(), (torch.tensor([0, 1, 2, 0]),)
"""),
    ),
)

KEYWORDS: tuple[Case, ...] = (
    prepared(
        "output-size",
        net(
            "y = self.up(self.fc(x), output_size=(8, 8))\nreturn self.up(y, output_size=(16, 16))",
            "self.up = nn.ConvTranspose2d(4, 4, 3, stride=2, padding=1)",
        ),
    ),
    prepared(
        "pool-indices",
        net(
            "y, i = self.pool(self.fc(x))\nz, j = self.pool(x)\nreturn self.unpool(y, i, output_size=x.size()) + self.unpool(z, j, output_size=x.size())",
            "self.pool = nn.MaxPool2d(2, return_indices=True)\nself.unpool = nn.MaxUnpool2d(2)",
        ),
    ),
    prepared("input-by-name", net("return self.act(input=self.fc(self.act(input=x)))", "self.act = nn.GELU()")),
    prepared(
        "bilinear", net("return self.both(self.both(x, self.fc(x)), input2=x)", "self.both = nn.Bilinear(4, 4, 4)")
    ),
    prepared(
        "again-without-what-another-call-gives",
        module("""
class Block(nn.Module):
    def __init__(self, act="ReLU"):
        super().__init__()
        self.act = getattr(nn, act)()
        self.fc = nn.Linear(4, 4)

    def forward(self, x, extra: torch.Tensor | None = None):
        x = self.act(x)
        if extra is not None:
            x = x + self.fc(self.act(extra))
        return self.act(self.fc(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.block = Block()

    def forward(self, x):
        for _ in range(x.shape[-1] // 2):
            x = self.block(x)
        return x
"""),
    ),
)

CASES = {8: LOOPS, 9: PARAMETERS, 10: KEYWORDS}
