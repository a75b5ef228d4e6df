"""The real events in every model of a specification: the truth for measuring static findings."""

from __future__ import annotations

import atexit
import functools
import hashlib
import importlib
import importlib.util
import os
import pathlib
import pickle
import shutil
import sys
import tempfile
import warnings
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from torch import nn

from qprep.tracing.executed import Executed
from qprep.tracing.trace_report import TraceReport
from qprep.tracing.trace_values import ReusedModule, TracePlace
from qprep.tracing.traced_run import trace

Line: TypeAlias = tuple[str, int]


@dataclass
class Model:
    """One model: its trace, and which expressions of the package ran in its forward pass and while it was built.

    made    the lines where a module was made or stored, by its path, innermost first
    around  the lines that called the modules around it, as far as they ran more than once, by its path
    """

    name: str
    report: TraceReport
    ran: frozenset[TracePlace]
    built: frozenset[TracePlace]
    made: dict[str, tuple[Line, ...]] = field(default_factory=dict)
    around: dict[str, frozenset[Line]] = field(default_factory=dict)


@dataclass
class Truth:
    """The models of one package that run here, and those that do not, with the reason."""

    package: str
    files: tuple[str, ...]
    models: list[Model]
    failed: list[str]


def load_truth(corpus: pathlib.Path, name: str, cache: pathlib.Path | None, only: Collection[str]) -> Truth:
    """Trace every model of `specs/NAME.py`; with `cache`, a folder, once for each version of the tracer."""
    kept = cache / f"{name}-{_version()}.pickle" if cache and not only else None
    if kept is not None and kept.exists():
        truth: Truth = pickle.loads(kept.read_bytes())
        return truth
    truth = _trace_all(corpus, name, only, cache)
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(pickle.dumps(truth))
    return truth


def _version() -> str:
    """Names the tracer and the catalogue that it reads."""
    package = pathlib.Path(next(iter(importlib.import_module("qprep").__path__)))
    folders = (package / "tracing", package / "foundation" / "catalogue")
    sources = sorted([*(path for folder in folders for path in folder.rglob("*.py")), pathlib.Path(__file__)])
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]


def _trace_all(corpus: pathlib.Path, name: str, only: Collection[str], cache: pathlib.Path | None) -> Truth:
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    sys.path.insert(0, str(corpus))
    importlib.import_module("tvshim")
    spec = _load(corpus / "specs" / f"{name}.py")
    sys.path.insert(0, str(_copied(spec.PACKAGE, cache)))
    package = importlib.import_module(spec.PACKAGE)
    files = tuple(sorted(os.path.realpath(path) for path in pathlib.Path(package.__path__[0]).rglob("*.py")))
    truth = Truth(name, files, [], [])
    for model, build, inputs in spec.models():
        if only and model not in only:
            continue
        try:
            truth.models.append(_trace(model, build, inputs, frozenset(files)))
        except Exception as error:  # noqa: BLE001  (the model does not run here: nothing to measure)
            truth.failed.append(f"{model}: {type(error).__name__}: {str(error)[:100]}")
        print(f"{name}:{model}", file=sys.stderr, flush=True)
    return truth


def _copied(package: str, cache: pathlib.Path | None) -> pathlib.Path:
    """A folder with a copy of an installed package: `qprep check` reports nothing in an environment's own packages.

    It lies below `cache`, whose records name its files, or in a temporary folder that is removed at exit.
    """
    if cache is None:
        temporary = tempfile.TemporaryDirectory()
        atexit.register(temporary.cleanup)
    folder = pathlib.Path(temporary.name) if cache is None else (cache / "packages").absolute()
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise SystemExit(f"expected the package {package}, found none installed")
    if not (folder / package).exists():
        shutil.copytree(pathlib.Path(spec.origin).parent, folder / package)
    return folder


def _load(path: pathlib.Path) -> Any:  # noqa: ANN401  (a module of any content)
    spec = importlib.util.spec_from_file_location(path.stem + "_spec", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"expected a specification, found nothing to load at {path}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _trace(name: str, build: Callable[[], Any], inputs: Callable[[], Any], files: frozenset[str]) -> Model:
    torch.manual_seed(0)
    building, running = Executed(files), Executed(files)
    with _registrations(files) as lines, building.watch():
        model = build().eval()
    args = inputs()
    args, kwargs = ((), args) if isinstance(args, dict) else (args, {})
    with _calls(model, files) as calls, running.watch():
        report = trace(model, *args, **kwargs)
    made = {path: tuple(lines[id(module)]) for path, module in model.named_modules() if id(module) in lines}
    wanted = {event.module_path for event in report.unowned if event.op.startswith("nn.")}
    wanted |= {each.module_path for each in report.reused}
    around = {each.module_path: frozenset(_around(each, calls)) for each in report.reused}
    made = {path: made[path] for path in wanted & made.keys()}
    return Model(name, report, running.places(), building.places(), made, around)


def _around(reused: ReusedModule, calls: dict[str, list[Line]]) -> Iterator[Line]:
    for path in (reused.module_path, *reused.aliases):
        while path := path.rpartition(".")[0]:
            if len(calls[path]) > 1:
                yield from calls[path]


@contextmanager
def _calls(model: nn.Module, files: frozenset[str]) -> Iterator[dict[str, list[Line]]]:
    """The innermost line of the package on the stack at each call of a module, by the module's path."""
    calls: dict[str, list[Line]] = defaultdict(list)

    def hook(path: str) -> Callable[[nn.Module, object], None]:
        return lambda _module, _args: calls[path].extend([next(_stack(files), ("", 0))])

    handles = [module.register_forward_pre_hook(hook(path)) for path, module in model.named_modules()]
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _registrations(files: frozenset[str]) -> Iterator[dict[int, dict[Line, None]]]:
    """Lines of the package on the stack whenever a module is made or stored in another, by id of the module."""
    lines: dict[int, dict[Line, None]] = defaultdict(dict)
    before = nn.Module.__setattr__, nn.Module.add_module, nn.Module.__init__

    def note(module: object) -> None:
        if isinstance(module, nn.Module):
            lines[id(module)].update(dict.fromkeys(_stack(files)))

    def setattr_(self: nn.Module, name: str, value: Any) -> None:  # noqa: ANN401
        note(value)
        before[0](self, name, value)

    def add_module(self: nn.Module, name: str, module: nn.Module | None) -> None:
        note(module)
        before[1](self, name, module)

    def init(self: nn.Module, *args: Any, **kwargs: Any) -> None:
        lines.pop(id(self), None)  # that of a module that is gone
        note(self)
        before[2](self, *args, **kwargs)

    nn.Module.__setattr__, nn.Module.add_module, nn.Module.__init__ = setattr_, add_module, init  # type: ignore[method-assign]
    try:
        yield lines
    finally:
        nn.Module.__setattr__, nn.Module.add_module, nn.Module.__init__ = before  # type: ignore[method-assign]


_real_path = functools.lru_cache(maxsize=None)(os.path.realpath)


def _stack(files: frozenset[str]) -> Iterator[Line]:
    current: Any = sys._getframe(1)  # noqa: SLF001  (inspect offers no other way)
    while current is not None:
        path = _real_path(current.f_code.co_filename)
        if path in files:
            yield path, current.f_lineno
        current = current.f_back
