"""Schedule files: Distiller's grammar, what is more than it, and every error with file, line and key."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
import torch
import yaml
from torch import nn
from torch.nn import Parameter

from qprep.compression import (
    Context,
    Policy,
    Pruner,
    ScheduleError,
    Scheduler,
    file_config,
    load_schedule,
    register,
)
from qprep.compression.policies.quantization import QuantizationPolicy
from qprep.compression.schema import schema, schema_text
from qprep.compression.training import Training
from qprep.compression.windows import Window
from tests.compression.nets import EXAMPLE, Residual, batches, plain_net, scheduled, seeded, sgd, train

DISTILLER = """\
version: 1
pruners:
  fine:
    class: 'AutomatedGradualPruner'
    initial_sparsity : 0.05
    final_sparsity: 0.70
    weights: [module.conv2.weight, module.conv3.weight]
  fc:
    class: L1RankedStructureParameterPruner_AGP
    initial_sparsity : 0.05
    final_sparsity: 0.50
    group_type: Rows
    weights: module.fc.weight
  filters:
    class: L1RankedStructureParameterPruner
    group_type: Filters
    desired_sparsity: 0.5
    weights: [module.conv2.weight]
regularizers:
  lasso:
    class: GroupLassoRegularizer
    reg_regims:
      module.conv3.weight: [0.0008, Channels]
    threshold_criteria: Mean_Abs
extensions:
  thinner:
    class: 'FilterRemover'
    thinning_func_str: remove_filters
    arch: 'resnet20_cifar'
    dataset: 'cifar10'
lr_schedulers:
  lr:
    class: MultiStepMultiGammaLR
    milestones: [2, 4]
    gammas: [0.1, 0.5]
policies:
  - pruner:
      instance_name : filters
    epochs: [0]
  - extension: {instance_name: thinner}
    epochs: [1]
  - pruner:
      instance_name: fine
      args: {keep_mask: True, mini_batch_pruning_frequency: 2}
    starting_epoch: 1
    ending_epoch: 5
    frequency: 1
  - pruner: {instance_name: fc}
    starting_epoch: 0
    ending_epoch: 5
    frequency: 2
  - regularizer: {instance_name: lasso, args: {keep_mask: True}}
    starting_epoch: 0
    ending_epoch: 3
    frequency: 1
  - lr_scheduler: {instance_name: lr}
    starting_epoch: 0
    ending_epoch: 5
    frequency: 1
"""

SMALL = """\
pruners:
  fine:
    class: AutomatedGradualPruner
    initial_sparsity: 0.05
    final_sparsity: 0.5
    weights: [3.weight]
policies:
  - pruner: {instance_name: fine}
    starting_epoch: 0
    ending_epoch: 4
