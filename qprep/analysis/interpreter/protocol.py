"""The analysis as the parts of its evaluation see it: each calls the others through this, so none imports another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import ast

    from qprep.analysis.facts import Facts, ModuleCall
    from qprep.analysis.interpreter.arguments import Arguments
    from qprep.analysis.interpreter.attribute_table import Attributes
    from qprep.analysis.interpreter.environment import CallSummary, Frame
    from qprep.analysis.places import Place, Unit
    from qprep.analysis.symbols.module_resolver import Project
    from qprep.analysis.symbols.own_uses import OwnUses
    from qprep.analysis.symbols.symbol_table import FileIndex
    from qprep.analysis.values.abstract_values import ClassRef, FunctionRef, Kind, Module, Object
    from qprep.analysis.values.access_paths import AccessPath
    from qprep.analysis.values.allocation_sites import AllocationSite, Origin
    from qprep.analysis.values.call_sensitivity import Made
    from qprep.foundation.catalogue.lookup import Catalogue, Spelling
    from qprep.foundation.catalogue.op import Op


class Analysis(Protocol):
    """Kinds and facts of one project, as far as they are known; `ProjectAnalysis` is the implementation."""

    project: Project
    catalogue: Catalogue
    facts: Facts
    reached: set[ClassRef]
    ran: set[tuple[str, str]]
    too_deep: set[str]
    walked: dict[tuple[str, int, int], set[ClassRef]]
    nested: set[ClassRef]
    runs: dict[ClassRef, frozenset[AccessPath]]
    passed: dict[ClassRef, dict[int | str, Kind]]
    looked_for: set[ClassRef]
    called: dict[str, list[str]] | None
    registered: dict[tuple[str, str, str], tuple[FunctionRef, ...]]
    closures: dict[object, CallSummary]
    running: set[object]
    with_losses: frozenset[str]
    recursive: set[object]
    plain_decorators: dict[FunctionRef, bool]
    named_decorators: dict[str, int]
    own_uses: dict[ast.FunctionDef, OwnUses]
    bound_names: dict[tuple[str, str], frozenset[str]]

    def stop_runs(self) -> None:
        """No function is running any more: an error ended the evaluation."""
        ...

    def evaluate(self, frame: Frame, node: ast.expr) -> Kind:
        """The kind of an expression."""
        ...

    def attribute_of(self, frame: Frame, value: Kind, name: str, node: ast.Attribute | None = None) -> Kind:
        """The value of `value.name`, read at `node`."""
        ...

    def class_attribute(self, cls: ClassRef, bound: Kind, name: str) -> Kind:
        """The value of an attribute of `bound` by its class."""
        ...

    def assign(self, frame: Frame, target: ast.expr, value: Kind, node: ast.expr | None) -> None:
        """Bind the names in the target of an assignment."""
        ...

    def call_kind(self, frame: Frame, node: ast.Call, callee: Kind, arguments: Arguments) -> Kind:
        """The kind that calling a value returns."""
        ...

    def run_block(self, frame: Frame, body: list[ast.stmt]) -> None:
        """Evaluate statements one after another."""
        ...

    def next_loop(self) -> int:
        """A number for a loop that nothing else has."""
        ...

    def frame_of(self, name: str) -> Frame | None:
        """A frame for the top level of a file, which records nothing; None if the project has no such file."""
        ...

    def global_kind(self, index: FileIndex, name: str) -> Kind:
        """The kind of a module-level name."""
        ...

    def resolved(self, dotted: str) -> Kind:
        """The value that a dotted name refers to; for a constant of another file, the kind of its value."""
        ...

    def name_kind(self, frame: Frame, node: ast.expr) -> Kind:
        """The kind of a name or dotted name; anything else is unknown."""
        ...

    def annotated(self, index: FileIndex, node: ast.expr) -> Kind | None:
        """The kind that an annotation promises."""
        ...

    def default_kind(self, index: FileIndex, node: ast.expr | None) -> Kind | None:
        """The kind of a parameter's default."""
        ...

    def decorators(self, module: str, node: ast.FunctionDef) -> list[str]:
        """Dotted names of a function's decorators."""
        ...

    def is_module(self, ref: ClassRef) -> bool:
        """True if a class is an nn.Module, as far as the source shows."""
        ...

    def has_child(self, ref: ClassRef, name: str) -> bool:
        """True if `self.name` is, or may be, a module that the class holds: it is not a method or number of its own."""
        ...

    def is_container(self, ref: ClassRef) -> bool:
        """True if a class inherits from torch.nn's Sequential, ModuleList or ModuleDict."""
        ...

    def defines(self, ref: ClassRef, name: str) -> bool:
        """True if a project class of the family of `ref` has a method called `name`."""
        ...

    def defines_method(self, ref: ClassRef, name: str) -> bool:
        """True if `name` is a method of a project class of the family of `ref`."""
        ...

    def attributes_of(self, ref: ClassRef) -> Attributes:
        """The attributes of instances of a class; evaluates its constructor once."""
        ...

    def build(self, instance: Module | Object) -> None:
        """Evaluate the constructor of an instance, given what it says of its own parameters."""
        ...

    def class_name(self, module: Module) -> str:
        """The dotted name of a module's class, "?" where unknown."""
        ...

    def may_have_state(self, classes: set[str]) -> bool:
        """True if a module of one of these classes has, or may have, parameters or buffers."""
        ...

    def is_shareable(self, module: Module) -> bool:
        """True if two uses of one instance matter: not for Identity."""
        ...

    def class_value(self, base: ClassRef, node: ast.expr) -> Kind:
        """A value bound in a class body."""
        ...

    def read_property(self, frame: Frame, getter: FunctionRef, node: ast.Attribute | None) -> Kind:
        """The result of a property; the operations of its method belong to the place that reads it."""
        ...

    def look_through(self, ref: FunctionRef) -> None:
        """Evaluate a function outside classes, given nothing, for the instances that it makes."""
        ...

    def origin(self, frame: Frame, node: ast.expr) -> AllocationSite | None:
        """The place that makes exactly one instance; None in a loop, which makes many."""
        ...

    def returned_by(self, ref: ClassRef) -> Kind:
        """The result of the forward of a class for activations."""
        ...

    def run_root(self, frame: Frame, cls: ClassRef, method: FunctionRef, arguments: Arguments | None) -> Kind:
        """A method that is called on an instance in place of forward."""
        ...

    def call_forward(self, frame: Frame, module: Module, arguments: Arguments | None) -> Kind:
        """Call a module of a project class; without `arguments`, its parameters are assumed to be activations."""
        ...

    def call_function(self, frame: Frame, node: ast.Call, ref: FunctionRef, arguments: Arguments) -> Kind:
        """Call a function or method of the project."""
        ...

    def call_beside(self, frame: Frame, ref: FunctionRef, arguments: Arguments) -> Kind:
        """Call a method of a class, or of an object that is not a module: what it runs, nothing there can own."""
        ...

    def at_call_site(self, frame: Frame, node: ast.Call, kind: Kind, made: Made) -> Kind:
        """The result of a call with an allocation site of this call for each module that the callee allocated."""
        ...

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
        ...

    def knows_forward(self, forward: FunctionRef, arguments: Arguments | None) -> bool:
        """True if a method has been evaluated as a forward, for these arguments."""
        ...

    def forget_summaries(self) -> None:
        """Forget all summaries: what they were computed from has changed."""
        ...

    def note_callee(self, place: Place, unit: Unit, function: str, callee: Unit) -> None:
        """A function that runs operations is called at a place in a function of a unit."""
        ...

    def is_compute(self, op: Op) -> bool:
        """True if an operation needs a module of its own."""
        ...

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
        ...

    def is_proven(self, frame: Frame, node: ast.expr | ast.stmt) -> bool:
        """True if a run of a model saw an operation on activations here."""
        ...

    def note_unknown(self, frame: Frame, node: ast.expr | ast.stmt, symbol: str) -> None:
        """An operation on values of unknown kind stands here."""
        ...

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
        ...
