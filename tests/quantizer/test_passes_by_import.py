"""Passes by registration, entry point, configuration and argument; ranges from saved statistics."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from qprep.foundation.errors import QprepError
from qprep.quantizer import (
    DynamicQuantizer,
    Graph,
    PostTrainingQuantizer,
    Statistics,
    collect_statistics,
    load_config,
    register_pass,
)
from qprep.quantizer.graph import pass_registry
from qprep.quantizer.graph.pass_registry import unregister_pass
from tests.quantizer.graphs import model as block
from tests.quantizer.models import mlp, snr
from tests.quantizer.test_integer import calibrated, image


@pytest.fixture
def seen() -> Iterator[list[str]]:
    """The registered passes that ran; they are unregistered afterwards."""
    ran: list[str] = []
    before = dict(pass_registry._REGISTERED)
    yield ran
    pass_registry._REGISTERED.clear()
    pass_registry._REGISTERED.update(before)


def test_registered_passes_run_in_their_places(seen: list[str]) -> None:
    @register_pass(after="plan-activations")
    def for_all(graph: Graph) -> None:
        seen.append(f"all {len(graph.nodes)}")

    @register_pass("tile", before="share-scales", target="tile")
    def for_tile(graph: Graph) -> None:
        seen.append("tile")

    plain, tiled = PostTrainingQuantizer(mlp()), PostTrainingQuantizer(mlp(), target="tile")
    names = tiled.passes.names
    assert names.index("for-all") == names.index("plan-activations") + 1
    assert names.index("tile") == names.index("share-scales") - 1
    assert "tile" not in plain.passes.names
    plain.prepare_model(image(32, 8))
    assert seen == ["all 3"]
    tiled.prepare_model(image(32, 8))
    assert seen == ["all 3", "all 3", "tile"]
    dynamic = DynamicQuantizer(mlp())
    assert "for-all" not in dynamic.passes.names
    assert dynamic.notes == ["the pass for-all is left out: there is no pass plan-activations here"]
    with pytest.raises(QprepError, match=r"expected a target that passes are registered for \(tile\), found 'tyle'"):
        PostTrainingQuantizer(mlp(), target="tyle")
    with pytest.raises(QprepError, match="expected the pass share-scales that tile belongs to"):
        DynamicQuantizer(mlp(), target="tile")


def test_two_functions_of_one_name_are_refused(seen: list[str]) -> None:
    register_pass("mine")(lambda graph: None)

    def other(graph: Graph) -> None:
        pass

    with pytest.raises(QprepError, match="expected a new name for a pass, found 'mine'"):
        register_pass("mine")(other)
    with pytest.raises(QprepError, match="expected a pass after another or before one"):
        register_pass(after="a", before="b")
    unregister_pass("mine")
    with pytest.raises(QprepError, match="expected a registered pass, found 'mine'"):
        unregister_pass("mine")


def test_entry_points_are_imported(seen: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    class Entry:
        name, value = "tile", "tile.passes"

        def load(self) -> None:
            register_pass("from-a-package")(lambda graph: seen.append("package"))

    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [Entry()])
    pass_registry._load_entry_points.cache_clear()
    try:
        PostTrainingQuantizer(mlp()).prepare_model(image(32, 8))
        assert seen == ["package"]
        monkeypatch.setattr(Entry, "load", lambda self: 1 / 0)
        pass_registry._load_entry_points.cache_clear()
        with pytest.raises(QprepError, match="expected the passes of tile"):
            PostTrainingQuantizer(mlp())
    finally:
        pass_registry._load_entry_points.cache_clear()


def test_passes_of_a_configuration(seen: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_passes.py").write_text("def narrow(graph):\n    graph.model.narrowed = True\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    path = tmp_path / "quant.yaml"
    path.write_text("backend: qnnpack\ntypes: [torch.nn.modules.linear.Linear]\npasses: [my_passes:narrow]\n")
    quantizer = load_config(path).quantizer(mlp())
    quantizer.prepare_model(image(32, 8))
    assert quantizer.model.narrowed
    assert quantizer.settings.defaults.granularity_weights == "per-tensor"
    assert quantizer.settings.types == ("torch.nn.modules.linear.Linear",)
    for text, message in (
        ("passes: [my_passes:wide]", r"quant.yaml:1: passes: expected a function of a graph at my_passes:wide"),
        ("backend: x87", r"quant.yaml:1: backend: expected a backend among .*did you mean 'x86'"),
        ("passes: [3]", r"quant.yaml:1: passes: expected a name, found 3"),
    ):
        path.write_text(text)
        with pytest.raises(QprepError, match=message):
            load_config(path).quantizer(mlp())
    sys.modules.pop("my_passes", None)


def test_functions_given_to_the_constructor(seen: list[str]) -> None:
    def watch(graph: Graph) -> None:
        seen.append("watched")

    quantizer = PostTrainingQuantizer(mlp(), passes=[watch])
    quantizer.prepare_model(image(32, 8))
    assert seen == ["watched"]
    names = quantizer.passes.names
    assert names.index("watch") == names.index("share-scales") + 1


def statistics_of(model: nn.Module, x: torch.Tensor) -> Statistics:
    return collect_statistics(model, [x])


@pytest.mark.parametrize(
    ("make", "shape", "settings"),
    [(block, (8, 3, 8, 8), {}), (mlp, (32, 8), {"estimator_activations": "average"})],
    ids=["block", "mlp"],
)
def test_ranges_from_statistics_are_those_of_calibration(make: Any, shape: Any, settings: Any, tmp_path: Path) -> None:
    x, model = image(*shape), make()
    statistics_of(model, x).save(tmp_path / "stats.yaml", histograms=True)
    expected = calibrated(model, x, **settings)
    for given in (statistics_of(model, x), tmp_path / "stats.yaml", str(tmp_path / "stats.yaml")):
        quantizer = PostTrainingQuantizer(model, statistics=given, **settings)
        quantizer.prepare_model(x)
        assert snr(expected.convert()(x), quantizer.convert()(x)) > 50
        ranges = {each.name: getattr(each, "range", None) for each in expected.quantizers}
        for slot in quantizer.quantizers:
            if ranges[slot.name] is not None:
                assert getattr(slot, "range") == pytest.approx(ranges[slot.name], abs=1e-5)  # noqa: B009


def test_folded_layers_have_the_range_of_their_batch_norm() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(8, 4, 3), nn.BatchNorm2d(4)).eval()
    model[1].running_mean.fill_(5.0)  # type: ignore[operator]
    quantizer = PostTrainingQuantizer(model, statistics=statistics_of(model, image()))
    quantizer.prepare_model(image())
    assert snr(model(image()), quantizer.convert()(image())) > 35


def test_statistics_that_do_not_fit(tmp_path: Path) -> None:
    x = image(32, 8)
    quantizer = PostTrainingQuantizer(mlp(), statistics=Statistics({}, {}, (), ()))
    with pytest.raises(QprepError, match=r"expected statistics of every tensor .* found none of input 0, 1, 2"):
        quantizer.prepare_model(x)
    with pytest.raises(QprepError, match="expected statistics or the path of their file, found int"):
        PostTrainingQuantizer(mlp(), statistics=3)  # type: ignore[arg-type]
    (tmp_path / "stats.yaml").write_text('"0":\n  "output":\n    "min": low\n    "max": 3\n')
    with pytest.raises(QprepError, match=r"stats.yaml:2: expected a finite number as min, found 'low'"):
        PostTrainingQuantizer(mlp(), statistics=tmp_path / "stats.yaml")
