"""15: inheritance."""

from __future__ import annotations

from tests.rewrite.cases import Case, declined, module, prepared

_BASE = """
class Base(nn.Module):
    def __init__(self{}):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return F.relu(self.fc(x)) + x
"""

INHERITANCE: tuple[Case, ...] = (
    prepared("forward-in-the-base", module(_BASE.format("") + "\n\nclass Net(Base):\n    pass\n")),
    prepared(
        "child-overrides-init",
        module(
            _BASE.format("")
            + """

class Net(Base):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4, bias=False)
"""
        ),
    ),
    prepared(
        "child-overrides-forward",
        module(
            _BASE.format("")
            + """

class Net(Base):
    def forward(self, x):
        return torch.tanh(super().forward(x)) * 2
"""
        ),
    ),
    prepared(
        "child-with-arguments",
        module(
            _BASE.format(", n=1, *, bias: bool = True")
            + """

class Net(Base):
    def forward(self, x):
        return super().forward(x) * 2


class Use(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = Net(2, bias=False)

    def forward(self, x):
        return self.net(x)
"""
        ),
    ),
    prepared(
        "old-style-super",
        module(
            _BASE.format("")
            + """

class Net(Base):
    def __init__(self):
        super(Net, self).__init__()
        self.more = nn.Linear(4, 4)

    def forward(self, x):
        return self.more(super(Net, self).forward(x)) * 2
"""
        ),
    ),
    prepared(
        "base-called-by-name",
        module(
            _BASE.format("")
            + """

class Net(Base):
    def __init__(self):
        Base.__init__(self)

    def forward(self, x):
        return Base.forward(self, x) * 2
"""
        ),
    ),
    declined(
        "child-skips-the-constructor",
        module(
            _BASE.format("")
            + """

class Net(Base):
    def __init__(self):
        nn.Module.__init__(self)
        self.fc = nn.Linear(4, 4)
"""
        ),
        "does not run the constructor of `Base`",
    ),
    declined(
        "child-starts-above",
        module(
            _BASE.format("")
            + """

class Net(Base):
    def __init__(self):
        super(Base, self).__init__()
        self.fc = nn.Linear(4, 4)
"""
        ),
        "does not run the constructor of `Base`",
    ),
    prepared(
        "no-init-at-all",
        module("""
class Add(nn.Module):
    def forward(self, a, b):
        return F.relu(a + b)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.add = Add()

    def forward(self, x):
        return self.add(self.fc(x), x)
"""),
    ),
    prepared(
        "subclass-of-a-torch-layer",
        module("""
class Net(nn.Linear):
    def __init__(self):
        super().__init__(4, 4)

    def forward(self, x):
        return F.relu(super().forward(x)) + x
"""),
    ),
    prepared(
        "subclass-of-a-torch-layer-without-init",
        module("""
class Gated(nn.Linear):
    def forward(self, x):
        return torch.sigmoid(super().forward(x)) * x


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.gated = Gated(4, 4, bias=False)

    def forward(self, x):
        return self.gated(x)
"""),
    ),
    prepared(
        "forward-by-another-name",
        module("""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def _forward_impl(self, x):
        return F.relu(self.fc(x)) + x

    forward = _forward_impl
"""),
    ),
    prepared(
        "mixin",
        module("""
class Gate:
    def gate(self, x):
        return x * torch.sigmoid(x)


class Net(Gate, nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return self.fc(x) + x
"""),
    ),
    prepared(
        "operation-in-a-mixin",
        module("""
class Gate:
    def gate(self, x):
        return x * torch.sigmoid(x)


class Net(Gate, nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return self.gate(self.fc(x))
"""),
    ),
    prepared(
        "abstract-base",
        module("""
class Base(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def body(self, x):
        raise NotImplementedError

    def forward(self, x):
        return self.body(self.fc(x)) + x


class Net(Base):
    def body(self, x):
        return F.relu(x)
"""),
    ),
    prepared(
        "a-constructor-skipped-with-a-forward-of-its-own",
        module(
            _BASE.format("")
            + """

class Bare(Base):
    def __init__(self):
        nn.Module.__init__(self)
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return self.fc(x)


class Net(Base):
    def __init__(self):
        super().__init__()
        self.bare = Bare()

    def forward(self, x):
        return super().forward(self.bare(x))
"""
        ),
    ),
    declined(
        "a-constructor-skipped-and-the-forward-of-the-base",
        module(
            _BASE.format("")
            + """

class Net(Base):
    def __init__(self):
        nn.Module.__init__(self)
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return Base.forward(self, x)
"""
        ),
        "does not run the constructor of `Base`",
    ),
    prepared(
        "a-constructor-reached-past-the-base",
        module(
            _BASE.format("")
            + """

class Mid(Base):
    def __init__(self):
        super().__init__()
        self.extra = nn.Linear(4, 4)


class Above(Mid):
    def __init__(self):
        super().__init__()
        self.more = nn.Linear(4, 4)


class Net(Above):
    def __init__(self):
        Mid.__init__(self)
        self.other = nn.Linear(4, 4)
"""
        ),
    ),
    declined(
        "a-constructor-run-on-another-object",
        module(
            _BASE.format("")
            + """

class Net(Base):
    def __init__(self):
        nn.Module.__init__(self)
        self.fc = nn.Linear(4, 4)
        other = Base()
        Base.__init__(other)
"""
        ),
        "does not run the constructor of `Base`",
    ),
    declined(
        "a-constructor-that-a-mixin-does-not-go-on-to",
        module(
            _BASE.format("")
            + """

class Own(nn.Module):
    def __init__(self):
        nn.Module.__init__(self)
        self.fc = nn.Linear(4, 4)


class Net(Own, Base):
    pass
"""
        ),
        "does not run the constructor of `Base`",
    ),
)

CASES = {15: INHERITANCE}
