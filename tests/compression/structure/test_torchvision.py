"""Masked and thin models agree on torchvision's."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qprep.compression.structure import ThinningError, choose, groups, scores, thin
from qprep.compression.structure.running import difference
from qprep.quantizer.graph.tensor_leaves import tensors_in
from tests.compression.structure.models import randomize
from tests.corpus_child import define_operators

MODELS = {
    **dict.fromkeys(("resnet18", "mobilenet_v2", "mobilenet_v3_small", "densenet121", "shufflenet_v2_x0_5"), 96),
    **dict.fromkeys(("squeezenet1_1", "efficientnet_b0", "regnet_y_400mf", "resnext50_32x4d", "mnasnet0_5"), 96),
    **dict.fromkeys(("googlenet", "convnext_tiny"), 96),
    **dict.fromkeys(("vgg11_bn", "alexnet", "vit_b_32"), 224),
    "inception_v3": 299,
}
BOUNDS = {torch.float32: 1e-6, torch.float64: 1e-12}


@pytest.fixture(scope="module")
def models() -> Iterator[Any]:
    if find_spec("torchvision") is None:
        pytest.skip("torchvision is not installed")
    try:
        yield import_module("torchvision.models")
    except RuntimeError:  # its compiled part is of another build of torch
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = define_operators()
        yield import_module("torchvision.models")
        del library


def build(models: Any, name: str) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    arguments = {"aux_logits": False, "init_weights": False} if name in ("googlenet", "inception_v3") else {}
    model: nn.Module = getattr(models, name)(weights=None, **arguments)
    with torch.no_grad():
        for module in model.modules():
            randomize(module)
    return model.eval(), torch.randn(2, 3, MODELS[name], MODELS[name])


@pytest.mark.slow
@pytest.mark.parametrize("dtype", list(BOUNDS), ids=str)
@pytest.mark.parametrize("name", list(MODELS))
def test_masked_is_thin(models: Any, name: str, dtype: torch.dtype) -> None:
    model, images = build(models, name)
    model, images = model.to(dtype), images.to(dtype)
    found = groups(model, images)
    removal = choose(scores(found), 0.5)
    with torch.no_grad():
        for parameter, mask in found.masks(removal).items():
            model.get_parameter(parameter).mul_(mask)
        before = model(images)
        thin(model, (images,), found=found)
        after = model(images)
    assert difference([before], [after]) <= BOUNDS[dtype]
    assert sum(each.numel() for each in model.parameters()) == found.parameters(removal) < 0.75 * found.parameters()


def test_the_gate_refuses_the_masks_of_distiller(models: Any) -> None:
    """Half of the filters of each convolution, its norm left as it is."""
    model, images = build(models, "resnet18")
    found = groups(model, images, verify=False)
    by_name = found.masks(choose(scores(found), 0.5))
    masks = {model.get_parameter(name): each.float() for name, each in by_name.items() if each.dim() == 4}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
    model(images).square().mean().backward()
    optimizer.step()
    before = {name: each.clone() for name, each in model.state_dict().items()}
    momenta = {each: optimizer.state[each]["momentum_buffer"].clone() for each in model.parameters()}
    kept = {each: mask.clone() for each, mask in masks.items()}
    with pytest.raises(ThinningError, match="first in bn1") as caught:
        thin(model, (images,), optimizer=optimizer, masks=masks, found=found)
    assert caught.value.module == "bn1"
    assert all(torch.equal(each, before[name]) for name, each in model.state_dict().items())
    assert all(torch.equal(optimizer.state[each]["momentum_buffer"], value) for each, value in momenta.items())
    assert all(torch.equal(masks[each], value) for each, value in kept.items())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_heads_of_the_training_are_thinned_with_the_model(models: Any, name: str) -> None:
    torch.manual_seed(0)
    model: nn.Module = getattr(models, name)(weights=None, aux_logits=True, init_weights=False)
    for module in model.modules():
        with torch.no_grad():
            randomize(module)
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    model.eval()
    images = torch.randn(2, 3, MODELS[name], MODELS[name])
    found = groups(model, images)
    removal = choose(scores(found), 0.5)
    with torch.no_grad():
        for parameter, mask in found.masks(removal).items():
            model.get_parameter(parameter).mul_(mask)
        masked = copy.deepcopy(model)
        thin(model, (images,), found=found)
        for mode in (False, True):
            before, after = (list(tensors_in(each.train(mode)(images))) for each in (masked, model))
            assert len(before) > int(mode)
            assert difference(before, after) <= 1e-4
    assert found.parameters(removal) < 0.4 * found.parameters()
