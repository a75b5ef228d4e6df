"""Learning rates, distillation, quantizers, one-shot pruners, sensitivity."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR, ReduceLROnPlateau, StepLR

from qprep.compression import (
    AutomatedGradualPruner,
    CompressionError,
    KnowledgeDistillation,
    LRPolicy,
    MultiStepMultiGammaLR,
    NMPruner,
    PolynomialLR,
    PruningPolicy,
    QuantizationPolicy,
    ScheduleError,
    Scheduler,
    SparseGPTPruner,
    SparsityLevelParameterPruner,
    WandaPruner,
    sensitivity,
    to_semi_structured,
)
from qprep.compression.grams import gram
from qprep.compression.lr import lr_classes
from qprep.compression.policies.statistics import StatisticsPolicy
from qprep.compression.pruners.nm import nm_mask
from qprep.compression.pruners.one_shot import OneShotPruner
from qprep.compression.pruners.reconstruction import FMReconstructionChannelPruner, fitted
from qprep.compression.quantizers import arguments
from qprep.quantizer import LSQQuantizer, PACTQuantizer, PostTrainingQuantizer
from qprep.quantizer.methods.qat.pact import PACTActivation
from qprep.quantizer.report.activation_statistics import collect_statistics
from tests.compression.nets import EXAMPLE, Residual, batches, plain_net, scheduled, seeded, sgd, train


def rates(
    make: Callable[[torch.optim.Optimizer], torch.optim.lr_scheduler.LRScheduler], first: int, end: int
) -> list[float]:
    """The rate in each of 8 epochs."""
    model = seeded(plain_net)
    optimizer = sgd(model, 1.0)
    scheduler = Scheduler(model, optimizer)
    scheduler.add_policy(LRPolicy(make(optimizer)), starting_epoch=first, ending_epoch=end)
    found = []
    for epoch in range(8):
        scheduler.on_epoch_begin(epoch)
        found.append(optimizer.param_groups[0]["lr"])
        scheduler.on_epoch_end(epoch, metrics={"loss": 1.0})
    return found


def test_rates_are_those_of_the_epoch_also_where_the_policy_starts_late() -> None:
    """As in Distiller: step(epoch + 1) at the end of each of the policy's epochs."""
    assert rates(lambda o: StepLR(o, 2, 0.1), 0, 8) == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01, 1e-3, 1e-3])
    assert rates(lambda o: StepLR(o, 2, 0.1), 4, 6) == pytest.approx([1, 1, 1, 1, 1, 0.01, 1e-3, 1e-3])
    wanted = [1, 1, 0.5, 0.5, 0.05, 0.05, 0.05, 0.05]
    assert rates(lambda o: MultiStepMultiGammaLR(o, [2, 4], [0.5, 0.1]), 0, 8) == pytest.approx(wanted)
    wanted = [(1 - min(epoch, 4) / 4) ** 2 for epoch in range(8)]
    assert rates(lambda o: PolynomialLR(o, 4, 2.0), 0, 8) == pytest.approx(wanted)
    plain = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=1.0)
    cosine, expected = CosineAnnealingLR(plain, 8), []
    for _ in range(8):
        expected.append(plain.param_groups[0]["lr"])
        plain.step()
        cosine.step()
    assert rates(lambda o: CosineAnnealingLR(o, 8), 0, 8) == pytest.approx(expected)


def test_a_plateau_needs_its_metric() -> None:
    assert rates(lambda o: ReduceLROnPlateau(o, patience=1, factor=0.5), 0, 8) == pytest.approx(
        [1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.125]
    )
    model = seeded(plain_net)
    optimizer = sgd(model)
    scheduler = Scheduler(model, optimizer)
    scheduler.add_policy(LRPolicy(ReduceLROnPlateau(optimizer)), epochs=[0, 1])
    scheduler.on_epoch_begin(0)
    with pytest.raises(CompressionError, match="expected metrics in on_epoch_end for ReduceLROnPlateau, found none"):
        scheduler.on_epoch_end(0)
    with pytest.raises(CompressionError, match="expected the metric 'loss' for ReduceLROnPlateau, found a, b"):
        scheduler.on_epoch_end(0, metrics={"a": 1, "b": 2})


