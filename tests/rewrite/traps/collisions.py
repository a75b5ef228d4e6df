"""6: new attributes whose name is taken."""

from __future__ import annotations

from tests.rewrite.cases import Case, declined, module, net, prepared

_CHILD = """
from base import Base


class Net(Base):
    def __init__(self):
        super().__init__()
        {}

    def forward(self, x):
        return {}
"""

_BASE = """
from torch import nn


class Base(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        {}

    def forward(self, x):
        return {}
"""

_FINDS = """
class Net({base}):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def __getattr__(self, name):
        {body}

    def forward(self, x):
        return F.relu(self.fc(x)) + x
"""
_FINDERS = {
    "before-the-module's": (
        "nn.Module",
        "if name.startswith('r'):\n            return abs\n        return super().__getattr__(name)",
    ),
    "by-another-name": ("nn.Module", "return super().__getattr__(name.removesuffix('_1'))"),
    "from-a-table": (
        "nn.Module",
        "found = {'relu_1': abs}\n        return found[name] if name in found else super().__getattr__(name)",
    ),
}

_TABLE = """
class Table(dict):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        for key, value in kwargs.items():
            setattr(self, key, value)
{methods}

class Settings:
    def register(self, **kwargs):
        self.__dict__["_table"] = self._table = {made}

    def __getattr__(self, name):
        raise AttributeError(name)


class Base(nn.Module):
    def __getattr__(self, name):
{body}
        return super().__getattr__(name)


class Net(Base, Settings):
    def __init__(self):
        super().__init__()
        self.register(relu=2)
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return F.relu(self.fc(x)) + x
"""
_ASKED = """        known = "_table" in self.__dict__ and hasattr(self.__dict__["_table"], name)
        is_own = name in self.__dict__
        if known and not is_own:
            return getattr(self._table, name)"""
_MORE = """
    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return abs
"""
_PLAIN = """
class Table:
    def __init__(self, **kwargs):
        pass

    def decode(self, x):
        return torch.exp(x)
"""
_TABLES = {
    "one-condition": (
        "Table(**kwargs)",
        _ASKED.replace(" and not is_own", "").replace("        is_own = name in self.__dict__\n", ""),
        "",
    ),
    "two-conditions": ("Table(**kwargs)", _ASKED, ""),
    "conditions-in-place": (
        "Table(**kwargs)",
        "        if '_table' in self.__dict__ and hasattr(self._table, name):\n            return self._table[name]",
        "",
    ),
}
_NO_TABLES = {
    "that-has-any-name": ("Table(**kwargs)", _ASKED, _MORE),
    "that-is-a-module": ("nn.Linear(4, 4)", _ASKED, ""),
    "that-is-unknown": ("kwargs", _ASKED, ""),
    "behind-another-condition": ("Table(**kwargs)", _ASKED.replace("hasattr", "name[:1] == 'q' and not hasattr"), ""),
    "behind-either-condition": (
        "Table(**kwargs)",
        _ASKED.replace(" and hasattr", " and name[:1] == 'q' or hasattr"),
        "",
    ),
    "under-another-name": ("Table(**kwargs)", "        name = name.strip('*')\n" + _ASKED, ""),
    "that-changes": ("Table(**kwargs)", _ASKED.replace("is_own =", "known ="), ""),
}

