"""Scale, zero point and the arithmetic: reference vectors, and torch's own operators."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from qprep.foundation.errors import QprepError
from qprep.quantizer.formats.affine import QParams, dequantize, fake_quantize, qparams, quantize
from qprep.quantizer.formats.spec import Granularity, Scheme, Spec

SCHEMES = list(Scheme)


def of(spec: Spec, low: float, high: float) -> QParams:
    return qparams(spec, torch.tensor(low), torch.tensor(high))


# (range, signed) → Distiller's scale 1/s and its negated zero point.
@pytest.mark.parametrize(
    ("low", "high", "signed", "inverse", "negated"),
    [
        (-2.0, 10.0, False, 21.25, -42),
        (-2.0, 10.0, True, 21.25, 86),
        (5.0, 10.0, False, 25.5, 0),
        (-10.0, -5.0, False, 25.5, -255),
        (0.0, 0.0, False, 1.0, 0),
    ],
)
def test_asymmetric_reference(low: float, high: float, signed: bool, inverse: float, negated: int) -> None:
    params = of(Spec(8, Scheme.ASYMMETRIC, signed=signed), low, high)
    assert 1 / params.scale.item() == pytest.approx(inverse)
    assert -params.zero_point.item() == negated


@pytest.mark.parametrize(
    ("scheme", "largest", "inverse"),
    [(Scheme.SYMMETRIC, 4.0, 31.875), (Scheme.RESTRICTED, 4.0, 31.75), (Scheme.SYMMETRIC, 0.0, 1.0)],
)
def test_symmetric_reference(scheme: Scheme, largest: float, inverse: float) -> None:
    params = of(Spec(8, scheme), -largest, largest)
    assert 1 / params.scale.item() == pytest.approx(inverse)
    assert params.zero_point.item() == 0


@pytest.mark.parametrize(("signed", "scale"), [(True, 4 / 128), (False, 4 / 256)])
def test_power_of_two(signed: bool, scale: float) -> None:
    assert of(Spec(8, Scheme.POWER_OF_TWO, signed=signed), 0.0, 3.0).scale.item() == scale


@pytest.mark.parametrize(
    ("spec", "limits"),
    [
        (Spec(8, Scheme.SYMMETRIC), (-128, 127)),
        (Spec(8, Scheme.RESTRICTED), (-127, 127)),
        (Spec(8, Scheme.UNSIGNED), (0, 255)),
        (Spec(4, Scheme.ASYMMETRIC, signed=True), (-8, 7)),
        (Spec(16, Scheme.ASYMMETRIC), (0, 65535)),
        (Spec(1, Scheme.UNSIGNED), (0, 1)),
    ],
)
def test_limits(spec: Spec, limits: tuple[int, int]) -> None:
    assert spec.limits == limits


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [(2.0, 1.0, "minimum below the maximum"), (0.0, float("nan"), "finite"), (float("-inf"), 0.0, "finite")],
)
def test_impossible_ranges(low: float, high: float, message: str) -> None:
    with pytest.raises(QprepError, match=message):
        of(Spec(), low, high)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Spec(0),
        lambda: Spec(17),
        lambda: Spec(True),
        lambda: Spec(1, Scheme.RESTRICTED),
        lambda: Spec(None, dtype="float8"),
        lambda: Spec(8, dtype="float16"),
        lambda: Spec(8, granularity=Granularity.GROUP),
    ],
)
def test_impossible_specs(make: object) -> None:
    with pytest.raises(QprepError, match="expected"):
        make()  # type: ignore[operator]


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
@pytest.mark.parametrize("scheme", SCHEMES)
def test_integers_agree_with_torch_quantize_per_tensor(scheme: Scheme) -> None:
    torch.manual_seed(0)
    data = torch.randn(1000) * 3
    spec = Spec(8, scheme, signed=True)
    params = qparams(spec, data.min(), data.max())
    dtype = torch.quint8 if params.low == 0 else torch.qint8
    theirs = torch.quantize_per_tensor(data, params.scale.item(), int(params.zero_point), dtype)
    ours = quantize(data, params)
    clipped = theirs.int_repr().int().clamp(params.low, params.high)
    # They multiply by 1/s: a value that is half-way to rounding error may fall the other way.
    assert (ours - clipped).abs().max() <= 1
    assert (ours != clipped).float().mean() <= 0.002


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(SCHEMES), st.integers(2, 16), st.integers(0, 2**30), st.booleans())
def test_error_is_half_a_step_and_twice_is_once(scheme: Scheme, bits: int, seed: int, per_channel: bool) -> None:
    data = torch.randn(4, 30, generator=torch.Generator().manual_seed(seed))
    data = data.abs() if scheme is Scheme.UNSIGNED else data
    granularity = Granularity.CHANNEL if per_channel else Granularity.TENSOR
    low, high = (data.amin(1), data.amax(1)) if per_channel else (data.min(), data.max())
    params = qparams(Spec(bits, scheme, granularity), low.clamp(max=0), high)
    if scheme is Scheme.POWER_OF_TWO:  # unsigned here: negative values are clipped
        data = data.clamp(min=0)
    once = fake_quantize(data, params)
    step = params.scale[:, None] if per_channel else params.scale
    top = step * (params.high - params.zero_point.max())
    reach = torch.where(data > top, step * 1.01, step * 0.51)  # full range has no level at +max
    assert ((once - data).abs() <= reach + 1e-6).all()
    assert torch.allclose(fake_quantize(once, params), once, atol=1e-6)
    assert torch.allclose(dequantize(quantize(once, params), params), once, atol=1e-6)


def test_groups_are_rows_of_their_own() -> None:
    data = torch.tensor([[1.0, 2.0, 100.0, 50.0], [0.5, -0.25, 4.0, 1.0]])
    spec = Spec(8, Scheme.RESTRICTED, Granularity.GROUP, group_size=2)
    params = qparams(spec, -torch.tensor([2.0, 100.0, 0.5, 4.0]), torch.tensor([2.0, 100.0, 0.5, 4.0]))
    found = fake_quantize(data, params)
    assert found.shape == data.shape
    assert ((found - data).abs() <= torch.tensor([[2.0, 2, 100, 100], [0.5, 0.5, 4, 4]]) / 127 / 2 + 1e-6).all()
    assert torch.allclose(dequantize(quantize(data, params), params), found)


@pytest.mark.parametrize("axis", [0, 1])
def test_the_last_group_of_a_channel_may_be_shorter(axis: int) -> None:
    data = torch.tensor([[1.0, 2.0, 100.0], [0.5, -0.25, 4.0]])
    weight = data if axis == 0 else data.T
    spec = Spec(8, Scheme.RESTRICTED, Granularity.GROUP, group_size=2, axis=axis)
    reach = torch.tensor([2.0, 100.0, 0.5, 4.0])
    params = qparams(spec, -reach, reach)
    found = fake_quantize(weight, params)
    assert found.shape == weight.shape
    assert torch.allclose(dequantize(quantize(weight, params), params), found)
    wide = functional.pad(data, (0, 1))
    expected = fake_quantize(wide, qparams(replace(spec, axis=0), -reach, reach))[:, :3]
    assert torch.equal(found, expected if axis == 0 else expected.T)


def test_gradient_is_one_inside_and_zero_outside() -> None:
    data = torch.tensor([-9.0, -1.0, 0.3, 3.0, 9.0], requires_grad=True)
    fake_quantize(data, of(Spec(8, Scheme.SYMMETRIC), -4.0, 4.0)).sum().backward()  # type: ignore[no-untyped-call]
    assert isinstance(data.grad, Tensor)
    assert data.grad.tolist() == [0, 1, 1, 1, 0]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_dtypes_stay(dtype: torch.dtype) -> None:
    found = fake_quantize(torch.ones(3, dtype=dtype), of(Spec(), 0.0, 1.0))
    assert found.dtype == dtype
    assert found.tolist() == [1, 1, 1]


def test_specs_are_data() -> None:
    spec = Spec(4, Scheme.RESTRICTED, Granularity.GROUP, group_size=32, estimator="mse")
    assert Spec.from_data(spec.to_data()) == spec
    assert spec.with_bits(None).is_float
