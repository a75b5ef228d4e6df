"""One run of code for a module: which variables belong to it, and which outlive it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from qprep.analysis.effects.abstract_objects import ClassObject, Named
from qprep.analysis.effects.class_conditions import may_bind
from qprep.analysis.effects.lexical_scopes import BindingKind
from qprep.analysis.symbols.ast_utils import last_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qprep.analysis.effects.lexical_scopes import LexicalScope
    from qprep.analysis.effects.points_to import PointsTo

TENSORS = frozenset(("parameters", "named_parameters", "buffers", "named_buffers"))
_CONTAINERS = ("builtins.", "collections.", "qprep.", "torch.nn.")
DEFERRED = (ast.Lambda, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
"""Definitions, whose bodies run later."""


@dataclass(frozen=True, slots=True)
class VisitRound:
    """One run of code for a module.

    own     variables that hold the module, or what is made or read from it in this run
    module  the variables that hold the module itself
    loop    the loop that runs the code; None for a function that is called for each module
    made    those of `own` that hold what this run makes
    """

    scope: LexicalScope
    own: frozenset[str]
    module: frozenset[str]
    loop: ast.For | None = None
    made: frozenset[str] = frozenset()

    def owns(self, node: ast.expr) -> bool:
        """True if an object belongs to this run: what lies in one that the run makes may be older."""
        root = root_of(node)
        return root in self.own and (root not in self.made or isinstance(node, ast.Name))

    def is_of_module(self, node: ast.expr) -> bool:
        """True if an object is the module of this run, or a part of it."""
        root = root_of(node)
        return root in self.own and root not in self.made

    def widened(self, body: Iterable[ast.stmt], points_to: PointsTo) -> VisitRound:
        """The same, with the variables of a body that always hold what belongs to the module, or is new."""
        assignments = [n for part in body for n in ast.walk(part) if isinstance(n, ast.Assign | ast.For)]
        while (found := self._with_bound(assignments, points_to)) != self:
            self = found  # noqa: PLW0642  (what a variable holds decides on the next one)
        return self

    def _with_bound(self, assignments: list[ast.Assign | ast.For], points_to: PointsTo) -> VisitRound:
        own: dict[str, int] = {}
        made: set[str] = set()
        for node in assignments:
            if isinstance(node, ast.For):
                value, targets, is_made = node.iter, [node.target], False
            else:
                value, targets, is_made = node.value, node.targets, self._is_new(node.value, points_to)
            if is_made or self.is_of_module(value):
                for name in (name for target in targets for name in _bound(target)):
                    own[name] = own.get(name, 0) + 1
                    made |= {name} if is_made else set()
        new = {name for name, count in own.items() if name not in self.own and self._is_always(name, count, points_to)}
        return replace(self, own=self.own | new, made=self.made | (made & new))

    def _is_new(self, value: ast.expr, points_to: PointsTo) -> bool:
        return is_made_new(value, self.scope, points_to) or (isinstance(value, ast.Name) and value.id in self.made)

    def _is_always(self, name: str, count: int, points_to: PointsTo) -> bool:
        """True if a variable has no other bindings than `count` in this run, and is read behind them alone."""
        home = self.scope.binder(name)
        if home is not self.scope or len(home.bindings[name]) != count or name in self.scope.outer_names:
            return False
        if any(binding.kind is BindingKind.PARAMETER for binding in home.bindings[name]):
            return False
        if self.loop is None:
            return True
        inside = set(ast.walk(self.loop))
        reads = (read for read in points_to.calls.reads(home, name) if read in inside)
        return all(is_fresh(read, name, self.loop, self.scope.file.parents) for read in reads)


def blocks(statement: ast.AST) -> Iterator[list[ast.stmt]]:
    """The bodies of a compound statement."""
    for name in ("body", "orelse", "finalbody"):
        block = getattr(statement, name, None)
        if isinstance(block, list):
            yield block
    for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
        yield part.body


def goes_through_tensors(node: ast.expr, names: frozenset[str] | list[str]) -> bool:
    """True for `m.parameters()`: a module without any adds nothing."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attribute)):
            return name in names and attribute in TENSORS
    return False


