"""Integer models against the simulation: within one level of each output."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qprep.foundation.errors import QprepError
from qprep.quantizer import (
    DorefaQuantizer,
    DynamicQuantizer,
    LinearQATQuantizer,
    LSQQuantizer,
    PACTQuantizer,
    PostTrainingQuantizer,
    TQTQuantizer,
    WeightOnlyQuantizer,
    WRPNQuantizer,
)
from qprep.quantizer.backends.integer.agreement import slot_agreement
from qprep.quantizer.backends.integer.dispatch import ComputingTensor
from qprep.quantizer.backends.integer.fixed_point import divided, multiplier, root, scaled, shifted
from qprep.quantizer.backends.integer.integer_model import IntegerModel
from qprep.quantizer.backends.integer.integer_tensor import IntegerTensor
from qprep.quantizer.formats.tensor_quantizers import TensorQuantizer
from qprep.quantizer.methods.qat.qat_base import TrainingQuantizer
from qprep.runtime_modules import (
    GRU,
    LSTM,
    Concat,
    EltwiseAdd,
    EltwiseMul,
    EltwiseSub,
    MatMul,
    Mean,
    MultiheadAttention,
    ScaledDotProductAttention,
)
from tests.quantizer.graphs import model as block
from tests.quantizer.models import TiedDecoder, mlp, snr


def calibrated(model: nn.Module, x: Tensor, **settings: Any) -> PostTrainingQuantizer:
    quantizer = PostTrainingQuantizer(model.eval(), **{"bits_activations": 8, "bits_weights": 8, **settings})
    quantizer.prepare_model(x)
    quantizer.calibrate([x])
    return quantizer


def levels_apart(quantizer: PostTrainingQuantizer, integer: IntegerModel, x: Tensor) -> float:
    """By how many levels of the output's grid the integer model and the simulation differ at most."""
    found = integer.integers(x)
    assert isinstance(found, IntegerTensor)
    assert found.grid is not None
    expected = quantizer.convert()(x).detach().double() / found.grid.scale + found.grid.zero
    return float((expected - found.levels).abs().max())


def image(*shape: int) -> Tensor:
    return torch.randn(*(shape or (4, 8, 10, 10)), generator=torch.Generator().manual_seed(1)) + 0.3


class Gated(nn.Module):
    """Sums, differences, products, means, joins."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Conv2d(8, 6, 1), nn.Conv2d(8, 6, 3, padding=1)
        self.gate, self.mul, self.add, self.sub = nn.Sigmoid(), EltwiseMul(), EltwiseAdd(), EltwiseSub()
        self.scale, self.shift = EltwiseMul(), EltwiseAdd()
        self.cat, self.pool, self.mean = Concat(1), nn.MaxPool2d(3, 2, 1), Mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        left, right = self.left(x), self.right(x)
        product = self.mul(self.gate(left), right)
        joined: Tensor = self.cat([self.add(product, left), self.sub(right, left), self.scale(product, 0.5)])
        return self.shift(self.mean(self.pool(joined)), 0.7)  # type: ignore[no-any-return]


class Lookup(nn.Module):
    """An embedding, normalized, and what is read off it."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.norm, self.fc = nn.Embedding(20, 8), nn.LayerNorm(8), nn.Linear(8, 4)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.fc(self.norm(self.embed(tokens))).transpose(1, 2).reshape(len(tokens), -1)  # type: ignore[no-any-return]


class Tagger(nn.Module):
    """A recurrent layer and a classifier."""

    def __init__(self, kind: type[nn.Module]) -> None:
        super().__init__()
        self.rnn, self.fc = kind(8, 12), nn.Linear(12, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.rnn(x)[0])  # type: ignore[no-any-return]


class Attend(nn.Module):
    """Self-attention, normalized."""

    def __init__(self) -> None:
        super().__init__()
        self.attention, self.norm = MultiheadAttention(8, 2, batch_first=True), nn.LayerNorm(8)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.attention(x, x, x, need_weights=False)[0])  # type: ignore[no-any-return]


def tokens() -> Tensor:
    return torch.randint(20, (4, 6), generator=torch.Generator().manual_seed(1))


def affine(norm: nn.Module) -> nn.Module:
    """A layer and a norm whose weight and bias are not those that it starts with."""
    for parameter in norm.parameters():
        nn.init.uniform_(parameter, -1, 1)
    return nn.Sequential(nn.Conv2d(8, 8, 1), norm)


class OnePiece(nn.Module):
    """Attention by torch's one function."""

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(8, 8) for _ in range(3))
        self.attend, self.settings = ScaledDotProductAttention(), settings

    def forward(self, x: Tensor) -> Tensor:
        return self.attend(self.query(x), self.key(x), self.value(x), **self.settings)  # type: ignore[no-any-return]


