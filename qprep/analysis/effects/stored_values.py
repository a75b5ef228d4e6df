"""Values stored without a plain assignment: items, arguments of methods, attributes with computed names.

A container counts as what it holds. What code puts into one is noted at the variable or attribute where the container
comes from, so every alias of it sees the value: `items = self.items; items.append(layer)` is noted at `self.items`.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qprep.analysis.effects.attribute_names import ANY_NAME, may_be, patterns_of
from qprep.analysis.effects.lexical_scopes import BindingKind, assigned_value
from qprep.analysis.effects.python_classes import OF_CONTAINERS
from qprep.analysis.effects.tensor_expressions import is_operation_of_torch, is_tensor
from qprep.analysis.symbols.ast_utils import argument_values, last_name, named_read
from qprep.foundation.catalogue.module_attributes import NN_MODULE_ATTRIBUTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from qprep.analysis.effects.lexical_scopes import FileScopes, LexicalScope
    from qprep.analysis.values.abstract_values import ClassRef

MAX_ALIASES = 12
"""Variables that lead from an alias to where a container comes from; none that people write has more."""

KEEPERS = frozenset(
    ["add", "append", "appendleft", "extend", "extendleft", "insert", "put", "setdefault",
     "symmetric_difference_update", "update"]
)  # fmt: skip
"""Methods of containers that keep texts as they are; what other methods do with a text is another text."""

SCALARS = frozenset(
    ["abs", "all", "any", "bool", "callable", "divmod", "float", "format", "hasattr", "hash", "id", "int", "isinstance",
     "issubclass", "len", "open", "ord", "pow", "print", "range", "repr", "round", "str"]
)  # fmt: skip
"""Python's own functions that return a number, a text or nothing."""

_PASSED = KEEPERS | {"__setitem__"}
_DICTIONARIES = frozenset(("_modules", "__dict__", "_parameters", "_buffers"))
_SETTERS = frozenset(("setattr", "__setattr__"))
_NAMED_SETTERS = frozenset(("__setattr__", "add_module", "register_module"))


@dataclass(frozen=True, slots=True, eq=False)
class Addition:
    """Values that an object may keep. `callee` is what gets them; None where they are set as items.

    `passed` is a method such as `items.append` that is not called where it stands: what its calls get is kept.
    """

    values: tuple[ast.expr, ...]
    scope: LexicalScope
    callee: ast.expr | None = None
    passed: ast.Attribute | None = None

    @property
    def keeps_texts(self) -> bool:
        """True if the values are kept as they are: by a method of containers, or as items."""
        return self.callee is None or last_name(self.callee) in KEEPERS


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """An addition to what an attribute holds, and the read of the attribute; None for a variable of another module."""

    addition: Addition
    node: ast.Attribute | None = None
    scope: LexicalScope | None = None


@dataclass(frozen=True, slots=True, eq=False)
class AttributeStore:
    """Values of attributes that are set by a computed name, or in the dictionary of their object.

    `names` are regular expressions for the attributes. `owner` is None for the variables of the file. `of_modules`: the
    way that it is written exists for modules alone, such as `add_module`.
    """

    owner: ast.expr | None
    names: frozenset[str]
    values: tuple[ast.expr, ...]
    scope: LexicalScope
    of_modules: bool = False


_Location = tuple["LexicalScope | str", str]


