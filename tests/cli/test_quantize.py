"""`qprep quantize`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click
import pytest

from qprep.cli import main_command
from tests.cli.conftest import Run

torch = pytest.importorskip("torch")
pytest.importorskip("yaml")

from qprep.quantizer.methods.method_names import METHODS  # noqa: E402

NET = """
import torch
from torch import nn

def make():
    torch.manual_seed(0)
    print("a model is made")
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))

class Adds(nn.Module):
    def forward(self, x):
        return (x + 1).relu()

def data(number=3):
    made = torch.Generator().manual_seed(1)
    return [(torch.randn(32, 8, generator=made), torch.zeros(32)) for _ in range(number)]

def once():
    yield from data()

ready, spent = data(), iter(data())
named = [{"input": x, "labels": y} for x, y in data()]
none, number, infinite = [], 3, [torch.full((2, 8), float("nan"))]

def broken():
    yield data()[0]
    raise OSError("the disk is gone")


def absent():
    raise OSError("there is no disk")

def score(model):
    with torch.no_grad():
        return model(data()[0][0]).mean()

def scores(model):
    return {"first": 1, "training": float(model.training)}

def loss(output, batch):
    return output.pow(2).mean() + batch[1].mean()

def text(model):
    return "good"
"""


@pytest.fixture(autouse=True)
def net(folder: Path, request: pytest.FixtureRequest) -> str:
    # each test's own name: modules stay imported
    name = f"net_{abs(hash(request.node.name))}"
    (folder / f"{name}.py").write_text(NET, encoding="utf-8")
    return name


def test_a_model_from_end_to_end(run: Run, net: str, folder: Path) -> None:
    (folder / "quant.yaml").write_text('defaults: {bits_weights: 6}\noverrides:\n  "2": {bits_weights: 16}\n')
    found = run(
        *("quantize", f"{net}:make", "--calibrate", f"{net}:data", "--evaluate", f"{net}:score"),
        *("--config", "quant.yaml", "--output", "made/model.pt", "--report", "made/report.html"),
    )
    assert (found.code, found.err) == (0, "a model is made\n")
    lines = found.out.splitlines()
    assert lines[0].startswith("Sequential: ")
    assert lines[3].startswith("0      Linear  6 bit restricted")
    assert lines[5].startswith("2      Linear  16 bit restricted")
    assert lines[6].startswith("give more bits first: ")
    assert lines[7].split() == ["float", "quantized"]
    name, before, after = lines[8].split()
    assert name == "score"
    assert float(before) == pytest.approx(float(after), abs=0.05)
    assert float(before) != float(after)
    assert lines[9:] == ["wrote made/model.pt", "wrote made/report.html"]
    assert torch.load("made/model.pt", weights_only=True)["method"] == "PostTrainingQuantizer"
    assert "<svg" in Path("made/report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("method", ["ptq", "dynamic", "weight-only"])
@pytest.mark.parametrize("loader", ["ready", "spent", "once", "named"])
def test_loaders_of_all_kinds_with_all_methods(run: Run, net: str, method: str, loader: str) -> None:
    found = run("quantize", f"{net}.py:make", "--calibrate", f"{net}.py:{loader}", "--method", method, "-q")
    assert found.code == 0, found.err
    assert len(found.out.splitlines()) == 1


def test_flags_come_before_the_file(run: Run, net: str, folder: Path) -> None:
    (folder / "quant.yaml").write_text("method: dynamic\ndefaults: {bits_weights: 6, bits_activations: 6}\n")
    found = run(
        *("quantize", f"{net}:make", "--calibrate", f"{net}:ready", "--config", "quant.yaml", "--method", "ptq"),
        *("--bits-weights", "3", "--report", "report.json", "--no-sensitivity", "--batches", "1"),
    )
    assert found.code == 0, found.err
    report = json.loads(Path("report.json").read_text(encoding="utf-8"))
    assert report["method"] == "PostTrainingQuantizer"
    assert {slot["kind"]: slot["bits"] for slot in report["slots"]} == {"weight": 3, "activation": 6}
    assert sum(report["slots"][1]["histogram"]) == 32 * 8
    assert report["layers"][0]["sensitivity"] is None


@pytest.mark.parametrize(
    ("method", "options"), [("adaround", "{iterations: 5, samples: 64}"), ("lapq", "{evaluations: 5}")]
)
def test_methods_with_options(run: Run, net: str, folder: Path, method: str, options: str) -> None:
    pytest.importorskip("scipy")
    (folder / "quant.yaml").write_text(f"method: {method}\noptions: {options}\ndefaults: {{bits_weights: 4}}\n")
    more = ("--loss", f"{net}:loss") if method == "lapq" else ()
    found = run("quantize", f"{net}:make", "--calibrate", f"{net}:ready", "--config", "quant.yaml", *more)
    assert found.code == 0, found.err
    assert "4 bit restricted" in found.out
    found = run("quantize", f"{net}:make", "--calibrate", f"{net}:ready", "--config", "quant.yaml", "--method", "ptq")
    assert found.code == 2
    assert "error: quant.yaml:2: options: ptq has no option" in found.err


def test_onnx(run: Run, net: str) -> None:
    onnx = pytest.importorskip("onnx")
    found = run("quantize", f"{net}:make", "--calibrate", f"{net}:ready", "--onnx", "new/model.onnx", "-q")
    assert (found.code, found.out.splitlines()[-1]) == (0, "wrote new/model.onnx"), found.err
    kinds = {node.op_type for node in onnx.load("new/model.onnx").graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= kinds


def test_an_export_that_cannot_be_is_said_first_and_the_report_is_written(run: Run, net: str, folder: Path) -> None:
    pytest.importorskip("onnx")
    with (folder / f"{net}.py").open("a") as file:
        file.write("\nclass Values(nn.Module):\n    def __init__(self):\n        super().__init__()\n")
        file.write("        self.fc = nn.Linear(8, 8)\n    def forward(self, x):\n")
        file.write("        return torch.linalg.svdvals(self.fc(x))\n")
    line = len((folder / f"{net}.py").read_text().splitlines())
    given = ("quantize", f"{net}:Values", "--calibrate", f"{net}:data", "--onnx", "model.onnx", "-q")
    for more in ((), ("--report", "report.json")):
        found = run(*given, "--allow-unprepared", *more)
        assert found.code == 1
        assert re.search(rf"svdvals.*{net}\.py:{line}", found.err, re.DOTALL), found.err
        assert (folder / "report.json").exists() == bool(more)
        assert not (folder / "model.onnx").exists()


def test_passes_and_backends(run: Run, net: str, folder: Path) -> None:
    with (folder / f"{net}.py").open("a") as file:
        file.write("\ndef shout(graph):\n    print('the pass runs')\n")
    given = ("quantize", f"{net}:make", "--calibrate", f"{net}:ready", "-q")
    found = run(*given, "--pass", f"{net}:shout", "--backend", "qnnpack")
    assert (found.code, "the pass runs" in found.err) == (0, True), found.err
    found = run(*given, "--pass", f"{net}:missing")
    assert (found.code, "--pass: expected a function of a graph at" in found.err) == (2, True), found.err
    found = run(*given, "--backend", "x87")
    assert (found.code, "did you mean 'x86'" in found.err) == (2, True), found.err


def test_a_file_runs_once_for_all_that_is_named_in_it(run: Run, net: str, folder: Path) -> None:
    with (folder / f"{net}.py").open("a") as file:
        file.write("\nprint('the file runs')\nasked = type(make())\ndef checked(model):\n")
        file.write("    return float(isinstance(model, asked) and asked is nn.Sequential)\n")
    here = f"{net}.py"
    found = run("quantize", f"{here}:make", "--calibrate", f"{here}:ready", "--evaluate", f"{here}:checked", "-q")
    assert (found.code, found.err.count("the file runs")) == (0, 1)


def test_numbers_by_name(run: Run, net: str) -> None:
    found = run("quantize", f"{net}:make", "--calibrate", f"{net}:ready", "--evaluate", f"{net}:scores", "-q")
    assert found.out.splitlines()[2:] == [
        "first                1             1",
        "training             0             0",
    ]


def test_inputs_as_in_trace(run: Run, net: str) -> None:
    arguments = ("quantize", f"{net}:make", "--calibrate", f"{net}:ready", "-q")
    assert run(*arguments, "--input", "1,8").code == 0
    assert run(*arguments, "--inputs", f"{net}:ready").code == 1  # three pairs are no inputs
    assert run(*arguments, "--input", "1;8").code == 2


@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        ({"calibrate": "{}:none"}, 1, "none: expected at least one batch, found an empty loader"),
        ({"calibrate": "{}:number"}, 2, "error: {}:number: expected an iterable of batches, found int"),
        ({"calibrate": "{}:make"}, 1, "error: {}:make: expected an iterable of batches, found Sequential"),
        ({"calibrate": "{}:infinite"}, 1, "error: expected finite values to take a range of, found NaN or infinity"),
        ({"calibrate": "{}:broken"}, 1, "error: {}:broken failed at batch 2: OSError: the disk is gone"),
        ({"calibrate": "{}:absent"}, 1, "error: {}:absent failed: OSError: there is no disk"),
        ({"calibrate": "{}:dta"}, 1, "error: expected dta in {}, found no such name; did you mean `data`?"),
        (
            {"calibrate": "nowhere_at_all:data"},
            1,
            "nowhere_at_all:data could not be loaded: ModuleNotFoundError",
        ),
        ({"calibrate": "data"}, 2, "error: expected a target as package.module:factory"),
        ({"evaluate": "{}:text"}, 1, "error: expected {}:text to return a number, or numbers by name, found str"),
        ({"evaluate": "{}:number"}, 2, "error: --evaluate: expected a function, found int"),
        ({"evaluate": "{}:once"}, 1, "error: {}:once failed: TypeError"),
        ({"loss": "{}:score"}, 2, "error: --loss: expected a method that searches by one (lapq), found ptq"),
        ({"method": "lapg"}, 2, "error: --method: expected one of adaround"),
        ({"config": "nowhere.yaml"}, 2, "error: expected a YAML file"),
        ({"output": "{}.py/model.pt"}, 2, "is not a writable folder"),
        ({"output": "."}, 2, "is a directory"),
        ({"bits-weights": "17"}, 2, "17 is not in the range 1<=x<=16"),
    ],
)
def test_errors_are_one_line(run: Run, net: str, flags: dict[str, str], code: int, message: str) -> None:
    given = {"calibrate": f"{net}:ready", **{name: value.format(net) for name, value in flags.items()}}
    found = run("quantize", f"{net}:make", *(part for name, value in given.items() for part in (f"--{name}", value)))
    lines = found.err.replace("a model is made\n", "").splitlines()
    assert found.code == code
    assert message.format(net) in lines[-1 if code == 2 else 0]
    assert not any("Traceback" in line for line in lines)
    assert found.out == ""


def test_what_is_wrong_in_the_file_is_wrong_use(run: Run, net: str, folder: Path) -> None:
    (folder / "quant.yaml").write_text("overrides:\n  head: {bits_weights: 4}\n")
    found = run("quantize", f"{net}:make", "--calibrate", f"{net}:ready", "--config", "quant.yaml")
    assert found.code == 2
    assert "error: quant.yaml:2: overrides: the override 'head' matches no module among 0, 1, 2" in found.err


def test_models_that_are_not_prepared(run: Run, net: str) -> None:
    arguments: tuple[Any, ...] = ("quantize", f"{net}:Adds", "--calibrate", f"{net}:ready")
    found = run(*arguments)
    assert found.code == 1
    assert "error: expected a prepared model, found 2 operations" in found.err
    assert re.search(
        r"run `qprep fix .*`, or pass --prepare to rewrite a copy for this run only, or --allow-unprepared to",
        found.err,
    )
    found = run(*arguments, "--allow-unprepared")
    assert found.code == 0, found.err
    assert "in float: " in found.out


def test_the_schema_needs_no_target(run: Run) -> None:
    found = run("quantize", "--schema")
    assert (found.code, found.err) == (0, "")
    assert json.loads(found.out)["title"] == "quant.yaml"


def test_a_missing_option_is_shown_with_its_form(run: Run, net: str) -> None:
    found = run("quantize", f"{net}:make")
    assert found.code == 2
    assert "Add `--calibrate MODULE:LOADER`: Calibration batches, or a function" in found.err


def test_the_help_names_every_method(run: Run) -> None:
    text = " ".join(run("quantize", "--help").out.split())
    assert [name for name in METHODS if name not in text] == []


def test_every_option_has_a_help_text() -> None:
    silent = []
    for verb in main_command().list_commands(click.Context(main_command())):
        found = main_command().get_command(click.Context(main_command()), verb)
        assert found is not None
        silent += [
            f"{verb} {each.opts[0]}" for each in found.params if isinstance(each, click.Option) and not each.help
        ]
    assert silent == []
