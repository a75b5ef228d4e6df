"""Rewrites for other libraries than qprep's own modules."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.ao import quantization

from qprep import check_source, fix_source
from qprep.engine.config.settings_file import Options
from qprep.foundation.catalogue.call_signature import parse_constructor, parse_spelling
from qprep.foundation.catalogue.lookup import load
from qprep.foundation.catalogue.targets import TARGETS
from qprep.foundation.findings import Rejection
from tests.equivalence import differences, observe

HEAD = """
import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 1)

    def forward(self, x):
        y = self.conv(x)
"""
RESIDUAL = """\
import torch
import torch.nn.functional as F
from torch import nn


class Block(nn.Module):
    def __init__(self, inp, out, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(inp, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.down = nn.Sequential(nn.Conv2d(inp, out, 1, stride), nn.BatchNorm2d(out))

    def forward(self, x):
        identity = self.down(x)
        out = self.conv1(x)
        out = self.bn1(out)
        out = self.relu(out)
        out = self.conv2(out)
        out = self.bn2(out)
        out += identity
        return self.relu(out)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(4, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.layers = nn.Sequential(Block(8, 16, 2), Block(16, 16))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(32, 4)

    def forward(self, x):
        x = F.relu(self.norm(self.stem(x)))
        y = self.layers(x)
        y = torch.cat([y, y * 0.5], dim=1)
        return self.fc(torch.flatten(self.pool(y), 1))
"""
# What the libraries' modules do with their inputs, for those that are not installed here.
STAND_INS = {
    "distiller/modules.py": """
import torch
from torch import nn

class EltwiseAdd(nn.Module):
    def __init__(self, inplace=False):
        super().__init__()
        self.inplace = inplace
    def forward(self, *inputs):
        return inputs[0].add_(inputs[1]) if self.inplace else inputs[0] + inputs[1]

class EltwiseMult(nn.Module):
    def __init__(self, inplace=False):
        super().__init__()
    def forward(self, *inputs):
        return inputs[0] * inputs[1]

class Concat(nn.Module):
    def __init__(self, dim=0):
        super().__init__()
        self.dim = dim
    def forward(self, *tensors):
        return torch.cat(tensors, dim=self.dim)
""",
    "aimet_torch/nn/modules/custom.py": """
import torch
from torch import nn

class Add(nn.Module):
    def forward(self, x, y):
        return torch.add(x, y)

class Multiply(nn.Module):
    def forward(self, x, y):
        return torch.mul(x, y)

class Mean(nn.Module):
    def forward(self, *args, **kwargs):
        return torch.mean(*args, **kwargs)

class Concat(nn.Module):
    def __init__(self, axis=0):
        super().__init__()
        self.axis = axis
    def forward(self, *tensors):
        return torch.cat(tensors, dim=self.axis)
""",
}


def fix(body: str, target: str, *, unsafe: bool = False) -> tuple[str, list[str]]:
    """The rewritten source, and the reasons for what was left."""
    lines = "".join(f"        {line}\n" for line in body.split("\n"))
    text, result = fix_source(HEAD + lines, options=Options(target=target, unsafe_fixes=unsafe))
    return text, [f.fix.reason for f in result.remaining if isinstance(f.fix, Rejection)]


@pytest.mark.parametrize(
    ("target", "body", "made", "called"),
    [
        ("torch-ao", "return y + x", "self.add = FloatFunctional()", "self.add.add(y, x)"),
        ("torch-ao", "return y * 2", "self.mul = FloatFunctional()", "self.mul.mul_scalar(y, 2)"),
        ("torch-ao", "return torch.cat((x, y), 1)", "self.cat = FloatFunctional()", "self.cat.cat((x, y), 1)"),
        ("torch-ao", "return F.relu(y)", "self.relu = nn.ReLU()", "self.relu(y)"),
        ("distiller", "y += x\nreturn y", "self.add = EltwiseAdd(inplace=True)", "y = self.add(y, x)"),
        ("distiller", "return torch.cat([x, y], dim=1)", "self.cat = Concat(dim=1)", "self.cat(x, y)"),
        ("distiller", "s = [x, y]\nreturn torch.cat(s, 1)", "self.cat = Concat(dim=1)", "self.cat(*s)"),
        ("distiller", "return y * x", "self.mul = EltwiseMult()", "self.mul(y, x)"),
        ("aimet", "return y * 2", "self.mul = Multiply()", "self.mul(y, 2)"),
        ("aimet", "return torch.cat([x, y], 1)", "self.cat = Concat(axis=1)", "self.cat(x, y)"),
        ("aimet", "return y.mean((2, 3))", "self.mean = Mean()", "self.mean(y, (2, 3))"),
        ("brevitas", "return y + x", "QuantEltwiseAdd(input_quant=None, output_quant=None)", "self.add(y, x)"),
    ],
)
def test_the_target_chooses_the_module(target: str, body: str, made: str, called: str) -> None:
    text, reasons = fix(body, target)
    assert reasons == []
    assert made in text
    assert called in text
    assert "qprep" not in text
    assert check_source(text, options=Options(target=target)) == ()


@pytest.mark.parametrize(
    ("target", "body", "reason"),
    [
        ("torch-ao", "y -= x\nreturn y", "there is no module for `sub` in torch-ao"),
        ("torch-ao", "for _ in range(2):\n    y = y - x\nreturn y", "there is no module for `sub` in torch-ao"),
        ("torch-ao", "return y.mean(1)", "so it can stay"),
        ("torch-ao", "return torch.add(y, x, alpha=2)", "`FloatFunctional` takes no `alpha`"),
        ("torch-ao", "z = y\ny += x\nreturn y + z", "no dedicated module does `+=` in place"),
        ("distiller", "for _ in range(2):\n    y = y + x\nreturn y", "it needs `PerCall`, for which distiller has no"),
        ("distiller", "return y.cumsum(1)", "there is no module for `cumsum` in distiller"),
        ("aimet", "return 2 - y", "the module takes the number after the tensor"),
        ("brevitas", "return y + 1", "there is no module for `add` in brevitas"),
        ("brevitas", "return torch.cat([x, y], 1)", "there is no module for `cat` in brevitas"),
        ("distiller", "return F.linear(y, self.conv.weight[:, :, 0, 0])", "distiller"),
    ],
)
def test_what_a_target_has_no_module_for_is_declined(target: str, body: str, reason: str) -> None:
    text, reasons = fix(body, target)
    assert any(reason in found for found in reasons), reasons
    assert "qprep" not in text


@pytest.mark.parametrize(
    ("body", "made", "called"),
    [
        (
            "for _ in range(2):\n    y = y + x\nreturn y",
            "PerCall(FloatFunctional(), owner=self",
            "self.add.next().add(y, x)",
        ),
        (
            "for _ in range(2):\n    y = torch.cat([y, x], 1)[:, :4]\nreturn y",
            "PerCall(",
            "self.cat.next().cat([y, x], 1)",
        ),
        ("return torch.abs(y / 2)", "self.quant_1 = QuantStub()", "torch.abs(self.dequant_1(self.quant_2("),
        ("return y - x", "self.dequant_1 = DeQuantStub()", "self.quant_1(self.dequant_1(y) - self.dequant_1(x))"),
        ("return -y.exp()", "self.quant_1 = QuantStub()", "self.quant_1(-self.dequant_1(self.quant_2("),
        ("return y.view(y.size(0), -1)", "self.quant = QuantStub()", "y.reshape(y.size(0), -1)"),
    ],
)
def test_torch_quantizes_and_runs_what_was_prepared_for_it(body: str, made: str, called: str) -> None:
    text, reasons = fix(body, "torch-ao")
    assert reasons == []
    assert made in text
    assert called in text
    space: dict[str, Any] = {}
    exec(text, space)
    model = space["Net"]().eval()
    x = torch.rand(2, 4, 4, 4) + 0.5
    expected = model(x)
    quantization: Any = torch.ao.quantization
    model.qconfig = quantization.get_default_qconfig("fbgemm")
    quantization.prepare(model, inplace=True)
    model(x)
    quantization.convert(model, inplace=True)
    found = model(x)
    assert not found.is_quantized
    assert (found - expected).norm() < 0.1 * expected.norm()


def test_a_sum_in_place_is_a_new_tensor_where_nothing_else_holds_the_old_one() -> None:
    body = "if x.dim() == 4:\n    x = x\ny += x\nreturn y"
    assert "y = self.add.add(y, x)" in fix(body, "torch-ao")[0]


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("torch-ao", "z = torch.cat([y + x, y * x], dim=1)\nreturn torch.matmul(z, z) * 0.5"),
        ("distiller", "y += x\nz = torch.cat([y + x, y * x], dim=1)\nreturn z"),
        ("aimet", "z = torch.cat([y + x, y * x], dim=1)\nreturn z.mean(dim=(2, 3)) + z.mean()"),
    ],
)
def test_both_compute_the_same(target: str, body: str, tmp_path: Path) -> None:
    text, reasons = fix(body, target)
    assert reasons == []
    lines = "".join(f"        {line}\n" for line in body.split("\n"))
    seen = []
    for name, source in (("before", HEAD + lines), ("after", text)):
        for path, stand_in in STAND_INS.items():
            file = tmp_path / name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(stand_in)
        (tmp_path / name / "model.py").write_text(source)
        seen.append(observe(tmp_path / name))
    assert seen[0].runs["eval"].tensors
    assert differences(*seen) == []


def test_a_model_made_ready_for_eager_quantization_runs_on_integers(tmp_path: Path) -> None:
    """Stubs, FloatFunctionals and the fuse lists, all generated; then torch's own prepare and convert."""
    after, result = fix_source(RESIDUAL, options=Options(target="torch-ao", unsafe_fixes=True))
    assert result.remaining == ()
    assert '[["conv1", "bn1", "relu"], ["conv2", "bn2"], ["down.0", "down.1"]]' in after
    assert '[["stem", "norm", "relu"]]' in after
    assert "out = self.add.add_relu(out, identity)\n        return out\n" in after
    seen = []
    for name, source in (("before", RESIDUAL), ("after", after)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.py").write_text(source)
        seen.append(observe(tmp_path / name))
    assert differences(*seen) == []
    model: Any = seen[1].model.eval()
    eager: Any = quantization
    x = torch.randn(2, 4, 4, 4)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = model(x)
        model.fuse_model()
        assert not any(type(module).__name__ == "BatchNorm2d" for module in model.modules())
        model.qconfig = eager.get_default_qconfig("qnnpack")
        eager.prepare(model, inplace=True)
        model(x)
        eager.convert(model, inplace=True)
        assert (model(x) - expected).abs().max() < 0.1 * expected.abs().max()


def test_nothing_is_added_to_what_is_no_whole_model_or_is_stubbed_already() -> None:
    options = Options(target="torch-ao", select=("QP510", "QP511"))
    assert [f.code for f in check_source(RESIDUAL, options=options)] == ["QP511", "QP511", "QP510"]
    after, _ = fix_source(RESIDUAL, options=Options(target="torch-ao", unsafe_fixes=True))
    assert check_source(after, options=options) == ()
    assert check_source(RESIDUAL, options=Options(select=("QP510", "QP511"))) == ()
    several = HEAD + "        return {'y': y, 'x': x}\n"
    reasons = [f.fix.reason for f in check_source(several, options=options) if isinstance(f.fix, Rejection)]
    assert len(reasons) == 1
    assert reasons[0].startswith("forward does not take and return single tensors")


def test_every_row_stands_for_an_operation_with_the_parameters_that_it_takes() -> None:
    operations = {op.name: op for op in load().ops}
    for target in TARGETS.values():
        for name, row in (*target.rows.items(), *(target.scalars or {}).items()):
            first = parse_spelling(operations[name].spellings[0])
            known = [parameter.name for parameter in first.parameters] + ["inplace"]
            assert {taken.rstrip("=") for taken in row.takes or ()} <= set(known), (target.name, name)
            assert set(parse_constructor(row.module).parameters) <= set(known), (target.name, name)
            if row.takes is None:  # it hands on all it gets to the function of torch
                assert first.qualified.startswith("torch."), (target.name, name)
