"""Writes the steps of a run into a graph: by the forms, or handed over to torch.onnx.export."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from qprep.foundation.errors import QprepError
from qprep.quantizer.backends.onnx.builder import Builder, NoFormError, Quantized, Value
from qprep.quantizer.backends.onnx.export_report import Island
from qprep.quantizer.backends.onnx.forms import FORMS
from qprep.quantizer.backends.onnx.handover import handed_over
from qprep.quantizer.backends.onnx.recurrent_forms import looped
from qprep.quantizer.backends.onnx.run_record import Recording, Step
from qprep.quantizer.backends.onnx.runtime_check import WrittenSlot


def write_steps(b: Builder, steps: Iterable[Step], run: Recording) -> None:
    """Write all; QprepError that names every one which neither can write."""
    failed: dict[str, None] = {}
    for step in steps:
        try:
            write_step(b, step, run)
        except NoFormError as error:
            failed[f"{error.reason} in {step.where}"] = None
            for number, shape, kind in zip(step.outputs, step.shapes, step.kinds, strict=True):
                b.values[number] = Value(shape, kind, f"missing_{number}")
    if failed:
        lines = list(failed)
        listed = lines[0] if len(lines) == 1 else "".join(f"\n  {line}" for line in lines)
        raise QprepError(f"expected operations with an ONNX form, found {listed}")


def write_step(b: Builder, step: Step, run: Recording) -> None:
    """Write one; its results become values of the graph."""
    b.step = step
    results = _results(b, step, run)
    for number, shape, kind, result in zip(step.outputs, step.shapes, step.kinds, results, strict=False):
        if isinstance(result, Value):
            b.values[number] = replace(result, shape=shape, kind=kind)
        elif isinstance(result, Quantized):
            b.values[number] = Value(shape, kind, None, result)
        else:
            b.values[number] = Value(shape, kind, result)
    given = b.values.get(step.outputs[0]) if step.outputs else None
    if step.slot is not None and given is not None and given.quantized is not None and b.outer is None:
        found = given.quantized
        b.written.append(WrittenSlot(step.slot.name, found.name, found.scale, found.zero))


def _results(b: Builder, step: Step, run: Recording) -> list[Any]:
    form = looped(write_step) if step.name == "recurrent_loop" else FORMS.get(step.name)
    try:
        if form is None:
            raise b.fail(step.name)
        found = form(b, step.arguments)
    except NoFormError as error:
        names: list[Any] = list(handed_over(b, step, run))
        b.islands.append(Island(step.name, step.where, f"no form of qprep's for {error.reason}"))
        return names
    return found if isinstance(found, list) else [found]
