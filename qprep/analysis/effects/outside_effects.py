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

from qprep.analysis.effects import silent_calls
from qprep.analysis.effects.abstract_objects import Base, ClassObject, FunctionObject, Instance, Made, Named, Test
from qprep.analysis.effects.class_conditions import conditions, failing, may_bind
from qprep.analysis.effects.implicit_calls import is_property
from qprep.analysis.effects.lexical_scopes import BindingKind, assigned_value
from qprep.analysis.effects.stored_values import OF_CONTAINERS
from qprep.analysis.symbols.ast_utils import last_name
from qprep.analysis.values.abstract_values import ClassRef, External

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qprep.analysis.effects.abstract_objects import References
    from qprep.analysis.effects.lexical_scopes import LexicalScope
    from qprep.analysis.effects.points_to import PointsTo

TENSORS = frozenset(("parameters", "named_parameters", "buffers", "named_buffers"))
_CONTAINERS = ("builtins.", "collections.", "qprep.", "torch.nn.")
# Decorators that keep a function as it is, but for the mode in which torch runs it.
_KEEPS_FUNCTION = ("abc.", "builtins.", "contextlib.", "functools.wraps", "torch.", "typing.")
_PLAIN_BASES = frozenset(("abc.ABC", "builtins.object", "torch.nn.Module", "torch.nn.modules.module.Module",
                          "typing.Generic", "typing.Protocol"))  # fmt: skip
_ENTER = frozenset(("__enter__", "__exit__", "__aenter__", "__aexit__"))
_CONSTRUCTION = ("__init__", "__new__", "__post_init__")
_NOT_IMPLICIT = _ENTER | frozenset(
    ("__call__", "__class_getitem__", "__del__", "__init__", "__init_subclass__", "__new__", "__post_init__",
     "__set_name__", "__setattr__")
)  # fmt: skip

_COMPOUND = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.Match)
_DEFERRED = (ast.Lambda, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)

OutsideEffect = tuple[ast.AST, list[Test]]
"""The node of an effect, and conditions on the module that hold there in addition to those around its place."""


