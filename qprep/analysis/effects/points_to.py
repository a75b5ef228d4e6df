"""Points-to analysis: the abstract objects that an expression may refer to, found on demand and across files.

Flow-insensitive, context-insensitive and field-based, as Andersen's: every binding of a variable, every argument of a
parameter and every value of an attribute counts, whatever the order. Class tests narrow what a variable may be
where they hold. What an expression refers to grows until nothing changes, so cycles need no care.

Over-approximates, except for code that qprep does not read: a parameter of a function that the project never calls
refers to nothing, and functions of other packages change nothing beyond the list in `effects.mutations`. They may
return their arguments, may store them in other arguments, and may call functions among them with the others.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from qprep.analysis.effects import decorations, instance_checks, silent_calls
from qprep.analysis.effects.abstract_objects import (
    ANY_OBJECT,
    CHILD_NAME,
    HOLDER,
    MANY,
    MANY_WITH_NAMES,
    NOTHING,
    TENSOR_NAME,
    Anything,
    Base,
    Below,
    ChildName,
    ClassObject,
    ClassOf,
    ClassTest,
    FunctionObject,
    GivenName,
    Held,
    Holder,
    HolderOf,
    Instance,
    Made,
    Many,
    Named,
    Reference,
    References,
    Test,
    is_complete,
    may_be_of,
    widened,
)
from qprep.analysis.effects.attribute_names import ANY_NAME, is_any, may_be, patterns_of
from qprep.analysis.effects.call_arguments import given_values
from qprep.analysis.effects.call_sites import CallGraph
from qprep.analysis.effects.call_uses import Derived
from qprep.analysis.effects.class_conditions import (
    Variable,
    binding_loop,
    conditions,
    containers_with,
    is_none_or_attribute,
    may_bind,
    needed_behind,
)
from qprep.analysis.effects.handed_back import RETURNS_SELF, may_hand_back
from qprep.analysis.effects.implicit_calls import BINARY_METHODS, ImplicitCalls, is_property, operator_methods
from qprep.analysis.effects.lexical_scopes import (
    ANY_ATTRIBUTE,
    Binding,
    BindingKind,
    FileScopes,
    LexicalScope,
    assigned_value,
    is_super,
)
from qprep.analysis.effects.listings import is_module_in, module_beside
from qprep.analysis.effects.method_calls import attribute_reads
from qprep.analysis.effects.name_table import NameTable
from qprep.analysis.effects.python_classes import OF_CONTAINERS, holds_no_items
from qprep.analysis.effects.stored_values import SCALARS, Addition, AttributeStore, Kept, StoreTable
from qprep.analysis.effects.straight_line import last_value
from qprep.analysis.effects.tensor_expressions import is_operation_module, names_operation_of_tensors
from qprep.analysis.places import Place
from qprep.analysis.symbols.ast_utils import dotted_text, is_text_method, last_name
from qprep.analysis.values.abstract_values import ClassRef, External, FunctionRef, options
from qprep.foundation.catalogue.module_attributes import NN_MODULE_ATTRIBUTES, PARTS_OF_COMPOUNDS, VALUES_OF_TENSORS

if TYPE_CHECKING:
    from qprep.analysis.symbols.module_resolver import Project

T = TypeVar("T")

MAX_NAME = 5
"""Dots in the name of what a package holds; an attribute that lies deeper belongs to an object, not to a module."""

MAX_DEPTH = 60
"""Expressions that are evaluated inside one another; deeper ones wait in a queue, so that no stack overflows."""

MAX_CLASS_DEPTH = 20
"""More of them for the class of a test, as long as it takes to follow a few imports."""

MAX_MODULES = 16
"""Modules of a project, any of which may define what a computed name gets from one; of more, that is not followed."""

ANY_MODULE = "sys.modules"
"""The name of the table of all modules of Python, and of any module in it."""
_OF_TABLE = frozenset(("copy", "get", "items", "pop", "setdefault", "values"))
_FINDS_MODULE = frozenset(
    (
        "builtins.__import__",
        "importlib.import_module",
        "importlib.reload",
        "inspect.getmodule",
        *(f"{ANY_MODULE}.{each}" for each in _OF_TABLE),
    )
)

_WRITTEN_BY = {
    "torch.load": frozenset(("save",)),
    **dict.fromkeys(("pickle.load", "pickle.loads"), frozenset(("dump", "dumps"))),
}
"""Functions that read objects from a file, and the names of those that write them."""
_WRITERS = frozenset(("torch.save", "torch.serialization.save", "pickle.dump", "pickle.dumps"))

_GETTER = "operator.attrgetter"
_RUNTIME = "qprep.runtime_modules."
_ORIGINALS = f"{_RUNTIME}original_"

ANY_OF_PACKAGE = "*"
"""The last part of the name of what a computed name gets from a package: a class or function that is not known."""

CHILDREN = frozenset(("children", "named_children", "modules", "named_modules"))
_OTHER_CLASSES = frozenset(("__base__", "__bases__", "__mro__"))
DICTIONARIES = frozenset(("_modules", "__dict__"))
FETCHES = frozenset(("get_submodule", "get_parameter", "get_buffer"))
_TENSORS = frozenset(["parameters", "named_parameters", "buffers", "named_buffers", "state_dict"])
# Functions of these packages return numbers, texts and tensors; of torch itself, these return the module given.
_VALUE_PACKAGES = (
    "torch.nn.functional.",
    "torch.linalg.",
    "math.",
    "numpy.",
    "os.",
    "re.",
    "json.",
    "time.",
    "random.",
)
_WRAPS_MODULES = frozenset(("compile", "vmap"))
# Packages whose functions find objects that nobody gives them, and attributes that do.
_REFLECTIVE = ("gc.", "ctypes.", "inspect.currentframe", "inspect.stack", "sys._getframe")
_REFLECTED = frozenset(
    ["__closure__", "__globals__", "__self__", "cell_contents", "f_back", "f_globals", "f_locals", "gi_frame",
     "tb_frame"]
)  # fmt: skip
_KEEPS_NOTHING = (
    "builtins.", "json.", "math.", "numpy.", "os.", "pathlib.", "qprep.", "random.", "re.", "shutil.", "time.",
    "torch.", "typing.",
)  # fmt: skip
_VALUE_CLASSES = frozenset(
    [*(f"builtins.{name}" for name in ("bool", "bytes", "complex", "float", "int", "str")), "numbers.Integral",
     "numbers.Number", "numbers.Real", "torch.Tensor"]
)  # fmt: skip
_MODULES = frozenset(("torch.nn.Module", "torch.nn.modules.Module", "torch.nn.modules.module.Module"))
_ROOTS = frozenset(("builtins.object", "typing.Generic", "typing.Protocol", "abc.ABC"))

_TORCH_CONTAINERS = frozenset(("ModuleDict", "ModuleList", "Sequential"))
_NAMESPACES = (Named, ClassObject, FunctionObject)
"""Objects whose attributes code finds by their names: modules, classes, functions."""

_CONTAINERS = frozenset(("Sequential", "ModuleList", "ModuleDict", "DataParallel", "DistributedDataParallel"))


@dataclass(frozen=True, slots=True)
class _Variable:
    """All bindings of a name in a scope."""

    scope: LexicalScope
    name: str


@dataclass(frozen=True, slots=True)
class _Result:
    """The result of calling a function."""

    scope: LexicalScope


@dataclass(frozen=True, slots=True)
class _Stored:
    """The value of an attribute of a class's instances; of any class if it is None."""

    cls: ClassRef | None
    attribute: str


@dataclass(frozen=True, slots=True)
class _Kept:
    """Values stored in the object of a scope's variable, or (None) of an attribute of any object."""

    home: LexicalScope | None
    name: str


@dataclass(frozen=True, slots=True)
class _Outside:
    """Values of an attribute on other objects than `self`; `of_foreign`: on an object of another package."""

    attribute: str
    of_foreign: bool = False


@dataclass(frozen=True, slots=True)
class _Computed:
    """Values that objects of a class get under computed names, for one attribute or (None) for any."""

    holder: ClassRef | str
    attribute: str | None = None


@dataclass(frozen=True, slots=True)
class _Attached:
    """Values of attributes of objects of another package's class."""

    holder: str


@dataclass(frozen=True, slots=True)
class _Given:
    """The arguments of all calls of a class; those for one field of a dataclass."""

    cls: ClassRef
    field: str | None = None


@dataclass(frozen=True, slots=True)
class _Written:
    """The objects that the project passes to functions of these names, which write them into a file."""

    functions: frozenset[str]


_Key = _Variable | _Result | _Stored | _Kept | _Outside | _Computed | _Attached | _Given | _Written | ast.AST


def is_torch_container(name: str) -> bool:
    """True if a dotted name is that of Sequential, ModuleList or ModuleDict."""
    return name.rpartition(".")[2] in _TORCH_CONTAINERS


