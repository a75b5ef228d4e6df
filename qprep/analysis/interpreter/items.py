"""Items of values: by iteration and by index."""

from __future__ import annotations

import ast
from collections import Counter
from typing import TYPE_CHECKING

from qprep.analysis.interpreter.environment import in_loop, rooted
from qprep.analysis.values.abstract_values import (
    INT,
    SHAPE,
    TEXT,
    UNKNOWN,
    InputPart,
    Kind,
    Mapping,
    Module,
    Plain,
    Sequence,
    Tensor,
    Union,
    Word,
    join_all,
    options,
)
from qprep.analysis.values.access_paths import AccessPath
from qprep.analysis.values.index_expressions import written_out

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qprep.analysis.interpreter.environment import Frame


def iterate(kind: Kind, loop: int | None = None) -> Kind:
    """The value of one step of an iteration."""
    if type(kind) is Union:
        return join_all(iterate(option, loop) for option in kind.options)
    item: Kind = UNKNOWN
    if isinstance(kind, Tensor | InputPart):
        item = kind
    elif kind == SHAPE:
        item = INT
    elif isinstance(kind, Sequence):
        if loop is not None and kind.items is not None:
            return join_all(_each(kind.items, loop)) if kind.items else in_loop(kind.item, loop)
        item = kind.item
    elif isinstance(kind, Module):
        item = kind.item if kind.item is not None else Module(None)
        if kind.path is not None:
            item = rooted(item, kind.path.any_item)
        for outer in kind.loops:
            item = in_loop(item, outer)
    elif isinstance(kind, Mapping | Plain | Word):
        item = TEXT
    return in_loop(item, loop) if loop is not None else item


def _each(items: tuple[Kind, ...], loop: int) -> Iterator[Kind]:
    """Items of a list as a loop gives them: one that stands there twice is not a fresh one each time."""
    times = Counter(item.path for item in items if isinstance(item, Module))
    for item in items:
        is_again = isinstance(item, Module) and times[item.path] > 1
        yield item if is_again else in_loop(item, loop)


def item_of_unknown(attribute: str, index: ast.expr, frame: Frame) -> Module:
    """A module taken by an index from an unknown value: an attribute of self."""
    found = selected(Module(None, AccessPath((attribute,)).any_item), index, frame)
    assert isinstance(found, Module)
    return found


def selected(item: Kind, node: ast.expr, frame: Frame, loops: frozenset[int] = frozenset()) -> Kind:
    """The item that an index expression picks: its path names the index, its loops those that vary it."""
    node = written_out(node, frame.loop_values)
    return at_index(item, ast.unparse(node), loops | _varying(node, frame))


def _varying(node: ast.expr, frame: Frame) -> frozenset[int]:
    """The loops that change an index: those whose variables it is made of, or any where it is made of others."""
    names = [part.id for part in ast.walk(node) if isinstance(part, ast.Name)]
    numeric = [part for part in ast.walk(node) if isinstance(part, ast.BinOp) and not _is_text(part.left)]
    if any(isinstance(part.op, ast.Mod | ast.FloorDiv) for part in numeric):
        return frozenset()  # it comes back to the same item
    if all(name in frame.loop_names for name in names):
        return frozenset(frame.loop_names[name] for name in names).intersection(frame.loops)
    return frozenset(frame.loops) if names else frozenset()


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def at_index(item: Kind, text: str, loops: frozenset[int] = frozenset()) -> Kind:
    """One item of a container of modules: its path names the index."""

    def pick(kind: Kind) -> Kind:
        if isinstance(kind, Module) and kind.path is not None and kind.path.is_any_item:
            return Module(kind.cls, kind.path.container.item(text), None, kind.item, kind.loops | loops)
        return kind

    return join_all(pick(option) for option in options(item))