class StoreTable:
    """All such stores of several files, by where the object comes from."""

    def __init__(self, files: Iterable[FileScopes]) -> None:
        self._variables: dict[_Location, list[Addition]] = defaultdict(list)
        self._attributes: dict[str, list[Kept]] = defaultdict(list)
        self._results: dict[str, list[Addition]] = defaultdict(list)
        self._own: dict[ClassRef, list[Addition]] = defaultdict(list)
        self._named: dict[str, list[AttributeStore]] = defaultdict(list)
        self._patterns: list[AttributeStore] = []
        self._matching: dict[str | None, list[AttributeStore]] = {}  # those of the patterns, by the names asked for
        self.adders: set[str] = set()  # functions that put something into what they are given
        self.sent: list[tuple[ast.expr, LexicalScope]] = []  # arguments of a generator's `send`
        self.raised: list[tuple[ast.expr, LexicalScope]] = []  # arguments of exceptions
        # Functions that an attribute of another function decorates, as `functools.singledispatch` wants it.
        self.registered: dict[tuple[LexicalScope, str], list[LexicalScope]] = defaultdict(list)
        for file in files:
            self._read(file)

    def of_variable(self, scope: LexicalScope, name: str) -> list[Addition]:
        """The values stored in the object of a scope's variable."""
        return self._variables.get((scope, name), [])

    def of_attribute(self, name: str) -> list[Kept]:
        """The values stored in objects of attributes of this name."""
        return self._attributes.get(name, [])

    def of_result(self, name: str) -> list[Addition]:
        """The values stored in objects that functions of this name return."""
        return self._results.get(name, [])

    def every_attribute_store(self) -> Iterator[AttributeStore]:
        """All stores that give attributes a value."""
        yield from self.named_stores()
        yield from self._patterns

    def named_stores(self) -> Iterable[AttributeStore]:
        """Stores by names that are written as texts."""
        return dict.fromkeys(store for stores in self._named.values() for store in stores)

    def computed_stores(self, name: str | None) -> Iterable[AttributeStore]:
        """Stores by names that are not written out, for one attribute or (None) for any."""
        if name not in self._matching:
            found = [s for s in self._patterns if name is None or any(may_be(pattern, name) for pattern in s.names)]
            self._matching[name] = found
        return self._matching[name]

    def of_instances(self, cls: ClassRef) -> list[Addition]:
        """The values that methods of a class store in their own object, as in a container."""
        return self._own.get(cls, [])

    def attribute_stores(self, name: str, *, is_exact: bool = False) -> Iterator[AttributeStore]:
        """Stores that may give an attribute of this name a value; those that give the name as a text if `is_exact`."""
        yield from self._named.get(name, ())
        if not is_exact:
            yield from self.computed_stores(name)

    def _read(self, file: FileScopes) -> None:
        for call in file.index.of(ast.Call):
            self._read_call(call, file)
        for node in file.index.of(ast.Subscript):
            if isinstance(node.ctx, ast.Store):
                self._read_item(node, file)
        for method in file.index.of(ast.Attribute):
            if method.attr in _PASSED and isinstance(method.ctx, ast.Load) and not _is_called(method, file):
                self._note(method.value, Addition((), file.scope_of(method), passed=method))
        for function in file.functions():
            self._read_decorators(function)
        for statement in file.index.of(ast.Raise):
            if isinstance(statement.exc, ast.Call):
                scope = file.scope_of(statement)
                self.raised += [
                    (value, scope) for value in argument_values(statement.exc) if not isinstance(value, ast.BinOp)
                ]

    def _read_decorators(self, function: LexicalScope) -> None:
        for decorator in getattr(function.node, "decorator_list", ()):
            named = decorator.func if isinstance(decorator, ast.Call) else decorator
            match named:
                case ast.Attribute(value=ast.Name(id=name)) if function.parent is not None:
                    home = function.parent.binder(name)
                    if home is not None:
                        self.registered[home, name].append(function)

    def _read_item(self, node: ast.Subscript, file: FileScopes) -> None:
        value = assigned_value(node, file.parents)
        scope = file.scope_of(node)
        owner = dictionary_owner(node.value)
        is_variables = _is_call_of(node.value, "globals")
        if value is not None and (owner is not None or is_variables):
            self._keep(
                AttributeStore(owner, patterns_of(node.slice, scope), (value,), scope, _is_of_module(node.value))
            )
        if not is_variables and not is_tensor(node.value, scope):  # what is iterated over a dictionary are its keys
            kept = (value, None if isinstance(node.slice, ast.Constant | ast.Slice) else node.slice)
            self._note(node.value, Addition(tuple(each for each in kept if each is not None), scope))

    def _read_call(self, call: ast.Call, file: FileScopes) -> None:
        values = argument_values(call)
        if not values:
            return
        scope = file.scope_of(call)
        if (store := _attribute_store(call, scope)) is not None:
            self._keep(store)
            return
        match call.func:
            case ast.Attribute(value=owner, attr=method) if not _is_module(owner, scope):
                if method in ("send", "asend"):
                    self.sent += [(value, scope) for value in values]
                if method in KEEPERS or method not in NN_MODULE_ATTRIBUTES | OF_CONTAINERS:
                    self._note(owner, Addition(values, scope, call.func))
            case func if len(values) > 1 and _is_imported(func, scope):
                for value in values:
                    others = tuple(other for other in values if other is not value)
                    self._note(value, Addition(others, scope, func))
            case ast.Name(id=name) if (home := scope.binder(name)) is not None:
                bound = (binding.value for binding in home.bindings[name])
                for held in (value for value in bound if isinstance(value, ast.Attribute)):
                    self._note(held.value, Addition(values, scope))  # `add = items.append; add(layer)`
        for passed in (value for value in values if isinstance(value, ast.Attribute) and value.attr in KEEPERS):
            others = tuple(other for other in values if other is not passed)
            self._note(passed.value, Addition(others, scope))  # `map(items.append, layers)`

    def _keep(self, store: AttributeStore) -> None:
        if all(name.isidentifier() for name in store.names):
            for name in store.names:
                self._named[name].append(store)
        else:
            self._patterns.append(store)

    def _note(self, container: ast.expr, addition: Addition) -> None:
        """Note values where a container comes from."""
        waiting = [(container, addition.scope)]
        seen: set[ast.expr] = set()
        while waiting and len(seen) < MAX_ALIASES:
            node, scope = waiting.pop()
            if node in seen:
                continue
            seen.add(node)
            match node:
                case ast.Name(id=name):
                    home = scope.binder(name)
                    if home is not None:
                        waiting += self._note_variable(home, name, addition)
                case ast.Attribute(attr=name):
                    self._attributes[name].append(Kept(addition, node, scope))
                case ast.Call(func=func) if _is_scalar(func, scope) or is_operation_of_torch(node, scope):
                    pass  # `len(items)` is no other name for the items, and a tensor that is made of others is none
                case ast.Call(func=func, args=arguments):
                    self._results[last_name(func)].append(addition)
                    waiting += [(func.value, scope)] if isinstance(func, ast.Attribute) else []
                    waiting += [(argument, scope) for argument in arguments]
                case ast.Subscript(value=value) | ast.Starred(value=value):
                    waiting.append((value, scope))
                case ast.NamedExpr(target=target, value=value):
                    waiting += [(target, scope), (value, scope)]
                case ast.IfExp(body=body, orelse=orelse):
                    waiting += [(body, scope), (orelse, scope)]
                case ast.BoolOp(values=parts):
                    waiting += [(part, scope) for part in parts]
                case _:
                    pass

    def _note_variable(
        self, home: LexicalScope, name: str, addition: Addition
    ) -> Iterator[tuple[ast.expr, LexicalScope]]:
        """Note values at a variable; returns what the variable is another name for."""
        if name == home.receiver and home.owner is not None:
            self._own[home.owner].append(addition)
            return
        self._variables[home, name].append(addition)
        for binding in home.bindings[name]:
            if binding.kind is BindingKind.PARAMETER:
                self.adders.add(home.owner.name if home.name == "__init__" and home.owner is not None else home.name)
            elif binding.kind is BindingKind.IMPORT:  # a variable of another module
                self._attributes[binding.target.rpartition(".")[2]].append(Kept(addition))
            elif binding.kind in (BindingKind.VALUE, BindingKind.ITEM) and isinstance(binding.value, ast.expr):
                yield binding.value, binding.home(home)


