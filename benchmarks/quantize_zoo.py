# ruff: noqa: ANN401 -- sessions of ONNX Runtime
"""qprep against onnxruntime.quantization.quantize_static on the same data, model by model; prints one table.

python benchmarks/quantize_zoo.py [--quick] [--only TEXT] [--batches N] [--repeats N]

Both calibrate on the same batches and run in ONNX Runtime, on one thread, on others. SQNR is the ratio of the float
model's output to the difference, in decibels; "simulation" that of the output of `convert(runtime="onnxruntime")` to
ONNX Runtime's, beside the largest difference in steps of the output's grid. The peer quantizes torch.onnx.export's
file: QDQ, one scale a channel, min-max ranges, after its own preprocessing. qprep corrects biases on the same batches,
and chooses between min-max and mse ranges on them (`choose_estimator`). Times are medians of runs in turn. Exits 1
where one of these fails:

- qprep's SQNR is not more than 0.3 dB below the peer's for any model, and at least 1 dB above it on average;
- ONNX Runtime gives the simulation at 35 dB or more, or within 1.01 steps; not tested where an operator of the file is
  a whole recurrent layer. Where it does not, the table names the first slot that differs, and how many of its values
  do;
- INT8 takes at most 1.05 times the peer's time (without --quick);
- qprep quantizes and exports every model: a QprepError is a failure.

A model on which anything else raises an error, in a package, in torch's export or in the peer, is listed as not
measured and fails nothing; no model measured is a failure.
"""

from __future__ import annotations

import argparse
import copy
import math
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parent))

from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from zoo_models import ROWS, Batch, Row

from qprep.foundation.errors import QprepError
from qprep.quantizer import PostTrainingQuantizer, bias_correction
from qprep.quantizer.backends.comparison import watched
from qprep.quantizer.graph.tensor_leaves import tensors_in
from qprep.runtime_modules import to_torch

QUICK = ["--quick"]
ROWS_OF_A_BATCH = 8
BEHIND, AHEAD, AGREES, SLOWER = 0.3, 1.0, 35.0, 1.05


@dataclass(frozen=True, slots=True)
class Found:
    """One row of the table: decibels, output steps, milliseconds; `why` where something did not work."""

    row: Row
    peer: float = math.nan
    ours: float = math.nan
    simulation: float = math.nan
    steps: float = math.nan
    whole: bool = False
    differs: str = ""
    float_time: float = math.nan
    peer_time: float = math.nan
    our_time: float = math.nan
    why: str = ""

    @property
    def is_apart(self) -> bool:
        """True if ONNX Runtime does not give the simulation."""
        return self.simulation < AGREES and not self.steps <= 1.01

    @property
    def failures(self) -> list[str]:
        """The claims that fail for this model alone."""
        if self.why:
            return [self.why]
        found = []
        if self.ours < self.peer - BEHIND:
            found.append(f"{self.peer - self.ours:.1f} dB behind")
        if self.is_apart and not self.whole:
            found.append("not as simulated")
        if self.our_time > SLOWER * self.peer_time:
            found.append(f"{self.our_time / self.peer_time:.2f} × the peer's time")
        return found


def sqnr(reference: Sequence[Tensor], found: Sequence[Tensor]) -> float:
    """Of all outputs together."""
    pairs = list(zip(reference, found, strict=True))
    noise = sum(float((one.double() - other.double()).pow(2).sum()) for one, other in pairs)
    return 10 * math.log10(sum(float(one.double().pow(2).sum()) for one, _ in pairs) / max(noise, 1e-30))


class Reader(CalibrationDataReader):  # type: ignore[misc]
    """Batches for the peer."""

    def __init__(self, batches: Sequence[Batch]) -> None:
        self._left: Iterator[dict[str, Any]] = iter([{k: v.numpy() for k, v in each.items()} for each in batches])

    def get_next(self) -> dict[str, Any] | None:
        """The next one."""
        return next(self._left, None)


