"""Deep nesting and Ctrl-C: run work in a thread with a large stack, and tell how deep a tree is."""

from __future__ import annotations

import ast
import ctypes
import sys
import threading
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")

RECURSION_LIMIT = 20_000
# LibCST needs 200 MB and a second for 1,000 nested lambdas, 1.6 GB for 3,000, and more stack than there is for 10,000.
MAX_DEPTH = 1_000
_ROOM = (1 << 18) + 1  # words; the piece is twice as large, and its pages are used only when touched
_STACK_SIZES = (512 << 20, 128 << 20, 32 << 20)  # bytes of address space; pages are used only when touched


def run_with_large_stack(work: Callable[[], _T]) -> _T:
    """Call `work` in a thread whose stack holds deep recursion; what it raises is raised here.

    Ctrl-C is passed on to that thread and waited for, so that it can take back what it has half done.
    """
    results: list[_T] = []
    errors: list[BaseException] = []

    def target() -> None:
        try:
            results.append(_with_room(work))
        except BaseException as error:  # noqa: BLE001  (raised again in the caller's thread)
            errors.append(error)

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, RECURSION_LIMIT))
    try:
        _join(_start(target))
    finally:
        sys.setrecursionlimit(limit)
    if errors:
        raise errors[0]
    return results[0]


def _with_room(work: Callable[[], _T]) -> _T:
    """Call `work` with a large piece of the interpreter's own stack.

    CPython takes that stack from the system in pieces of 16 KB, and gives each back as soon as it is empty: recursion
    that goes up and down across the end of a piece does so all the time, which was a tenth of an analysis. What one
    frame reserves beyond its needs is left to the calls below it.
    """
    return work()


_with_room.__code__ = _with_room.__code__.replace(co_stacksize=_ROOM)


def depth(tree: ast.AST) -> int:
    """The number of nodes on the longest way down from `tree`."""
    levels = 0
    layer = [tree]
    while layer:
        levels += 1
        layer = [child for node in layer for child in ast.iter_child_nodes(node)]
    return levels


def _start(target: Callable[[], None]) -> threading.Thread:
    """Start a daemon thread with the largest stack that the system gives."""
    for size in _STACK_SIZES:
        before = threading.stack_size(size)
        try:
            thread = threading.Thread(target=target, name="qprep", daemon=True)
            thread.start()
        except RuntimeError:  # no address space for it
            continue
        finally:
            threading.stack_size(before)
        return thread
    thread = threading.Thread(target=target, name="qprep", daemon=True)
    thread.start()
    return thread


def _join(thread: threading.Thread) -> None:
    try:
        thread.join()
    except KeyboardInterrupt:
        _interrupt(thread)
        thread.join()
        raise


def _interrupt(thread: threading.Thread) -> None:
    identity = ctypes.c_ulong(thread.ident or 0)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(identity, ctypes.py_object(KeyboardInterrupt))