def _is_called(method: ast.Attribute, file: FileScopes) -> bool:
    parent = file.parents.get(method)
    return isinstance(parent, ast.Call) and parent.func is method


def dictionary_owner(node: ast.expr) -> ast.expr | None:
    """`net` for `net._modules`, `net.__dict__`, `vars(net)`, `net.__dict__["_modules"]`."""
    match node:
        case ast.Attribute(value=value, attr="_modules" | "__dict__" | "_parameters" | "_buffers"):
            return value
        case ast.Call(func=ast.Name(id="vars"), args=[value]):
            return value
        case ast.Subscript(value=value, slice=ast.Constant(value="_modules" | "_parameters" | "_buffers")):
            return dictionary_owner(value)
        case ast.Call() if (read := named_read(node)) is not None and read[1] in _DICTIONARIES:
            return read[0]
    return None


def _is_of_module(table: ast.expr) -> bool:
    """True for a dictionary that modules alone have, such as `net._modules`."""
    match table:
        case ast.Attribute(attr=name) | ast.Subscript(slice=ast.Constant(value=name)):
            return name in ("_modules", "_parameters", "_buffers")
    return False


def _attribute_store(call: ast.Call, scope: LexicalScope) -> AttributeStore | None:
    """`setattr(x, name, value)`, `object.__setattr__(x, name, value)`, `vars(x).update(name=value)`."""
    match call:
        case ast.Call(func=func, args=[owner, name, value]) if last_name(func) in _SETTERS:
            return AttributeStore(owner, patterns_of(name, scope), (value,), scope)
        case ast.Call(func=ast.Attribute(value=owner, attr=method), args=[name, value]) if method in _NAMED_SETTERS:
            values = _set_by_itself(value, scope) if isinstance(name, ast.Name) else (value,)
            return AttributeStore(owner, patterns_of(name, scope), values, scope, method != "__setattr__")
        case ast.Call(func=ast.Attribute(value=table, attr="update" | "setdefault" | "__setitem__")):
            found = dictionary_owner(table)
            if found is not None or _is_call_of(table, "globals"):
                names = {ANY_NAME} if call.args else {keyword.arg or ANY_NAME for keyword in call.keywords}
                return AttributeStore(found, frozenset(names), argument_values(call), scope, _is_of_module(table))
    return None


