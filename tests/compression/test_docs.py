"""The code of docs/compression.md runs as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from qprep import compression
from qprep.compression import Pruner, Regularizer
from qprep.compression.classes import known_classes
from qprep.compression.registry import Section, registered
from tests.compression.nets import EXAMPLE, Residual, batches, seeded, sgd

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "compression.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```\n", TEXT, re.DOTALL)
(SCHEDULE,) = re.findall(r"```yaml\n(.*?)```\n", TEXT, re.DOTALL)


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The names that the page uses without defining them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "schedule.yaml").write_text(SCHEDULE, encoding="utf-8")
    model = seeded(Residual)
    return {
        "model": model,
        "optimizer": sgd(model),
        "images": EXAMPLE,
        "epochs": 12,
        "loader": batches(2),
        "criterion": nn.CrossEntropyLoss(),
        "validate": lambda _: 1.0,
        "make_model": lambda: seeded(Residual),
        "make_optimizer": sgd,
        "teacher": seeded(Residual, 1),
    }


def run(text: str, names: dict[str, Any]) -> None:
    exec(compile(text, "docs/compression.md", "exec"), names)


def test_the_loop_and_the_state_run(names: dict[str, Any]) -> None:
    """With the page's own schedule; its teacher and logs are given as the page says."""
    loop = SNIPPETS[0].replace("example_inputs=(images,)", "example_inputs=(images,), teacher=teacher, logs='runs/a'")
    run(loop, names)
    scheduler = names["scheduler"]
    assert scheduler.epoch == 11
    found = scheduler.sparsities()
    assert names["model"].get_submodule("conv2").module.weight.shape[0] == 6
    masks = [scheduler.masks[f"{name}.weight"] for name in ("conv2", "conv3")]
    zeros = sum(int((~mask).sum()) for mask in masks)
    assert zeros == round(0.9 * sum(mask.numel() for mask in masks))
    assert found["conv2.weight"] > 0.5
    state = SNIPPETS[2].replace("example_inputs=(images,)", "example_inputs=(images,), teacher=teacher")
    run(state, names)
    assert names["epoch"] == 12
    run(SNIPPETS[3], names)
    assert names["log"]["sparsity/weights/total"]


def test_the_short_form_runs(names: dict[str, Any]) -> None:
    from qprep.compression import Scheduler

    names["scheduler"] = Scheduler.from_file(
        "schedule.yaml", names["model"], names["optimizer"], example_inputs=(EXAMPLE,), teacher=names["teacher"]
    )
    run(SNIPPETS[1], names)
    assert names["scheduler"].epoch == 11


def test_a_pruner_of_ones_own_and_policies_without_a_file(names: dict[str, Any]) -> None:
    run(SNIPPETS[4], names)
    run("from qprep.compression import Scheduler\n" + SNIPPETS[5], names)
    assert len(names["scheduler"].entries) == 1
    assert "SmallestVariance" in known_classes(Section.PRUNERS)
    kind = names["SmallestVariance"]
    assert kind(["conv2.weight"], 0.5).mask(torch.randn(8, 4, 3, 3), None).sum() == 4


def test_every_class_that_the_page_names_exists() -> None:
    known = {name for section in Section for name in known_classes(section)}
    table = TEXT[TEXT.index("### Pruners") : TEXT.index("Each ranking also has")]
    named = set(re.findall(r"`([A-Z][A-Za-z0-9]+Pruner)`", table))
    assert named <= known
    assert len(named) > 12


def test_every_pruner_and_regularizer_of_a_schedule_is_in_the_package() -> None:
    kinds = {name: kind for name, kind in registered().items() if issubclass(kind, (Pruner, Regularizer))}
    own = {name: kind for name, kind in kinds.items() if kind.__module__.startswith("qprep.")}
    assert len(own) > 30
    assert [name for name, kind in own.items() if getattr(compression, name, None) is not kind] == []
    assert own.keys() <= set(compression.__all__)