def test_every_class_of_torch_that_a_file_can_make_is_known() -> None:
    known = lr_classes()
    assert {"StepLR", "MultiStepLR", "ExponentialLR", "CosineAnnealingLR", "OneCycleLR", "ReduceLROnPlateau"} <= set(
        known
    )
    assert known["PolynomialLR"] is PolynomialLR


LR = """\
lr_schedulers:
  plateau:
    class: ReduceLROnPlateau
    mode: min
    patience: 1
    factor: 0.5
    verbose: True
  decay:
    class: PolynomialLR
    total_iters: 4
    power: 2
    last_epoch: -1
policies:
  - {lr_scheduler: {instance_name: plateau}, starting_epoch: 0, ending_epoch: 8, frequency: 1}
"""


def test_arguments_that_torch_has_dropped_are_left_out_with_a_note(tmp_path: Path) -> None:
    model = seeded(plain_net)
    scheduler = scheduled(tmp_path, LR, model)
    assert "lr_schedulers.plateau.verbose: ReduceLROnPlateau has no such argument; it is ignored" in scheduler.notes
    for epoch in range(4):
        scheduler.on_epoch_begin(epoch)
        scheduler.on_epoch_end(epoch, metrics={"min": 1.0, "max": 0.0})
    assert scheduler.optimizer is not None
    assert scheduler.optimizer.param_groups[0]["lr"] == pytest.approx(0.5 * scheduler.optimizer.defaults["lr"])


def test_the_end_of_a_polynomial_has_torchs_name_too() -> None:
    wanted = rates(lambda o: PolynomialLR(o, 4, 2.0), 0, 8)
    assert rates(lambda o: PolynomialLR(o, total_iters=4, power=2.0), 0, 8) == wanted
    assert rates(lambda o: torch.optim.lr_scheduler.PolynomialLR(o, 4, 2.0), 0, 4) == pytest.approx(
        wanted[:4] + [0] * 4
    )
    with pytest.raises(CompressionError, match="expected either T_max or total_iters, found both or none"):
        PolynomialLR(sgd(seeded(plain_net)))


def test_a_schedule_that_fails_at_its_first_step_is_refused(tmp_path: Path) -> None:
    text = LR.replace("class: PolynomialLR", "class: StepLR").replace("total_iters: 4", "step_size: 0")
    text = text.replace("power: 2", "gamma: 0.5").replace("instance_name: plateau", "instance_name: decay")
    model = seeded(plain_net)
    optimizer = sgd(model, 0.25)
    with pytest.raises(
        ScheduleError, match=r":8: lr_schedulers\.decay: expected values that StepLR can step with, .*zero"
    ):
        scheduled(tmp_path, text, model, optimizer=optimizer)
    assert optimizer.param_groups[0]["lr"] == 0.25


def test_an_epoch_to_go_on_from_needs_the_first_rate(tmp_path: Path) -> None:
    text = LR.replace("last_epoch: -1", "last_epoch: 3").replace("instance_name: plateau", "instance_name: decay")
    with pytest.raises(ScheduleError, match=r":12: lr_schedulers\.decay\.last_epoch: .*initial_lr"):
        scheduled(tmp_path, text, seeded(plain_net))


def test_rates_go_on_when_the_quantizer_adds_parameters(tmp_path: Path) -> None:
    text = """\
quantizers:
  q: {class: LSQQuantizer, bits_weights: 4, bits_activations: 4}
lr_schedulers:
  d: {class: MultiStepLR, milestones: [2], gamma: 0.1}
policies:
  - {quantizer: {instance_name: q}, starting_epoch: 1, ending_epoch: 3}
  - {lr_scheduler: {instance_name: d}, starting_epoch: 0, ending_epoch: 3}
"""
    scheduler = scheduled(tmp_path, text, seeded(plain_net), example_inputs=EXAMPLE)
    train(scheduler, range(3))
    assert scheduler.optimizer is not None
    assert [group["lr"] for group in scheduler.optimizer.param_groups] == pytest.approx([0.005, 0.005])


