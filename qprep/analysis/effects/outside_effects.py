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
    Instance,
    Made,
    Named,
    Reference,
    Test,
)
from qprep.analysis.effects.class_conditions import conditions, failing
from qprep.analysis.effects.implicit_calls import is_property
from qprep.analysis.effects.lexical_scopes import BindingKind, assigned_value
from qprep.analysis.effects.python_classes import OF_CONTAINERS
from qprep.analysis.effects.recursive_results import RecursiveResults
from qprep.analysis.effects.visit_rounds import DEFERRED, VisitRound, blocks, goes_through_tensors, is_fresh
from qprep.analysis.values.abstract_values import ClassRef, External

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qprep.analysis.effects.abstract_objects import References
    from qprep.analysis.effects.lexical_scopes import LexicalScope
    from qprep.analysis.effects.points_to import PointsTo

# Decorators that keep a function as it is, but for the mode in which torch runs it.
_KEEPS_FUNCTION = ("abc.", "builtins.", "contextlib.", "functools.wraps", "torch.", "typing.")
_PLAIN_BASES = frozenset(("abc.ABC", "builtins.object", "torch.nn.Module", "torch.nn.modules.module.Module",
                          "typing.Generic", "typing.Protocol"))  # fmt: skip
_ENTER = frozenset(("__enter__", "__exit__", "__aenter__", "__aexit__"))
_CONSTRUCTION = ("__del__", "__init__", "__new__", "__post_init__")
_NOT_IMPLICIT = _ENTER | frozenset(
    (*_CONSTRUCTION, "__call__", "__class_getitem__", "__init_subclass__", "__set_name__", "__setattr__")
)

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
        if self._leaves(statement, run):
            yield statement, []
        elif isinstance(statement, ast.Assert):
            yield from ((statement, failing(statement.test, self.points_to.variable(n, run.scope))) for n in run.module)
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
        if not functions:
            return True  # nothing is known of the function
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
                return any(self._is_in_other(t, run) for t in targets)
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
            case ast.Subscript(value=ast.Name(id=table)) if self._is_for_replacement(table, run):
                return False
        return self._is_in_other(target, run)

    def _is_for_replacement(self, table: str, run: VisitRound) -> bool:
        """True if a variable collects values by name, and all else that is done with it is to replace these children.

        `table[name] = new` in a loop, then `for name, new in table.items(): m._modules[name] = new`: the replacement is
        an effect of its own.
        """
        home = run.scope.binder(table)
        if home is not run.scope or not home.is_function or len(home.bindings[table]) != 1:
            return False
        value, parents = home.bindings[table][0].value, run.scope.file.parents
        if not isinstance(value, ast.Dict) or value.keys:
            return False
        return all(_is_store_or_replacement(read, parents) for read in self.points_to.calls.reads(home, table))

    @staticmethod
    def _is_in_other(target: ast.expr, run: VisitRound) -> bool:
        """True for an attribute or item of an object that does not belong to the run."""
        return isinstance(target, ast.Attribute | ast.Subscript) and not run.owns(target.value)

    def _outlives(self, name: str, statement: ast.AST, run: VisitRound) -> bool:
        """True if a variable is read after the round that gives it a value, or by the next one."""
        if name in run.scope.outer_names:
            return True
        if run.loop is None:
            return False
        parents = run.scope.file.parents
        reads: list[ast.AST] = list(self.points_to.calls.reads(run.scope.binder(name) or run.scope, name))
        if isinstance(statement, ast.AugAssign):
            reads.append(statement)
        return any(not is_fresh(read, name, run.loop, parents) for read in reads)

    @staticmethod
    def _runs(value: ast.expr, run: VisitRound) -> bool:
        """True if an expression calls the module."""
        calls = (part for part in ast.walk(value) if isinstance(part, ast.Call))
        return any(isinstance(call.func, ast.Name) and call.func.id in run.module for call in calls)

    def _of_expression(self, node: ast.AST, run: VisitRound) -> Iterator[OutsideEffect]:
        """The effects of calls, and of assignments in expressions, that run with an expression."""
        if isinstance(node, DEFERRED):
            return
        if isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
            run = self._in_comprehension(node.generators, run)
        if isinstance(node, ast.NamedExpr) and self._outlives(node.target.id, node, run):
            yield node, []
        if isinstance(node, ast.Call):
            yield from self._of_call(node, run)
        elif isinstance(node, ast.Subscript) and self._makes_items(node, run):
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
        if isinstance(func, ast.Attribute) and run.owns(func.value) and not any(map(_is_function, callees)):
            yield from ((call, []) for _ in range(silent_calls.draws(func.attr)))
            return
        if isinstance(func, ast.Attribute) and func.attr in _RAISING and self._is_by_module(call.args, run):
            yield call, []
        # An object counts as what it may hold: so its own method is a callee as if it were the object itself.
        owners = self.points_to.of(func.value, scope) if isinstance(func, ast.Attribute) else frozenset()
        known = frozenset(each for each in callees if not (isinstance(each.base, Made) and each in owners))
        is_unknown = not callees or known != callees
        if is_unknown and not (isinstance(func, ast.Attribute) and self._is_silent_method(func, scope, call)):
            yield call, []  # nothing is known of the function
        for reference in known:
            yield from self._of_callee(call, reference.base, run)

    def _of_callee(self, call: ast.Call, callee: Base, run: VisitRound) -> Iterator[OutsideEffect]:
        match callee:
            case FunctionObject(scope=inner):
                yield from ((call, []) for _ in range(self._is_wrapped(inner)))
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
        for name in _CONSTRUCTION:
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
        elif not self._is_silent(name, call, run):
            yield call, []
        values = (*call.args, *(keyword.value for keyword in call.keywords))
        yield from self._of_given(call, [v for v in values if silent_calls.may_call(name, call, v)], run)

    def _of_given(self, call: ast.Call, values: Iterable[ast.expr], run: VisitRound) -> Iterator[OutsideEffect]:
        """The effects of the functions that are given to another one, which may call them."""
        for value in values:
            for reference in self.points_to.of(value, run.scope):
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
            # Of an object of another package, no method is known by the name that a tensor's has.
            bases = (each.base for each in self.points_to.of(method.value, scope))
            is_other = any(isinstance(base, Made) and not base.name.startswith("torch.") for base in bases)
            return not is_other or method.attr in silent_calls.READING
        return silent_calls.is_logging(method.attr) and self._origins(method.value, scope) == {"logging.getLogger"}

    def _may_be_method(self, value: ast.Attribute, scope: LexicalScope) -> bool:
        """True if an attribute that is given away may be a method of an object that it changes: `items.append`."""
        is_called = self.points_to.names.is_method(value.attr) or value.attr in OF_CONTAINERS
        return is_called and not self.points_to.of(value, scope)

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
                stores = self.points_to.names.stores(self.points_to, name)
                values = [(assigned_value(store, where.file.parents), where) for store, where in stores]
            case ast.Call():
                values = [(node, scope)]
        found: set[str] = set()
        for value, where in values:
            bases = [each.base for each in self.points_to.of(value.func, where)] if isinstance(value, ast.Call) else []
            if not bases or not all(isinstance(base, Named) for base in bases):
                return None
            found |= {base.name for base in bases if isinstance(base, Named)}
        return found or None

    def _makes_items(self, node: ast.Subscript, run: VisitRound) -> bool:
        """True if reading an item may make it, or raise for a module that nobody has put in."""
        if not isinstance(node.ctx, ast.Load) or run.owns(node.value):
            return False
        origins = self._origins(node.value, run.scope) or set()
        if "collections.defaultdict" in origins:
            return True
        return self._is_by_module([node.slice], run) and not _is_tested(node, run.scope.file.parents)

    @staticmethod
    def _is_by_module(nodes: Iterable[ast.expr], run: VisitRound) -> bool:
        """True if expressions use the module that a round is for."""
        return any(isinstance(n, ast.Name) and n.id in run.module for node in nodes for n in ast.walk(node))

    def _is_wrapped(self, function: LexicalScope) -> bool:
        """True if a decorator of another package may keep what a function is called with: `functools.lru_cache`."""
        for decorator in getattr(function.node, "decorator_list", ()):
            named = decorator.func if isinstance(decorator, ast.Call) else decorator
            for reference in self.points_to.of(named, function.parent or function):
                if isinstance(reference.base, Named) and not reference.base.name.startswith(_KEEPS_FUNCTION):
                    return True
        return False

    def _of_implicit_calls(self, node: ast.AST, run: VisitRound) -> Iterator[OutsideEffect]:
        """The effects of special methods, and of properties, of other objects of the project."""
        methods: Iterable[LexicalScope] = ()
        match node:
            case ast.Attribute(value=owner) if not run.is_of_module(owner):
                methods = self._methods_of_attribute(node, run.scope)
            case ast.Name() | ast.Subscript() if not run.is_of_module(node):
                parent = run.scope.file.parents.get(node)
                if not isinstance(parent, ast.Attribute | ast.Return | ast.Assign) and not self._is_followed(
                    node, parent, run.scope
                ):
                    methods = self._special_methods(self.points_to.of(node, run.scope))
        for method in methods:
            yield from ((node, []) for _ in self.of_function(method, frozenset()))

    def _methods_of_attribute(self, node: ast.Attribute, scope: LexicalScope) -> Iterator[LexicalScope]:
        """The functions that a read or write of an attribute runs: a property, a descriptor, `__getattr__`."""
        is_read = isinstance(node.ctx, ast.Load)
        for reference in self.points_to.of(node.value, scope):
            base = reference.base
            if not isinstance(base, Instance) or self.points_to.is_module(base.cls):
                continue
            own = ("__getattr__", "__getattribute__") if is_read else ("__setattr__",)
            yield from (m for name in own for m in self.points_to.method(base.cls, name))
            yield from (m for m in self.points_to.method(base.cls, node.attr) if is_property(m))
            for value in self.points_to.of_attribute(base.cls, node.attr):
                if isinstance(value.base, Instance):
                    yield from self.points_to.method(value.base.cls, "__get__" if is_read else "__set__")

    def _is_followed(self, node: ast.expr, parent: ast.AST | None, scope: LexicalScope) -> bool:
        """True for what is called, or given to a function of the project alone: its own code says what runs."""
        if not isinstance(parent, ast.Call):
            return False
        if parent.func is node:
            return True
        callees = self.points_to.of(parent.func, scope)
        return bool(callees) and not any(isinstance(each.base, Named) for each in callees)

    def _special_methods(self, references: References) -> Iterator[LexicalScope]:
        for reference in references:
            base = reference.base
            if isinstance(base, Instance) and not self.points_to.is_module(base.cls):
                names = (name for name in self.points_to.project.method_names(base.cls) if name.startswith("__"))
                for name in names:
                    yield from self.points_to.method(base.cls, name) if name not in _NOT_IMPLICIT else ()

    def _of_followed(
        self, call: ast.Call, function: LexicalScope, run: VisitRound, *, makes: bool = False
    ) -> Iterator[OutsideEffect]:
        """The effects of a function of the project; a constructor may change its own object."""
        calls = self.points_to.calls
        values = (*call.args, *(keyword.value for keyword in call.keywords))
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
                    for name in sorted(_ENTER):
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


