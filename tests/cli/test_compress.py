"""`qprep compress`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run

torch = pytest.importorskip("torch")
pytest.importorskip("yaml")

NET = """
import torch
from torch import nn

def make():
    torch.manual_seed(0)
    print("a model is made")
    return nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(128, 4))

class Bare(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(36, 4)

    def forward(self, x):
        return self.fc(torch.relu(x).flatten(1))

bare = Bare()

def data(number=3):
    made = torch.Generator().manual_seed(1)
    return [(torch.randn(8, 1, 6, 6, generator=made), torch.randint(0, 4, (8,), generator=made)) for _ in range(number)]

def score(model):
    images, labels = data(1)[0]
    return {"top1": float((model(images).argmax(1) == labels).float().mean())}

def broken():
    yield data()[0]
    raise OSError("the disk is gone")

def text(model):
    return "good"
"""

SCHEDULE = """\
pruners:
  channels: {class: L1RankedStructureParameterPruner, group_type: Filters, desired_sparsity: 0.5, weights: [0.weight]}
  fine: {class: AutomatedGradualPruner, initial_sparsity: 0.1, final_sparsity: 0.8, weights: [4.weight]}
extensions:
  thinner: {class: FilterRemover}
lr_schedulers:
  decay: {class: StepLR, step_size: 2, gamma: 0.5}
policies:
  - {pruner: {instance_name: channels}, epochs: [0]}
  - {extension: {instance_name: thinner}, epochs: [1]}
  - {pruner: {instance_name: fine}, starting_epoch: 1, ending_epoch: 4}
  - {lr_scheduler: {instance_name: decay}, starting_epoch: 0, ending_epoch: 4}
"""


@pytest.fixture(autouse=True)
def net(folder: Path, request: pytest.FixtureRequest) -> str:
    name = f"net_{abs(hash(request.node.name))}"  # each test's own name: modules stay imported
    (folder / f"{name}.py").write_text(NET, encoding="utf-8")
    (folder / "schedule.yaml").write_text(SCHEDULE, encoding="utf-8")
    return name


def test_a_training_from_end_to_end(run: Run, net: str, folder: Path) -> None:
    found = run(
        *("compress", f"{net}:make", "--train", f"{net}:data", "--evaluate", f"{net}:score"),
        *("--schedule", "schedule.yaml", "--lr", "0.05", "--logs", "runs/a", "--output", "small.pt"),
        *("--report", "report.html", "--checkpoint", "last.pt"),
    )
    assert found.code == 0, found.err
    lines = found.err.splitlines()
    assert lines[0] == "a model is made"
    assert [line.split(":")[0] for line in lines[1:]] == [f"epoch {each}" for each in (1, 2, 3, 4)]
    assert "top1 " in lines[-1]
    assert found.out.startswith("Sequential: sparsity ")
    assert found.out.endswith("wrote small.pt\nwrote report.html\n")
    data = torch.load(folder / "small.pt", weights_only=True)
    assert data["model"]["0.weight"].shape == (4, 1, 3, 3)
    assert data["model"]["4.weight"].shape == (4, 64)
    assert int((data["model"]["4.weight"] == 0).sum()) == round(0.8 * 256)
    assert (folder / "runs/a/log.jsonl").exists()
    assert (folder / "report.html").read_text().startswith("<!doctype html>")


def test_a_training_is_resumed(run: Run, net: str, folder: Path) -> None:
    common = ("compress", f"{net}:make", "--train", f"{net}:data", "--schedule", "schedule.yaml", "-q")
    assert run(*common, "--output", "whole.pt").code == 0
    assert run(*common, "--epochs", "2", "--checkpoint", "last.pt").code == 0
    assert run(*common, "--resume", "last.pt", "--output", "again.pt").code == 0
    whole, again = (torch.load(folder / name, weights_only=True) for name in ("whole.pt", "again.pt"))
    for name, value in whole["model"].items():
        assert torch.equal(value, again["model"][name]), name


WHOLE = """\
pruners:
  channels: {class: L1RankedStructureParameterPruner, group_type: Filters, desired_sparsity: 0.5, weights: [0.weight]}
  fine: {class: AutomatedGradualPruner, initial_sparsity: 0.1, final_sparsity: 0.8, weights: [4.weight]}
extensions:
  thinner: {class: FilterRemover}
distillers:
  teacher: {class: KnowledgeDistillation, temperature: 2.0, distill: 0.5, student: 0.5}
quantizers:
  qat: {class: LSQQuantizer, bits_weights: 4, bits_activations: 4}
policies:
  - {pruner: {instance_name: channels}, epochs: [0]}
  - {extension: {instance_name: thinner}, epochs: [1]}
  - {pruner: {instance_name: fine}, starting_epoch: 1, ending_epoch: 3}
  - {distiller: {instance_name: teacher}, starting_epoch: 1, ending_epoch: 5}
  - {quantizer: {instance_name: qat}, starting_epoch: 3, ending_epoch: 5}
"""


def test_one_schedule_prunes_distils_and_quantizes_through_to_onnx(run: Run, net: str, folder: Path) -> None:
    onnx = pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    (folder / "schedule.yaml").write_text(WHOLE)
    common = ("compress", f"{net}:make", "--train", f"{net}:data", "--schedule", "schedule.yaml", "-q")
    found = run(*common, "--teacher", f"{net}:make", "--lr", "0.05", "--onnx", "small.onnx", "--output", "small.pt")
    assert found.code == 0, found.err
    assert found.out.endswith("wrote small.pt\nwrote small.onnx\n")
    weights = {
        each.name: onnx.numpy_helper.to_array(each) for each in onnx.load(folder / "small.onnx").graph.initializer
    }
    filters = [each for each in weights.values() if each.ndim == 4]
    assert [each.shape for each in filters] == [(4, 1, 3, 3)]
    matrix = next(each for each in weights.values() if sorted(each.shape) == [4, 64])
    assert filters[0].dtype.itemsize == matrix.dtype.itemsize == 1
    assert int((matrix == 0).sum()) >= round(0.8 * 256)
    session = runtime.InferenceSession(str(folder / "small.onnx"), providers=["CPUExecutionProvider"])
    (scores,) = session.run(None, {session.get_inputs()[0].name: torch.randn(3, 1, 6, 6).numpy()})
    assert scores.shape == (3, 4)


@pytest.mark.parametrize(
    ("schedule", "arguments", "sentence"),
    [
        (SCHEDULE, (), "--onnx: expected a policy with a quantizer in the schedule, found none"),
        (WHOLE, ("--epochs", "2"), "--onnx: expected a quantizer that starts in the first 2 epochs, found none"),
    ],
)
def test_onnx_needs_a_quantizer(  # noqa: PLR0917
    run: Run, net: str, folder: Path, schedule: str, arguments: tuple[str, ...], sentence: str
) -> None:
    pytest.importorskip("onnx")
    (folder / "schedule.yaml").write_text(schedule)
    common = ("compress", f"{net}:make", "--train", f"{net}:data", "--schedule", "schedule.yaml", "-q")
    found = run(*common, "--teacher", f"{net}:make", "--onnx", "small.onnx", *arguments)
    assert found.code == 2
    assert sentence in found.err
    assert not (folder / "small.onnx").exists()


def test_a_schedule_is_checked_without_training(run: Run, net: str, folder: Path) -> None:
    found = run("compress", f"{net}:make", "--schedule", "schedule.yaml", "--check", "--input", "2,1,6,6")
    assert found.code == 0, found.err
    assert found.out.splitlines() == [
        "4 policies fit Sequential:",
        "  channels, epoch 0",
        "  StructureRemover, epoch 1",
        "  fine, epochs 1 to 3 (3 epochs)",
        "  decay, epochs 0 to 3 (4 epochs)",
        "with the current weights, 50.3% of them stay, and 70.2% of these are 0; multiply-accumulates: 1,664 of 3,328",
    ]
    by_steps = SCHEDULE.replace("starting_epoch: 1, ending_epoch: 4}", "steps: [2, 9]}", 1)
    (folder / "schedule.yaml").write_text(by_steps)
    found = run("compress", f"{net}:make", "--schedule", "schedule.yaml", "--check", "--input", "2,1,6,6")
    assert found.out.splitlines()[-1] == (
        "the final sparsity is unknown without training: expected policies by epochs to rehearse, found one by steps"
    )
    (folder / "schedule.yaml").write_text(SCHEDULE.replace("[4.weight]", "[7.weight]"))
    found = run("compress", f"{net}:make", "--schedule", "schedule.yaml", "--check", "--input", "2,1,6,6")
    assert found.code == 2
    assert (
        "error: schedule.yaml:3: pruners.fine.weights: expected a parameter of the model, found '7.weight'" in found.err
    )


def test_sensitivity_is_printed_and_written(run: Run, net: str, folder: Path) -> None:
    found = run(
        *("compress", f"{net}:make", "--sensitivity", "element", "--evaluate", f"{net}:score"),
        *("--sensitivity-range", "0", "1", "0.5", "--output", "s.csv"),
    )
    assert found.code == 0, found.err
    assert len(found.out.splitlines()) == 1 + 4 + 1
    assert (folder / "s.csv").read_text().startswith("parameter,sparsity,top1\n0.weight,0.0000,")


def test_the_schema_is_printed(run: Run) -> None:
    found = run("compress", "--schema")
    assert found.code == 0
    assert json.loads(found.out)["title"] == "schedule.yaml"


QUANTIZED = """\
quantizers:
  late:
    class: LSQQuantizer
    allow_unprepared: false
policies:
  - {quantizer: {instance_name: late}, starting_epoch: 90, ending_epoch: 99}
"""


def test_a_quantizer_that_starts_late_is_tried_before_the_training(run: Run, net: str, folder: Path) -> None:
    (folder / "schedule.yaml").write_text(QUANTIZED, encoding="utf-8")
    arguments = ("--train", f"{net}:data", "--schedule", "schedule.yaml")
    found = run("compress", f"{net}:bare", *arguments)
    assert found.code == 2
    assert "schedule.yaml:2: quantizers.late: expected a prepared model, found 1 operation" in found.err
    assert "epoch 1" not in found.err
    assert run("compress", f"{net}:bare", *arguments, "--check").code == 2
    assert run("compress", f"{net}:make", *arguments, "--check").code == 0
    (folder / "schedule.yaml").write_text(QUANTIZED.replace("false", "true"), encoding="utf-8")
    assert run("compress", f"{net}:bare", *arguments, "--check").code == 0


PLATEAU = """\
lr_schedulers:
  lr: {class: ReduceLROnPlateau}
policies:
  - {lr_scheduler: {instance_name: lr}, epochs: [0]}
"""


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("--schedule", "schedule.yaml"), 2, "--train: expected a loader of (inputs, labels) to train on, found none"),
        (("--train", "NET:data"), 2, "--schedule: expected a schedule file, found none"),
        (("--schedule", "none.yaml", "--train", "NET:data"), 2, "expected a YAML file, found none that can be read at"),
        (("--schedule", "schedule.yaml", "--train", "NET:broken"), 1, "the disk is gone"),
        (
            ("--schedule", "schedule.yaml", "--train", "NET:data", "--evaluate", "NET:text"),
            1,
            "NET:text failed: expected a number, or numbers by name, from evaluate, found str",
        ),
        (("--schedule", "schedule.yaml", "--train", "NET:data", "--lr", "nan"), 2, "--lr: expected a finite number"),
        (
            ("--schedule", "schedule.yaml", "--train", "NET:data", "--output", "net.py"),
            2,
            "--output: expected a file that ends in .pt, .pth, .ckpt, .tar or .csv, found `net.py`",
        ),
        (
            ("--schedule", "schedule.yaml", "--check", "--input", "1,7,3,3"),
            1,
            "NET:make could not be run on the example inputs: RuntimeError",
        ),
        (
            ("--schedule", "plateau.yaml", "--train", "NET:data"),
            2,
            "--evaluate: expected a function for the schedule's ReduceLROnPlateau, found none",
        ),
        (("--sensitivity", "element"), 2, "--sensitivity: expected --evaluate as well, found none"),
    ],
)
def test_what_is_wrong_is_one_sentence(  # noqa: PLR0917
    run: Run, net: str, folder: Path, arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    (folder / "plateau.yaml").write_text(PLATEAU, encoding="utf-8")
    found = run("compress", f"{net}:make", *(each.replace("NET", net) for each in arguments))
    assert found.code == code
    assert sentence.replace("NET", net) in found.err
    assert "Traceback" not in found.err
