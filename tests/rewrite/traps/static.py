"""Static methods that run operations: modules behind their classes, where nothing else goes by their names (13)."""

from __future__ import annotations

from tests.rewrite.cases import HEADER, Case, declined, prepared

_NET = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    @staticmethod
    def mix(x, y, by=2):
        # A comment inside.
        return F.relu(x + y) * by

    def forward(self, x):
        return self.mix(self.fc(x), x) + Net.mix(x, y=self.fc(x), by=3)
"""
_GATE = """    @staticmethod
    def gate(t: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(t) * t

"""
_SUB = """

class Sub(Net):
    @staticmethod
    def mix(x, y, by=2):
        return torch.tanh(x) * y * by
"""
_USING = """

class Sub(Net):
    def forward(self, x):
        return self.mix(x, self.fc(x)) + super().forward(x)
"""
_IMPORTING = """from base import Net as Base


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return Base.mix(self.fc(x), x)
"""
_FORWARD = """
class Net(nn.Module):
    @staticmethod
    def forward(x):
        return F.relu(x) + x
"""


def _file(source: str, cls: str = "Net", how: str = "") -> str:
    """A file whose `example` makes an instance of a class, and does something to it."""
    example = f"def example():\n    made = {cls}()\n    {how or 'pass'}\n    return made, (torch.randn(2, 4),)\n"
    return HEADER + source.strip() + "\n\n\n" + example


def _net(old: str = "", new: str = "") -> str:
    return _NET.replace(old, new) if old else _NET


STATIC: tuple[Case, ...] = (
    prepared("static-on-self-and-on-the-class", _file(_NET)),
    prepared(
        "static-calls-another",
        _file(_net("# A comment inside.", "y = Net.gate(y)").replace("    def forward", _GATE + "    def forward")),
    ),
    prepared("static-of-a-base", _file(_NET + _USING, "Sub")),
    prepared(
        "static-in-a-loop",
        _file(
            _net(
                "        return self.mix",
                "        for _ in range(2):\n            x = self.mix(x, x)\n        return self.mix",
            )
        ),
    ),
    prepared("static-of-an-imported-class", {"base.py": _file(_NET), "model.py": HEADER + _IMPORTING}),
    declined("static-overridden", _file(_NET + _SUB, "Sub"), "may replace it"),
    declined("static-replaced-on-an-instance", _file(_NET, how="made.mix = lambda x, y, by=2: x"), "may replace it"),
    declined(
        "static-replaced-on-the-class-by-a-name-of-the-run",
        _file(_NET, how="[setattr(Net, name, staticmethod(lambda x, y, by=2: x)) for name in ['mix']]"),
        "may replace it",
    ),
    declined(
        "static-with-a-default-of-the-class",
        _file(_net("    @staticmethod", "    scale = 2\n\n    @staticmethod").replace("by=2", "by=scale")),
        "of its class",
    ),
    declined("static-forward", _file(_FORWARD), "Python or torch calls"),
    prepared(
        "static-under-another-name",
        _file(_net("return self.mix(self.fc(x), x)", "f = self.mix\n        return f(self.fc(x), x)")),
    ),
    prepared(
        "static-called-by-a-static-one-under-another-name",
        _file(
            _net("# A comment inside.", "f = Net.gate\n        y = f(y)").replace(
                "    def forward", _GATE + "    def forward"
            )
        ),
    ),
)

_MUTUAL = """    @staticmethod
    def again(x, y, by):
        return torch.tanh(x) + Net.mix(x, y, by - 1)

"""
_WRAPPED = """

def wrap(cls):
    class Inner(cls):
        @staticmethod
        def mix(x, y, by=2):
            return x

    return Inner


Net = wrap(Net)
"""
_CALL = "return self.mix(self.fc(x), x)"
_METHOD = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    @{decorator}
    def mix(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return F.relu(x) * y

    def forward(self, x):
        return self.mix(self.fc(x), x)
"""
_IGNORED = "from torch.jit import ignore as python_code\n\n\n"
OTHERWISE: tuple[Case, ...] = (
    declined("ignored-by-scripts", _file(_METHOD.format(decorator="torch.jit.ignore")), "no module can be called"),
    declined(
        "ignored-by-scripts-with-an-argument",
        _file(_METHOD.format(decorator="torch.jit.ignore(drop=False)")),
        "no module can be called",
    ),
    declined(
        "ignored-by-scripts-under-another-name",
        _file(_IGNORED + _METHOD.format(decorator="python_code")),
        "no module can be called",
    ),
    prepared("compiled-by-scripts", _file(_METHOD.format(decorator="torch.jit.export"))),
    declined(
        "static-calls-itself-through-another",
        _file(
            _net("return F.relu(x + y) * by", "return F.relu(x) if by < 1 else Net.again(x, y, by)").replace(
                "    def forward", _MUTUAL + "    def forward"
            )
        ),
        "calls itself",
    ),
    declined("static-of-the-class-of-self", _file(_net(_CALL, f"{_CALL} + self.__class__.mix(x, x)")), "as a value"),
    declined(
        "static-in-a-table-of-the-class",
        _file(
            _net(_CALL, f"{_CALL} + self.TABLE['mix'](x, x)").replace(
                "    def forward", "    TABLE = {'mix': mix}\n\n    def forward"
            )
        ),
        "as a value",
    ),
    declined("static-of-a-class-that-is-wrapped", _file(_NET + _WRAPPED), "in other code"),
    declined(
        "static-set-in-the-dict",
        _file(_NET, how="made.__dict__['mix'] = lambda x, y, by=2: x"),
        "may replace it",
    ),
    declined(
        "static-replaced-in-a-class-that-type-makes",
        _file(_NET, how="made = type('Sub', (Net,), {'mix': staticmethod(lambda x, y, by=2: x)})()"),
        "may replace it",
    ),
)

_OF_CLASS = """
class Base(nn.Module):
    BY = 2.0

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    @classmethod
    def mix(cls, x, y=None, *, by=1):
        return F.relu(x if y is None else x + y) * cls.BY * by


class Net(Base):
    BY = 3.0

    def forward(self, x):
        {body}
"""
_OVERRIDDEN = """

class Sub(Net):
    @classmethod
    def mix(cls, x, y=None, *, by=1):
        return torch.tanh(x)
"""
OF_CLASS = (
    prepared("class-method-of-self", _file(_OF_CLASS.format(body="return self.mix(self.fc(x), x, by=2)"))),
    prepared("class-method-of-a-base", _file(_OF_CLASS.format(body="return Base.mix(self.fc(x)) + Base.mix(x)"))),
    prepared("class-method-in-itself", _file(_OF_CLASS.format(body="return self.mix(self.fc(self.mix(x, y=x)))"))),
    prepared(
        "class-method-over-lines",
        _file(_OF_CLASS.format(body="return self.mix(\n            self.fc(x),\n            x,\n        )")),
    ),
    declined(
        "class-method-through-map",
        _file(_OF_CLASS.format(body="return torch.cat(list(map(self.mix, [self.fc(x), x])))")),
        "class",
    ),
    declined(
        "class-method-of-the-next-class",
        _file(_OF_CLASS.format(body="return super().mix(self.fc(x), x)")),
        "class",
    ),
    declined(
        "class-method-that-a-subclass-replaces",
        _file(_OF_CLASS.format(body="return self.mix(self.fc(x))") + _OVERRIDDEN, "Sub"),
        "may replace it",
    ),
)

CASES = {13: (*STATIC, *OTHERWISE, *OF_CLASS)}
