"""14: functions that decorators put into a table, from which code takes one to call it."""

from __future__ import annotations

from tests.rewrite.cases import HEADER, Case, module, prepared

_CLASS = """
class Registry:
    table = {}
    active = "soft"

    @classmethod
    def register(cls, name, checks=()):
        def decorator(function):
            cls.table[name] = function
            return function

        return decorator

    @classmethod
    def find(cls):
        return cls.active, cls.table[cls.active]


"""
_FILE = """
TABLE = {}


def register(name):
    def wrap(function):
        TABLE[name] = function
        return function

    return wrap


"""
_FUNCTIONS = """
@{register}("soft")
def _soft(x: torch.Tensor, scale: float = 2.0):
    return torch.softmax(x, -1) * scale


@{register}("hard")
def _hard(x: torch.Tensor, scale: float = 1.0):
    return F.hardtanh(x)


@{register}("plain")
def _plain(x: torch.Tensor, scale: float = 1.0):
    return x


def run(x: torch.Tensor, name=None):
    {find}
    return function(**dict(x=x, scale=3.0))


"""
_NET = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return run(run(self.fc(x)), "hard")
"""


def _using(table: str, register: str, find: str) -> str:
    return table + _FUNCTIONS.format(register=register, find=find) + _NET


_GET = "function = Registry.table.get(name or 'soft')"
_IN_ONE_FILE = {
    "of-a-class": _using(_CLASS, "Registry.register", _GET),
    "of-a-class-by-a-method": _using(
        _CLASS, "Registry.register", f"_, function = Registry.find()\n    if name:\n        {_GET}"
    ),
    "of-a-class-by-an-item": _using(_CLASS, "Registry.register", "function = Registry.table[name or 'soft']"),
    "of-a-file": _using(_FILE, "register", "function = TABLE[name or 'soft']"),
    "of-a-file-by-a-method": _using(
        _FILE.replace("TABLE[name] = function", "TABLE.setdefault(name, function)"),
        "register",
        "function = TABLE.get(name or 'soft')",
    ),
    "in-a-list": _using(
        _FILE.replace("{}", "[]").replace("TABLE[name] = function", "TABLE.append(function)"),
        "register",
        "function = TABLE[0]",
    ),
    "by-the-decorator-itself": _using(
        "TABLE = []\n\n\ndef register(function):\n    TABLE.append(function)\n    return function\n\n\n",
        "register",
        "function = TABLE[0]",
    )
    .replace('("soft")', "")
    .replace('("hard")', "")
    .replace('("plain")', ""),
}

REGISTRIES: tuple[Case, ...] = (
    *(prepared(f"function-in-a-table-{name}", module(source)) for name, source in _IN_ONE_FILE.items()),
    prepared(
        "function-in-a-table-of-another-file",
        {
            "tables.py": _CLASS.strip() + "\n",
            "model.py": HEADER
            + "from tables import Registry\n\n"
            + _FUNCTIONS.format(register="Registry.register", find=_GET)
            + _NET,
        },
    ),
)

CASES: dict[int, tuple[Case, ...]] = {14: REGISTRIES}