@dataclass(frozen=True, slots=True)
class VisitRound:
    """One run of code for a module.

    own     variables that hold the module, or what is made or read from it in this run
    made    those of them that hold what this run makes
    module  the variables that hold the module itself
    loop    the loop that runs the code; None for a function that is called for each module
    """

    scope: LexicalScope
    own: frozenset[str]
    module: frozenset[str]
    loop: ast.For | None = None
    made: frozenset[str] = frozenset()

    def widened(self, body: Iterable[ast.stmt], points_to: PointsTo) -> VisitRound:
        """The same, with the variables of a body that hold what belongs to the module, or is new."""
        own, made = set(self.own), set(self.made)
        assignments = [node for part in body for node in ast.walk(part) if isinstance(node, ast.Assign | ast.For)]
        for node in assignments:
            value = node.iter if isinstance(node, ast.For) else node.value
            targets = [node.target] if isinstance(node, ast.For) else node.targets
            bound = {name for target in targets for name in _bound(target)}
            is_made = _root_of(value) in made or _is_made(value, self.scope, points_to)
            if is_made or _root_of(value) in own:
                own |= bound
                made |= bound if is_made else set()
        return replace(self, own=frozenset(own), made=frozenset(made))


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

    def may_change(self, call: ast.Call, functions: References) -> bool:
        """True if what a call runs may change anything, though it is no function of the project."""
        if not functions:
            return True  # nothing is known of the function
        names = [each.base.name for each in functions if isinstance(each.base, Named)]
        return not all(silent_calls.is_silent(name, call) or silent_calls.changes_first(name) for name in names)

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
        elif isinstance(node, ast.Subscript) and self._makes_items(node, run):
            yield node, []
        yield from self._of_implicit_calls(node, run)
        for child in ast.iter_child_nodes(node):
            yield from self._of_expression(child, run)

    def _of_call(self, call: ast.Call, run: VisitRound) -> Iterator[OutsideEffect]:
        func, scope = call.func, run.scope
        callees = self._points_to.of(func, scope)
        if isinstance(func, ast.Attribute) and (root := _root_of(func)) in run.own:
            if root not in run.made:
                return  # the module's own method
            if not any(isinstance(each.base, FunctionObject) for each in callees):
                yield from ((call, []) for _ in range(silent_calls.draws(func.attr)))
                return
        if not callees and not (isinstance(func, ast.Attribute) and self._is_silent_method(func, scope, call)):
            yield call, []  # nothing is known of the function
        for reference in callees:
            yield from self._of_callee(call, reference.base, run)

    def _of_callee(self, call: ast.Call, callee: Base, run: VisitRound) -> Iterator[OutsideEffect]:
        match callee:
            case FunctionObject(scope=inner):
                if self._is_wrapped(inner):
                    yield call, []
                yield from self._of_followed(call, inner, run)
            case Instance(cls=cls):
                methods = [m for name in ("__call__", "forward") for m in self._points_to.method(cls, name)]
                yield from () if methods else ((call, []),)
                for inner in methods:
                    yield from self._of_followed(call, inner, run)
            case ClassObject(cls=ClassRef() as cls):
                yield from self._of_construction(call, cls, run)
            case ClassObject(cls=str() as name) | Named(name=name):
                yield from self._of_package(name, call, run)
            case Made(name=name) if silent_calls.is_silent(name, call):
                pass  # a layer without weights
            case _:
                if _root_of(call.func) not in run.own:
                    yield call, []

    def _of_construction(self, call: ast.Call, cls: ClassRef, run: VisitRound) -> Iterator[OutsideEffect]:
        """The effects of making an instance of a class of the project."""
        for name in _CONSTRUCTION:
            for inner in self._points_to.method(cls, name):
                yield from self._of_followed(call, inner, run, makes=True)
        for base in self._points_to.project.mro(cls):
            if isinstance(base, External) and base.name not in _PLAIN_BASES:
                yield from self._of_package(base.name, call, run)

    def _of_package(self, name: str, call: ast.Call, run: VisitRound) -> Iterator[OutsideEffect]:
        """The effects of a function or class of another package."""
        if silent_calls.changes_first(name):
            root = _root_of(call.args[0]) if call.args else None
            if root not in run.own or (root in run.made and silent_calls.draws(name)):
                yield call, []
        elif not self._is_silent(name, call, run):
            yield call, []
        if not silent_calls.may_call(name):
            return
        for value in (*call.args, *(keyword.value for keyword in call.keywords)):
            for reference in self._points_to.of(value, run.scope):
                if isinstance(reference.base, FunctionObject):
                    yield from ((call, []) for _ in self.of_function(reference.base.scope, frozenset()))
            if isinstance(value, ast.Attribute) and not self._is_silent_method(value, run.scope):
                yield from ((call, []) for _ in range(self._may_be_method(value, run.scope)))

    @staticmethod
    def _is_silent(name: str, call: ast.Call, run: VisitRound) -> bool:
        if not silent_calls.is_silent(name, call):
            return False
        is_of_numpy = name.startswith("numpy.")  # whose functions that return nothing change an argument
        return not (is_of_numpy and isinstance(run.scope.file.parents.get(call), ast.Expr))

    def _is_silent_method(self, method: ast.Attribute, scope: LexicalScope, call: ast.Call | None = None) -> bool:
        if silent_calls.is_silent_method(method.attr, call):
            return True
        return silent_calls.is_logging(method.attr) and self._origins(method.value, scope) == {"logging.getLogger"}

    def _may_be_method(self, value: ast.Attribute, scope: LexicalScope) -> bool:
        """True if an attribute that is given away may be a method of an object that it changes: `items.append`."""
        is_called = self._points_to.names.is_method(value.attr) or value.attr in OF_CONTAINERS
        return is_called and not self._points_to.of(value, scope)

    def _origins(self, node: ast.expr, scope: LexicalScope) -> set[str] | None:
        """The functions of packages whose results are all that a variable or attribute is given; None if others are."""
        values: list[tuple[ast.expr | None, LexicalScope]] = []
        match node:
            case ast.Name(id=name) if (home := scope.binder(name)) is not None:
                values = [
                    (b.value if b.kind is BindingKind.VALUE and isinstance(b.value, ast.expr) else None, home)
                    for b in home.bindings[name]
                ]
            case ast.Attribute(attr=name):
                stores = self._points_to.names.stores(self._points_to, name)
                values = [(assigned_value(store, where.file.parents), where) for store, where in stores]
            case ast.Call():
                values = [(node, scope)]
        found: set[str] = set()
        for value, where in values:
            bases = [each.base for each in self._points_to.of(value.func, where)] if isinstance(value, ast.Call) else []
            if not bases or not all(isinstance(base, Named) for base in bases):
                return None
            found |= {base.name for base in bases if isinstance(base, Named)}
        return found or None

    def _makes_items(self, node: ast.Subscript, run: VisitRound) -> bool:
        """True if reading an item may make it: of a `defaultdict`, or of a class with `__missing__`."""
        if not isinstance(node.ctx, ast.Load) or _root_of(node) in run.own:
            return False
        origins = self._origins(node.value, run.scope) or set()
        return "collections.defaultdict" in origins

    def _is_wrapped(self, function: LexicalScope) -> bool:
        """True if a decorator of another package may keep what a function is called with: `functools.lru_cache`."""
        for decorator in getattr(function.node, "decorator_list", ()):
            named = decorator.func if isinstance(decorator, ast.Call) else decorator
            for reference in self._points_to.of(named, function.parent or function):
                if isinstance(reference.base, Named) and not reference.base.name.startswith(_KEEPS_FUNCTION):
                    return True
        return False

    def _of_implicit_calls(self, node: ast.AST, run: VisitRound) -> Iterator[OutsideEffect]:
        """The effects of special methods, and of properties, of other objects of the project."""
        match node:
            case ast.Attribute(value=owner, attr=name, ctx=ast.Load()):
                names = {name, "__get__", "__getattr__", "__getattribute__"}
            case ast.Name() | ast.Subscript():
                owner, names = node, set()
            case _:
                return
        if _root_of(owner) in run.own:
            return
        parent = run.scope.file.parents.get(node)
        for reference in self._points_to.of(owner, run.scope):
            base = reference.base
            if not isinstance(base, Instance) or self._points_to.is_module(base.cls):
                continue
            if names:
                methods = [m for n in names for m in self._points_to.method(base.cls, n) if n != name or is_property(m)]
            elif isinstance(parent, ast.Attribute | ast.Call | ast.keyword | ast.Return | ast.Assign):
                continue  # nothing runs
            else:
                methods = self._special_methods(base.cls)
            for method in methods:
                yield from ((node, []) for _ in self.of_function(method, frozenset()))

    def _special_methods(self, cls: ClassRef) -> list[LexicalScope]:
        names = (name for name in self._points_to.project.method_names(cls) if name.startswith("__"))
        return [m for name in names if name not in _NOT_IMPLICIT for m in self._points_to.method(cls, name)]

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

    def _of_contexts(self, statement: ast.With | ast.AsyncWith, run: VisitRound) -> Iterator[OutsideEffect]:
        for item in statement.items:
            for reference in self._points_to.of(item.context_expr, run.scope):
                if isinstance(reference.base, Instance):
                    for name in sorted(_ENTER):
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
            return bool(bases) and all(
                isinstance(base, ClassObject) or (isinstance(base, Named) and base.name.startswith(_CONTAINERS))
                for base in bases
            )
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
