"""17: constructs that a person prepares by hand, with a name, another instance or another call."""

from __future__ import annotations

from tests.rewrite.cases import Case, declined, module, net, prepared

_STEPS = """
class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(4, 4), nn.ReLU())

    def forward(self, x):
        return {}
"""
_POSITION = """
class Position(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("f", torch.randn(4, 4))

    def encode(self, x):
        return torch.sin(x @ self.f)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.position = Position()

    def forward(self, x):
        return {}
"""
_BODY = """
class Body(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc, self.act = nn.Linear(4, 4), nn.ReLU()

    def forward(self, x):
        return self.act(self.fc(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = Body()

    def forward(self, x):
        {}
"""

BY_HAND: tuple[Case, ...] = (
    prepared("mask-is-evaluated-once", net("y = self.fc(x)\ny[x > 0] += 1.0\nreturn y")),
    prepared("index-depends-on-what-changes", net("y = self.fc(x)\ny[:, int(y.sum() > 0)] += 1.0\nreturn y")),
    prepared(
        "name-is-taken",
        net("index = 1\ny = self.fc(x)\ny[x > 0] *= 2.0\ny[:, len(x) - 1] += index\nreturn y"),
    ),
    prepared(
        "out-of-itself", net("with torch.no_grad():\n    y = self.fc(x)\n    torch.add(y, x, alpha=2, out=y)\nreturn y")
    ),
    prepared(
        "out-first",
        net(
            "with torch.no_grad():\n    y = self.fc(x)\n    z = y.new_empty(0)\n    torch.cat([y, x], out=z, dim=1)\n"
            "return z"
        ),
    ),
    declined(
        "out-of-two",
        net(
            "with torch.no_grad():\n    y = self.fc(x)\n    a, b = torch.empty(2), torch.empty(2, dtype=torch.long)\n"
            "    torch.max(y, 1, out=(a, b))\nreturn a"
        ),
        "several tensors",
    ),
    prepared("function-on-one-line", net("return f(self.fc(x))", extra="def f(x): y = torch.relu(x); return x * y")),
    prepared(
        "function-calls-itself",
        net(
            "return f([self.fc(x), x, x])",
            extra="def f(xs):\n    return xs[0] if len(xs) == 1 else f(xs[:1]) + f(xs[1:])",
        ),
    ),
    prepared(
        "generator-is-iterated",
        net(
            "it = g(self.fc(x))\nfirst = next(it)\nreturn first, list(it), [y for y in g(x)]",
            extra="def g(x):\n    yield torch.exp(x)\n    yield x + 1",
        ),
    ),
    declined(
        "generator-shows-its-name",
        net("return g(self.fc(x)).__name__", extra="def g(x):\n    yield torch.exp(x)"),
        "used for more than its items",
    ),
    declined(
        "generator-in-a-variable-shows-its-name",
        net("it = g(self.fc(x))\nreturn repr(it)[:19], next(it)", extra="def g(x):\n    yield torch.exp(x)"),
        "used for more than its items",
    ),
    declined(
        "functions-run-each-other",
        net(
            "return f(self.fc(x), 3)",
            extra="def f(x, n):\n    return g(x * 2, n - 1) if n else x\n\n\n"
            "def g(x, n):\n    return f(torch.relu(x), n - 1) if n else x",
        ),
        "run each other in turn",
    ),
    prepared(
        "function-that-yields",
        net("return sum(list(f(self.fc(x))))", extra="def f(x):\n    for k in range(3):\n        yield x * k"),
    ),
    prepared("steps-of-the-base", module(_STEPS.format("super().forward(x) + x"))),
    prepared("steps-of-the-named-base", module(_STEPS.format("torch.relu(super(Net, self).forward(x))"))),
    prepared("step-by-index", module(_STEPS.format("self[-1](self[0](x)) + x"))),
    declined("steps-of-torch", module(_STEPS.format("nn.Sequential.forward(self, x) + x")), "number or order"),
    prepared("method-of-a-child-twice", module(_POSITION.format("self.position.encode(x), self.position.encode(-x)"))),
    prepared(
        "child-of-a-child-in-a-loop",
        module(_BODY.format("for _ in range(2):\n            x = self.body.act(x)\n        return x")),
    ),
    prepared(
        "child-under-a-local", module(_BODY.format("body = self.body\n        return body.act(body.fc(body.act(x)))"))
    ),
    prepared(
        "one-module-put-into-a-list",
        net(
            "return self.steps(self.fc(x))",
            "self.act = nn.ReLU()\nsteps = []\nfor _ in range(2):\n    steps.append(self.act)\n"
            "    steps.append(nn.Linear(4, 4))\nself.steps = nn.Sequential(*steps)",
        ),
    ),
    prepared(
        "setattr-guards-a-name",
        module(
            "class Net(nn.Module):\n    def __init__(self):\n"
            "        super().__init__()\n        self.fc = nn.Linear(4, 4)\n\n"
            "    def __setattr__(self, name, value):\n        if name == 'add':\n"
            "            raise AttributeError(name)\n"
            "        super().__setattr__(name, value)\n\n    def forward(self, x):\n        return self.fc(x) + x\n"
        ),
    ),
    declined(
        "setattr-refuses-modules",
        module(
            "class Net(nn.Module):\n    def __init__(self):\n"
            "        super().__init__()\n        self.fc = nn.Linear(4, 4)\n"
            "\n    def __setattr__(self, name, value):\n"
            "        if not name.startswith('_') and name not in ('training', 'fc'):\n"
            "            raise AttributeError(name)\n        super().__setattr__(name, value)\n\n"
            "    def forward(self, x):\n        return self.fc(x) + x\n"
        ),
        "defines __setattr__",
    ),
)

CASES: dict[int, tuple[Case, ...]] = {17: BY_HAND}
