"""The analysis of a project: evaluates the forward of every nn.Module class and gathers facts."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.effects import aliasing
from qprep.analysis.facts import Facts, HelperCall, ModuleCall, OpSite, Unknown
from qprep.analysis.interpreter import (
    assignments,
    attributes,
    class_runs,
    expressions,
    forward_calls,
    parameter_types,
    project_calls,
)
from qprep.analysis.interpreter.arguments import Arguments
from qprep.analysis.interpreter.attribute_table import Attributes
from qprep.analysis.interpreter.call_evaluation import call_kind
from qprep.analysis.interpreter.class_queries import ClassQueries
from qprep.analysis.interpreter.class_scopes import ClassScopes
from qprep.analysis.interpreter.entry_points import finish_root, note_module_call
from qprep.analysis.interpreter.environment import CallSummary, Frame
from qprep.analysis.interpreter.function_runs import FunctionRuns
from qprep.analysis.interpreter.global_names import GlobalNames
from qprep.analysis.interpreter.protocol import Analysis
from qprep.analysis.interpreter.statements import run_block
from qprep.analysis.places import Place, Unit
from qprep.analysis.symbols.ast_utils import dotted_root
from qprep.analysis.symbols.own_uses import OwnUses
from qprep.analysis.values import call_sensitivity
from qprep.analysis.values.abstract_values import (
    UNKNOWN,
    ClassRef,
    External,
    FunctionRef,
    Kind,
    Module,
    Object,
    modules_of,
    options,
)
from qprep.analysis.values.access_paths import SELF
from qprep.analysis.values.closure_values import NameScope
from qprep.analysis.values.path_events import TOTAL, OperationRan
from qprep.foundation.catalogue.lookup import load
from qprep.foundation.catalogue.op import Op, OpClass

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qprep.analysis.symbols.module_resolver import Project
    from qprep.analysis.symbols.symbol_table import FileIndex
    from qprep.analysis.values.access_paths import AccessPath
    from qprep.analysis.values.allocation_sites import AllocationSite, Origin
    from qprep.foundation.catalogue.lookup import Spelling


class ProjectAnalysis(Analysis):
    """Kinds and facts of one project."""

    def __init__(self, project: Project, rows: tuple[Op, ...] = ()) -> None:
        self.project = project
        self.catalogue = load(rows)
        self.facts = Facts()
        self.reached: set[ClassRef] = set()
        self.ran: set[tuple[str, str]] = set()  # functions that run in some forward: (module, qualified name)
        self.too_deep: set[str] = set()
        self.with_losses: frozenset[str] = frozenset()  # the files in which losses count as operations
        self.proven: frozenset[Place] = frozenset()  # where a run of a model saw an operation on activations
        self.walked: dict[tuple[str, int, int], set[ClassRef]] = {}  # calls of children(): of which classes
        self.nested: set[ClassRef] = set()  # classes that other modules make instances of
        self.runs: dict[ClassRef, frozenset[AccessPath]] = {}  # what a forward calls, by path
        self.passed: dict[ClassRef, dict[int | str, Kind]] = {}  # to constructors, by position or keyword
        self.looked_for: set[ClassRef] = set()  # classes whose makers were evaluated
        self.called: dict[str, list[str]] | None = None  # the files that call something of a name, once they are read
        self.registered: dict[tuple[str, str, str], tuple[FunctionRef, ...]] = {}  # by file, class and table
        self._attributes: dict[ClassRef, Attributes] = {}
        self.closures: dict[object, CallSummary] = {}  # calls of closures, within the evaluation of one class
        self.running: set[object] = set()
        self.recursive: set[object] = set()
        self.plain_decorators: dict[FunctionRef, bool] = {}  # those that give back the function itself
        self.named_decorators: dict[str, int] = {}  # how often the given files name each
        self._globals = GlobalNames()
        self._classes = ClassQueries(project)
        self._scopes = ClassScopes()
        self._functions = FunctionRuns(self._scopes)
        self.own_uses: dict[ast.FunctionDef, OwnUses] = {}  # what each method does with self
        self.bound_names: dict[tuple[str, str], frozenset[str]] = {}  # what each function binds
        self._loops = 0

    def run(self, names: Iterable[str]) -> Facts:
        """Evaluate all nn.Module classes of the modules called `names`, users before what they use."""
        class_runs.run_modules(self, list(names))
        return self.facts

    def stop_runs(self) -> None:
        """No function is running any more: an error ended the evaluation."""
        self.running.clear()
        self._functions.stop()

    # Parts of the evaluation that call one another

    def evaluate(self, frame: Frame, node: ast.expr) -> Kind:
        """The kind of an expression."""
        return expressions.evaluate(self, frame, node)

    def attribute_of(self, frame: Frame, value: Kind, name: str, node: ast.Attribute | None = None) -> Kind:
        """The value of `value.name`, read at `node`."""
        return expressions.attribute_of(self, frame, value, name, node)

    def class_attribute(self, cls: ClassRef, bound: Kind, name: str) -> Kind:
        """The value of an attribute of `bound` by its class."""
        return attributes.class_attribute(self, cls, bound, name)

    def assign(self, frame: Frame, target: ast.expr, value: Kind, node: ast.expr | None) -> None:
        """Bind the names in the target of an assignment."""
        assignments.assign(self, frame, target, value, node)

    def call_kind(self, frame: Frame, node: ast.Call, callee: Kind, arguments: Arguments) -> Kind:
        """The kind that calling a value returns."""
        return call_kind(self, frame, node, callee, arguments)

    def run_block(self, frame: Frame, body: list[ast.stmt]) -> None:
        """Evaluate statements one after another."""
        run_block(self, frame, body)

    # Names

    def next_loop(self) -> int:
        """A number for a loop that nothing else has."""
        self._loops += 1
        return self._loops

    def frame_of(self, name: str) -> Frame | None:
        """A frame for the top level of a file, which records nothing; None if the project has no such file."""
        index = self.project.index(name)
        return Frame(index, Unit(name, "", False), "", None, None, NameScope({}), False) if index is not None else None

    def global_kind(self, index: FileIndex, name: str) -> Kind:
        """The kind of a module-level name."""
        return self._globals.kind(self, index, name)

    def resolved(self, dotted: str) -> Kind:
        """The value that a dotted name refers to; for a constant of another file, the kind of its value."""
        return self._globals.resolved(self, dotted)

    def name_kind(self, frame: Frame, node: ast.expr) -> Kind:
        """The kind of a name or dotted name; anything else is unknown."""
        return self.evaluate(frame, node) if isinstance(dotted_root(node), ast.Name) else UNKNOWN

    def annotated(self, index: FileIndex, node: ast.expr) -> Kind | None:
        """The kind that an annotation promises."""
        return parameter_types.annotated(self, index, node)

    def default_kind(self, index: FileIndex, node: ast.expr | None) -> Kind | None:
        """The kind of a parameter's default."""
        if node is None:
            return None
        frame = self.frame_of(index.name)
        return self.evaluate(frame, node) if frame is not None else None

    def decorators(self, module: str, node: ast.FunctionDef) -> list[str]:
        """Dotted names of a function's decorators."""
        index = self.project.index(module)
        names = []
        for decorator in node.decorator_list:
            expr = decorator.func if isinstance(decorator, ast.Call) else decorator
            names.append((self.project.expression_name(index, expr) if index is not None else None) or "?")
        return names

    # Classes

    def is_module(self, ref: ClassRef) -> bool:
        """True if a class is an nn.Module, as far as the source shows."""
        return self._classes.is_module(ref)

    def has_child(self, ref: ClassRef, name: str) -> bool:
        """True if `self.name` is, or may be, a module that the class holds: it is not a method or number of its own."""
        if self.defines_method(ref, name):
            return False
        entry = self.attributes_of(ref).names.get(name)
        return entry is None or bool(modules_of(entry.kind)) or UNKNOWN in options(entry.kind)

    def is_container(self, ref: ClassRef) -> bool:
        """True if a class inherits from torch.nn's Sequential, ModuleList or ModuleDict."""
        return self._classes.is_container(ref)

    def defines(self, ref: ClassRef, name: str) -> bool:
        """True if a project class of the family of `ref` has a method called `name`."""
        return self._classes.defines(ref, name)

    def defines_method(self, ref: ClassRef, name: str) -> bool:
        """True if `name` is a method of a project class of the family of `ref`."""
        return self._classes.defines_method(ref, name)

    def attributes_of(self, ref: ClassRef) -> Attributes:
        """The attributes of instances of a class; evaluates its constructor once."""
        table = self._attributes.get(ref)
        if table is None:
            table = self._attributes[ref] = Attributes()
            if self.is_module(ref):
                self.build(Module(ref, SELF))
        return table

    def build(self, instance: Module | Object) -> None:
        """Evaluate the constructor of an instance, given what it says of its own parameters."""
        assert isinstance(instance.cls, ClassRef)
        frame = self.frame_of(instance.cls.module)
        found = attributes.class_attribute(self, instance.cls, instance, "__init__")
        if frame is not None and isinstance(found, FunctionRef):
            self.summary(frame, found, None, recording=False)

    def class_name(self, module: Module) -> str:
        """The dotted name of a module's class, "?" where unknown."""
        if isinstance(module.cls, ClassRef):
            return f"{module.cls.module}.{module.cls.name}"
        return module.cls.name if isinstance(module.cls, External) else "?"

    def may_have_state(self, classes: set[str]) -> bool:
        """True if a module of one of these classes has, or may have, parameters or buffers."""
        for name in classes:
            known = self.catalogue.nn_module(name.removeprefix("torch.nn.")) if name.startswith("torch.nn.") else None
            if known is None or known.may_have_state or known.is_container or known.is_compound:
                return True
        return False

    def is_shareable(self, module: Module) -> bool:
        """True if two uses of one instance matter: not for Identity."""
        return module.cls != External("torch.nn.Identity")

    def class_value(self, base: ClassRef, node: ast.expr) -> Kind:
        """A value bound in a class body."""
        return self._scopes.value(self, base, node)

    def read_property(self, frame: Frame, getter: FunctionRef, node: ast.Attribute | None) -> Kind:
        """The result of a property; the operations of its method belong to the place that reads it."""
        return project_calls.read_property(self, frame, getter, node)

    def look_through(self, ref: FunctionRef) -> None:
        """Evaluate a function outside classes, given nothing, for the instances that it makes."""
        frame = self.frame_of(ref.module)
        if frame is not None:
            self.summary(frame, ref, Arguments(), recording=False)

    def origin(self, frame: Frame, node: ast.expr) -> AllocationSite | None:
        """The place that makes exactly one instance; None in a loop, which makes many."""
        return aliasing.origin_of(frame, node)

    # Calls

    def returned_by(self, ref: ClassRef) -> Kind:
        """The result of the forward of a class for activations."""
        frame = self.frame_of(ref.module)
        if frame is None:
            return UNKNOWN
        frame.recording = True
        return self.call_forward(frame, Module(ref), None)

    def run_root(self, frame: Frame, cls: ClassRef, method: FunctionRef, arguments: Arguments | None) -> Kind:
        """A method that is called on an instance in place of forward."""
        summary = self.summary(frame, method, arguments, recording=True, root=True)
        finish_root(self, cls, summary)
        return summary.returned

    def call_forward(self, frame: Frame, module: Module, arguments: Arguments | None) -> Kind:
        """Call a module of a project class; without `arguments`, its parameters are assumed to be activations."""
        return forward_calls.call_forward(self, frame, module, arguments)

    def call_function(self, frame: Frame, node: ast.Call, ref: FunctionRef, arguments: Arguments) -> Kind:
        """Call a function or method of the project."""
        return project_calls.call_function(self, frame, node, ref, arguments)

    def call_beside(self, frame: Frame, ref: FunctionRef, arguments: Arguments) -> Kind:
        """Call a method of a class, or of an object that is not a module: what it runs, nothing there can own."""
        return project_calls.call_beside(self, frame, ref, arguments)

    def at_call_site(self, frame: Frame, node: ast.Call, kind: Kind, made: call_sensitivity.Made) -> Kind:
        """The result of a call with an allocation site of this call for each module that the callee allocated."""
        return project_calls.at_call_site(self, frame, node, kind, made)

    def summary(
        self,
        frame: Frame,
        ref: FunctionRef,
        arguments: Arguments | None,
        *,
        recording: bool,
        root: bool = False,
        called_only: bool = False,
        beside: bool = False,
    ) -> CallSummary:
        """The summary of a call of a function: its result and its events."""
        return self._functions.summary(
            self, frame, ref, arguments, recording=recording, root=root, called_only=called_only, beside=beside
        )

    def knows_forward(self, forward: FunctionRef, arguments: Arguments | None) -> bool:
        """True if a method has been evaluated as a forward, for these arguments."""
        return self._functions.knows_forward(forward, arguments)

    def forget_summaries(self) -> None:
        """Forget all summaries: what they were computed from has changed."""
        self._functions.forget()

    def note_callee(self, place: Place, unit: Unit, function: str, callee: Unit) -> None:
        """A function that runs operations is called at a place in a function of a unit."""
        helper = self.facts.helpers.setdefault(place, HelperCall(place, set(), unit, function))
        helper.callees.add(callee)
        self.facts.callers.setdefault(callee, set()).add(place)

    # Facts

    def is_compute(self, op: Op) -> bool:
        """True if an operation needs a module of its own."""
        return op.cls is OpClass.COMPUTE

    def note_op(
        self,
        frame: Frame,
        node: ast.expr | ast.stmt,
        op: Op,
        spelling: Spelling | None,
        form: str,
        scalar: bool = False,
        *,
        is_loss: bool = False,
    ) -> None:
        """An operation on activations stands here."""
        if not frame.recording:
            return
        place = frame.place(node)
        site = self.facts.ops.get(place)
        if site is None:
            site = OpSite(place, op, spelling, form, frame.unit, frame.function, scalar)
            self.facts.ops[place] = site
            site.is_loss = is_loss or frame.is_for_loss
        else:
            site.scalar = site.scalar and scalar
            site.is_loss = site.is_loss and (is_loss or frame.is_for_loss)
        frame.counts.add(OperationRan(place))
        frame.counts.add(TOTAL)
        frame.operation_places.add(place)

    def is_proven(self, frame: Frame, node: ast.expr | ast.stmt) -> bool:
        """True if a run of a model saw an operation on activations here."""
        return frame.recording and bool(self.proven) and frame.place(node) in self.proven

    def note_unknown(self, frame: Frame, node: ast.expr | ast.stmt, symbol: str) -> None:
        """An operation on values of unknown kind stands here."""
        if frame.recording:
            place = frame.place(node)
            self.facts.unknown.setdefault(place, Unknown(place, symbol))

    def note_module_call(
        self,
        frame: Frame,
        node: ast.Call | ast.Attribute,
        identity: Origin,
        path: AccessPath,
        loops: frozenset[int],
        classes: set[str],
    ) -> ModuleCall | None:
        """A module reached through self is called here."""
        return note_module_call(self, frame, node, identity, path, loops, classes)
