"""Expressions that list the modules of an object, in any spelling: methods, `_modules`, its state dictionary."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from qprep.analysis.effects.library_names import CHILD_TABLE
from qprep.analysis.effects.method_calls import attribute_reads, calls_of
from qprep.analysis.effects.state_tables import TableReads
from qprep.analysis.symbols.ast_utils import last_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qprep.analysis.effects.abstract_objects import References
    from qprep.analysis.effects.lexical_scopes import FileScopes
    from qprep.analysis.effects.points_to import PointsTo

LISTINGS = frozenset(("children", "named_children", "modules", "named_modules"))
ORIGINAL_LISTINGS = ("original_children", "original_named_children", "original_modules")
_DIRECT = frozenset(("children", "named_children"))
_COPIES = frozenset(("copy", "deepcopy"))
_EMPTY = (ast.Dict, ast.Set, ast.Constant)


@dataclass(frozen=True, slots=True)
class Shape:
    """The kind of value that a listing has.

    is_table  an item is found by its name, as in `_modules`
    is_live   it is not gone through yet: it shows children that are added later
    """

    is_table: bool = False
    is_live: bool = True


@dataclass(frozen=True, slots=True)
class ChildListing:
    """An expression that lists modules.

    module        the expression for the object that has them
    is_direct     its children alone, and not those further down
    of_originals  without those that a rewrite added and marked
    use           the place of a use that is known to depend on all; None: the uses of the expression decide
    """

    node: ast.expr
    module: ast.expr
    is_direct: bool = True
    shape: Shape = Shape()
    of_originals: bool = False
    use: ast.expr | ast.stmt | None = None


def child_listings(file: FileScopes, points_to: PointsTo) -> Iterator[ChildListing]:
    """The listings of a file."""

    def targets(node: ast.expr) -> References:
        return points_to.of(node, file.scope_of(node))

    for call in file.index.of(ast.Call):
        for made, func in calls_of(LISTINGS, call, file, targets):
            listing = ChildListing(call, func.value, func.attr in _DIRECT)
            yield listing
            if func.attr == "named_modules" and (memo := _memo(made, 0)) is not None:
                yield replace(listing, use=memo)
        if len(call.args) == 1 and last_name(call.func).endswith(ORIGINAL_LISTINGS):
            is_table = last_name(call.func).endswith("original_modules")
            yield ChildListing(call, call.args[0], shape=Shape(is_table, not is_table), of_originals=True)
        if last_name(call.func) in _COPIES and len(call.args) + len(call.keywords) == 2:
            yield from _remembered_in_copy(call, file)
    yield from _tables(file)
    for pattern in file.index.of(ast.MatchClass):
        if not {CHILD_TABLE, "__dict__", *LISTINGS}.isdisjoint(pattern.kwd_attrs):
            yield from _matched(pattern, file)


def _tables(file: FileScopes) -> Iterator[ChildListing]:
    """`x._modules`, read in any way, and uses of the state dictionary of `x` that may reach it."""
    table = Shape(is_table=True)
    for node in file.index.of(ast.Attribute):
        if node.attr == CHILD_TABLE and isinstance(node.ctx, ast.Load):
            yield ChildListing(node, node.value, shape=table)
    for call in file.index.of(ast.Call):  # items of the state are found below
        yield from (
            ChildListing(call, owner, shape=table) for owner, name in attribute_reads(call, file) if name == CHILD_TABLE
        )
    for read in TableReads(file).all():
        yield ChildListing(read.node, read.owner, shape=table, use=read.use)


def _memo(call: ast.Call, position: int) -> ast.expr | None:
    """The argument in which a call notes each module that it meets, if other code may see it."""
    given = [keyword.value for keyword in call.keywords if keyword.arg == "memo"]
    memo = given[0] if given else call.args[position] if len(call.args) > position else None
    is_new = isinstance(memo, _EMPTY) or (isinstance(memo, ast.Call) and not (memo.args or memo.keywords))
    return None if is_new else memo


def _remembered_in_copy(call: ast.Call, file: FileScopes) -> Iterator[ChildListing]:
    """`copy.deepcopy(x, memo)`: the memo holds a copy of each module. In `__deepcopy__` it is Python's own."""
    memo, scope = _memo(call, 1), file.scope_of(call)
    if memo is not None and call.args and scope.name != "__deepcopy__":
        yield ChildListing(call, call.args[0], is_direct=False, use=memo)


def _matched(pattern: ast.MatchClass, file: FileScopes) -> Iterator[ChildListing]:
    """`case nn.Module(_modules=children)`: the pattern reads the attribute."""
    node: ast.AST | None = pattern
    while node is not None and not isinstance(node, ast.Match):
        node = file.parents.get(node)
    if node is not None:
        yield ChildListing(node.subject, node.subject, is_direct=False, use=node)
