"""Runs a model once and says which operations ran, where, and which module each belongs to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from types import FrameType
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from qprep.foundation.catalogue.lookup import load
from qprep.tracing.callers import FrameKind, Frames, caller, receiver
from qprep.tracing.expressions_of_frames import Instruction
from qprep.tracing.module_runs import Known, survey
from qprep.tracing.op_lookup import Operations
from qprep.tracing.scopes import Issued, OpenCalls, OperationSeen
from qprep.tracing.taint import Taint, tensors_in, tensors_within


class Tracer(TorchFunctionMode):
    """A function mode that follows activations, and hooks that follow module calls."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.known = survey(model)
        self.calls: Counter[Known] = Counter()
        self.sites: dict[Known, dict[tuple[int, int], Instruction]] = {}
        self.scopes = OpenCalls()
        self.taint = Taint()
        self._operations = Operations(load().ops)
        self._frames = Frames(self.known)

    def hook(self) -> Iterator[RemovableHandle]:
        """Attach to every module; in addition to the user's own hooks, which run before."""
        for module, known in self.known.items():
            yield module.register_forward_pre_hook(partial(self._enter, known))
            yield module.register_forward_hook(partial(self._leave, known), always_call=True)

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401  (whatever the function returns)
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        if not self.taint.reaches(tensors_in((args, kwargs))):
            return out
        if func is Tensor.__iter__:
            parts = tuple(out)
            self.taint.add(parts)
            return iter(parts)
        results = list(tensors_in(out))
        self.taint.add(results)
        if _writes(func):
            self.taint.add(_written(args))
        if self._operations.of(func).compute and any(_is_activation(result) for result in results):
            self._record(self._operations.of(func).name, results, caller())
        return out

    def _enter(self, known: Known, _module: nn.Module, _args: object) -> None:
        self.scopes.enter(known)
        self._count(known, caller())

    def _leave(self, known: Known, _module: nn.Module, _args: object, out: object) -> None:
        self.scopes.leave()
        if known.compound:
            results, name = list(tensors_within(out)), f"nn.{known.module_class}"
            site = self._frames.issuer(caller()).site
            self.scopes.settle(_issued(name, known, results, site), _seen(results, site), owned=False)

    def _count(self, known: Known, frame: FrameType | None) -> None:
        self.calls[known] += 1
        if not known.leaf or known.repeatable:
            return
        site = self._frames.issuer(frame).site
        if site is not None:
            self.sites.setdefault(known, {})[id(site.code), site.lasti] = site

    def _record(self, name: str, results: list[Tensor], frame: FrameType | None) -> None:
        issuer = self._frames.issuer(frame)
        if issuer.owner is FrameKind.FUNCTION:
            return
        self._follow_direct_calls(frame)
        module = self.scopes.module
        if module is None:
            return
        issued, seen = _issued(name, module, results, issuer.site), _seen(results, issuer.site)
        if issuer.owner is FrameKind.OWNED:
            self.scopes.settle(issued, seen, owned=True)
        else:
            self.scopes.issue(issued, seen)

    def _follow_direct_calls(self, frame: FrameType | None) -> None:
        """Note the modules whose forward was called without __call__, which no hook sees."""
        calls: list[tuple[FrameType, Known]] = []
        outer = self.scopes.called
        for each in self._frames.direct_forwards(frame):
            module = receiver(each)
            known = self.known.get(module) if isinstance(module, nn.Module) else None
            if known is not None and known is not outer:
                calls.append((each, known))
                outer = known
        for each, known in self.scopes.direct(calls):
            self._count(known, each.f_back)


def _writes(func: Callable[..., Any]) -> bool:
    """True if `func` writes to its first argument: add_, __setitem__, __iand__."""
    name = str(getattr(func, "__name__", ""))
    return name == "__setitem__" or name.startswith("__i") or (name.endswith("_") and not name.endswith("__"))


def _written(args: tuple[Any, ...]) -> Iterator[Tensor]:
    """The tensors that an in-place function changes: its first argument, and what that is a view of."""
    for tensor in tensors_in(args[:1]):
        yield tensor
        base = tensor._base  # noqa: SLF001  (torch has no public name for it)
        if base is not None:
            yield base


def _is_activation(result: Tensor) -> bool:
    return result.is_floating_point() or result.is_complex()


def _issued(op: str, module: Known, results: list[Tensor], site: Instruction | None) -> Issued:
    dtype = next((str(each.dtype).removeprefix("torch.") for each in results if _is_activation(each)), "")
    return Issued(op, module, dtype) if site is None else Issued(op, module, dtype, id(site.code), site.lasti)


def _seen(results: list[Tensor], site: Instruction | None) -> OperationSeen:
    return OperationSeen(site, tuple(tuple(result.shape) for result in results))
