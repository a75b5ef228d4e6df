"""A comment inside a name that a fix replaces: this fix alone is declined."""

from __future__ import annotations

from pathlib import Path

import pytest

from qprep.foundation.findings import Rejection, RejectionCode
from tests.rewrite.cases import net
from tests.rewrite.running import fix, fix_unharmed, write

_DECLINED = {
    "before the dot": "y = (F  # keep\n     .relu(x))",
    "behind the dot": "y = (F.  # keep\n     relu(x))",
    "on a line of its own": "y = (F\n     # keep\n     .relu(x))",
    "between long names": "y = (torch  # keep\n     .nn.functional  # this too\n     .relu(x))",
    "before the arguments": "y = (torch.relu  # keep\n     (x))",
    "reused module": "y = self.act(x)\ny = (self  # keep\n     .act(y))",
}
_KEPT = {
    "behind the bracket": "y = F.relu(  # keep\n    x)",
    "behind the argument": "y = F.relu(\n    x,  # keep\n)",
    "chain": "y = (x  # keep\n     .relu()  # this too\n)",
    "operator": "y = (x  # keep\n     + x)",
}


@pytest.mark.parametrize("line", _DECLINED.values(), ids=_DECLINED.keys())
def test_a_comment_in_a_name_declines_one_fix(line: str, tmp_path: Path) -> None:
    text = net(f"x = self.fc(x)\n{line}\nreturn F.gelu(y)", "self.act = nn.ReLU()")
    result = fix(write(tmp_path, {"model.py": text}), write=True)
    (left,) = result.remaining
    assert left.fix == Rejection("a comment is inside the text that it would replace", RejectionCode.LAYOUT)
    assert "self.gelu(y)" in (tmp_path / "model.py").read_text()
    assert "# keep" in (tmp_path / "model.py").read_text()


@pytest.mark.parametrize("line", _KEPT.values(), ids=_KEPT.keys())
def test_a_comment_between_arguments_stays(line: str, tmp_path: Path) -> None:
    result = fix_unharmed(net(f"x = self.fc(x)\n{line}\nreturn F.gelu(y)"), tmp_path)
    assert not result.remaining
    assert "# keep" in (tmp_path / "after" / "model.py").read_text()