def test_distillation_is_hintons_loss() -> None:
    model, teacher = seeded(plain_net), seeded(plain_net, 3)
    scheduler = Scheduler(model, sgd(model), teacher=teacher)
    scheduler.add_policy(KnowledgeDistillation(2.0, 0.7, 0.3), epochs=[0])
    images, labels = batches(1)[0]
    scheduler.on_epoch_begin(0)
    scheduler.on_minibatch_begin(0)
    output = model(images)
    loss = nn.functional.cross_entropy(output, labels)
    found = scheduler.before_backward_pass(0, loss=loss)
    target = torch.softmax(teacher.eval()(images) / 2, -1)
    divergence = (target * (target.log() - torch.log_softmax(output / 2, -1))).sum(-1).mean()
    assert float(found.detach()) == pytest.approx(float((0.3 * loss + 0.7 * 4 * divergence).detach()), abs=1e-6)
    assert not any(each.requires_grad for each in teacher.parameters())
    with pytest.raises(CompressionError, match="expected a run of the model in training mode"):
        scheduler.before_backward_pass(0, loss=loss)


def test_a_look_at_the_model_before_the_loss_is_not_distilled() -> None:
    model, teacher = seeded(plain_net), seeded(plain_net, 3)
    scheduler = Scheduler(model, sgd(model), teacher=teacher)
    scheduler.add_policy(KnowledgeDistillation(1.0, 1.0, 0.0), epochs=[0])
    images, _ = batches(1)[0]
    scheduler.on_epoch_begin(0)
    scheduler.on_minibatch_begin(0)
    output = model(images)
    with torch.no_grad():
        model(images + 1)
    found = scheduler.before_backward_pass(0, loss=output.sum())
    target = torch.log_softmax(teacher.eval()(images), -1)
    expected = nn.functional.kl_div(output.log_softmax(-1), target, reduction="batchmean", log_target=True)
    assert torch.isclose(found, expected)
    assert found.requires_grad


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda m: Scheduler(m).add_policy(KnowledgeDistillation(), epochs=[0]), "found none: give teacher="),
        (
            lambda m: Scheduler(m, teacher=m).add_policy(KnowledgeDistillation(), epochs=[0]),
            "found the model in training",
        ),
        (
            lambda m: Scheduler(m, teacher=nn.Sequential(m[0])).add_policy(KnowledgeDistillation(), epochs=[0]),
            "expected a teacher with parameters of its own, found 0.weight of the model in training",
        ),
        (lambda m: KnowledgeDistillation(temperature=0), "expected temperature above 0, found 0"),
        (lambda m: KnowledgeDistillation(teacher=0.5), "expected teacher: 0"),
        (lambda m: Scheduler(m).add_policy(QuantizationPolicy(LSQQuantizer), epochs=[0]), "expected example_inputs"),
        (
            lambda m: Scheduler(m).add_policy(PruningPolicy(WandaPruner("*")), epochs=[0]),
            "expected calibrate= for Wanda",
        ),
        (lambda m: Scheduler(m).add_policy(3, epochs=[0]), "expected a policy, found int"),  # type: ignore[arg-type]
        (lambda m: PruningPolicy(3), "expected a pruner, found int"),  # type: ignore[arg-type]
        (lambda m: PruningPolicy(WandaPruner("*"), levels={"a": 1}), "expected levels with a level pruner"),
        (lambda m: LRPolicy(3), "expected a scheduler of torch.optim.lr_scheduler, found int"),  # type: ignore[arg-type]
    ],
)
def test_policies_that_cannot_be_meant(make: Callable[[nn.Module], object], sentence: str) -> None:
    with pytest.raises(CompressionError) as caught:
        make(seeded(plain_net))
    assert sentence in str(caught.value)