def root_of(node: ast.expr) -> str | None:
    """The variable that an expression reads attributes and items of, and calls methods of."""
    while True:
        match node:
            case ast.Attribute(value=value) | ast.Subscript(value=value) | ast.Starred(value=value):
                node = value
            case ast.Call(func=ast.Attribute(attr="get" | "pop" | "setdefault"), args=[_, default]) if _may_be_older(
                default
            ):
                return None
            case ast.Call(func=ast.Attribute(value=value)):
                node = value
            case ast.Call(func=ast.Name(id="getattr"), args=[value, _, *default]) if not any(
                map(_may_be_older, default)
            ):
                node = value
            case ast.Call(func=ast.Name(id="list" | "tuple" | "reversed" | "iter"), args=[value, *_]):
                node = value
            case ast.Name(id=name):
                return name
            case _:
                return None


def _may_be_older(default: ast.expr) -> bool:
    """True unless an expression is a constant or an empty container, which is new each time."""
    return ast.unparse(default) not in ("[]", "{}", "()") and not isinstance(default, ast.Constant)


def _bound(target: ast.expr) -> Iterator[str]:
    """The variables that an assignment to a target binds."""
    match target:
        case ast.Name(id=name):
            yield name
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            for part in parts:
                yield from _bound(part)
        case ast.Starred(value=value):
            yield from _bound(value)


def is_made_new(value: ast.expr, scope: LexicalScope, points_to: PointsTo) -> bool:
    """True if an expression makes a new object: a call of a class, a container."""
    match value:
        case ast.List() | ast.Dict() | ast.Set() | ast.ListComp() | ast.DictComp() | ast.SetComp():
            return True
        case ast.Call(func=ast.Name() | ast.Attribute() as func) if last_name(func)[:1].isupper():
            bases = [each.base for each in points_to.of(func, scope)]
            return bool(bases) and all(
                isinstance(base, ClassObject) or (isinstance(base, Named) and base.name.startswith(_CONTAINERS))
                for base in bases
            )
    return False


def is_fresh(read: ast.AST, name: str, loop: ast.For, parents: dict[ast.AST, ast.AST]) -> bool:
    """True if what is read of a variable was not given to it by a round of a loop, or by the same round."""
    around = {loop, *_ancestors(loop, parents)}
    current = read
    while (parent := parents.get(current)) is not None:
        if _binds_inside(parent, current, name):
            return True
        for block in blocks(parent):
            if current not in block:
                continue
            place = block.index(current)
            other = next((i for i, each in enumerate(block) if each in around and each is not current), None)
            if other is not None and place < other:
                return not any(isinstance(each, ast.For | ast.While) for each in (parent, *_ancestors(parent, parents)))
            if any(_assigns(each, name) for each in block[0 if other is None else other + 1 : place]):
                return True
            if other is not None:
                return False
        if parent is loop or isinstance(parent, DEFERRED):
            return False
        current = parent
    return False


def _ancestors(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> Iterator[ast.AST]:
    while (parent := parents.get(node)) is not None and not isinstance(parent, DEFERRED):
        yield parent
        node = parent


def _binds_inside(node: ast.AST, part: ast.AST, name: str) -> bool:
    """True if a loop or comprehension binds a variable for one of its parts."""
    if isinstance(node, ast.For):
        return part in node.body and may_bind([node.target], name)
    return any(may_bind([each.target], name) for each in getattr(node, "generators", ()))


def _assigns(statement: ast.stmt, name: str) -> bool:
    """True if a statement gives a variable a value whenever it runs."""
    match statement:
        case ast.Assign(targets=targets):
            return any(may_bind([target], name) for target in targets)
        case ast.AnnAssign(target=ast.Name(id=bound), value=ast.expr()):
            return bound == name
        case ast.With(items=items):
            return any(i.optional_vars is not None and may_bind([i.optional_vars], name) for i in items)
        case ast.If(body=body, orelse=orelse):
            return any(_assigns(s, name) or isinstance(s, ast.Continue | ast.Raise) for s in body) and any(
                _assigns(s, name) or isinstance(s, ast.Continue | ast.Raise) for s in orelse
            )
    return False
