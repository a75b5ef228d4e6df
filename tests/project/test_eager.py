"""Hand-written eager quantization: what is found, and what is left alone."""

from __future__ import annotations

import importlib.util
import textwrap
from pathlib import Path

import pytest
import torch

from qprep import check_source, fix_source
from qprep.engine.config.settings import SettingsResolver
from qprep.engine.config.settings_file import Options
from qprep.engine.rule_registry import all_rules
from qprep.engine.runs import check
from qprep.foundation.catalogue.torch_ao import FUNCTIONAL_METHODS, FUSABLE

HEAD = """
import torch
from torch import nn
from torch.ao.nn.quantized import FloatFunctional
from torch.ao.quantization import DeQuantStub, QuantStub, fuse_modules
"""
NET = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.quant = QuantStub()
        self.dequant = DeQuantStub()
        self.conv1 = nn.Conv2d(4, 4, 1)
        self.bn1 = nn.BatchNorm2d(4)
        self.relu = nn.ReLU()
        self.layer = nn.Sequential(nn.Conv1d(4, 4, 1), nn.BatchNorm1d(4), nn.SiLU())
{made}
    def forward(self, x):
        x = self.relu(self.bn1(self.conv1(self.quant(x))))
        x = self.layer(x)
{forward}
        return self.dequant(x)

    def fuse_model(self):
        {fuse}
"""
ENDING = "it fails at run time, because it has no quantized kernel"
CONV2 = """\
        self.conv2 = nn.Conv1d(4, 4, 1)
        self.bn2 = nn.BatchNorm1d(4)