def _set_by_itself(value: ast.expr, scope: LexicalScope) -> tuple[ast.expr, ...]:
    """Values that `__setattr__` stores in addition to its argument; the assignment that runs it counts already."""
    if scope.name != "__setattr__" or scope.owner is None or not isinstance(value, ast.Name):
        return (value,)
    bindings = scope.bindings.get(value.id, ())
    if not any(binding.kind is BindingKind.PARAMETER for binding in bindings):
        return (value,)
    others = (binding.value for binding in bindings if binding.kind is not BindingKind.PARAMETER)
    return tuple(other for other in others if isinstance(other, ast.expr))


def _is_call_of(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name


def _is_scalar(func: ast.expr, scope: LexicalScope) -> bool:
    """True if a callee is a function of Python's own that returns no object which it is given."""
    return isinstance(func, ast.Name) and func.id in SCALARS and scope.binder(func.id) is None


def _is_module(node: ast.expr, scope: LexicalScope) -> bool:
    """True if a name is bound by imports alone: a module, a class or a function."""
    home = scope.binder(node.id) if isinstance(node, ast.Name) else None
    bindings = home.bindings[node.id] if home is not None and isinstance(node, ast.Name) else []
    return bool(bindings) and all(binding.kind is BindingKind.IMPORT for binding in bindings)


def _is_imported(func: ast.expr, scope: LexicalScope) -> bool:
    root = func.value if isinstance(func, ast.Attribute) else func
    return _is_module(root, scope)
