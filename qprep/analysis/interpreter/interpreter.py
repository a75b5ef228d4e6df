"""The analysis of a project: evaluates the forward of every nn.Module class and gathers facts."""

from __future__ import annotations

import ast
from collections import Counter, OrderedDict
from typing import TYPE_CHECKING

from qprep.analysis.effects import aliasing
from qprep.analysis.facts import Facts, HelperCall, ModuleCall, OpSite, ScriptedCall, Unknown
from qprep.analysis.interpreter import (
    attributes,
    closures,
    decorated,
    entry_points,
    expressions,
    module_level,
    parameter_types,
    registered_functions,
)
from qprep.analysis.interpreter.argument_binding import bind
from qprep.analysis.interpreter.arguments import Arguments, Callee
from qprep.analysis.interpreter.attribute_table import Attributes
from qprep.analysis.interpreter.call_evaluation import call_kind
from qprep.analysis.interpreter.entry_points import finish_root, note_module_call
from qprep.analysis.interpreter.environment import TOTAL, CallSummary, Counts, Frame
from qprep.analysis.interpreter.protocol import Analysis
from qprep.analysis.interpreter.statements import run_block
from qprep.analysis.places import Place, Unit
from qprep.analysis.symbols import local_classes
from qprep.analysis.symbols.function_modules import is_function_like
from qprep.analysis.symbols.own_uses import OwnUses
from qprep.analysis.symbols.symbol_table import variants
from qprep.analysis.values import allocation_sites
from qprep.analysis.values.abstract_values import (
    NONE,
    UNKNOWN,
    ClassRef,
    Closure,
    External,
    FunctionRef,
    Kind,
    Module,
    NameScope,
    Object,
    Partial,
    Tensor,
    in_order,
    join_all,
    modules_of,
    options,
)
from qprep.foundation.catalogue.lookup import load
from qprep.foundation.catalogue.op import Op, OpClass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from qprep.analysis.symbols.module_resolver import Project
    from qprep.analysis.symbols.symbol_table import FileIndex
    from qprep.foundation.catalogue.lookup import Spelling

MAX_RECURSION = 3  # a function inside itself, each time with other arguments: more would tell nothing new
KEPT_SUMMARIES = 20_000  # calls whose evaluation is remembered; one forgotten is evaluated again, with the same facts


_NOTHING = CallSummary(UNKNOWN, Counts(), frozenset())


