"""Logs: JSON lines, CSV, TensorBoard's file format; the report."""

from __future__ import annotations

import csv
import json
import re
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from qprep.compression import (
    CompressionError,
    L1Regularizer,
    PruningPolicy,
    RegularizationPolicy,
    Scheduler,
    SparsityLevelParameterPruner,
    ThinningPolicy,
    read_log,
)
from qprep.compression.logs.crc import crc32c, masked_crc32c
from qprep.compression.logs.events import EventsWriter
from qprep.compression.pruners.ranked import L1RankedStructureParameterPruner
from qprep.compression.structure import macs
from tests.compression.nets import EXAMPLE, Residual, batches, plain_net, seeded, sgd, train


@pytest.fixture
def logged(tmp_path: Path) -> tuple[Scheduler, Path]:
    model = seeded(plain_net)
    scheduler = Scheduler(model, sgd(model), logs=tmp_path / "a", log_every=2)
    scheduler.add_policy(PruningPolicy(SparsityLevelParameterPruner({"3.weight": 0.5})), epochs=[1])
    scheduler.add_policy(RegularizationPolicy(L1Regularizer({"0.weight": 0.1}), name="l1"), epochs=[0, 1])
    train(scheduler, range(3), metrics={"accuracy": 0.25})
    scheduler.finish()
    return scheduler, tmp_path / "a"


def frames(path: Path) -> Iterator[bytes]:
    """The records of a TFRecord file, with their checksums compared."""
    data, place = path.read_bytes(), 0
    while place < len(data):
        head = data[place : place + 8]
        (length,) = struct.unpack("<Q", head)
        (check,) = struct.unpack("<I", data[place + 8 : place + 12])
        assert check == masked_crc32c(head)
        body = data[place + 12 : place + 12 + length]
        (check,) = struct.unpack("<I", data[place + 12 + length : place + 16 + length])
        assert check == masked_crc32c(body)
        yield body
        place += 16 + length


def fields(data: bytes) -> Iterator[tuple[int, object]]:
    """A message's fields: numbers and raw bytes, read as the protocol buffer specification has it."""
    place = 0

    def varint() -> int:
        nonlocal place
        value = shift = 0
        while True:
            byte = data[place]
            place += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while place < len(data):
        key = varint()
        kind = key & 7
        if kind == 0:
            yield key >> 3, varint()
            continue
        size = {1: 8, 5: 4}.get(kind) or varint()
        raw = data[place : place + size]
        place += size
        yield key >> 3, struct.unpack("<d" if kind == 1 else "<f", raw)[0] if kind in (1, 5) else raw


def scalars(path: Path) -> dict[tuple[str, int], float]:
    found = {}
    for record in frames(path):
        event = dict(fields(record))
        if 5 not in event:
            continue
        value = dict(fields(dict(fields(event[5]))[1]))  # type: ignore[arg-type]
        if 2 in value:
            found[value[1].decode(), event.get(2, 0)] = value[2]  # type: ignore[attr-defined]
    return found  # type: ignore[return-value]


def test_the_checksum_is_that_of_the_standard() -> None:
    """RFC 3720 B.4, and 123456789 of the catalogue of checksums."""
    assert crc32c(b"\x00" * 32) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(b"123456789") == 0xE3069283
    # TensorBoard's files begin with a record of 24 bytes: 18 00 00 00 00 00 00 00 a3 7f 4b 22
    assert masked_crc32c(struct.pack("<Q", 24)) == 0x224B7FA3


def test_events_hold_every_value_of_the_log(logged: tuple[Scheduler, Path]) -> None:
    scheduler, folder = logged
    (path,) = folder.glob("events.out.tfevents.*")
    first = dict(fields(next(frames(path))))
    assert first[3] == b"brain.Event:2"
    found = scalars(path)
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert len(lines) == len(found)
    for line in lines:
        assert found[line["name"], line["step"]] == pytest.approx(line["value"], rel=1e-6, abs=1e-9)
    assert found["sparsity/weights/3.weight", 9] == 0.5
    assert ("sparsity-2D/weights/3.weight", 9) in found
    assert found["sparsity/weights/total", 9] == pytest.approx(scheduler.sparsity)


