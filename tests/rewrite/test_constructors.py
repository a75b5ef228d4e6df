"""Methods that constructors run: new attributes must be there in time, or the finding stays."""

from __future__ import annotations

from qprep.engine.api import check_source, fix_source
from qprep.foundation.findings import Rejection

RUN_BY_BASE = """\
import torch
from torch import nn


class Base(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = self.build(torch.ones(2))

    def build(self, x):
        return x


class Net(Base):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 2)

    def build(self, x):
        return torch.cat([x, x * 2])

    def forward(self, x):
        return self.fc(x) + self.build(x)[:2]
"""


def test_a_method_run_by_the_constructor_of_a_base_is_left() -> None:
    """`build` of Net runs before Net can make anything; its operations stay, the others are rewritten."""
    findings = check_source(RUN_BY_BASE)
    left = [finding for finding in findings if isinstance(finding.fix, Rejection)]
    assert {finding.start.line for finding in left} == {20}
    assert all("constructor of a base class" in finding.fix.reason for finding in left)  # type: ignore[union-attr]
    assert {finding.start.line for finding in findings if finding.is_fixable} == {23}


HOLDER = """\
from torch import nn


class Holder(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def look(self, x):
        return self.fc(x) + x


class Net(nn.Module):
    def __init__(self, holder):
        super().__init__()
        self.holder = holder

    def forward(self, x, n):
        for _ in range(n):
            x = self.holder.look(x)
        return x


def net():
    return Net(Holder())
"""


def test_a_method_that_runs_weights_again_is_left_with_its_reason() -> None:
    left = {finding.code: finding.fix for finding in fix_source(HOLDER)[1].remaining}
    assert list(left) == ["QP202"]
    assert isinstance(left["QP202"], Rejection)
    assert "may have, parameters" in left["QP202"].reason


def test_a_method_that_reads_an_attribute_of_a_child_is_left() -> None:
    source = HOLDER.replace("nn.Linear(4, 4)", "nn.ReLU()").replace(
        "self.fc(x) + x", "self.fc(x) if self.fc.inplace else x"
    )
    assert [type(finding.fix) for finding in fix_source(source)[1].remaining] == [Rejection]
    called = source.replace(" if self.fc.inplace else x", "")
    assert "PerCall.within(self.holder, owner=self)" in fix_source(called)[0]


STATIC = """\
import torch
from torch import nn


class Net(nn.Module):
    @staticmethod
    def gate(x):
        return torch.sigmoid(x)

    def forward(self, x):
        return self.gate(self.gate(x))
"""


def test_each_call_of_a_static_method_has_a_module_of_its_own() -> None:
    """No Dispatch, which would look the function up at run time."""
    fixed, _ = fix_source(STATIC)
    assert "self.gate_1 = Gate()\n        self.gate_2 = Gate()\n" in fixed
    assert "return self.gate_2(self.gate_1(x))" in fixed or "return self.gate_1(self.gate_2(x))" in fixed
    assert "class Gate(nn.Module):" in fixed
    assert "    def forward(self, x):\n        return self.sigmoid(x)\n" in fixed
    assert "Dispatch" not in fixed