"""


def test_a_file_of_distiller_runs_as_it_is(tmp_path: Path) -> None:
    model = seeded(Residual)
    scheduler = scheduled(tmp_path, DISTILLER, model, example_inputs=EXAMPLE)
    train(scheduler, range(5))
    found = scheduler.sparsities()
    assert model.conv2.weight.shape == (6, 8, 3, 3)
    assert model.conv3.weight.shape == (8, 6, 3, 3)
    assert found["conv2.weight"] == pytest.approx(0.7, abs=1 / 432)
    assert found["conv3.weight"] == pytest.approx(0.7, abs=1 / 432)
    assert found["fc.weight"] == 0.5
    assert scheduler.optimizer is not None
    assert scheduler.optimizer.param_groups[0]["lr"] == pytest.approx(0.05 * 0.1 * 0.5)
    assert [each["kind"] for each in scheduler.training.records] == ["thinning"]


def test_distillers_call_builds_the_same(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(SMALL)
    model = seeded(plain_net)
    assert len(file_config(model, sgd(model), path).entries) == 1


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("wrapped", [False, True])
def test_names_with_and_without_module_mean_the_same(tmp_path: Path, prefix: str, wrapped: bool) -> None:
    model: nn.Module = seeded(plain_net)
    model = nn.DataParallel(model) if wrapped else model
    scheduler = scheduled(tmp_path, SMALL.replace("[3.weight]", f"[{prefix}3.weight]"), model)
    train(scheduler, range(4))
    assert scheduler.sparsities()["3.weight"] == 0.5


def test_regular_expressions_match_whole_names(tmp_path: Path) -> None:
    scheduler = scheduled(tmp_path, SMALL.replace("[3.weight]", "['[03].weight']"), seeded(plain_net))
    train(scheduler, range(4))
    found = scheduler.sparsities()
    assert (found["0.weight"], found["3.weight"], found["8.weight"]) == (0.5, 0.5, 0.0)


def test_missing_names_are_notes_where_the_file_allows_it(tmp_path: Path) -> None:
    text = SMALL.replace("[3.weight]", "[3.weight, 9.weight]\n    allow_missing: true")
    scheduler = scheduled(tmp_path, text, seeded(plain_net))
    assert scheduler.notes == [
        "9.weight: expected a parameter of the model, found none with this name; allow_missing: true makes this a note"
    ]


def test_definitions_that_no_policy_uses_are_noted_and_checked(tmp_path: Path) -> None:
    text = SMALL.replace("policies:", "lr_schedulers:\n  lr: {class: StepLR, step_size: 3}\npolicies:")
    assert scheduled(tmp_path, text, seeded(plain_net)).notes == ["lr_schedulers.lr: no policy uses it"]
    with pytest.raises(
        ScheduleError, match=r"schedule.yaml:8: lr_schedulers.lr.step_sise: unknown argument 'step_sise'"
    ):
        scheduled(tmp_path, text.replace("step_size", "step_sise"), seeded(plain_net))


def test_numbers_in_scientific_form_are_numbers(tmp_path: Path) -> None:
    text = SMALL.replace("0.05", "5e-2")
    scheduler = scheduled(tmp_path, text, seeded(plain_net))
    train(scheduler, range(1))
    assert scheduler.sparsities()["3.weight"] == pytest.approx(0.05, abs=1 / 576)


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ("pruners:", "prunners:", "1: prunners: unknown key 'prunners'; did you mean 'pruners'?"),
        ("pruners:", "version: 2\npruners:", "1: version: expected 1, found 2"),
        (
            "AutomatedGradualPruner",
            "AutomatedGradualPrunner",
            "3: pruners.fine.class: expected a class of pruners, found ",
        ),
        (
            "AutomatedGradualPruner",
            "StepLR",
            "3: pruners.fine.class: expected a class of pruners, found 'StepLR' of lr_sch",
        ),
        ("final_sparsity", "final_sparsty", "5: pruners.fine.final_sparsty: unknown argument 'final_sparsty'; did you"),
        ("    final_sparsity: 0.5\n", "", "2: pruners.fine: expected final_sparsity, found none"),
        ("0.5\n", "high\n", "5: pruners.fine.final_sparsity: expected a number, found 'high'"),
        ("0.5\n", "1.5\n", "5: pruners.fine.final_sparsity: expected final_sparsity from 0 to 1, found 1.5"),
        (
            "0.5\n",
            "0.01\n",
            "5: pruners.fine.final_sparsity: expected final_sparsity above initial_sparsity (0.05), found",
        ),
        (
            "[3.weight]",
            "[6.weight]",
            "6: pruners.fine.weights: expected a parameter of the model, found '6.weight'; did you",
        ),
        ("    class: AutomatedGradualPruner\n", "", "2: pruners.fine: expected a class, found none"),
        (
            "instance_name: fine",
            "instance_name: fien",
            "8: policies[0].pruner.instance_name: expected an instance of prun",
        ),
        ("instance_name: fine", "name: fine", "8: policies[0].pruner.name: unknown key 'name'"),
        ("{instance_name: fine}", "{}", "8: policies[0].pruner: expected instance_name, found none"),
        ("pruner: {", "prune: {", "8: policies[0].prune: unknown key 'prune'; did you mean 'pruner'?"),
        (
            "pruner: {",
            "regularizer: {",
            "8: policies[0].regularizer.instance_name: expected an instance of regularizers, fo",
        ),
        (
            "    ending_epoch: 4\n",
            "",
            "9: policies[0]: expected starting_epoch and ending_epoch, found no ending_epoch",
        ),
        (
            "ending_epoch: 4",
            "ending_epoch: 0",
            "9: policies[0]: expected ending_epoch after starting_epoch (0), found 0",
        ),
        (
            "ending_epoch: 4",
            "ending_epoch: 1",
            "2: pruners.fine: expected two steps or more for AutomatedGradualPruner, fo",
        ),
        (
            "ending_epoch: 4",
            "ending_epoch: 4\n    epochs: [1]",
            "9: policies[0]: expected either epochs, or starting_epoch",
        ),
        (
            "ending_epoch: 4",
            "ending_epoch: 4\n    frequency: 9",
            "9: policies[0]: expected a frequency above 0, up to 4, f",
        ),
        (
            "ending_epoch: 4",
            "ending_epoch: 4\n    freqency: 1",
            "11: policies[0].freqency: unknown key 'freqency'; did you",
        ),
        (
            "{instance_name: fine}",
            "{instance_name: fine, args: {keep_masks: true}}",
            "8: policies[0].pruner.args.keep_masks: u",
        ),
        (
            "{instance_name: fine}",
            "{instance_name: fine, args: {mask_gradients: true}}",
            "8: policies[0].pruner.args.mask_gradients: expect",
        ),
        ("  fine:\n", "  fine: *here\n", "2: "),
        (
            "    initial_sparsity: 0.05\n",
            "    initial_sparsity: 0.05\n    initial_sparsity: 0.06\n",
            "5: expected each key once",
        ),
        (
            "[3.weight]",
            "[3.weight]\n    ignore: [6.weight]",
            "7: pruners.fine.ignore: expected a parameter of the model to ignore, found '6.weight'; did you",
        ),
        (
            "{instance_name: fine}",
            "{instance_name: [fine]}",
            "8: policies[0].pruner.instance_name: expected the name of an instance, found a list",
        ),
        (
            "{instance_name: fine}",
            "{instance_name: }",
            "8: policies[0].pruner.instance_name: expected the name of an instance, found nothing",
        ),
        ("pruners:", "version: [1]\npruners:", "1: version: expected 1, found a list"),
        ("class: AutomatedGradualPruner", "class:", "3: pruners.fine.class: expected the name of a class, found noth"),
        (
            "{instance_name: fine}",
            "{instance_name: fine, args: {rewind: 9}}",
            "8: policies[0].pruner.args.rewind: expected rewind from 0 to 3, found 9",
        ),
        ("[3.weight]", "[3.wei\0ght]", "6: expected YAML, found the character 0"),
        ("0.5\n", "50%\n", "5: pruners.fine.final_sparsity: expected a number, found '50%'"),
        (
            "[3.weight]",
            "!!python/object/apply:os.system [3.weight]",
            "6: expected plain values, found a sequence with the tag !!python/object/apply:os.system",
        ),
        ("  fine:\n", "  fine: !!python/object:a.B\n", "2: expected plain values, found a mapping with the tag !!py"),
        ("[3.weight]", "[[3.weight]]", "6: pruners.fine.weights: expected text or a list, each text, found"),
    ],
)
def test_what_a_file_gets_wrong_has_file_line_and_key(tmp_path: Path, before: str, after: str, sentence: str) -> None:
    assert before in SMALL
    with pytest.raises(ScheduleError) as caught:
        scheduled(tmp_path, SMALL.replace(before, after, 1), seeded(plain_net))
    assert str(caught.value).startswith(f"{tmp_path / 'schedule.yaml'}:{sentence}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("pruners: {}\n", "policies: expected a list of policies, found none"),
        ("policies: []\n", "policies: expected a list of policies, found an empty one"),
        ("policies: {}\n", "policies: expected a list of policies, found a mapping"),
        ("- 1\n", "expected a mapping, found a list"),
        ("a: [\n", "expected YAML, found invalid text"),
    ],
)
def test_what_is_no_schedule(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "schedule.yaml"
    path.write_text(text)
    with pytest.raises(ScheduleError, match=re.escape(sentence)):
        load_schedule(path)


def test_two_quantizers_are_refused(tmp_path: Path) -> None:
    text = (
        "quantizers:\n  q: {class: LSQQuantizer}\npolicies:\n"
        + "  - {quantizer: {instance_name: q}, epochs: [0]}\n" * 2
    )
    with pytest.raises(ScheduleError, match=r":5: policies\[1\]: expected one quantizer at most, found a second"):
        scheduled(tmp_path, text, seeded(plain_net), example_inputs=EXAMPLE)


def test_nothing_is_changed_by_a_file_that_is_wrong(tmp_path: Path) -> None:
    model = seeded(plain_net)
    optimizer = sgd(model)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(ScheduleError):
        scheduled(tmp_path, SMALL.replace("3.weight", "33.weight"), model, optimizer=optimizer)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


WARMED_UP = """\
lr_schedulers:
  warm: {class: LinearLR, start_factor: 0.1}