def test_a_histogram_counts_every_value(tmp_path: Path) -> None:
    writer = EventsWriter(tmp_path)
    values = torch.tensor([0.0, 0.0, 1.0, 2.0, float("nan")])
    writer.histogram("w", values, 3)
    writer.histogram("empty", torch.empty(0), 3)
    writer.close()
    _, record = frames(writer.path)
    value = dict(fields(dict(fields(dict(fields(record))[5]))[1]))  # type: ignore[arg-type]
    made = dict(fields(value[5]))  # type: ignore[arg-type]
    assert (made[1], made[2], made[3], made[4], made[5]) == (0.0, 2.0, 4.0, 3.0, 5.0)
    counts = struct.unpack(f"<{len(made[7]) // 8}d", made[7])  # type: ignore[arg-type]
    assert sum(counts) == 4


def test_tensorboards_own_reader_reads_the_file(logged: tuple[Scheduler, Path]) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    _, folder = logged
    reader = accumulator.EventAccumulator(str(folder)).Reload()
    log = read_log(folder)
    assert set(reader.Tags()["scalars"]) == set(log.names)
    for name in log.names:
        values = [(each.step, each.value) for each in reader.Scalars(name)]
        assert [step for step, _ in values] == [step for step, _ in log[name]]
        assert [value for _, value in values] == pytest.approx([value for _, value in log[name]], rel=1e-6)
    assert "weights/3.weight" in reader.Tags()["histograms"]


def test_a_log_is_read_as_columns_and_drawn(logged: tuple[Scheduler, Path]) -> None:
    _, folder = logged
    log = read_log(folder)
    assert log["sparsity/weights/3.weight"] == [(3, 0.0), (6, 0.5), (9, 0.5)]
    assert log["metrics/accuracy"] == [(3, 0.25), (6, 0.25), (9, 0.25)]
    assert [step for step, _ in log["step/loss/l1"]] == [0, 2, 4]
    assert len(log["loss/l1"]) == 2
    columns = log.columns()
    assert {len(column) for column in columns.values()} == {len(log.events)}
    picture = log.plot("sparsity/weights/*")._repr_html_()
    assert picture.count("<polyline") == 4
    with pytest.raises(CompressionError, match=r"expected a name in the log, found 'los'; known are step/loss"):
        log["los"]
    with pytest.raises(CompressionError, match=r"expected names in the log that match 'x\*'"):
        log.plot("x*")


def test_what_is_no_log(tmp_path: Path) -> None:
    with pytest.raises(CompressionError, match="expected a log, found none that can be read"):
        read_log(tmp_path)
    (tmp_path / "log.jsonl").write_text('{"step": 1, "epoch": 0, "name": "a", "value": 1}\nnothing\n')
    with pytest.raises(CompressionError, match=r"log.jsonl:2: expected an event, found other data"):
        read_log(tmp_path)