class PointsTo:
    """The points-to sets of a project's expressions."""

    def __init__(
        self,
        project: Project,
        modules: Iterable[str],
        may_hold: Callable[[ClassRef, str], bool] = lambda _cls, _attribute: True,
        has_own: Callable[[ClassRef, str], bool] = lambda _cls, _attribute: True,
    ) -> None:
        """`may_hold` says whether an attribute of a class may hold anything but numbers, texts and tensors.

        `has_own` says whether the code of a class, or of its bases, gives its instances an attribute.
        """
        self.project = project
        self._may_hold = may_hold
        self._has_own = has_own
        self.modules = tuple(modules)
        self.names = NameTable(project, self.modules)
        self._files: dict[str, FileScopes | None] = {}
        self._values: dict[_Key, References] = {}
        self._derived: dict[Derived, Any] = {}
        self._computing: dict[Derived, Callable[[], Any]] = {}
        self._scopes: dict[ast.AST, LexicalScope] = {}
        self._users: dict[_Key | Derived, dict[_Key | Derived, None]] = defaultdict(dict)
        self._methods: dict[tuple[ClassRef, str], list[LexicalScope]] = {}
        self._families: dict[ClassRef, frozenset[ClassRef]] = {}
        self._local_bodies: dict[ClassRef, tuple[LexicalScope, ...]] = {}
        self._kept: dict[str, bool] = {}
        self._assigned: dict[LexicalScope, frozenset[str]] = {}
        self._getters: dict[Place | None, ast.Call] = {}  # the calls of `attrgetter`, by their places
        self._waiting: deque[_Key] = deque()
        self._queued: set[_Key] = set()
        self._outdated: dict[Derived, None] = {}
        self._current: list[_Key | Derived] = []
        self._limit = MAX_DEPTH
        # Values of which nothing is known so far, with the keys that need to know; and those that stay unknown.
        self._undecided: dict[_Key, dict[_Key | Derived, None]] = {}
        self._decided: set[_Key] = set()
        self.calls = CallGraph(self)
        self.implicit = ImplicitCalls(self)

    # Files and definitions

    def file(self, module: str) -> FileScopes | None:
        """The scopes of a module of the project."""
        if module not in self._files:
            index = self.project.index(module)
            self._files[module] = FileScopes(index) if index is not None else None
        return self._files[module]

    def function(self, module: str, node: ast.AST) -> LexicalScope | None:
        """The scope of a definition."""
        file = self.file(module)
        return file.defined(node) if file is not None else None

    def method(self, cls: ClassRef, name: str) -> list[LexicalScope]:
        """The definitions of a method that an instance of a class, or of a subclass, may run.

        A subclass may find it in a base of its own, in addition to `cls`: a mixin.
        """
        if (cls, name) not in self._methods:
            found = [self.first_method(each, name) for each in (cls, *self.project.subclasses(cls))]
            self._methods[cls, name] = list(dict.fromkeys(scope for own in found for scope in own))
        return self._methods[cls, name]

    def first_method(self, cls: ClassRef, name: str) -> list[LexicalScope]:
        """The definitions of a method in the class nearest to `cls` that has any."""
        owns = (self._own_method(base, name) for base in self.project.mro(cls) if isinstance(base, ClassRef))
        return next(filter(None, owns), [])

    def inherited_method(self, cls: ClassRef, name: str) -> list[LexicalScope]:
        """The definition that `super().name` means in a class."""
        for base in self.project.mro(cls)[1:]:
            own = self._own_method(base, name) if isinstance(base, ClassRef) else []
            if own:
                return own
        return []

    @cached_property
    def stores(self) -> StoreTable:
        """Values that the project stores in objects without a plain assignment."""
        return StoreTable(file for module in self.modules if (file := self.file(module)) is not None)

    @cached_property
    def registering(self) -> list[ast.expr]:
        """The objects whose method `register` the project fetches: classes may be told their virtual subclasses."""
        files = (file for module in self.modules if (file := self.file(module)) is not None)
        nodes = [(node, file) for file in files for node in file.index.of(ast.Attribute) if node.attr == "register"]
        for node, file in nodes:
            self._scopes[node.value] = file.scope_of(node)
        return [node.value for node, _ in nodes]

    def has_virtual_subclasses(self, cls: ClassRef) -> bool:
        """True if the project may register other classes as subclasses of a class."""
        return any(cls in _classes(self._get(node, self._scopes[node])) for node in self.registering)

    @cached_property
    def has_own_containers(self) -> bool:
        """True if a class of the project inherits from a container of torch.nn."""
        outlines = ((name, self.project.surface(name)) for name in self.modules)
        classes = (ClassRef(name, cls) for name, found in outlines if found is not None for cls in found.classes)
        return any(map(self.is_container, classes))

    def is_container(self, cls: ClassRef) -> bool:
        """True if a class inherits from Sequential, ModuleList or ModuleDict."""
        bases = (base.name for base in self.project.mro(cls) if isinstance(base, External))
        return any(map(is_torch_container, bases))

    def _own_method(self, cls: ClassRef, name: str) -> list[LexicalScope]:
        if not any(key.partition(":")[0] == name for key in self.project.methods(cls) or ()):
            return []  # without a need to parse the file
        file = self.file(cls.module)
        # The tree that the scopes were made of: the project may have parsed the file again since.
        entry = file.index.classes.get(cls.name) if file is not None else None
        if file is None or entry is None:
            return []
        nodes = [node for key, node in entry.methods.items() if key.partition(":")[0] == name]
        return [scope for node in nodes if (scope := file.defined(node)) is not None]

    # Solving

    def of(self, node: ast.expr, scope: LexicalScope) -> References:
        """The objects that an expression in a scope may refer to."""
        return self._get(node, scope)

    def where(self, module: str, node: ast.AST) -> References:
        """The objects that an expression of a module may refer to at its place."""
        file = self.file(module)
        if file is None or not isinstance(node, ast.expr) or node not in file.parents:
            return NOTHING
        return self._get(node, file.scope_of(node))

    def of_parameters(self, scope: LexicalScope) -> References:
        """The objects that a function's parameters may refer to, except for the first of a method."""
        names = [name for name, bound in scope.bindings.items() if any(b.kind is BindingKind.PARAMETER for b in bound)]
        return _union(self._get(_Variable(scope, name)) for name in names if name != scope.receiver)

    def of_attribute(self, cls: ClassRef, attribute: str) -> References:
        """The objects that an attribute of a class's instances may refer to, by the project's assignments."""
        return self._get(_Stored(cls, attribute))

    def _get(self, key: _Key, scope: LexicalScope | None = None) -> References:
        """The value of a key so far; the key that is being computed is computed again when it grows."""
        if isinstance(key, ast.AST) and scope is not None:
            self._scopes[key] = scope
        if self._current:
            self._users[key][self._current[-1]] = None
        if key not in self._values:
            self._values[key] = NOTHING
            if len(self._current) < self._limit:
                self._update(key)
            else:
                self._enqueue(key)
        if not self._current:
            self._solve()
        return self._values[key]

    def derived(self, key: Derived, compute: Callable[[], T], empty: T) -> T:
        """A result that follows from values, so far: it is computed again when these grow, and merged by `|`."""
        if self._current:
            self._users[key][self._current[-1]] = None
        if key not in self._derived:
            self._derived[key] = empty
            self._computing[key] = compute
            if len(self._current) < self._limit:
                self._derive(key)
            else:
                self._outdated[key] = None
        if not self._current:
            self._solve()
        return self._derived[key]  # type: ignore[no-any-return]

    def _derive(self, key: Derived) -> None:
        self._current.append(key)
        try:
            found = self._computing[key]()
        finally:
            self._current.pop()
        merged = self._derived[key] | found
        if merged != self._derived[key]:
            self._derived[key] = merged
            for user in self._users[key]:
                self._enqueue(user)

    def _enqueue(self, key: _Key | Derived) -> None:
        if isinstance(key, Derived):
            self._outdated[key] = None
        elif key not in self._queued:
            self._queued.add(key)
            self._waiting.append(key)

    def _solve(self) -> None:
        """Compute again what grew, until nothing does; then take values of which nothing is known for unknown ones."""
        while self._waiting or self._outdated or self._undecided:
            while self._waiting:
                key = self._waiting.popleft()
                self._queued.discard(key)
                self._update(key)
            outdated, self._outdated = self._outdated, {}
            for each in outdated:
                self._derive(each)
            if outdated:
                continue
            self._decide()

    def _decide(self) -> None:
        """Take values of which nothing is known for unknown ones."""
        undecided, self._undecided = self._undecided, {}
        for key, users in undecided.items():
            if not self._values[key]:
                self._decided.add(key)
                for user in users:
                    self._enqueue(user)

    def known(self, node: ast.expr, scope: LexicalScope) -> References | None:
        """The objects that an expression may refer to; None while that may still become known.

        So no known function counts as unknown code, and no known object as one without facts.
        """
        return self._known(node, scope)

    def _known(self, key: _Key, scope: LexicalScope | None = None) -> References | None:
        found = self._get(key, scope)
        if found or not self._current or key in self._decided:
            return found
        self._undecided.setdefault(key, {})[self._current[-1]] = None
        return None

    def _update(self, key: _Key) -> None:
        if is_complete(self._values[key]):
            return  # it covers everything already
        self._current.append(key)
        try:
            found = self._compute(key)
        finally:
            self._current.pop()
        known = self._values[key]
        if found <= known:
            return
        grown = widened(known | found)
        if grown != known:
            self._values[key] = grown
            for user in self._users[key]:
                self._enqueue(user)

    def _compute(self, key: _Key) -> References:
        match key:
            case _Variable(scope=scope, name=name):
                return self._of_variable(scope, name)
            case _Result(scope=scope):
                return _union(self._get(node, scope) for node in scope.returned)
            case _Stored(cls=cls, attribute=attribute):
                return self._of_stored(cls, attribute)
            case _Kept():
                return self._of_kept(key)
            case _Outside(attribute=attribute, of_foreign=of_foreign):
                return self._given_outside(attribute, of_foreign)
            case _Computed(holder=holder, attribute=computed):
                return self._of_computed(holder, computed)
            case _Attached(holder=name):
                return self._attached_to(name)
            case _Given(cls=cls, field=field):
                return self._given_to(cls, field)
            case _Written(functions=functions):
                return self._given_to_writers(functions)
            case ast.expr():
                return self._of_expression(key, self._scopes[key])
        raise TypeError(f"no value is computed for {key!r}")

    def _given_to_writers(self, functions: frozenset[str]) -> References:
        """The objects that a file may hold: a model that `torch.save` got is one of its class when it is loaded."""
        files = (file for module in self.modules if (file := self.file(module)) is not None)
        calls = [
            (call, file) for file in files for call in file.index.of(ast.Call) if last_name(call.func) in functions
        ]
        found = _union(
            self._get(call.args[0], file.scope_of(call))
            for call, file in calls
            if call.args and self._may_write(call, file.scope_of(call))
        )
        return frozenset(each for each in found if isinstance(each.base, Instance | Made | Held | Below))

    def _may_write(self, call: ast.Call, scope: LexicalScope) -> bool:
        """True if a function may write objects into a file: it is one that does, or is not known."""
        callees = self.known(call.func, scope)
        if callees is None:
            return False
        names = {each.base.name for each in callees if isinstance(each.base, Named)}
        return len(names) < len(callees) or not callees or not names.isdisjoint(_WRITERS)

    # Variables

    def _of_variable(self, scope: LexicalScope, name: str) -> References:
        found = _union(self.of_binding(scope, name, binding) for binding in scope.bindings.get(name, ()))
        bindings = scope.bindings.get(name, ())
        if bindings and all(b.kind in (BindingKind.IMPORT, BindingKind.DEFINITION) for b in bindings):
            return found
        if name == scope.receiver and scope.owner is not None and not self.may_keep_items(scope.owner):
            return found
        found |= self._get(_Kept(scope, name))
        return found | self._set_in_module(scope, name) if scope.parent is None else found

    def variables(self, scope: LexicalScope) -> References:
        """The objects that all variables of a scope may refer to."""
        return self._every_binding(scope)

    def held_by(self, references: References) -> References:
        """The objects that attributes may hold, by any name."""
        return frozenset(Reference(Held(cls, None)) for cls in _classes_of(references))

    def kept_in(self, scope: LexicalScope, name: str) -> References:
        """The values stored in the object of a variable."""
        return self._get(_Kept(scope, name))

    def of_binding(self, scope: LexicalScope, name: str, binding: Binding) -> References:
        """The values that one binding gives a name."""
        value = binding.value
        if binding.kind is BindingKind.PARAMETER:
            return self._of_parameter(scope, name)
        if binding.kind is BindingKind.IMPORT:
            return self.of_dotted(binding.target)
        if binding.kind is BindingKind.DEFINITION:
            return self._of_definition(scope, value) if value is not None else NOTHING
        if not isinstance(value, ast.expr):
            return NOTHING
        found = self._get(value, binding.home(scope))
        match binding.kind:
            case BindingKind.ITEM:
                return self._item_of(found, name, scope.file.parents.get(value))
            case BindingKind.PATTERN:
                return self._of_pattern(self._items(found), binding.target)
            case BindingKind.ENTERED:
                return found | self._of_methods(found, "__enter__", "__aenter__")
            case BindingKind.RAISED:
                return self._of_exception(found)
        return found

    def _of_pattern(self, found: References, attribute: str) -> References:
        if not attribute:
            return found
        return found | (self._any_attribute(found) if attribute == ANY_ATTRIBUTE else self.attribute(found, attribute))

    def _of_exception(self, classes: References) -> References:
        """A caught exception: an instance of the classes, with what any exception is made with."""
        made = {Reference(Instance(cls)) for cls in _classes(classes)}
        given = _union(self._get(value, where) for value, where in self.stores.raised)
        return frozenset(made) | (given | HOLDER if given else NOTHING)

    def _of_kept(self, key: _Kept) -> References:
        """The values stored in the object of a variable, or of an attribute on any object."""
        home, name = key.home, key.name
        if isinstance(home, LexicalScope):
            found = _union(map(self._added, self.stores.of_variable(home, name)))
            reads = self.names.reads(home.file, name) if self._is_container(home, name) else ()
            uses: list[tuple[ast.expr, FileScopes]] = [
                (node, home.file) for node in reads if home.file.scope_of(node).binder(name) is home
            ]
            if home.is_function and any(isinstance(node, ast.Name) and node.id == name for node in home.returned):
                found |= _union(map(self._added, self.stores.of_result(home.name)))
            if home.parent is None:
                kept = self.stores.of_attribute(name)
                found |= _union(self._added(each.addition) for each in kept if self._may_be_of_module(each))
            return found | _union(self._kept_by_callee(node, file) for node, file in uses)
        return self._kept_in_attribute(name, None) | self._kept_by_callees(name, None)

    def _may_be_of_module(self, kept: Kept) -> bool:
        """True if what something is added to may be a variable of a module, and no attribute of another object."""
        if kept.node is None or kept.scope is None:
            return True
        if self._is_own(kept.node, kept.scope):
            return False
        return any(isinstance(each.base, Named | Anything | Many) for each in self._get(kept.node.value, kept.scope))

    def _kept_in_attribute(self, name: str, family: frozenset[ClassRef] | None) -> References:
        """The values stored in what an attribute holds: of objects of a family, or (None) of any."""
        return _union(
            self._added(kept.addition)
            for kept in self.stores.of_attribute(name)
            if family is None or kept.node is None or kept.scope is None or self._may_set(kept.node, kept.scope, family)
        )

    def _kept_by_callees(self, name: str, family: frozenset[ClassRef] | None) -> References:
        """The values that functions store in what an attribute holds, which they are given."""
        return _union(
            self._kept_by_callee(node, file)
            for node, file in self.names.loads(self, name)
            if isinstance(node, ast.Attribute)
            and self._call_of_adder(node, file) is not None
            and (family is None or self._may_set(node, file.scope_of(node), family))
        )

    def _is_container(self, home: LexicalScope, name: str) -> bool:
        """True if a variable may hold an object that can keep others."""
        kinds = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp, ast.Call)
        return any(isinstance(b.value, kinds) or b.kind is BindingKind.PARAMETER for b in home.bindings.get(name, ()))

    def _kept_by_callee(self, node: ast.expr, file: FileScopes) -> References:
        """The values that a function stores in an argument."""
        call = self._call_of_adder(node, file)
        if call is None:
            return NOTHING
        found = NOTHING
        for function in self._functions(self._get(call.func, file.scope_of(call))):
            for name in self.calls.bound_names(call, function, node):
                found |= self._get(_Kept(function, name))
        return found

    def _call_of_adder(self, node: ast.expr, file: FileScopes) -> ast.Call | None:
        """The call that an expression is an argument of, where the function may put something into it."""
        call: ast.AST | None = file.parents.get(node)
        call = file.parents.get(call) if isinstance(call, ast.keyword) else call
        if not isinstance(call, ast.Call) or call.func is node or last_name(call.func) not in self.stores.adders:
            return None
        return call

    def _functions(self, callees: References) -> Iterable[LexicalScope]:
        """The functions of the project that a call runs."""
        for reference in callees:
            base = reference.base
            if isinstance(base, FunctionObject):
                yield base.scope
            elif isinstance(base, ClassObject) and isinstance(base.cls, ClassRef):
                yield from self.method(base.cls, "__init__")

    def _added(self, addition: Addition) -> References:
        """The values that an addition may store in an object; none if the receiving code is followed by itself."""
        if addition.passed is not None:
            return self._given_to_passed(addition.passed, addition.scope)
        if addition.callee is not None and not addition.keeps_texts:
            callees = self.known(addition.callee, addition.scope)
            if callees is None or (callees and all(map(_is_followed, callees))):
                return NOTHING
            if isinstance(addition.callee, ast.Attribute):
                owners = self._get(addition.callee.value, addition.scope)
                if owners and all(map(self._keeps_children, owners)):
                    return NOTHING
        found = _union(self._get(value, addition.scope) for value in addition.values)
        if addition.callee is not None and not addition.keeps_texts:
            found = self._with_parts(found)
        return found if addition.keeps_texts else found - {CHILD_NAME}

    def _given_to_passed(self, method: ast.Attribute, scope: LexicalScope) -> References:
        """What calls give a method of a container that is stored or passed on: `add = items.append`."""
        if any(isinstance(each.base, FunctionObject) for each in self._get(method, scope)):
            return NOTHING  # a method of the project, which is followed by itself
        uses = self.calls.uses_of(method, scope.file)
        given = [(value, where) for call, where in (*uses.direct, *uses.loose) for value in given_values(call)]
        found = _union(self._get(value, where) for value, where in given)
        owners = _union(self._get(c.func.value, w) for c, w in uses.loose if isinstance(c.func, ast.Attribute))
        return found | owners | self.below(owners)

    def _keeps_children(self, reference: Reference) -> bool:
        """True if an object is a module that keeps others as children alone: they count as below it."""
        base = reference.base
        if isinstance(base, Made):
            return base.name.startswith("torch.nn.") and not is_torch_container(base.name)
        return isinstance(base, Below) or (
            isinstance(base, Instance) and self.is_module(base.cls) and not self.is_container(base.cls)
        )

    def _set_in_module(self, scope: LexicalScope, name: str) -> References:
        """The values of a module's variable elsewhere: `package.module.name = value`, `globals()[name] = value`."""
        found = NOTHING
        for node, where in self.names.stores(self, name):
            value = assigned_value(node, where.file.parents)
            if value is None or self._is_own(node, where):
                continue
            holders = self._get(node.value, where)
            if any(isinstance(each.base, Named | Anything | Many) for each in holders):
                found |= self._get(value, where)
        for store in self.stores.attribute_stores(name):
            if store.owner is None and store.scope.file is scope.file:
                found |= _union(self._get(value, store.scope) for value in store.values)
        return found

    def _of_definition(self, scope: LexicalScope, node: ast.AST) -> References:
        if isinstance(node, ast.ClassDef):
            cls = scope.file.class_of(node)
            return frozenset((Reference(ClassObject(cls)),)) if cls is not None else NOTHING
        inner = scope.file.defined(node)
        if inner is None:
            return NOTHING
        found = frozenset((Reference(FunctionObject(inner)),))
        registered = self.stores.registered.get((scope, inner.name), ())
        found |= {Reference(FunctionObject(each)) for each in registered}
        # A decorator of the project may put another function in its place.
        for decorator in getattr(node, "decorator_list", ()):
            for reference in self._get(decorator, scope):
                if not isinstance(reference.base, ClassObject):
                    found |= _union(self._get(_Result(each)) for each in decorations.run_by(reference, self.method))
        return found

    def _of_parameter(self, scope: LexicalScope, name: str) -> References:
        cls = scope.owner
        arguments = scope.arguments
        positional = [*arguments.posonlyargs, *arguments.args] if arguments is not None else []
        is_first = bool(positional) and positional[0].arg == name
        if cls is not None and is_first and not scope.has_decorator("staticmethod"):
            if scope.name == "__init_subclass__":
                return frozenset(Reference(ClassObject(each)) for each in self.project.subclasses(cls))
            if scope.has_decorator("classmethod") or scope.name == "__new__":
                return frozenset((Reference(ClassObject(cls)),))
            return frozenset((Reference(Instance(cls)),)) | self._of_computed_bases(cls)
        if cls is not None and (scope.name == "__class_getitem__" or self.is_metaclass(cls)):
            is_setter = scope.name == "__setattr__" and len(positional) == 3
            if not is_setter:
                return ANY_OBJECT
            return self._set_on_classes() if positional[2].arg == name else frozenset((CHILD_NAME,))
        found = self.default(scope, name)
        is_packed = arguments is not None and arguments.vararg is not None and arguments.vararg.arg == name
        if is_first or (is_packed and not positional):
            found |= {Reference(Instance(cls)) for cls in self.calls.decorated_methods(scope)}
        if is_first:
            found |= self._of_first_parameter(scope)
        elif cls is not None and scope.name in BINARY_METHODS:
            found |= {Reference(Instance(cls))}
        found |= {definition for parameter, definition in self.calls.decorated(scope) if parameter == name}
        for value, value_scope in (*self.calls.arguments(scope, name), *self.implicit.arguments(scope, name)):
            found |= self._get(value, value_scope)
        if found and scope.name in ("__exit__", "__aexit__"):
            found |= HOLDER  # an exception holds what it is made with
        if self.calls.is_unknown(scope):
            found |= MANY_WITH_NAMES
        return found | self.calls.implicit_arguments(scope)

    def _set_on_classes(self) -> References:
        """The values that assignments in any place give attributes of classes."""
        found = NOTHING
        for module in self.modules:
            file = self.file(module)
            for node in file.index.of(ast.Attribute) if file is not None else ():
                value = assigned_value(node, file.parents) if isinstance(node.ctx, ast.Store) and file else None
                if value is not None and file is not None and self._is_class(node.value, file.scope_of(node)):
                    found |= self._get(value, file.scope_of(node))
        for store in self.stores.every_attribute_store():
            if store.owner is not None and self._is_class(store.owner, store.scope):
                found |= _union(self._get(value, store.scope) for value in store.values)
        return found

    def _is_class(self, node: ast.expr, scope: LexicalScope) -> bool:
        return any(isinstance(each.base, ClassObject | Anything | Many) for each in self._get(node, scope))

    def is_metaclass(self, cls: ClassRef) -> bool:
        """True if the instances of a class are classes."""
        return any(isinstance(base, External) and base.name == "builtins.type" for base in self.project.mro(cls))

    def _of_first_parameter(self, scope: LexicalScope) -> References:
        """The instances of a class that a function is made a method of."""
        found: set[Reference] = set()
        for value, where in self.calls.receivers(scope):
            for reference in self._get(value, where):
                if isinstance(reference.base, ClassObject) and isinstance(reference.base.cls, ClassRef):
                    found.add(Reference(Instance(reference.base.cls)))
        return frozenset(found)

    def default(self, scope: LexicalScope, name: str) -> References:
        """The objects that the default of a parameter refers to."""
        arguments = scope.arguments
        if arguments is None or scope.parent is None:
            return NOTHING
        positional = [*arguments.posonlyargs, *arguments.args]
        paired = list(zip([a.arg for a in positional][::-1], arguments.defaults[::-1], strict=False))
        paired += [
            (a.arg, d) for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if d is not None
        ]
        value = dict(paired).get(name)
        return self._get(value, scope.parent) if value is not None else NOTHING

    def of_dotted(self, dotted: str) -> References:
        """The object of a dotted name: a class, a function, a value of a module, or one of another package."""
        found = NOTHING
        for option in options(self.project.resolve(dotted)):
            if isinstance(option, ClassRef):
                found |= {Reference(ClassObject(option))}
            elif isinstance(option, FunctionRef):
                node = self.project.function_node(option)
                scope = self.function(option.module, node) if node is not None else None
                found |= {Reference(FunctionObject(scope))} if scope is not None else NOTHING
            elif isinstance(option, External):
                found |= self._of_external(option.name)
        return found

    def _of_external(self, name: str) -> References:
        module, _, last = name.rpartition(".")
        if module and name not in self.project.given and module in self.project.given:
            file = self.file(module)
            if file is not None and last in file.top.bindings:
                return self._get(_Variable(file.top, last))
        return frozenset((Reference(Named(name)),))

    # Attributes

    def _of_stored(self, cls: ClassRef | None, attribute: str) -> References:
        """The values of all assignments to the attribute: on `self` in the family of a class, or on any object."""
        family = self.family(cls) if cls is not None else None
        found = self._kept_in_attribute(attribute, family) | self._kept_by_callees(attribute, family)
        for node, scope in self.names.stores(self, attribute):
            if family is not None and not self._may_set(node, scope, family):
                continue
            value = assigned_value(node, scope.file.parents)
            found |= self._get(value, scope) if value is not None else NOTHING
        found |= self._set_by_name(attribute, family)
        if cls is not None:
            for base in self.project.mro(cls):
                entry = self.project.class_node(base) if isinstance(base, ClassRef) else None
                file = self.file(base.module) if isinstance(base, ClassRef) else None
                value = entry.values.get(attribute) if entry is not None else None
                inner = file.defined(entry.node) if entry is not None and file is not None else None
                found |= self._get(value, inner) if value is not None and inner is not None else NOTHING
            found |= self._of_field(cls, attribute)
        return found | self._of_methods(found, "__get__")

    def _may_set(self, node: ast.Attribute, scope: LexicalScope, family: frozenset[ClassRef]) -> bool:
        """True if an assignment to an attribute may be one to an object of a family."""
        if self._is_own(node, scope):
            return self.enclosing_class(scope) in family
        owners = self.known(node.value, scope)
        return owners is not None and (not owners or may_be_of(owners, family))

    def _set_by_name(self, attribute: str, family: frozenset[ClassRef] | None) -> References:
        """The values of an attribute that is set by a computed name, on an object that may be of a family."""
        found = NOTHING
        for store in self.stores.attribute_stores(attribute):
            if store.of_modules and family is not None and not any(map(self._may_be_module, family)):
                continue
            if isinstance(family, frozenset) and self._is_below_others(store, family):
                continue
            if store.owner is not None and (family is None or may_be_of(self._get(store.owner, store.scope), family)):
                found |= _union(self._get(value, store.scope) for value in store.values)
        return found

    def set_by_computed_names(self, cls: ClassRef) -> References:
        """The values of attributes of instances of a class that code sets by names which are not written out."""
        return self._get(_Computed(cls))

    def set_from_outside(self, holder: str) -> References:
        """The values of attributes of objects of a class of another package, by any name."""
        return self._get(_Attached(holder))

    def _attached_to(self, holder: str) -> References:
        found = self._get(_Computed(holder))
        for store in self.stores.named_stores():
            if store.owner is not None and may_be_of(self._get(store.owner, store.scope), holder):
                found |= _union(self._get(value, store.scope) for value in store.values)
        for value, node, where in self._set_outside_of_methods:
            if kept := self._get(value, where):
                found |= kept if may_be_of(self._get(node.value, where), holder) else NOTHING
        return found

    @cached_property
    def _set_outside_of_methods(self) -> list[tuple[ast.expr, ast.Attribute, LexicalScope]]:
        """The values that code gives attributes of other objects than `self`, and where."""
        files = (file for module in self.modules if (file := self.file(module)) is not None)
        stores = (
            (node, file.scope_of(node)) for file in files for node in file.index.of(ast.Attribute) if _is_store(node)
        )
        return [
            (value, node, scope)
            for node, scope in stores
            if not self._is_own(node, scope) and (value := assigned_value(node, scope.file.parents)) is not None
        ]

    def _of_computed(self, holder: ClassRef | str, attribute: str | None = None) -> References:
        """The same, for a class of the project, or a class of another package by its name."""
        family = self.family(holder) if isinstance(holder, ClassRef) else holder
        found = NOTHING
        for store in self.stores.computed_stores(attribute):
            if store.of_modules and isinstance(family, frozenset) and not any(map(self._may_be_module, family)):
                continue
            if isinstance(family, frozenset) and self._is_below_others(store, family):
                continue
            if store.owner is not None and may_be_of(self._get(store.owner, store.scope), family):
                found |= _union(self._get(value, store.scope) for value in store.values)
        return found

    def _of_field(self, cls: ClassRef, attribute: str) -> References:
        """The attributes of instances whose constructor is generated: dataclasses, tuples."""
        if self.method(cls, "__init__") or self.method(cls, "__new__") or self.is_module(cls) or self._is_enum(cls):
            return NOTHING
        return self._get(_Given(cls, attribute if self._is_dataclass(cls) else None))

    def _is_enum(self, cls: ClassRef) -> bool:
        """True if calls of a class look up one of its members, which are all made in its body."""
        return any(isinstance(base, External) and base.name.startswith("enum.") for base in self.project.mro(cls))

    def _is_dataclass(self, cls: ClassRef) -> bool:
        """True if the constructor of a class sets each field to the argument of its name, and does nothing else."""
        bases = [base for base in self.project.mro(cls) if not (isinstance(base, External) and base.name in _ROOTS)]
        owns = [base for base in bases if isinstance(base, ClassRef)]
        is_plain = len(owns) == len(bases) and not any(self._own_method(base, "__post_init__") for base in owns)
        return is_plain and all(map(self._is_decorated_as_dataclass, owns))

    def _is_decorated_as_dataclass(self, cls: ClassRef) -> bool:
        entry, body = self.project.class_node(cls), self._body(cls)
        if entry is None or body is None or body.parent is None or len(entry.node.decorator_list) != 1:
            return False
        (decorator,) = entry.node.decorator_list
        made = self._get(decorator.func if isinstance(decorator, ast.Call) else decorator, body.parent)
        return made == {Reference(Named("dataclasses.dataclass"))} and not entry.node.keywords

    def given_to(self, cls: ClassRef) -> References:
        """The items that calls of a container class, and its own methods, store in its instances."""
        return self._get(_Given(cls))

    def _given_to(self, cls: ClassRef, field: str | None) -> References:
        """The arguments of all calls of a class, or for one field, and what its methods put into their own object."""
        found = NOTHING
        for node, file in self.calls.meanings(cls.name.rpartition(".")[2].partition(":")[0]).classes.get(cls, ()):
            parent = file.parents.get(node)
            if isinstance(parent, ast.Call) and parent.func is node:
                scope = file.scope_of(parent)
                values = [*parent.args, *(k.value for k in parent.keywords if field is None or k.arg in (None, field))]
                found |= _union(self._get(value, scope) for value in values)
        bases = (base for base in self.project.mro(cls) if isinstance(base, ClassRef))
        return found | _union(self._added(each) for base in bases for each in self.stores.of_instances(base))

    def is_module(self, cls: ClassRef) -> bool:
        """True if a class inherits from a class of torch.nn."""
        bases = (base.name for base in self.project.mro(cls) if isinstance(base, External))
        return any(name.startswith("torch.") for name in bases)

    def _is_below_others(self, store: AttributeStore, family: frozenset[ClassRef]) -> bool:
        """True if `m._modules[name] = …` is of any name, and `m` is no known instance of a family.

        It is an effect on each attribute of the modules that `m` may be; its values are not followed.
        """
        if not store.of_modules or ANY_NAME not in store.names or store.owner is None:
            return False
        owners = self._get(store.owner, store.scope)
        return not any(isinstance(each.base, Instance) and each.base.cls in family for each in owners)

    def _may_be_module(self, cls: ClassRef) -> bool:
        """True unless all bases of a class are known, and none is of torch or built on it."""
        others = (base for base in self.project.mro(cls) if not isinstance(base, ClassRef))
        return not all(isinstance(b, External) and b.name.partition(".")[0] in sys.stdlib_module_names for b in others)

    def family(self, cls: ClassRef) -> frozenset[ClassRef]:
        """A class, its bases and its subclasses, as far as the project defines them."""
        if cls not in self._families:
            bases = [base for base in self.project.mro(cls) if isinstance(base, ClassRef)]
            self._families[cls] = frozenset((*bases, *self.project.subclasses(cls)))
        return self._families[cls]

    def receiver(self, scope: LexicalScope) -> str | None:
        """The name of `self` in the method around a scope."""
        current: LexicalScope | None = scope
        while current is not None:
            if current.receiver is not None:
                return current.receiver
            current = current.parent
        return None

    def enclosing_class(self, scope: LexicalScope) -> ClassRef | None:
        """The class of the method around a scope."""
        current: LexicalScope | None = scope
        while current is not None:
            if current.receiver is not None:
                return current.owner
            current = current.parent
        return None

    def attribute(self, references: References, name: str) -> References:
        """The objects that `x.name` may refer to if `x` refers to `references`."""
        found: set[Reference] = set()
        for base in {_without_place(each.base) for each in references}:
            if not self._has_known_values(base):
                found |= self._attribute_of(Reference(base), name)
        if not self._is_value(name) and any(
            _is_holder(each.base) for each in references
        ):  # it may hold any of the others
            found |= {each for each in references if isinstance(each.base, Instance | Made | Held | Below)}
        return frozenset(found)

    def _attribute_of(  # noqa: C901, PLR0912  (one case a kind of object)
        self, reference: Reference, name: str
    ) -> References:
        base = reference.base
        if name == "__class__":
            return self.class_of(frozenset((reference,)))
        match base:
            case FunctionObject():
                return self._set_outside(name)
            case Instance(cls=cls):
                if name in DICTIONARIES:
                    return frozenset((Reference(Below(base, is_direct=True)), CHILD_NAME))
                if methods := self.method(cls, name):
                    computed = [m for m in methods if is_property(m)]
                    if computed:
                        return _union(self._get(_Result(method)) for method in computed)
                    return _bound(methods)
                other = self._of_methods(frozenset((reference,)), "__getattr__", "__getattribute__")
                if not self.may_keep(cls, name):
                    return other
                if not self._may_have(base, name):
                    return other | self._get(_Stored(cls, name))
                return frozenset((Reference(Held(cls, name)),)) | self._get(_Stored(cls, name)) | other
            case ClassObject(cls=ClassRef() as cls):
                if methods := self.method(cls, name):
                    of_class = [method for method in methods if method.has_decorator("classmethod")]
                    others = (method for method in methods if method not in of_class)
                    return _bound(of_class) | {Reference(FunctionObject(method)) for method in others}
                return self._get(_Stored(cls, name))
            case Named(name="sys.modules") if name not in _OF_TABLE:
                files = [file for module in self.modules if (file := self.file(module)) and name in file.top.bindings]
                return _union(self._get(_Variable(file.top, name)) for file in files)
            case Named() if name == "__dict__":
                return self._defined_in(frozenset((reference,)))
            case Named(name=dotted):
                is_long = dotted.count(".") >= MAX_NAME or dotted.rpartition(".")[2][:1].isupper()
                return NOTHING if is_long else self.of_dotted(f"{dotted}.{name}")
            case Anything():
                return ANY_OBJECT
            case ClassOf() if name in _OTHER_CLASSES:
                return frozenset((reference,))
            case Holder():
                return self._get(_Outside(name, of_foreign=True))
            case HolderOf(owner=around):  # `nn.DataParallel(model).module`
                return (
                    NOTHING if self._is_value(name) or self._may_have(around, name) else frozenset((Reference(around),))
                )
            case Made() | Held() | Below() | Many():
                if name in DICTIONARIES:
                    return self.below(frozenset((reference,))) | {CHILD_NAME}
                if (part := _part_of_compound(base, name)) is not None:
                    return frozenset((part,)) | self._set_outside(name)
                if not self.may_hold(name) and not self._is_set_by_name(name):
                    return self._get(_Computed(base.name, name)) if isinstance(base, Made) else NOTHING
                owner = base.name if isinstance(base, Made) else None
                return frozenset((Reference(Held(owner, name)),)) | self._set_outside(name)
        return NOTHING

    def _is_value(self, name: str) -> bool:
        """True for an attribute of tensors that holds a number, a type or a place; no code of the project sets it."""
        return name in VALUES_OF_TENSORS and not self._is_an_attribute(name)

    def _may_have(self, base: Base, name: str) -> bool:
        """True if an object may have an attribute; False for a module of which reading it is an error."""
        if name in NN_MODULE_ATTRIBUTES or name in OF_CONTAINERS or name.startswith("__"):
            return True
        match base:
            case Instance(cls=cls) if self.is_module(cls):
                return any(self._has(each, name) for each in (cls, *self.project.subclasses(cls)))
            case Below():
                return self.names.is_method(name) or self._is_an_attribute(name)
        return True

    def _has(self, cls: ClassRef, name: str) -> bool:
        bases = (base for base in self.project.mro(cls) if isinstance(base, External))
        if not all(base.name in _ROOTS or base.name in _MODULES for base in bases):
            return True  # what a class of another package has is not known
        return bool(self._has_own(cls, name) or self.method(cls, name) or self.method(cls, "__getattr__"))

    def _is_an_attribute(self, name: str) -> bool:
        """True if code of the project gives any object an attribute of this name."""
        if any(self.names.holders(name)) or any(self.names.stores(self, name)):
            return True
        return any(store.owner is not None for store in self.stores.attribute_stores(name))

    def _has_known_values(self, base: Base) -> bool:
        """True for what an attribute holds where the project gives it objects, which count in its place."""
        if not (isinstance(base, Held) and isinstance(base.owner, ClassRef) and base.attribute is not None):
            return False
        stored = self._known(_Stored(base.owner, base.attribute))
        return stored is None or any(isinstance(each.base, Instance | Made) for each in stored)

    def may_keep(self, cls: ClassRef, name: str) -> bool:
        """True if an attribute of a class may hold anything but numbers, texts and tensors."""
        return self._may_hold(cls, name) or self._is_set_by_name(name)

    def _is_set_by_name(self, name: str) -> bool:
        """True if code sets an attribute by this name, written as a text."""
        return any(store.owner is not None for store in self.stores.attribute_stores(name, is_exact=True))

    def _set_outside(self, name: str) -> References:
        """The values of attributes of this name on other objects than `self`."""
        return self._get(_Outside(name))

    def _given_outside(self, name: str, of_foreign: bool) -> References:
        found = self._get(_Kept(None, name))
        for store in self.stores.attribute_stores(name):
            if store.owner is not None and not (of_foreign and self._is_of_project(store.owner, store.scope)):
                found |= _union(self._get(value, store.scope) for value in store.values)
        for node, where in self.names.stores(self, name):
            value = assigned_value(node, where.file.parents) if not self._is_own(node, where) else None
            found |= self._get(value, where) if value is not None else NOTHING
        return found

    def _is_of_project(self, node: ast.expr, scope: LexicalScope) -> bool:
        """True if an expression refers to objects of classes of the project alone."""
        found = self._get(node, scope)
        return bool(found) and all(isinstance(each.base, Instance | ClassObject) for each in found)

    def may_hold(self, name: str) -> bool:
        """True if an attribute of this name holds, on some object, anything but numbers, texts and tensors."""
        if name not in self._kept:
            self._kept[name] = any(self._may_hold(cls, name) for cls in self.names.holders(name))
        return self._kept[name] or any(
            self._get(value, scope)
            for node, scope in self.names.stores(self, name)
            if not self._is_own(node, scope) and (value := assigned_value(node, scope.file.parents)) is not None
        )

    def _is_own(self, node: ast.Attribute, scope: LexicalScope) -> bool:
        """True if an attribute is one of `self` in a method."""
        return isinstance(node.value, ast.Name) and node.value.id == self.receiver(scope)

    def class_of(self, references: References) -> References:
        """The classes of objects: `type(x)`."""
        found = NOTHING
        for reference in references:
            match reference.base:
                case Instance(cls=cls):
                    children = (cls, *self.project.subclasses(cls))
                    found |= frozenset(Reference(ClassObject(child)) for child in children)
                case Made(name=name):
                    found |= {Reference(ClassObject(name))}
                case Below() | Held() | Anything():
                    found |= {Reference(ClassOf(), reference.tests)}
                case _:
                    pass
        return found

    # Expressions

    def _of_expression(  # noqa: C901, PLR0912  (one case a node type)
        self, node: ast.expr, scope: LexicalScope
    ) -> References:
        match node:
            case ast.Name(id=name):
                return self._of_name(node, name, scope)
            case ast.Attribute(value=value, attr=attribute):
                return self._of_attribute_read(node, value, attribute, scope)
            case ast.Call():
                return self._of_call(node, scope)
            case ast.Subscript(value=value):
                found = self._get(value, scope)
                methods = self._of_methods(found, "__getitem__", "__missing__", "__class_getitem__")
                return self._items(found) | methods
            case ast.IfExp(body=body, orelse=orelse):
                return self._get(body, scope) | self._get(orelse, scope)
            case ast.NamedExpr(value=value) | ast.Starred(value=value) | ast.Await(value=value):
                return self._get(value, scope)
            case ast.BinOp(left=left, right=right, op=operator):
                both = self._get(left, scope) | self._get(right, scope)
                made = self._of_methods(both, *operator_methods(operator))
                if not isinstance(operator, ast.Add | ast.Mult | ast.BitOr):
                    return made
                # Of lists and dictionaries; an attribute alone may be a number.
                return made | frozenset(each for each in both if not isinstance(each.base, Held))
            case ast.UnaryOp(operand=operand, op=operator):
                return self._of_methods(self._get(operand, scope), *operator_methods(operator))
            case ast.Yield():
                return _union(self._get(value, where) for value, where in self.stores.sent)
            case ast.Dict(keys=keys, values=values):
                return _union(self._get(part, scope) for part in (*keys, *values) if part is not None)
            case ast.FormattedValue(value=value):
                return frozenset(each for each in self._get(value, scope) if isinstance(each.base, ChildName))
            case ast.Lambda():
                inner = scope.file.defined(node)
                return frozenset((Reference(FunctionObject(inner)),)) if inner is not None else NOTHING
        return _union(self._get(part, scope) for part in _parts(node))

    def _of_attribute_read(
        self, node: ast.Attribute, value: ast.expr, attribute: str, scope: LexicalScope
    ) -> References:
        if attribute in _REFLECTED:
            return ANY_OBJECT
        receiver = scope.receiver
        if receiver is not None and _is_name(value, receiver) and attribute in self._assigned_in(scope):
            assigned = last_value(node, receiver, scope.file.parents)
            if assigned is not None:
                return self._get(assigned, scope) | {Reference(Held(scope.owner, attribute))}
        if is_super(value, scope):
            return self._of_super(attribute, scope)
        return self.attribute(self._get(value, scope), attribute)

    def _of_super(self, name: str, scope: LexicalScope) -> References:
        """The methods that `super().name` may be: the next after the class, in its own order and in its subclasses'."""
        cls = self.enclosing_class(scope)
        if cls is None:
            return NOTHING
        found = [self._next_method(each, cls, name) for each in (cls, *self.project.subclasses(cls))]
        methods = list(dict.fromkeys(method for methods in found for method in methods))
        computed = _union(self._get(_Result(method)) for method in methods if is_property(method))
        plain = _bound(method for method in methods if not is_property(method))
        return computed | plain if methods else frozenset((Reference(Held(cls, name)),))

    def _next_method(self, cls: ClassRef, after: ClassRef, name: str) -> list[LexicalScope]:
        """The definitions of a method in the classes that follow another in the order of a class."""
        order = self.project.mro(cls)
        rest = order[order.index(after) + 1 :] if after in order else order
        owns = (self._own_method(base, name) for base in rest if isinstance(base, ClassRef))
        return next(filter(None, owns), [])

    def _assigned_in(self, scope: LexicalScope) -> frozenset[str]:
        """The attributes that a method gives a value, where the name of its object is bound once."""
        if scope not in self._assigned:
            names = (
                n.attr for n in ast.walk(scope.node) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)
            )
            is_bound_once = scope.receiver is not None and len(scope.bindings[scope.receiver]) == 1
            self._assigned[scope] = frozenset(names) if is_bound_once else frozenset()
        return self._assigned[scope]

    def _of_name(self, node: ast.Name, name: str, scope: LexicalScope) -> References:
        home = scope.binder(name)
        if home is None:
            index = scope.file.index
            dotted = self.project.global_name(index, name)
            return self.of_dotted(dotted) | self._get(_Variable(scope.file.top, name))
        if len(home.bindings[name]) == 1:
            return self.narrowed(node, self._get(_Variable(home, name)), home)
        loop = binding_loop(node, scope.file.parents)
        if loop is None or home is not scope:
            return self._get(_Variable(home, name))
        if scope.file.counter_of(loop.target, loop.iter) == name:
            return NOTHING
        tests = list(conditions(node, self.variable(name, home), scope.file.parents))
        items = self._item_of(self._get(loop.iter, scope), name, loop)
        return self._passing(items, tests)

    def narrowed(self, node: ast.Name, found: References, home: LexicalScope) -> References:
        """The objects that a variable may refer to at a read, after the tests on the way there."""
        if not found or len(home.bindings[node.id]) != 1:
            return found
        if any(isinstance(each.base, ChildName) for each in found):
            found = self._narrowed_name(node, found, home)
        tests = list(conditions(node, self.variable(node.id, home), home.file.parents))
        loop = home.file.parents.get(value) if (value := home.bindings[node.id][0].value) is not None else None
        if isinstance(loop, ast.For) and binding_loop(node, home.file.parents) is not loop:
            tests += needed_behind(loop, frozenset((node.id,)), home.file.parents)
        return self._passing(found, tests)

    def _passing(self, found: References, tests: list[Test]) -> References:
        """The objects that may pass some tests: a number or a text is no object, and holds none."""
        if any(isinstance(test, ClassTest) and test.is_positive and _are_values(test.classes) for test in tests):
            found = frozenset(filter(self._may_be_value, found))
        return frozenset(each.narrowed(tests) for each in found) if tests else found

    def _may_be_value(self, reference: Reference) -> bool:
        """True if an object may be a number, text or tensor: it is a name, or its class inherits from such a type."""
        match reference.base:
            case Anything() | Many() | ChildName():
                return True
            case Instance(cls=cls):
                return any(
                    isinstance(base, External) and base.name not in _ROOTS for base in self.project.mro(cls)
                ) and (not self.is_module(cls))
        return False

    def _narrowed_name(self, node: ast.Name, found: References, home: LexicalScope) -> References:
        """The possible values of a name at a read: none of a listing, or the name of a module that has passed tests."""
        if self._is_one_of_others(node, home):
            return frozenset(each for each in found if not isinstance(each.base, ChildName))
        value = home.bindings[node.id][0].value
        module = module_beside(node.id, home.file.parents.get(value)) if value is not None else None
        if module is None or len(home.bindings.get(module, ())) != 1:
            return found
        known = frozenset(conditions(node, self.variable(module, home), home.file.parents))
        return frozenset(Reference(ChildName(named=known)) if each == CHILD_NAME else each for each in found)

    def _is_one_of_others(self, node: ast.Name, scope: LexicalScope) -> bool:
        """True if a test has shown that a text is one of those in a container, which come from no listing."""
        containers = containers_with(node, scope.file.parents)
        return any(not may_be_listed(self._get(container, scope)) for container in containers)

    def variable(self, name: str, scope: LexicalScope) -> Variable:
        """A variable of a scope, as tests of its class are read."""
        held = {
            other
            for other, bindings in scope.bindings.items()
            if len(bindings) == 1 and isinstance(bindings[0].value, ast.expr) and _names_class(bindings[0].value, name)
        }
        attributes = {
            other: bindings[0].value
            for other, bindings in scope.bindings.items()
            if len(bindings) == 1
            and isinstance(bindings[0].value, ast.expr)
            and is_none_or_attribute(bindings[0].value, name)
            and _is_with_each(bindings[0].value, name, scope.file.parents)
        }
        return Variable(
            name,
            lambda node: self.tested_classes(node, scope),
            lambda function: scope.binder(function) is None,
            frozenset(held),
            attributes,
        )

    def tested_classes(self, node: ast.expr, scope: LexicalScope) -> frozenset[ClassRef | str] | None:
        """The classes that the second argument of `isinstance` names; None where they are not known."""
        found: set[ClassRef | str] = set()
        parts = node.elts if isinstance(node, ast.Tuple | ast.List | ast.Set) else [node]
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            parts = [node.left, node.right]
        for part in parts:
            references = self._known_class(part, scope)
            if references is None:
                continue  # so far, no object is known to pass
            if not references:
                return None
            for reference in references:
                if instance_checks.may_have_any_instance(self, reference.base):
                    return None
                if isinstance(reference.base, ClassObject):
                    found.add(reference.base.cls)
                elif isinstance(reference.base, Named):
                    found.add(reference.base.name)
                else:
                    return None
        return frozenset(found)

    def _known_class(self, node: ast.expr, scope: LexicalScope) -> References | None:
        """The classes of an expression, which is evaluated at once even inside many others: what waits is not known."""
        self._limit, before = MAX_DEPTH + MAX_CLASS_DEPTH, self._limit
        try:
            return self.known(node, scope)
        finally:
            self._limit = before

    # Calls

    def _of_call(self, node: ast.Call, scope: LexicalScope) -> References:
        if (special := self._of_builtin(node, scope)) is not None:
            return special
        if (of_module := self._of_listing(node, scope)) is not None:
            return of_module
        if is_text_method(node.func):
            found = self._of_arguments(node, scope)
            return frozenset(each for each in found if isinstance(each.base, ChildName | Anything))
        callees = self.known(node.func, scope)
        if callees is None:
            return NOTHING
        if self._is_weak(node.func, scope):
            return callees
        if not callees:
            return self._of_unknown_call(node, scope)
        results = [self._result_of(callee, node, scope) for callee in callees]
        found = _union(result for result in results if result is not None)
        if None in results:
            found |= self._of_unknown_call(node, scope)
        if self._may_get_back(callees):
            found |= self._of_arguments(node, scope)  # called as functions, without their owner
        if isinstance(node.func, ast.Attribute):
            owners = self._get(node.func.value, scope)
            is_container = node.func.attr in OF_CONTAINERS and not self._defines(owners, node.func.attr)
            if is_container or any(_is_holder(each.base) for each in owners):
                found |= owners  # `queue.get()` gives what the queue holds
        if any(_is_holder(each.base) for each in callees):  # a weak reference, a class made by a call
            found |= {each for each in callees if isinstance(each.base, Instance | Made | Held | Below)}
        return found

    def _may_get_back(self, callees: References) -> bool:
        """True if one of several modules that an object holds may return what it is given."""
        if not any(isinstance(each.base, Held | Below) for each in callees):
            return False
        for base in {each.base for each in callees}:
            if isinstance(base, Held | Below) and not self._has_known_values(base):
                return True
            if isinstance(base, Instance) and any(map(may_hand_back, self.method(base.cls, "forward"))):
                return True
        return False

    def _is_operation_of_tensors(self, node: ast.Call, scope: LexicalScope) -> bool:
        """True for `x.mean(dim=1)`, whatever `x` may be: a tensor's method that no code of the project defines.

        It is given nothing but numbers, texts and tensors.
        """
        func = node.func
        if not isinstance(func, ast.Attribute) or not names_operation_of_tensors(func.attr):
            return False
        if self.names.is_method(func.attr) or self._is_an_attribute(func.attr):
            return False
        owners = self._get(func.value, scope)
        if not owners or any(isinstance(each.base, _NAMESPACES) for each in owners):
            return False
        values = (*node.args, *(keyword.value for keyword in node.keywords))
        given = any(self._get(value, scope) for value in values)
        return not given and not self._of_methods(owners, "__getattr__", "__getattribute__")

    def _of_module_method(self, node: ast.Call, func: ast.Attribute, scope: LexicalScope) -> References | None:
        """The result of a method of nn.Module; None for another method."""
        receiver = self._get(func.value, scope)
        name = func.attr
        if name in CHILDREN or name in FETCHES:
            is_direct = name in ("children", "named_children")
            itself = receiver if name in ("modules", "named_modules") else NOTHING
            names = {CHILD_NAME} if receiver and name.startswith("named_") else NOTHING
            found = self.below(receiver, is_direct=is_direct) | itself | names
            return self._looked_up(found, node.args[0], scope) if name in FETCHES and node.args else found
        if name in _TENSORS and not self._defines(receiver, name):
            return frozenset((TENSOR_NAME,)) if receiver and name not in ("parameters", "buffers") else NOTHING
        return receiver if name in RETURNS_SELF and not self._defines(receiver, name) else None

    def _of_listing(self, node: ast.Call, scope: LexicalScope) -> References | None:
        """The result of a method of nn.Module, also of `getattr(x, "children")()`, or of tensors; None for others."""
        func = node.func
        if self._is_operation_of_tensors(node, scope):
            return NOTHING
        if isinstance(func, ast.Attribute):
            return self._of_module_method(node, func, scope)
        if not isinstance(func, ast.Call):
            return None
        names = ((owner, name) for owner, name in attribute_reads(func, scope.file) if name in CHILDREN)
        methods = [ast.copy_location(ast.Attribute(owner, name, ast.Load()), func) for owner, name in names]
        found = [self._of_module_method(node, method, scope) or NOTHING for method in methods]
        return _union(found) if found else None

    def _is_weak(self, func: ast.expr, scope: LexicalScope) -> bool:
        """True if what is called is a weak reference: calling it gives the object."""
        home = scope.binder(func.id) if isinstance(func, ast.Name) else None
        bindings = home.bindings[func.id] if home is not None and isinstance(func, ast.Name) else []
        makers = [binding.value.func for binding in bindings if isinstance(binding.value, ast.Call)]
        made = [each.base for maker in makers for each in self._get(maker, home or scope)]
        return any(isinstance(base, Named) and base.name.startswith("weakref.") for base in made)

    def _defines(self, receiver: References, method: str) -> bool:
        """True if a class of the project defines a method of this name for the receiver."""
        classes = [each.base.cls for each in receiver if isinstance(each.base, Instance)]
        return any(self.method(cls, method) for cls in classes)

    def _result_of(self, callee: Reference, node: ast.Call, scope: LexicalScope) -> References | None:
        """The result of calling one object, and its arguments if it may hold a function; None: anything."""
        match callee.base:
            case FunctionObject(scope=inner):
                return self._get(_Result(inner))
            case ClassObject(cls=ClassRef() as cls):
                made = frozenset((Reference(Instance(cls, Place.of(scope.file.module, node))),))
                made |= self._of_computed_bases(cls)
                return made | self._of_methods(frozenset((callee,)), "__new__") | self._of_metaclass(cls)
            case Named(name=name) | ClassObject(cls=str() as name):
                external = self._of_getter if name == _GETTER else self._of_external_call
                return external(name, node, scope)
            case Instance(cls=cls):
                return _union(self._get(_Result(method)) for method in self.method(cls, "__call__"))
            case Made(name=name) if name.startswith("torch.nn.") and name.rpartition(".")[2] not in _CONTAINERS:
                return NOTHING  # tensors
            case Made(name=name, place=place) if is_operation_module(name) or name == _GETTER:
                return self._fetched_by_getter(place, node, scope) if name == _GETTER else NOTHING
            case Held(owner=ClassRef() as cls) if isinstance(node.func, ast.Attribute) and self._has_given_items(cls):
                return self._get(node.func.value, scope)  # an inherited method: `point._replace(x=1)`
            case ChildName() | Below() | Held(owner=ClassRef() | str()):
                return NOTHING
            case Holder():
                return HOLDER | self._of_arguments(node, scope)
            case Anything():
                return ANY_OBJECT
            case Many():
                return MANY_WITH_NAMES
        return None

    def _of_getter(self, name: str, node: ast.Call, scope: LexicalScope) -> References:
        """The object that `attrgetter(…)` makes."""
        place = Place.of(scope.file.module, node)
        self._getters[place] = node
        return frozenset((Reference(Made(name, place)),))

    def _fetched_by_getter(self, place: Place | None, node: ast.Call, scope: LexicalScope) -> References:
        """The results of an `attrgetter` that was made at a place, or (None) anywhere, and is called elsewhere."""
        owners = _union(self._get(value, scope) for value in node.args)
        made = self._getters.get(place)
        found = self._any_attribute(owners) if made is None else NOTHING
        for path in made.args if made is not None else ():
            found |= self._at_path(owners, path)
        return found

    def _at_path(self, owners: References, path: ast.expr) -> References:
        """The objects that a path of attributes may lead to from some objects."""
        if not (isinstance(path, ast.Constant) and isinstance(path.value, str)):
            return self._any_attribute(owners)
        for name in path.value.split("."):
            owners = self.attribute(owners, name)
        return owners

    def _of_metaclass(self, cls: ClassRef) -> References:
        """The result of a metaclass's `__call__`, if it defines one."""
        if not self._has_method("__call__"):
            return NOTHING
        methods = (m for kind in _classes(self._metaclasses(cls)) for m in self.method(kind, "__call__"))
        return _union(map(self._get, map(_Result, methods)))

    def _of_computed_bases(self, cls: ClassRef) -> References:
        """Instances of the bases that a class, or a subclass, gets from a function around it.

        `def make(base): class C(Mixin, base): …`: what runs for a C, or for a Mixin, may have an instance of any base.
        """
        found: set[ClassRef] = set()
        for body in self._made_in_functions(cls):
            if isinstance(body.node, ast.ClassDef) and body.parent is not None:
                around = body.parent
                found |= _classes(_union(self._get(base, around) for base in body.node.bases))
        return frozenset(Reference(Instance(base)) for base in found if base not in self.project.mro(cls))

    def _made_in_functions(self, cls: ClassRef) -> tuple[LexicalScope, ...]:
        """The bodies of a class and its subclasses as far as functions make them."""
        if cls not in self._local_bodies:
            bodies = filter(None, map(self._body, (cls, *sorted(self.project.subclasses(cls), key=repr))))
            self._local_bodies[cls] = tuple(b for b in bodies if b.parent is not None and b.parent.is_function)
        return self._local_bodies[cls]

    def _metaclasses(self, cls: ClassRef) -> References:
        found = NOTHING
        for base in self.project.mro(cls):
            entry = self.project.class_node(base) if isinstance(base, ClassRef) else None
            inner = self._body(base) if isinstance(base, ClassRef) else None
            for keyword in entry.node.keywords if entry is not None else ():
                if keyword.arg == "metaclass" and inner is not None and inner.parent is not None:
                    found |= self._get(keyword.value, inner.parent)
        return found

    def metaclasses(self, cls: ClassRef) -> set[ClassRef | str]:
        """The metaclasses that a class and its bases name: of the project, or of other packages by their names."""
        bases = (reference.base for reference in self._metaclasses(cls))
        return {base.cls if isinstance(base, ClassObject) else getattr(base, "name", "?") for base in bases}

    def _of_external_call(self, name: str, node: ast.Call, scope: LexicalScope) -> References:
        last = name.rpartition(".")[2]
        if (written := _WRITTEN_BY.get(name)) is not None:
            return self._get(_Written(written)) | (NOTHING if name.startswith("torch.") else HOLDER)
        if name.startswith(_ORIGINALS):  # a fix has rewritten the listing in an earlier pass
            return self.below(self._of_arguments(node, scope), is_direct=True) | {CHILD_NAME}
        if name in _FINDS_MODULE:
            return frozenset((Reference(Named(ANY_MODULE)),))
        if name.startswith(_REFLECTIVE):
            return ANY_OBJECT
        if name.startswith(_VALUE_PACKAGES) or (name.startswith("torch.") and name.count(".") == 1):
            wraps = last in _WRAPS_MODULES and name.startswith("torch.")
            return self._with_parts(self._of_arguments(node, scope)) if wraps else NOTHING
        if name.startswith("builtins.") and last in SCALARS:
            return NOTHING
        if (last[:1].isupper() or last == ANY_OF_PACKAGE) and name.startswith("torch."):
            made = frozenset((Reference(Made(name, Place.of(scope.file.module, node))),))
            return made | self._with_parts(self._of_arguments(node, scope)) if last in _CONTAINERS else made
        found = self._of_arguments(node, scope, name)
        if silent_calls.calls_later(name) and all(isinstance(each.base, FunctionObject) for each in found):
            return found
        if any(dotted_text(argument) == "getattr" for argument in node.args):
            found |= self.below(found)  # functools.reduce(getattr, path, model)
        if last[:1].isupper() or last == ANY_OF_PACKAGE:
            found |= {Reference(Made(name, Place.of(scope.file.module, node)))}
        if silent_calls.packs_again(name) or name.startswith(_RUNTIME):
            return found
        return self._with_parts(found) | (NOTHING if name.startswith("torch.") else HOLDER)

    def _of_unknown_call(self, node: ast.Call, scope: LexicalScope) -> References:
        """A function that is not given may return any object that it can reach from its arguments, or their names."""
        found = self._of_arguments(node, scope)
        if isinstance(node.func, ast.Attribute):
            owners, name = self._get(node.func.value, scope), node.func.attr
            found |= frozenset(each for each in owners if self._may_have(each.base, name))
        return self._with_parts(found) | HOLDER if found else found

    def _of_arguments(self, node: ast.Call, scope: LexicalScope, name: str = "") -> References:
        """The arguments of a call, the results of functions among them, and names of parts of modules among them.

        `name` is that of a function of another package, if it is known.
        """
        values = [*node.args, *(keyword.value for keyword in node.keywords)]
        found = NOTHING
        for value in values:
            given = self._get(value, scope)
            functions = [each.base for each in given if isinstance(each.base, FunctionObject)]
            runs_them = not name or (silent_calls.may_call(name, node, value) and not silent_calls.calls_later(name))
            if functions and runs_them:
                found |= _union(self._get(_Result(function.scope)) for function in functions)
            found |= given
        if not name.startswith("builtins.") and any(isinstance(each.base, Instance | Made | Below) for each in found):
            found |= {CHILD_NAME}
        return frozenset(
            Reference(replace(each.base, is_loose=True)) if isinstance(each.base, FunctionObject) else each
            for each in found
            if not (isinstance(each.base, Named) and not each.base.name.rpartition(".")[2][:1].isupper())
        )

    def _of_builtin(  # noqa: C901, PLR0912  (one case a function)
        self, node: ast.Call, scope: LexicalScope
    ) -> References | None:
        """Calls that Python itself gives a meaning: `getattr`, `super`, `type`, `vars`, `attrgetter`."""
        match node:
            case ast.Call(func=ast.Name(id="getattr"), args=[value, ast.Constant(value=str(name)), *_]):
                return self.attribute(self._get(value, scope), name) | _union(
                    self._get(a, scope) for a in node.args[2:]
                )
            case ast.Call(func=ast.Name(id="getattr"), args=[value, attribute, *_]):
                owners = self._get(value, scope)
                found = self._looked_up(self._any_attribute(owners), attribute, scope)
                found |= self._methods_named(owners, patterns_of(attribute, scope))
                return found | _union(self._get(a, scope) for a in node.args[2:])
            case ast.Call(func=ast.Name(id="super")):
                cls = self.enclosing_class(scope)
                return frozenset((Reference(Instance(cls)),)) if cls is not None else NOTHING
            case ast.Call(func=ast.Name(id="type"), args=[value]):
                return self.class_of(self._get(value, scope))
            case ast.Call(func=ast.Name(id="type"), args=[_, bases, body]):
                return self._get(bases, scope) | (HOLDER | held if (held := self._get(body, scope)) else NOTHING)
            case ast.Call(func=ast.Attribute(attr="__new__"), args=[cls, *_]):
                return self._instances_of(self._get(cls, scope), Place.of(scope.file.module, node))
            case ast.Call(func=ast.Name(id="eval" | "exec")):
                return ANY_OBJECT
            case ast.Call(func=ast.Name(id="globals"), args=[]):
                return self._every_binding(scope.file.top)
            case ast.Call(func=ast.Name(id="locals" | "vars"), args=[]):
                return self._every_binding(scope)
            case ast.Call(func=ast.Name(id="vars"), args=[value]):
                found = self._get(value, scope)
                return self.below(found) | self._defined_in(found) | {CHILD_NAME}
            case ast.Call(func=ast.Name(id="dir"), args=[_]):
                return frozenset((CHILD_NAME,))
            case ast.Call(func=ast.Call(func=getter, args=[ast.Constant() as path]), args=[value]):
                if dotted_text(getter).rpartition(".")[2] == "attrgetter":
                    return self._at_path(self._get(value, scope), path)
        return None

    @staticmethod
    def _instances_of(classes: References, place: Place) -> References:
        """The objects that `__new__` returns for classes."""
        made: list[Base] = [Instance(cls, place) for cls in _classes(classes)]
        bases = [reference.base for reference in classes]
        made += [Made(base.cls, place) for base in bases if isinstance(base, ClassObject) and isinstance(base.cls, str)]
        made += [Made(base.name, place) for base in bases if isinstance(base, Named)]
        return frozenset(map(Reference, made))

    def _looked_up(self, found: References, name: ast.expr, scope: LexicalScope) -> References:
        """Objects that are found by a name: no module that a fix adds where no listing of modules gave the name."""
        names = {each.base for each in self._get(name, scope)}
        listed = [base for base in names if isinstance(base, ChildName) and not base.of_tensors]
        if any(isinstance(base, Anything) for base in names) or any(not base.named for base in listed):
            return found
        ways = [GivenName(base.named) for base in listed] or [GivenName()]
        return frozenset(
            each.narrowed([way]) if isinstance(each.base, Below) else each for each in found for way in ways
        )

    def _any_attribute(self, references: References) -> References:
        """The results of `getattr(x, name)`: a module below, or a definition of a file, class or package."""
        found = self.below(references) | self._defined_in(references)
        for reference in references:
            match reference.base:
                case Named(name=name) if name in self.project.given:
                    pass
                case Named(name="sys.modules"):
                    found |= self._of_any_module()
                case Named(name=name):
                    found |= {Reference(Named(f"{name}.{ANY_OF_PACKAGE}"))}
                case ClassObject(cls=ClassRef() as cls):
                    for base in self.project.mro(cls):
                        found |= self._every_binding(self._body(base) if isinstance(base, ClassRef) else None)
        return found

    def _methods_named(self, references: References, patterns: frozenset[str]) -> References:
        """The methods of objects whose names match patterns; those of modules, if a part of the name is spelled."""
        found = NOTHING
        for cls in _classes_of(references):
            if not (any(map(is_any, patterns)) and self.is_module(cls)):
                family = (base for each in (cls, *self.project.subclasses(cls)) for base in self.project.mro(each))
                keys = {
                    key for base in family if isinstance(base, ClassRef) for key in self.project.methods(base) or ()
                }
                names = {key.partition(":")[0] for key in keys}
                wanted = (n for n in names if not n.startswith("__") and any(may_be(p, n) for p in patterns))
                found |= _union(_bound(self.method(cls, name)) for name in wanted)
        return found

    def _defined_in(self, references: References) -> References:
        """The values of all variables of the project's modules among some objects."""
        names = {each.base.name for each in references if isinstance(each.base, Named)} & self.project.given.keys()
        files = [file for name in sorted(names) if (file := self.file(name)) is not None]
        return _union(self._every_binding(file.top) for file in files)

    def _of_any_module(self) -> References:
        """The results of a computed name on any module: objects of another package, or of a small project."""
        files = [file for module in self.modules if (file := self.file(module)) is not None]
        known = files if len(self.modules) <= MAX_MODULES else []
        found = _union(self._every_binding(file.top) for file in known)
        return found | {Reference(Named(f"{ANY_MODULE}.{ANY_OF_PACKAGE}"))}

    def _body(self, cls: ClassRef) -> LexicalScope | None:
        file, entry = self.file(cls.module), self.project.class_node(cls)
        return file.defined(entry.node) if file is not None and entry is not None else None

    def _every_binding(self, scope: LexicalScope | None) -> References:
        return _union(self._get(_Variable(scope, name)) for name in scope.bindings) if scope is not None else NOTHING

    def _item_of(self, references: References, name: str, loop: ast.AST | None) -> References:
        """The values that a loop gives a variable: of a pair of name and module, the name is a text only."""
        found = self._items(references)
        if module_beside(name, loop) is not None:
            return frozenset(each for each in found if isinstance(each.base, ChildName | Anything))
        if not is_module_in(loop, name):
            return found
        return frozenset(each for each in found if not isinstance(each.base, ChildName))

    def _items(self, references: References) -> References:
        """The results of iterating over an object: the children of a module, the items of a container."""
        held = (Reference(each.base.owner) for each in references if isinstance(each.base, HolderOf))
        found = references | self.below(frozenset((*filter(self._may_have_items, references), *held)))
        if self._has_method("__iter__"):
            started = self._of_methods(references, "__iter__")
            found |= started | self._of_methods(started | references, "__next__")
        return found | _union(self._get(_Given(c)) for c in _classes_of(references) if self._has_given_items(c))

    def _with_parts(self, references: References) -> References:
        """The same, and objects around the modules among them, as code of another package makes them."""
        modules = (each for each in references if isinstance(each.base, Instance) and not self._may_have_items(each))
        return references | {Reference(HolderOf(each.base)) for each in modules}

    def _may_have_items(self, reference: Reference) -> bool:
        """True if an object may be iterated over; a module is, where its class says so or is a container."""
        match reference.base:
            case Instance(cls=cls) if self.is_module(cls):
                return self.is_container(cls) or bool(self.method(cls, "__iter__") or self.method(cls, "__getitem__"))
            case Made(name=name):
                return not name.startswith("torch.nn.") or is_torch_container(name)
        return True

    def may_keep_items(self, cls: ClassRef) -> bool:
        """True if instances of a class, or of a subclass, may be containers, which count as what is put into them."""
        return any(map(self._may_be_container, (cls, *self.project.subclasses(cls))))

    def _may_be_container(self, cls: ClassRef) -> bool:
        others = [base for base in self.project.mro(cls) if isinstance(base, External) and base.name not in _ROOTS]
        if self.is_module(cls):
            return self.is_container(cls)
        return not all(holds_no_items(base.name) for base in others)

    def _has_given_items(self, cls: ClassRef) -> bool:
        """True if instances of a class may be containers, made by code that is not given: of `dict`, of NamedTuple."""
        is_derived = any(isinstance(base, External) and base.name not in _ROOTS for base in self.project.mro(cls))
        return is_derived and not self.is_module(cls) and not self._is_enum(cls)

    def _has_method(self, name: str) -> bool:
        return self.names.is_method(name)

    def _of_methods(self, references: References, *names: str) -> References:
        """The results of the methods that Python calls by itself, if the project defines them for the objects."""
        used = [name for name in names if self._has_method(name)]
        if not used:
            return NOTHING
        found = NOTHING
        for cls in _classes(references) | _classes_of(references):
            found |= _union(self._get(_Result(method)) for name in used for method in self.method(cls, name))
        return found

    def below(self, references: References, *, is_direct: bool = False) -> References:
        """Modules below any of several objects; their children alone where `is_direct`."""
        found: set[Reference] = set()
        for reference in references:
            base = reference.base
            if isinstance(base, Below):
                found.add(Reference(Below(base.owner)))
            elif isinstance(base, Instance | Made | Held | Anything):
                found.add(Reference(Below(base, is_direct)))
            elif isinstance(base, Many):
                found.add(MANY)  # so a set that grows past the limit leaves none of its first members behind
        if any(self._is_container_of(each.base) for each in references):  # any of the others may be in it
            found |= {each for each in references if not self._is_container_of(each.base)}
        return frozenset(found)

    def _is_container_of(self, base: Base) -> bool:
        """True for an object of Sequential, ModuleList, ModuleDict, or of a class that inherits from them."""
        return (isinstance(base, Made) and is_torch_container(base.name)) or (
            isinstance(base, Instance) and self.is_container(base.cls)
        )


