"""`qprep.prepare`: in one call, whether the package is imported already or not."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

import qprep
from qprep.engine.preparing.factory import factory_of
from qprep.foundation.source import SourceFile
from tests.engine.preparing.conftest import Child

pytest.importorskip("torch")

IMPORTED = """
import functools, inspect, pickle, random, torch, zoo, qprep
x = torch.randn(1, 3, 8, 8)
trained = zoo.small(width=2).eval()
with torch.no_grad():
    trained.conv.weight.add_(1)
before = torch.get_rng_state(), random.getstate()
model, report = qprep.prepare(functools.partial(zoo.create, "small", width=2), x, state_of=trained)
assert torch.equal(before[0], torch.get_rng_state()) and before[1] == random.getstate()
assert report.is_prepared and report.left == () and report.rewritten == ("zoo.layers.blocks",), report
assert report.tensors > 10
assert not model.training and not model.conv.training
assert torch.equal(model(x), trained(x))
assert type(model) is not zoo.Block and type(trained) is zoo.Block
assert not qprep.trace(trained, x).is_prepared
assert list(zoo.layers.blocks.REGISTRY) == ["small"] and zoo.layers.blocks.REGISTRY["small"] is zoo.small
assert torch.equal(pickle.loads(pickle.dumps(model))(x), trained(x))
assert "EltwiseAdd" in inspect.getsource(type(model))
assert torch.equal(torch.compile(model, backend="eager")(x), trained(x))
other, again = qprep.prepare("zoo.layers.blocks:small", x)
assert again.is_prepared and other.training
print(report)
"""

FRESH = """
import sys, torch, qprep
x = torch.randn(1, 3, 8, 8)
model, report = qprep.prepare("zoo.layers:small", x)
assert report.is_prepared
twin, again = qprep.prepare("zoo.layers:small", x, state_of=model)
assert again.is_prepared and torch.equal(twin.eval()(x), model.eval()(x))
assert type(model) is sys.modules["zoo"].Block and type(model).__module__ == "zoo.layers.blocks"
print(report)
"""


def test_a_package_that_is_imported_stays_as_it_is(package: Path, child: Child) -> None:
    out = child(IMPORTED)
    assert out.startswith("zoo.layers.blocks:create: prepared; 3 findings fixed in 1 file, verified: ")


def test_a_target_that_is_not_imported_is_imported_prepared(package: Path, child: Child) -> None:
    assert child(FRESH).startswith("zoo.layers:small: prepared; 3 findings fixed in 1 file, verified: ")


def test_what_is_left_is_said(package: Path, child: Child) -> None:
    with (package / "layers" / "blocks.py").open("a") as file:
        file.write(
            "\n\nclass Stack(nn.Sequential):\n    def __init__(self):\n        super().__init__(nn.Conv2d(3, 3, 1))\n"
            "\n    def __setstate__(self, state):\n        self.training = False\n"
            "\n    def forward(self, x):\n        return super().forward(x) + x\n"
        )
    program = (
        "import torch, zoo, qprep\n"
        "model, report = qprep.prepare(zoo.layers.blocks.Stack, torch.randn(1, 3, 8, 8))\n"
        "assert not report.is_prepared\n"
        "assert any('with only the attributes that it sets' in each.reason for each in report.findings)\n"
        "print(report)"
    )
    first, second = child(program).splitlines()
    assert first.startswith("zoo.layers.blocks:Stack: not prepared; 3 findings fixed in 1 file")
    assert second.startswith("left: ")
    assert "layers/blocks.py:" in second
    assert second.endswith(": add in (model) (Stack)")


def test_what_does_not_fit_is_refused(package: Path, child: Child) -> None:
    program = """
import torch, zoo, qprep
from qprep.engine.preparing import vendored_files

rewrite = vendored_files.rewrite_files
x = torch.randn(1, 3, 8, 8)

def attempt(**options):
    try:
        qprep.prepare(zoo.small, x, **options)
    except qprep.QprepError as error:
        print(error)

def wrong(files):
    found = rewrite(files)
    found.sources["zoo.layers.blocks"] += b"\\nBlock.forward = lambda self, x: self.conv(x)\\n"
    return found

attempt(state_of=zoo.small(width=5))
with open(zoo.layers.blocks.__file__, "a") as file:
    file.write("# other contents\\n")
vendored_files.rewrite_files = wrong
attempt()
"""
    first, second = child(program).splitlines()
    assert first.startswith("state_of: its state_dict does not load into zoo.layers.blocks:small: Error(s) in loading")
    assert second.startswith("nothing was prepared: the rewritten zoo.layers.blocks:small differs from the original: ")


def test_only_what_a_module_offers_by_name_can_be_built_again() -> None:
    factory = factory_of(functools.partial(functools.partial(SourceFile, "a"), b"", bom=True))
    assert (factory.target, factory.args, factory.kwargs) == (
        "qprep.foundation.source:SourceFile",
        ("a", b""),
        {"bom": True},
    )
    with pytest.raises(qprep.QprepError, match="expected a function or class that its module offers by name"):
        factory_of(lambda: None)