MODELS: dict[str, tuple[Callable[[], nn.Module], Callable[[], Tensor]]] = {
    "linear": (mlp, lambda: image(32, 8)),
    "block": (block, lambda: image(8, 3, 8, 8)),
    "convolutions": (
        lambda: nn.Sequential(
            nn.Conv2d(8, 16, 3, padding=1, groups=2),
            nn.ReLU6(),
            nn.Conv2d(16, 16, 3, padding=2, dilation=2, groups=16, padding_mode="zeros"),
            nn.Hardswish(),
            nn.Conv2d(16, 4, 3, stride=2),
            nn.SiLU(),
        ),
        image,
    ),
    "transposed": (
        lambda: nn.Sequential(nn.Conv2d(8, 8, 3), nn.GELU(), nn.ConvTranspose2d(8, 4, 3, stride=2, groups=2)),
        image,
    ),
    "one dimension": (
        lambda: nn.Sequential(nn.Conv1d(8, 4, 5, padding=2), nn.LeakyReLU(), nn.AvgPool1d(2)),
        lambda: image(4, 8, 10),
    ),
    "pools": (
        lambda: nn.Sequential(
            nn.AvgPool2d(3, 2, 1, count_include_pad=False),
            nn.ConstantPad2d(1, 0.5),
            nn.AvgPool2d(2, ceil_mode=True, padding=1),
            nn.AdaptiveAvgPool2d((3, 2)),
            nn.Flatten(),
            nn.Linear(48, 5),
            nn.Softmax(-1),
        ),
        image,
    ),
    "clamps": (
        lambda: nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Hardtanh(-0.33, 0.41), nn.Linear(8, 8), nn.ELU()),
        lambda: image(32, 8),
    ),
    "arithmetic": (Gated, image),
    "embedding": (Lookup, tokens),
    "tied": (TiedDecoder, tokens),
    "lstm": (lambda: Tagger(LSTM), lambda: image(3, 4, 8)),
    "attention": (Attend, lambda: image(2, 5, 8)),
    "slopes": (
        lambda: nn.Sequential(nn.Conv2d(8, 6, 1), nn.PReLU(6), nn.Conv2d(6, 6, 1), nn.PReLU(init=1.7)),
        image,
    ),
    "gates": (lambda: nn.Sequential(nn.Conv2d(8, 6, 1), nn.GLU(1), nn.Conv2d(3, 6, 1), nn.GLU()), image),
    "moved": (
        lambda: nn.Sequential(nn.Conv2d(8, 6, 1), nn.Upsample(scale_factor=2), nn.Unfold(3), nn.Conv1d(54, 4, 1)),
        image,
    ),
    "groups": (lambda: affine(nn.GroupNorm(2, 8)), image),
    "instances": (lambda: affine(nn.InstanceNorm2d(8, affine=True)), image),
    "several dimensions": (lambda: affine(nn.LayerNorm((10, 10))), image),
    "root mean squares": (lambda: affine(nn.RMSNorm(10)), image),
    "one piece": (OnePiece, lambda: image(2, 5, 8)),
    "causal": (lambda: OnePiece(is_causal=True), lambda: image(2, 5, 8)),
    "masked": (lambda: OnePiece(attn_mask=torch.ones(5, 5).tril(2).bool()), lambda: image(2, 5, 8)),
}


@pytest.mark.parametrize("bits", [8, 4, 12])
@pytest.mark.parametrize("name", MODELS)
def test_integers_agree_with_the_simulation_within_one_level(name: str, bits: int) -> None:
    torch.manual_seed(0)
    make, data = MODELS[name]
    x = data()
    quantizer = calibrated(make(), x, bits_activations=bits, bits_weights=bits)
    integer = quantizer.to_integer()
    assert levels_apart(quantizer, integer, x) < 1.01
    assert not integer.islands


def test_a_recurrent_layer_stays_close_over_many_steps() -> None:
    torch.manual_seed(0)
    x = image(30, 4, 8)
    quantizer = calibrated(Tagger(GRU), x)
    integer = quantizer.to_integer()
    assert levels_apart(quantizer, integer, x) < 3  # what one step rounds otherwise, the next steps read
    assert not integer.islands
    slots = slot_agreement(quantizer.convert(), integer, x)
    assert len(slots) > 30 * 10
    assert max(slot.levels for slot in slots) <= 1
    assert sum(slot.share for slot in slots) / len(slots) < 0.01


