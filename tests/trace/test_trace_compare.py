"""Differences of two records of a model: each kind has a name."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from qprep.tracing import build_record
from qprep.tracing.build_record import BuildRecord
from qprep.tracing.compare import first_difference
from qprep.tracing.model_target import Inputs
from qprep.tracing.verdict import EXACT, RewriteDifference, Tolerance

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
        self.scale = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        y = self.norm(self.fc(x)) + x
        z = self.drop(y) * 2
        y = y + self.scale * z.exp()
        return {"y": y, "z": z - 1, "size": x.shape[0]}
"""


def _record(text: str, peer: BuildRecord | None = None) -> BuildRecord:
    namespace: dict[str, Any] = {}
    exec(text, namespace)
    build_record.seed(0)
    model = namespace["Net"]()
    made = build_record.constructed(model)
    if peer is not None:
        build_record.load(model, peer, made)
    build_record.run(model, lambda: Inputs((torch.linspace(-2, 2, 32).view(8, 4),), {}), made)
    return made


@pytest.fixture(scope="module")
def original() -> BuildRecord:
    return _record(_MODEL)


def _difference(
    original: BuildRecord, *edits: tuple[str, str], tolerance: Tolerance = EXACT
) -> RewriteDifference | None:
    text = _MODEL
    for before, after in edits:
        assert before in text
        text = text.replace(before, after)
    return first_difference(original, _record(text, original), tolerance)[1]


@pytest.mark.parametrize(
    ("edit", "aspect", "tensor"),
    [
        ((") + x", ") - x"), "eval", "output['y']"),
        (("self.scale * z.exp()", "self.scale * z.sin()"), "eval", "output['y']"),
        (("self.drop(y) * 2", "self.drop(y) * (2 if not self.training else 3)"), "train", "output['y']"),
        ((") + x", ") + x.detach()"), "train", "input_gradient[0]"),
        ((") + x", ") + x.add_(0.25).sub_(0.125)"), "eval", "output['y']"),
        (("return {", "x.add_(1); return {"), "eval", "inputs.args[0]"),
        (('"size": x.shape[0]', '"size": x.shape[1]'), "eval", "output['size']"),
        (('"size": x.shape[0]', '"size": x.shape[0], "extra": 1'), "eval", "output['extra']"),
        (('"size": x.shape[0]', '"size": float(x.shape[0])'), "eval", "output['size']"),
        (('{"y": y,', '{"y": y.double(),'), "eval", "output['y']"),
        (('{"y": y,', '{"y": y[:4],'), "eval", "output['y']"),
        (("return {", "return None; {"), "eval", "output['y']"),
        (("BatchNorm1d(4)", "BatchNorm1d(4, momentum=0.2)"), "train", "buffer['norm.running_mean']"),
        (("z = self.drop(y) * 2", "z = self.drop(y) * 2; 1 / (not self.training)"), "training", ""),
        (("self.drop = ", "torch.rand(1); self.drop = "), "construction", ""),
        (("self.drop = ", "random.random(); self.drop = "), "construction", ""),
        (("nn.Linear(4, 4)", "nn.Linear(4, 4, bias=False)"), "state_dict", ""),
        (("self.drop = ", "self.extra = nn.Parameter(torch.ones(1)); self.drop = "), "state_dict", ""),
        (("torch.zeros(1)", "torch.ones(1)"), "initial state", "scale"),
        (("self.drop = ", "self.norm.bias = self.norm.weight; self.drop = "), "parameters", ""),
        (("self.scale = nn.Parameter(torch.zeros(1))", "self.register_buffer('scale', torch.zeros(1))"), "parameters",
         ""),
    ],
)  # fmt: skip
def test_what_differs_is_named(original: BuildRecord, edit: tuple[str, str], aspect: str, tensor: str) -> None:
    difference = _difference(original, edit)
    assert difference is not None
    assert (difference.aspect, difference.tensor) == (aspect, tensor), difference


@pytest.mark.parametrize(
    "edits",
    [
        [],
        [(") + x", ").add(x)")],
        [("z - 1", "z.clone().sub_(1)")],
        [("self.drop = ", "self.other = nn.Identity(); self.drop = ")],
        [("self.drop = ", "self.alias = self.drop = ")],
    ],
)
def test_equal_rewrites(original: BuildRecord, edits: list[tuple[str, str]]) -> None:
    assert _difference(original, *edits) is None


def test_order_of_the_state_dict(original: BuildRecord) -> None:
    swapped = [
        ("        self.fc = nn.Linear(4, 4)\n", ""),
        ("self.norm = nn.BatchNorm1d(4)", "self.norm = nn.BatchNorm1d(4); self.fc = nn.Linear(4, 4)"),
    ]
    assert _difference(original, *swapped) == RewriteDifference("state_dict", "", "the order differs")


def test_tolerance(original: BuildRecord) -> None:
    edit = ("z - 1", "z - 1.00001")
    assert _difference(original, edit) is not None
    assert _difference(original, edit, tolerance=Tolerance(relative=0.0, absolute=1e-4)) is None


def test_sentences(original: BuildRecord) -> None:
    assert str(_difference(original, ("z - 1", "z - 2"))) == ("eval: output['z']: 32 of 32 values differ, by up to 1")
    assert str(_difference(original, ("nn.Linear(4, 4)", "nn.Linear(4, 4, bias=False)"))) == (
        "state_dict: missing ['fc.bias'], added []"
    )
    assert str(_difference(original, ('{"y": y,', '{"y": y[:4],'))) == "eval: output['y']: shape (8, 4) became (4, 4)"


def test_signs_of_zeros_and_nan() -> None:
    nan = ("z - 1", "z * float('nan')")
    assert first_difference(_record(_MODEL.replace(*nan)), _record(_MODEL.replace(*nan)), EXACT)[1] is None
    zero, negative = _MODEL.replace("z - 1", "z * 0"), _MODEL.replace("z - 1", "z * -0.0")
    difference = first_difference(_record(zero), _record(negative), EXACT)[1]
    assert difference is not None
    assert difference.tensor == "output['z']"


def test_model_that_does_not_train_in_either() -> None:
    text = _MODEL.replace("z = self.drop(y) * 2", "z = 1 / (not self.training) * y")
    made = _record(text)
    assert made.train_error is not None
    assert made.train_error.startswith("ZeroDivisionError")
    assert first_difference(made, _record(text), EXACT) == (11, None)
