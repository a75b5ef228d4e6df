"""Overrides by regular expressions on module names."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from qprep.foundation.errors import QprepError
from qprep.quantizer.config.config_settings import LayerSettings, Overrides, with_values

NAMES = ["", "stem", "layers", "layers.0", "layers.0.conv", "layers.1", "layers.1.conv", "head"]


def bits(overrides: dict[str, dict[str, Any]], path: str) -> object:
    return Overrides(LayerSettings(bits_weights=8), overrides, NAMES)(path).bits_weights


@pytest.mark.parametrize(
    ("overrides", "path", "expected"),
    [
        ({}, "head", 8),
        ({"head": {"bits_weights": 16}}, "head", 16),
        ({"hea": {"bits_weights": 16}, "h.*": {"bits_weights": 4}}, "head", None),
        ({"layers": {"bits_weights": 4}}, "layers.1.conv", 4),  # a container
        ({r"layers\.\d": {"bits_weights": 4}}, "layers.1.conv", 4),
        ({r"layers\.1.*": {"bits_weights": 2}, "layers.*": {"bits_weights": 4}}, "layers.1.conv", 2),
        ({"layers.*": {"bits_weights": 4}, r"layers\.1.*": {"bits_weights": 2}}, "layers.1.conv", 4),
        ({"stem|head": {"bits_weights": None}}, "head", None),
        ({"(?:stem|head)": {"bits_weights": "float16"}}, "stem", "float16"),
    ],
)
def test_the_first_full_match_wins(overrides: dict[str, dict[str, Any]], path: str, expected: object) -> None:
    if "hea" in overrides:
        with pytest.raises(QprepError, match="matches no module; did you mean 'head'"):
            bits(overrides, path)
        return
    assert bits(overrides, path) == expected


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"haed": {}}, "did you mean 'head'"),
        ({"(stem|head)": {}}, "no capture group"),
        ({"head(": {}}, "expected a regular expression"),
        ({3: {}}, "expected a regular expression"),
        ({"*": {}}, r"expected a regular expression as an override, found '\*'.*; did you mean '\.\*'\?"),
        ({"*.fc": {}}, r"found '\*\.fc'.*; did you mean '\.\*\.fc'\?"),
        ({"head": {"bit_weights": 4}}, "unknown setting 'bit_weights' in the override 'head'; did you mean"),
        ({"head": {"bits_weights": 17}}, "bits_weights from 1 to 16"),
        ({"head": {"bits_weights": True}}, "bits_weights from 1 to 16"),
        ({"head": {"bits_weights": 4.0}}, "bits_weights from 1 to 16"),
        ({"head": {"scheme_weights": "assymetric"}}, "did you mean 'asymmetric'"),
        ({"head": {"estimator_activations": "minmax"}}, "did you mean 'min-max'"),
        ({"head": {"granularity_weights": "per-group"}}, "positive group_size"),
        ([("head", 8)], "expected a mapping of overrides, found list"),
        ({"head": 8}, "expected a mapping of settings in the override 'head', found int"),
    ],
)
def test_what_cannot_be_meant(overrides: Any, message: str) -> None:
    with pytest.raises(QprepError, match=message):
        Overrides(LayerSettings(bits_weights=8), overrides, NAMES)


def test_the_callers_mapping_stays() -> None:
    given = {"head": {"bits_weights": 4}}
    before = copy.deepcopy(given)
    Overrides(LayerSettings(), given, NAMES)("head")
    assert given == before


def test_settings_become_formats() -> None:
    made = with_values(
        LayerSettings(), {"bits_weights": 4, "granularity_weights": "per-group", "group_size": 32}, "here"
    )
    spec = made.weights(0, 2)
    assert spec is not None
    assert (spec.bits, spec.group_size, spec.limits) == (4, 32, (-7, 7))
    vector = made.weights(0, 1)
    assert vector is not None
    assert vector.granularity == "per-tensor"
    assert made.activations is None