pruners:
  first: {class: ActivationMeanRankedFilterPruner, desired_sparsity: 0.5, group_type: Filters, weights: [0.weight]}
  second: {class: SparsityLevelParameterPruner, levels: {NAME: 0.5}}
policies:
  - {pruner: {instance_name: first}, epochs: [1]}
  - {lr_scheduler: {instance_name: warm}, starting_epoch: 0, ending_epoch: 5}
  - {pruner: {instance_name: second}, epochs: [0]}
"""


def test_the_optimizer_and_the_scheduler_are_as_before_where_a_later_policy_is_wrong(tmp_path: Path) -> None:
    """Schedules of learning rates set the rate and replace `step` when they are made."""
    model = seeded(plain_net)
    optimizer = sgd(model)
    before = [{name: value for name, value in group.items() if name != "params"} for group in optimizer.param_groups]
    path = tmp_path / "schedule.yaml"
    path.write_text(WARMED_UP.replace("NAME", "33.weight"), encoding="utf-8")

    def assert_unchanged() -> None:
        found = [{name: value for name, value in each.items() if name != "params"} for each in optimizer.param_groups]
        assert found == before
        assert "step" not in vars(optimizer)
        assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())

    with pytest.raises(ScheduleError):
        Scheduler.from_file(path, model, optimizer, example_inputs=EXAMPLE)
    assert_unchanged()
    assert not optimizer._optimizer_step_post_hooks
    scheduler = Scheduler(model, optimizer, example_inputs=EXAMPLE)
    with pytest.raises(ScheduleError):
        scheduler.use(load_schedule(path))
    assert_unchanged()
    assert not scheduler.entries
    assert scheduler.schedule is None
    path.write_text(WARMED_UP.replace("NAME", "3.weight"), encoding="utf-8")
    scheduler.use(load_schedule(path))  # the mended file then works
    train(scheduler, range(2))
    assert scheduler.sparsities()["3.weight"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: " + "[" * 3000 + "]" * 3000, "expected YAML, found too many levels of nested values"),
        (
            "a: &a [x, x, x, x, x, x, x, x, x]\n"
            + "".join(f"{b}: &{b} [{', '.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
            "1: expected values, found aliases that repeat too many of them",
        ),
    ],
)
def test_files_that_grow_without_end_are_refused(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "schedule.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ScheduleError, match=sentence):
        load_schedule(path)


def test_a_frequency_beside_a_list_of_epochs_is_noted_and_a_far_end_costs_nothing(tmp_path: Path) -> None:
    listed = SMALL.replace("starting_epoch: 0\n    ending_epoch: 4", "epochs: [2, 0, 1]\n    frequency: 2")
    scheduler = scheduled(tmp_path, listed, seeded(plain_net))
    assert scheduler.notes == ["policies[0].frequency: 2 changes nothing with a list of epochs"]
    assert [scheduler.entries[0].window.in_epoch(each) for each in range(4)] == [True, True, True, False]
    far = scheduled(tmp_path, SMALL.replace("ending_epoch: 4", "ending_epoch: 400000000000"), seeded(plain_net))
    assert far.entries[0].window.in_epoch(399999999999)


def test_repeated_keys_with_equal_values_are_noted(tmp_path: Path) -> None:
    """One of Distiller's files has them."""
    text = SMALL.replace("    final_sparsity: 0.5\n", "    final_sparsity: 0.5\n    final_sparsity: 0.5\n")
    scheduler = scheduled(tmp_path, text, seeded(plain_net))
    assert scheduler.notes == ["line 6: 'final_sparsity' is in line 5 already, with an equal value"]


