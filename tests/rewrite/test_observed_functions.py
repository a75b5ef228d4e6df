"""Functions that an attribute holds, or that a handler sees: no fix changes what other code finds of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from qprep.foundation.findings import Fix, Rejection
from tests.equivalence import differences, observe
from tests.rewrite.cases import module
from tests.rewrite.running import fix, fix_unharmed, write

_HELD = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.act = F.gelu
{method}

    def forward(self, x):
        return self.act(self.fc(x))


def example():
    net = Net()
    {statement}
    return net, (torch.randn(2, 4),)
"""
_METHOD = "\n    def use(self, act):\n        self.act = act"
_MARK = "net.fc.bias.data.fill_({} / 7)"
IN_A_METHOD = "net.use(torch.tanh)"
STATEMENTS = {
    "set-outside": "net.act = torch.tanh",
    "set-by-name": 'setattr(net, "act", torch.tanh)',
    "named": _MARK.format("len(net.act.__name__)"),
    "compared": _MARK.format("(net.act is F.gelu)"),
    "kept": "act = net.act\n    " + _MARK.format("len(act.__name__)"),
    "shown": _MARK.format("len(repr(net))"),
    "counted": _MARK.format("len(list(net.children()))"),
    "in-its-table": _MARK.format('("act" in net.__dict__)'),
    "listed-by-vars": _MARK.format("len(sorted(k for k in vars(net) if k[0] != '_'))"),
    "listed-by-its-table": _MARK.format("len(list(net.__dict__))"),
    "listed-by-its-values": _MARK.format("sum(map(callable, net.__dict__.values()))"),
}

_MODE = """
from torch.overrides import TorchFunctionMode


class Doubling(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        return result * 2 if {test} else result


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return self.fc(x) + x


class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = Net()

    def forward(self, x):
        with Doubling():
            return self.net(x)


def example():
    return Outer(), (torch.randn(2, 4),)
"""
TESTS = {
    "identity": "func is torch.Tensor.add",
    "membership": "func in (torch.Tensor.add, torch.Tensor.__add__)",
    "name": 'func.__name__ == "add"',
}
SOURCES = {
    "held-set-in-a-method": _HELD.format(method=_METHOD, statement=IN_A_METHOD),
    **{f"held-{name}": _HELD.format(method="", statement=text) for name, text in STATEMENTS.items()},
    **{f"mode-{name}": _MODE.replace("{test}", text) for name, text in TESTS.items()},
}


@pytest.mark.parametrize("source", [pytest.param(text, id=name) for name, text in SOURCES.items()])
def test_the_safe_fixes_change_nothing_that_other_code_finds(source: str, tmp_path: Path) -> None:
    result = fix_unharmed(module(source), tmp_path)
    left = [finding for finding in result.remaining if finding.stands_in_the_way]
    assert all(isinstance(f.fix, Rejection) or (isinstance(f.fix, Fix) and "not proven" in f.notes[0]) for f in left)
    assert left


# Handlers that see no difference: the function that they ask for is another, or they read its arguments either way.
_ATTENTION = """
from torch.overrides import TorchFunctionMode


class Skip(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        if kwargs is None:
            kwargs = {}
        if func is F.scaled_dot_product_attention:
            {read}
            return value
        return func(*args, **kwargs)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        q = self.fc(x)[None]
        return F.scaled_dot_product_attention(q, q, {value}x[None]) + F.relu(q)


class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = Net()

    def forward(self, x):
        with Skip():
            return self.net(x)


def example():
    return Outer(), (torch.randn(2, 4),)
"""
_EITHER = 'value = kwargs.get("value", None)\n            value = value if value is not None else args[2]'
READS = {
    "either-way": (_EITHER, "", 3),
    "either-way-by-name": (_EITHER, "value=", 3),
    "by-name-alone": ('value = kwargs["value"]', "value=", 2),
    "by-position-alone": ("value = args[2]", "", 2),
    "at-another-position": (_EITHER.replace("2]", "1]"), "", 2),
    "by-their-number": ("value = args[len(args) - 1]\n            assert len(args) == 3", "", 2),
}


