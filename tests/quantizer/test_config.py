"""quant.yaml and its schema."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from qprep.foundation.errors import QprepError
from qprep.quantizer import LayerSettings, PostTrainingQuantizer, load_config
from qprep.quantizer.config.config_schema import schema
from qprep.quantizer.methods.method_names import METHODS

pytest.importorskip("yaml")

FULL = """\
# what the network asks for
method: ptq
defaults: &all
  bits_activations: 8
  bits_weights: 4
  granularity_weights: per-group
  group_size: 4
overrides:
  "head.*":
    <<: *all
    bits_weights: 16
  0: {bits_weights: null, bits_activations: float16}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "quant.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_what_a_file_says(tmp_path: Path) -> None:
    found = load_config(written(tmp_path, FULL))
    assert found.method == "ptq"
    assert found.defaults["group_size"] == 4
    assert found.overrides == {
        "head.*": {**found.defaults, "bits_weights": 16},
        "0": {"bits_weights": None, "bits_activations": "float16"},
    }
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU())
    model.head = nn.Linear(8, 8)
    found.check_names(model)
    assert PostTrainingQuantizer(model, **found.arguments).settings("head").bits_weights == 16


@pytest.mark.parametrize("text", ["", "# nothing\n", "null", "defaults:\noverrides:\n"])
def test_a_file_may_say_nothing(tmp_path: Path, text: str) -> None:
    found = load_config(written(tmp_path, text))
    assert (found.method, found.arguments) == (None, {"overrides": {}})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("defaults:\n  bit_weights: 8", ":2: defaults: unknown key 'bit_weights'; did you mean 'bits_weights'?"),
        ("\ndefault: {}", ":2: unknown key 'default'; did you mean 'defaults'?"),
        ("colour: 3", ":1: unknown key 'colour'; known are method, options, defaults, overrides"),
        ("defaults:\n  bits_weights: 17", ":2: defaults.bits_weights: expected bits_weights from 1 to 16"),
        ("defaults: {bits_weights: '8'}", ":1: defaults.bits_weights: expected bits_weights from 1 to 16"),
        ("defaults:\n  bits_weights: yes", ":2: defaults.bits_weights: expected bits_weights from 1 to 16"),
        (
            "defaults:\n  signed_activations: 1",
            ":2: defaults.signed_activations: expected signed_activations to be true",
        ),
        ("defaults:\n  group_size: 4.5", ":2: defaults.group_size: expected group_size to be an integer, found 4.5"),
        ("defaults:\n  estimator_weights: [mse]", ":2: defaults.estimator_weights: expected a range estimator among"),
        ("overrides:\n  head:\n    scheme_weights: simetric", ":3: overrides.head.scheme_weights: expected"),
        ("overrides:\n  head:\n    scheme_weights: simetric", "did you mean 'symmetric'?"),
        ("overrides:\n\n  (a|b): {}", ":3: overrides: expected no capture group"),
        ("overrides:\n  '*': {}", ":2: overrides: expected a regular expression"),
        ("overrides:\n  head: 8", ":2: overrides.head: expected a mapping, found int"),
        ("overrides: [head]", ":1: overrides: expected a mapping, found list"),
        ("defaults: {granularity_weights: per-group, bits_weights: 4}", ":1: defaults: expected a positive group_size"),
        ("overrides:\n  a: {}\n  a: {}", ":3: expected each key once, found 'a' again (line 2)"),
        ("overrides: {a: {}, a: {}}", ":1: expected each key once, found 'a' again (line 1)"),
        ("method: ptqs", ":1: method: expected one of adaround, awq, dynamic, gptq, lapq, ptq, weight-only"),
        ("options:\n  iteration: 3", ":2: options: unknown key 'iteration'; did you mean 'iterations'?"),
        ("options:\n  iterations: 3.5", ":2: options.iterations: expected a whole number, not below 0, found 3.5"),
        ("options: {samples: -1}", ":1: options.samples: expected a whole number, not below 0, found -1"),
        ("- 3", ":1: expected a mapping, found list"),
        ("a: [", ":1: expected YAML, found invalid text"),
        ("a: 1\n\t- b", ":2: expected YAML, found invalid text"),
        ("a: &a [*a]", ":1: expected values, found an alias of its own parent"),
        ("? [a]\n: 1", ":1: expected a plain key, found a sequence"),
        ("--- 1\n--- 2", "expected YAML, found invalid text"),
        ("!!python/object:os.system x", ":1: expected YAML, found invalid text"),
        ("a: \x00", "expected YAML, found the character 0"),
    ],
)
def test_errors_name_file_line_and_key(tmp_path: Path, text: str, message: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(QprepError) as caught:
        load_config(path)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_overrides_must_match_the_model(tmp_path: Path) -> None:
    path = written(tmp_path, "overrides:\n  '0': {}\n  heda: {}\n")
    model = nn.Sequential(nn.Linear(8, 8))
    model.head = nn.Linear(8, 8)
    with pytest.raises(QprepError) as caught:
        load_config(path).check_names(model)
    assert str(caught.value) == f"{path}:3: overrides: the override 'heda' matches no module; did you mean 'head'?"


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(QprepError, match=r"expected a YAML file, found none that can be read at .*quant\.yaml"):
        load_config(tmp_path / "quant.yaml")


def test_the_schema_is_that_of_the_settings() -> None:
    found: Any = schema()
    settings = found["$defs"]["settings"]["properties"]
    assert list(settings) == [each.name for each in fields(LayerSettings)]
    assert all(set(each) > {"default"} for each in settings.values())
    assert settings["scheme_weights"]["enum"] == [
        *("symmetric", "restricted", "asymmetric", "unsigned", "power-of-two"),
    ]
    assert "aciq-gauss" in settings["estimator_weights"]["enum"]
    assert found["properties"]["method"]["enum"] == list(METHODS)


@pytest.mark.parametrize(
    ("data", "valid"),
    [
        ({"method": "ptq", "defaults": {"bits_weights": 8}, "overrides": {"head": {"bits_bias": None}}}, True),
        ({"defaults": None, "overrides": None}, True),
        ({"options": {"iterations": 3}}, True),
        ({"options": {"iterations": -3}}, False),
        ({"defaults": {"bits_weights": "bfloat16", "group_size": 4, "signed_activations": True}}, True),
        ({"defaults": {"bits_weights": 17}}, False),
        ({"defaults": {"bits_weight": 8}}, False),
        ({"overrides": {"head": {"estimator_weights": "best"}}}, False),
        ({"overrides": [3]}, False),
        ({"default": {}}, False),
    ],
)
def test_editors_and_the_reader_agree(tmp_path: Path, data: dict[str, Any], valid: bool) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    yaml = pytest.importorskip("yaml")
    jsonschema.Draft202012Validator.check_schema(schema())
    assert jsonschema.Draft202012Validator(schema()).is_valid(data) == valid
    path = written(tmp_path, yaml.safe_dump(data))
    if valid:
        load_config(path)
        return
    with pytest.raises(QprepError):
        load_config(path)
