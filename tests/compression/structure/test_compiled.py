"""Masks and thinning under torch.compile."""

from __future__ import annotations

from typing import Any

import torch
from torch._dynamo.testing import CompileCounter

from qprep.compression.structure import choose, groups, scores, thin
from tests.compression.structure.models import build


def test_one_recompilation_by_thinning_and_none_by_masks() -> None:
    torch._dynamo.reset()
    model, inputs = build("residual")
    counter = CompileCounter()
    compiled: Any = torch.compile(model, backend=counter, fullgraph=True)
    with torch.no_grad():
        compiled(*inputs)
        assert counter.frame_count == 1
        found = groups(compiled, *inputs)
        for name, mask in found.masks(choose(scores(found), 0.5)).items():
            model.get_parameter(name).mul_(mask)
        before = compiled(*inputs)
        assert counter.frame_count == 1
        record = thin(compiled, inputs)
        after = compiled(*inputs)
        assert counter.frame_count == 2
        compiled(*inputs)
        assert counter.frame_count == 2
    assert "stem.weight" in record["tensors"]
    assert torch.allclose(before, after, atol=1e-5)
    torch._dynamo.reset()
