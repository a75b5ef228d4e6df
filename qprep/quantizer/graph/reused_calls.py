"""Operations without parameters that a model calls several times: an instance, and so a range, for each call."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from qprep.runtime_modules.per_call import PerCall
from qprep.tracing import ReusedModule, TraceReport


def separable(model: nn.Module, report: TraceReport) -> list[ReusedModule]:
    """Those of the reused modules that can have an instance for each call.

    An operation is a module of torch.nn or qprep.runtime_modules without parameters, buffers and children: an
    activation, a dropout, a pooling. Others stay: they may keep something from call to call. So does the model itself.
    """
    modules = dict(model.named_modules())
    return [each for each in report.reused if each.module_path and _is_operation(modules[each.module_path])]


def without(report: TraceReport, reused: list[ReusedModule]) -> TraceReport:
    """The report without these."""
    return replace(report, reused=tuple(each for each in report.reused if each not in reused))


def separated(reused: list[ReusedModule]) -> list[str]:
    """A note for each."""
    return [
        f"{each.module_path} ({each.module_class}) runs {each.calls} times: a range for each call" for each in reused
    ]


def separate(model: nn.Module, reused: list[ReusedModule]) -> None:
    """Replace each of these modules, in `model`, by `PerCall`."""
    modules = dict(model.named_modules())
    for each in reused:
        module = modules[each.module_path]
        children = [(holder, name, child) for holder in model.modules() for name, child in holder._modules.items()]  # noqa: SLF001
        holders = [(holder, name) for holder, name, child in children if child is module]
        made = PerCall(module, model, length=each.calls).train(module.training)
        for holder, name in holders:
            setattr(holder, name, made)


def _is_operation(module: nn.Module) -> bool:
    state = (*module.named_children(), *module.named_parameters(), *module.named_buffers())
    return not state and type(module).__module__.startswith(("torch.nn.", "qprep.runtime_modules"))