COLLISIONS: tuple[Case, ...] = (
    *(
        prepared(f"asks-a-table-first-{name}", module(_TABLE.format(made=made, body=body, methods=methods)))
        for name, (made, body, methods) in _TABLES.items()
    ),
    *(
        declined(
            f"asks-a-table-first-{name}",
            module(_TABLE.format(made=made, body=body, methods=methods)),
            "`Base` defines __getattr__",
        )
        for name, (made, body, methods) in _NO_TABLES.items()
    ),
    declined(
        "asks-an-object-with-operations-first",
        module(
            _PLAIN
            + _TABLE[_TABLE.index("class Settings") - 2 :]
            .format(made="Table(**kwargs)", body=_ASKED)
            .replace("self.register(relu=2)", "self._table = Table()")
            .replace("+ x", "+ self._table.decode(x)")
        ),
        "`Base` defines __getattr__",
    ),
    prepared("layer-of-that-name", net("return self.add(self.fc(x) + x)", "self.add = nn.Linear(4, 4)")),
    prepared("number-of-that-name", net("return F.relu(self.fc(x)) * self.relu", "self.relu = 2")),
    prepared(
        "buffer-of-that-name",
        net("return (self.fc(x) - self.mean) + x.mean()", "self.register_buffer('mean', torch.ones(4))"),
    ),
    prepared(
        "method-of-that-name",
        module("""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def add(self, a, b):
        return a + b

    def forward(self, x):
        return self.add(self.fc(x), x) + x
"""),
    ),
    prepared(
        "property-of-that-name",
        module("""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    @property
    def relu(self):
        return self.fc

    def forward(self, x):
        return F.relu(self.relu(x))
"""),
    ),
    prepared(
        "class-attribute-of-that-name",
        module("""
class Net(nn.Module):
    mul = 3

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return self.fc(x) * self.mul
"""),
    ),
    prepared(
        "annotation-of-that-name",
        module("""
class Net(nn.Module):
    mul: int

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        setattr(self, "mul", 3)

    def forward(self, x):
        return self.fc(x) * self.mul
"""),
    ),
    prepared("set-by-name", net("return (self.fc(x) + x) * self.add", "setattr(self, 'add', 2)")),
    prepared("asked-by-name", net("y = F.relu(self.fc(x))\nreturn y.flip(0) if hasattr(self, 'relu') else y")),
    prepared("fetched-by-name", net("y = F.relu(self.fc(x))\nreturn getattr(self, 'relu', None) or y")),
    prepared(
        "base-in-another-file",
        {
            "base.py": _BASE.format("self.relu = 2", "self.fc(x)"),
            "model.py": "import torch.nn.functional as F\n"
            + _CHILD.format("self.n = 1", "F.relu(self.fc(x)) * self.relu").lstrip(),
        },
    ),
    prepared(
        "subclass-in-another-file",
        {
            "base.py": _BASE.format("self.n = 1", "self.fc(x) + x"),
            "model.py": _CHILD.format("self.add = 3", "super().forward(x) * self.add").lstrip(),
        },
    ),
    prepared(
        "method-of-a-subclass",
        {
            "base.py": _BASE.format("self.n = 1", "self.fc(x) + x"),
            "model.py": _CHILD.format(
                "self.n = 2\n\n    def add(self, t):\n        return t * self.n", "self.add(super().forward(x))"
            ).lstrip(),
        },
    ),
    prepared(
        "both-ends-of-a-family",
        {
            "base.py": _BASE.format("self.n = 1", "self.fc(x) + x"),
            "model.py": _CHILD.format("self.n = 2", "super().forward(x) + x").lstrip(),
        },
    ),
    prepared(
        "siblings",
        module("""
class Base(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)


class Left(Base):
    def forward(self, x):
        return self.fc(x) + x


class Right(Base):
    def __init__(self):
        super().__init__()
        self.add = nn.Linear(4, 4)

    def forward(self, x):
        return self.add(self.fc(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.left, self.right = Left(), Right()

    def forward(self, x):
        return self.right(self.left(x))
"""),
    ),
    prepared(
        "asked-from-outside",
        module("""
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return F.relu(self.fc(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.block = Block()

    def forward(self, x):
        y = self.block(x)
        return y.flip(0) if hasattr(self.block, "relu") else y
"""),
    ),
    prepared(
        "missing-attributes-are-forwarded",
        module("""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.fc, name)

    def forward(self, x):
        return F.relu(self.fc(x)) * self.in_features
"""),
    ),
    *(
        declined(f"missing-attributes-{name}", module(_FINDS.format(base=base, body=body)), "defines __getattr__")
        for name, (base, body) in _FINDERS.items()
    ),
    prepared(
        "missing-attributes-by-name",
        module(
            _FINDS.format(
                base="nn.Module",
                body="if name == 'scale':\n            return 3.0\n        return super().__getattr__(name)",
            )
        ),
    ),
    declined(
        "attributes-set-by-hand",
        module("""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def __setattr__(self, name, value):
        if isinstance(value, nn.ReLU):
            raise TypeError(name)
        super().__setattr__(name, value)

    def forward(self, x):
        return F.relu(self.fc(x))
"""),
        "__setattr__",
    ),
    prepared(
        "numbered-layers",
        net(
            "for i in range(2):\n    x = getattr(self, f'relu_{i}')(F.relu(F.relu(x)))\nreturn self.fc(x)",
            "for i in range(2):\n    setattr(self, f'relu_{i}', nn.Linear(4, 4))",
        ),
    ),
    prepared(
        "names-of-nn-module",
        net("y = self.fc(x)\nreturn torch.half_copy(y) if hasattr(torch, 'half_copy') else y.float() * 2"),
    ),
)

CASES = {6: COLLISIONS}
