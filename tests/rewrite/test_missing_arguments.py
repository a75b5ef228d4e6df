"""A call that lacks an argument which its function requires stays as it is: it raises, and a module may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from qprep.foundation.findings import Rejection
from tests.rewrite.cases import net
from tests.rewrite.running import fix_unharmed

CALLS = (
    "torch.dropout_(x)",
    "torch.dropout(x, 0.5)",
    "torch.alpha_dropout(x)",
    "torch.feature_dropout(x)",
    "torch.softmax(x)",
    "x.softmax()",
    "torch.threshold(x)",
    "F.threshold(x, 0.1)",
    "F.threshold_(x)",
    "torch.prelu(x)",
    "F.prelu(input=x)",
    "torch.add(x)",
    "x.mul()",
    "torch.matmul(input=x)",
    "F.pad(x)",
    "F.cosine_similarity(x)",
    "F.layer_norm(x)",
)


@pytest.mark.parametrize("call", CALLS)
def test_a_call_that_raises_stays(call: str, tmp_path: Path) -> None:
    forward = f"x = self.fc(x)\ntry:\n    y = {call}\nexcept TypeError:\n    y = x\nreturn F.relu(y)"
    result = fix_unharmed(net(forward), tmp_path)
    (left,) = result.remaining
    assert isinstance(left.fix, Rejection)
    assert "which this call does not give" in left.fix.reason
    assert f"y = {call}\n" in (tmp_path / "after" / "model.py").read_text()