def _is_tested(item: ast.Subscript, parents: dict[ast.AST, ast.AST]) -> bool:
    """True if a test around an item shows that it is there: `if key in table`."""
    wanted = f"{ast.unparse(item.slice)} in {ast.unparse(item.value)}"
    current: ast.AST = item
    while (parent := parents.get(current)) is not None and not isinstance(parent, DEFERRED):
        if isinstance(parent, ast.If | ast.IfExp) and current is not parent.test:
            is_body = current is parent.body if isinstance(parent, ast.IfExp) else current in parent.body
            if is_body and wanted in ast.unparse(parent.test):
                return True
        for test in (test for each in getattr(parent, "generators", ()) for test in each.ifs):
            if wanted in ast.unparse(test):
                return True
        current = parent
    return False


def _is_store_or_replacement(read: ast.Name, parents: dict[ast.AST, ast.AST]) -> bool:
    """True for `table[…] = …`, and for a loop over `table.items()` that gives children of these names new values."""
    parent = parents.get(read)
    if isinstance(parent, ast.Subscript) and isinstance(parent.ctx, ast.Store):
        return isinstance(parents.get(parent), ast.Assign)
    call = parents.get(parent) if isinstance(parent, ast.Attribute) and parent.attr == "items" else None
    match parents.get(call) if call is not None else None:
        case ast.For(target=ast.Tuple(elts=[ast.Name(id=key), _]), body=[statement], orelse=[]):
            return _replaces_child(statement, key)
    return False


def _replaces_child(statement: ast.stmt, key: str) -> bool:
    match statement:
        case ast.Assign(targets=[ast.Subscript(value=ast.Attribute(attr="_modules"), slice=ast.Name(id=name))]):
            return name == key
        case ast.Expr(value=ast.Call(func=ast.Name(id="setattr"), args=[_, ast.Name(id=name), ast.Name()])):
            return name == key
        case ast.Expr(
            value=ast.Call(
                func=ast.Attribute(attr="add_module" | "register_module"), args=[ast.Name(id=name), ast.Name()]
            )
        ):
            return name == key
    return False
