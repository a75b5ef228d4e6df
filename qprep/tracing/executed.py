"""Executed expressions of given files: they separate "no operation there" from "never reached"."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Collection, Iterator
from types import CodeType, FrameType
from typing import Any

from qprep.tracing.expressions_of_frames import Instruction, Places
from qprep.tracing.trace_values import TracePlace


class Executed:
    """Notes each instruction that this thread runs in `files` (real paths) while `watch` is open."""

    def __init__(self, files: Collection[str]) -> None:
        self._files = files
        self._instructions: dict[int, set[int]] = {}
        self._codes: dict[int, CodeType] = {}  # keeps code objects alive, so that no id is given twice
        self._wanted: dict[str, bool] = {}

    @contextlib.contextmanager
    def watch(self) -> Iterator[None]:
        """Note what runs inside the with statement; frames that are open already are not watched."""
        before = sys.gettrace()
        sys.settrace(self._enter)
        try:
            yield
        finally:
            sys.settrace(before)

    def places(self) -> frozenset[TracePlace]:
        """The expressions whose instructions ran, at the ranges of their syntax nodes."""
        places = Places()
        found = {
            places.of(Instruction(self._codes[key], lasti))
            for key, all_ in self._instructions.items()
            for lasti in all_
        }
        return frozenset(found)

    def _enter(self, frame: FrameType, event: str, _argument: object) -> Any:  # noqa: ANN401  (the interpreter's type)
        if event != "call" or not self._is_wanted(frame.f_code.co_filename):
            return None
        code = frame.f_code
        self._codes[id(code)] = code
        seen = self._instructions.setdefault(id(code), set())
        frame.f_trace_lines, frame.f_trace_opcodes = False, True

        def note(frame: FrameType, event: str, _argument: object) -> Any:  # noqa: ANN401
            if event == "opcode":
                seen.add(frame.f_lasti)
            return note

        return note

    def _is_wanted(self, filename: str) -> bool:
        if filename not in self._wanted:
            self._wanted[filename] = os.path.realpath(filename) in self._files
        return self._wanted[filename]
