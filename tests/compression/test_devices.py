"""Every policy on a model of another device: no mask, index or random number is made on the CPU and left there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from qprep.compression import (
    ChannelLasso,
    KnowledgeDistillation,
    Policy,
    PruningPolicy,
    QuantizationPolicy,
    RegularizationPolicy,
    Scheduler,
    ThinningPolicy,
)
from qprep.compression.registry import registered
from qprep.quantizer import LSQQuantizer
from tests.compression.far_device import FAR, FarDevice, FarTensor, moved
from tests.compression.nets import plain_net, seeded

LEVELS: dict[str, Any] = {"levels": {"*": 0.5}}
RANKED: dict[str, Any] = {"group_type": "Filters", "desired_sparsity": 0.5, "weights": ["0.weight"]}
AGP: dict[str, Any] = {"initial_sparsity": 0.1, "final_sparsity": 0.5, "weights": ["3.weight"], "rate": "once"}
PRUNERS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("SparsityLevelParameterPruner", LEVELS, {}),
    ("SparsityLevelParameterPruner", LEVELS, {"rewind": 0}),
    (
        "SparsityLevelParameterPruner",
        LEVELS,
        {"mask_on_forward_only": True, "mask_gradients": True, "use_double_copies": True},
    ),
    ("AutomatedGradualPruner", AGP, {}),
    ("AutomatedGradualPruner", {**AGP, "scope": "global"}, {}),
    ("MagnitudeParameterPruner", {"thresholds": {"*": 0.1}}, {}),
    ("SensitivityPruner", {"sensitivities": {"*": 0.5}}, {}),
    ("SplicingPruner", {"sensitivities": {"3.weight": 0.5}, "low_thresh_mult": 0.9, "hi_thresh_mult": 1.1}, {}),
    ("NMPruner", {"pattern": "2:4", "weights": ["3.weight"]}, {}),
    ("StructurePruner", {"sparsity": 0.5}, {}),
    ("StructurePruner", {"remove": "40%"}, {}),
    ("L1RankedStructureParameterPruner", RANKED, {}),
    ("L1RankedStructureParameterPruner", RANKED, {"fold_batchnorm": True}),
    ("L2RankedStructureParameterPruner", {**RANKED, "group_type": "Channels", "weights": ["3.weight"]}, {}),
    (
        "L1RankedStructureParameterPruner",
        {**RANKED, "group_type": "Blocks", "weights": ["3.weight"], "kwargs": {"block_shape": [1, 4, 1, 1]}},
        {},
    ),
    ("ActivationAPoZRankedFilterPruner", RANKED, {}),
    ("ActivationMeanRankedFilterPruner", RANKED, {}),
    ("GradientRankedFilterPruner", RANKED, {}),
    ("TaylorRankedStructurePruner", RANKED, {}),
    ("RandomRankedFilterPruner", RANKED, {}),
    ("BernoulliFilterPruner", RANKED, {}),
    (
        "RandomLevelStructureParameterPruner",
        {"group_type": "Filters", "sparsity_range": [0.1, 0.5], "weights": ["0.weight"]},
        {},
    ),
    (
        "StructureParameterPruner",
        {"reg_regims": {"3.weight": [0.05, "Filters"]}, "threshold_criteria": "Mean_Abs"},
        {},
    ),
    ("FMReconstructionChannelPruner", {**RANKED, "group_type": "Channels", "weights": ["3.weight"]}, {}),
    ("WandaPruner", {"weights": "*", "sparsity": 0.5}, {}),
    ("SparseGPTPruner", {"weights": "*", "sparsity": 0.5}, {}),
]
REGULARIZERS: list[tuple[str, dict[str, Any]]] = [
    ("L1Regularizer", {"reg_regims": {"3.weight": 0.1}}),
    ("GroupLassoRegularizer", {"reg_regims": {"3.weight": [0.01, "Filters"]}, "threshold_criteria": "Max"}),
    ("GroupLassoRegularizer", {"reg_regims": {"3.weight": [0.1, "Filters"]}, "proximal": True}),
    ("GroupVarianceRegularizer", {"reg_regims": {"3.weight": [0.1, "Filters"]}}),
    ("BatchNormSlimming", {"strength": 0.1}),
]


def runs(
    policy: Policy,
    optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.Adam,
    *,
    thins: bool = True,
    **window: Any,
) -> None:
    """Train with the policy, thin, save and load the state."""
    with FarDevice():
        model, teacher = moved(seeded(plain_net)), moved(seeded(plain_net, 1))
        images = FarTensor(torch.randn(3, 1, 6, 6))
        given = optimizer(model.parameters(), lr=0.05)
        scheduler = Scheduler(model, given, example_inputs=images, calibrate=[images], teacher=teacher)
        scheduler.add_policy(policy, **window)
        if thins:
            scheduler.add_policy(ThinningPolicy(), epochs=[2])
        for _ in scheduler.epochs(4):
            for _ in scheduler.steps(range(2)):
                given.zero_grad()
                scheduler.backward(model(images).square().mean())
                given.step()
        scheduler.masks.load_state_dict(scheduler.state_dict()["masks"])
        scheduler.masks.apply()
        assert scheduler.report().rows
        assert all(each.device == FAR for each in model.parameters())
        assert all(mask.device == FAR for _, mask in scheduler.masks)


@pytest.mark.parametrize(("name", "given", "settings"), PRUNERS, ids=lambda each: each if isinstance(each, str) else "")
def test_pruners(name: str, given: dict[str, Any], settings: dict[str, Any]) -> None:
    runs(PruningPolicy(registered()[name](**given), **settings), thins=not name.startswith("RandomLevel"), epochs=[1])


@pytest.mark.parametrize(("name", "given"), REGULARIZERS, ids=lambda each: each if isinstance(each, str) else "")
def test_regularizers(name: str, given: dict[str, Any]) -> None:
    runs(RegularizationPolicy(registered()[name](**given)), starting_epoch=0, ending_epoch=3)


def test_proximal_steps() -> None:
    lasso = RegularizationPolicy(ChannelLasso(0.4, proximal=True))
    runs(lasso, torch.optim.SGD, starting_epoch=0, ending_epoch=3)


def test_distillation_and_quantizers() -> None:
    runs(KnowledgeDistillation(2.0, 0.5, 0.5), starting_epoch=0, ending_epoch=3)
    runs(QuantizationPolicy(LSQQuantizer), starting_epoch=1, ending_epoch=3)


def test_the_far_device_refuses_tensors_of_the_cpu() -> None:
    with FarDevice():
        weight = nn.Parameter(FarTensor(torch.ones(4)))
        with pytest.raises(RuntimeError, match="expected all tensors on one device"):
            weight * torch.ones(4)
        with pytest.raises(RuntimeError, match="expected all tensors on one device"):
            torch._foreach_mul_([weight.detach()], [torch.ones(4)])
        assert torch.equal((weight * torch.ones(4, device=FAR)).detach().cpu(), torch.ones(4))
        assert torch.ones(4).to(FAR).device == FAR
