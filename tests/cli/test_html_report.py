"""`qprep check --report`: a self-contained page of files, classes, findings, diffs and reasons."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner

import qprep
from qprep.cli import main
from qprep.cli.commands.check import command
from qprep.cli.reporters.enclosing_names import Enclosing, enclosing, scopes_of
from tests.chromium import background, lowest_contrast, overflow

SOURCE = """\
import torch
from torch import nn


class Net(nn.Module):
    class Inner(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 4)

        def forward(self, x):
            return torch.cat([self.fc(x), x], dim=1) if "<b>" else x

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return self.fc(x) + x


class Heads(nn.Module):
    def __init__(self):
        super().__init__()
        self.left, self.right = nn.Linear(8, 2), nn.Linear(8, 2)

    @torch.jit.ignore
    def join(self, a, b):
        return a + b

    def forward(self, x):
        return self.join(self.left(x), self.right(x))
"""
LONG = f"""

class Wide(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return torch.cat([self.fc(x), x], dim=1) if x is not None else "{"a" * 300}"  # {"b" * 300}
"""


class _Tags(HTMLParser):
    """Tags of a page with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(SOURCE + LONG)
    outcome = CliRunner().invoke(command, ["net.py", "--report", "out/report.html", "--output-format", "concise"])
    assert "net.py:12:20: QP103" in outcome.output, "findings are printed as without --report"
    return (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_findings_stand_below_their_file_and_class(page: str) -> None:
    order = [page.index(text) for text in ("net.py</b>", "<code>Net.Inner</code>", "<code>Net</code>", "Heads</code>")]
    assert order == sorted(order)
    assert page.count("<article") == 4
    assert "in <code>forward</code>" in page


def test_the_page_names_version_date_and_settings(page: str, tmp_path: Path) -> None:
    found = re.search(r"<p class=dim>qprep (\S+), (\d{4}-\d\d-\d\d) \d\d:\d\d UTC, default settings</p>", page)
    assert found is not None
    assert found[1] == qprep.__version__
    (tmp_path / "qprep.toml").write_text('ignore = ["QP103"]\n')
    CliRunner().invoke(command, ["net.py", "--report", "again.html"])
    assert "UTC, settings from qprep.toml</p>" in (tmp_path / "again.html").read_text(encoding="utf-8")


def test_the_page_has_counts_diffs_and_reasons(page: str) -> None:
    assert "<b>4</b> findings" in page
    assert "<b>1</b> without a fix" in page
    assert page.count("<span class=added> +         self.cat = Concat(dim=1)</span>") == 1
    assert page.count("Safe fix:") == 3, "a declined finding has no diff"
    assert "Not fixed: <code>join</code> has the decorator ignore" in page
    assert page.count("has the decorator ignore") == 2, "once at the finding, once among the reasons"


def test_source_is_escaped_and_nothing_is_loaded(page: str) -> None:
    assert page.count("&quot;&lt;b&gt;&quot;") > 1
    assert '"<b>"' not in page
    tags = _Tags()
    tags.feed(page)
    assert {tag for tag, _ in tags.found} & {"script", "link", "img", "iframe", "b"} == {"b"}
    assert [attributes for _, attributes in tags.found if "src" in attributes or "href" in attributes] == []


def test_another_suffix_is_rejected_before_work(tmp_path: Path) -> None:
    outcome = CliRunner().invoke(command, [str(tmp_path), "--report", "report.pdf"])
    assert "--report: expected a file that ends in .html or .htm, found `report.pdf`" in str(outcome.exception)


@pytest.mark.parametrize("verb", ["quantize", "compress"])
def test_a_report_of_another_suffix_is_a_usage_error(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "missing.py:model", "--report", "report.pdf"]) == 2
    assert "--report: expected a file that ends in .html, " in capsys.readouterr().err


def test_names_around_a_line() -> None:
    scopes = scopes_of(SOURCE)
    assert enclosing(scopes, 1) == Enclosing()
    assert enclosing(scopes, 12) == Enclosing("Net.Inner", "forward")
    assert enclosing(scopes, 19) == Enclosing("Net", "forward")
    assert scopes_of("def (") == ()


@pytest.mark.parametrize("width", [320, 400, 800, 1400])
def test_nothing_overflows(page: str, width: int, tmp_path: Path) -> None:
    assert overflow(page, width, tmp_path) <= 0


@pytest.mark.parametrize("dark", [False, True])
def test_every_text_can_be_read_in_dark_mode_too(page: str, dark: bool, tmp_path: Path) -> None:
    ratio, text = lowest_contrast(page, tmp_path, dark=dark)
    assert ratio >= 3, text


def test_dark_mode_has_a_background_of_its_own(page: str, tmp_path: Path) -> None:
    assert background(page, tmp_path, dark=True) != background(page, tmp_path, dark=False)
