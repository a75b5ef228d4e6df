"""The flow from files to results."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from qprep.engine import runs
from qprep.engine.config.settings import SettingsResolver
from qprep.engine.config.settings_file import Options
from qprep.engine.execution import Effort
from qprep.engine.rule_registry import all_rules
from qprep.foundation.findings import Fix, Rejection, RejectionCode
from qprep.foundation.source import display_path

NET = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return self.fc(x) + x
"""
PART = """\
from torch import nn


class Part(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def __setstate__(self, state):
        self.training = False

    def forward(self, x):
        return self.fc(x) * x
"""


def resolver(**options: object) -> SettingsResolver:
    return SettingsResolver(all_rules(), Options(**options), isolated=True)  # type: ignore[arg-type]


@pytest.fixture
def net(tmp_path: Path) -> Path:
    path = tmp_path / "net.py"
    path.write_text(NET)
    return path


def test_check_gives_findings_with_edits_and_writes_nothing(net: Path) -> None:
    result = runs.check([net], resolver())
    (finding,) = result.findings
    assert result.files == 1
    assert isinstance(finding.fix, Fix)
    assert finding.fix.edits
    assert {edit.path for edit in finding.fix.edits} == {display_path(net)}
    assert net.read_text() == NET


def test_edits_that_nobody_wants_are_not_held(net: Path) -> None:
    net.write_text(NET.replace("return self", "self.unseen(x, other())\n        return self"))
    (whole,) = runs.check([net], resolver()).findings
    short = runs.check([net], resolver(), effort=Effort(edits=False, unknown=False))
    (finding,) = short.findings
    assert isinstance(whole.fix, Fix)
    assert finding == replace(whole, fix=replace(whole.fix, edits=()))
    assert short.unknown_sites == ()


def test_edits_of_one_finding_are_a_whole_rewrite(net: Path) -> None:
    (finding,) = runs.check([net], resolver()).findings
    assert isinstance(finding.fix, Fix)
    text = NET
    for edit in sorted(finding.fix.edits, key=lambda e: e.start, reverse=True):
        text = text[: edit.start] + edit.content + text[edit.end :]
    runs.fix([net], resolver(), write=True)
    assert net.read_text() == text


def test_fix_without_write_leaves_the_disk_alone(net: Path) -> None:
    result = runs.fix([net], resolver(), write=False)
    (changed,) = result.changed
    assert "EltwiseAdd" in changed.new_text
    assert changed.old.text == NET
    assert net.read_text() == NET


def test_what_is_fixed_and_what_is_left(net: Path) -> None:
    part = net.with_name("part.py")
    part.write_text(PART)
    result = runs.fix([net, part], resolver(), write=True)
    assert [item.path for item in result.before] == [display_path(net), display_path(part)]
    assert [item.path for item in result.fixed] == [display_path(net)]
    (left,) = result.remaining
    assert left.path == display_path(part)
    assert isinstance(left.fix, Rejection)
    assert part.read_text() == PART
    assert result.files == 2


def test_a_broken_file_does_not_stop_the_others(net: Path) -> None:
    broken = net.with_name("broken.py")
    broken.write_text("x = (\n")
    result = runs.fix([broken, net], resolver(), write=True)
    assert [item.code for item in result.remaining] == ["QP001"]
    assert "EltwiseAdd" in net.read_text()
    assert broken.read_text() == "x = (\n"


@pytest.mark.parametrize(
    "options", [{"select": ("QP3",)}, {"ignore": ("QP101",)}, {"unfixable": ("QP1",)}, {"fixable": ("QP2",)}]
)
def test_settings_decide_what_is_fixed(net: Path, options: dict[str, tuple[str, ...]]) -> None:
    result = runs.fix([net], resolver(**options), write=True)
    assert result.changed == ()
    assert net.read_text() == NET


def test_a_suppressed_finding_is_not_fixed(net: Path) -> None:
    kept = NET.replace("+ x", "+ x  # qprep: ignore[QP101] folded")
    net.write_text(kept)
    result = runs.fix([net], resolver(), write=True)
    assert (result.remaining, result.changed) == ((), ())
    assert net.read_text() == kept


def test_an_overlay_stands_for_the_file(net: Path) -> None:
    overlay = {display_path(net): NET.replace("+ x", "- x").encode()}
    (finding,) = runs.check([net], resolver(), overlay=overlay).findings
    assert "`-`" in finding.message
    result = runs.fix([net], resolver(), write=False, overlay=overlay)
    assert "EltwiseSub" in result.changed[0].new_text


def test_places_of_unknown_kind_are_counted_not_reported(net: Path) -> None:
    net.write_text(
        NET.replace("return self.fc(x) + x", "import nowhere\n\n        return nowhere.made() + nowhere.made()")
    )
    result = runs.check([net], resolver())
    assert result.findings == ()
    assert result.unknown == 1
    assert [item.start.line for item in result.unknown_sites] == [12]


def test_nothing_given_is_nothing_found() -> None:
    result = runs.check([], resolver())
    assert (result.findings, result.files, result.unknown) == ((), 0, 0)


def test_a_generated_file_is_reported_and_left(net: Path) -> None:
    text = "# @generated by a tool\n" + NET
    net.write_text(text)
    result = runs.fix([net], resolver(), write=True)
    (left,) = result.remaining
    reason = "the file is marked @generated; its generator would overwrite a fix"
    assert left.fix == Rejection(reason, RejectionCode.GATE)
    assert (result.changed, result.reverted) == ((), ())
    assert net.read_text() == text


COUNTING = """\
from torch import nn


class Base(nn.Module):
    def count(self):
        return [name for name, child in self.named_children()]
"""


def test_children_that_a_file_outside_the_paths_goes_through_stay_as_they_are(net: Path) -> None:
    """The rewrite would have to change that file."""
    (net.parent / "base.py").write_text(COUNTING)
    net.write_text(NET.replace("from torch import nn\n", "from base import Base\nfrom torch import nn\n"))
    net.write_text(net.read_text().replace("Net(nn.Module)", "Net(Base)"))
    (finding,) = runs.check([net], resolver()).findings
    assert isinstance(finding.fix, Rejection)
    assert "outside the paths given" in finding.fix.reason
    both = runs.check([net, net.parent / "base.py"], resolver()).findings
    assert all(isinstance(finding.fix, Fix) for finding in both)
