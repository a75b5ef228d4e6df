"""The caller of a torch function: the user's expression, torch.nn, a runtime module, or an autograd.Function."""

from __future__ import annotations

import enum
import inspect
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Final

import torch
from torch import nn

from qprep.foundation.version import PACKAGE_FOLDER
from qprep.runtime_modules.tied import Tied
from qprep.tracing.expressions_of_frames import Instruction

_TORCH: Final = os.path.dirname(torch.__file__) + os.sep
_MODULES: Final = os.path.join(_TORCH, "nn", "modules") + os.sep
_PACKAGE: Final = str(PACKAGE_FOLDER) + os.sep
_RUNTIME: Final = os.path.join(_PACKAGE, "runtime_modules") + os.sep
_TRACE: Final = os.path.join(_PACKAGE, "tracing") + os.sep
_DISPATCH: Final = ("_call_impl", "_wrapped_call_impl", "inner")  # how nn.Module.__call__ reaches forward


class FrameKind(enum.Enum):
    """The owner of the code of a frame."""

    USER = enum.auto()
    TORCH = enum.auto()
    DISPATCH = enum.auto()
    OWNED = enum.auto()  # torch.nn.modules, qprep.runtime_modules
    FUNCTION = enum.auto()  # a method of an autograd.Function
    TRACE = enum.auto()


@dataclass(frozen=True, slots=True)
class Issuer:
    """The owner of a call: the first of OWNED, FUNCTION and USER up the stack, and the user's expression."""

    owner: FrameKind
    site: Instruction | None  # None where torch alone stands between the call and the trace


class Frames:
    """Classifies frames; each code object is read once."""

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        self._kinds: dict[int, tuple[FrameKind, CodeType]] = {}
        self._forwards = {id(code): code for module in modules for code in _forward_codes(module)}

    def issuer(self, frame: FrameType | None) -> Issuer:
        """Walk up from the caller of a torch function to the first expression that is not torch's."""
        owner = FrameKind.TORCH
        while frame is not None:
            kind = self._kind(frame)
            if kind is FrameKind.TRACE:
                break
            if owner is FrameKind.TORCH and kind in (FrameKind.OWNED, FrameKind.FUNCTION, FrameKind.USER):
                owner = kind
            if kind is FrameKind.USER:
                return Issuer(owner, Instruction(frame.f_code, frame.f_lasti))
            frame = frame.f_back
        return Issuer(owner, None)

    def direct_forwards(self, frame: FrameType | None) -> list[FrameType]:
        """Frames of forward methods below the innermost module call, outermost first.

        The one that the call itself started is left out; the others were called as `module.forward(x)`, or are
        `super().forward(x)` of the same module.
        """
        found: list[FrameType] = []
        started_by_call = False
        while frame is not None:
            kind = self._kind(frame)
            if kind in (FrameKind.DISPATCH, FrameKind.TRACE):
                break
            if id(frame.f_code) in self._forwards:
                if not _is_borrowed(frame):
                    found.append(frame)
                started_by_call = True
            elif kind is FrameKind.USER:
                started_by_call = False
            frame = frame.f_back
        return found[-2::-1] if started_by_call else found[::-1]

    def _kind(self, frame: FrameType) -> FrameKind:
        code = frame.f_code
        known = self._kinds.get(id(code))
        if known is None:
            known = self._kinds[id(code)] = (_kind(frame), code)
        return known[0]


def caller() -> FrameType | None:
    """The frame that called the function that asks."""
    return sys._getframe(2)  # noqa: SLF001  (inspect offers no other way)


def receiver(frame: FrameType) -> object:
    """The first argument of a frame's function: `self` of a method."""
    code = frame.f_code
    return frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None


def _is_borrowed(frame: FrameType) -> bool:
    """True if a forward runs for a Tied instance, which owns the call itself."""
    return frame.f_back is not None and isinstance(receiver(frame.f_back), Tied)


def _kind(frame: FrameType) -> FrameKind:
    path, name = frame.f_code.co_filename, frame.f_code.co_name
    if isinstance(receiver(frame), torch.autograd.function.FunctionCtx):
        return FrameKind.FUNCTION
    if path.startswith(_RUNTIME):
        return FrameKind.OWNED
    if path.startswith(_TRACE):
        return FrameKind.TRACE
    if path.startswith(_MODULES):
        return FrameKind.DISPATCH if name in _DISPATCH else FrameKind.OWNED
    return FrameKind.TORCH if path.startswith(_TORCH) else FrameKind.USER


def _forward_codes(module: nn.Module) -> Iterator[CodeType]:
    """The code of every forward that `module` may run: its class's, its bases', one assigned to the instance."""
    candidates = [vars(module).get("forward"), *(vars(base).get("forward") for base in type(module).__mro__)]
    for candidate in candidates:
        function = inspect.unwrap(getattr(candidate, "__func__", candidate)) if callable(candidate) else None
        code = getattr(function, "__code__", None)
        if isinstance(code, CodeType):
            yield code