def test_agreement_wants_the_model_of_the_simulation() -> None:
    x = image(32, 8)
    quantizer = calibrated(mlp(), x)
    assert {slot.name for slot in slot_agreement(quantizer.convert(), quantizer.to_integer(), x)} == {
        "input 0",
        "1",
        "2",
    }
    with pytest.raises(QprepError, match="found another slot at input 0"):
        slot_agreement(mlp(), quantizer.to_integer(), x)


@pytest.mark.parametrize(
    "settings",
    [
        {"granularity_weights": "per-tensor"},
        {"granularity_weights": "per-group", "group_size": 4},
        {"scheme_weights": "asymmetric", "scheme_activations": "symmetric"},
        {"scheme_weights": "power-of-two", "scheme_activations": "power-of-two"},
        {"bits_bias": 8},
        {"bits_activations": 16, "bits_weights": 16},
    ],
    ids=str,
)
def test_every_format(settings: dict[str, Any]) -> None:
    x = image(32, 8)
    quantizer = calibrated(mlp(), x, **settings)
    assert levels_apart(quantizer, quantizer.to_integer(), x) < 1.01


@pytest.mark.parametrize(
    "method", [LinearQATQuantizer, TQTQuantizer, LSQQuantizer, PACTQuantizer, DorefaQuantizer, WRPNQuantizer]
)
@pytest.mark.parametrize("bits", [8, 4])
def test_trained_models(method: type[TrainingQuantizer], bits: int) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(8, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(384, 5))
    nn.init.uniform_(model[1].weight, -1, 1)  # type: ignore[arg-type]
    quantizer = method(model, bits_activations=bits, bits_weights=bits)
    quantizer.prepare_model(image())
    quantizer.model.train()
    quantizer.model(image())
    integer = quantizer.to_integer()
    expected = quantizer.convert()(image())
    found = integer.integers(image())
    grid = found.grid if isinstance(found, IntegerTensor) else None
    step = float(expected.detach().abs().max()) * 2.0 ** (1 - bits) if grid is None else grid.scale
    assert float((expected - integer(image())).detach().abs().max()) <= 1.01 * step
    assert model[1] in list(quantizer.model.modules())  # BatchNorm is arithmetic on the sums


def test_parameters_are_integers() -> None:
    quantizer = calibrated(mlp(), image(32, 8))
    kinds = {parameter.dtype for parameter in quantizer.to_integer().parameters()}
    assert kinds == {torch.int8, torch.int32}


def test_a_dead_channel_keeps_its_bias() -> None:
    model, x = mlp(), image(32, 8) * 1e-3
    with torch.no_grad():
        model[0].weight[1] = 1e-9  # type: ignore[operator]
        model[0].bias[1] = 3.0  # type: ignore[operator]
    quantizer = calibrated(model, x)
    assert levels_apart(quantizer, quantizer.to_integer(), x) < 1.01


def test_what_has_no_integer_form_runs_in_float_and_is_named() -> None:
    x = image()
    quantizer = calibrated(nn.Sequential(nn.Conv2d(8, 4, 3), nn.LogSoftmax(1), nn.Hardtanh(-9)), x)
    integer = quantizer.to_integer()
    assert list(integer.islands) == ["log_softmax in 1"]
    assert levels_apart(quantizer, integer, x) <= 2


def test_float_slots_and_unquantized_layers_are_islands() -> None:
    x = image(32, 8)
    quantizer = calibrated(mlp(), x, overrides={"2": {"bits_weights": None, "bits_activations": None}})
    integer = quantizer.to_integer()
    assert list(integer.islands) == ["linear in 2"]
    assert torch.allclose(integer(x), quantizer.convert()(x), atol=1e-2)


def test_dynamic_ranges() -> None:
    quantizer = DynamicQuantizer(mlp(), bits_activations=8, bits_weights=8)
    quantizer.prepare_model(image(32, 8))
    integer = quantizer.to_integer()
    apart = (integer(image(32, 8)) - quantizer.convert()(image(32, 8))).abs()
    assert float(apart.detach().mean()) < 1e-4
    assert not integer.islands


def test_nothing_to_compute_on_integers() -> None:
    quantizer = WeightOnlyQuantizer(mlp())
    quantizer.prepare_model(image(32, 8))
    with pytest.raises(QprepError, match="expected activations quantized to integers"):
        quantizer.to_integer()


def test_in_place_operations_and_assignments_change_the_tensor() -> None:
    x = ComputingTensor(torch.tensor([-3, 5]), 0.5, 8)
    torch.relu_(x)
    x[0] = 1.0
    assert x.to_float().tolist() == [1.0, 2.5]
    assert (x.shape, x.dtype, x.dim()) == ((2,), torch.float32, 1)