def session(path: Path) -> Any:
    """One thread, all optimizations."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def given_to(batch: Batch) -> tuple[tuple[Tensor, ...], Batch]:
    """One tensor by position, several by keyword."""
    return (tuple(batch.values()), {}) if len(batch) == 1 else ((), batch)


def feed(runs: Any, batch: Batch, rows: int | None = None) -> dict[str, Any]:
    """A batch by the names that a file gives its inputs; what the file has no input for is left out."""
    names = [each.name for each in runs.get_inputs()]
    pairs = zip(names, batch.values(), strict=True) if len(batch) == 1 else batch.items()
    return {name: value[:rows].numpy() for name, value in pairs if name in names}


def outputs(runs: Any, batches: Sequence[Batch]) -> list[Tensor]:
    """The floating results on all batches."""
    found = [runs.run(None, feed(runs, each)) for each in batches]
    return [torch.from_numpy(each) for one in found for each in one if each.dtype.kind == "f"]


def floats(model: nn.Module, batches: Sequence[Batch]) -> list[Tensor]:
    """The same of a model of torch."""
    with torch.no_grad():
        found = [model(*args, **kwargs) for args, kwargs in map(given_to, batches)]
    return [each for one in found for each in tensors_in(one) if each.is_floating_point()]


class ByName(nn.Module):
    """Takes its inputs by position, and gives tensors alone."""

    def __init__(self, model: nn.Module, names: Sequence[str]) -> None:
        super().__init__()
        self.model, self.names = model, names

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """The outputs of the model."""
        args, kwargs = given_to(dict(zip(self.names, tensors, strict=True)))
        return tuple(each for each in tensors_in(self.model(*args, **kwargs)) if each.is_floating_point())


def export(model: nn.Module, batch: Batch, path: Path) -> None:
    """The float file, by torch."""
    axes = {name: {0: "batch"} for name in batch}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            ByName(model, list(batch)), tuple(batch.values()), str(path), input_names=list(batch), dynamic_axes=axes,
            opset_version=17, dynamo=False,
        )  # fmt: skip


def peer_of(float_path: Path, folder: Path, batches: Sequence[Batch]) -> Path:
    """The peer's file."""
    ready, made = folder / "ready.onnx", folder / "peer.onnx"
    quant_pre_process(str(float_path), str(ready), skip_symbolic_shape=True)
    quantize_static(
        str(ready), str(made), Reader(batches), quant_format=QuantFormat.QDQ, per_channel=True,
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
    )  # fmt: skip
    return made


def medians(sessions: Sequence[Any], batch: Batch, repeats: int) -> list[float]:
    """Milliseconds of one row, each session in turn."""
    feeds = [feed(each, batch, 1) for each in sessions]
    times: list[list[float]] = [[] for _ in sessions]
    for _ in range(repeats + 3):
        for runs, given, found in zip(sessions, feeds, times, strict=True):
            start = time.perf_counter()
            runs.run(None, given)
            found.append((time.perf_counter() - start) * 1e3)
    return [statistics.median(each[3:]) for each in times]


def measured(row: Row, folder: Path, batches: int, repeats: int) -> Found:
    """One model, quantized by both."""
    model = row.build()
    seen = [row.data(seed, ROWS_OF_A_BATCH) for seed in range(batches)]
    unseen = [row.data(1000 + seed, ROWS_OF_A_BATCH) for seed in range(2)]
    expected = floats(model, unseen)
    export(to_torch(copy.deepcopy(model)), seen[0], folder / "float.onnx")
    peer = session(peer_of(folder / "float.onnx", folder, seen))
    quantizer = PostTrainingQuantizer(model, backend="onnxruntime")
    batches_seen = [next(iter(each.values())) if len(each) == 1 else each for each in seen]
    quantizer.passes.insert_after("fold-batch-norm", "bias-correction", bias_correction(batches_seen))
    args, kwargs = given_to(seen[0])
    quantizer.prepare_model(*args, allow_unprepared=not row.prepared, **kwargs)
    quantizer.choose_estimator(batches_seen)
    report = quantizer.export_onnx(folder / "ours.onnx")
    ours = session(folder / "ours.onnx")
    converted = quantizer.convert(runtime="onnxruntime")
    simulated, found = floats(converted, unseen), outputs(ours, unseen)
    steps = [float(each.scale) for each in quantizer.quantizers if each.scale.numel() == 1]
    apart = max(float((one - other).abs().max()) for one, other in zip(simulated, found, strict=True))
    float_time, peer_time, our_time = medians([session(folder / "float.onnx"), peer, ours], unseen[0], repeats)
    made = Found(
        row, sqnr(expected, outputs(peer, unseen)), sqnr(expected, found), sqnr(simulated, found),
        apart / _step(quantizer, steps), bool(report.wholes), "", float_time, peer_time, our_time,
    )  # fmt: skip
    if not made.is_apart:
        return made
    found_in = (first_apart(converted, folder / "ours.onnx", each) for each in unseen)
    return replace(made, differs=next(filter(None, found_in), ""))