QUANTIZED = """\
pruners:
  fine:
    class: AutomatedGradualPruner
    initial_sparsity: 0.05
    final_sparsity: 0.8
    weights: [conv2.weight, conv3.weight]
quantizers:
  qat: {class: LSQQuantizer, bits_weights: 4, bits_activations: 4, overrides: {conv1: {bits_weights: 8}}}
policies:
  - {pruner: {instance_name: fine}, starting_epoch: 0, ending_epoch: 4}
  - {quantizer: {instance_name: qat}, starting_epoch: 2, ending_epoch: 5}
"""


def test_masks_hold_through_the_quantizers_wrapping_and_in_what_it_converts_to(tmp_path: Path) -> None:
    model = seeded(Residual)
    scheduler = scheduled(tmp_path, QUANTIZED, model, example_inputs=EXAMPLE)
    train(scheduler, range(2))
    assert "conv2.module.weight" not in model.state_dict()
    seen: list[bool] = []

    def check() -> None:
        mask = scheduler.masks["conv2.weight"]
        weight = dict(model.named_parameters())["conv2.module.weight"]
        seen.append(mask is not None and not weight[~mask].any() and not mask.all())

    train(scheduler, range(2, 5), each=check)
    assert seen == [True] * 9
    mask = scheduler.masks["conv2.weight"]
    assert mask is not None
    assert int((~mask).sum()) == round(0.8 * mask.numel())
    policy = scheduler.entries[1].policy
    assert isinstance(policy, QuantizationPolicy)
    assert policy.quantizer is not None
    converted = policy.quantizer.convert()
    assert not converted.get_submodule("conv2").weight[~mask].any()  # type: ignore[index]


class Placed(nn.Module):
    """A model with a parameter of its own, as vision transformers have for positions."""

    def __init__(self) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.ones(1, 8))
        self.first, self.last = nn.Linear(8, 8), nn.Linear(8, 4)

    def forward(self, input: Tensor) -> Tensor:
        return self.last(self.first(input) + self.place)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "settings", [{}, {"overrides": {".*": {"bits_weights": 4}}}, {"bits_overrides": {"first": {"bits_weights": 4}}}]
)
def test_parameters_of_the_model_itself_stay_in_float(settings: dict[str, Any]) -> None:
    model = seeded(Placed)
    scheduler = Scheduler(model, sgd(model), example_inputs=torch.randn(2, 8))
    policy = QuantizationPolicy(LSQQuantizer, name="qat", **settings)
    scheduler.add_policy(policy, epochs=[0])
    scheduler.on_epoch_begin(0)
    assert policy.quantizer is not None
    assert policy.quantizer.model is model
    assert {each.split(".")[0] for each in model.state_dict() if ".weights." in each} == {"first", "last"}
    assert "qat: place stays in float: it belongs to no module inside of the model" in scheduler.notes


AFTER = """\
pruners:
  fine: {class: AutomatedGradualPruner, initial_sparsity: 0.2, final_sparsity: 0.8, weights: [conv2.weight]}
quantizers:
  last: {class: PostTrainLinearQuantizer, bits_activations: 8, bits_parameters: 8}
policies:
  - {pruner: {instance_name: fine}, starting_epoch: 0, ending_epoch: 2}
  - {quantizer: {instance_name: last}, epochs: [2]}
"""


