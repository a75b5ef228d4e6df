"""docs/quantizer.md: every snippet runs, in order, and does what the text says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from torch import Tensor, nn

import qprep
from qprep.cli.commands.quantize import command
from qprep.quantizer import AdaRoundQuantizer, PostTrainingQuantizer, load_config
from qprep.quantizer.graph.module_registry import unregister
from qprep.runtime_modules import Concat, EltwiseAdd
from tests.quantizer.models import snr

TEXT = (Path(qprep.__file__).parent.parent / "docs" / "quantizer.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```\n", TEXT, re.DOTALL)


class Gate(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(x) * x


class Mixer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x) @ x.t() @ x  # type: ignore[no-any-return]


class IntegerGate(nn.Module):
    def __init__(self, module: nn.Module, bits: int) -> None:
        super().__init__()
        self.module, self.bits = module, bits

    def forward(self, x: Tensor) -> Tensor:
        return self.module(x)  # type: ignore[no-any-return]


class TableSoftmax(nn.Softmax):
    pass


class Net(nn.Module):
    """A bit of everything that the snippets speak of."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn, self.relu = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()
        self.conv2, self.sigmoid = nn.Conv2d(4, 4, 1), nn.Sigmoid()
        self.add, self.cat, self.pool, self.flat = EltwiseAdd(), Concat(dim=1), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        self.head, self.gate, self.mixer = nn.Linear(8, 4), Gate(), Mixer()
        self.drop, self.softmax = nn.Dropout(0.1), nn.Softmax(dim=-1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn(self.conv(x)))
        z = self.add(y, self.sigmoid(self.conv2(y)))
        features = self.drop(self.flat(self.pool(self.cat([y, z]))))
        return self.softmax(self.head(features))  # type: ignore[no-any-return]


class WithLayers(Net):
    """And the layers that are registered."""

    def forward(self, x: Tensor) -> Tensor:
        return self.mixer(self.gate(super().forward(x)))  # type: ignore[no-any-return]


def loader() -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(1)
    return [(torch.randn(8, 3, 6, 6, generator=generator), torch.randint(4, (8,))) for _ in range(3)]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The variables after each snippet."""
    folder = tmp_path_factory.mktemp("docs")
    (folder / "quant.yaml").write_text(fence("yaml"), encoding="utf-8")
    space: dict[str, Any] = {"Gate": Gate, "Mixer": Mixer, "IntegerGate": IntegerGate, "TableSoftmax": TableSoftmax}
    left = []
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for number, snippet in enumerate(SNIPPETS):
            torch.manual_seed(0)
            model = WithLayers() if "register" in snippet else Net()
            space |= {
                "model": model,
                "example_inputs": (loader()[0][0],),
                "loader": loader(),
                "optimizer": torch.optim.SGD(model.parameters(), 0.05),
                "loss_of": nn.functional.cross_entropy,
            }
            exec(compile(snippet, f"docs/quantizer.md, snippet {number + 1}", "exec"), space)
            left.append(dict(space))
    return left


def after(found: list[dict[str, Any]], text: str) -> dict[str, Any]:
    (number,) = [number for number, snippet in enumerate(SNIPPETS) if text in snippet]
    return found[number]


def fence(language: str) -> str:
    (text,) = re.findall(rf"```{language}\n(.*?)```\n", TEXT, re.DOTALL)
    return str(text)


def test_the_flow(found: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    space = after(found, "quantized = q.convert()           #")
    batch = loader()[0][0]
    assert snr(space["model"].eval()(batch), space["quantized"](batch)) > 20
    trained = after(found, "loss_of(model(inputs), labels)")
    assert not trained["quantized"].training


def test_flags_of_the_command_exist() -> None:
    known = CliRunner().invoke(command, ["--help"]).output
    flags = set(re.findall(r"(?<![\w-])--[a-z]+", fence("console") + TEXT[: TEXT.index("## Methods")]))
    assert len(flags) > 6
    assert [flag for flag in flags if flag not in known] == []


def test_quant_yaml(found: list[dict[str, Any]], tmp_path: Path) -> None:
    (tmp_path / "quant.yaml").write_text(fence("yaml"), encoding="utf-8")
    config = load_config(tmp_path / "quant.yaml")
    config.check_names(Net())
    config.check_options(config.method or "")
    q = after(found, "load_config")["q"]
    assert (type(q), q.iterations) == (AdaRoundQuantizer, 500)
    assert q.settings("head").bits_weights == 16


def test_the_accelerators_pass() -> None:
    """A third party's pass: power-of-two scales, one scale at sums and joins, 6 bits before a sigmoid."""
    space: dict[str, Any] = {"PostTrainingQuantizer": PostTrainingQuantizer, "loader": loader()}
    space |= {"model": Net(), "example_inputs": (loader()[0][0],)}
    exec(next(each for each in SNIPPETS if "for_tile" in each), space)
    q = space["q"]
    q.calibrate(space["loader"])
    slots = {each.name: each for each in q.quantizers if "weight" not in each.name}
    assert slots["conv2"].spec.bits == 6
    exponents = torch.stack([each.scale for each in slots.values()]).log2()
    assert torch.equal(exponents, exponents.round())
    nodes = {node.path: node for node in q.graph.nodes}
    joined = [*nodes["add"].inputs, *nodes["add"].outputs, *nodes["cat"].outputs]
    assert len({id(edge.leader) for edge in joined}) == 1
    batch = loader()[0][0]
    assert snr(space["model"].eval()(batch), q.convert()(batch)) > 15


