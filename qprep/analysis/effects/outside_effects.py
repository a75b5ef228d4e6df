"""Effects of code that runs for each of several modules, beyond these modules: counters, collections, draws.

A further module makes such code run once more, which changes what the rest of the program sees. Code that reads and
changes the module alone does not. Everything counts that is not known to stay within the module: assignments to
variables that outlive the round, stores in other objects, calls that change them. Functions of the project are
followed; those of other packages change their arguments only, and may draw random numbers.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from qprep.analysis.effects.abstract_objects import ClassObject, FunctionObject, Instance, Named, Test
from qprep.analysis.effects.class_conditions import conditions, failing, may_bind
from qprep.analysis.effects.stored_values import KEEPERS
from qprep.analysis.symbols.ast_utils import last_name
from qprep.analysis.values.abstract_values import ClassRef

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qprep.analysis.effects.lexical_scopes import LexicalScope
    from qprep.analysis.effects.points_to import PointsTo

CHANGING = KEEPERS | frozenset(
    ["__delitem__", "__next__", "__setitem__", "clear", "discard", "get_nowait", "pop", "popitem", "popleft",
     "put_nowait", "remove", "reverse", "send", "sort", "write"]
)  # fmt: skip
"""Methods of containers, generators and files that change them."""

TENSORS = frozenset(("parameters", "named_parameters", "buffers", "named_buffers"))
_CHANGING_BUILTINS = frozenset(("next", "setattr", "delattr", "exec", "eval", "input"))
_DRAWS = ("random.", "numpy.random.", "secrets.", "torch.rand", "torch.normal", "torch.bernoulli", "torch.multinomial",
          "torch.manual_seed")  # fmt: skip
_STAY_INSIDE = ("builtins.", "collections.", "copy.", "inspect.", "json.", "logging.", "math.", "numpy.", "os.path.",
                "qprep.", "re.", "torch.", "typing.", "warnings.")  # fmt: skip

_COMPOUND = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.Match)
_DEFERRED = (ast.Lambda, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)

OutsideEffect = tuple[ast.AST, list[Test]]
"""The node of an effect, and conditions on the module that hold there in addition to those around its place."""


@dataclass(frozen=True, slots=True)
class VisitRound:
    """One run of code for a module.

    own     variables that hold the module, or what is made or read from it in this run
    module  the variables that hold the module itself
    loop    the loop that runs the code; None for a function that is called for each module
    """

    scope: LexicalScope
    own: frozenset[str]
    module: frozenset[str]
    loop: ast.For | None = None

    def widened(self, body: Iterable[ast.stmt], points_to: PointsTo) -> VisitRound:
        """The same, with the variables of a body that hold what belongs to the module, or is new."""
        own = set(self.own)
        assignments = [node for part in body for node in ast.walk(part) if isinstance(node, ast.Assign | ast.For)]
        for node in assignments:
            value = node.iter if isinstance(node, ast.For) else node.value
            targets = [node.target] if isinstance(node, ast.For) else node.targets
            if _root_of(value) in own or _is_made(value, self.scope, points_to):
                own |= {name for target in targets for name in _bound(target)}
        return replace(self, own=frozenset(own))


class OutsideEffects:
    """Finds the effects of code beyond the module that it runs for."""

    def __init__(self, points_to: PointsTo) -> None:
        self._points_to = points_to
        self._open: set[tuple[LexicalScope, frozenset[str]]] = set()

    def of_statement(self, statement: ast.stmt, run: VisitRound) -> Iterator[OutsideEffect]:
        """The effects of a simple statement, or of the head of a compound one."""
        if self._leaves(statement, run):
            yield statement, []
        elif isinstance(statement, ast.Assert):
            yield from (
                (statement, failing(statement.test, self._points_to.variable(n, run.scope))) for n in run.module
            )
        if isinstance(statement, ast.With | ast.AsyncWith):
            yield from self._of_contexts(statement, run)
        for part in _executed(statement):
            yield from self._of_expression(part, run)

    def keeps_targets(self, run: VisitRound) -> bool:
        """True if variables of the loop itself are read after it, or count its rounds."""
        loop = run.loop
        if loop is None:
            return False
        counter = run.scope.file.counter_of(loop.target, loop.iter)
        counted = [n for part in loop.body for n in ast.walk(part) if isinstance(n, ast.Name) and n.id == counter]
        return bool(counted) or self._is_kept(loop.target, loop, run)

    def of_function(self, function: LexicalScope, names: frozenset[str]) -> Iterator[OutsideEffect]:
        """The effects of a function whose parameters of these names are given the module."""
        key = (function, names)
        if key in self._open:
            return
        self._open.add(key)
        try:
            body = function.node.body
            parts = body if isinstance(body, list) else [ast.Expr(body)]
            run = VisitRound(function, names, names).widened(parts, self._points_to)
            for effect in self._of_body(parts, run):
                node = effect[0]
                tests = [
                    t
                    for n in names
                    for t in conditions(node, self._points_to.variable(n, function), function.file.parents)
                ]
                yield node, [*tests, *effect[1]]
        finally:
            self._open.discard(key)

    def _of_body(self, body: Iterable[ast.stmt], run: VisitRound) -> Iterator[OutsideEffect]:
        for statement in body:
            if isinstance(statement, _DEFERRED):
                continue
            if isinstance(statement, ast.For) and goes_through_tensors(statement.iter, run.own):
                continue
            yield from self.of_statement(statement, run)
            if isinstance(statement, _COMPOUND):
                for block in blocks(statement):
                    yield from self._of_body(block, run)

    def _leaves(self, statement: ast.stmt, run: VisitRound) -> bool:
        match statement:
            case ast.Raise():
                return True
            case ast.Return() | ast.Break():
                return run.loop is not None
            case ast.Expr(value=ast.Yield() | ast.YieldFrom()):
                return run.loop is not None
            case ast.Assign(targets=targets):
                return any(self._is_kept(target, statement, run) for target in targets) or self._runs(
                    statement.value, run
                )
            case ast.AnnAssign(target=target, value=value):
                return value is not None and self._is_kept(target, statement, run)
            case ast.AugAssign(target=target):
                return self._is_kept(target, statement, run)
            case ast.For(target=target):
                return self._is_kept(target, statement, run)
            case ast.Delete(targets=targets):
                return any(not isinstance(t, ast.Name) and _root_of(t) not in run.own for t in targets)
        return False

    def _is_kept(self, target: ast.expr, statement: ast.stmt, run: VisitRound) -> bool:
        """True if what an assignment gives a target may be seen after the round."""
        match target:
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                return any(self._is_kept(part, statement, run) for part in parts)
            case ast.Starred(value=value):
                return self._is_kept(value, statement, run)
            case ast.Name(id=name):
                return self._outlives(name, statement, run)
        return _root_of(target) not in run.own

    def _outlives(self, name: str, statement: ast.AST, run: VisitRound) -> bool:
        """True if a variable is read after the round that gives it a value, or by the next one."""
        if name in run.scope.outer_names:
            return True
        if run.loop is None:
            return False
        parents = run.scope.file.parents
        reads: list[ast.AST] = list(self._points_to.calls.reads(run.scope.binder(name) or run.scope, name))
        if isinstance(statement, ast.AugAssign):
            reads.append(statement)
        return any(not _is_fresh(read, name, run.loop, parents) for read in reads)

    @staticmethod
    def _runs(value: ast.expr, run: VisitRound) -> bool:
        """True if an expression calls the module."""
        calls = (part for part in ast.walk(value) if isinstance(part, ast.Call))
        return any(isinstance(call.func, ast.Name) and call.func.id in run.module for call in calls)

    def _of_expression(self, node: ast.AST, run: VisitRound) -> Iterator[OutsideEffect]:
        """The effects of calls, and of assignments in expressions, that run with an expression."""
        if isinstance(node, _DEFERRED):
            return
        if isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
            bound = {n.id for g in node.generators for n in ast.walk(g.target) if isinstance(n, ast.Name)}
            run = replace(run, own=run.own | bound)
        if isinstance(node, ast.NamedExpr) and self._outlives(node.target.id, node, run):
            yield node, []
        if isinstance(node, ast.Call):
            yield from self._of_call(node, run)
        for child in ast.iter_child_nodes(node):
            yield from self._of_expression(child, run)

    def _of_call(self, call: ast.Call, run: VisitRound) -> Iterator[OutsideEffect]:
        func, scope = call.func, run.scope
        if isinstance(func, ast.Attribute) and _root_of(func) in run.own:
            return  # the module's own method
        if isinstance(func, ast.Attribute) and func.attr in CHANGING and not self._is_value_of_package(func, scope):
            yield call, []
            return
        callees = self._points_to.of(func, scope)
        if not callees and not isinstance(func, ast.Attribute):
            yield call, []  # nothing is known of the function
        for reference in callees:
            match reference.base:
                case FunctionObject(scope=inner):
                    yield from self._of_followed(call, inner, run)
                case Instance(cls=cls):
                    for inner in self._points_to.method(cls, "__call__"):
                        yield from self._of_followed(call, inner, run)
                case ClassObject(cls=ClassRef() as cls):
                    for inner in self._points_to.method(cls, "__init__"):
                        yield from self._of_followed(call, inner, run, makes=True)
                case Named(name=name) if self._has_effect(name, call, run):
                    yield call, []

    def _of_followed(
        self, call: ast.Call, function: LexicalScope, run: VisitRound, *, makes: bool = False
    ) -> Iterator[OutsideEffect]:
        """The effects of a function of the project; a constructor may change its own object."""
        calls = self._points_to.calls
        given = [value for value in (*call.args, *(k.value for k in call.keywords)) if _root_of(value) in run.own]
        own = {name for value in given for name in calls.parameters_of(call, run.scope, function, value)}
        if makes and function.receiver is not None:
            own.add(function.receiver)
        whole = {
            name
            for value in given
            if isinstance(value, ast.Name) and value.id in run.module
            for name in calls.parameters_of(call, run.scope, function, value)
        }
        for node, tests in self.of_function(function, frozenset(own)):
            del node
            yield call, tests if whole == own else []

    @staticmethod
    def _has_effect(name: str, call: ast.Call, run: VisitRound) -> bool:
        """True if a function of another package may change anything but what belongs to the module."""
        if name.startswith(_DRAWS):
            return True
        values = [*call.args, *(keyword.value for keyword in call.keywords)]
        others = [v for v in values if not isinstance(v, ast.Constant | ast.JoinedStr) and _root_of(v) not in run.own]
        if name.startswith("builtins."):
            return name.rpartition(".")[2] in _CHANGING_BUILTINS and (not values or values[0] in others)
        return not name.startswith(_STAY_INSIDE) and bool(others)

    def _is_value_of_package(self, func: ast.Attribute, scope: LexicalScope) -> bool:
        """True for `operator.add`: a function of a package with the name of a method that changes its object."""
        return any(isinstance(each.base, Named) for each in self._points_to.of(func.value, scope))

    def _of_contexts(self, statement: ast.With | ast.AsyncWith, run: VisitRound) -> Iterator[OutsideEffect]:
        for item in statement.items:
            for reference in self._points_to.of(item.context_expr, run.scope):
                if isinstance(reference.base, Instance):
                    for name in ("__enter__", "__exit__", "__aenter__", "__aexit__"):
                        for method in self._points_to.method(reference.base.cls, name):
                            yield from ((statement, []) for _ in self.of_function(method, frozenset()))


def _executed(statement: ast.stmt) -> Iterator[ast.AST]:
    """The expressions of a statement, without the statements inside it."""
    for child in ast.iter_child_nodes(statement):
        match child:
            case ast.expr():
                yield child
            case ast.withitem(context_expr=value):
                yield value
            case ast.match_case(guard=ast.expr() as guard):
                yield guard


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


def _root_of(node: ast.expr) -> str | None:
    """The variable that an expression reads attributes and items of, and calls methods of."""
    while True:
        match node:
            case ast.Attribute(value=value) | ast.Subscript(value=value) | ast.Starred(value=value):
                node = value
            case ast.Call(func=ast.Attribute(value=value)):
                node = value
            case ast.Call(func=ast.Name(id="getattr" | "list" | "tuple" | "reversed" | "iter"), args=[value, *_]):
                node = value
            case ast.Name(id=name):
                return name
            case _:
                return None


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


def _is_made(value: ast.expr, scope: LexicalScope, points_to: PointsTo) -> bool:
    """True if an expression makes a new object: a call of a class, a container."""
    match value:
        case ast.List() | ast.Dict() | ast.Set() | ast.ListComp() | ast.DictComp() | ast.SetComp():
            return True
        case ast.Call(func=ast.Name() | ast.Attribute() as func) if last_name(func)[:1].isupper():
            bases = [each.base for each in points_to.of(func, scope)]
            return bool(bases) and all(isinstance(base, ClassObject | Named) for base in bases)
    return False


def _is_fresh(read: ast.AST, name: str, loop: ast.For, parents: dict[ast.AST, ast.AST]) -> bool:
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
        if parent is loop or isinstance(parent, _DEFERRED):
            return False
        current = parent
    return False


def _ancestors(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> Iterator[ast.AST]:
    while (parent := parents.get(node)) is not None and not isinstance(parent, _DEFERRED):
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
