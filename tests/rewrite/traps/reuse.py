# ruff: noqa: E501 -- sources as short strings
"""7: reuse that one forward does not show."""

from __future__ import annotations

from tests.rewrite.cases import Case, module, net, prepared, untouched

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

_CORRELATION = """
class Correlation(nn.Module):
    def __init__(self, levels):
        super().__init__()
        self.levels = levels

    def build(self, a, b):
        volume = torch.matmul(a, b.transpose(-1, -2)) / 2
        self.volumes = [volume]
        for _ in range(self.levels):
            volume = torch.relu(volume)
            self.volumes.append(volume)

    def look(self, x):
        found = []
        for volume in self.volumes:
            found.append(torch.tanh(x) + volume.mean())
        return torch.cat(found)


class Flow(nn.Module):
    def __init__(self, correlation, head=None):
        super().__init__()
        self.correlation = correlation
        self.head = head

    def forward(self, x, updates=3):
        self.correlation.build(x, x)
        for _ in range(updates):
            x = self.correlation.look(x)[:2]
        return self.head(x)


def flow(levels, **kwargs):
    correlation = kwargs.pop("correlation", None) or Correlation(levels)
    return Flow(correlation=correlation, head=nn.Linear(4, 4))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.flow = flow(2)

    def forward(self, x):
        return self.flow(x)
"""

