"""`qprep.prepare`: a prepared model in one call."""

from __future__ import annotations

import contextlib
import copy
import random
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

from qprep.engine.preparing.comparison import compared, outputs_differ
from qprep.engine.preparing.factory import Factory, factory_of
from qprep.engine.preparing.model_modules import class_modules, running_modules
from qprep.engine.preparing.original_files import BUILD_SEED
from qprep.engine.preparing.package_files import package_of
from qprep.engine.preparing.prepare_report import PrepareReport, summed
from qprep.engine.preparing.prepare_target import build, prepare_target, traced
from qprep.engine.preparing.renamed_package import RenamedPackage, renamed_package
from qprep.foundation.errors import QprepError

if TYPE_CHECKING:
    from torch import nn

    from qprep.tracing.model_target import Inputs


class Prepared(NamedTuple):
    """A prepared model and the report of its preparation."""

    model: nn.Module
    report: PrepareReport


def prepare(
    build: str | Callable[..., nn.Module], /, *inputs: object, state_of: nn.Module | None = None, **kwinputs: object
) -> Prepared:
    """Build, rewrite and compare a model: `model, report = qprep.prepare(torchvision.models.resnet18, x)`.

    build     a function or class of a module, a `functools.partial` of one, or "package.module:name"
    inputs    arguments of the model's call, by position and by keyword, to run both on
    state_of  a model of the same architecture; its state_dict is loaded strictly, and its training modes are copied

    Builds and runs the original, rewrites the files of its classes (safe fixes only), imports them, and compares both
    models bit for bit: state, outputs, gradients and random numbers. If `build` is a text and its modules are not
    imported yet, they are imported in rewritten form under their own names. Modules that are already imported do not
    change; the prepared model then comes from a copy of the package with another name. Its classes differ from the
    imported ones, and pickles of the whole model load in this process only; state_dicts load anywhere.
    `report.is_prepared` says whether every operation has a module, `report.left` lists what is left and where. Raises
    QprepError if torch is missing, the model does not run, the files cannot be rewritten, or a value differs.
    """
    if find_spec("torch") is None:
        raise QprepError("`prepare` runs the model and needs torch: pip install 'qprep[torch]'")
    from qprep.tracing.model_target import Inputs

    arguments = Inputs(inputs, kwinputs)
    with _random_state_kept():
        prepared = _of_target(build, arguments) if isinstance(build, str) else _of_callable(build, arguments)
        if state_of is not None:
            _take_state(prepared, state_of, arguments)
    return prepared


def _of_target(target: str, inputs: Inputs) -> Prepared:
    from qprep.tracing.request import make_request, split_target

    place, name = split_target(target)
    if place in sys.modules:
        return _of_callable(_imported(place, name), inputs)
    request = make_request(target)
    report = prepare_target(request, given=inputs)
    return Prepared(build(request), report)


def _imported(place: str, name: str) -> Callable[..., nn.Module]:
    found: object = sys.modules[place]
    for part in name.split("."):
        if not hasattr(found, part):
            raise QprepError(f"expected {part} in {place}, found no such name")
        found = getattr(found, part)
    if not callable(found):
        raise QprepError(f"expected a function or class at {place}:{name}, found {type(found).__name__}")
    return found


def _of_callable(build: Callable[..., nn.Module], inputs: Inputs) -> Prepared:
    """The model of a factory whose module is imported: from a twin of its package."""
    from torch import nn

    from qprep.tracing import build_record

    factory = factory_of(build)
    build_record.seed(BUILD_SEED)
    original = build()
    if not isinstance(original, nn.Module):
        raise QprepError(f"expected {factory.target} to return an nn.Module, found {type(original).__name__}")
    made = build_record.constructed(original)
    modules = {**class_modules(original), **running_modules(traced(original, copy.deepcopy(inputs)))}
    build_record.run(original, lambda: copy.deepcopy(inputs), made)
    package = package_of(factory.module, factory.path)
    roots = {factory.module, *(name for name in modules if name in package.files)}
    twin = renamed_package(package, roots)
    twin.install()
    for name in sorted(roots):  # importing them registers what the factory may look up by name
        twin.module(name)

    def rebuild() -> nn.Module:
        model: nn.Module = factory.build(twin.module(factory.module))
        _check_rewritten(model, factory, twin)
        return model

    equal, notes = compared(factory.target, rebuild, made, lambda: copy.deepcopy(inputs))
    model = rebuild()
    report = summed(factory.target, [twin.sources], equal, notes, traced(model, copy.deepcopy(inputs)))
    return Prepared(model, report)


def _check_rewritten(model: nn.Module, factory: Factory, twin: RenamedPackage) -> None:
    """QprepError if a class of the model is one of the package as it was imported."""
    for name, module in model.named_modules():
        for kind in type(module).__mro__:
            if kind.__module__ in twin.sources.modules:
                raise QprepError(
                    f"expected {factory.target} to build its model of the rewritten classes, found "
                    f"{kind.__module__}.{kind.__qualname__} of the imported package at {name or 'its root'}: "
                    "build it in a fresh process, in `with qprep.prepared(…)`"
                )


def _take_state(prepared: Prepared, other: nn.Module, inputs: Inputs) -> None:
    """Load the state of a model strictly, take its modes, and compare the outputs of both in evaluation mode."""
    try:
        prepared.model.load_state_dict(other.state_dict(), strict=True)
    except (RuntimeError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise QprepError(f"state_of: its state_dict does not load into {prepared.report.target}: {reason}") from error
    modes = {name: module.training for name, module in other.named_modules()}
    difference = outputs_differ(other, prepared.model, lambda: copy.deepcopy(inputs))
    if difference is not None:
        raise QprepError(f"state_of: the prepared model gives other results: {difference}")
    for name, module in [*other.named_modules(), *prepared.model.named_modules()]:
        module.training = modes.get(name, other.training)


@contextlib.contextmanager
def _random_state_kept() -> Iterator[None]:
    import torch

    state, numpy = random.getstate(), sys.modules.get("numpy")
    kept = numpy.random.get_state() if numpy is not None else None
    with torch.random.fork_rng():
        try:
            yield
        finally:
            random.setstate(state)
            if numpy is not None:
                numpy.random.set_state(kept)
