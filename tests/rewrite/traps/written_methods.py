"""Methods that are no `def` in their class, instances made on lines with other code, names joined from texts."""

from __future__ import annotations

from tests.rewrite.cases import Case, declined, module, net, prepared

_LAMBDAS = (
    prepared(
        "forward-is-a-lambda",
        module("""
            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(4, 4)

                forward = lambda self, x: F.relu(self.fc(x)) + x
        """),
    ),
    prepared(
        "lambda-on-several-lines",
        module("""
            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(4, 4)

                forward = lambda self, x: (
                    F.relu(self.fc(x))
                    + x
                )
        """),
    ),
    prepared(
        "lambda-in-a-class-without-constructor",
        module("""
            class Act(nn.Module):
                forward = lambda self, x: x * torch.sigmoid(x)


            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(4, 4)
                    self.act = Act()

                scale = lambda self, x, k=2.0: x * k

                def forward(self, x):
                    return self.scale(self.act(self.fc(x)), k=3)
        """),
    ),
)
_FUNCTIONS = (
    prepared(
        "forward-is-a-function-of-the-file",
        module("""
            def run(self, x):
                return F.relu(self.fc(x)) + x


            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(4, 4)

                forward = run
        """),
    ),
    prepared(
        "function-in-a-class-without-constructor",
        module("""
            def run(self, x):
                y = torch.sigmoid(x)
                return x * y


            class Act(nn.Module):
                forward = run


            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(4, 4)
                    self.act = Act()

                def forward(self, x):
                    return self.act(self.fc(x))
        """),
    ),
    declined(
        "function-of-two-classes",
        module("""
            def run(self, x):
                return F.relu(self.fc(x)) + x


            class Block(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(4, 4)

                forward = run


            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(4, 4)
                    self.block = Block()

                other = run

                def forward(self, x):
                    return self.block(self.fc(x))
        """),
        "has a variable called self",
    ),
)
_TYPE_CALLS = (
    prepared(
        "class-made-by-type",
        module("""
            def run(self, x):
                return F.relu(self.fc(x)) + x


            def init(self):
                nn.Module.__init__(self)
                self.fc = nn.Linear(4, 4)


            Net = type("Net", (nn.Module,), {"__init__": init, "forward": run})
        """),
    ),
    declined(
        "class-made-by-type-without-constructor",
        module("""
            class Base(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(4, 4)


            def run(self, x):
                return torch.tanh(self.fc(x)) * x


            Net = type("Net", (Base,), dict(forward=run))
        """),
        "call of `type`",
    ),
)
_LINES = (
    prepared(
        "shared-and-reused-instance-first-on-one-line",
        module("""
            ACT = nn.ReLU()


            class Block(nn.Module):
                def __init__(self): super().__init__(); self.act = ACT; self.fc = nn.Linear(4, 4)

                def forward(self, x):
                    return self.act(self.fc(x)) + self.act(x)


            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.a, self.b = Block(), Block()

                def forward(self, x):
                    return self.a(self.b(x))
        """),
    ),
    prepared(
        "shared-and-reused-instance-last-on-one-line",
        module("""
            ACT = nn.ReLU()


            class Block(nn.Module):
                def __init__(self): super().__init__(); self.fc = nn.Linear(4, 4); self.act = ACT

                def forward(self, x):
                    return self.act(self.fc(x)) + self.act(x)


            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.a, self.b = Block(), Block()

                def forward(self, x):
                    return self.a(self.b(x))
        """),
    ),
    prepared(
        "shared-and-reused-instance-last-in-brackets-on-one-line",
        module("""
            ACT = nn.ReLU()


            class Block(nn.Module):
                def __init__(self): super().__init__(); self.fc = nn.Linear(4, 4); self.act = (ACT)

                def forward(self, x):
                    return self.act(self.fc(x)) + self.act(x)


            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.a, self.b = Block(), Block()

                def forward(self, x):
                    return self.a(self.b(x))
        """),
    ),
    prepared(
        "reused-instance-made-on-one-line",
        module("""
            class Net(nn.Module):
                def __init__(self): super().__init__(); self.fc = nn.Linear(4, 4); self.act = nn.ReLU()

                def forward(self, x): x = self.act(x); x = self.fc(x); return self.act(x)
        """),
    ),
    prepared(
        "reused-instance-before-a-semicolon",
        module("""
            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(4, 4); self.act = nn.ReLU();  # both

                def forward(self, x):
                    return self.act(self.fc(self.act(x)))
        """),
    ),
    prepared(
        "reused-instance-in-a-branch-on-one-line",
        module("""
            class Net(nn.Module):
                def __init__(self, relu=True):
                    super().__init__()
                    self.fc = nn.Linear(4, 4)
                    if relu: self.act = nn.ReLU()
                    else: self.act = nn.Tanh()

                def forward(self, x):
                    return self.act(self.fc(self.act(x)))
        """),
    ),
)
_HELD = (
    prepared(
        "own-function-or-torch-in-a-lambda-module",
        module("""
            class Lambda(nn.Module):
                def __init__(self, fn):
                    super().__init__()
                    self.fn = fn

                def forward(self, x):
                    return self.fn(x)


            def swish(x):
                return x * x.sigmoid()


            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.net = nn.Sequential(nn.Linear(4, 4), Lambda(swish), nn.Linear(4, 4), Lambda(torch.relu))

                def forward(self, x):
                    return self.net(x)
        """),
    ),
)
_NAMES = (
    prepared(
        "name-joined-with-a-number",
        net(
            "for i in range(1, 3):\n    x = getattr(self, 'l' + str(i))(x) + x\nreturn x",
            "self.l1 = nn.Linear(4, 4)\nself.l2 = nn.Linear(4, 4)",
        ),
    ),
    prepared(
        "name-joined-of-three-parts",
        net(
            "for i in range(1, 3):\n    x = getattr(self, 'l' + str(i) + '_fc')(x) + x\nreturn x",
            "self.l1_fc = nn.Linear(4, 4)\nself.l2_fc = nn.Linear(4, 4)",
        ),
    ),
)