def _classes(references: Iterable[Reference]) -> set[ClassRef]:
    """The classes of the project among some objects."""
    bases = (reference.base for reference in references)
    return {base.cls for base in bases if isinstance(base, ClassObject) and isinstance(base.cls, ClassRef)}


def _classes_of(references: Iterable[Reference]) -> set[ClassRef]:
    """The classes of the project of some objects."""
    return {reference.base.cls for reference in references if isinstance(reference.base, Instance)}


def _is_holder(base: Base) -> bool:
    """True if an object comes from code that is not given and may keep what it is given as attributes."""
    return isinstance(base, Holder) or (isinstance(base, Made) and not base.name.startswith(("torch.", "qprep.")))


def _is_followed(callee: Reference) -> bool:
    """True if what a call does with its arguments is seen in its own code, or known: torch keeps none."""
    base = callee.base
    if isinstance(base, Named | Made):
        return base.name.startswith(_KEEPS_NOTHING)
    if isinstance(base, ClassObject) and isinstance(base.cls, str):
        return base.cls.startswith(_KEEPS_NOTHING)
    return isinstance(base, FunctionObject | ClassObject | Instance)


def _are_values(classes: frozenset[ClassRef | str] | None) -> bool:
    """True if all of several classes are of numbers, texts and tensors, which hold no other objects."""
    return bool(classes) and all(isinstance(each, str) and each in _VALUE_CLASSES for each in classes or ())