@pytest.mark.parametrize(("read", "value", "fixed"), READS.values(), ids=READS.keys())
def test_a_handler_sees_only_the_function_that_it_asks_for(read: str, value: str, fixed: int, tmp_path: Path) -> None:
    result = fix_unharmed(module(_ATTENTION.replace("{read}", read).replace("{value}", value)), tmp_path)
    assert len([f for f in result.fixed if f.code.startswith("QP")]) == fixed


# Handlers that run every function of torch, and what they record of the arguments.
_RECORDING = """
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map

SEEN = []


class Record(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        {body}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return F.gelu(self.fc(x))


class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = Net()

    def forward(self, x):
        SEEN.clear()
        with Record():
            y = self.net(x)
        return y * len(str(SEEN))


def example():
    return Outer(), (torch.randn(2, 4),)
"""
_RUN = "\n        return func(*args, **(kwargs or {}))"
RECORDS = {
    "number": "SEEN.append(len(args))" + _RUN,
    "names": "SEEN.append(sorted(kwargs or {}))" + _RUN,
    "both": "SEEN.append((len(args), sorted(kwargs or {})))" + _RUN,
    "in-a-variable": "count = len(args) + len(kwargs or {})\n        SEEN.append(count)" + _RUN,
    "loop": "for arg in args:\n            SEEN.append(1)" + _RUN,
    "loop-over-names": "for name in kwargs or {}:\n            SEEN.append(name)" + _RUN,
    "second": "SEEN.append(args[1:])" + _RUN,
    "one-name": "SEEN.append((kwargs or {}).get('approximate'))" + _RUN,
    "copy": "mine = dict(kwargs or {})\n        SEEN.append(mine)" + _RUN,
    "behind-a-test-of-another": "SEEN.append(kwargs)\n        if func is torch.add:\n            return args[0]" + _RUN,
}
NO_RECORDS = {
    "calls": "SEEN.append(1)" + _RUN,
    "first": "SEEN.append(args[0].shape)" + _RUN,
    "normalized": "kwargs = {} if kwargs is None else kwargs\n        return func(*args, **kwargs)",
    "normalized-by-or": "kwargs = kwargs or {}\n        return func(*args, **kwargs)",
    "replaced": "args = tree_map(lambda a: a, args)" + _RUN,
    "replaced-in-a-variable": "mine = tuple(a for a in args)\n        return func(*mine, **(kwargs or {}))",
    "of-another": "if func is torch.add:\n            SEEN.append(len(args))" + _RUN,
    "of-another-behind-a-return": "if func is not torch.add:\n    "
    f"        return func(*args, **(kwargs or {{}}))\n        SEEN.append(args){_RUN}",
}


def _fixed_of_recorded(folder: Path, body: str) -> int:
    """The number of fixes that are applied; what the program computes stays."""
    files = {"model.py": module(_RECORDING.replace("{body}", body))}
    write(folder / "before", files)
    result = fix(write(folder / "after", files), write=True)
    before, after = observe(folder / "before"), observe(folder / "after")
    assert before.runs["eval"].tensors, before.runs["eval"].error
    assert differences(before, after) == []
    return len([f for f in result.fixed if f.code == "QP301"])


@pytest.mark.parametrize("body", RECORDS.values(), ids=RECORDS.keys())
def test_a_handler_that_records_arguments_makes_fixes_unsafe(body: str, tmp_path: Path) -> None:
    assert _fixed_of_recorded(tmp_path, body) == 0


@pytest.mark.parametrize("body", NO_RECORDS.values(), ids=NO_RECORDS.keys())
def test_a_handler_that_gives_arguments_on_sees_no_difference(body: str, tmp_path: Path) -> None:
    assert _fixed_of_recorded(tmp_path, body) == 1