def test_a_quantizer_after_training_works_on_the_model_of_the_loop(tmp_path: Path) -> None:
    model, seen = seeded(Residual), [images for images, _ in batches()]
    settings: dict[str, Any] = {"example_inputs": EXAMPLE, "calibrate": seen}
    scheduler = scheduled(tmp_path, AFTER, model, **settings)
    train(scheduler, range(2))
    alone = PostTrainingQuantizer(model, 8, 8)
    alone.prepare_model(EXAMPLE, allow_unprepared=True)
    alone.calibrate(seen)
    model.train()
    model.pool.eval()
    scheduler.on_epoch_begin(2)
    policy = scheduler.entries[1].policy
    assert isinstance(policy, QuantizationPolicy)
    assert policy.quantizer is not None
    assert policy.quantizer.model is model
    assert model.training
    assert not model.pool.module.training  # type: ignore[union-attr]
    assert torch.equal(model.eval()(seen[1]), alone.model(seen[1]))
    weight, mask = model.state_dict()["conv2.module.weight"], scheduler.masks["conv2.weight"]
    assert mask is not None
    assert int((weight == 0).sum()) == int((~mask).sum()) == round(0.8 * mask.numel())
    scheduler.save(tmp_path / "last.pt")
    again, _ = Scheduler.resume(tmp_path / "last.pt", Residual, sgd, **settings)
    assert torch.equal(again.model.eval()(seen[1]), model(seen[1]))


def test_a_quantizer_around_the_whole_model_is_refused() -> None:
    single = nn.Linear(4, 4)
    policy = QuantizationPolicy(LSQQuantizer)
    with pytest.raises(CompressionError, match="expected a model of modules to put LSQQuantizer into, found a single"):
        Scheduler(single, sgd(single), example_inputs=torch.randn(2, 4)).add_policy(policy, epochs=[3])
    model = seeded(Placed)
    scheduler = Scheduler(model, sgd(model), example_inputs=torch.randn(2, 8))
    scheduler.add_policy(QuantizationPolicy(LSQQuantizer, overrides={"place": {"bits_weights": 8}}), epochs=[0])
    with pytest.raises(CompressionError, match="whose own parameters it quantizes: leave them out of the overrides"):
        scheduler.on_epoch_begin(0)


def test_distillers_names_and_arguments_of_quantizers(tmp_path: Path) -> None:
    text = """\
quantizers:
  q:
    class: PACTQuantizer
    act_clip_init_val: 6.0
    bits_activations: 4
    bits_weights: 3
    overrides:
      module.0: {bits_weights: null, bits_activations: null}
policies:
  - {quantizer: {instance_name: q}, starting_epoch: 0, ending_epoch: 3, frequency: 1}
"""
    model = seeded(plain_net)
    scheduler = scheduled(tmp_path, text, model, example_inputs=EXAMPLE)
    train(scheduler, range(1))
    policy = scheduler.entries[0].policy
    assert isinstance(policy, QuantizationPolicy)
    assert isinstance(policy.quantizer, PACTQuantizer)
    alphas = [float(each.alpha.detach()) for each in model.modules() if isinstance(each, PACTActivation)]
    assert alphas
    assert alphas == pytest.approx([6.0] * len(alphas), abs=0.5)  # the first batch does not set it
    found = arguments("QuantAwareTrainRangeLinearQuantizer", {"mode": "ASYMMETRIC_UNSIGNED", "per_channel_wts": False})
    assert found["scheme_activations"] == "asymmetric"
    assert found["granularity_weights"] == "per-tensor"
    assert arguments("DorefaQuantizer", {"bits_activations": 32, "bits_weights": 4})["bits_activations"] is None
    assert arguments("PACTQuantizer", {"act_clip_decay": 0.1}) == {"alpha_decay": 0.1}
    found = arguments("QuantAwareTrainRangeLinearQuantizer", {"num_bits_inputs": 8, "quantize_inputs": True})
    assert found == {"bits_inputs": 8}
    short = {"bits_overrides": {"module.conv1": {"wts": None, "acts": None}}}
    assert arguments("DorefaQuantizer", short) == {"bits_overrides": {"conv1": {"wts": None, "acts": None}}}
    with pytest.raises(CompressionError, match="fp16 of Distiller's PostTrainLinearQuantizer has no counterpart"):
        arguments("PostTrainLinearQuantizer", {"fp16": False})
    for before, after, sentence in (
        (
            "PACTQuantizer",
            "PACTQuantiser",
            ":3: quantizers.q.class: expected the class of a quantizer, found 'PACTQuantis",
        ),
        ("bits_weights: 3", "bit_weights: 3", ":6: quantizers.q.bit_weights: unknown argument 'bit_weights'"),
        ("bits_weights: 3", "bits_weights: 99", ":6: quantizers.q.bits_weights: expected bits_weights from 1 to 16"),
        ("module.0", "module.9", ":8: quantizers.q.overrides.module.9"),
    ):
        with pytest.raises(ScheduleError) as caught:
            scheduled(tmp_path, text.replace(before, after), seeded(plain_net), example_inputs=EXAMPLE)
        assert sentence.split(".module")[0] in str(caught.value)