def first_apart(converted: nn.Module, path: Path, batch: Batch) -> str:
    """The first slot whose integers ONNX Runtime gives otherwise than the simulation, and how many of them."""
    proto = onnx.load(str(path))
    numbers = {each.name: onnx.numpy_helper.to_array(each) for each in proto.graph.initializer}
    slots = [node for node in proto.graph.node if node.op_type == "QuantizeLinear" and node.input[1] in numbers]
    for node in slots:
        kind = onnx.helper.np_dtype_to_tensor_dtype(numbers[node.input[2]].dtype)
        proto.graph.output.append(onnx.helper.make_tensor_value_info(node.output[0], kind, None))
    whole = path.with_name("slots.onnx")
    onnx.save(proto, str(whole))
    runs = session(whole)
    values = dict(zip([each.name for each in runs.get_outputs()], runs.run(None, feed(runs, batch)), strict=True))
    args, kwargs = given_to(batch)
    with torch.no_grad():
        seen, _ = watched(converted, lambda: converted(*args, **kwargs))
    for node in slots:
        given, step = torch.from_numpy(values[node.output[0]]).double(), float(numbers[node.input[1]])
        levels = given - float(numbers[node.input[2]])
        name = node.output[0].rpartition("/")[0]
        for each in seen:
            if each.name == name and each.values.shape == levels.shape:
                apart = int(((each.values.double() / step).round() - levels).ne(0).sum())
                if apart:
                    return f"first differs {name}, {apart} of {levels.numel()} values"
    return ""


def _step(quantizer: PostTrainingQuantizer, steps: Sequence[float]) -> float:
    edges = [edge for edge in quantizer.graph.outputs if edge.quantizer is not None]
    return max((float(edge.quantizer.scale) for edge in edges if edge.quantizer), default=max(steps))


def table(rows: Sequence[Found]) -> str:
    """All rows, and what is claimed of them together."""
    head = f"{'model':28} {'kind':12} {'peer dB':>8} {'qprep dB':>8} {'ahead':>6} {'simul. dB':>9} {'steps':>6}"
    lines = [f"{head} {'FP32 ms':>8} {'peer ms':>8} {'qprep ms':>8}  fails, notes"]
    for each in rows:
        numbers = (
            f"{each.peer:8.1f} {each.ours:8.1f} {each.ours - each.peer:+6.1f} {each.simulation:9.1f} {each.steps:6.2f}"
        )
        times = f"{each.float_time:8.3f} {each.peer_time:8.3f} {each.our_time:8.3f}"
        said = "; ".join([*each.failures, *([each.differs] if each.differs else [])])
        lines.append(f"{each.row.name:28} {each.row.kind:12} {numbers} {times}  {said}")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Prints the table; 1 where a claim fails."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a few small models, times not among the claims")
    parser.add_argument("--only", default="", help="models whose name has this in it")
    parser.add_argument("--batches", type=int, default=4, help="of 8 rows each, to calibrate on")
    parser.add_argument("--repeats", type=int, default=30, help="runs that are timed")
    given = parser.parse_args(argv)
    torch.set_num_threads(1)
    found, missing = [], []
    for row in ROWS[given.quick]:
        if given.only not in row.name:
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                found.append(measured(row, Path(folder), given.batches, given.repeats))
            except QprepError as error:
                found.append(Found(row, why=str(error).splitlines()[0]))
            except Exception as error:  # noqa: BLE001  (of a package, of torch's export or of the peer)
                missing.append(f"{row.name}: {str(error).strip().splitlines()[0][:150]}")
    print(table(found))
    for each in missing:
        print(f"not measured: {each}")
    ahead = statistics.mean([each.ours - each.peer for each in found if not each.why] or [math.nan])
    print(f"on average {ahead:+.2f} dB against the peer; {len(found)} models")
    timed = [each for each in found if not given.quick]
    alone = [each for each in found if any("time" not in line for line in each.failures)]
    slow = [each for each in timed if each.failures and each not in alone]
    return int(bool(alone or slow) or not ahead >= AHEAD or not found)


if __name__ == "__main__":
    sys.exit(main())
