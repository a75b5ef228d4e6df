"""Effects of code that runs for each of several modules, beyond these modules: counters, collections, draws.

A further module makes such code run once more, which changes what the rest of the program sees. Code that reads and
changes the module alone does not. Everything counts that is not known to stay within the module: assignments to
variables that outlive the round, stores in other objects, calls that change them. Functions of the project are
followed; `silent_calls.py` knows those of other packages without effects.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from qprep.analysis.effects import silent_calls
from qprep.analysis.effects.abstract_objects import (
    Base,
    ClassObject,
    FunctionObject,
    Held,
    Instance,
    Made,
    Named,
    Reference,
)
from qprep.analysis.effects.class_conditions import conditions
from qprep.analysis.effects.implicit_methods import (
    CONSTRUCTION,
    ENTER,
    is_followed,
    methods_of_attribute,
    special_methods,
)
from qprep.analysis.effects.lexical_scopes import is_super
from qprep.analysis.effects.object_tests import Test
from qprep.analysis.effects.outliving_values import leaves, outlives
from qprep.analysis.effects.python_classes import OF_CONTAINERS
from qprep.analysis.effects.recursive_results import RecursiveResults
from qprep.analysis.effects.silent_code import (
    is_by_module,
    is_silent,
    is_silent_method,
    is_wrapped,
    makes_items,
    may_be_method,
)
from qprep.analysis.effects.variable_tests import failing
from qprep.analysis.effects.visit_rounds import DEFERRED, VisitRound, blocks, goes_through_tensors
from qprep.analysis.symbols.ast_utils import argument_values
from qprep.analysis.values.abstract_values import ClassRef, External

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qprep.analysis.effects.abstract_objects import References
    from qprep.analysis.effects.lexical_scopes import LexicalScope
    from qprep.analysis.effects.points_to import PointsTo

_PLAIN_BASES = frozenset(("abc.ABC", "builtins.object", "torch.nn.Module", "torch.nn.modules.module.Module",
                          "typing.Generic", "typing.Protocol"))  # fmt: skip

_RAISING = frozenset(("index",))  # methods that read, and raise an error for what is not there
_COMPOUND = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.Match)

Conditions = tuple[Test, ...]
"""Conditions on the module, all of which hold where an effect happens."""

OutsideEffect = tuple[ast.AST, list[Test]]
"""The node of an effect, and conditions on the module that hold there in addition to those around its place."""


@dataclass(frozen=True, slots=True)
class _Run:
    """A function whose parameters `names` are given the module, and `made` new objects."""

    function: LexicalScope
    names: frozenset[str]
    made: frozenset[str]

    def round(self) -> VisitRound:
        return VisitRound(self.function, self.names | self.made, self.names, made=self.made)


class OutsideEffects:
    """Finds the effects of code beyond the module that it runs for."""

    def __init__(self, points_to: PointsTo) -> None:
        self.points_to = points_to
        self._summaries: RecursiveResults[_Run, tuple[Conditions, ...]] = RecursiveResults(self._summary, ())

    def of_statement(self, statement: ast.stmt, run: VisitRound) -> Iterator[OutsideEffect]:
        """The effects of a simple statement, or of the head of a compound one."""
        if leaves(self.points_to, statement, run):
            yield statement, []
        elif isinstance(statement, ast.Assert):
            yield from ((statement, failing(statement.test, self.points_to.variable(n, run.scope))) for n in run.module)
        if isinstance(statement, ast.With | ast.AsyncWith):
            yield from self._of_contexts(statement, run)
        for part in _executed(statement):
            yield from self._of_expression(part, run)

    def of_function(
        self, function: LexicalScope, names: frozenset[str], made: frozenset[str] = frozenset()
    ) -> tuple[Conditions, ...]:
        """The conditions for each effect of a function; none of them is empty, or it is the only one.

        The parameters `names` are given the module, `made` new objects.
        """
        return self._summaries[_Run(function, names, made)]

    def _summary(self, run: _Run) -> tuple[Conditions, ...]:
        body = run.function.node.body
        parts = body if isinstance(body, list) else [ast.Expr(body)]
        found: dict[Conditions, None] = {}
        for node, more in self._of_body(parts, run.round().widened(parts, self.points_to)):
            tests = (*self._conditions(node, run), *more)
            if not tests:
                return ((),)  # it happens for every module
            found[tests] = None
        return tuple(found)

    def _conditions(self, node: ast.AST, run: _Run) -> Iterator[Test]:
        for name in sorted(run.names):
            variable = self.points_to.variable(name, run.function)
            yield from conditions(node, variable, run.function.file.parents)

    def may_change(self, call: ast.Call, functions: References) -> bool:
        """True if what a call runs may change anything, though it is no function of the project."""
        if not functions or not all(_is_followed(each.base) for each in functions):
            return True  # nothing is known of the function, or it is a method of an object that is not followed
        names = [each.base.name for each in functions if isinstance(each.base, Named)]
        return not all(silent_calls.is_silent(name, call) or silent_calls.changes_first(name) for name in names)

    def _of_body(self, body: Iterable[ast.stmt], run: VisitRound) -> Iterator[OutsideEffect]:
        for statement in body:
            if isinstance(statement, DEFERRED):
                continue
            if isinstance(statement, ast.For) and goes_through_tensors(statement.iter, run.own):
                yield from self._of_body(statement.orelse, run)  # runs for a module without tensors
                continue
            yield from self.of_statement(statement, run)
            if isinstance(statement, _COMPOUND):
                for block in blocks(statement):
                    yield from self._of_body(block, run)

    def _of_expression(self, node: ast.AST, run: VisitRound) -> Iterator[OutsideEffect]:
        """The effects of calls, and of assignments in expressions, that run with an expression."""
        if isinstance(node, DEFERRED):
            return
        if isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
            run = self._in_comprehension(node.generators, run)
        if isinstance(node, ast.NamedExpr) and outlives(self.points_to, node.target.id, node, run):
            yield node, []
        if isinstance(node, ast.Call):
            yield from self._of_call(node, run)
        elif isinstance(node, ast.Subscript) and makes_items(self.points_to, node, run):
            yield node, []
        yield from self._of_implicit_calls(node, run)
        for child in ast.iter_child_nodes(node):
            yield from self._of_expression(child, run)

    @staticmethod
    def _in_comprehension(generators: list[ast.comprehension], run: VisitRound) -> VisitRound:
        """The run inside a comprehension, whose variables hide others of their names."""
        for each in generators:
            bound = frozenset(n.id for n in ast.walk(each.target) if isinstance(n, ast.Name))
            own = run.own | bound if run.is_of_module(each.iter) else run.own - bound
            run = replace(run, own=own, module=run.module - bound, made=run.made - bound)
        return run

    def _of_call(self, call: ast.Call, run: VisitRound) -> Iterator[OutsideEffect]:
        func, scope = call.func, run.scope
        if isinstance(func, ast.Attribute) and run.is_of_module(func.value):
            return  # the module's own method
        callees = self.points_to.of(func, scope)
        is_of_super = isinstance(func, ast.Attribute) and is_super(func.value, scope) and scope.receiver in run.module
        if is_of_super and not any(map(_is_function, callees)):
            return  # torch's method of the module itself
        if isinstance(func, ast.Attribute) and run.owns(func.value) and not any(map(_is_function, callees)):
            yield from ((call, []) for _ in range(silent_calls.draws(func.attr)))
            return
        if isinstance(func, ast.Attribute) and func.attr in _RAISING and is_by_module(call.args, run):
            yield call, []
        # An object counts as what it may hold: so its own method is a callee as if it were the object itself.
        owners = self.points_to.of(func.value, scope) if isinstance(func, ast.Attribute) else frozenset()
        known = frozenset(each for each in callees if not (isinstance(each.base, Made) and each in owners))
        is_unknown = not callees or known != callees
        if is_unknown and not (isinstance(func, ast.Attribute) and is_silent_method(self.points_to, func, scope, call)):
            yield call, []  # nothing is known of the function
        for reference in known:
            yield from self._of_callee(call, reference.base, run)

    def _of_callee(self, call: ast.Call, callee: Base, run: VisitRound) -> Iterator[OutsideEffect]:
        match callee:
            case FunctionObject(scope=inner):
                yield from ((call, []) for _ in range(is_wrapped(self.points_to, inner)))
                yield from self._of_followed(call, inner, run)
            case Instance(cls=cls):
                methods = [m for name in ("__call__", "forward") for m in self.points_to.method(cls, name)]
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
                if not run.is_of_module(call.func):
                    yield call, []

    def _of_construction(self, call: ast.Call, cls: ClassRef, run: VisitRound) -> Iterator[OutsideEffect]:
        """The effects of making an instance of a class of the project."""
        for kind in self.points_to.metaclasses(cls):
            methods = self.points_to.method(kind, "__call__") if isinstance(kind, ClassRef) else []
            for inner in methods:
                yield from self._of_followed(call, inner, run)
        for name in CONSTRUCTION:
            for inner in self.points_to.method(cls, name):
                yield from self._of_followed(call, inner, run, makes=True)
        for base in self.points_to.project.mro(cls):
            if isinstance(base, External) and base.name not in _PLAIN_BASES:
                yield from self._of_package(base.name, call, run)
        for value, where in self._values_in_body(cls):
            if isinstance(value, ast.Call):  # `field(default_factory=…)` of a dataclass
                yield from (
                    (call, [])
                    for _ in self._of_given(
                        value, [k.value for k in value.keywords], VisitRound(where, frozenset(), frozenset())
                    )
                )

    def _values_in_body(self, cls: ClassRef) -> Iterator[tuple[ast.expr, LexicalScope]]:
        file, entry = self.points_to.file(cls.module), self.points_to.project.class_node(cls)
        scope = file.defined(entry.node) if file is not None and entry is not None else None
        if scope is not None and entry is not None:
            yield from ((value, scope) for value in entry.values.values() if value is not None)

    def _of_package(self, name: str, call: ast.Call, run: VisitRound) -> Iterator[OutsideEffect]:
        """The effects of a function or class of another package."""
        if silent_calls.changes_first(name):
            first = call.args[0] if call.args else None
            if first is None or not run.owns(first) or (silent_calls.draws(name) and not run.is_of_module(first)):
                yield call, []
        elif not is_silent(name, call, run):
            yield call, []
        values = argument_values(call)
        yield from self._of_given(call, [v for v in values if silent_calls.may_call(name, call, v)], run)

    def _of_given(self, call: ast.Call, values: Iterable[ast.expr], run: VisitRound) -> Iterator[OutsideEffect]:
        """The effects of the functions that are given to another one, which may call them."""
        for value in values:
            for reference in self.points_to.of(value, run.scope):
                if isinstance(reference.base, FunctionObject):
                    yield from ((call, []) for _ in self.of_function(reference.base.scope, frozenset()))
            if isinstance(value, ast.Attribute) and not is_silent_method(self.points_to, value, run.scope):
                yield from ((call, []) for _ in range(may_be_method(self.points_to, value, run.scope)))

    def _of_implicit_calls(self, node: ast.AST, run: VisitRound) -> Iterator[OutsideEffect]:
        """The effects of special methods, and of properties, of other objects of the project."""
        methods: Iterable[LexicalScope] = ()
        match node:
            case ast.Attribute(value=owner) if not run.is_of_module(owner):
                methods = methods_of_attribute(self.points_to, node, run.scope)
            case ast.Name() | ast.Subscript() if not run.is_of_module(node):
                parent = run.scope.file.parents.get(node)
                if not isinstance(parent, ast.Attribute | ast.Return | ast.Assign) and not is_followed(
                    self.points_to, node, parent, run.scope
                ):
                    methods = special_methods(self.points_to, self.points_to.of(node, run.scope))
        for method in methods:
            yield from ((node, []) for _ in self.of_function(method, frozenset()))

    def _of_followed(
        self, call: ast.Call, function: LexicalScope, run: VisitRound, *, makes: bool = False
    ) -> Iterator[OutsideEffect]:
        """The effects of a function of the project; a constructor may change its own object."""
        calls = self.points_to.calls
        values = argument_values(call)
        names = {value: calls.parameters_of(call, run.scope, function, value) for value in values if run.owns(value)}
        made = {name for value in names if not run.is_of_module(value) for name in names[value]}
        if function.receiver is not None and (makes or _is_of_own_object(call.func, run)):
            made.add(function.receiver)
        own = {name for value in names if run.is_of_module(value) for name in names[value]}
        whole = {name for v in names if isinstance(v, ast.Name) and v.id in run.module for name in names[v]}
        for tests in self.of_function(function, frozenset(own), frozenset(made)):
            yield call, list(tests) if whole == own and not made else []

    def _of_contexts(self, statement: ast.With | ast.AsyncWith, run: VisitRound) -> Iterator[OutsideEffect]:
        for item in statement.items:
            for reference in self.points_to.of(item.context_expr, run.scope):
                if isinstance(reference.base, Instance):
                    for name in sorted(ENTER):
                        for method in self.points_to.method(reference.base.cls, name):
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


def _is_followed(function: Base) -> bool:
    """False for an attribute with the name of a method of containers: `seen.append` is one of what `seen` holds."""
    return not (isinstance(function, Held) and function.attribute in OF_CONTAINERS)


def _is_function(reference: Reference) -> bool:
    return isinstance(reference.base, FunctionObject)


def _is_of_own_object(func: ast.expr, run: VisitRound) -> bool:
    """True for a method of an object that the run makes, also by `super()` in its own methods."""
    match func:
        case ast.Attribute(value=ast.Call(func=ast.Name(id="super"))):
            return run.scope.receiver in run.made
        case ast.Attribute(value=ast.Name(id=name)):
            return name in run.made
    return False
