"""Edits of the arguments and the callee of a call that becomes the call of a module."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.rewriting.composed_edits import Piece, opening
from qprep.rewriting.transforms.operators import drop_parentheses, guard_space

if TYPE_CHECKING:
    from qprep.foundation.catalogue.call_signature import Spelling
    from qprep.rewriting.source_code import Code
    from qprep.rewriting.transforms.module_targets import Argument, ModuleTarget

Pieces = tuple[Piece, ...]


def edit_arguments(
    code: Code, node: ast.Call, spelling: Spelling, arguments: list[Argument], target: ModuleTarget
) -> list[Piece] | None:
    """Take moved arguments out of the call and name those whose place changes; None if a comment is in the way."""
    gone = target.moved | target.dropped
    kept = [argument for argument in arguments if argument.name not in gone]
    if arguments[: len(kept)] != kept:
        return None if target.moved else _rename(arguments, target, spelling, code, node)
    pieces = _rename(kept, target, spelling, code, node)
    if pieces is None or len(kept) == len(arguments):
        return pieces
    last = arguments[-1]
    end = argument_span(code, last)[1]
    limit = code.span(node)[1] - 1
    end = max(end, _closers_end(code, end, limit))
    if kept:
        start = argument_span(code, kept[-1])[1]
        start = max(start, _closers_end(code, start, argument_span(code, arguments[len(kept)])[0]))
    else:
        start = opening_parenthesis(code, node) + 1
        tail = code.skip_blank(end)
        end = tail + 1 if code.text[tail] == "," else end
        end = limit if not code.text[end:limit].strip() else end
    return None if "#" in code.text[start:end] else [*pieces, Piece(start, end, "")]


def _closers_end(code: Code, start: int, limit: int) -> int:
    """Behind the closing parentheses that follow `start`, before `limit`."""
    found, offset = start, code.skip_blank(start)
    while offset < limit and code.text[offset] == ")":
        found = offset + 1
        offset = code.skip_blank(found)
    return found


def _rename(
    kept: list[Argument], target: ModuleTarget, spelling: Spelling, code: Code, node: ast.Call
) -> list[Piece] | None:
    """Keywords get the canonical name; positional arguments out of place become keywords."""
    if target.parameters == ("",):  # a module of torch.nn takes its one input by position
        return [keyword_piece(code, a.keyword, None) for a in kept if a.keyword is not None]
    pieces: list[Piece] = []
    by_name = names_receiver(spelling, target)
    for position, argument in enumerate(kept, start=int(spelling.is_method)):
        slot = target.parameters[min(position, len(target.parameters) - 1)]
        if argument.keyword is not None:
            if argument.keyword.arg != argument.name:
                pieces.append(keyword_piece(code, argument.keyword, argument.name))
        elif slot.startswith("*") or argument.spread:
            if slot != f"*{argument.name}" or by_name:
                return None
        elif by_name or slot != argument.name or position >= len(target.parameters):
            start = _outer_start(code, node, argument.value)
            around = code.span(argument.value)[1] - start + 1  # what the value itself becomes comes behind the name
            pieces.append(opening(start, f"{argument.name}=", around))
    return pieces


def keyword_piece(code: Code, keyword: ast.keyword, name: str | None) -> Piece:
    """Rename a keyword, or take it off together with its `=`."""
    start = code.span(keyword)[0]
    end = start + len(keyword.arg or "")
    if name is not None:
        return Piece(start, end, name)
    after = code.skip_blank(end) + 1
    while code.text[after] in " \t":
        after += 1
    return Piece(start, after, "")


def _outer_start(code: Code, node: ast.Call, value: ast.expr) -> int:
    """In front of the parentheses around a positional argument."""
    start = code.span(value)[0]
    offset, paren = start - 1, opening_parenthesis(code, node)
    while offset > paren and code.text[offset] in " \t\r\n\\(":
        start = offset if code.text[offset] == "(" else start
        offset -= 1
    return start


def argument_span(code: Code, argument: Argument) -> tuple[int, int]:
    """The offsets of an argument with its keyword."""
    return code.span(argument.keyword if argument.keyword is not None else argument.value)


def opening_parenthesis(code: Code, node: ast.Call) -> int:
    """The offset of a call's opening parenthesis."""
    return code.skip_blank(code.span(node.func)[1], ")")


def names_receiver(spelling: Spelling, target: ModuleTarget) -> bool:
    """True if the receiver is not the module's first parameter: `x.where(mask, y)`; then all are passed by name."""
    return spelling.is_method and target.parameters != ("",) and target.parameters[0] != spelling.parameters[0].name


def edit_callee(
    code: Code, node: ast.Call, spelling: Spelling, name: str, edits: list[Piece], receiver: str = ""
) -> Pieces:
    """The pieces that put `name` in the place of the callee; `edits` are those of the arguments."""
    start, end = code.span(node)
    if not spelling.is_method:
        callee_start, _callee_end = code.span(node.func)
        return (Piece(start, opening_parenthesis(code, node), guard_space(code, callee_start) + name),)
    assert isinstance(node.func, ast.Attribute)
    receiver_start, receiver_end = code.span(node.func.value)
    paren = opening_parenthesis(code, node)
    empty = _remaining_is_empty(code, paren + 1, end - 1, edits)
    pieces = [opening(start, f"{guard_space(code, start)}{name}({receiver}", end - start)]
    pieces += drop_parentheses(code, start, receiver_start)
    pieces += _join_receiver(code, receiver_end, paren, "" if empty else ", ")
    return tuple(pieces)


def _remaining_is_empty(code: Code, start: int, end: int, edits: list[Piece]) -> bool:
    """True if nothing but blanks is left between the parentheses."""
    text, done = "", start
    for piece in sorted(edits, key=lambda p: p.order):
        text += code.text[done : piece.start] + piece.text
        done = piece.end
    return not (text + code.text[done:end]).strip()


def _join_receiver(code: Code, receiver_end: int, paren: int, comma: str) -> list[Piece]:
    """`.name(` behind the receiver becomes a comma, or nothing; comments and line breaks between them stay."""
    gap = code.text[receiver_end:paren]
    if "#" not in gap:
        return [Piece(receiver_end, paren + 1, comma)]
    pieces = [Piece(receiver_end, receiver_end, comma.rstrip(), 0, 1 << 60)]
    offset = receiver_end
    while offset <= paren:
        offset = code.skip_blank(offset)
        if offset > paren:
            break
        stop = offset
        while stop <= paren and code.text[stop] not in " \t\f\r\n\\#":
            stop += 1
        pieces.append(Piece(offset, stop, ""))
        offset = stop
    return pieces
