"""The thin model computes what the masked one does, on each way that channels go."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from qprep.compression.structure import choose, groups, scores, thin
from qprep.compression.structure.running import difference
from qprep.quantizer.graph.tensor_leaves import tensors_in
from tests.compression.structure.models import CASES, build

BOUNDS = {torch.float32: 1e-6, torch.float64: 1e-12}


def masked(model: nn.Module, masks: dict[str, torch.Tensor]) -> nn.Module:
    copied = copy.deepcopy(model)
    with torch.no_grad():
        for name, parameter in copied.named_parameters():
            if name in masks:
                parameter.mul_(masks[name])
    return copied


@pytest.mark.parametrize("dtype", list(BOUNDS), ids=str)
@pytest.mark.parametrize("name", list(CASES))
def test_masked_is_thin(name: str, dtype: torch.dtype) -> None:
    model, inputs = build(name, dtype)
    found = groups(model, *inputs)
    assert len(found.families) == CASES[name][2], [str(each) for each in found.frozen]
    assert not [note for note in found.notes if "could not be followed" in note]
    removal = choose(scores(found), 0.5)
    assert set(removal) == {family.name for family in found.families}
    full = masked(model, found.masks(removal))
    before = [each.detach() for each in tensors_in(full(*inputs))]
    parameters, cost = found.parameters(removal), found.macs(removal)
    thin(full, inputs)
    after = [each.detach() for each in tensors_in(full(*inputs))]
    assert difference(before, after) <= BOUNDS[dtype]
    assert sum(each.numel() for each in full.parameters()) == parameters < found.parameters()
    again = groups(full, *inputs, verify=False)
    fixed = sum(each.macs for each in found.products if not each.tensor)  # products of activations
    assert again.macs() + fixed == cost + sum(each.macs for each in again.products if not each.tensor)
    assert cost < found.macs()


@pytest.mark.parametrize("name", list(CASES))
def test_the_model_is_left_as_it_was(name: str) -> None:
    model, inputs = build(name)
    model.train()
    state = copy.deepcopy(model.state_dict())
    groups(model, *inputs)
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    assert all(module.training for module in model.modules())
    assert not [hook for module in model.modules() for hook in (*module._forward_hooks, *module._forward_pre_hooks)]
