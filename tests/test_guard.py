from __future__ import annotations

import ast
import sys
import threading

import pytest

from qprep.foundation.deep_recursion import depth, run_with_large_stack


def test_returns_what_the_work_returns_and_restores_the_limit() -> None:
    limit = sys.getrecursionlimit()
    assert run_with_large_stack(sys.getrecursionlimit) > limit
    assert sys.getrecursionlimit() == limit
    assert threading.stack_size() == 0


def test_raises_what_the_work_raises() -> None:
    def fail() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        run_with_large_stack(fail)


def test_deep_recursion_fits() -> None:
    def down(level: int) -> int:
        return 0 if level == 0 else 1 + max([down(level - 1)])

    assert run_with_large_stack(lambda: down(9_000)) == 9_000


def test_deep_source_is_parsed_by_libcst_in_the_large_stack() -> None:
    import libcst

    text = "x = " + " + ".join(["a"] * 900)
    assert run_with_large_stack(lambda: libcst.parse_module(text).code) == text


def test_smaller_stacks_are_tried_where_there_is_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    start = threading.Thread.start

    def refusing(thread: threading.Thread) -> None:
        size = threading.stack_size()  # reading it sets the default
        threading.stack_size(size)
        sizes.append(size)
        if size > 64 << 20:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refusing)
    assert run_with_large_stack(lambda: 1) == 1
    assert sizes == [512 << 20, 128 << 20, 32 << 20]


@pytest.mark.parametrize(("text", "levels"), [("", 1), ("x", 4), ("x + y + z", 6), ("-" * 50 + "1", 53)])
def test_depth(text: str, levels: int) -> None:
    assert depth(ast.parse(text)) == levels