REUSE: tuple[Case, ...] = (
    prepared(
        "getattr-twice", net('return getattr(self, "act")(getattr(self, "act")(self.fc(x)))', "self.act = nn.ReLU()")
    ),
    prepared(
        "getattr-in-a-loop",
        net('for _ in range(3):\n    x = getattr(self, "act")(self.fc(x))\nreturn x', "self.act = nn.ReLU()"),
    ),
    prepared(
        "getattr-of-a-layer",
        net('return getattr(self, "fc")(torch.tanh(self.fc(x)))'),
    ),
    prepared(
        "getattr-in-a-recursion",
        net(
            "def down(x, n):\n    return down(getattr(self, 'act')(x), n - 1) if n else x\nreturn down(self.fc(x), 3)",
            "self.add_module('act', nn.ReLU())",
        ),
    ),
    prepared("methods-of-a-module-passed-in", module(_CORRELATION)),
    prepared("directly", net("return self.act(self.fc(self.act(x)))", "self.act = nn.GELU()")),
    prepared("nested", net("return self.act(self.act(self.fc(x)))", "self.act = nn.GELU()")),
    prepared(
        "three-times", net("x = self.act(x)\nx = self.act(self.fc(x))\nreturn self.act(x)", "self.act = nn.Tanh()")
    ),
    prepared(
        "passed-to-two-blocks",
        module(
            _BLOCK.format(
                default="",
                made="act = nn.ReLU()\n        self.a, self.b = Block(act), Block(act)",
                body="return self.b(self.a(x))",
            )
        ),
    ),
    prepared(
        "passed-to-blocks-in-a-comprehension",
        module(
            _BLOCK.format(
                default="",
                made="act = nn.ReLU()\n        self.blocks = nn.ModuleList([Block(act) for _ in range(3)])",
                body="for block in self.blocks:\n            x = block(x)\n        return x",
            )
        ),
    ),
    prepared(
        "default-argument",
        module(
            _BLOCK.format(
                default="=nn.ReLU()", made="self.a, self.b = Block(), Block()", body="return self.b(self.a(x))"
            )
        ),
    ),
    prepared(
        "module-level-instance",
        module(
            "ACT = nn.ReLU()\n\n"
            + _BLOCK.format(
                default="=ACT", made="self.a, self.b = Block(), Block(ACT)", body="return self.b(self.a(x))"
            )
        ),
    ),
    prepared(
        "class-attribute",
        module("""
class Block(nn.Module):
    act = nn.ReLU()

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return self.act(self.fc(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = Block(), Block()

    def forward(self, x):
        return self.b(self.a(x))
"""),
    ),
    prepared(
        "second-attribute",
        net("return self.act2(self.fc(self.act1(x)))", "self.act1 = nn.ReLU()\nself.act2 = self.act1"),
    ),
    prepared("chained-attributes", net("return self.a(self.fc(self.b(x)))", "self.a = self.b = nn.ReLU()")),
    prepared(
        "through-a-local", net("return self.a(self.fc(self.b(x)))", "act = nn.ReLU()\nself.a = act\nself.b = act")
    ),
    prepared(
        "twice-in-a-sequential",
        net(
            "return self.net(x)",
            "act = nn.ReLU()\nself.net = nn.Sequential(nn.Linear(4, 4), act, nn.Linear(4, 4), act)",
        ),
    ),
    prepared(
        "appended-twice",
        net(
            "for layer in self.layers:\n    x = layer(x)\nreturn self.fc(x)",
            "act = nn.ReLU()\nself.layers = nn.ModuleList()\nfor _ in range(2):\n    self.layers.append(nn.Linear(4, 4))\n    self.layers.append(act)",
        ),
    ),
    prepared(
        "added-by-name",
        net(
            "return self.two(self.fc(self.one(x)))",
            "act = nn.ReLU()\nself.add_module('one', act)\nself.add_module('two', act)",
        ),
    ),
    prepared(
        "list-times-number",
        net(
            "for layer in self.layers:\n    x = layer(x)\nreturn self.fc(x)",
            "self.layers = nn.ModuleList([nn.ReLU()] * 2)",
        ),
    ),
    prepared(
        "method-called-twice",
        module("""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)
        self.relu = nn.ReLU()

    def step(self, layer, x):
        return self.relu(layer(x)) + x

    def forward(self, x):
        return self.step(self.b, self.step(self.a, x))
"""),
    ),
    prepared(
        "siamese",
        module(
            _BLOCK.format(
                default="", made="self.block = Block(nn.ReLU())", body="return self.block(x) - self.block(x.flip(0))"
            )
        ),
    ),
    prepared(
        "siamese-with-two-inputs",
        module("""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4))

    def forward(self, a, b):
        return F.cosine_similarity(self.body(a), self.body(b), dim=-1)
"""),
    ),
    prepared(
        "head-over-levels",
        module("""
class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 1)
        self.relu = nn.ReLU()

    def forward(self, xs):
        return [self.relu(self.conv(x)) for x in xs]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = Head()

    def forward(self, x):
        return self.head([x, F.avg_pool2d(x, 2)])
"""),
    ),
    prepared(
        "recurrent-refinement",
        module(
            _BLOCK.format(
                default="",
                made="self.block = Block(nn.ReLU())\n        self.steps = 3",
                body="for _ in range(self.steps):\n            x = x + self.block(x)\n        return x",
            )
        ),
    ),
    prepared(
        "alias-of-what-a-branch-made",
        net(
            "return self.second(self.fc(self.first(x)))",
            "if not self.training:\n    self.first, self.second = nn.ReLU(), nn.ReLU()\nelse:\n    self.first = nn.ReLU()\n    self.second = self.first",
        ),
    ),
    prepared(
        "alias-of-one-of-two-kinds",
        net(
            "return self.second(self.fc(self.first(x)))",
            "self.first = nn.ReLU() if self.training else nn.Tanh()\nself.second = self.first",
        ),
    ),
    prepared(
        "made-by-a-function-that-knows-some-of-it",
        net(
            "return self.act(self.fc(self.act(x)))",
            'self.act = activation("relu")',
            extra="import operator\n\n\ndef activation(name):\n    if not name:\n        return nn.Identity()\n    return operator.call(nn.ReLU)",
        ),
    ),
    prepared(
        "mapped-over-parts", net("a, b = map(self.act, self.fc(x).chunk(2))\nreturn a * b", "self.act = nn.ReLU()")
    ),
    untouched(
        "one-in-each-branch",
        net("return self.act(x) if x.dim() == 9 else self.act(self.fc(x))", "self.act = nn.ReLU()"),
    ),
    untouched("separate-instances", net("return self.a(self.fc(self.b(x)))", "self.a, self.b = nn.ReLU(), nn.ReLU()")),
    untouched(
        "class-passed-to-two-blocks",
        module(
            _BLOCK.format(
                default="",
                made="act = nn.ReLU\n        self.a, self.b = Block(act()), Block(act())",
                body="return self.b(self.a(x))",
            )
        ),
    ),
    untouched(
        "new-ones-at-each-call-of-a-nested-function",
        module("""
class Net(nn.Module):
    def __init__(self):
        super().__init__()

        def block(i, o):
            def layer():
                return nn.Linear(i, o)

            act = nn.ReLU()
            return nn.Sequential(layer(), nn.BatchNorm1d(o), act)

        norm = lambda n: nn.LayerNorm(n)
        self.net = nn.Sequential(block(4, 4), norm(4), block(4, 4), norm(4))
        self.more = nn.ModuleList([block(4, 4), block(4, 4)])
        self.a, self.b = block(4, 4), block(4, 4)

    def forward(self, x):
        x = self.b(self.a(self.net(x)))
        for each in self.more:
            x = each(x)
        return x
"""),
    ),
    untouched(
        "new-pairs-at-each-call-of-a-function",
        module("""
def pair(i, o):
    return nn.Linear(i, o), nn.ReLU()


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.act = pair(4, 4)
        self.b, self.act2 = pair(4, 4)
        c, d = self.named(4), self.named(4)
        self.net = nn.Sequential(c["layer"], c["act"], d["layer"], d["act"])

    def named(self, n):
        return {"layer": nn.Linear(n, n), "act": nn.ReLU()}

    def forward(self, x):
        return self.net(self.act2(self.b(self.act(self.a(x)))))
"""),
    ),
    prepared(
        "one-of-the-scope-around-a-nested-function",
        module("""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        act = nn.ReLU()

        def get():
            return act

        self.net = nn.Sequential(nn.Linear(4, 4), get(), nn.Linear(4, 4), get())

    def forward(self, x):
        return self.net(x)
"""),
    ),
    untouched("identity-twice", net("return self.id(self.fc(self.id(x)))", "self.id = nn.Identity()")),
)

CASES = {7: REUSE}