def may_be_listed(references: References) -> bool:
    """True if a text may come from a listing of names: taken from one, or made by a function that got a module."""
    return any(isinstance(each.base, ChildName | Anything) for each in references)


def _without_place(base: Base) -> Base:
    """An instance wherever it is made: its attributes are those of its class."""
    return Instance(base.cls) if isinstance(base, Instance) and base.made is not None else base


def _part_of_compound(base: Base, name: str) -> Reference | None:
    """The module that a compound module of torch.nn, or a part of one, holds in an attribute: `attention.out_proj`."""
    whole = base.owner if isinstance(base, Below) else base
    cls = PARTS_OF_COMPOUNDS.get(name)
    if cls is None or not (isinstance(whole, Made) and whole.name.startswith("torch.nn.")):
        return None
    return Reference(Below(whole), frozenset((ClassTest(frozenset((cls,))),)))


def _bound(methods: Iterable[LexicalScope]) -> References:
    """Methods that are fetched from an object."""
    return frozenset(
        Reference(FunctionObject(method, is_bound=not method.has_decorator("staticmethod"))) for method in methods
    )


def _is_store(node: ast.Attribute) -> bool:
    return isinstance(node.ctx, ast.Store)


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _parts(node: ast.expr) -> list[ast.expr]:
    """The expressions any of which may be the value of another one, or be held by it."""
    match node:
        case ast.BoolOp(values=parts) | ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
            return parts
        case ast.JoinedStr(values=parts):
            return parts
        case ast.ListComp(elt=part) | ast.SetComp(elt=part) | ast.GeneratorExp(elt=part):
            return [part]
        case ast.DictComp(key=key, value=part):
            return [key, part]
    return []


def _is_with_each(value: ast.expr, name: str, parents: dict[ast.AST, ast.AST]) -> bool:
    """True if an assignment runs whenever its function does, or in each round of the loop that binds a name."""
    statement = parents.get(value)
    around = parents.get(statement) if isinstance(statement, ast.Assign | ast.AnnAssign) else None
    is_round = isinstance(around, ast.For) and statement in around.body and may_bind([around.target], name)
    return is_round or isinstance(around, ast.FunctionDef | ast.AsyncFunctionDef)


def _names_class(node: ast.expr, name: str) -> bool:
    """True if an expression is the name of the class of a variable: `m.__class__.__name__`."""
    match node:
        case ast.Attribute(value=ast.Attribute(value=ast.Name(id=tested), attr="__class__"), attr="__name__"):
            return tested == name
        case ast.Attribute(value=ast.Call(func=ast.Name(id="type"), args=[ast.Name(id=tested)]), attr="__name__"):
            return tested == name
        case ast.Call(func=ast.Attribute(value=ast.Name(id=tested), attr="_get_name"), args=[]):
            return tested == name
    return False


def _union(parts: Iterable[References]) -> References:
    return frozenset().union(*parts)