_DECORATORS = (
    prepared(
        "wrapper-of-a-forward",
        module("""
            import functools


            def residual(fn):
                @functools.wraps(fn)
                def inner(self, x):
                    return x + fn(self, x)

                return inner


            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(4, 4)

                @residual
                def forward(self, x):
                    return F.gelu(self.fc(x))
        """),
    ),
    prepared(
        "wrapper-of-a-factory-of-decorators-runs-twice",
        module("""
            def scaled(by):
                def decorator(fn):
                    def inner(self, *args, **settings):
                        return fn(self, *args, **settings) * by

                    return inner

                return decorator


            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(4, 4)

                @scaled(by=2.0)
                def body(self, x):
                    return F.gelu(x)

                def forward(self, x):
                    return self.body(self.fc(self.body(x)))
        """),
    ),
    prepared(
        "wrapper-in-another-file",
        {
            "wrappers.py": module("""
                def dropped(fn):
                    def wrapper(self, x):
                        x = F.dropout(fn(self, x), self.p, self.training)
                        return torch.cat([x, x], dim=-1)

                    return wrapper
            """),
            "model.py": module("""
                from wrappers import dropped


                class Base(nn.Module):
                    def __init__(self):
                        super().__init__()
                        self.fc, self.p = nn.Linear(4, 4), 0.3

                    @dropped
                    def body(self, x):
                        return self.fc(x)


                class Net(Base):
                    def forward(self, x):
                        return self.body(x) * 2
            """),
        },
    ),
    declined(
        "wrapper-of-two-methods",
        module("""
            def residual(fn):
                def inner(self, x):
                    return x + fn(self, x)

                return inner


            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(4, 4)

                @residual
                def body(self, x):
                    return F.gelu(self.fc(x))

                @residual
                def forward(self, x):
                    return self.body(x)
        """),
        "has a variable called self",
    ),
    declined(
        "wrapper-that-does-not-name-self",
        module("""
            def doubled(fn):
                def inner(*args):
                    return fn(*args) * 2

                return inner


            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(4, 4)

                @doubled
                def forward(self, x):
                    return F.gelu(self.fc(x))
        """),
        "defined inside it",
    ),
)

_GUARDED = """
class Guarded(nn.Module):
    {flag}

    def __setattr__(self, name, value):
        if {test}:
            raise AttributeError(name)
        super().__setattr__(name, value)


class Net(Guarded):
    def __init__(self):
        super().__init__()
        {init}

    def forward(self, x):
        return self.act(self.fc(self.act(x))) + x
"""
_OPEN = "self.fc, self.n = nn.Linear(4, 4), 2\n        self.act = nn.ReLU()\n        self.frozen = True"


def _guarded(test: str, init: str = _OPEN, flag: str = "frozen = False") -> str:
    return module(_GUARDED.format(test=test, init=init, flag=flag))


_GUARDS = (
    prepared("no-new-names-once-frozen", _guarded("self.frozen and not hasattr(self, name)")),
    prepared(
        "no-new-names-by-a-default",
        _guarded("getattr(self, 'frozen', False) and name not in dir(self)", flag="pass"),
    ),
    declined(
        "test-of-the-value", _guarded("self.frozen and value is not None and not hasattr(self, name)"), "__setattr__"
    ),
    declined(
        "test-of-the-spelling",
        _guarded("self.frozen and not name.startswith('_')", init=_OPEN.rpartition(chr(10))[0]),
        "__setattr__",
    ),
    declined(
        "nothing-is-set-by-a-call",
        module("""
            class Net(nn.Module):
                frozen = False

                def __init__(self):
                    super().__init__()
                    self.k = 2.0
                    self.frozen = True

                def __setattr__(self, name, value):
                    if self.frozen and not hasattr(self, name):
                        raise AttributeError(name)
                    super().__setattr__(name, value)

                def forward(self, x):
                    return F.relu(x) * self.k
        """),
        "sets no attribute",
    ),
)

CASES: dict[int, tuple[Case, ...]] = {
    13: _HELD,
    14: _DECORATORS,
    15: (*_LAMBDAS, *_FUNCTIONS, *_TYPE_CALLS),
    16: _NAMES,
    20: _LINES,
}