def test_a_pruner_of_ones_own_is_one_class(tmp_path: Path) -> None:
    @register
    class SmallestVariance(Pruner):
        def __init__(self, weights: list[str], level: float) -> None:
            super().__init__(weights)
            self.level = level

        def mask(self, parameter: Parameter, context: Context) -> torch.Tensor:
            return self.lowest(parameter.var(dim=(1, 2, 3)), self.level)

    text = SMALL.replace("AutomatedGradualPruner", "SmallestVariance").replace("    initial_sparsity: 0.05\n", "")
    model = seeded(plain_net)
    variances = model[3].weight.detach().var(dim=(1, 2, 3))
    scheduler = scheduled(tmp_path, text.replace("final_sparsity", "level"), model)
    scheduler.on_epoch_begin(0)
    mask = scheduler.masks["3.weight"]
    assert mask is not None
    assert (~mask).flatten(1).all(1).nonzero().flatten().tolist() == sorted(variances.argsort()[:4].tolist())
    with pytest.raises(
        ScheduleError, match=r"pruners.fine.final_sparsity: unknown argument 'final_sparsity'; known are"
    ):
        scheduled(tmp_path, text, seeded(plain_net))


def test_an_extension_of_ones_own_is_a_policy(tmp_path: Path) -> None:
    seen: list[int] = []

    @register("Watcher")
    class Watches(Policy):
        def __init__(self, every: int = 1) -> None:
            self.every = every

        def on_minibatch_end(self, training: Training, window: Window) -> None:
            seen.append(training.clock.step * self.every)

    text = "extensions:\n  w: {class: Watcher, every: 2}\npolicies:\n  - {extension: {instance_name: w}, epochs: [1]}\n"
    train(scheduled(tmp_path, text, seeded(plain_net)), range(3), batches(2))
    assert seen == [4, 6]