class Viewed(nn.Module):
    """Values seen in other orders and shapes, whatever way they lie in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(8, 8, 1), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        batch, channels, height, width = x.shape
        x = x.view(batch, 2, channels // 2, height, width).transpose(1, 2).contiguous().view(batch, -1, height, width)
        return self.second(x.flatten(2).mT.mT[..., :8].permute(0, 2, 1).contiguous().view(-1, channels))  # type: ignore[no-any-return]


def test_views_of_what_lies_in_memory_otherwise() -> None:
    torch.manual_seed(0)
    quantizer = calibrated(Viewed(), image())
    integer = quantizer.to_integer()
    assert not integer.islands
    assert all(each.levels <= 1 for each in slot_agreement(quantizer.convert(), integer, image()))


class Constants(nn.Module):
    """Outputs in the units of the data, by buffers."""

    scale: Tensor
    shift: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.mul, self.add = nn.Linear(8, 2), EltwiseMul(), EltwiseAdd()
        self.register_buffer("scale", torch.tensor([1e5, -5.0]))
        self.register_buffer("shift", torch.tensor([2e5, 1e-3]))

    def forward(self, x: Tensor) -> Tensor:
        return self.add(self.mul(self.fc(x), self.scale), self.shift)  # type: ignore[no-any-return]


def test_buffers_are_constants() -> None:
    torch.manual_seed(0)
    quantizer = calibrated(Constants(), image(32, 8))
    integer = quantizer.to_integer()
    assert not integer.islands
    assert all(each.levels <= 1 for each in slot_agreement(quantizer.convert(), integer, image(32, 8)))


class Scores(nn.Module):
    """The product of what two layers give."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right, self.product = nn.Linear(8, 64), nn.Linear(8, 64), MatMul()

    def forward(self, x: Tensor) -> Tensor:
        return self.product(self.left(x), self.right(x).mT)  # type: ignore[no-any-return]


def test_products_of_accumulators_run_in_float() -> None:
    torch.manual_seed(0)
    x = image(2, 5, 8)
    quantizer = DynamicQuantizer(Scores())
    quantizer.prepare_model(x)
    integer = quantizer.to_integer()
    assert list(integer.islands) == ["matmul in product"]
    assert snr(quantizer.convert()(x), integer(x)) > 40


def test_multiplier_and_shift() -> None:
    factors = torch.tensor([1.0, 0.3, -(2.0**-40), 1e-30, 7.0], dtype=torch.float64)
    whole, shift = multiplier(factors)
    assert torch.allclose(whole.double() * 2.0 ** -shift.double(), factors, rtol=2.0**-31)
    ints = torch.tensor([3, -5, 2**30, 9, 1])
    assert scaled(ints, 31, factors).tolist() == [3, -2, 0, 0, 7]
    assert scaled(torch.tensor([2**40 + 1]), 41, torch.tensor(2.0**-20).double()).tolist() == [2**20]


def test_shifts_round_half_to_even() -> None:
    halves = torch.tensor([-3, -1, 1, 3, 5])
    assert shifted(halves, torch.tensor(1)).tolist() == [-2, 0, 0, 2, 2]
    assert shifted(halves, torch.tensor(-2)).tolist() == [-12, -4, 4, 12, 20]
    assert shifted(torch.tensor([2**62]), torch.tensor(63)).tolist() == [0]


def test_division_and_root() -> None:
    assert divided(torch.tensor([7, -7, 6]), torch.tensor(4)).tolist() == [2, -2, 2]
    squares = torch.tensor([0, 1, 8, 9, (2**31 - 1) ** 2 - 1, (2**31 - 1) ** 2])
    assert root(squares).tolist() == [0, 1, 2, 3, 2**31 - 2, 2**31 - 1]


class Ternary(PostTrainingQuantizer):
    """The guide's method of one's own."""

    def param_quantization_fn(self, parameter: Tensor, quantizer: TensorQuantizer) -> Tensor:
        kept = parameter.abs() > 0.7 * parameter.abs().mean()
        return parameter.sign() * kept * (parameter.abs() * kept).sum() / kept.sum()


class Squared(PostTrainingQuantizer):
    """Values on no even grid."""

    def param_quantization_fn(self, parameter: Tensor, quantizer: TensorQuantizer) -> Tensor:
        return parameter.sign() * parameter.square()


def test_methods_of_ones_own() -> None:
    x = image(32, 8)
    quantizer = Ternary(mlp(), bits_activations=8, bits_weights=2)
    quantizer.prepare_model(x)
    quantizer.calibrate([x])
    assert levels_apart(quantizer, quantizer.to_integer(), x) < 1.01
    other = Squared(mlp(), bits_activations=8, bits_weights=2)
    other.prepare_model(x)
    other.calibrate([x])
    with pytest.raises(QprepError, match="values of 0.weight on an evenly spaced grid"):
        other.to_integer()
