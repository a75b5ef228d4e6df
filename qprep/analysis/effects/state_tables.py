"""Reads of the state dictionary of an object, `vars(x)` or `x.__dict__`, that may give the table of its children."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qprep.analysis.effects.attribute_names import is_any, may_be, patterns_of
from qprep.analysis.effects.class_conditions import conditions
from qprep.analysis.effects.library_names import CHILD_TABLE
from qprep.analysis.effects.method_calls import attribute_reads
from qprep.analysis.effects.object_tests import AnyOf, ClassTest, NameInTest, NameTest
from qprep.analysis.effects.variable_tests import Variable
from qprep.analysis.symbols.ast_utils import dotted_root, last_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qprep.analysis.effects.lexical_scopes import FileScopes, LexicalScope
    from qprep.analysis.effects.object_tests import Test

_STATE = "__dict__"
_BY_KEY = frozenset(("get", "pop", "setdefault", "__getitem__"))
# Methods that show no value of the dictionary: those that change it are effects of their own.
_SHOWS_NO_VALUE = frozenset(("update", "keys", "clear", "__contains__", "__setitem__", "__delitem__", "__len__"))
_GOES_THROUGH_KEYS = frozenset(("list", "sorted", "set", "frozenset", "tuple", "len", "iter", "enumerate"))
_COPIES = frozenset(("dict", "OrderedDict", "copy", "deepcopy"))
# Functions whose result depends on the class of an object, or on which one it is.
_ASKS_CLASS = frozenset(("callable", "id", "is_tensor", "isinstance", "type"))
# Methods by which Python itself copies and stores an object: they give its whole state to another one.
_PROTOCOL = frozenset(("__getstate__", "__reduce__", "__reduce_ex__", "__deepcopy__", "__copy__", "__setstate__"))
_DICTIONARIES = frozenset(("builtins.dict", "builtins.object", "collections.OrderedDict"))
_OTHER_CLASSES = ("builtins.", "numpy.", "torch.")


@dataclass(frozen=True, slots=True)
class TableRead:
    """An expression for the table of children, or a use of the whole dictionary that may see that table.

    use: the place of such a use; None where the expression is the table itself
    """

    node: ast.expr
    owner: ast.expr
    use: ast.expr | ast.stmt | None = None


class TableReads:
    """Finds the reads in one file.

    A key that is not written out at all counts as that of another value, unless a loop over the keys gives it. The
    keys themselves tell nothing: each module has the same ones.
    """

    def __init__(self, file: FileScopes) -> None:
        self.file = file
        self._followed: set[tuple[LexicalScope, str]] = set()

    def all(self) -> Iterator[TableRead]:
        """Every read."""
        nodes: list[ast.Attribute | ast.Call] = [*self.file.index.of(ast.Attribute), *self.file.index.of(ast.Call)]
        for node in nodes:
            for owner in self._owners(node):
                self._followed.clear()
                yield from self._uses(node, owner)

    def _owners(self, node: ast.Attribute | ast.Call) -> Iterator[ast.expr]:
        """The object whose state an expression gives."""
        match node:
            case ast.Attribute(value=value, attr="__dict__", ctx=ast.Load()):
                yield value
            case ast.Call(func=ast.Name(id="vars"), args=[value]):
                yield value
            case ast.Call(func=ast.Attribute(value=value, attr="__getstate__"), args=[]):
                yield value
            case ast.Call(func=ast.Attribute(value=value, attr="__reduce__" | "__reduce_ex__"), args=args):
                yield args[0] if len(args) == 2 else value
            case ast.Call():
                yield from (owner for owner, name in attribute_reads(node, self.file) if name == _STATE)

    def _uses(self, node: ast.expr, owner: ast.expr) -> Iterator[TableRead]:  # noqa: C901, PLR0912  (one case a node type)
        parent, scope = self.file.parents.get(node), self.file.scope_of(node)
        match parent:
            case ast.Subscript(value=value, slice=key) if value is node:
                if isinstance(parent.ctx, ast.Load):
                    yield from self._by_key(parent, key, owner, node)
            case ast.Attribute():
                yield from self._by_method(parent, node, owner)
            case ast.Compare(left=left, ops=[ast.In() | ast.NotIn()]) if left is not node:
                pass
            case ast.For() | ast.comprehension() if parent.iter is node:
                yield from self._by_each_key(parent, node, owner)
            case ast.Call(func=ast.Name(id=name)) if name in _GOES_THROUGH_KEYS and node in parent.args:
                yield from self._by_each_key(self.file.parents.get(parent), parent, owner)
            case ast.Call(func=func) if last_name(func) in _COPIES and parent.args[:1] == [node]:
                yield from self._uses(parent, owner)
            case ast.Call(func=ast.Attribute(value=other, attr="update")) if _is_state(other):
                pass  # the state of another object
            case ast.Assign(targets=[ast.Attribute(attr="__dict__")]):
                pass
            case ast.Assign(targets=[ast.Name(id=name)]):
                yield from self._of_variable(name, scope, parent, owner, node)
            case ast.Expr():
                pass
            case _ if scope.name in _PROTOCOL and _is_returned(parent, self.file.parents):
                pass
            case ast.expr() | ast.stmt():
                yield TableRead(node, owner, parent)
            case _:
                yield TableRead(node, owner, node)

    def _by_key(self, read: ast.expr, key: ast.expr, owner: ast.expr, state: ast.expr) -> Iterator[TableRead]:
        """The value of one key; a number takes apart what `__reduce__` returns."""
        if isinstance(key, ast.Constant) and isinstance(key.value, int):
            yield from self._uses(read, owner)
            return
        names = patterns_of(key, self.file.scope_of(read))
        if any(not is_any(name) and may_be(name, CHILD_TABLE) for name in names):
            yield TableRead(read, owner)
        elif any(not is_any(name) and may_be(name, _STATE) for name in names):
            yield TableRead(state, owner, read)

    def _by_method(self, method: ast.Attribute, node: ast.expr, owner: ast.expr) -> Iterator[TableRead]:
        call = self.file.parents.get(method)
        is_called = isinstance(call, ast.Call) and call.func is method
        if method.attr in _SHOWS_NO_VALUE:
            loop = self.file.parents.get(call) if is_called and call is not None else None
            yield from self._by_each_key(loop, call, owner) if isinstance(call, ast.Call) else ()
            return
        if not isinstance(call, ast.Call) or not is_called:
            yield TableRead(node, owner, method)
        elif method.attr in _BY_KEY and call.args:
            yield from self._by_key(call, call.args[0], owner, node)
        elif method.attr == "copy":
            yield from self._uses(call, owner)
        elif method.attr not in ("items", "values") or not self._sees_other_values(call, method.attr):
            yield TableRead(node, owner, call)

    def _of_variable(
        self, name: str, scope: LexicalScope, assignment: ast.stmt, owner: ast.expr, node: ast.expr
    ) -> Iterator[TableRead]:
        home = scope.binder(name)
        if home is None or len(home.bindings.get(name, ())) != 1:
            yield TableRead(node, owner, assignment)
            return
        if (home, name) in self._followed:
            return
        self._followed.add((home, name))
        for read in self.file.index.of(ast.Name):
            is_read = read.id == name and isinstance(read.ctx, ast.Load)
            if is_read and self.file.scope_of(read).binder(name) is home:
                yield from self._uses(read, owner)

    def _by_each_key(self, loop: ast.AST | None, keys: ast.expr, owner: ast.expr) -> Iterator[TableRead]:
        """Reads by a key that a loop over all keys gives, where tests do not exclude that of the children."""
        match loop:
            case ast.For(target=ast.Name(id=name), iter=iterated) if iterated is keys:
                whole: ast.AST = loop
            case ast.comprehension(target=ast.Name(id=name), iter=iterated) if iterated is keys:
                whole = self.file.parents[loop]
            case _:
                return
        variable = Variable("", self._classes, class_names=frozenset((name,)))
        for node in ast.walk(whole):
            if not (isinstance(node, ast.Name) and node.id == name and self._is_key(node)):
                continue
            if all(map(_may_be_table, conditions(node, variable, self.file.parents))):
                yield TableRead(keys, owner, node)

    def _is_key(self, name: ast.Name) -> bool:
        """True if a name is a key of a state dictionary, or the name of an attribute that is read."""
        match self.file.parents.get(name):
            case ast.Subscript(value=table, slice=key, ctx=ast.Load()) if key is name:
                return _is_state(table)
            case ast.Call(func=ast.Name(id="getattr"), args=[_, key, *_]):
                return key is name
            case ast.Call(func=ast.Attribute(value=table, attr=method), args=[key, *_]) if method in _BY_KEY:
                return key is name and _is_state(table)
        return False

    def _sees_other_values(self, call: ast.Call, method: str) -> bool:
        """True if a loop over the values uses only such as pass tests that the table of children fails."""
        loop = self.file.parents.get(call)
        match loop:
            case ast.For(target=target, iter=iterated) | ast.comprehension(target=target, iter=iterated):
                pass
            case _:
                return False
        key: ast.expr | None = None
        if method == "items":
            match target:
                case ast.Tuple(elts=[ast.Name() as key, ast.Name() as target]):
                    pass
                case _:
                    return False
        if iterated is not call or not isinstance(target, ast.Name):
            return False
        names = frozenset((key.id,)) if isinstance(key, ast.Name) else frozenset()
        scope = self.file.scope_of(target)
        variable = Variable(target.id, self._classes, class_names=names)
        inside = set(ast.walk(loop if isinstance(loop, ast.For) else self.file.parents[loop]))
        reads = (n for n in self.file.index.of(ast.Name) if n in inside and n.id == target.id and n is not target)
        return all(self._is_other(read, variable) for read in reads if self.file.scope_of(read) is scope)

    def _is_other(self, read: ast.Name, variable: Variable) -> bool:
        match self.file.parents.get(read):
            case ast.Call(func=func) if last_name(func) in _ASKS_CLASS and func is not read:
                return True
            case ast.Compare(ops=[ast.Is() | ast.IsNot()]):
                return True
        return not all(map(_may_be_table, conditions(read, variable, self.file.parents)))

    def _classes(self, node: ast.expr) -> frozenset[str] | None:
        """The classes that `isinstance` is given, by the names of the file's imports and of Python."""
        parts = node.elts if isinstance(node, ast.Tuple) else [node]
        found: set[str] = set()
        for part in parts:
            root = dotted_root(part)
            home = self.file.scope_of(root).binder(root.id) if isinstance(root, ast.Name) else None
            bindings = home.bindings[root.id] if home is not None and isinstance(root, ast.Name) else []
            if not isinstance(root, ast.Name) or len(bindings) > 1:
                return None
            dotted = ast.unparse(part)
            target = bindings[0].target if bindings else f"builtins.{root.id}"
            found.add(target + dotted.removeprefix(root.id))
        return frozenset(found)


def _is_state(node: ast.expr) -> bool:
    match node:
        case ast.Attribute(attr="__dict__") | ast.Call(func=ast.Name(id="vars"), args=[_]):
            return True
    return False


def _is_returned(node: ast.AST | None, parents: dict[ast.AST, ast.AST]) -> bool:
    while isinstance(node, ast.Tuple):
        node = parents.get(node)
    return isinstance(node, ast.Return)


def _may_be_table(test: Test) -> bool:
    """True if the table of children, under its name, may pass a test."""
    match test:
        case AnyOf(tests=tests):
            return any(map(_may_be_table, tests))
        case ClassTest(classes=None):
            return True
        case ClassTest(classes=classes, is_positive=True):
            names = [each for each in classes or () if isinstance(each, str)]
            return len(names) != len(classes or ()) or any(
                name in _DICTIONARIES or not name.startswith(_OTHER_CLASSES) for name in names
            )
        case ClassTest(classes=classes):
            return "builtins.dict" not in (classes or ())
        case NameTest() | NameInTest():
            return test.admits(CHILD_TABLE)
    return True