def test_the_schema_accepts_what_loads_and_refuses_what_does_not() -> None:
    checker = jsonschema.Draft202012Validator(schema())
    jsonschema.Draft202012Validator.check_schema(schema())
    assert json.loads(schema_text()) == schema()
    for text in (DISTILLER, SMALL):
        assert not list(checker.iter_errors(yaml.safe_load(text)))
    for before, after in (("pruners:", "prunners:"), ("final_sparsity", "final_sparsty"), ("0.5\n", "high\n")):
        assert list(checker.iter_errors(yaml.safe_load(SMALL.replace(before, after, 1)))), after


def test_every_class_that_a_file_may_name_is_described_in_the_schema() -> None:
    sections = schema()["properties"]
    for section in ("pruners", "regularizers", "distillers", "quantizers", "lr_schedulers", "extensions"):
        for entry in sections[section]["additionalProperties"]["anyOf"]:
            assert entry["properties"]["class"]["const"]


def test_a_schedule_without_an_optimizer_has_no_learning_rate(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("lr_schedulers:\n  d: {class: StepLR, step_size: 1}\npolicies:\n"
                    "  - {lr_scheduler: {instance_name: d}, starting_epoch: 0, ending_epoch: 2}\n")  # fmt: skip
    with pytest.raises(ScheduleError, match=r"s.yaml:2: lr_schedulers.d: expected an optimizer, found none"):
        Scheduler.from_file(path, seeded(plain_net))


ENTRIES = """\
pruners:
  s:
    class: SensitivityPruner
    sensitivities:
      0.weight: 0.1
      3.weight: VALUE
policies:
  - {pruner: {instance_name: s}, epochs: [0]}
"""


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("big", "expected a number, found 'big'"),
        (".nan", "expected a number, found nan"),
        (".inf", "expected the sensitivity of 3.weight from 0 on, found inf"),
        ("-0.1", "expected the sensitivity of 3.weight from 0 on, found -0.1"),
    ],
)
def test_an_entry_that_does_not_fit_has_the_line_of_the_entry(tmp_path: Path, value: str, sentence: str) -> None:
    """Not a number is above no threshold: it would mask every weight."""
    with pytest.raises(ScheduleError, match=re.escape(f":6: pruners.s.sensitivities.3.weight: {sentence}")):
        scheduled(tmp_path, ENTRIES.replace("VALUE", value), seeded(plain_net))


