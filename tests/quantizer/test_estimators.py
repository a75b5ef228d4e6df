"""Range estimators against values known in closed form."""

from __future__ import annotations

import pytest
import torch

from qprep.foundation.errors import QprepError
from qprep.quantizer.formats.affine import fake_quantize, qparams
from qprep.quantizer.formats.spec import Scheme, Spec
from qprep.quantizer.ranges.aciq import gauss_clip, laplace_clip
from qprep.quantizer.ranges.estimators import ESTIMATORS, make_estimator
from qprep.quantizer.ranges.histograms import Histogram, Percentile
from qprep.quantizer.ranges.range_rules import Average, MinMax, MovingAverage, StandardDeviations

NORMAL = torch.randn(1, 50_000, generator=torch.Generator().manual_seed(0))


def test_min_max_keeps_the_extremes() -> None:
    estimator = MinMax()
    estimator.update(torch.tensor([[1.0, 2.0], [-1.0, 0.0]]))
    estimator.update(torch.tensor([[0.5, 1.0], [-3.0, 4.0]]))
    low, high = estimator.range()
    assert low.tolist() == [0.5, -3.0]
    assert high.tolist() == [2.0, 4.0]


def test_moving_average_is_corrected_for_its_start() -> None:
    estimator = MovingAverage(decay=0.999)
    for _ in range(100):
        estimator.update(torch.full((1, 4), 6.0))
    # 0.999^100 leaves 9.5 % of the way: 6 · 0.0952 = 0.571 before the correction.
    assert estimator.high.item() == pytest.approx(0.571, abs=1e-3)
    assert estimator.range()[1].item() == pytest.approx(6.0, rel=1e-5)


def test_average_counts_samples_not_batches() -> None:
    estimator = Average()
    estimator.update(torch.tensor([[0.0, 1.0, 0.0, 3.0]]), samples=2)
    estimator.update(torch.tensor([[-3.0, 8.0]]), samples=1)
    low, high = estimator.range()
    assert low.item() == pytest.approx(-1.0)
    assert high.item() == pytest.approx(4.0)


def test_standard_deviations_over_batches_are_those_of_all_values() -> None:
    estimator = StandardDeviations(n=2)
    for part in torch.split(NORMAL, [10_000, 25_000, 15_000], dim=1):
        estimator.update(part + 1)
    assert estimator.std.item() == pytest.approx(NORMAL.std(correction=0).item(), rel=1e-4)
    low, high = estimator.range()
    assert high.item() == pytest.approx(3.0, abs=0.05)
    assert low.item() == pytest.approx(-1.0, abs=0.05)


def test_no_estimator_by_deviation_is_wider_than_what_was_seen() -> None:
    for name in ("n-std", "aciq-laplace", "aciq-gauss", "percentile", "entropy"):
        estimator = make_estimator(Spec(8, estimator=name))
        estimator.update(torch.tensor([[-1.0, 1.0]]))
        low, high = estimator.range()
        assert (low.item(), high.item()) == (-1.0, 1.0), name


def test_histogram_merges_bins_without_loss() -> None:
    grown, at_once = Histogram(), Histogram()
    grown.update(NORMAL / 8)
    grown.update(NORMAL * 8)
    at_once.limit = grown.limit
    assert grown.counts.sum().item() == 100_000
    assert grown.limit.item() >= (NORMAL * 8).abs().max().item()
    middle = grown.counts.shape[1] // 2
    below = (NORMAL / 8 < 0).sum() + (NORMAL * 8 < 0).sum()
    assert grown.counts[0, :middle].sum().item() == below.item()


def test_percentile_of_a_ramp() -> None:
    estimator = Percentile(90.0)
    estimator.update(torch.linspace(0, 1, 10_001)[None])
    low, high = estimator.range()
    assert low.item() == pytest.approx(0.05, abs=1e-3)
    assert high.item() == pytest.approx(0.95, abs=1e-3)


LAPLACE = {2: 2.83, 3: 3.89, 4: 5.03, 5: 6.2, 6: 7.41, 7: 8.64, 8: 9.89}
GAUSS = {2: 1.71, 3: 2.15, 4: 2.55, 5: 2.93, 6: 3.28, 7: 3.61, 8: 3.92}


@pytest.mark.parametrize("bits", sorted(LAPLACE))
def test_analytical_clips_are_the_published_ones(bits: int) -> None:
    assert laplace_clip(bits) == pytest.approx(LAPLACE[bits], abs=0.011)
    assert gauss_clip(bits) == pytest.approx(GAUSS[bits], abs=0.011)


def test_aciq_behind_a_relu_takes_the_next_bit() -> None:
    estimator = make_estimator(Spec(4, estimator="aciq-gauss"))
    rectified = NORMAL.clamp(min=0)
    estimator.update(rectified)
    low, high = estimator.range()
    assert low.item() == 0
    assert high.item() == pytest.approx(2.93 * rectified.std().item(), rel=0.01)


@pytest.mark.parametrize("bits", [3, 4])
def test_mse_finds_the_optimum_of_a_grid(bits: int) -> None:
    spec = Spec(bits, Scheme.SYMMETRIC, estimator="mse")
    estimator = make_estimator(spec)
    estimator.update(NORMAL)

    def error(reach: torch.Tensor) -> float:
        return float(((fake_quantize(NORMAL, qparams(spec, -reach, reach)) - NORMAL) ** 2).mean())

    low, high = estimator.range()
    best = min(error(torch.tensor(t)) for t in torch.linspace(0.5, 5, 200).tolist())
    assert error(torch.maximum(-low, high)[0]) <= best * 1.02


def test_entropy_clips_outliers() -> None:
    data = torch.cat([NORMAL, torch.full((1, 2), 200.0)], dim=1)
    estimator = make_estimator(Spec(8, Scheme.RESTRICTED, estimator="entropy"))
    estimator.update(data)
    assert 3.0 < estimator.range()[1].item() < 60.0


@pytest.mark.parametrize("name", sorted(ESTIMATORS))
def test_rows_have_ranges_of_their_own(name: str) -> None:
    estimator = make_estimator(Spec(8, Scheme.RESTRICTED, estimator=name))
    estimator.update(torch.cat([NORMAL, NORMAL * 100]))
    low, high = estimator.range()
    assert high[1].item() == pytest.approx(100 * high[0].item(), rel=1e-3)
    assert low[1].item() == pytest.approx(100 * low[0].item(), rel=1e-3)


@pytest.mark.parametrize("name", sorted(ESTIMATORS))
def test_odd_input(name: str) -> None:
    estimator = make_estimator(Spec(8, estimator=name))
    with pytest.raises(QprepError, match="found none"):
        estimator.range()
    estimator.update(torch.empty(1, 0))
    with pytest.raises(QprepError, match="found none"):
        estimator.range()
    with pytest.raises(QprepError, match="NaN or infinity"):
        estimator.update(torch.tensor([[1.0, float("nan")]]))
    with pytest.raises(QprepError, match="NaN or infinity"):
        estimator.update(torch.tensor([[1.0, float("inf")]]))
    estimator.update(torch.zeros(1, 8))
    low, high = estimator.range()
    assert low.item() == pytest.approx(0, abs=1e-30)
    assert high.item() == pytest.approx(0, abs=1e-30)


def test_unknown_estimator_says_the_nearest() -> None:
    with pytest.raises(QprepError, match="did you mean 'percentile'"):
        make_estimator(Spec(8, estimator="percentil"))