def test_ternary_weights(found: list[dict[str, Any]]) -> None:
    ternary = after(found, "class Ternary")["Ternary"]
    for copies in (False, True):
        q = ternary(Net(), bits_weights=2, train_with_fp_copy=copies)
        q.prepare_model(loader()[0][0])
        assert len(q.convert().head.module.weight.unique()) == 3


def test_the_method_from_scratch_is_short_and_trains(found: list[dict[str, Any]]) -> None:
    snippet = next(each for each in SNIPPETS if "class LogQuantizer" in each)
    assert len([line for line in snippet.splitlines() if line.strip()]) <= 55
    method = after(found, "class LogQuantizer")["LogQuantizer"]
    torch.manual_seed(0)
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    q = method(model, optimizer, overrides={"head": {"bits_weights": 8}})
    q.prepare_model(loader()[0][0])
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0, 1e-3]
    inputs, labels = loader()[0]
    losses = []
    for _ in range(20):
        loss = nn.functional.cross_entropy(model(inputs), labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    converted = q.convert()
    exponents = converted.conv.module.weight.detach().abs().log2()
    kept = exponents[torch.isfinite(exponents)]
    assert torch.allclose(kept, kept.round())
    assert len(kept.round().unique()) <= 7
    report = q.report(loader())
    assert "4 bit" in str(report)
    reaches = {slot.kind: slot.reach for slot in report.slots}
    assert reaches["weight"] is None  # powers of two are on no grid
    used = next(each.used().item() for each in q.quantizers if hasattr(each, "used"))
    assert any(slot.reach == pytest.approx((-used, used)) for slot in report.slots if slot.kind == "activation")


@pytest.mark.parametrize("copies", [False, True])
def test_the_report_on_ternary_weights_compares_with_float(found: list[dict[str, Any]], copies: bool) -> None:
    ternary = after(found, "class Ternary")["Ternary"]
    torch.manual_seed(0)
    q = ternary(Net(), bits_weights=2, train_with_fp_copy=copies)
    before = q.model.head.weight.detach().clone()
    q.prepare_model(loader()[0][0])
    report = q.report(loader())
    slot = next(each for each in report.slots if each.name == "head.weight")
    rounded = q.convert().head.module.weight.detach()
    assert slot.snr == pytest.approx(snr(before, rounded), abs=0.01)
    assert 0 < report.output_snr < 40
    assert slot.sensitivity < 60


def train(q: Any, optimizer: torch.optim.Optimizer, steps: int = 3) -> None:
    q.model.train()
    torch.manual_seed(1)  # of dropout and labels
    for inputs, labels in loader()[:steps]:
        optimizer.zero_grad()
        nn.functional.cross_entropy(q.model(inputs), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    q.model.eval()


@pytest.mark.parametrize("name", ["Ternary", "LogQuantizer"])
def test_methods_of_ones_own_are_trained_saved_loaded_and_exported(
    found: list[dict[str, Any]], name: str, tmp_path: Path
) -> None:
    method: Any = after(found, f"class {name}")[name]
    settings = {"bits_weights": 4} if name == "LogQuantizer" else {"bits_weights": 2, "train_with_fp_copy": True}
    batch = loader()[0][0]
    torch.manual_seed(0)
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    q = method(model, optimizer, **settings)
    q.prepare_model(batch)
    train(q, optimizer)
    q.save(tmp_path / "model.pt")
    other = Net()
    second = torch.optim.SGD(other.parameters(), 0.05)
    loaded = method.load(tmp_path / "model.pt", other, batch, optimizer=second)
    second.load_state_dict(optimizer.state_dict())
    assert torch.equal(loaded.convert()(batch), q.convert()(batch))
    for each, its in ((q, optimizer), (loaded, second)):
        train(each, its)
    assert torch.equal(loaded.convert()(batch), q.convert()(batch))  # training goes on bit by bit as it would have
    q.export_onnx(tmp_path / "model.onnx")
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(str(tmp_path / "model.onnx"))
    (given,) = session.run(None, {session.get_inputs()[0].name: batch.numpy()})
    assert snr(q.convert()(batch), torch.from_numpy(given)) > 35


def test_layers_of_ones_own(found: list[dict[str, Any]]) -> None:
    try:
        space = after(found, "register(Mixer)(wrap)")
        q = space["q"]
        q.prepare_model(loader()[0][0])
        q.calibrate(loader())
        converted = q.convert()
    finally:
        for layer in (Gate, Mixer):
            unregister(layer)
    assert type(converted.gate) is IntegerGate
    assert converted.gate.bits == 8
    assert type(converted.softmax) is TableSoftmax
    assert type(converted.mixer.module) is Mixer
    assert "mixer" in [each.name for each in q.quantizers]
    batch = loader()[0][0]
    assert snr(q.float_model.eval()(batch), converted(batch)) > 15