def test_the_table_of_sparsities(logged: tuple[Scheduler, Path]) -> None:
    _, folder = logged
    with (folder / "weights_sparsity.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    row = next(row for row in rows if row["parameter"] == "3.weight")
    assert (row["shape"], row["volume"], row["sparse volume"]) == ("8x8x3x3", "576", "288")
    assert float(row["sparsity level"]) == 0.5


def test_the_report_as_text_page_and_data(logged: tuple[Scheduler, Path], tmp_path: Path) -> None:
    scheduler, _ = logged
    model = seeded(plain_net)
    scheduler = Scheduler(model, sgd(model))
    scheduler.add_policy(PruningPolicy(SparsityLevelParameterPruner({"3.weight": 0.5})), epochs=[0])
    train(scheduler, range(2))
    report = scheduler.report()
    assert "3.weight" in str(report)
    assert "50.00%" in str(report)
    assert "policy: SparsityLevelParameterPruner, epoch 0" in str(report)
    report.to_html(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "http" not in page.replace("http-equiv", "")
    assert "<script" not in page
    for title in ("Sparsity", "Loss", "Learning rate", "Weights", "Notes"):
        assert f"<h2>{title}</h2>" in page
    report.save(tmp_path / "report.json")
    data = json.loads((tmp_path / "report.json").read_text())
    assert data["rows"][1]["sparsity"] == 0.5


def test_the_page_has_loss_components_and_the_schedule_over_time(tmp_path: Path) -> None:
    model = seeded(plain_net)
    scheduler = Scheduler(model, sgd(model))
    pruner = SparsityLevelParameterPruner({"3.weight": 0.5})
    scheduler.add_policy(PruningPolicy(pruner, name="half"), starting_epoch=0, ending_epoch=4, frequency=2)
    regularizer = RegularizationPolicy(L1Regularizer({"0.weight": 0.1}), name="a<b")
    scheduler.add_policy(regularizer, starting_epoch=1, ending_epoch=3)
    scheduler.add_policy(PruningPolicy(SparsityLevelParameterPruner({"8.weight": 0.5}), name="steps"), steps=[3, 9])
    seen: dict[int, list[tuple[float, float]]] = {}
    for epoch in range(4):
        scheduler.on_epoch_begin(epoch)
        for images, labels in batches():
            scheduler.on_minibatch_begin(epoch)
            plain = nn.functional.cross_entropy(model(images), labels)
            found = scheduler.before_backward_pass(epoch, loss=plain, return_loss_components=True)
            added = sum(float(part.value.detach()) for part in found.loss_components)
            seen.setdefault(epoch, []).append((float(found.overall_loss.detach()), added))
            scheduler.on_minibatch_end(epoch)
        scheduler.on_epoch_end(epoch)
    report = scheduler.report()
    report.to_html(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    series: dict[str, list[tuple[float, float]]] = {}
    for each in report.events:
        if each.name.startswith("loss"):
            series.setdefault(each.name, []).append((each.epoch, each.value))
    means = {epoch: [sum(column) / len(rows) for column in zip(*rows, strict=True)] for epoch, rows in seen.items()}
    assert [epoch for epoch, _ in series["loss/a<b"]] == [1, 2]
    assert [value for _, value in series["loss"]] == pytest.approx([means[epoch][0] for epoch in range(4)])
    assert [value for _, value in series["loss/a<b"]] == pytest.approx([means[epoch][1] for epoch in (1, 2)])
    losses = page.split("<h2>Loss</h2>")[1].split("<h2>")[0]
    drawn = dict(re.findall(r'points="([^"]*)"[^>]*><title>([^:]*):', losses))
    assert {name: len(points.split()) for points, name in drawn.items()} == {"loss": 4, "loss/a&lt;b": 2}
    assert f"<title>loss: {means[3][0]:.4g} at 3</title>" in losses
    assert f"<title>loss/a&lt;b: {means[2][1]:.4g} at 2</title>" in losses
    schedule = page.split("<h2>Schedule</h2>")[1].split("<h2>")[0]
    assert re.findall(r"<title>(.*?)</title>", schedule) == [
        *("half: 0 to 1", "half: 2 to 3", "a&lt;b: 1 to 3", "steps: 1 to 3"),
    ]
    widths = [float(each) for each in re.findall(r'class="bar"[^>]* width="([\d.]+)"', schedule)]
    assert widths == pytest.approx([widths[0], widths[0], 2 * widths[0], 2 * widths[0]], abs=0.11)


def test_a_schedule_that_never_ends_is_one_bar() -> None:
    scheduler = Scheduler(seeded(plain_net))
    policy = PruningPolicy(SparsityLevelParameterPruner({"3.weight": 0.5}))
    scheduler.add_policy(policy, starting_epoch=0, ending_epoch=10**9, frequency=3)
    assert scheduler.report().times[0][1] == ((0, 10**9),)
    assert "<rect" in scheduler.report().fragment()


def test_multiply_accumulates_before_and_after_and_what_stays(tmp_path: Path) -> None:
    model = seeded(Residual)
    before = macs(model, EXAMPLE)
    scheduler = Scheduler(model, sgd(model), example_inputs=EXAMPLE, logs=tmp_path)
    pruner = L1RankedStructureParameterPruner("Filters", 0.5, ["conv2.weight"])
    scheduler.add_policy(PruningPolicy(pruner), epochs=[1])
    scheduler.add_policy(ThinningPolicy(), epochs=[1])
    train(scheduler, range(3))
    after = macs(model, EXAMPLE)
    assert after < before
    assert [value for _, value in read_log(tmp_path)["macs"]] == [before, before, after, after]
    report = scheduler.report()
    assert report.macs == (before, after)
    assert f"multiply-accumulates: {after:,} of {before:,}" in str(report)
    assert any(each.startswith("fc.weight: 4 channels stay: they are an output") for each in report.frozen)
    page = report.fragment()
    assert "<h2>Multiply-accumulates</h2>" in page
    assert "<h2>Channels that stay</h2>" in page
    without = Scheduler(seeded(Residual)).report()
    assert without.macs is None
    assert not without.frozen


def test_logs_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CompressionError, match="logs: `.*file` cannot be written"):
        Scheduler(seeded(plain_net), logs=tmp_path / "file")
