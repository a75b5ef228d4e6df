"""A rewrite that changes anything is caught, in processes of their own, and its fix is found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from qprep.foundation.errors import QprepError
from qprep.tracing.bisection import bisect
from qprep.tracing.model_equality import compare
from qprep.tracing.request import make_request
from qprep.tracing.verdict import VerifyResult

_MODEL = """
import random
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.norm = nn.BatchNorm1d(4)
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        y = self.norm(self.fc(x)) + x
        z = self.drop(y) * 2
        return {"y": y, "z": z - 1, "size": x.shape[0]}

class Random(nn.Module):
    def forward(self, x):
        import time
        return x + time.time_ns() % 1_000_000

class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(4, 4, dropout=0.5, num_layers=2)

    def forward(self, x):
        return self.lstm(x)[0] + 1
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("verify") / "verified_model.py"
    path.write_text(_MODEL)
    return path


def _compare(model: Path, *edits: tuple[str, str], name: str = "Net", device: str = "cpu") -> VerifyResult:
    text = _MODEL
    for before, after in edits:
        assert before in text
        text = text.replace(before, after)
    result = compare(make_request(f"{model}:{name}", ["8,4"], device=device), {}, {str(model): text.encode()})
    assert model.read_text() == _MODEL
    return result


_TO_MODULE = [
    ("self.drop = nn.Dropout(0.5)", "self.drop = nn.Dropout(0.5)\n        self.add = Add()"),
    (" + x\n", ", x)\n"),
    ("y = self.norm(", "y = self.add(self.norm("),
    (
        "class Net(",
        "class Add(nn.Module):\n    def forward(self, x, y):\n        return x + y\n\nclass Net(",
    ),
]


def test_faithful_rewrite(model: Path) -> None:
    result = _compare(model, *_TO_MODULE)
    assert result.equal, result
    # 7 of the state, 2 outputs and 1 input twice, 3 buffers and 4 + 1 gradients
    assert str(result) == "verified: 1 model, 21 tensors equal"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu(model: Path) -> None:
    result = _compare(model, *_TO_MODULE, device="cuda")
    assert result.equal, result
    assert str(result) == "verified: 1 model, 21 tensors equal"
    assert not _compare(model, (") + x", ") - x"), device="cuda").equal
    assert _compare(model, ("[0] + 1", "[0] + 1.000001"), name="Recurrent", device="cuda").equal


@pytest.mark.parametrize(
    ("edit", "aspect"),
    [
        ((") + x", ") - x"), "eval: output['y']"),
        (("return {", "return missing, {"), "run: the rewritten model: "),
        (("import random", "import randomness"), "import: the rewritten model: "),
    ],
)
def test_wrong_rewrite_is_caught(model: Path, edit: tuple[str, str], aspect: str) -> None:
    result = _compare(model, edit)
    assert not result.equal
    assert result.failure is None
    assert str(result).startswith(f"not verified: {model}:Net differs: {aspect}")


@pytest.mark.slow
def test_original_may_be_overlaid_too(model: Path) -> None:
    changed = _MODEL.replace(") + x", ") - x").encode()
    request = make_request(f"{model}:Net", ["8,4"])
    assert compare(request, {str(model): changed}, {str(model): changed}).equal
    assert not compare(request, {str(model): changed}, {}).equal


def test_model_that_differs_from_itself(model: Path) -> None:
    result = _compare(model, name="Random")
    assert result.difference is None
    assert result.failure is not None
    assert result.failure.message.endswith(":Random gives different results in two runs with the same seed")


def test_original_that_does_not_run(model: Path) -> None:
    result = compare(make_request(f"{model}:Net", ["8,5"]), {}, {})
    assert result.failure is not None
    assert result.failure.stage == "run"
    assert not result.equal


def test_compound_modules_have_a_tolerance(model: Path) -> None:
    nearly = _compare(model, ("[0] + 1", "[0] + 1.000001"), name="Recurrent")
    assert nearly.equal, nearly
    assert nearly.notes == ("compound modules: compared within 1e-05 + 0.0001 · |value|",)
    assert not _compare(model, ("[0] + 1", "[0] + 1.01"), name="Recurrent").equal


def test_dropout_in_compound_modules_is_compared(model: Path) -> None:
    result = _compare(model, ("dropout=0.5, num", "dropout=0.4, num"), name="Recurrent")
    assert result.difference is not None
    assert result.difference.aspect == "train"


def test_file_named_like_an_installed_module_is_overlaid(tmp_path: Path) -> None:
    path = tmp_path / "json.py"
    path.write_text("from torch import nn\n\nclass Net(nn.Module):\n    def forward(self, x):\n        return x + 1\n")
    wrong = path.read_text().replace("+ 1", "+ 2").encode()
    result = compare(make_request(f"{path}:Net", ["4"]), {}, {str(path): wrong})
    assert str(result).endswith("differs: eval: output: 4 of 4 values differ, by up to 1")


def test_values_need_a_device_that_has_them(model: Path) -> None:
    with pytest.raises(QprepError, match="meta device"):
        compare(make_request(f"{model}:Net", ["8,4"], device="meta"), {}, {})


def test_bisect_finds_the_wrong_fix(model: Path) -> None:
    # edits that belong together are one fix
    fixes = [_TO_MODULE, [("z - 1", "z - 2")]]
    request = make_request(f"{model}:Net", ["8,4"])

    def differs(part: Sequence[list[tuple[str, str]]]) -> bool:
        text = _MODEL
        for before, after in (edit for fix in part for edit in fix):
            text = text.replace(before, after)
        return not compare(request, {}, {str(model): text.encode()}).equal

    assert bisect(fixes, differs) == fixes[1]


@pytest.mark.parametrize("wrong", range(9))
def test_bisect_asks_few_times(wrong: int) -> None:
    asked: list[int] = []

    def differs(part: Sequence[int]) -> bool:
        asked.append(len(part))
        return wrong in part

    assert bisect(range(9), differs) == wrong
    assert len(asked) <= 5


def test_bisect_of_harmless_fixes() -> None:
    assert bisect([1, 2, 3], lambda _: False) is None
    assert bisect([], lambda _: False) is None