def test_statistics_are_collected_at_their_time(tmp_path: Path) -> None:
    path = tmp_path / "statistics.yaml"
    text = f"""\
extensions:
  watch: {{class: StatisticsCollector, path: {path}}}
policies:
  - {{extension: {{instance_name: watch}}, epochs: [1]}}
"""
    model, data = seeded(plain_net), [images for images, _ in batches()]
    with pytest.raises(ScheduleError, match="expected calibrate= for StatisticsCollector, found none"):
        scheduled(tmp_path, text, seeded(plain_net), example_inputs=EXAMPLE)
    scheduler = scheduled(tmp_path, text, model, example_inputs=EXAMPLE, calibrate=data)
    train(scheduler, range(1))
    assert not path.exists()
    scheduler.on_epoch_begin(1)
    wanted = collect_statistics(model, data)
    assert path.read_text() == wanted.to_yaml()
    policy = scheduler.entries[0].policy
    assert isinstance(policy, StatisticsPolicy)
    assert policy.statistics is not None
    assert policy.statistics["2"] == wanted["2"]
    assert model.training


def test_grids_without_a_zero_are_noted() -> None:
    from qprep.quantizer import DorefaQuantizer

    model = seeded(plain_net)
    scheduler = Scheduler(model, sgd(model), example_inputs=EXAMPLE)
    scheduler.add_policy(PruningPolicy(SparsityLevelParameterPruner({"3.weight": 0.5})), epochs=[0])
    scheduler.add_policy(QuantizationPolicy(DorefaQuantizer, bits_weights=4), epochs=[1])
    train(scheduler, range(2))
    assert any("the grid of DorefaQuantizer has no 0" in note for note in scheduler.notes)


def layered() -> tuple[nn.Sequential, list[Tensor]]:
    """A trained MLP and its data, with inputs of unequal size."""
    model = seeded(lambda: nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4)))
    made = torch.Generator().manual_seed(0)
    mix = torch.randn(16, 16, generator=made) * torch.logspace(-1, 1, 16)
    data = [torch.randn(64, 16, generator=made) @ mix for _ in range(4)]
    assert isinstance(model, nn.Sequential)
    return model, data


def error_of(kind: type[OneShotPruner] | None) -> float:
    """Of the first layer's output, after half of its weights went."""
    model, data = layered()
    dense = [model[0](batch) for batch in data]
    scheduler = Scheduler(model, sgd(model), calibrate=data, example_inputs=data[0])
    pruner = SparsityLevelParameterPruner({"0.weight": 0.5}) if kind is None else kind("0.weight", 0.5)
    scheduler.add_policy(PruningPolicy(pruner), epochs=[0])
    scheduler.on_epoch_begin(0)
    assert scheduler.sparsities()["0.weight"] == 0.5
    return sum(
        float((model[0](batch) - whole).pow(2).mean().detach()) for batch, whole in zip(data, dense, strict=True)
    )


def test_one_shot_pruners_lose_less_of_a_layers_output() -> None:
    magnitude, wanda, sparse_gpt = error_of(None), error_of(WandaPruner), error_of(SparseGPTPruner)
    assert sparse_gpt < wanda < magnitude


