"""Learning rates by functions of the epoch that a schedule file names."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from qprep.compression import Scheduler
from qprep.compression.errors import ScheduleError
from qprep.compression.lr_functions import LambdaLR
from tests.compression.nets import EXAMPLE, assert_equal, plain_net, scheduled, seeded, train

CODE = """\
PLAN = [1.0, 0.5, 0.25, 0.125]

def warm(epoch):
    return min(1.0, (epoch + 1) / 4)

def steady(epoch):
    return 1.0

def planned(epoch):
    return PLAN[epoch]

def halved(epoch):
    return 0.5

def broken(epoch):
    return "fast"

def two_alone(epoch):
    return {0: 1.0, 1: 0.5}[epoch]

class Table:
    def __init__(self, values):
        self.values = values

    def __call__(self, epoch):
        return self.values[min(epoch, 1)]

table = Table([1.0, 0.1])
number = 3
"""
TEXT = """\
lr_schedulers:
  lr:
    class: CLASS
    lr_lambda: GIVEN
policies:
  - {lr_scheduler: {instance_name: lr}, starting_epoch: 0, ending_epoch: 4}
"""


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module `rates_of_mine` beside the schedule."""
    (tmp_path / "rates_of_mine.py").write_text(CODE, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "rates_of_mine", raising=False)
    return tmp_path


def groups_of(model: nn.Module) -> torch.optim.Optimizer:
    """Two groups with rates of their own."""
    weights = [each for each in model.parameters() if each.dim() > 1]
    others = [each for each in model.parameters() if each.dim() == 1]
    return torch.optim.SGD([{"params": weights, "lr": 1.0}, {"params": others, "lr": 0.1}])


def rates(folder: Path, kind: str, given: str) -> list[list[float]]:
    """The rates of both groups in four epochs."""
    model = seeded(plain_net)
    optimizer = groups_of(model)
    scheduler = scheduled(folder, TEXT.replace("CLASS", kind).replace("GIVEN", given), model, optimizer=optimizer)
    found = []
    for epoch in range(4):
        scheduler.on_epoch_begin(epoch)
        found.append([group["lr"] for group in optimizer.param_groups])
        scheduler.on_epoch_end(epoch)
    return found


@pytest.mark.parametrize(
    ("kind", "given", "first", "second"),
    [
        ("LambdaLR", "rates_of_mine:warm", [0.25, 0.5, 0.75, 1], [0.25, 0.5, 0.75, 1]),
        ("LambdaLR", "[rates_of_mine:warm, rates_of_mine:steady]", [0.25, 0.5, 0.75, 1], [1, 1, 1, 1]),
        ("LambdaLR", "rates_of_mine:table", [1, 0.1, 0.1, 0.1], [1, 0.1, 0.1, 0.1]),
        ("MultiplicativeLR", "rates_of_mine:halved", [1, 0.5, 0.25, 0.125], [1, 0.5, 0.25, 0.125]),
    ],
)
def test_rates_are_what_the_functions_say(
    code: Path, kind: str, given: str, first: list[float], second: list[float]
) -> None:
    found = rates(code, kind, given)
    assert [each[0] for each in found] == pytest.approx(first)
    assert [each[1] / 0.1 for each in found] == pytest.approx(second)


def test_a_function_may_end_with_the_training(code: Path) -> None:
    """It is tried for more epochs than the policy has; what it raises after them is of no interest."""
    text = TEXT.replace("CLASS", "LambdaLR").replace("GIVEN", "rates_of_mine:planned").replace("4}", "3}")
    model = seeded(plain_net)
    optimizer = groups_of(model)
    scheduler = scheduled(code, text, model, optimizer=optimizer)
    train(scheduler, range(3))
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.125)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("3", "4: lr_schedulers.lr.lr_lambda: expected text or a list, each text, found 3"),
        ("warm", "4: lr_schedulers.lr.lr_lambda: expected a function of an epoch as lr_lambda, found warm: expected"),
        (
            "rates_of_mine:wram",
            "4: lr_schedulers.lr.lr_lambda: expected a function of an epoch as lr_lambda, found rates_",
        ),
        (
            "no_such_module:f",
            "4: lr_schedulers.lr.lr_lambda: expected a function of an epoch as lr_lambda, found no_such",
        ),
        (
            "rates_of_mine:number",
            "4: lr_schedulers.lr.lr_lambda: expected a function of an epoch as lr_lambda, found rates",
        ),
        (
            "rates_of_mine:broken",
            "4: lr_schedulers.lr.lr_lambda: expected a finite factor of lr_lambda rates_of_mine:broken",
        ),
        ("[rates_of_mine:warm]", "4: lr_schedulers.lr.lr_lambda: expected lr_lambda with a function for each of the"),
    ],
)
def test_a_function_that_is_wrong_has_its_line_and_changes_nothing(code: Path, given: str, sentence: str) -> None:
    model = seeded(plain_net)
    optimizer = groups_of(model)
    before: Any = optimizer.state_dict()
    with pytest.raises(ScheduleError) as caught:
        scheduled(code, TEXT.replace("CLASS", "LambdaLR").replace("GIVEN", given), model, optimizer=optimizer)
    assert str(caught.value).startswith(f"{code / 'schedule.yaml'}:{sentence}")
    assert "\n" not in str(caught.value)
    assert_equal(before, optimizer.state_dict())


def test_a_function_that_fails_in_the_training_has_its_line(code: Path) -> None:
    model = seeded(plain_net)
    text = TEXT.replace("CLASS", "LambdaLR").replace("GIVEN", "rates_of_mine:two_alone")
    scheduler = scheduled(code, text, model, optimizer=groups_of(model))
    train(scheduler, range(1))
    scheduler.on_epoch_begin(1)
    sentence = (
        r"schedule.yaml:4: .*: expected a factor of lr_lambda rates_of_mine:two_alone for epoch 2, found KeyError"
    )
    with pytest.raises(ScheduleError, match=sentence):
        scheduler.on_epoch_end(1)


def test_rates_by_functions_resume(code: Path) -> None:
    text = TEXT.replace("CLASS", "LambdaLR").replace("GIVEN", "[rates_of_mine:warm, rates_of_mine:table]")
    model = seeded(plain_net)
    scheduler = scheduled(code, text, model, optimizer=groups_of(model), example_inputs=(EXAMPLE,))
    train(scheduler, range(2))
    scheduler.save(code / "last.pt")
    train(scheduler, range(2, 4))
    again, epoch = Scheduler.resume(code / "last.pt", lambda: seeded(plain_net), groups_of, example_inputs=(EXAMPLE,))
    assert epoch == 2
    train(again, range(2, 4))
    assert_equal(dict(scheduler.model.state_dict()), dict(again.model.state_dict()))
    assert again.optimizer is not None
    assert again.optimizer.param_groups[1]["lr"] == pytest.approx(0.01)


def test_functions_themselves_pass_in_python() -> None:
    optimizer = groups_of(seeded(plain_net))
    LambdaLR(optimizer, lambda epoch: 0.5)  # type: ignore[arg-type]
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.5, 0.05])