"""


def found(fuse: str, *, made: str = "", forward: str = "        x = x") -> list[tuple[str, str]]:
    source = HEAD + NET.format(fuse=fuse, made=made, forward=forward)
    findings = check_source(source, options=Options(select=("QP5",)))
    return [(finding.code, finding.message) for finding in findings]


@pytest.mark.parametrize(
    "fuse",
    [
        'fuse_modules(self, ["conv1", "bn1", "relu"])',
        'fuse_modules(self, [["conv1", "bn1"], ["layer.0", "layer.1"]])',
        'fuse_modules(self.layer, ["0", "1"])',
        'fuse_modules(self.layer, ["0", "1", "9"][:2])',
        "fuse_modules(self, names_of(self))",
        'fuse_modules(other(self), ["conv9", "bn9"])',
        '[fuse_modules(m, ["conv", "norm"]) for m in self.modules() if type(m) is Block]',
        "self.eval()",
    ],
)
def test_what_can_be_fused_or_is_not_known_is_left_alone(fuse: str) -> None:
    assert found(fuse) == []


@pytest.mark.parametrize(
    ("fuse", "code", "part"),
    [
        ('fuse_modules(self, ["conv", "bn1"])', "QP501", "`Net` has no submodule `conv`"),
        ('fuse_modules(self, [["layer.0", "layer.3"]])', "QP501", "`self.layer` has no submodule `layer.3`"),
        ('fuse_modules(self.layer, ["0", "7"])', "QP501", "`self.layer` has no submodule `7`"),
        ('torch.quantization.fuse_modules(self, ["conv", "bn1"])', "QP501", "`conv`"),
        ('fuse_modules(model=self, modules_to_fuse=[["conv1", "bn"]])', "QP501", "`bn`"),
        ('fuse_modules(self, [["layer.0", "layer.1", "layer.2"]])', "QP508", "nn.Conv1d, nn.BatchNorm1d, nn.SiLU"),
        ('fuse_modules(self, [["bn1", "conv1"]])', "QP508", "`conv1` cannot be fused"),
        (
            'fuse_modules(self, [["conv1", "bn1", "relu"], ["bn1", "relu"]])',
            "QP503",
            "`bn1` is fused into another module",
        ),
    ],
)
def test_lists_that_cannot_be_fused(fuse: str, code: str, part: str) -> None:
    assert [message for found_code, message in found(fuse) if found_code == code and part in message]


def test_a_relu_that_runs_twice_must_not_be_fused_away() -> None:
    assert found('fuse_modules(self, ["conv1", "bn1", "relu"])', forward="        x = self.relu(x)") == [
        ("QP503", "`relu` is fused into another module here, but forward runs it more than once")
    ]


def test_a_pair_beside_those_that_are_fused() -> None:
    run = "        x = self.conv2(x)\n        x = self.bn2(x)"
    fuse = 'fuse_modules(self, [["conv1", "bn1"]])'
    ((code, message),) = found(fuse, made=CONV2, forward=run)
    assert code == "QP502"
    assert message == "no fuse list names `conv2` and `bn2`, an nn.BatchNorm1d: " + ENDING
    used = "        y = self.conv2(x)\n        x = self.bn2(y)\n        x = y"
    assert found(fuse, made=CONV2, forward=used) == []
    assert found(fuse.replace("]]", "], [*more]]"), made=CONV2, forward=run) == []


def test_fused_from_another_class() -> None:
    source = HEAD + textwrap.dedent(
        """
        class Block(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv = nn.Conv2d(4, 4, 1)
                self.norm = nn.BatchNorm2d(4)

        def fuse(model, names):
            fuse_modules(model, names, inplace=True)

        model = Block().eval()
        fuse(model, ["conv", "bn"])
        """
    )
    (finding,) = check_source(source)
    assert (finding.code, finding.help) == ("QP501", "name an attribute of the class, as in `layer1.0.conv`")
    assert "`Block` has no submodule `bn`" in finding.message


def test_names_added_where_they_cannot_be_read() -> None:
    for line in (
        'setattr(self, "bn", nn.BatchNorm2d(4))',
        'self.add_module(f"b{1}", nn.ReLU())',
        "self._modules.clear()",
    ):
        source = HEAD + NET.format(fuse='fuse_modules(self, ["conv", "bn"])', made=f"        {line}\n", forward="")
        assert check_source(source, options=Options(select=("QP501",))) == ()


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        ("x = self.ff.add(x, x)\n        return self.ff.mul(x, x)", ["QP505"]),
        ("if self.training:\n            return self.ff.add(x, x)\n        return self.ff.mul(x, x)", []),
        ("return self.ff.add(x, x) if self.training else self.ff.mul(x, x)", []),
        ("for _ in range(2):\n            x = self.ff.add(x, x)\n        return x", ["QP505"]),
        ("f = FloatFunctional()\n        return f.add(x, x)", ["QP506"]),
        ("return torch.cat([x, x], 1)", ["QP507"]),
        ("return torch.cat([x.dequantize(), x.dequantize()], 1)", ["QP103"]),
        ("return self.ff.add(x, x)", []),
    ],
)
def test_float_functional(body: str, codes: list[str]) -> None:
    source = f"{HEAD}\nclass Block(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    source += "        self.conv = nn.Conv2d(4, 4, 1)\n        self.ff = FloatFunctional()\n\n"
    source += f"    def forward(self, x):\n        x = self.conv(x)\n        {body}\n"
    assert [finding.code for finding in check_source(source)] == codes


def test_a_cat_behind_the_dequant_stub_is_one_of_floats() -> None:
    source = HEAD + NET.format(fuse="pass", made="", forward="        x = torch.cat([x, x], 1)")
    assert [f.code for f in check_source(source)] == ["QP507"]
    after = source.replace("return self.dequant(x)", "x = self.dequant(x)\n        return torch.cat([x, x], 1)")
    after = after.replace("        x = torch.cat([x, x], 1)\n", "")
    assert [f.code for f in check_source(after)] == ["QP103"]


def test_a_stub_that_is_made_and_never_called_beside_another_model_that_calls_its_own() -> None:
    right = NET.format(fuse="pass", made="", forward="")
    wrong = right.replace("class Net", "class Other").replace("return self.dequant(x)", "return x")
    found_here = check_source(HEAD + right + wrong, options=Options(select=("QP504",)))
    assert [f.message for f in found_here] == [
        "the DeQuantStub `self.dequant` is never called: the output stays quantized"
    ]
    elsewhere = HEAD + wrong + "\ndef run(model, x):\n    return model.dequant(model(x))\n"
    assert check_source(elsewhere, options=Options(select=("QP504",))) == ()


def test_a_relu_split_in_two_is_named_in_the_list_as_well() -> None:
    source = HEAD + textwrap.dedent(
        """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv1 = nn.Conv2d(4, 4, 1)
                self.conv2 = nn.Conv2d(4, 4, 1)
                self.relu = nn.ReLU()

            def forward(self, x):
                x = self.relu(self.conv1(x))
                return self.relu(self.conv2(x))

            def fuse_model(self):
                fuse_modules(self, [["conv1", "relu"], ["conv2", "relu"]], inplace=True)
        """
    )
    text, _ = fix_source(source, options=Options(unsafe_fixes=True))
    assert '[["conv1", "relu"], ["conv2", "relu_1"]]' in text
    assert "return self.relu_1(self.conv2(x))" in text


def test_the_table_of_what_fuses_is_that_of_torch() -> None:
    from torch.ao.quantization.fuser_method_mappings import _DEFAULT_OP_LIST_TO_FUSER_METHOD as TABLE

    assert {tuple(cls.__name__ for cls in key) for key in TABLE} == FUSABLE
    methods = vars(torch.ao.nn.quantized.FloatFunctional)
    assert {name for name in methods if not name.startswith("_") and name != "forward"} == FUNCTIONAL_METHODS


def test_nothing_is_found_in_code_that_is_right() -> None:
    torchvision = importlib.util.find_spec("torchvision")
    if torchvision is None or torchvision.origin is None:
        pytest.skip("torchvision is not installed")
    folder = Path(torchvision.origin).parent / "models"
    settings = SettingsResolver(all_rules(), Options(select=("QP5",)), isolated=True)
    files = [*sorted((folder / "quantization").glob("*.py")), folder / "resnet.py", folder / "googlenet.py"]
    assert check(files, settings).findings == ()