class ProjectAnalysis(Analysis):
    """Kinds and facts of one project."""

    def __init__(self, project: Project, rows: tuple[Op, ...] = ()) -> None:
        self.project = project
        self.catalogue = load(rows)
        self.facts = Facts()
        self.reached: set[ClassRef] = set()
        self.ran: set[tuple[str, str]] = set()  # functions that run in some forward: (module, qualified name)
        self.too_deep: set[str] = set()
        self.proven: frozenset[Place] = frozenset()  # where a run of a model saw an operation on activations
        self.walked: dict[tuple[str, int, int], set[ClassRef]] = {}  # calls of children(): of which classes
        self.nested: set[ClassRef] = set()  # classes that other modules make instances of
        self.runs: dict[ClassRef, frozenset[str]] = {}  # what a forward calls, by path
        self.passed: dict[ClassRef, dict[int | str, Kind]] = {}  # to constructors, by position or keyword
        self.looked_for: set[ClassRef] = set()  # classes whose makers were evaluated
        self.called: dict[str, list[str]] | None = None  # the files that call something of a name, once they are read
        self.registered: dict[tuple[str, str, str], tuple[FunctionRef, ...]] = {}  # by file, class and table
        self._attributes: dict[ClassRef, Attributes] = {}
        self._memo: OrderedDict[object, CallSummary] = OrderedDict()
        self.closures: dict[object, CallSummary] = {}  # calls of closures, within the evaluation of one class
        self.running: set[object] = set()
        self._active: Counter[tuple[str, str]] = Counter()  # how often each function is running
        self.recursive: set[object] = set()
        self.plain_decorators: dict[FunctionRef, bool] = {}  # those that give back the function itself
        self._globals: dict[tuple[str, str], Kind] = {}
        self._module_classes: dict[ClassRef, bool] = {}
        self._around: dict[ClassRef, NameScope | None] = {}
        self.own_uses: dict[ast.FunctionDef, OwnUses] = {}  # what each method does with self
        self.bound_names: dict[tuple[str, str], frozenset[str]] = {}  # what each function binds
        self._loops = 0

    def run(self, names: Iterable[str]) -> Facts:
        """Evaluate all nn.Module classes of the modules called `names`, users before what they use."""
        names = list(names)
        called: list[ClassRef] = []  # by other code, which tells what they are given
        putting: list[str] = []
        for name in names:
            index = self.project.index(name)
            if module_level.has_some(self, name):
                putting.append(name)
            for cls in reversed(list(index.classes)) if index is not None else ():
                ref = ClassRef(name, cls)
                if self.is_module(ref) and is_function_like(self.project, ref):
                    called.append(ref)
                elif self.is_module(ref):
                    self._guarded(ref)
        for ref in called:
            self._guarded(ref)
        for name in names:
            self._run_beside(name)
        for name in putting:
            module_level.look_at(self, name)
        return self.facts

    def _run_beside(self, name: str) -> None:
        """Evaluate what users may call beside forward: public methods that no forward runs."""
        index = self.project.index(name)
        for cls in reversed(list(index.classes)) if index is not None else ():
            ref = ClassRef(name, cls)
            if self.is_module(ref):
                if ref in self.reached and entry_points.has_optional(self, ref):
                    self._guarded(ref, again=True)
                for method in entry_points.beside_forward(self, ref):
                    self._guarded(ref, method)

    def _run_method(self, cls: ClassRef, method: FunctionRef) -> None:
        frame = self._module_frame(cls.module)
        if frame is None:
            return
        frame.recording = True
        before, known = entry_points.sizes(self.facts), self.ran
        self.ran = set()
        try:
            summary = self._evaluate(frame, method, None, recording=True, root=True, beside=True)
        finally:
            ran, self.ran = self.ran, known
        if entry_points.is_entry(summary):
            self.ran |= ran
            finish_root(self, cls, summary, is_forward=False)
        else:
            entry_points.take_back(self.facts, before, is_known=bool(summary.touched))

    def _guarded(self, ref: ClassRef, method: FunctionRef | None = None, *, again: bool = False) -> None:
        """Code nested a thousandfold ends the analysis of its file, not of the others."""
        self.closures.clear()
        try:
            self._run_class(ref, again=again) if method is None else self._run_method(ref, method)
        except RecursionError:
            self.too_deep.add(ref.module)
            self.running.clear()
            self._active.clear()

    def _run_class(self, ref: ClassRef, *, again: bool) -> None:
        """Evaluate the forward of a class that no other one calls, or `again` with all that may be left out."""
        self.attributes_of(ref)
        if again or ref not in self.reached:
            frame = self._module_frame(ref.module)
            if frame is not None:
                frame.recording = True
                self.call_forward(frame, Module(ref), None)

    # Parts of the evaluation that call one another

    def evaluate(self, frame: Frame, node: ast.expr) -> Kind:
        """The kind of an expression."""
        return expressions.evaluate(self, frame, node)

    def attribute_of(self, frame: Frame, value: Kind, name: str, node: ast.Attribute | None = None) -> Kind:
        """What `value.name` is, read at `node`."""
        return expressions.attribute_of(self, frame, value, name, node)

    def class_attribute(self, cls: ClassRef, bound: Kind, name: str) -> Kind:
        """What a class says of an attribute of `bound`, an instance of it."""
        return attributes.class_attribute(self, cls, bound, name)

    def assign(self, frame: Frame, target: ast.expr, value: Kind, node: ast.expr | None) -> None:
        """Bind the names in the target of an assignment."""
        expressions.assign(self, frame, target, value, node)

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
        """A frame for the top level of a file, which records nothing; None where the project has no such file."""
        return self._module_frame(name)

    def _module_frame(self, name: str) -> Frame | None:
        index = self.project.index(name)
        return Frame(index, Unit(name, "", False), "", None, None, NameScope({}), False) if index is not None else None

    def global_kind(self, index: FileIndex, name: str) -> Kind:
        """The kind of a module-level name."""
        key = (index.name, name)
        if key not in self._globals:
            self._globals[key] = UNKNOWN
            self._globals[key] = self._find_global(index, name)
        return self._globals[key]

    def _find_global(self, index: FileIndex, name: str) -> Kind:
        if name in index.alternatives:
            return join_all(self._alternatives(index, name))
        if name in index.values and name not in index.classes and name not in index.functions:
            value = self._value_kind(index, index.values[name])
            return registered_functions.with_registered(self, index, "", name, value)
        return self.resolved(self.project.global_name(index, name))

    def _alternatives(self, index: FileIndex, name: str) -> Iterator[Kind]:
        """All that a name may be, each in runs of its own."""
        yield from (ClassRef(index.name, other) for other in variants(index.classes, name))
        yield from (FunctionRef(index.name, other) for other in variants(index.functions, name))
        yield from (self._value_kind(index, index.values[other]) for other in variants(index.values, name))
        imported = [index.imports[name].target] if name in index.imports else []
        yield from (self.resolved(target) for target in (*imported, *index.alternatives[name]))

    def _value_kind(self, index: FileIndex, value: ast.expr) -> Kind:
        frame = self._module_frame(index.name)
        if frame is None or (isinstance(value, ast.Call) and not isinstance(value.func, ast.Name | ast.Attribute)):
            return UNKNOWN
        return self.evaluate(frame, value)

    def resolved(self, dotted: str) -> Kind:
        """What a dotted name refers to; a constant of another file has its value's kind."""
        found = self.project.resolve(dotted)
        for option in in_order(found):
            if isinstance(option, External):
                head, _, last = option.name.rpartition(".")
                index = self.project.index(head) if head and not head.startswith(("torch", "builtins")) else None
                return self.global_kind(index, last) if index is not None and last in index.values else found
            if isinstance(option, ClassRef | FunctionRef) and (name := self._varied(option)) is not None:
                index = self.project.index(option.module)
                return self.global_kind(index, name) if index is not None else found
        return found

    def _varied(self, ref: ClassRef | FunctionRef) -> str | None:
        """The name of a class or function that is one of several definitions of it."""
        name, surface = ref.name.partition(":")[0], self.project.surface(ref.module)
        is_one = name != ref.name or (surface is not None and len(variants(surface.values, name)) > 0)
        return name if is_one and "." not in ref.name else None

    def name_kind(self, frame: Frame, node: ast.expr) -> Kind:
        """The kind of a name or dotted name; anything else says nothing."""
        root = node
        while isinstance(root, ast.Attribute):
            root = root.value
        return self.evaluate(frame, node) if isinstance(root, ast.Name) else UNKNOWN

    def annotated(self, index: FileIndex, node: ast.expr) -> Kind | None:
        """The kind that an annotation promises."""
        return parameter_types.annotated(self, index, node)

    def default_kind(self, index: FileIndex, node: ast.expr | None) -> Kind | None:
        """The kind of a parameter's default."""
        if node is None:
            return None
        frame = self._module_frame(index.name)
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
        """True if a class is an nn.Module, as far as the source tells."""
        if ref not in self._module_classes:
            chain = self.project.mro(ref)
            external = [base.name for base in chain if isinstance(base, External)]
            known = any(name.startswith("torch.nn.") for name in external)
            foreign = any(not name.startswith(_NO_MODULE) and name not in _NO_MODULES for name in external)
            has_forward = self.defines_method(ref, "forward")
            autograd = any(name.startswith("torch.autograd") for name in external)
            self._module_classes[ref] = known or (foreign and has_forward and not autograd)
        return self._module_classes[ref]

    def has_child(self, ref: ClassRef, name: str) -> bool:
        """True if `self.name` is, or may be, a module that the class holds: it is no method or number of its own."""
        if self.defines_method(ref, name):
            return False
        entry = self.attributes_of(ref).names.get(name)
        return entry is None or bool(modules_of(entry.kind)) or UNKNOWN in options(entry.kind)

    def is_container(self, ref: ClassRef) -> bool:
        """True if a class inherits from torch.nn's Sequential, ModuleList or ModuleDict."""
        return any(isinstance(base, External) and base.name in _CONTAINERS for base in self.project.mro(ref))

    def defines(self, ref: ClassRef, name: str) -> bool:
        """True if a project class of the family of `ref` has a method called `name`."""
        for base in self.project.mro(ref):
            entry = self.project.class_outline(base) if isinstance(base, ClassRef) else None
            if entry is not None and (name in entry.methods or name in entry.values):
                return True
        return False

    def defines_method(self, ref: ClassRef, name: str) -> bool:
        """True if `name` is a method of a project class of the family of `ref`."""
        bases = (base for base in self.project.mro(ref) if isinstance(base, ClassRef))
        return any(name in (self.project.methods(base) or ()) for base in bases)

    def attributes_of(self, ref: ClassRef) -> Attributes:
        """What instances of a class have; evaluates its constructor once."""
        table = self._attributes.get(ref)
        if table is None:
            table = self._attributes[ref] = Attributes()
            if self.is_module(ref):
                self.build(Module(ref, ""))
        return table

    def build(self, instance: Module | Object) -> None:
        """Evaluate the constructor of an instance, given what it says of its own parameters."""
        assert isinstance(instance.cls, ClassRef)
        frame = self._module_frame(instance.cls.module)
        found = attributes.class_attribute(self, instance.cls, instance, "__init__")
        if frame is not None and isinstance(found, FunctionRef):
            self._evaluate(frame, found, None, recording=False)

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
        frame = self._module_frame(base.module)
        if frame is None:
            return UNKNOWN
        frame.scope = NameScope({}, self._scope_around(base))
        if isinstance(node, ast.Lambda):  # a method of the class
            frame.unit, frame.function = Unit(base.module, base.name, True), base.name
        return self.evaluate(frame, node)

    def _scope_around(self, cls: ClassRef | None) -> NameScope | None:
        """The names that the functions around a class bind."""
        entry = self.project.class_node(cls) if cls is not None else None
        if cls is None or entry is None or not entry.around:
            return None
        if cls not in self._around:
            scopes = local_classes.scopes(entry)
            self._around[cls] = scopes[-1]
            index = self.project.index(cls.module)
            for function, scope in zip(entry.around, scopes, strict=True) if index is not None else ():
                assert index is not None
                unit = Unit(index.name, f"{function.name}.{local_classes.LOCALS}", False)
                names = bind(self, Callee(index, function), Arguments())
                frame = Frame(index, unit, function.name, None, None, NameScope(names, scope.parent), False)
                run_block(self, frame, function.body)
                scope.names.update(frame.scope.names)
        return self._around[cls]

    def read_property(self, frame: Frame, getter: FunctionRef, node: ast.Attribute | None) -> Kind:
        """What a property gives; what its method runs happens where it is read."""
        bound = getter.bound
        if isinstance(bound, Object | ClassRef):
            return self.call_beside(frame, getter, Arguments())
        if isinstance(bound, Module) and bound.path == "":
            summary = self._evaluate(frame, getter, Arguments(), recording=frame.recording)
            self._run_on_self(frame, getter, summary)
            return summary.returned
        if frame.recording and isinstance(bound, Module) and isinstance(bound.cls, ClassRef):
            ref = FunctionRef(getter.module, getter.name, Module(bound.cls, "", None, bound.item))
            summary = self._evaluate(frame, ref, Arguments(), recording=True, root=True)
            finish_root(self, bound.cls, summary, is_forward=False)
            if summary.counts and node is not None and bound.path is not None:
                path = f"{bound.path}.{node.attr}"
                note_module_call(self, frame, node, path, path, bound.loops, {self.class_name(bound)})
        return self._evaluate(frame, getter, Arguments(), recording=False).returned

    def _run_on_self(self, frame: Frame, ref: FunctionRef, summary: CallSummary) -> None:
        """A method of self runs here."""
        entry_points.add_run(frame, summary.counts)
        frame.counts.add(("enter", ref.module, ref.name))
        frame.touched |= summary.touched

    def look_through(self, ref: FunctionRef) -> None:
        """Evaluate a function outside classes, given nothing, for the instances that it makes."""
        frame = self._module_frame(ref.module)
        if frame is not None:
            self._evaluate(frame, ref, Arguments(), recording=False)

    def origin(self, frame: Frame, node: ast.expr) -> str | None:
        """Where exactly one instance is made; None in a loop, which makes many."""
        return aliasing.origin_of(frame, node)

    # Calls

    def returned_by(self, ref: ClassRef) -> Kind:
        """What the forward of a class gives for activations."""
        frame = self._module_frame(ref.module)
        if frame is None:
            return UNKNOWN
        frame.recording = True
        return self.call_forward(frame, Module(ref), None)

    def run_root(self, frame: Frame, cls: ClassRef, method: FunctionRef, arguments: Arguments | None) -> Kind:
        """A method that is called on an instance in place of forward."""
        summary = self._evaluate(frame, method, arguments, recording=True, root=True)
        finish_root(self, cls, summary)
        return summary.returned

    def call_forward(self, frame: Frame, module: Module, arguments: Arguments | None) -> Kind:
        """Call a module of a project class; without `arguments`, its parameters are taken for activations."""
        assert isinstance(module.cls, ClassRef)
        flow = arguments is None or arguments.flows
        if not frame.recording:
            return Tensor(False)
        bound = Module(module.cls, "", None, module.item)
        found = attributes.class_attribute(self, module.cls, bound, "forward")
        forwards = [option for option in options(found) if isinstance(option, FunctionRef | Closure | Partial)]
        if not forwards:
            return self._inherited_forward(frame, module, arguments, flow)
        self.reached.add(module.cls)
        returned = join_all([self._run_forward(frame, module.cls, f, arguments, flow) for f in forwards])
        return entry_points.around_forward(self, frame, module.cls, bound, arguments, returned)

    def _run_forward(
        self,
        frame: Frame,
        cls: ClassRef,
        forward: FunctionRef | Closure | Partial,
        arguments: Arguments | None,
        flow: bool,
    ) -> Kind:
        """One of the functions that are, or may be set as, a class's forward."""
        if not isinstance(forward, FunctionRef):
            return self._run_lambda(cls, forward, arguments)
        known = ("root", forward, arguments.key if arguments is not None else None) in self._memo
        called_only = arguments is not None and is_function_like(self.project, cls)
        summary = self._evaluate(frame, forward, arguments, recording=True, root=True, called_only=called_only)
        table = self.attributes_of(cls)
        if table.has_new_flow:  # what a forward keeps on self, the next one, or a later step of it, finds there
            table.has_new_flow = False
            self._memo.clear()
            summary = self._evaluate(frame, forward, arguments, recording=True, root=True, called_only=called_only)
        if not known:
            finish_root(self, cls, summary)
        if summary.returned == UNKNOWN and flow:
            return Tensor(True) if summary is _NOTHING else UNKNOWN
        return summary.returned

    def _run_lambda(self, cls: ClassRef, forward: Closure | Partial, arguments: Arguments | None) -> Kind:
        """A forward that is no method: `forward = lambda self, x: ...`, or a function that the constructor sets."""
        closure = forward.function if isinstance(forward, Partial) else forward
        index = self.project.index(cls.module)
        if not isinstance(closure, Closure) or index is None:
            return Tensor(True)
        bound = Module(cls, "")
        unit, function = Unit(cls.module, cls.name, True), f"{cls.name}.forward"
        inner = Frame(index, unit, function, bound, cls, NameScope({}), True)
        given = arguments
        if given is None:
            own = bound if isinstance(forward, Partial) else None
            names = bind(self, Callee(closure.home.index, closure.node, own, cls, True), None)
            positional = [arg.arg for arg in (*closure.node.args.posonlyargs, *closure.node.args.args)]
            given = Arguments([names[name] for name in positional[isinstance(forward, Partial) :]])
        name = ast.copy_location(ast.Name(id="forward", ctx=ast.Load()), closure.node)
        node = ast.copy_location(ast.Call(func=name, args=[], keywords=[]), closure.node)
        returned = call_kind(self, inner, node, forward, given)
        finish_root(self, cls, CallSummary(returned, inner.counts, frozenset(inner.touched)))
        return returned

    def _inherited_forward(self, frame: Frame, module: Module, arguments: Arguments | None, flow: bool) -> Kind:
        """A class of torch.nn's with another constructor; a Sequential passes its input on."""
        assert isinstance(module.cls, ClassRef)
        if self.is_container(module.cls) and flow and arguments is not None and module.cls not in self.reached:
            self.reached.add(module.cls)
            for item in modules_of(attributes.item_of(self, module)):
                if isinstance(item.cls, ClassRef):
                    self.call_forward(frame, item, Arguments([Tensor(True)]))
        return Tensor(flow)

    def call_function(self, frame: Frame, node: ast.Call, ref: FunctionRef, arguments: Arguments) -> Kind:
        """Call a function or method of the project."""
        bound = ref.bound
        if bound is None and self._is_scripted(ref):
            return self._call_scripted(frame, node, ref, arguments)
        if isinstance(bound, Object | ClassRef):
            made = allocation_sites.not_given(arguments.all())
            return self.renewed(frame, node, self.call_beside(frame, ref, arguments), made)
        is_method = isinstance(bound, Module) and bound.path == ""
        if isinstance(bound, Module) and not is_method and isinstance(bound.cls, ClassRef):
            if (
                frame.recording
                and arguments.flows
                and bound.path is not None
                and not self._is_renewed(frame, bound.path)
            ):
                path = f"{bound.path}.{ref.name.rpartition('.')[2]}()"
                note_module_call(self, frame, node, path, path, bound.loops, {self.class_name(bound)})
            ref = FunctionRef(ref.module, ref.name, Module(bound.cls, "", None, bound.item))
        summary = self._evaluate(
            frame, ref, arguments, recording=frame.recording, root=bound is not None and not is_method
        )
        if is_method:
            self._run_on_self(frame, ref, summary)
        elif bound is None:
            self._note_helper(frame, node, ref, summary)
            for inner in options(summary.returned):
                if isinstance(inner, Closure) and inner.home.unit == Unit(ref.module, ref.name, False):
                    closures.note_maker(frame, node, inner)
        elif isinstance(bound, Module) and isinstance(bound.cls, ClassRef) and frame.recording:
            finish_root(self, bound.cls, summary, is_forward=False)
        return self.renewed(frame, node, summary.returned, allocation_sites.not_given(arguments.all()))

    def _is_scripted(self, ref: FunctionRef) -> bool:
        node = self.project.function_node(ref)
        return node is not None and not _SCRIPTING.isdisjoint(self.decorators(ref.module, node))

    def _call_scripted(self, frame: Frame, node: ast.Call, ref: FunctionRef, arguments: Arguments) -> Kind:
        """A function that TorchScript compiles: one operation, in which nothing can be put."""
        if frame.recording and arguments.flows:
            place = frame.place(node)
            self.facts.scripted.setdefault(place, ScriptedCall(place, frame.unit, frame.function, ref.name))
            frame.counts.add(TOTAL)
        return Tensor(arguments.flows)

    def call_beside(self, frame: Frame, ref: FunctionRef, arguments: Arguments) -> Kind:
        """Call a method of a class, or of an object that is no module: what it runs, nothing there can own."""
        summary = self._evaluate(frame, ref, arguments, recording=frame.recording)
        frame.counts.add_all(summary.counts)
        frame.touched |= summary.touched
        return summary.returned

    def _is_renewed(self, frame: Frame, path: str) -> bool:
        owner = frame.self_kind.cls if isinstance(frame.self_kind, Module) else None
        return isinstance(owner, ClassRef) and path in self.attributes_of(owner).renewed

    def renewed(self, frame: Frame, node: ast.Call, kind: Kind, made: allocation_sites.Made) -> Kind:
        """Modules that a function made are other ones at each call of it."""
        return kind if frame.recording else allocation_sites.renewed(kind, self.origin(frame, node), made)

    def _note_helper(self, frame: Frame, node: ast.Call, ref: FunctionRef, summary: CallSummary) -> None:
        for event, times in summary.counts.items():
            if event[0] in ("mod", "at", "total", "children"):
                frame.counts.add(event, times)
        if not frame.recording or not summary.touched:
            return
        frame.touched |= summary.touched
        frame.counts.add(("call", frame.place(node)))
        self.note_callee(frame.place(node), frame.unit, frame.function, Unit(ref.module, ref.name, False))

    def note_callee(self, place: Place, unit: Unit, function: str, callee: Unit) -> None:
        """A function that runs operations is called at a place in a function of a unit."""
        helper = self.facts.helpers.setdefault(place, HelperCall(place, set(), unit, function))
        helper.callees.add(callee)
        self.facts.callers.setdefault(callee, set()).add(place)

    def _evaluate(
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
        key = (
            "beside" if beside else "root" if root else recording,
            ref,
            arguments.key if arguments is not None else None,
        )
        if (known := self._memo.get(key)) is not None:
            self._memo.move_to_end(key)
            return known
        node = self.project.function_node(ref)
        index = self.project.index(ref.module)
        if key in self.running and not root:  # an instance of its own class inside is another instance
            self.recursive.add(key)
        if node is None or index is None or key in self.running or len(self.running) > closures.MAX_DEPTH:
            return _NOTHING
        if ref.bound is None and self._active[ref.module, ref.name]:
            self.recursive.add((ref.module, ref.name))  # inside itself, whatever its arguments are
        if self._active[ref.module, ref.name] >= MAX_RECURSION:
            return _NOTHING
        owner = ref.name.rpartition(".")[0]
        cls = ClassRef(ref.module, owner) if owner else None
        is_static = "builtins.staticmethod" in self.decorators(ref.module, node) if owner else False
        is_entry = (root and not called_only) or arguments is None
        names = bind(self, Callee(index, node, None if is_static else ref.bound, cls, is_entry, beside), arguments)
        unit = Unit(ref.module, owner, True) if owner and not is_static else Unit(ref.module, ref.name, False)
        inner = Frame(index, unit, ref.name, ref.bound, cls, NameScope(names, self._scope_around(cls)), recording)
        if not root and isinstance(ref.bound, Module):
            inner.caller = frame
        parameters = dict(names)
        self.running.add(key)
        self._active[ref.module, ref.name] += 1
        if recording:
            self.ran.add((ref.module, ref.name))
        try:
            run_block(self, inner, node.body)
        finally:
            self.running.discard(key)
            self._active[ref.module, ref.name] -= 1
        returned = inner.returned() if inner.returns else NONE
        if node.decorator_list and (maker := self._module_frame(ref.module)) is not None:
            around = Frame(index, unit, ref.name, ref.bound, cls, NameScope(parameters), recording)
            returned = decorated.wrapped(self, maker, around, node, returned)
            inner.exits.append(inner.total())
            inner.alive = False
            for path in inner.exits:
                path.add_all(around.counts)
            inner.touched |= around.touched
        runs_again = key in self.recursive or (ref.module, ref.name) in self.recursive
        counts = inner.total().repeated(self.next_loop()) if runs_again else inner.total()
        summary = CallSummary(returned, counts, frozenset(inner.touched))
        self._settle(unit, summary)
        self._memo[key] = summary
        if len(self._memo) > KEPT_SUMMARIES:
            self._memo.popitem(last=False)
        return summary

    def _settle(self, unit: Unit, summary: CallSummary) -> None:
        """A function outside classes owns its operations: its counts are final."""
        if unit.is_class:
            return
        for event, times in summary.counts.items():
            if event[0] == "op" and isinstance(event[1], Place) and event[1] in self.facts.ops:
                site = self.facts.ops[event[1]]
                site.count = max(site.count, times)
            elif event[0] == "call" and isinstance(event[1], Place):
                helper = self.facts.helpers[event[1]]
                helper.count = max(helper.count, times)

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
    ) -> None:
        """An operation on activations stands here."""
        if not frame.recording:
            return
        place = frame.place(node)
        site = self.facts.ops.get(place)
        if site is None:
            self.facts.ops[place] = OpSite(place, op, spelling, form, frame.unit, frame.function, scalar)
        else:
            site.scalar = site.scalar and scalar
        frame.counts.add(("op", place))
        frame.counts.add(TOTAL)
        frame.touched.add(place)

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
        identity: str,
        path: str,
        loops: frozenset[int],
        classes: set[str],
    ) -> ModuleCall | None:
        """A module reached through self is called here."""
        return note_module_call(self, frame, node, identity, path, loops, classes)


_SCRIPTING = frozenset(("torch.jit.script", "torch.jit.script_if_tracing"))
_CONTAINERS = frozenset(("torch.nn.Sequential", "torch.nn.ModuleList", "torch.nn.ModuleDict"))
_NO_MODULE = (
    "builtins.",
    "abc.",
    "typing.",
    "enum.",
    "torch.autograd",
    "torch.optim",
    "collections.",
    "torch.utils.data",
)
_NO_MODULES = frozenset(("object", "dataclasses.dataclass"))