def test_one_shot_patterns() -> None:
    for kind in (WandaPruner, SparseGPTPruner):
        model, data = layered()
        scheduler = Scheduler(model, sgd(model), calibrate=data, example_inputs=data[0])
        scheduler.add_policy(PruningPolicy(kind(["0.weight", "2.weight"], pattern="2:4")), epochs=[0])
        scheduler.on_epoch_begin(0)
        for layer in (model[0], model[2]):
            assert bool(((layer.weight.reshape(-1, 4) != 0).sum(1) == 2).all())  # type: ignore[operator]


def test_a_pattern_is_selected_by_weights_that_make_up_for_earlier_columns() -> None:
    """Against a selection in advance; groups are inputs at the same place of a kernel."""
    torch.manual_seed(0)
    rows = torch.randn(512, 72, dtype=torch.float64) @ torch.randn(72, 72, dtype=torch.float64)
    parameter = nn.Parameter(torch.randn(12, 8, 3, 3))
    whole, products = parameter.detach().flatten(1).double(), rows.T @ rows / len(rows)
    keep, weight = SparseGPTPruner("*", pattern="2:4").prune(whole, products, parameter)
    assert bool((keep.view(12, 2, 4, 9).sum(2) == 2).all())

    order = torch.arange(72).view(8, 9).T.flatten()
    damped = (products + 0.01 * products.diagonal().mean() * torch.eye(72, dtype=torch.float64))[order][:, order]
    inverse = torch.linalg.cholesky(torch.linalg.inv(damped), upper=True)
    left = whole[:, order].clone()
    advance = nm_mask(left.square() / inverse.diagonal().square(), 2, 4)
    for column in range(72):
        error = left[:, column] * ~advance[:, column] / inverse[column, column]
        left[:, column:] -= error.outer(inverse[column, column:])
    before = (left * advance)[:, torch.argsort(order)]
    assert _lost(rows, whole, weight * keep) < 0.9 * _lost(rows, whole, before)


def _lost(rows: Tensor, before: Tensor, after: Tensor) -> float:
    return float((rows @ (after - before).T).square().mean())


def test_wanda_compares_within_each_output() -> None:
    model, data = layered()
    size = torch.cat(data).pow(2).mean(0).sqrt()
    scores = model[0].weight.detach().abs() * size  # type: ignore[operator]
    scheduler = Scheduler(model, sgd(model), calibrate=data, example_inputs=data[0])
    scheduler.add_policy(PruningPolicy(WandaPruner("0.weight", 0.25)), epochs=[0])
    scheduler.on_epoch_begin(0)
    mask = scheduler.masks["0.weight"]
    assert mask is not None
    for row, kept in zip(scores, mask, strict=True):
        assert sorted((~kept).nonzero().flatten().tolist()) == sorted(row.argsort()[:4].tolist())


def test_reconstruction_is_least_squares_on_what_stays() -> None:
    model = seeded(Residual)
    data = [images for images, _ in batches(4)]
    products = gram(model, model.conv2, (EXAMPLE,), data)
    dense = model.conv2.weight.detach().clone()
    scheduler = Scheduler(model, sgd(model), calibrate=data, example_inputs=EXAMPLE)
    pruner = FMReconstructionChannelPruner("Channels", 0.5, "conv2.weight", weights_only=True)
    scheduler.add_policy(PruningPolicy(pruner), epochs=[0])
    scheduler.on_epoch_begin(0)
    mask = scheduler.masks["conv2.weight"]
    assert mask is not None
    assert int((~mask).sum()) == mask.numel() // 2

    def error(weight: Tensor) -> float:
        lost = (weight - dense).flatten(1).double()
        return float((lost @ products @ lost.T).trace())

    fit = error(model.conv2.weight.detach())
    assert fit < error(dense * mask)
    for scale in (0.99, 1.01):
        assert fit <= error(model.conv2.weight.detach() * scale)
    assert torch.equal(fitted(torch.ones(2, 3), torch.eye(3).double(), torch.zeros(3).bool()), torch.zeros(2, 3))


