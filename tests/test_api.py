from __future__ import annotations

from pathlib import Path

import pytest

import qprep
from qprep.engine.config.settings_file import Options

SOURCE = """\
import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)

    def forward(self, x):
        return self.conv(x) + x * x
"""


def test_check_source_finds_with_places() -> None:
    findings = qprep.check_source(SOURCE, "pkg/net.py")
    assert [(item.path, item.start.line) for item in findings] == [("pkg/net.py", 10)] * 2
    assert qprep.check_source(SOURCE, options=Options(select=("QP3",))) == ()


def test_fix_source_gives_the_new_text_and_what_is_left() -> None:
    text, result = qprep.fix_source(SOURCE)
    assert len(result.fixed) == 2
    assert result.remaining == ()
    assert "from qprep.runtime_modules import" in text
    assert "return self." in text
    assert qprep.fix_source(text)[0] == text
    assert qprep.check_source(text) == ()


def test_a_syntax_error_is_a_finding() -> None:
    (finding,) = qprep.check_source("x = (")
    assert finding.code == "QP001"
    assert qprep.fix_source("x = (")[0] == "x = ("


def test_public_names_are_all_there() -> None:
    assert set(dir(qprep)) == set(qprep.__all__)
    for name in qprep.__all__:
        assert getattr(qprep, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        getattr(qprep, "nothing")  # noqa: B009  (the attribute does not exist)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(SOURCE)
    (tmp_path / "pyproject.toml").write_text('[tool.qprep]\nignore = ["QP201"]\n')
    return tmp_path


def test_check_reads_files_and_their_settings(project: Path) -> None:
    assert {(item.path, item.code) for item in qprep.check()} == {("net.py", "QP101")}
    assert qprep.check(project / "net.py", options=Options(select=("QP3",))) == ()
    (project / "latin.py").write_bytes(b"import torch\nx = '\xe9'\n")
    assert [item.code for item in qprep.check("latin.py")] == ["QP003"]
    with pytest.raises(qprep.QprepError, match="expected a file or folder, found nothing"):
        qprep.check("missing.py")


def test_fix_writes_files_if_wanted(project: Path) -> None:
    planned = qprep.fix("net.py", write=False)
    assert (project / "net.py").read_text() == SOURCE
    assert [file.path for file in planned.changed] == ["net.py"]
    done = qprep.fix()
    assert (len(done.fixed), done.remaining) == (2, ())
    assert (project / "net.py").read_text() == planned.changed[0].new_text == done.changed[0].new_text


USER = """\
import net

model = net.Net()
print(len(list(model.children())))
"""


def test_other_files_of_the_project_are_read(project: Path) -> None:
    """A file that is not given counts the children of the model, so a fix would change what it prints."""
    (project / "user.py").write_text(USER)
    alone = qprep.fix_source(SOURCE, "net.py")[1]
    assert len(alone.fixed) > len(qprep.fix("net.py", write=False).fixed)
