from __future__ import annotations

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