def test_sensitivity_prunes_each_weight_alone_and_puts_it_back(tmp_path: Path) -> None:
    model = seeded(plain_net)
    before = [each.detach().clone() for each in model.parameters()]
    seen: list[float] = []

    def evaluate(given: nn.Module) -> dict[str, float]:
        assert not given.training
        zeros = [float((each == 0).float().mean()) for each in given.parameters() if each.dim() > 1]
        seen.append(sum(share > 0 for share in zeros))
        return {"top1": 1 - max(zeros)}

    for unit, names in (("element", ["0.weight", "3.weight", "8.weight"]), ("filter", ["0.weight", "3.weight"])):
        found = sensitivity(model, evaluate, unit=unit, levels=(0.0, 0.5))
        assert [(row.parameter, row.sparsity) for row in found.rows] == [(n, s) for n in names for s in (0.0, 0.5)]
        assert [row.scores["top1"] for row in found.rows] == [1.0, 0.5] * len(names)
    assert max(seen) == 1
    assert model.training
    assert all(torch.equal(one, other) for one, other in zip(before, model.parameters(), strict=True))
    found.to_csv(tmp_path / "s.csv")
    assert (tmp_path / "s.csv").read_text().splitlines()[:2] == ["parameter,sparsity,top1", "0.weight,0.0000,1.0"]
    assert found._repr_html_().count("<polyline") == 2
    with pytest.raises(CompressionError, match="expected unit among element, filter, channel, found 'row'"):
        sensitivity(model, evaluate, unit="row")
    with pytest.raises(CompressionError, match="expected a number, or numbers by name, from evaluate, found NoneType"):
        sensitivity(model, lambda _: None)  # type: ignore[arg-type, return-value]


def test_why_layers_have_no_sparse_kernel() -> None:
    model = nn.ModuleDict({"a": nn.Linear(64, 32), "b": nn.Linear(60, 32).half(), "c": nn.Conv2d(1, 1, 1)})
    model["d"] = nn.Linear(64, 32).half()
    model["e"] = nn.Linear(64, 32).half()
    with torch.no_grad():
        model["e"].weight.view(-1, 4)[:, :2] = 0  # type: ignore[operator]
    assert to_semi_structured(model) == [
        "a: expected float16 or bfloat16, found float32",
        "b: expected a shape in multiples of 32 and 64, found (32, 60)",
        "c: Conv2d has no sparse kernel in torch",
        "d: expected two zeros or more in every four inputs, found fewer",
        "e: expected a CUDA device, found cpu",
    ]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="sparse kernels need CUDA")
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_masked_layers_have_a_sparse_kernel_on_cuda(dtype: torch.dtype) -> None:
    model = seeded(lambda: nn.Sequential(nn.Linear(128, 256), nn.ReLU(), nn.Linear(256, 64)))
    scheduler = Scheduler(model, sgd(model))
    scheduler.add_policy(PruningPolicy(NMPruner("2:4", "*")), epochs=[0])
    scheduler.on_epoch_begin(0)
    half = scheduler.finish().to("cuda", dtype)
    inputs = torch.randn(128, 128, device="cuda", dtype=dtype)
    with torch.no_grad():
        wanted = half(inputs)
        assert to_semi_structured(half) == []
        torch.testing.assert_close(half(inputs), wanted, rtol=0, atol=10 * torch.finfo(dtype).eps)


def test_agp_is_the_same_from_a_file_and_by_hand(tmp_path: Path) -> None:
    by_file = seeded(Residual)
    text = (
        QUANTIZED.split("quantizers:", maxsplit=1)[0]
        + "policies:\n  - {pruner: {instance_name: fine}, starting_epoch: 0, ending_epoch: 4}\n"
    )
    train(scheduled(tmp_path, text, by_file), range(4))
    by_hand = seeded(Residual)
    scheduler = Scheduler(by_hand, sgd(by_hand))
    pruner = AutomatedGradualPruner(0.05, 0.8, ["conv2.weight", "conv3.weight"])
    scheduler.add_policy(PruningPolicy(pruner), starting_epoch=0, ending_epoch=4)
    train(scheduler, range(4))
    pairs = zip(by_file.parameters(), by_hand.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)
