"""Copies that do not run the constructor, tracers of the project, and hooks for every module."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rewrite.cases import module
from tests.rewrite.running import fix, write

_MODEL = """
import copy
import copyreg
import torch.fx
from torch.fx import Interpreter, Tracer
from torch.nn.modules import module as tables
from torch.nn.modules.module import _global_forward_pre_hooks as pre_hooks
from torch.utils import flop_counter, module_tracker


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.cache = None
{methods}
    def forward(self, x):
        return F.relu(self.fc(x)) + x


def blank(cls, fc):
    net = object.__new__(cls)
    nn.Module.__init__(net)
    net.fc = fc
    return net


class Count(Interpreter):
    def call_function(self, target, args, kwargs):
        print(target)
        return super().call_function(target, args, kwargs)


class Leaves(Tracer):
    def is_leaf_module(self, module, name):
        print(name)
        return True


net = Net()
{code}
"""
_STATE = "\n    def __getstate__(self):\n        {body}\n"
METHODS = {
    "no-children": _STATE.format(body='return {**self.__dict__, "_modules": {"fc": self.fc}}'),
    "changed-table": _STATE.format(body='s = dict(vars(self)); s["_modules"] = {"fc": self.fc}; return s'),
    "tensors-alone": _STATE.format(body='return {"fc": self.fc}'),
    "deep-copy": "\n    def __deepcopy__(self, memo):\n        new = copy.copy(self)\n"
    '        new._modules = {"fc": self.fc}\n        return new\n',
}
CODE = {
    "table": 'twin = copy.copy(net)\ntwin._modules = {"fc": net.fc}',
    "table-by-setattr": 'twin = copy.copy(net)\nobject.__setattr__(twin, "_modules", {"fc": net.fc})',
    "table-by-key": 'twin = copy.copy(net)\ntwin.__dict__["_modules"] = {"fc": net.fc}',
    "table-by-update": 'twin = copy.copy(net)\nvars(twin).update(_modules={"fc": net.fc})',
    "reducer": "copyreg.pickle(Net, lambda n: (blank, (type(n), n.fc)))\ncopy.deepcopy(net)",
    "reduce": "def reduce(n):\n    return blank, (type(n), n.fc)\nNet.__reduce__ = reduce\ncopy.deepcopy(net)",
    "interpreter": "Count(torch.fx.symbolic_trace(net)).run(torch.ones(1, 4))",
    "interpreter-renamed": "K = Count\nK(torch.fx.symbolic_trace(net)).run(torch.ones(1, 4))",
    "tracer": "Leaves().trace(net)",
    "tracer-by-keyword": "t = Leaves()\nt.trace(root=net)",
    "hook-table": "tables._global_forward_hooks[0] = print",
    "hook-table-imported": "pre_hooks[0] = print",
    "hook-table-by-text": 'getattr(tables, "_global_forward_hooks").update({0: print})',
    "module-tracker": "with module_tracker.ModuleTracker() as t:\n    net(torch.ones(1, 4))\n    print(t.parents)",
    "flops": "f = flop_counter.FlopCounterMode()\nwith f:\n    net(torch.ones(1, 4))\nprint(len(f.get_flop_counts()))",
    "method-of-another": "class Fake:\n    fc = abs\nrun = Net.forward.__get__(Fake())",
}
SAFE = {
    "copy": ("", "copy.deepcopy(net)"),
    "whole-state": (_STATE.format(body='s = self.__dict__.copy(); s["cache"] = None; return s'), "copy.copy(net)"),
    "constructor": (
        _STATE.format(body='return {"fc": 1}') + "\n    def __setstate__(self, state):\n        self.__init__()\n",
        "copy.copy(net)",
    ),
    "tracer-of-another": ("", "Leaves().trace(nn.Linear(4, 4))"),
    "hooks-tested": ("", "if tables._global_forward_hooks or len(tables._global_backward_hooks):\n    print(1)"),
    "total-of-flops": ("", "f = flop_counter.FlopCounterMode()\nwith f:\n    net(torch.ones(1, 4))"),
    "called": ("", "other = blank(type(nn.Linear(1, 1)), None)"),
}


def _fixed(tmp_path: Path, methods: str, code: str) -> bool:
    text = module(_MODEL.format(methods=methods, code=code))
    return bool(fix(write(tmp_path, {"model.py": text}), write=False).fixed)


@pytest.mark.parametrize("methods", METHODS.values(), ids=METHODS.keys())
def test_a_class_whose_copies_lack_new_modules_gets_none(methods: str, tmp_path: Path) -> None:
    assert not _fixed(tmp_path, methods, "copy.deepcopy(net)")


@pytest.mark.parametrize("code", CODE.values(), ids=CODE.keys())
def test_code_that_notices_new_modules_makes_the_fix_unsafe(code: str, tmp_path: Path) -> None:
    assert not _fixed(tmp_path, "", code)


@pytest.mark.parametrize(("methods", "code"), SAFE.values(), ids=SAFE.keys())
def test_code_that_notices_none_leaves_the_fix_safe(methods: str, code: str, tmp_path: Path) -> None:
    assert _fixed(tmp_path, methods, code)