QUANTIZED = """\
quantizers:
  q:
    class: PACTQuantizer
    bits_weights: 4
    SETTING
policies:
  - {quantizer: {instance_name: q}, epochs: [0]}
"""


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("overrides: [fc]", "5: quantizers.q.overrides: expected a mapping of overrides, found ['fc']"),
        ("overrides:\n      fc: 8", "6: quantizers.q.overrides.fc: expected a mapping of fc, found 8"),
        (
            "overrides:\n      fc: {bits_weights: 77}",
            "6: quantizers.q.overrides.fc.bits_weights: expected bits_weights from 1 to 16",
        ),
        ("bits_overrides: 4", "5: quantizers.q.bits_overrides: expected a mapping of bits_overrides, found 4"),
        (
            "act_clip_init_val: big",
            "5: quantizers.q.act_clip_init_val: expected act_clip_init_val above 0, found 'big'",
        ),
        ("act_clip_init_val: 0", "5: quantizers.q.act_clip_init_val: expected act_clip_init_val above 0, found 0"),
        ("per_channel_wts: maybe", "5: quantizers.q.per_channel_wts: expected per_channel_wts to be true or false, fo"),
        ("quantize_bias: 8", "5: quantizers.q.quantize_bias: expected quantize_bias to be true or false, found 8"),
    ],
)
def test_what_a_quantizer_gets_wrong_has_file_line_and_key(tmp_path: Path, setting: str, sentence: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        scheduled(tmp_path, QUANTIZED.replace("SETTING", setting), seeded(Residual), example_inputs=EXAMPLE)
    assert str(caught.value).startswith(f"{tmp_path / 'schedule.yaml'}:{sentence}")


@pytest.mark.parametrize("key", ["overrides", "bits_overrides"])
def test_32_bits_are_floats_in_overrides_too(tmp_path: Path, key: str) -> None:
    text = QUANTIZED.replace("SETTING", f"{key}:\n      fc: {{wts: 32, acts: 32}}")
    model = seeded(Residual)
    scheduler = scheduled(tmp_path, text, model, example_inputs=EXAMPLE)
    scheduler.on_epoch_begin(0)
    policy = scheduler.entries[0].policy
    assert isinstance(policy, QuantizationPolicy)
    assert policy.quantizer is not None
    found = {scheduler.training.name(each) for each, _ in policy.quantizer.parameters_with_quantizers()}
    assert "conv2.weight" in found
    assert "fc.weight" not in found


RATES = """\
lr_schedulers:
  lr:
    class: MultiStepLR
    milestones: VALUE
policies:
  - {lr_scheduler: {instance_name: lr}, starting_epoch: 0, ending_epoch: 5}
"""


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("3", "4: lr_schedulers.lr.milestones: expected a list, each a whole number, found 3"),
        ("[a, b]", "4: lr_schedulers.lr.milestones: expected a list, each a whole number, found ['a', 'b']"),
        ("[2]\n    gamma: .nan", "5: lr_schedulers.lr.gamma: expected a number, found nan"),
        (
            "[1]\n    gamma: .inf",
            "2: lr_schedulers.lr: expected finite learning rates from 0 on of MultiStepLR, found [inf] in",
        ),
        (
            "[3]\n    gamma: -0.1",
            "2: lr_schedulers.lr: expected finite learning rates from 0 on of MultiStepLR, found [-0.0",
        ),
    ],
)
def test_rates_are_rehearsed_before_the_training(tmp_path: Path, value: str, sentence: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        scheduled(tmp_path, RATES.replace("VALUE", value), seeded(plain_net))
    assert str(caught.value).startswith(f"{tmp_path / 'schedule.yaml'}:{sentence}")


def test_errors_during_the_training_have_file_line_and_key(tmp_path: Path) -> None:
    """The ranking needs outputs of the layers; nothing ran in epoch 0."""
    text = (
        "pruners:\n  p:\n    class: ActivationAPoZRankedFilterPruner\n    desired_sparsity: 0.5\n"
        "    group_type: Filters\n    weights: [3.weight]\npolicies:\n  - {pruner: {instance_name: p}, epochs: [1]}\n"
    )
    scheduler = scheduled(tmp_path, text, seeded(plain_net))
    scheduler.on_epoch_begin(0)
    scheduler.on_epoch_end(0)
    with pytest.raises(ScheduleError, match=r"schedule.yaml:6: pruners.p.weights: expected data for 3.weight"):
        scheduler.on_epoch_begin(1)


def test_a_tuple_of_python_is_a_list(tmp_path: Path) -> None:
    text = SMALL.replace("[3.weight]", "!!python/tuple [3.weight]")
    assert text != SMALL
    scheduled(tmp_path, text, seeded(plain_net))


def test_arguments_of_an_extensions_policy_have_their_key(tmp_path: Path) -> None:
    text = (
        "extensions:\n  t: {class: FilterRemover}\n"
        "policies:\n  - extension: {instance_name: t, args: {deep: 1}}\n    epochs: [1]\n"
    )
    with pytest.raises(ScheduleError, match=r":4: policies\[0\].extension.args.deep: expected no arguments of ext"):
        scheduled(tmp_path, text, seeded(plain_net))
