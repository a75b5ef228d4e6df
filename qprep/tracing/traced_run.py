"""`trace`: one forward pass of a model under the tracer, leaving the model as it was."""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Iterator

import torch
from torch import nn

from qprep.foundation.errors import QprepError
from qprep.tracing.callers import receiver
from qprep.tracing.expressions_of_frames import Places
from qprep.tracing.module_runs import Known, never_run
from qprep.tracing.scopes import Issued, OperationSeen
from qprep.tracing.taint import tensors_within
from qprep.tracing.trace_report import TraceReport
from qprep.tracing.trace_values import ModuleRun, OpEvent, ReusedModule, TracePlace
from qprep.tracing.tracer import Tracer


def trace(model: nn.Module, *inputs: object, **kwinputs: object) -> TraceReport:
    """Run `model(*inputs, **kwinputs)` once, in the mode it is in, and report what ran.

    Nothing of the model or of torch's random state is different afterwards; in evaluation mode no graph is recorded.
    Compiled modules run as they were before compilation. Errors of the model propagate. Raises QprepError if
    `model` is not an nn.Module or holds a ScriptModule, whose operations Python does not see.
    """
    check_model(model)
    tracer = Tracer(model)
    tracer.taint.add(tensors_within((inputs, kwinputs)))
    with contextlib.ExitStack() as stack:
        for handle in tracer.hook():
            stack.callback(handle.remove)
        stack.enter_context(_unchanged(model))
        stack.enter_context(eager())
        stack.enter_context(torch.set_grad_enabled(model.training and torch.is_grad_enabled()))
        stack.enter_context(tracer)
        try:
            model(*inputs, **kwinputs)
        except Exception as error:
            _note_module(error, tracer)
            raise
    return _report(model, tracer)


def check_model(model: object) -> None:
    """QprepError for anything but an nn.Module, and for a ScriptModule in it."""
    if not isinstance(model, nn.Module):
        raise QprepError(f"expected an nn.Module to trace, found {type(model).__name__}")
    for path, module in model.named_modules():
        if isinstance(module, torch.jit.ScriptModule):
            raise QprepError(f"expected a model before torch.jit, found a ScriptModule at {path or 'its root'}")


def eager() -> contextlib.AbstractContextManager[object]:
    """Compiled code would not pass through Python; without torch._dynamo there is none."""
    if "torch._dynamo" not in sys.modules or not hasattr(torch.compiler, "set_stance"):
        return contextlib.nullcontext()
    stance: contextlib.AbstractContextManager[object] = torch.compiler.set_stance("force_eager")
    return stance


def _note_module(error: Exception, tracer: Tracer) -> None:
    """Name the module that failed: a traceback through an nn.Sequential does not."""
    inside: Known | None = None
    for frame, _ in traceback.walk_tb(error.__traceback__):
        module = receiver(frame)
        if isinstance(module, nn.Module):
            inside = tracer.known.get(module, inside)
    if inside is not None and inside.path:
        error.add_note(f"in {inside.path}, a {inside.module_class}")


@contextlib.contextmanager
def _unchanged(model: nn.Module) -> Iterator[None]:
    """Restore the random state, running statistics, and the devices of a DataParallel, whose threads no mode sees."""
    devices = {parameter.device.index for parameter in model.parameters() if parameter.device.type == "cuda"}
    kept = [each for each in model.buffers() if model.training and not nn.parameter.is_lazy(each)]
    buffers = [(buffer, buffer.clone()) for buffer in kept]
    parallel = [module for module in model.modules() if isinstance(module, nn.DataParallel)]
    before = [list(module.device_ids) for module in parallel]
    with torch.random.fork_rng(devices=sorted(index for index in devices if index is not None)):
        try:
            for module in parallel:
                module.device_ids = module.device_ids[:1]
            yield
        finally:
            for module, ids in zip(parallel, before, strict=True):
                module.device_ids = ids
            with torch.no_grad():
                for buffer, value in buffers:
                    buffer.copy_(value)


def _report(model: nn.Module, tracer: Tracer) -> TraceReport:
    places = Places()
    events = [_event(issued, owned, seen, places) for (issued, owned), seen in tracer.scopes.settled.items()]
    return TraceReport(
        model_class=type(model).__name__,
        events=tuple(sorted(events, key=_order)),
        reused=tuple(_reused(known, tracer, places) for known in tracer.known.values() if _is_reused(known, tracer)),
        never_run=never_run(model, tracer.known, tracer.calls),
        modules=tuple(
            ModuleRun(known.path, known.module_class, tracer.calls[known]) for known in tracer.known.values()
        ),
    )


def _event(issued: Issued, owned: bool, seen: OperationSeen, places: Places) -> OpEvent:
    place = places.of(seen.site) if seen.site is not None else None
    return OpEvent(
        op=issued.op,
        path=place.path if place else None,
        line=place.line if place else 0,
        column=place.column if place else 0,
        end_line=place.end_line if place else 0,
        end_column=place.end_column if place else 0,
        module_path=issued.module.path,
        module_class=issued.module.module_class,
        owned=owned,
        dtype=issued.dtype,
        shapes=seen.shapes,
        calls=seen.calls,
        lineno=place.lineno if place else 0,
    )


def _order(event: OpEvent) -> tuple[str, int, int, int, int, str]:
    return (event.path or "", event.line, event.column, event.end_line, event.end_column, event.module_path)


def _is_reused(known: Known, tracer: Tracer) -> bool:
    return known.leaf and not known.repeatable and tracer.calls[known] > 1


def _reused(known: Known, tracer: Tracer, places: Places) -> ReusedModule:
    sites: list[TracePlace] = sorted(places.of(site) for site in tracer.sites.get(known, {}).values())
    return ReusedModule(
        module_path=known.path,
        module_class=known.module_class,
        calls=tracer.calls[known],
        has_parameters=known.has_parameters,
        aliases=known.aliases,
        sites=tuple(sites),
    )
