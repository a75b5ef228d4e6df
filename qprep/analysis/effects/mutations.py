"""Effects: every place in the given files that may change a module, or that depends on which modules there are.

An effect says what is done, where, and to which abstract objects. What a class does to attributes of its own `self` by
plain assignment is no effect: it is part of the class, which the rewrite reads as a whole.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property, partial
from typing import TYPE_CHECKING

from qprep.analysis.effects import (
    child_visits,
    exposures,
    function_handlers,
    module_variables,
    object_texts,
    table_uses,
)
from qprep.analysis.effects.abstract_objects import (
    ANY_OBJECT,
    Anything,
    Below,
    ClassObject,
    ClassOf,
    ClassTest,
    FunctionObject,
    Instance,
    Made,
    Named,
    Reference,
    References,
)
from qprep.analysis.effects.attribute_names import ANY_NAME, ANY_THAT_IS_THERE, patterns_of
from qprep.analysis.effects.call_context import CallContext
from qprep.analysis.effects.class_conditions import is_by_class_alone
from qprep.analysis.effects.lexical_scopes import BindingKind, assigned_value
from qprep.analysis.effects.made_subclasses import runs_base_constructor
from qprep.analysis.effects.method_calls import as_method_calls
from qprep.analysis.effects.points_to import may_be_listed
from qprep.analysis.effects.state_tables import CHILD_TABLE
from qprep.analysis.effects.stored_values import dictionary_owner
from qprep.analysis.places import Place
from qprep.analysis.symbols.ast_utils import last_name
from qprep.analysis.values.abstract_values import ClassRef, External
from qprep.foundation.catalogue.module_attributes import NN_MODULE_ATTRIBUTES

if TYPE_CHECKING:
    from qprep.analysis.effects.function_handlers import Asked
    from qprep.analysis.effects.lexical_scopes import FileScopes, LexicalScope
    from qprep.analysis.effects.outside_effects import OutsideEffects
    from qprep.analysis.effects.points_to import PointsTo


class EffectKind(Enum):
    """A kind of change of an object."""

    __hash__ = object.__hash__  # each member is one object; the hash of an Enum is computed in Python, each time anew

    SET = auto()  # an attribute gets another value, or is deleted
    CHANGE = auto()  # hooks, parametrizations: what a call of the object computes
    REPLACE = auto()  # another module takes the place of a child
    CALL = auto()  # a method that a class of the project defines is called from outside
    MODE = auto()  # train() or eval() of one object and not of all
    STRUCTURE = auto()  # items of a container are added, replaced or removed
    OBSERVE = auto()  # the number, order, or set of child modules is used
    OBSERVE_ORIGINAL = auto()  # the same of those that no rewrite has marked as its own
    EXPOSE = auto()  # something that no loop over children shows names each of them: a text, a graph, a hook for all
    READ = auto()  # an attribute is read of each child module that passes some tests
    SOURCE = auto()  # the source or the byte code of a class, function or file is used
    BORROW = auto()  # a method is fetched from its class, and may run with another object as `self`
    TABLE = auto()  # the attributes of a class, or the hooks of a module, are listed
    NAMES = auto()  # the names of a module, or the classes that inherit from nn.Module, are listed
    DISPATCH = auto()  # a handler asks which functions of torch run
    COMPARE = auto()  # the identity of the object is used
    BYPASS = auto()  # an instance of a class is made without its constructor
    DERIVE = auto()  # a class inherits by an expression, and may skip the constructor


@dataclass(frozen=True, eq=False)
class Effect:
    """One thing that code does to objects.

    `attribute` is a regular expression for the name of the attribute that is set, or of the method that is called.
    """

    kind: EffectKind
    find_targets: Callable[[], References]
    place: Place
    text: str
    attribute: str = ANY_NAME
    by_class: bool = False  # it happens to every module of certain classes below an object
    listing: Place | None = None  # the call that lists child modules
    find_listed: Callable[[], References] | None = None  # the targets that are not looked up by a name alone
    owner: ClassRef | None = None  # the class that does it to what its own object holds, or while that is made
    asked: Asked | None = None  # the functions of torch that a handler asks for; None: any
    find_values: Callable[[], References] | None = None  # what replaces each module, if it is made equal every time
    is_lasting: bool = False  # a listing of modules that is kept, and shows later ones as well

    @cached_property
    def targets(self) -> References:
        """The objects that it is done to, found when a query needs them: most queries need kind and name alone."""
        return self.find_targets()

    @cached_property
    def met_by_new(self) -> References:
        """The objects whose new children it is done to as well: not those that are looked up by a given name."""
        return self.find_listed() if self.find_listed is not None else self.targets


_SETTERS = frozenset(("setattr", "delattr", "__setattr__", "__delattr__"))
_REGISTERS = frozenset(("add_module", "register_module", "register_parameter", "register_buffer"))
_CONTAINER_METHODS = frozenset(
    ["append", "extend", "insert", "pop", "popitem", "remove", "clear", "update", "setdefault", "__setitem__",
     "__delitem__", "reverse", "sort"]
)  # fmt: skip
_BY_KEY = frozenset(("pop", "setdefault", "__setitem__", "__delitem__"))
# Attributes by which an instance replaces what its class defines, or its class itself.
_OVERRIDES = frozenset(("forward", "__class__", "__call__", "__dict__", "_modules", "_parameters", "_buffers"))
_TABLES = frozenset(("__dict__", "_modules"))  # that hold what the attributes of an object mean
_TORCH_MUTATORS = ("torch.nn.utils.", "torch.ao.", "torch.quantization.", "torch.fx.")
_PURE_UTILITIES = ("clip_grad", "parameters_to_vector", "vector_to_parameters", "rnn.", "stateless.", "get_total_norm")
_PURE_NAMES = ("get_", "default_", "is_")
# Functions of torch that copy from one module to another: the place of the argument that they change.
_CHANGED_ARGUMENT = {"torch.fx.graph_module._copy_attr": 1, "torch.fx.graph_module._assign_attr": 1}
_GLOBAL_HOOKS = "register_module_"
_HOOKS_OF_TORCH = "torch.nn.modules.module.register_module_"
# Attributes that layers with weights have and other modules lack.
_LAYER_ATTRIBUTES = frozenset(
    ["affine", "bias", "dilation", "embedding_dim", "eps", "groups", "in_channels", "in_features", "in_proj_bias",
     "in_proj_weight", "kernel_size", "momentum", "normalized_shape", "num_embeddings", "num_features", "out_channels",
     "out_features", "padding", "running_mean", "running_var", "stride", "weight", "weight_hh_l0", "weight_ih_l0",
     "weight_orig"]
)  # fmt: skip


_VISITS = frozenset(("apply", "children", "modules", "named_children", "named_modules"))
_CALLABLE = frozenset(("__call__", "__func__", "__get__", "__wrapped__"))  # of a method, by which it may run
_HOOK_TABLE = re.compile(r"_\w*hooks\w*")
"""The dictionaries in which a module keeps its hooks."""
_BY_TEXT = re.compile(
    r"_(?:forward|backward)\w*hooks\w*|register_\w*hook|add_module|register_module|set_submodule|__setattr__"
)


def _uses(node: ast.expr) -> str:
    return f"uses `{ast.unparse(node)}`"


def _is_mutator(name: object) -> bool:
    """True if a text is the name of a method that changes what a module computes."""
    return isinstance(name, str) and bool(_BY_TEXT.fullmatch(name))


def _only_reads(text: ast.expr) -> bool:
    """True if a text that is written out calls nothing and sets nothing."""
    if not (isinstance(text, ast.Constant) and isinstance(text.value, str)):
        return False
    try:
        tree = ast.parse(text.value.strip())
    except SyntaxError:
        return True  # it stops there
    changing = (ast.Call, ast.NamedExpr, ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Delete, ast.For, ast.With)
    return not any(isinstance(part, changing) for part in ast.walk(tree))


def is_module_class(reference: Reference) -> bool:
    """True if an object is a class of modules, as far as that is known."""
    base = reference.base
    if isinstance(base, Named):
        return base.name.startswith("torch.nn.") and base.name.rpartition(".")[2][:1].isupper()
    return isinstance(base, ClassObject | ClassOf)


def _any_object() -> References:
    return ANY_OBJECT


def effects_of(points_to: PointsTo, module: str, outside: OutsideEffects) -> Iterator[Effect]:
    """The effects of the code of one module."""
    file = points_to.file(module)
    if file is None:
        return
    search = _Search(points_to, file)
    yield from search.attributes()
    yield from search.subscripts()
    yield from search.calls()
    yield from search.variables()
    yield from search.values()
    yield from search.classes()
    yield from search.comparisons()
    yield from search.visits(outside)
    yield from search.exposures()
    yield from search.reads()


@dataclass(frozen=True, slots=True)
class _NameLookup:
    """A module is taken from a table, or (None) from a module, by a key."""

    key: ast.expr
    table: ast.expr | None = None


def _may_meet_new(lookup: _NameLookup, targets: Callable[[ast.expr], References]) -> bool:
    """True if a lookup may give a module that a fix adds: a listing gave the key, or the table has no names as keys."""
    if may_be_listed(targets(lookup.key)):
        return True
    return lookup.table is not None and not may_be_listed(targets(lookup.table))


class _Search:
    """The effects in one file."""

    def __init__(self, points_to: PointsTo, file: FileScopes) -> None:
        self.points_to = points_to
        self.file = file

    def _effect(
        self,
        kind: EffectKind,
        targets: Callable[[], References],
        node: ast.expr | ast.stmt,
        text: str,
        attribute: str = ANY_NAME,
    ) -> Iterator[Effect]:
        place, by_class = Place.of(self.file.module, node), self._is_by_class(node)
        yield Effect(kind, targets, place, text, attribute, by_class, owner=self._owner_of(node))

    def _later(self, *nodes: ast.expr) -> Callable[[], References]:
        """The objects that expressions may refer to, computed on demand."""
        return lambda: frozenset().union(*map(self._targets, nodes))

    def _owner_of(self, node: ast.expr | ast.stmt) -> ClassRef | None:
        """The class whose constructor a node is part of, or whose method names `self` in it."""
        scope = self.file.scope_of(node)
        cls = self.points_to.enclosing_class(scope)
        if cls is None or scope.name == "__init__":
            return cls
        root: ast.AST = node
        while isinstance(root, ast.Attribute | ast.Subscript | ast.Call):
            root = root.func if isinstance(root, ast.Call) else root.value
        return cls if isinstance(root, ast.Name) and root.id == self.points_to.receiver(scope) else None

    def _is_by_class(self, node: ast.AST) -> bool:
        """True if a statement runs for every module of a loop that is of certain classes."""
        loop = child_visits.loop_over_modules(node, self.file.parents)
        if loop is None:
            return False
        scope = self.file.scope_of(node)
        names = [part.id for part in ast.walk(loop.target) if isinstance(part, ast.Name)]
        variables = [self.points_to.variable(name, scope.binder(name) or scope) for name in names]
        return is_by_class_alone(node, variables, self.file.parents)

    def _targets(self, node: ast.expr) -> References:
        return self.points_to.of(node, self.file.scope_of(node))

    def _is_own(self, node: ast.expr, scope: LexicalScope) -> bool:
        """True if an expression is `self` in a method, or an attribute of it."""
        root = node.value if isinstance(node, ast.Attribute) else node
        return isinstance(root, ast.Name) and root.id == self.points_to.receiver(scope)

    # Assignments

    def attributes(self) -> Iterator[Effect]:
        """`net.act = …`, `del net.act`, `Net.forward = …`, `F.relu = …`."""
        for node in self.file.index.of(ast.Attribute):
            if isinstance(node.ctx, ast.Load):
                continue
            scope = self.file.scope_of(node)
            own = isinstance(node.value, ast.Name) and self._is_own(node.value, scope)
            if own and node.attr not in _OVERRIDES:
                bases = self._computed_bases.get(self.points_to.enclosing_class(scope))
                if bases:  # the class tells nobody that its instances are those of another class, too
                    found = partial(self._instances_of, bases)
                    yield from self._effect(EffectKind.SET, found, node, f"sets `{ast.unparse(node)}`", node.attr)
                continue
            kind = EffectKind.MODE if node.attr == "training" else EffectKind.SET
            name = ANY_NAME if node.attr in _TABLES else node.attr
            yield from self._effect(kind, self._later(node.value), node, f"sets `{ast.unparse(node)}`", name)
            value = assigned_value(node, self.file.parents) if node.attr == "__class__" else None
            if value is not None:
                yield from self._effect(EffectKind.BYPASS, self._later(value), node, f"sets `{ast.unparse(node)}`")

    def subscripts(self) -> Iterator[Effect]:
        """`net.layers[0] = …`, `net._modules["act"] = …`, `vars(net)[name] = …`."""
        for node in self.file.index.of(ast.Subscript):
            if isinstance(node.ctx, ast.Load) or not self._may_be_modules(node.value):
                continue
            if self._is_own(node.value, self.file.scope_of(node)) and not self._is_dictionary(node.value):
                continue
            replaced = self._replaced(node.slice) if dictionary_owner(node.value) is not None else None
            if replaced is not None:
                yield from self._replacements(node, replaced, f"sets `{ast.unparse(node)}`")
                continue
            yield from self._stored_item(node.value, node, self._names(node.slice))
        for update in self.file.index.of(ast.AugAssign):
            yield from self._updated(update)

    def _updated(self, update: ast.AugAssign) -> Iterator[Effect]:
        """`table |= {"act": …}` and `layers += […]` change the object that a variable refers to."""
        target, value = update.target, update.value
        is_in_place = isinstance(update.op, ast.BitOr | ast.Add) and not isinstance(value, ast.Constant)
        if is_in_place and isinstance(target, ast.Name) and self._may_be_modules(target):
            keys = value.keys if isinstance(value, ast.Dict) else [None]
            names = [re.escape(str(key.value)) if isinstance(key, ast.Constant) else ANY_NAME for key in keys]
            yield from self._stored_item(target, update, names)

    def _may_be_modules(self, node: ast.expr) -> bool:
        """True if a container may be one of modules: a variable is, where it is bound to an attribute."""
        if isinstance(node, ast.Attribute):
            is_known = any(True for _ in self.points_to.names.holders(node.attr))
            return not is_known or self.points_to.may_hold(node.attr)
        if not isinstance(node, ast.Name):
            return True
        home = self.file.scope_of(node).binder(node.id)
        values = [binding.value for binding in home.bindings[node.id]] if home is not None else []
        return any(isinstance(v, ast.Attribute) or (isinstance(v, ast.expr) and dictionary_owner(v)) for v in values)

    @staticmethod
    def _is_dictionary(node: ast.expr) -> bool:
        return isinstance(node, ast.Attribute) and node.attr in _OVERRIDES

    def _stored_item(self, container: ast.expr, node: ast.expr | ast.stmt, names: Iterable[str]) -> Iterator[Effect]:
        owner = dictionary_owner(self._bound_value(container))
        if owner is not None:
            for name in names:
                yield from self._effect(EffectKind.SET, self._later(owner), node, f"sets `{ast.unparse(node)}`", name)
            return
        yield from self._effect(
            EffectKind.STRUCTURE, self._later(container), node, f"changes `{ast.unparse(container)}`"
        )

    def _bound_value(self, node: ast.expr) -> ast.expr:
        """`net._modules` for a variable that is bound to it."""
        home = self.file.scope_of(node).binder(node.id) if isinstance(node, ast.Name) else None
        bindings = home.bindings[node.id] if home is not None and isinstance(node, ast.Name) else []
        values = [b.value for b in bindings if isinstance(b.value, ast.expr) and dictionary_owner(b.value)]
        return values[0] if values else node

    def variables(self) -> Iterator[Effect]:
        """`globals()["F"] = …`, `mock.patch("model.F", …)`."""
        for write in module_variables.variable_writes(self.file, self.points_to):
            yield from self._effect(EffectKind.SET, write.find_owners, write.node, write.text, write.attribute)

    # Calls

    def calls(self) -> Iterator[Effect]:
        """Calls that change an object: `setattr`, hooks, `train`, methods of containers, torch's own utilities."""
        for node in self.file.index.of(ast.Call):
            name = last_name(node.func)
            for call, func in as_method_calls(node, self.file, self._targets):
                yield from (
                    self._setter(call, func.attr) if func.attr in _SETTERS else self._method(call, func, func.attr)
                )
            if name in _SETTERS:
                yield from self._setter(node, name)
            elif isinstance(node.func, ast.Attribute):
                yield from self._method(node, node.func, name)
            elif name in ("exec", "eval") and isinstance(node.func, ast.Name):
                yield from self._text_that_runs(node)
            elif name.startswith(_GLOBAL_HOOKS) and "hook" in name:
                yield from self._effect(EffectKind.CHANGE, _any_object, node, f"calls `{name}`")
            if name == "__new__":
                yield from self._new(node)
            elif name == "type" and len(node.args) == 3 and not runs_base_constructor(node, self.file):
                yield from self._effect(EffectKind.DERIVE, self._later(node.args[1]), node, "makes a class of it")
            elif isinstance(node.func, ast.Name | ast.Attribute) and self._may_be_torch(node.func):
                yield from self._torch_utility(node)

    def _text_that_runs(self, node: ast.Call) -> Iterator[Effect]:
        """`exec(text)` may do anything to what it can name: the variables around it, and what it is given."""
        if node.args and _only_reads(node.args[0]):
            return
        scope = self.file.scope_of(node)
        found = partial(self._named_in, node, scope)
        for kind in (EffectKind.CHANGE, EffectKind.SET):
            yield from self._effect(kind, found, node, f"calls `{ast.unparse(node.func)}`")

    def _named_in(self, call: ast.Call, scope: LexicalScope) -> References:
        given = frozenset().union(*(map(self._targets, [*call.args[1:], *(k.value for k in call.keywords)])))
        named = (
            given if len(call.args) > 1 else self.points_to.variables(scope) | self.points_to.variables(self.file.top)
        )
        objects = frozenset(each for each in named if not isinstance(each.base, Named | ClassObject | FunctionObject))
        return objects | self.points_to.below(objects) | self.points_to.held_by(objects)

    def _may_be_torch(self, func: ast.Name | ast.Attribute) -> bool:
        """True if a call may be one of torch's utilities, by the import that its name begins with."""
        root: ast.expr = func
        while isinstance(root, ast.Attribute):
            root = root.value
        if not isinstance(root, ast.Name):
            return False
        home = self.file.scope_of(func).binder(root.id)
        bindings = home.bindings[root.id] if home is not None else ()
        return any(binding.target.startswith("torch") for binding in bindings)

    def values(self) -> Iterator[Effect]:
        """`setattr` and hook methods that are handed around, and calls of attributes whose names are computed."""
        nodes: list[ast.Name | ast.Attribute] = [*self.file.index.of(ast.Name), *self.file.index.of(ast.Attribute)]
        for node in nodes:
            name = last_name(node)
            is_hook = name.startswith("register_") and "hook" in name and isinstance(node, ast.Attribute)
            if not isinstance(node.ctx, ast.Load) or not (name in _SETTERS or is_hook):
                continue
            parent = self.file.parents.get(node)
            if isinstance(parent, ast.Call) and parent.func is node:
                continue
            scope = self.file.scope_of(node)
            if scope.name in ("__setattr__", "__delattr__") or isinstance(parent, ast.Compare):
                continue
            if isinstance(parent, ast.Attribute) and parent.attr not in ("__get__", "__func__", "__call__"):
                continue
            yield from self._effect(EffectKind.CHANGE, _any_object, node, f"passes on `{ast.unparse(node)}`")
            if not is_hook:
                yield from self._effect(EffectKind.SET, _any_object, node, f"passes on `{ast.unparse(node)}`")
        for node in self.file.index.of(ast.Attribute):
            if isinstance(node.ctx, ast.Load):
                yield from self._passed_method(node)
        for constant in self.file.index.of(ast.Constant):
            if _is_mutator(constant.value) and not self._is_plain_use(constant):
                yield from self._effect(
                    EffectKind.CHANGE, _any_object, constant, f"names `{constant.value!s}` in a text"
                )
        for call in self.file.index.of(ast.Call):
            yield from self._computed_call(call)

    def _passed_method(self, node: ast.Attribute) -> Iterator[Effect]:
        """`f = net.drop.eval`, `map(nn.Module.eval, parts)`, `net.act._forward_hooks`: what others may use later."""
        if _HOOK_TABLE.fullmatch(node.attr) and not self._is_own(node.value, self.file.scope_of(node)):
            yield from self._effect(EffectKind.CHANGE, self._later(node.value), node, f"uses `{ast.unparse(node)}`")
        if node.attr in _VISITS:
            yield from self._passed_visit(node)
        if node.attr not in ("train", "eval"):
            return
        parent = self.file.parents.get(node)
        if isinstance(parent, ast.Call) and parent.func is node:
            return
        yield from self._effect(
            EffectKind.MODE, partial(self._owners_of_method, node.value), node, f"passes on `{ast.unparse(node)}`"
        )

    def _passed_visit(self, node: ast.Attribute) -> Iterator[Effect]:
        """`f = net.apply`, `nn.Module.apply(net, function)`: visits of modules that are not called on their root."""
        parent = self.file.parents.get(node)
        if isinstance(parent, ast.Call) and parent.func is node:
            if parent.args or any(keyword.arg in (None, "self") for keyword in parent.keywords):
                yield from self._effect(EffectKind.OBSERVE, partial(self._visited, node, True), node, _uses(node))
        elif not (isinstance(parent, ast.Attribute) and parent.attr.startswith("__")) or parent.attr in _CALLABLE:
            yield from self._effect(EffectKind.OBSERVE, partial(self._visited, node, False), node, _uses(node))

    def _may_be_of_modules(self, reference: Reference) -> bool:
        """True if instances of a class may be modules: `apply` of an autograd function is another method."""
        cls = reference.base.cls if isinstance(reference.base, ClassObject) else None
        if not isinstance(cls, ClassRef):
            return True
        bases = [base.name for base in self.points_to.project.mro(cls) if isinstance(base, External)]
        return any(name == "?" or name.startswith("torch.nn.") for name in bases)

    def _visited(self, node: ast.Attribute, is_called: bool) -> References:
        """The modules below the object whose method is fetched; any module where it is fetched from a class."""
        found = self._targets(node.value)
        if any(is_module_class(each) and self._may_be_of_modules(each) for each in found):
            return ANY_OBJECT
        return frozenset() if is_called else self.points_to.below(found)

    def _owners_of_method(self, node: ast.expr) -> References:
        """The modules whose method is fetched; any of them where it is fetched from a class."""
        found = self._targets(node)
        is_class = any(map(is_module_class, found))
        return ANY_OBJECT if is_class else frozenset(each for each in found if not isinstance(each.base, Named))

    def _is_plain_use(self, constant: ast.Constant) -> bool:
        """True if the name of a method is a docstring, is compared, or names what `hasattr` and `getattr` ask for."""
        parent = self.file.parents.get(constant)
        if isinstance(parent, ast.Call):
            asks = ("getattr", "hasattr", "attrgetter", "methodcaller", "__getattribute__")
            return last_name(parent.func) in (*asks, *_SETTERS)  # what is set is an effect of its own
        return isinstance(parent, ast.Expr | ast.Compare | ast.JoinedStr)

    def _computed_call(self, node: ast.Call) -> Iterator[Effect]:
        match node.func:
            case ast.Call(func=ast.Name(id="getattr"), args=[owner, name, *_]):
                if isinstance(name, ast.Constant) and not str(name.value).startswith("register_"):
                    return
                if any(text != ANY_NAME and "register_" not in text for text in self._names(name)):
                    return
                yield from self._effect(
                    EffectKind.CHANGE, self._later(owner), node, f"calls `{ast.unparse(node.func)}`"
                )
            case ast.Call(func=maker, args=[name, *_]) if last_name(maker) == "methodcaller":
                found = self._later(*node.args)
                yield from self._effect(EffectKind.CHANGE, found, node, f"calls `{ast.unparse(node.func)}`")
        if last_name(node.func) in ("methodcaller", "attrgetter") and node.args:
            yield from self._passed_getter(node)

    def _passed_getter(self, node: ast.Call) -> Iterator[Effect]:
        """`map(methodcaller("eval"), parts)`: a method by its name, for objects that are given later."""
        parent = self.file.parents.get(node)
        is_called = isinstance(parent, ast.Call) and parent.func is node
        texts = [part.value for part in node.args[:1] if isinstance(part, ast.Constant)]
        names = [text.rpartition(".")[2] for text in texts if isinstance(text, str)]
        for kind, is_meant in (
            (EffectKind.CHANGE, not names or any(map(_is_mutator, names))),
            (EffectKind.OBSERVE, any(name in _VISITS or name == CHILD_TABLE for name in names)),
            (EffectKind.MODE, not names or any(name in ("train", "eval") for name in names)),
        ):
            if is_meant and (not is_called or kind is EffectKind.OBSERVE):
                yield from self._effect(kind, _any_object, node, f"makes `{ast.unparse(node)}`")

    def _setter(self, node: ast.Call, name: str) -> Iterator[Effect]:
        if any(isinstance(argument, ast.Starred) for argument in node.args):
            yield from self._effect(EffectKind.SET, self._later(*node.args), node, f"calls `{name}`")
            return
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Call(func=ast.Name(id="super")) as owner), args=[attribute, *_]):
                pass
            case ast.Call(func=ast.Attribute(value=owner, attr="__setattr__" | "__delattr__"), args=[attribute]):
                pass
            case ast.Call(func=ast.Attribute(value=owner, attr="__setattr__"), args=[attribute, _]):
                pass
            case ast.Call(args=[owner, attribute, *_]):
                pass
            case _:
                return
        scope = self.file.scope_of(node)
        if scope.name in ("__setattr__", "__delattr__") and scope.owner is not None:
            return  # the class's own way to set attributes
        if (replaced := self._replaced(attribute)) is not None:
            yield from self._replacements(node, replaced, f"calls `{name}`")
            return
        own = isinstance(owner, ast.Name) and self._is_own(owner, scope)
        for text in self._names(attribute):
            if own and text != ANY_NAME and text not in _OVERRIDES:
                continue
            yield Effect(
                EffectKind.SET,
                self._later(owner),
                Place.of(self.file.module, node),
                f"calls `{name}`",
                text,
                self._is_by_class(node),
                find_listed=self._listed(owner),
                owner=self._owner_of(node),
            )

    def _replaced(self, node: ast.expr) -> list[child_visits.NamedChild] | None:
        """The children whose names an expression holds: `name` in a loop over `named_children()`."""
        return child_visits.named_children(node, self.file, self.points_to)

    def _replacements(self, node: ast.expr, replaced: Iterable[child_visits.NamedChild], text: str) -> Iterator[Effect]:
        for child in replaced:
            by_class = self._is_by_class(child.where)
            place = Place.of(self.file.module, node)
            value = self._given_with(child.where)
            values = partial(self._made_by, value) if value is not None else None
            yield Effect(EffectKind.REPLACE, child.find_modules, place, text, ANY_NAME, by_class, find_values=values)

    def _made_by(self, call: ast.Call) -> References:
        """The module of torch that a call itself makes."""
        place = Place.of(self.file.module, call)
        found = self._targets(call)
        return found if all(isinstance(e.base, Made) and e.base.place == place for e in found) else frozenset()

    def _given_with(self, name: ast.AST) -> ast.Call | None:
        """The call that makes what a child gets with its name, if all its arguments are written out."""
        parent = self.file.parents.get(name)
        value: ast.expr | None = None
        if isinstance(parent, ast.Subscript):
            value = assigned_value(parent, self.file.parents)
        elif isinstance(parent, ast.Call):
            value = parent.args[-1]
        if not isinstance(value, ast.Call):
            return None
        arguments = (*value.args, *(keyword.value for keyword in value.keywords))
        return value if all(isinstance(each, ast.Constant) for each in arguments) else None

    def _names(self, node: ast.expr) -> list[str]:
        """Regular expressions for the names that an expression may be."""
        found = patterns_of(node, self.file.scope_of(node))
        return [ANY_NAME] if ANY_NAME in found else sorted(found)

    def _method(  # noqa: C901, PLR0912  (one branch a kind of method)
        self, node: ast.Call, func: ast.Attribute, name: str
    ) -> Iterator[Effect]:
        receiver, scope = func.value, self.file.scope_of(node)
        if "hook" in name and name.lstrip("_").startswith("register_"):
            yield from self._hook(node, receiver, name)
        elif name in _REGISTERS and self._named_argument(node) is not None:
            given = self._named_argument(node)
            assert given is not None
            if (replaced := self._replaced(given)) is not None:
                yield from self._replacements(node, replaced, f"calls `{name}`")
                return
            names = self._names(given)
            if isinstance(receiver, ast.Name) and self._is_own(receiver, scope) and names != [ANY_NAME]:
                return  # as by an assignment
            found = partial(self._modules, receiver, (Named, ClassObject, FunctionObject))
            for text in names:
                yield from self._effect(EffectKind.SET, found, node, f"calls `{name}`", text)
        elif name == "set_submodule" and node.args:
            below = partial(self._with_below, receiver)
            yield from self._effect(EffectKind.SET, below, node, f"calls `{name}`")
        elif name == "__init__":
            yield from self._constructor_again(node, receiver)
        elif name == "__setstate__":
            yield from self._effect(EffectKind.SET, self._later(receiver), node, f"calls `{ast.unparse(func)}`")
        elif name in ("train", "eval"):
            if (whole := child_visits.root_of_uniform(node, self.file.parents)) is not None:
                text = f"calls `{ast.unparse(func)}` for all modules of `{ast.unparse(whole)}`"
                place = Place.of(self.file.module, node)
                yield Effect(EffectKind.MODE, self._later(whole), place, text, owner=self._owner_of(whole))
            elif not self._is_mode_of_whole(node, receiver, scope):
                yield from self._effect(EffectKind.MODE, self._later(receiver), node, f"calls `{ast.unparse(func)}`")
        elif name in _CONTAINER_METHODS and self._may_be_modules(receiver):
            if not self._is_own(receiver, scope) or self._is_dictionary(receiver):
                yield from self._container_method(node, receiver)
        elif name.startswith(_GLOBAL_HOOKS) and "hook" in name:
            yield from self._effect(EffectKind.CHANGE, _any_object, node, f"calls `{name}`")
        elif self._may_be_called(receiver, name):
            yield from self._effect(
                EffectKind.CALL, self._later(receiver), node, f"calls `{ast.unparse(func)}`", re.escape(name)
            )

    def _constructor_again(self, node: ast.Call, receiver: ast.expr) -> Iterator[Effect]:
        """`net.drop.__init__(p=0.9)`, `nn.Dropout.__init__(net.drop, 0.9)`: all attributes of an object get new values.

        `Base.__init__(self)` in a method, and `super().__init__()`, are part of how an object is made.
        """
        is_super = isinstance(receiver, ast.Call) and last_name(receiver.func) == "super"
        is_self = isinstance(receiver, ast.Name) and self._is_own(receiver, self.file.scope_of(node))
        if not (is_super or is_self):
            found = partial(self._modules, receiver, (Named, ClassObject, ClassOf, FunctionObject))
            text = f"calls `{ast.unparse(node.func)}`"
            yield from self._effect(EffectKind.SET, found, node, text, ANY_THAT_IS_THERE)

    def _is_mode_of_whole(self, call: ast.Call, part: ast.expr, scope: LexicalScope) -> bool:
        """True if a part gets the mode of the module that it belongs to: `self.fc.train(self.training)`."""
        match call.args, part:
            case [ast.Attribute(value=ast.Name(id=whole), attr="training")], ast.Attribute(value=ast.Name(id=owner)):
                return whole == owner == self.points_to.receiver(scope)
        return False

    def _may_be_called(self, receiver: ast.expr, name: str) -> bool:
        """True if a method that classes of the project define is called on another object than `self`."""
        if name != "reset_parameters" and not self.points_to.names.is_method(name):
            return False
        return not self._is_own(receiver, self.file.scope_of(receiver)) and not isinstance(
            receiver, ast.Call | ast.Constant
        )

    @staticmethod
    def _named_argument(node: ast.Call) -> ast.expr | None:
        """The name that `add_module` and its like are given."""
        keywords = (keyword.value for keyword in node.keywords if keyword.arg in ("name", None))
        return node.args[0] if node.args else next(keywords, None)

    def _hook(self, node: ast.Call, receiver: ast.expr, name: str) -> Iterator[Effect]:
        if name.startswith(_GLOBAL_HOOKS):
            yield from self._effect(EffectKind.CHANGE, _any_object, node, f"calls `{name}`")
        if name == "register_hook":
            return  # of a tensor
        if "state_dict" in name:  # no call runs it, but a loop would give new modules one as well
            text = f"calls `{ast.unparse(node.func)}`"
            yield from self._effect(EffectKind.EXPOSE, self._later(receiver), node, text)
            return
        text, place = f"calls `{ast.unparse(node.func)}`", Place.of(self.file.module, node)
        yield Effect(
            EffectKind.CHANGE,
            self._later(receiver),
            place,
            text,
            by_class=self._is_by_class(node),
            find_listed=self._listed(receiver),
            owner=self._owner_of(node),
        )

    def _listed(self, receiver: ast.expr) -> Callable[[], References] | None:
        """The objects of a receiver in calls that look it up by a name from a listing of names."""
        values = self._values_of(receiver)
        return partial(self._listed_of, values) if any(map(self._looked_up, values)) else None

    def _listed_of(self, values: Iterable[ast.expr]) -> References:
        """The same for several expressions, some of which look nothing up."""
        found = ((value, self._looked_up(value)) for value in values)
        return frozenset().union(
            *(self._targets(value) if lookup is None else self._listed_by(value, lookup) for value, lookup in found)
        )

    def _listed_by(self, receiver: ast.expr, lookup: _NameLookup) -> References:
        scope = self.file.scope_of(receiver)
        uses = self.points_to.calls.uses(scope) if scope.is_function else None
        if uses is None or uses.unknown or uses.loose or not uses.direct:
            return self._targets(receiver) if _may_meet_new(lookup, self._targets) else frozenset()
        contexts = [CallContext(self.points_to, scope, call, where) for call, where in uses.direct]
        return frozenset().union(*(each.of(receiver) for each in contexts if _may_meet_new(lookup, each.of)))

    def _values_of(self, node: ast.expr, seen: frozenset[ast.expr] = frozenset()) -> list[ast.expr]:
        """The values of a variable, or the expression itself where a binding gives the variable something else."""
        home = self.file.scope_of(node).binder(node.id) if isinstance(node, ast.Name) else None
        bindings = home.bindings[node.id] if home is not None and isinstance(node, ast.Name) else []
        values = [b.value for b in bindings if b.kind is BindingKind.VALUE and isinstance(b.value, ast.expr)]
        if node in seen or not values or len(values) != len(bindings):
            return [node]
        return [part for value in values for part in self._values_of(value, seen | {node})]

    @staticmethod
    def _looked_up(node: ast.expr) -> _NameLookup | None:
        """A lookup of a module: `modules[name]`, `net.get_submodule(name)`."""
        match node:
            case ast.Subscript(slice=ast.Slice() | ast.Constant(value=int())):
                return None
            case ast.Subscript(value=table, slice=name):
                return _NameLookup(name, table)
            case ast.Call(func=ast.Attribute(attr="get_submodule"), args=[name]):
                return _NameLookup(name)
            case ast.Call(func=ast.Attribute(value=table, attr="get"), args=[name, *_]):
                return _NameLookup(name, table)
        return None

    def _container_method(self, node: ast.Call, receiver: ast.expr) -> Iterator[Effect]:
        if last_name(node.func) in _BY_KEY and node.args:
            yield from self._stored_item(receiver, node, self._names(node.args[0]))
            return
        given = [keyword.arg for keyword in node.keywords if keyword.arg is not None]
        for argument in node.args:
            keys = argument.keys if isinstance(argument, ast.Dict) else ()
            given += [
                re.escape(key.value) for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str)
            ]
        yield from self._stored_item(receiver, node, given or [ANY_NAME])

    def _new(self, node: ast.Call) -> Iterator[Effect]:
        """`Net.__new__(Net)`; the class's own `__new__`, which calls the one above, does not count."""
        scope = self.file.scope_of(node)
        if scope.name == "__new__":
            return
        yield from self._effect(
            EffectKind.BYPASS, partial(self._made_bare, node), node, "makes an instance by `__new__`"
        )

    def _with_below(self, node: ast.expr) -> References:
        found = self._targets(node)
        return found | self.points_to.below(found)

    def _made_bare(self, node: ast.Call) -> References:
        """The classes that `__new__` makes an instance of; the class around where they are not known."""
        scope = self.file.scope_of(node)
        targets = frozenset().union(*map(self._targets, node.args[:1])) if node.args else frozenset()
        if isinstance(node.func, ast.Attribute):
            targets |= self._targets(node.func.value)
        owner = self.points_to.enclosing_class(scope)
        if owner is not None and not any(isinstance(each.base, ClassObject) for each in targets):
            targets |= {Reference(ClassObject(owner))}
        return targets

    def _torch_utility(self, node: ast.Call) -> Iterator[Effect]:
        """torch.nn.utils and the quantization tools change the modules that they are given."""
        for callee in self._targets(node.func):
            if isinstance(callee.base, Named) and callee.base.name.startswith(_HOOKS_OF_TORCH):
                yield from self._effect(EffectKind.CHANGE, _any_object, node, f"calls `{ast.unparse(node.func)}`")
            if not isinstance(callee.base, Named) or not callee.base.name.startswith(_TORCH_MUTATORS):
                continue
            rest = callee.base.name.removeprefix("torch.nn.utils.")
            last = rest.rpartition(".")[2]
            if rest.startswith(_PURE_UTILITIES) or last.startswith(_PURE_NAMES) or last.lstrip("_")[:1].isupper():
                continue
            values = [*node.args, *(keyword.value for keyword in node.keywords)]
            changed = _CHANGED_ARGUMENT.get(callee.base.name)
            is_placed = changed is not None and len(node.args) > changed and not node.keywords
            for value in [node.args[changed]] if changed is not None and is_placed else values:
                found = partial(self._modules, value, (Made, Named, FunctionObject, ClassObject))
                text = f"calls `{ast.unparse(node.func)}`"
                yield from self._effect(EffectKind.CHANGE, found, node, text)
                names = ANY_NAME if is_placed else ANY_THAT_IS_THERE
                yield from self._effect(EffectKind.SET, found, node, text, names)

    def _modules(self, node: ast.expr, left_out: tuple[type, ...]) -> References:
        """The objects that an expression refers to, without some kinds of objects."""
        return frozenset(each for each in self._targets(node) if not isinstance(each.base, left_out))

    # Classes, comparisons, visits of children

    def classes(self) -> Iterator[Effect]:
        """Classes whose bases are expressions that Python evaluates: `class Net(TABLE["a"])`."""
        for node in self.file.index.of(ast.ClassDef):
            for base in node.bases:
                if _reaches_base(node) or self._is_static(base, self._targets(base)):
                    continue
                found = self._later(base)
                yield from self._effect(EffectKind.DERIVE, found, node, f"class `{node.name}` inherits from it")

    @cached_property
    def _computed_bases(self) -> dict[ClassRef | None, list[ast.expr]]:
        """The bases of each class that the class hierarchy does not know."""
        found: dict[ClassRef | None, list[ast.expr]] = {}
        for node in self.file.index.of(ast.ClassDef):
            bases = [base for base in node.bases if not self._is_static(base, self._targets(base))]
            if bases:
                found[self.file.class_of(node)] = bases
        return found

    def _instances_of(self, bases: Iterable[ast.expr]) -> References:
        classes = (each.base for base in bases for each in self._targets(base))
        found = (each.cls for each in classes if isinstance(each, ClassObject) and isinstance(each.cls, ClassRef))
        return frozenset(Reference(Instance(cls)) for cls in found)

    def _is_static(self, base: ast.expr, targets: References) -> bool:
        """True if the class hierarchy knows the base already."""
        scope = self.file.scope_of(base)
        cls = self.file.class_of(node) if isinstance(node := self.file.parents.get(base), ast.ClassDef) else None
        if cls is None or scope is None:
            return False
        known = self.points_to.project.mro(cls)
        classes = {each.base.cls for each in targets if isinstance(each.base, ClassObject)}
        return all(other in known for other in classes if isinstance(other, ClassRef))

    def comparisons(self) -> Iterator[Effect]:
        """`m is self.act`: a second instance is another object."""
        for node in self.file.index.of(ast.Compare):
            sides = [node.left, *node.comparators]
            if not any(isinstance(op, ast.Is | ast.IsNot) for op in node.ops):
                continue
            if any(isinstance(side, ast.Constant) for side in sides):
                continue
            for side in sides:
                # One side has to be known to be the module for the comparison to tell two instances apart.
                others = [other for other in sides if other is not side]
                found = partial(self._compared, side, others[0] if len(others) == 1 else None)
                yield from self._effect(EffectKind.COMPARE, found, node, f"compares `{ast.unparse(node)}`")

    def _compared(self, side: ast.expr, other: ast.expr | None) -> References:
        """The modules that one side of a comparison refers to, as far as the other side may be one of them."""
        found = self._modules(side, (Named, ClassObject, Anything))
        scope = self.file.scope_of(side)
        if not isinstance(other, ast.Name) or other.id != scope.receiver or len(scope.bindings[other.id]) != 1:
            return found
        return frozenset(each.narrowed([ClassTest(frozenset((scope.owner,)))]) for each in found if scope.owner)

    def _lister(self, module: ast.expr, listing: ast.expr) -> ClassRef | None:
        """The class whose method lists what its own object holds, also by `super()`."""
        scope = self.file.scope_of(listing)
        is_super = isinstance(module, ast.Call) and last_name(module.func) == "super"
        is_own = isinstance(module, ast.Name) and self._is_own(module, scope)
        return self.points_to.enclosing_class(scope) if is_own or is_super else None

    def visits(self, outside: OutsideEffects) -> Iterator[Effect]:
        """Uses of child modules that depend on which there are."""
        for visit in child_visits.visits(self.file, outside):
            yield Effect(
                EffectKind.OBSERVE_ORIGINAL if visit.of_originals else EffectKind.OBSERVE,
                visit.find_modules,
                Place.of(self.file.module, visit.node),
                f"goes through `{ast.unparse(visit.listing)}`",
                listing=Place.of(self.file.module, visit.listing),
                owner=self._lister(visit.module, visit.listing),
                is_lasting=visit.is_lasting,
            )

    def exposures(self) -> Iterator[Effect]:
        """Uses of texts, graphs and sources, and handlers of torch's functions."""
        found = [(EffectKind.EXPOSE, each) for each in object_texts.texts(self.file, self.points_to)]
        found += [(EffectKind.EXPOSE, each) for each in exposures.graphs(self.file, self.points_to)]
        found += [(EffectKind.EXPOSE, each) for each in exposures.watchers(self.file, self.points_to)]
        found += [(EffectKind.EXPOSE, each) for each in exposures.container_uses(self.file, self.points_to)]
        found += [(EffectKind.BORROW, each) for each in exposures.borrowed_methods(self.file, self.points_to)]
        found += [(EffectKind.SOURCE, each) for each in exposures.sources(self.file, self.points_to)]
        found += [(EffectKind.NAMES, each) for each in table_uses.module_names(self.file, self.points_to)]
        found += [(EffectKind.TABLE, each) for each in table_uses.tables(self.file, self.points_to)]
        for kind, each in found:
            is_method = kind is EffectKind.BORROW and isinstance(each.node, ast.Attribute)
            name = re.escape(each.node.attr) if is_method and isinstance(each.node, ast.Attribute) else ANY_NAME
            yield Effect(kind, each.find_targets, Place.of(self.file.module, each.node), each.text, name)
        for cls, node in exposures.handlers(self.file):
            found_objects = partial(exposures.handled_objects, cls)
            text = f"`{cls.name}.{node.name}` reads which function of torch runs"
            place = Place.of(self.file.module, node)
            yield Effect(EffectKind.DISPATCH, found_objects, place, text, asked=function_handlers.asked(node))

    def reads(self) -> Iterator[Effect]:
        """Attributes that are read of every child module that passes some tests."""
        for node in self.file.index.of(ast.Attribute):
            if not (isinstance(node.ctx, ast.Load) and isinstance(node.value, ast.Name)):
                continue
            is_of_layers = node.attr in _LAYER_ATTRIBUTES and not self._is_called_as_of_a_tensor(node)
            is_asked = is_of_layers and self._is_variable_of_many(node.value)
            if is_asked or (not _is_of_every_module(node.attr) and self._is_child_of_another(node.value)):
                text = f"reads `{ast.unparse(node)}`"
                yield from self._effect(EffectKind.READ, self._later(node.value), node, text, re.escape(node.attr))
        for call in self.file.index.of(ast.Call):
            match call:
                case ast.Call(func=ast.Name(id="getattr"), args=[ast.Name() as value, name]):
                    for attribute in self._names(name):
                        if attribute in _LAYER_ATTRIBUTES and self._is_variable_of_many(value):
                            text = f"calls `{ast.unparse(call)}`"
                            yield from self._effect(EffectKind.READ, self._later(value), call, text, attribute)

    def _is_called_as_of_a_tensor(self, node: ast.Attribute) -> bool:
        """True for `x.stride()` where no module has such a method: those of torch.nn have a value of this name."""
        call, name = self.file.parents.get(node), node.attr
        if not (isinstance(call, ast.Call) and call.func is node) or self.points_to.names.is_method(name):
            return False
        return not self.points_to.attribute(frozenset((Reference(Below(Anything())),)), name)

    def _is_child_of_another(self, node: ast.Name) -> bool:
        """True if a loop over the modules of another object than `self` binds a name.

        What a class does with children of its own, the rewrite of the class takes care of.
        """
        home = self.file.scope_of(node).binder(node.id)
        values = [binding.value for binding in home.bindings[node.id]] if home is not None else []
        listings = [each for each in values if isinstance(each, ast.expr) and child_visits.lists_modules(each)]
        return any(not self._is_self(child_visits.listed_module(each)) for each in listings)

    def _is_self(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and node.id == self.points_to.receiver(self.file.scope_of(node))

    def _is_variable_of_many(self, node: ast.Name) -> bool:
        """True if a name may mean one module after another: it is bound by a loop, or a parameter but not `self`."""
        home = self.file.scope_of(node).binder(node.id)
        kinds = {binding.kind for binding in home.bindings[node.id]} if home is not None else set()
        is_own = home is not None and home.receiver == node.id
        return not is_own and not kinds.isdisjoint((BindingKind.ITEM, BindingKind.PARAMETER))


def _is_of_every_module(name: str) -> bool:
    return name in NN_MODULE_ATTRIBUTES or name.startswith("__")


def _reaches_base(node: ast.ClassDef) -> bool:
    """True if a class has no constructor of its own, or one that calls `super().__init__`."""
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            return any(
                isinstance(part, ast.Call)
                and isinstance(part.func, ast.Attribute)
                and part.func.attr == "__init__"
                and isinstance(part.func.value, ast.Call)
                and last_name(part.func.value.func) == "super"
                for part in ast.walk(item)
            )
    return True
