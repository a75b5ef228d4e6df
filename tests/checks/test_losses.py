"""Operations that only compute a loss: no findings, unless they are asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from qprep.engine import runs
from qprep.engine.config.settings import SettingsResolver
from qprep.engine.config.settings_file import Options
from qprep.engine.rule_registry import all_rules
from tests.rewrite.cases import net

_CRITERION = "self.criterion = nn.MSELoss()"
LOSSES = {
    "function": net("z = self.fc(x)\nloss = F.mse_loss(z, y) * 0.5 + F.l1_loss(z, y)\nreturn z, loss", args="x, y"),
    "module": net("z = self.fc(x)\nreturn z, self.criterion(z, y) + self.criterion(z, x)", _CRITERION, args="x, y"),
    "local module": net("loss_fct = nn.CrossEntropyLoss()\nreturn loss_fct(self.fc(x), y) / 2", args="x, y"),
    "method of the result": net("return F.mse_loss(self.fc(x), y, reduction='none').mean(1).sum()", args="x, y"),
    "sum": net("z = self.fc(x)\nreturn sum([F.mse_loss(z, y), F.l1_loss(z, y)])", args="x, y"),
    "branch": net(
        "z = self.fc(x)\nloss = None\nif y is not None:\n    loss = ((z - y) ** 2).mean()\nreturn z, loss",
        args="x, y=None",
    ),
    "branch of several": net(
        "z = self.fc(x)\nif self.training and y is not None:\n    return F.l1_loss(z.exp(), y.clamp(min=0))\nreturn z",
        args="x, y=None",
    ),
    "behind an early return": net(
        "z = self.fc(x)\nif y is None:\n    return z\ngap = (z - y).abs()\nloss = gap.mean()\nreturn loss",
        args="x, y=None",
    ),
}
OTHERS = {
    "in the method of a loss and of the model": (
        net(
            "z = self.act(self.fc(x))\nif y is not None:\n    return F.l1_loss(self.act(z), y)\nreturn z",
            args="x, y=None",
        )
        + "\n    def act(self, x):\n        return F.relu(x)\n",
        {"QP301"},
    ),
    "optional input of no loss": (
        net("z = self.fc(x)\nif y is not None:\n    z = z + y\nreturn z", args="x, y=None"),
        {"QP101"},
    ),
    "optional input of the result and of a loss": (
        net("z = self.fc(x)\nif y is not None:\n    z = z + y\n    loss = F.l1_loss(z, x)\nreturn z", args="x, y=None"),
        {"QP101"},
    ),
    "a value that is returned beside the loss": (
        net(
            "z = self.fc(x)\nif y is not None:\n    w = z * y\n    return w, F.l1_loss(w, x)\nreturn z",
            args="x, y=None",
        ),
        {"QP101"},
    ),
    "a value that an object keeps beside the loss": (
        net(
            "z = self.fc(x)\nif y is not None:\n    self.last = z * y\n    loss = F.l1_loss(z, x)\nreturn z",
            args="x, y=None",
        ),
        {"QP101"},
    ),
    "a list that gets a value beside the loss": (
        net(
            "z, outs = self.fc(x), []\nif y is not None:\n    outs.append(z * y)\n    loss = F.l1_loss(z, x)\n"
            "return outs",
            args="x, y=None",
        ),
        {"QP101"},
    ),
    "a name that only sounds like a loss": (
        net("z = self.fc(x)\nif y is not None:\n    gloss = z * y\n    z = gloss\nreturn z", args="x, y=None"),
        {"QP101"},
    ),
    "behind the branch": (
        net("z = self.fc(x)\nif y is not None:\n    loss = F.l1_loss(z, y)\nreturn z * x", args="x, y=None"),
        {"QP101"},
    ),
}


def _codes(source: str, folder: Path, *, include_losses: bool = False) -> set[str]:
    path = folder / "model.py"
    path.write_text(source, encoding="utf-8")
    result = runs.check([path], SettingsResolver(all_rules(), Options(include_losses=include_losses), isolated=True))
    return {finding.code for finding in result.findings}


@pytest.mark.parametrize("source", LOSSES.values(), ids=LOSSES.keys())
def test_a_loss_is_no_finding(source: str, tmp_path: Path) -> None:
    assert _codes(source, tmp_path) == set()


@pytest.mark.parametrize("source", LOSSES.values(), ids=LOSSES.keys())
def test_a_loss_is_found_where_it_is_asked_for(source: str, tmp_path: Path) -> None:
    assert _codes(source, tmp_path, include_losses=True)


@pytest.mark.parametrize(("source", "codes"), OTHERS.values(), ids=OTHERS.keys())
def test_what_the_model_computes_is_found(source: str, codes: set[str], tmp_path: Path) -> None:
    assert _codes(source, tmp_path) == codes
