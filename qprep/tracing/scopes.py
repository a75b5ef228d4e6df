"""The module calls that are open at a moment, and which of their operations they own."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from types import FrameType

from qprep.tracing.expressions_of_frames import Instruction
from qprep.tracing.module_runs import Known


@dataclass(frozen=True, slots=True)
class Issued:
    """An operation as it was issued: `code` and `lasti` identify the expression."""

    op: str
    module: Known
    dtype: str
    code: int = 0
    lasti: int = 0


@dataclass(slots=True)
class OperationSeen:
    """The first call of an operation, and the number of calls."""

    site: Instruction | None
    shapes: tuple[tuple[int, ...], ...]
    calls: int = 0


@dataclass(slots=True)
class _OpenCall:
    """One open call of a module; `frame` is set where its forward was called without __call__."""

    module: Known
    frame: FrameType | None
    shared: bool  # calls another module or issues a second operation: owns none
    pending: tuple[Issued, OperationSeen] | None = None


class OpenCalls:
    """A stack of open calls that settles each operation as owned or not, and counts it.

    A call keeps at most one operation unsettled, so memory follows the number of places, not of operations.
    """

    def __init__(self) -> None:
        self.settled: dict[tuple[Issued, bool], OperationSeen] = {}
        self._stack: list[_OpenCall] = []

    @property
    def module(self) -> Known | None:
        """The module whose call is innermost."""
        return self._stack[-1].module if self._stack else None

    def enter(self, module: Known) -> None:
        """A module is called."""
        for scope in reversed(self._stack):
            self._share(scope)
            if scope.frame is None:
                break
        self._stack.append(_OpenCall(module, None, shared=False))

    def leave(self) -> None:
        """The innermost module call ends, and with it the direct calls of forward inside it."""
        while self._stack:
            scope = self._stack.pop()
            self._close(scope)
            if scope.frame is None:
                return

    @property
    def called(self) -> Known | None:
        """The module whose __call__ is innermost."""
        return next((scope.module for scope in reversed(self._stack) if scope.frame is None), None)

    def direct(self, calls: list[tuple[FrameType, Known]]) -> list[tuple[FrameType, Known]]:
        """`calls` of forward are open inside the innermost module call: close the others, return the new ones."""
        base = max((i + 1 for i, scope in enumerate(self._stack) if scope.frame is None), default=0)
        same = 0
        while same < len(calls) and base + same < len(self._stack) and self._stack[base + same].frame is calls[same][0]:
            same += 1
        while len(self._stack) > base + same:
            self._close(self._stack.pop())
        return [call for call in calls[same:] if self._enter_direct(*call)]

    def issue(self, issued: Issued, seen: OperationSeen) -> None:
        """An operation that only its being alone in a module could own."""
        scope = self._stack[-1] if self._stack else None
        if scope is not None and not scope.shared and scope.pending is None:
            scope.pending = (issued, seen)
            return
        if scope is not None:
            self._share(scope)
        self.settle(issued, seen, owned=False)

    def settle(self, issued: Issued, seen: OperationSeen, owned: bool) -> None:
        """Count an operation of which it is known whether it is owned."""
        self.settled.setdefault((issued, owned), seen).calls += 1

    def _enter_direct(self, frame: FrameType, module: Known) -> bool:
        """Open a scope; whether it is a call of its own: a generator's was counted when it was made."""
        generator = bool(frame.f_code.co_flags & inspect.CO_GENERATOR)
        if self._stack:
            self._share(self._stack[-1])
        self._stack.append(_OpenCall(module, frame, shared=generator or not module.leaf))
        return not generator

    def _share(self, scope: _OpenCall) -> None:
        scope.shared = True
        if scope.pending is not None:
            self.settle(*scope.pending, owned=False)
            scope.pending = None

    def _close(self, scope: _OpenCall) -> None:
        if scope.pending is not None:
            self.settle(*scope.pending, owned=True)
            scope.pending = None
