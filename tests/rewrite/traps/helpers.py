# ruff: noqa: E501 -- sources as short strings
"""14: helper functions."""

from __future__ import annotations

from tests.rewrite.cases import Case, declined, module, net, prepared

_TWO = (
    "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.fc = nn.Linear(4, 4)\n\n"
    "    def forward(self, x):\n        return {}\n"
)

HELPERS: tuple[Case, ...] = (
    prepared("one-call", net("return swish(self.fc(x))", extra="def swish(t):\n    return t * torch.sigmoid(t)")),
    prepared(
        "two-calls", net("return swish(self.fc(swish(x)))", extra="def swish(t):\n    return t * torch.sigmoid(t)")
    ),
    prepared(
        "given-to-map",
        net("a, b = map(scaled, (self.fc(x), x))\nreturn a + b", extra="def scaled(t):\n    return t * 2"),
    ),
    prepared(
        "given-to-partial",
        net(
            "make = partial(scaled, by=0.5)\nreturn make(self.fc(x), bent=True) + make(x)",
            extra="""
            from functools import partial


            def scaled(t, *, by, bent=False):
                return (t * by).exp() if bent else t * by
            """,
        ),
    ),
    prepared(
        "a-partial-made-elsewhere",
        net(
            "return self.make(self.fc(x)) + self.make(x)",
            "self.make = partial(scaled, by=0.5)",
            extra="from functools import partial\n\n\ndef scaled(t, *, by):\n    return (t * by).exp()",
        ),
    ),
    prepared(
        "arguments-of-unknown-kind",
        net(
            "return sum(map(lambda args: shift(*args), zip((self.fc(x), x), self.by)))",
            "self.by = tuple(by)",
            extra="""
            def shift(t, amount):
                return F.pad(t, (amount, -amount)) * 2
            """,
        ).replace("def __init__(self)", "def __init__(self, by=(1, 2))"),
    ),
    prepared(
        "a-function-made-by-another",
        net(
            "return self.fc(chunked(self.fc)(x)) + chunked(self.fc)(x)",
            extra="""
            def chunked(fn):
                def inner(*args):
                    return torch.cat([part * 2 for part in args[0].chunk(2)])

                return inner
            """,
        ),
    ),
    declined(
        "a-function-made-at-construction",
        net(
            "return self.fc(self.chunked(x))",
            "self.chunked = chunked()",
            extra="""
            def chunked():
                def inner(*args):
                    return torch.cat([part * 2 for part in args[0].chunk(2)])

                return inner
            """,
        ),
        "the function that runs is defined inside it",
    ),
    prepared(
        "two-functions-inside",
        net(
            """
            def double(t):
                return t * 2


            def twice(fn, t):
                return fn(t) + t


            return self.fc(twice(double, x))
            """
        ),
    ),
    prepared(
        "function-behind-the-class-with-numbers-in-a-tuple",
        net("return shifted((1, 2), self.fc(x))")
        + "\n\ndef shifted(pair, x):\n    first, by = pair\n    return torch.sigmoid(x[:, -first:]) * by\n"
        + "\n\ndef example():\n    return Net(), (torch.randn(2, 4),)\n",
    ),
    prepared(
        "default-that-is-the-same-each-time",
        net(
            "return gate(self.fc(x)) + gate(x)",
            extra="def gate(t, device=torch.device('cpu')):\n    return torch.sigmoid(t.to(device))",
        ),
    ),
    declined(
        "a-default-that-is-made-once",
        net(
            "return self.fc(bent(x))",
            extra="def bent(t, by=nn.ReLU()):\n    return by(t) * 2",
        ),
        "has a default value that is created once",
    ),
    prepared(
        "without-gradients-under-another-name",
        net(
            "return self.fc(x) + doubled(x)",
            extra="from torch import no_grad as still\n\n\n@still()\ndef doubled(t):\n    return t * 2",
        ),
    ),
    prepared(
        "under-a-partial-of-autocast",
        net(
            "return self.fc(x) + doubled(x)",
            extra="""
            from functools import partial

            from torch.amp import autocast

            exact = partial(autocast, "cpu", enabled=False)


            @exact()
            def doubled(t):
                return t * 2
            """,
        ),
    ),
    prepared(
        "a-function-that-a-constructor-is-given",
        net(
            "return self.join(self.fc(x), x)",
            "self.join = join",
            extra="""
            def plus(a, b):
                return a + b


            def times(a, b):
                return a * b * 2
            """,
        ).replace("def __init__(self)", "def __init__(self, join=plus)"),
    ),
    prepared(
        "under-autocast",
        net(
            "return self.fc(x) + doubled(x)",
            extra="""
            from torch.amp import autocast


            @autocast("cpu", enabled=False)
            def doubled(t):
                return t * 2
            """,
        ),
    ),
    prepared(
        "named-like-a-runtime-module",
        net("return log(self.fc(x))", extra="def log(t, eps=1e-6):\n    return torch.log(t.abs() + eps)"),
    ),
    prepared(
        "one-name-in-two-files",
        {
            "left.py": "def norm(t):\n    return t - t.mean()\n",
            "right.py": "def norm(t):\n    return t / 2\n",
            "model.py": "import left\nimport right\n" + net("return left.norm(self.fc(x)) + right.norm(x)"),
        },
    ),
    prepared(
        "results-in-an-object",
        module("""
from dataclasses import dataclass
from typing import Optional


@dataclass
class Output:
    last: Optional[torch.Tensor] = None
    states: Optional[tuple[torch.Tensor, ...]] = None

    def __getitem__(self, k):
        return (self.last, self.states)[k]


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        x = self.fc(x)
        return Output(last=x, states=(x, x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = Encoder()

    def forward(self, x):
        out = self.encoder(x)
        return out.last.mean(-1) + out[0].sum(-1), torch.cat(out.states[::-1], dim=1)
"""),
    ),
    prepared(
        "chosen-from-a-class",
        module("""
from collections.abc import MutableMapping


def attend(module, x, by=2.0):
    y = x * by
    return y + x


class Registry(MutableMapping):
    known = {"attend": attend}

    def __init__(self):
        self.own = {}

    def __getitem__(self, key):
        if key in self.own:
            return self.own[key]
        return self.known[key]

    def __setitem__(self, key, value):
        self.own[key] = value

    def __delitem__(self, key):
        del self.own[key]

    def __iter__(self):
        return iter({**self.known, **self.own})

    def __len__(self):
        return len({**self.known, **self.own})

    def choose(self, key, default):
        return super().get(key, default)


FUNCTIONS: Registry = Registry()


def plain(module, x, by=2.0):
    y = x * by
    return y - x


class Net(nn.Module):
    def __init__(self, kind="attend"):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.kind = kind

    def forward(self, x):
        function = FUNCTIONS.choose(self.kind, plain)
        return function(self, self.fc(x), by=3.0)
"""),
    ),
    prepared(
        "chosen-from-a-dict",
        module("""
def swish(t):
    return t * torch.sigmoid(t)


def scaled(t, by=2.0):
    return t * by


CHOICES = {"swish": swish, "scaled": scaled}


class Net(nn.Module):
    def __init__(self, kind: str = "swish"):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.kind = kind

    def forward(self, x):
        choice = CHOICES[self.kind]
        x = choice(
            self.fc(x),
        )
        return CHOICES["scaled"](x)
"""),
    ),
    prepared(
        "given-the-module-that-calls-it",
        module("""
def attend(module, q, k, mask=None, **kwargs):
    scores = torch.matmul(q, k.transpose(-1, -2)) * module.scale
    if mask is not None:
        scores = scores + mask
    return F.dropout(scores.softmax(-1), p=module.p, training=module.training)


def refuse(module, q, k, mask=None, **kwargs):
    raise ValueError("no")


FUNCTIONS = {"attend": attend, "refuse": refuse}


class Net(nn.Module):
    def __init__(self, kind="attend"):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.scale, self.p, self.kind = 0.5, 0.1, kind

    def forward(self, x):
        function = FUNCTIONS[self.kind]
        return function(self, self.fc(x), x, mask=None) @ x
"""),
    ),
    prepared(
        "decorated-by-what-may-do-nothing",
        module("""
try:
    from kernels_that_nobody_has import replace
except ImportError:

    def replace(name):
        def decorator(function):
            return function

        return decorator


@replace("rotate")
def rotate(a, b):
    return torch.cat((-b, a), dim=-1)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return rotate(self.fc(x), x)
"""),
    ),
    prepared(
        "texts-in-a-row",
        module("""
def twice(t, by=2.0):
    if by < 0:
        raise ValueError(
            "no less than zero: "
            f"{by}"
        )
    return t * by


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return twice(self.fc(x))
"""),
    ),
    declined(
        "decorated-by-what-does-something",
        module("""
import functools


def detached(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*(arg.detach() for arg in args))

    return wrapper


@detached
def mix(a, b):
    return a + b


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return mix(self.fc(x), x)
"""),
        "decorated",
    ),
    prepared(
        "options-by-two-stars",
        net(
            "options = {'dim': 1}\nreturn around(self.fc(x), **options)",
            extra="def around(t, dim=2):\n    return t.flatten(dim, dim + 1) * 2",
        ),
    ),
    prepared(
        "in-a-loop",
        net(
            "for _ in range(2):\n    x = swish(x)\nreturn self.fc(x)",
            extra="def swish(t):\n    return t * torch.sigmoid(t)",
        ),
    ),
    prepared(
        "helper-of-a-helper",
        net(
            "return outer(self.fc(x), x)",
            extra="def inner(t):\n    return F.relu(t) + 1\n\n\ndef outer(a, b):\n    return inner(a) * inner(b)",
        ),
    ),
    prepared(
        "defaults-and-keywords",
        net(
            "return scale(self.fc(x), by=3)",
            extra="def scale(t, by: float = 2.0, *, shift: int = 0):\n    return t * by + shift",
        ),
    ),
    prepared(
        "docstring-and-comments",
        net(
            "return scale(self.fc(x))",
            extra='def scale(t):\n    """Twice.\n\n    As it says.\n    """\n    # doubled\n    return t * 2  # here',
        ),
    ),
    prepared(
        "two-classes",
        module("""
def mix(a, b):
    return a + b


class Left(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return mix(self.fc(x), x)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.left = Left()

    def forward(self, x):
        return mix(self.left(x), x)
"""),
    ),
    prepared(
        "in-another-file",
        {
            "tools.py": "import torch\n\n\ndef gate(a, b):\n    return a * torch.sigmoid(b)\n",
            "model.py": "from torch import nn\n\nfrom tools import gate\n\n\n" + _TWO.format("gate(self.fc(x), x)"),
        },
    ),
    prepared(
        "module-attribute-of-another-file",
        {
            "tools.py": "import torch\n\n\ndef gate(a, b):\n    return a * torch.sigmoid(b)\n",
            "model.py": "from torch import nn\n\nimport tools\n\n\n" + _TWO.format("tools.gate(self.fc(x), x)"),
        },
    ),
    prepared(
        "also-called-outside",
        net("return twice(self.fc(x))", extra="def twice(t):\n    return t * 2\n\n\nEXAMPLE = twice(torch.ones(2))"),
    ),
    prepared("nested-function", net("def gate(t):\n    return t * torch.sigmoid(t)\n\nreturn gate(self.fc(gate(x)))")),
    prepared("closure", net("y = self.fc(x)\n\ndef shifted(n):\n    return y + n\n\nreturn shifted(1) * shifted(2)")),
    prepared(
        "static-method",
        module("""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    @staticmethod
    def gate(t):
        return t * torch.sigmoid(t)

    def forward(self, x):
        return self.gate(self.fc(x))


def example():
    return Net(), (torch.randn(2, 4),)
"""),
    ),
    prepared(
        "class-method",
        module("""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    @classmethod
    def gate(cls, t):
        return t * torch.sigmoid(t)

    def forward(self, x):
        return self.gate(self.fc(x))


def example():
    return Net(), (torch.randn(2, 4),)
"""),
    ),
    prepared(
        "checkpoint",
        net(
            "return checkpoint(self.body, x, use_reentrant=False)\n\ndef body(self, x):\n    return F.relu(self.fc(x)) + x",
            extra="from torch.utils.checkpoint import checkpoint",
        ).replace("        def body(self, x):\n            return", "    def body(self, x):\n        return"),
    ),
    prepared(
        "checkpoint-of-a-closure",
        net(
            "def run(t):\n    return F.relu(self.fc(t)) + t\n\nreturn checkpoint(run, x, use_reentrant=False)",
            extra="from torch.utils.checkpoint import checkpoint",
        ),
    ),
    prepared(
        "recursion",
        net(
            "return down(self.fc(x), 2)",
            extra="def down(t, n):\n    return t if n == 0 else down(F.relu(t) * 0.5, n - 1)",
        ),
    ),
    prepared(
        "partial-of-a-join-mapped",
        net(
            "y = self.fc(x)\na, b = map(partial(torch.cat, dim=-2), ((x, y), (y, x)))\nreturn a * b",
            extra="from functools import partial",
        ),
    ),
    prepared(
        "partial-of-an-activation-mapped",
        net(
            "return torch.stack(list(map(functools.partial(F.softmax, dim=-1), [self.fc(x), x])))",
            extra="import functools",
        ),
    ),
    prepared(
        "partial-of-a-product-mapped",
        net(
            "return torch.stack([*map(functools.partial(torch.mul, self.fc(x)), [x, x])])",
            extra="import functools",
        ),
    ),
    prepared(
        "partial-of-a-dropout-mapped",
        net(
            "a, b = map(p(F.dropout, p=0.5, training=self.training), (self.fc(x), x))\nreturn a + b",
            extra="from functools import partial as p",
        ),
    ),
    declined(
        "partial-with-numpys-name-mapped",
        net(
            "a, b = map(partial(torch.cat, axis=1), ((x, self.fc(x)), (x, x)))\nreturn a + b",
            extra="from functools import partial",
        ),
        "a module with the same parameters",
    ),
    prepared(
        "partial-of-a-reduction",
        net(
            "return functools.reduce(functools.partial(torch.add, alpha=2), [x, self.fc(x), x])",
            extra="import functools",
        ),
    ),
    prepared(
        "list-filled-by-a-nested-function",
        net(
            "maps = []\n\ndef side(t):\n    maps.append(t)\n\ndef fuse():\n    return torch.cat(maps, 1)\n\n"
            "side(self.fc(x))\nside(x)\nreturn fuse()"
        ),
    ),
    prepared(
        "list-filled-and-turned-by-nested-functions",
        net(
            "maps = []\n\ndef side(t):\n    maps.append(self.fc(t))\n\ndef fuse():\n    maps.reverse()\n"
            "    y = torch.stack(maps)\n    return [torch.sigmoid(m) for m in maps], y\n\nside(x)\nreturn fuse()"
        ),
    ),
    prepared(
        "variable-of-its-name",
        net(
            "return corr(self.fc(x), x)",
            extra="def corr(a, b):\n    corr = torch.matmul(a, b.T)\n    return corr / 2",
        ),
    ),
    prepared(
        "function-in-a-variable-of-its-name",
        net(
            "return gate(self.fc(x)) + gate(x)",
            extra="def gate(t):\n    gate = abs\n    return gate(t * 2)",
        ),
    ),
    prepared(
        "loop-over-its-name",
        net(
            "return part(self.fc(x))",
            extra="def part(t):\n    y = 0\n    for part in (t, t * 2):\n        y = y + part\n    return y",
        ),
    ),
    prepared(
        "generator",
        net("return sum(parts(self.fc(x)))", extra="def parts(t):\n    yield t * 2\n    yield t * 3"),
    ),
    declined(
        "cached",
        net(
            "return twice(self.fc(x))",
            extra="import functools\n\n\ndef traced(f):\n    @functools.wraps(f)\n    def run(*a):\n        return f(*a)\n\n    return run\n\n\n@traced\ndef twice(t):\n    return t * 2",
        ),
        "decorated",
    ),
    prepared(
        "passed-around",
        net(
            "return run(twice, self.fc(x))",
            extra="def twice(t):\n    return t * 2\n\n\ndef run(f, t):\n    return f(t)",
        ),
    ),
    prepared(
        "under-no-grad", net("return self.fc(x) + twice(x)", extra="@torch.no_grad()\ndef twice(t):\n    return t * 2")
    ),
    prepared("context-manager-inside", net("with torch.no_grad():\n    y = x * 2\nreturn self.fc(x) + y")),
    prepared("try-inside", net("try:\n    y = self.fc(x) + x\nfinally:\n    self.done = True\nreturn y")),
    prepared("forward-called-directly", net("return self.inner.forward(self.fc(x)) + x", "self.inner = nn.ReLU()")),
    prepared(
        "other-methods-name",
        module("""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def features(self, x):
        return F.relu(self.fc(x))

    def forward(self, x):
        return self.features(x) + x

    def predict(self, x):
        return self.features(x).softmax(-1)
"""),
    ),
    prepared(
        "called-through-what-nobody-knows",
        module("""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.mid = nn.Module()
        self.mid.first = nn.Linear(4, 4)
        self.mid.second = nn.Linear(4, 4)
        self.is_saving = False

    def forward(self, x):
        if self.is_saving:
            x = self.saving(self.mid.first, x)
            x = self.saving(self.mid.second, x)
        else:
            x = self.mid.first(x)
            x = self.mid.second(x)
        return F.relu(x)
"""),
    ),
)

CASES = {14: HELPERS}
