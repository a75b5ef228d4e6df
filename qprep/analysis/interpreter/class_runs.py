"""Runs of whole classes: each forward, and other methods that users may call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qprep.analysis.interpreter import entry_points, forward_calls, installed_methods, module_level
from qprep.analysis.interpreter.entry_points import finish_root
from qprep.analysis.symbols.function_modules import is_function_like
from qprep.analysis.values.abstract_values import ClassRef, FunctionRef, Module

if TYPE_CHECKING:
    from qprep.analysis.interpreter.protocol import Analysis


def run_modules(analysis: Analysis, names: list[str]) -> None:
    """Evaluate all nn.Module classes of the modules called `names`, users before what they use."""
    called: list[ClassRef] = []  # by other code, which tells what they are given
    putting: list[str] = []
    for name in names:
        index = analysis.project.index(name)
        if module_level.has_some(analysis, name):
            putting.append(name)
        for cls in reversed(list(index.classes)) if index is not None else ():
            ref = ClassRef(name, cls)
            if analysis.is_module(ref) and is_function_like(analysis.project, ref):
                called.append(ref)
            elif analysis.is_module(ref):
                _guarded(analysis, ref)
    for ref in called:
        _guarded(analysis, ref)
    for name in names:
        _run_beside(analysis, name)
        _run_installed(analysis, name)
    for name in putting:
        module_level.look_at(analysis, name)


def _run_beside(analysis: Analysis, name: str) -> None:
    """Evaluate what users may call other than forward: public methods that no forward runs."""
    index = analysis.project.index(name)
    for cls in reversed(list(index.classes)) if index is not None else ():
        ref = ClassRef(name, cls)
        if analysis.is_module(ref):
            if ref in analysis.reached and entry_points.has_optional(analysis, ref):
                _guarded(analysis, ref, again=True)
            for method in entry_points.beside_forward(analysis, ref):
                _guarded(analysis, ref, method)


def _run_installed(analysis: Analysis, name: str) -> None:
    """Evaluate the functions that a file makes methods or hooks of modules, and that no forward runs."""
    try:
        for function, owner in installed_methods.installed(analysis, name):
            if not isinstance(function, FunctionRef) or (function.module, function.name) not in analysis.ran:
                forward_calls.run_installed(analysis, name, function, owner)
        for hook in installed_methods.hooks(analysis, name):
            forward_calls.run_hook(analysis, name, hook)
    except RecursionError:
        analysis.too_deep.add(name)
        analysis.stop_runs()


def _run_method(analysis: Analysis, cls: ClassRef, method: FunctionRef) -> None:
    frame = analysis.frame_of(cls.module)
    if frame is None:
        return
    frame.recording = True
    before, known = entry_points.sizes(analysis.facts), analysis.ran
    analysis.ran = set()
    try:
        summary = analysis.summary(frame, method, None, recording=True, root=True, beside=True)
    finally:
        ran, analysis.ran = analysis.ran, known
    if entry_points.is_entry(summary):
        analysis.ran |= ran
        finish_root(analysis, cls, summary, is_forward=False)
    else:
        entry_points.take_back(analysis.facts, before, is_known=bool(summary.operation_places))


def _guarded(analysis: Analysis, ref: ClassRef, method: FunctionRef | None = None, *, again: bool = False) -> None:
    """Code nested a thousandfold ends the analysis of its file, not of the others."""
    analysis.closures.clear()
    try:
        _run_class(analysis, ref, again=again) if method is None else _run_method(analysis, ref, method)
    except RecursionError:
        analysis.too_deep.add(ref.module)
        analysis.stop_runs()


def _run_class(analysis: Analysis, ref: ClassRef, *, again: bool) -> None:
    """Evaluate the forward of a class that no other one calls, or `again` with all that may be left out."""
    analysis.attributes_of(ref)
    if again or ref not in analysis.reached:
        frame = analysis.frame_of(ref.module)
        if frame is not None:
            frame.recording = True
            analysis.call_forward(frame, Module(ref), None)
