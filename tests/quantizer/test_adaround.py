"""AdaRound: rows that equal the layers' own outputs, and roundings that reproduce them better than the nearest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qprep.quantizer import AdaRoundQuantizer, PostTrainingQuantizer
from qprep.quantizer.formats.spec import Granularity, Scheme, Spec
from qprep.quantizer.graph.layer_rows import RowCollector, joined
from qprep.quantizer.methods.adaround import AdaRoundWeight
from tests.quantizer.models import TiedDecoder, snr


def data(batches: int = 3) -> list[Tensor]:
    """Correlated values: where rounding to nearest is not the best."""
    generator = torch.Generator().manual_seed(0)
    mixed = torch.randn(20, 3 * 144, generator=generator)
    return [(torch.randn(24, 20, generator=generator) @ mixed).view(24, 3, 12, 12) / 4 for _ in range(batches)]


def network() -> nn.Module:
    torch.manual_seed(0)
    first = nn.Conv2d(3, 8, 3, padding=1)
    second = nn.Conv2d(8, 8, 3, groups=4, stride=2, padding=1)
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU6(), nn.Flatten(), nn.Linear(288, 10)).eval()


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Linear(6, 4), (5, 3, 6)),
        (nn.Conv1d(4, 6, 3, stride=2, padding=1, dilation=2), (2, 4, 11)),
        (nn.Conv2d(4, 6, (3, 5), padding="same", groups=2), (2, 4, 7, 6)),
        (nn.Conv2d(6, 6, 3, groups=6, bias=False, padding="valid"), (2, 6, 7, 7)),
        (nn.Conv2d(4, 6, 3, padding=(1, 2), padding_mode="circular"), (2, 4, 7, 6)),
        (nn.Conv3d(2, 4, 2), (1, 2, 4, 4, 4)),
        (nn.Conv2d(2, 4, 3), (2, 6, 6)),
    ],
)
def test_rows_times_weight_are_outputs(layer: Any, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    collector = RowCollector([layer.weight], 40, seed=1)
    x = torch.randn(shape)
    with torch.no_grad(), collector:
        expected = layer(x)
    found = joined(collector.found[layer.weight]).output(layer.weight)
    channels = expected.movedim(-1 if isinstance(layer, nn.Linear) else -layer.weight.dim() + 1, -1)
    exact = "donot_use_mm_for_euclid_dist"
    distance = torch.cdist(found, channels.reshape(-1, found.shape[1]), compute_mode=exact)
    assert distance.amin(1).max() < 1e-4
    assert len(set(distance.argmin(1).tolist())) > 4


def test_weights_stay_within_a_step_and_are_saved(tmp_path: Path) -> None:
    model, batches = network(), data()
    results = {}
    for method in (PostTrainingQuantizer, AdaRoundQuantizer):
        settings: dict[str, Any] = {"iterations": 300, "samples": 2048} if method is AdaRoundQuantizer else {}
        quantizer = method(model, 8, 3, estimator_weights="mse", **settings)
        quantizer.prepare_model(batches[0])
        quantizer.calibrate(batches)
        results[method] = snr(model(batches[0]), quantizer.convert()(batches[0]))
    assert results[AdaRoundQuantizer] > results[PostTrainingQuantizer] + 4
    for parameter, each in quantizer.parameters_with_quantizers():
        assert isinstance(each, AdaRoundWeight)
        rounded = each.quantize(parameter)
        assert each.up.any()
        inside = (parameter.abs() < 3 * each.step(parameter)).expand_as(parameter)
        assert ((rounded - parameter).abs() <= each.step(parameter) * 1.0001)[inside].all()
        assert (rounded / each.step(parameter)).abs().max() <= 3.0001
    quantizer.save(tmp_path / "model.pt")
    loaded = AdaRoundQuantizer.load(tmp_path / "model.pt", model, batches[0])
    assert torch.equal(loaded.convert()(batches[0]), quantizer.convert()(batches[0]))


@pytest.mark.parametrize("scheme", [Scheme.SYMMETRIC, Scheme.ASYMMETRIC])
@pytest.mark.parametrize("granularity", list(Granularity))
def test_every_level_can_be_reached(scheme: Scheme, granularity: Granularity) -> None:
    group = 4 if granularity is Granularity.GROUP else 0
    quantizer = AdaRoundWeight("w", Spec(3, scheme, granularity, axis=1, group_size=group))
    weight = torch.randn(8, 6, generator=torch.Generator().manual_seed(2)) + 0.5
    quantizer.fit(weight)
    nearest = quantizer.quantize(weight)
    quantizer.up = (weight / quantizer.step(weight) - quantizer.below(weight)) > 0.5
    assert torch.allclose(quantizer.quantize(weight), nearest, atol=1e-6)
    quantizer.fit(weight)
    assert torch.equal(quantizer.quantize(weight), nearest)


def test_progress_and_what_is_not_linear() -> None:
    tokens = torch.randint(20, (4, 6))
    quantizer = AdaRoundQuantizer(TiedDecoder().eval(), 8, 4, iterations=5, samples=16)
    quantizer.prepare_model(tokens)
    seen: list[tuple[int, int]] = []
    quantizer.calibrate([tokens], progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 1)]
    assert torch.isfinite(quantizer.convert()(tokens)).all()
