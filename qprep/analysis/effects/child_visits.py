"""Uses of child modules that depend on which there are: counting, indexing, collecting, running them."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from qprep.analysis.effects.abstract_objects import ClassObject, FunctionObject, Instance, References
from qprep.analysis.effects.applied_functions import bound_in_front, takes_keywords
from qprep.analysis.effects.child_listings import (
    ORIGINAL_LISTINGS,
    ChildListing,
    Shape,
    child_listings,
)
from qprep.analysis.effects.class_conditions import conditions, needed_behind
from qprep.analysis.effects.emptiness_tests import emptiness_tests
from qprep.analysis.effects.iterated_attributes import attribute_gone_through, taken_attribute
from qprep.analysis.effects.library_names import VIEWS
from qprep.analysis.effects.listed_children import (
    WRAPPERS,
    children_below,
)
from qprep.analysis.effects.listed_names import is_out_of_reach
from qprep.analysis.effects.method_calls import calls_of
from qprep.analysis.effects.object_tests import GivenName, Test
from qprep.analysis.effects.outliving_values import keeps_targets
from qprep.analysis.effects.outside_effects import OutsideEffects
from qprep.analysis.effects.variable_tests import failing, holding
from qprep.analysis.effects.visit_rounds import VisitRound, blocks, goes_through_tensors
from qprep.analysis.symbols.ast_utils import last_name
from qprep.analysis.values.abstract_values import ClassRef

if TYPE_CHECKING:
    from qprep.analysis.effects.lexical_scopes import FileScopes, LexicalScope
    from qprep.analysis.effects.points_to import PointsTo

_APPLY = frozenset(("apply",))
_LAZY_WRAPPERS = frozenset(("iter", "enumerate", "reversed"))
# Functions of Python whose result goes through what they are given later.
_LAZY = frozenset(f"builtins.{name}" for name in ("enumerate", "filter", "iter", "map", "reversed", "zip"))
_KEEPING = _LAZY | {"builtins.setattr"}
# Functions and classes that copy what they are given, or reduce it.
_COPYING = ("builtins.", "collections.Counter", "collections.OrderedDict", "collections.deque", "copy.", "torch.nn.")
# What uses a listing at once.
_GOES_THROUGH = (ast.Subscript, ast.Compare, ast.Starred, ast.UnaryOp, ast.BinOp, ast.FormattedValue,
                 ast.If, ast.While, ast.Assert)  # fmt: skip
_TESTS = frozenset(("any", "all", "sum"))
# Methods that find one child by its name, or ask if a given one is there.
_BY_NAME = frozenset(
    ("__contains__", "__delitem__", "__getitem__", "__setitem__", "get", "pop", "setdefault", "update")
)
_ASKING = frozenset(("__contains__",))

Parameter = tuple["LexicalScope", str]


@dataclass(frozen=True, slots=True)
class _Use:
    """A use of a listing that depends on which modules there are, for those that pass some tests."""

    node: ast.expr | ast.stmt
    tests: tuple[Test, ...] = ()
    is_lasting: bool = False


@dataclass(frozen=True, slots=True)
class Visit:
    """Modules whose presence makes a difference, where, and the expression that lists them.

    module        the object that has them
    of_originals  it passes over those that a rewrite added and marked
    is_lasting    the listing is kept, and shows children that are added later
    """

    find_modules: Callable[[], References]
    node: ast.expr | ast.stmt
    listing: ast.expr
    module: ast.expr
    of_originals: bool = False
    is_lasting: bool = False


def visits(file: FileScopes, outside: OutsideEffects) -> Iterator[Visit]:
    """The visits of child modules in a file that a further child would change."""
    finder = _Finder(file, outside)
    listings = list(child_listings(file, outside.points_to))
    tests = set(emptiness_tests(outside.points_to.project, file.index)) if listings else set()
    for listing in listings:
        if listing.node not in tests or listing.of_originals:
            yield from finder.uses(listing)
    for call in file.index.of(ast.Call):
        for made, func in calls_of(_APPLY, call, file, lambda node: outside.points_to.of(node, file.scope_of(node))):
            if len(made.args) == 1:
                yield from finder.applied(call, func.value, made.args[0])


def takers_of_originals(file: FileScopes, points_to: PointsTo) -> Iterator[References]:
    """The modules that code takes the original children of, whatever it does with them."""
    for call in file.index.of(ast.Call):
        if len(call.args) == 1 and last_name(call.func).endswith(ORIGINAL_LISTINGS):
            yield points_to.of(call.args[0], file.scope_of(call))


class _Finder:
    """Follows iterations over the children of a module."""

    def __init__(self, file: FileScopes, outside: OutsideEffects, followed: frozenset[Parameter] = frozenset()) -> None:
        """`followed`: the parameters on the way to this file."""
        self.file = file
        self.outside = outside
        self.points_to = outside.points_to
        self.followed = followed

    def applied(self, call: ast.Call, module: ast.expr, function: ast.expr) -> Iterator[Visit]:
        """`model.apply(function)`, where the function leaves something behind for each module."""
        scope = self.file.scope_of(call)
        found = partial(children_below, self.points_to, module, scope, [], False)
        functions = self.points_to.of(function, scope)
        if self.outside.may_change(call, functions):
            yield Visit(found, call, call, module)
        for inner, is_bound in self._applied_functions(functions, function, scope):
            names = [argument.arg for argument in inner.arguments.args] if inner.arguments is not None else []
            names = (names[1:] if is_bound else names)[bound_in_front(function, scope) :]
            if not takes_keywords(inner, function):
                continue
            for tests in self.outside.of_function(inner, frozenset(names[:1])):
                modules = partial(children_below, self.points_to, module, scope, list(tests), False)
                yield Visit(modules, call, call, module)

    def _applied_functions(
        self, functions: References, node: ast.expr, scope: LexicalScope
    ) -> Iterator[tuple[LexicalScope, bool]]:
        """The functions that an argument of `apply` may be, and whether their object comes first."""
        for reference in functions:
            match reference.base:
                case FunctionObject(scope=inner):
                    yield inner, inner.receiver is not None and self._is_bound(node, scope)
                case Instance(cls=cls):
                    yield from ((inner, True) for inner in self.points_to.method(cls, "__call__"))

    def _is_bound(self, function: ast.expr, scope: LexicalScope) -> bool:
        """True if a function is fetched from an instance, which then is its first argument."""
        if isinstance(function, ast.Call) and last_name(function.func) == "partial" and function.args:
            return self._is_bound(function.args[0], scope)
        owners = self.points_to.of(function.value, scope) if isinstance(function, ast.Attribute) else ()
        return any(isinstance(each.base, Instance) for each in owners)

    def uses(self, listing: ChildListing) -> Iterator[Visit]:
        """Visits that the uses of a listing make."""
        node, module = listing.node, listing.module
        scope = self.file.scope_of(node)
        uses = self._uses(node, scope, listing.shape) if listing.use is None else [_Use(listing.use)]
        for use in uses:
            modules = partial(children_below, self.points_to, module, scope, list(use.tests), listing.is_direct)
            yield Visit(modules, use.node, node, module, listing.of_originals, use.is_lasting)

    def _uses(self, node: ast.expr, scope: LexicalScope, shape: Shape) -> Iterator[_Use]:  # noqa: C901, PLR0912  (one case a node type)
        parent = self.file.parents.get(node)
        match parent:
            case ast.Call(func=ast.Name(id=name)) if name in WRAPPERS and parent.args[:1] == [node]:
                yield from self._keys(parent, scope)
                is_live = shape.is_live and name in _LAZY_WRAPPERS
                yield from self._uses(parent, scope, Shape(is_table=name == "dict", is_live=is_live))
            case ast.Attribute(attr=name) if name in VIEWS and shape.is_table:
                outer = self.file.parents.get(parent)
                is_called = isinstance(outer, ast.Call) and outer.func is parent
                view = Shape(is_live=shape.is_live)
                yield from (
                    self._uses(outer, scope, view) if isinstance(outer, ast.Call) and is_called else [_Use(parent)]
                )
            case ast.Attribute(attr=name) if name in (_BY_NAME if shape.is_table else _ASKING):
                outer = self.file.parents.get(parent)
                if not (isinstance(outer, ast.Call) and outer.func is parent and (outer.args or outer.keywords)):
                    yield _Use(parent)
            case ast.For() if parent.iter is node:
                names = frozenset(part.id for part in ast.walk(parent.target) if isinstance(part, ast.Name))
                if keeps_targets(self.points_to, VisitRound(scope, names, names, parent)):
                    yield _Use(parent, tuple(needed_behind(parent, names, self.file.parents)))
                yield from self._loop(parent, parent.body, scope)
            case ast.comprehension() if parent.iter is node:
                yield from self._comprehension(parent, scope)
            case ast.Assign(targets=[ast.Name(id=name)]):
                yield from self._variable(name, scope, parent, shape)
            case ast.Subscript(value=value, slice=index) if value is node:
                if not _is_name(index, shape):
                    yield _Use(parent)
            case ast.Compare(ops=[ast.In() | ast.NotIn()], comparators=[other]) if other is node:
                pass  # one given module or name among them
            case ast.Assign(targets=[ast.Tuple() | ast.List()], value=value) if value is node:
                yield _Use(parent)
            case ast.Assign(value=value) | ast.AnnAssign(value=value) if value is node:
                yield _Use(parent, is_lasting=shape.is_live)
            case ast.Assign() | ast.AugAssign() | ast.Delete():
                pass  # `self._modules = …` is an effect of its own
            case ast.Expr():
                pass
            case ast.Call() if parent.func is not node:
                yield from self._given(parent, node, scope, shape)
            case ast.expr() | ast.stmt():
                is_done = _goes_through(parent, node) or self._is_result_of_method(parent)
                yield _Use(parent, is_lasting=shape.is_live and not is_done)
            case ast.keyword():
                call = self.file.parents.get(parent)
                yield from self._given(call, node, scope, shape) if isinstance(call, ast.Call) else [_Use(node)]
            case _:
                yield _Use(node)

    def _keys(self, call: ast.Call, scope: LexicalScope) -> Iterator[_Use]:
        """The effects of a function by which modules are sorted: it runs for each."""
        for keyword in call.keywords:
            functions = self.points_to.of(keyword.value, scope)
            for inner, is_bound in self._applied_functions(functions, keyword.value, scope):
                for tests in self.outside.of_function(inner, frozenset(inner.positional[is_bound : is_bound + 1])):
                    yield _Use(call, tests)

    def _given(self, call: ast.Call, node: ast.expr, scope: LexicalScope, shape: Shape) -> Iterator[_Use]:
        """The listing is an argument: what counts is what the parameter is used for."""
        parameters = self._parameters(call, node, scope)
        if parameters is None:
            yield _Use(call, is_lasting=shape.is_live and not self._is_gone_through(call, scope))
            return
        for function, name in parameters - self.followed:
            inner = _Finder(function.file, self.outside, self.followed | parameters)
            for use in inner.of_parameter(function, name, call, shape):
                yield replace(use, node=call)

    def _is_gone_through(self, call: ast.Call, scope: LexicalScope) -> bool:
        """True if a call is known to go through what it is given, and to keep no view of it."""
        match call.func:
            case ast.Attribute(value=ast.Constant(), attr="join"):
                return True
        found = self.points_to.of(call.func, scope)
        names = [getattr(each.base, "name", None) or str(getattr(each.base, "cls", "")) for each in found]
        parent = self.file.parents.get(call)
        if names and all(name in _LAZY for name in names):
            if isinstance(parent, ast.Call) and parent.func is not call:
                return self._is_gone_through(parent, scope)
            return _goes_through(parent, call)
        are_methods = any(name.startswith("builtins.") and name.count(".") > 1 for name in names)  # `list.append`
        are_known = all(name.startswith(_COPYING) and name not in _KEEPING for name in names)
        return bool(names) and are_known and not are_methods

    def _is_result_of_method(self, method: ast.AST) -> bool:
        """True for a call of a method, whose result is no iterator."""
        call = self.file.parents.get(method)
        is_called = isinstance(method, ast.Attribute) and isinstance(call, ast.Call) and call.func is method
        return is_called and isinstance(method, ast.Attribute) and method.attr not in ("__iter__", "__reversed__")

    def _parameters(self, call: ast.Call, node: ast.expr, scope: LexicalScope) -> frozenset[Parameter] | None:
        """The parameters that an argument may be bound to; None where the call may run other code."""
        functions: list[LexicalScope] = []
        for reference in self.points_to.of(call.func, scope):
            match reference.base:
                case FunctionObject(scope=function):
                    functions.append(function)
                case ClassObject(cls=ClassRef() as cls):
                    functions += self.points_to.method(cls, "__init__")
                case _:
                    return None
        bound = [(f, name) for f in functions for name in self.points_to.calls.parameters_of(call, scope, f, node)]
        return frozenset(bound) if bound else None

    def of_parameter(self, function: LexicalScope, name: str, call: ast.expr, shape: Shape) -> Iterator[_Use]:
        """The uses of a parameter that holds child modules, or a listing of them."""
        if len(function.bindings.get(name, ())) != 1 or _is_packed(function, name):
            yield _Use(call)
            return
        for read in self.points_to.names.reads(self.file, name):
            if self.file.scope_of(read).binder(name) is function:
                yield from self._uses(read, self.file.scope_of(read), shape)

    def _variable(self, name: str, scope: LexicalScope, assignment: ast.stmt, shape: Shape) -> Iterator[_Use]:
        home = scope.binder(name)
        if home is None or len(home.bindings.get(name, ())) != 1:
            yield _Use(assignment, is_lasting=shape.is_live)
            return
        for node in self.file.index.of(ast.Name):
            is_read = node.id == name and isinstance(node.ctx, ast.Load)
            if is_read and self.file.scope_of(node).binder(name) is home:
                yield from self._uses(node, self.file.scope_of(node), shape)

    def _loop(self, loop: ast.For, body: list[ast.stmt], scope: LexicalScope) -> Iterator[_Use]:
        """The statements of a loop that leave something behind for a child, with the conditions on it."""
        names = [part.id for part in ast.walk(loop.target) if isinstance(part, ast.Name)]
        run = VisitRound(scope, frozenset(names), frozenset(names), loop).widened(loop.body, self.points_to)
        for statement in body:
            if isinstance(statement, ast.For) and goes_through_tensors(statement.iter, names):
                yield from self._loop(loop, statement.orelse, scope)  # runs for a module without tensors
                continue
            for node, more in self.outside.of_statement(statement, run):
                yield _Use(statement, (*more, *self._tests_in(loop, node, statement, names, scope)))
            if isinstance(statement, ast.If | ast.For | ast.While | ast.With | ast.Try | ast.Match):
                inner = [part for block in blocks(statement) for part in block]
                needed = attribute_gone_through(statement.iter, names, loop) if isinstance(statement, ast.For) else None
                more = [needed] if needed is not None else []
                yield from (replace(use, tests=(*use.tests, *more)) for use in self._loop(loop, inner, scope))

    def _tests_in(
        self, loop: ast.For, node: ast.AST, statement: ast.stmt, names: list[str], scope: LexicalScope
    ) -> Iterator[Test]:
        """Facts about the module of a loop that hold when code of a statement runs."""
        for name in names:
            yield from conditions(node, self.points_to.variable(name, scope), self.file.parents)
        if is_out_of_reach(statement, loop, self.points_to, scope):
            yield GivenName()
        if (needed := taken_attribute(statement, names, loop)) is not None:
            yield needed

    def _comprehension(self, generator: ast.comprehension, scope: LexicalScope) -> Iterator[_Use]:
        whole = self.file.parents.get(generator)
        if not isinstance(whole, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            return
        names = [part.id for part in ast.walk(generator.target) if isinstance(part, ast.Name)]
        later = whole.generators[whole.generators.index(generator) + 1 :]
        if any(goes_through_tensors(each.iter, names) for each in later):
            return
        element = whole.value if isinstance(whole, ast.DictComp) else whole.elt
        consumer = self.file.parents.get(whole)
        tests: list[Test] = []
        for name in names:
            variable = self.points_to.variable(name, scope)
            tests += list(conditions(element, variable, self.file.parents))
            if isinstance(consumer, ast.Call) and last_name(consumer.func) in _TESTS:
                tests += (failing if last_name(consumer.func) == "all" else holding)(element, variable)
        if isinstance(consumer, ast.Assign) and isinstance(consumer.targets[0], ast.Name):
            # A list of modules: what counts is what is done with it.
            shape = Shape(isinstance(whole, ast.DictComp), isinstance(whole, ast.GeneratorExp))
            for use in self._variable(consumer.targets[0].id, scope, consumer, shape):
                yield replace(use, tests=(*tests, *use.tests))
            return
        is_done = isinstance(consumer, ast.Call) and self._is_gone_through(consumer, scope)
        is_kept = isinstance(whole, ast.GeneratorExp) and not is_done
        yield _Use(whole, tuple(tests), is_lasting=is_kept)


def _goes_through(parent: ast.AST | None, node: ast.expr) -> bool:
    """True if an expression or statement uses a listing in it at once."""
    match parent:
        case ast.Dict(keys=keys, values=values):
            return any(key is None and value is node for key, value in zip(keys, values, strict=True))
        case ast.For(iter=iterated) | ast.comprehension(iter=iterated):
            return iterated is node
        case ast.Assign(targets=[ast.Tuple() | ast.List()], value=value):
            return value is node
    return isinstance(parent, _GOES_THROUGH)


def _is_name(index: ast.expr, shape: Shape) -> bool:
    """True if a child is fetched by its name: from `_modules`, or from a dict of them."""
    if isinstance(index, ast.Slice) or (isinstance(index, ast.Constant) and not isinstance(index.value, str)):
        return False
    return shape.is_table or isinstance(index, ast.Constant)


def _is_packed(function: LexicalScope, name: str) -> bool:
    """True if a parameter is `*args` or `**kwargs`."""
    arguments = function.arguments
    packed = (arguments.vararg, arguments.kwarg) if arguments is not None else ()
    return any(each is not None and each.arg == name for each in packed)
