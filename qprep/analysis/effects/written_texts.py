"""The texts that an expression holds, as the source writes them: lists of class names that code compares."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from qprep.analysis.effects.lexical_scopes import BindingKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from qprep.analysis.effects.evaluation import Evaluation
    from qprep.analysis.effects.lexical_scopes import FileScopes, LexicalScope

MAX_STEPS = 8  # variables and attributes that lead to one another; beyond that the texts are not known
_COLLECTIONS = frozenset(("list", "tuple", "set", "frozenset", "sorted"))
_READERS = _COLLECTIONS | {"len", "any", "all", "enumerate", "print", "str", "repr", "bool", "iter", "zip", "map"}
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class WrittenTexts:
    """Texts in a collection; None where they are not known.

    is_complete: False where code may give an attribute another collection under a computed name
    """

    texts: frozenset[str] | None
    is_complete: bool = True

    def joined(self, other: WrittenTexts) -> WrittenTexts:
        """The texts of both."""
        if self.texts is None or other.texts is None:
            return UNKNOWN_TEXTS
        return WrittenTexts(self.texts | other.texts, self.is_complete and other.is_complete)


UNKNOWN_TEXTS = WrittenTexts(None, is_complete=False)
NO_TEXTS = WrittenTexts(frozenset())


def texts_in(evaluation: Evaluation, node: ast.expr, scope: LexicalScope, steps: int = MAX_STEPS) -> WrittenTexts:
    """The texts that a collection holds; over-approximates: an attribute holds those of all objects that have it."""
    match node:
        case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
            return _of_items(items)
        case ast.Dict(keys=keys):
            return _of_items(keys)
        case ast.Constant(value=None):
            return NO_TEXTS
        case ast.BinOp(op=ast.Add() | ast.BitOr(), left=left, right=right):
            return _of_all(evaluation, (left, right), scope, steps)
        case ast.BoolOp(values=values):
            return _of_all(evaluation, values, scope, steps)
        case ast.IfExp(body=body, orelse=orelse):
            return _of_all(evaluation, (body, orelse), scope, steps)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in _COLLECTIONS:
            is_own = scope.binder(name) is not None
            return UNKNOWN_TEXTS if is_own or len(arguments) > 1 else _of_all(evaluation, arguments, scope, steps)
        case ast.Call(func=ast.Name(id="getattr"), args=[_, ast.Constant(value=str(name)), *default], keywords=[]):
            of_default = _of_all(evaluation, default, scope, steps)
            return of_default if of_default.texts is None else of_default.joined(_of_attribute(evaluation, name, steps))
        case ast.Attribute(attr=name):
            return _of_attribute(evaluation, name, steps)
        case ast.Name(id=name) if steps:
            return _of_variable(evaluation, name, scope, steps - 1)
    return UNKNOWN_TEXTS


def words_in(file: FileScopes) -> Iterator[str]:
    """The words of all texts of a file but docstrings, and the names of its classes."""
    for constant in file.index.of(ast.Constant):
        if isinstance(constant.value, str) and not isinstance(file.parents.get(constant), ast.Expr):
            yield from _WORD.findall(constant.value)
    for definition in file.index.of(ast.ClassDef):
        yield definition.name


def _of_items(items: Iterable[ast.expr | None]) -> WrittenTexts:
    texts: set[str] = set()
    for item in items:
        if not isinstance(item, ast.Constant) or not isinstance(item.value, str):
            return UNKNOWN_TEXTS
        texts.add(item.value)
    return WrittenTexts(frozenset(texts))


def _of_all(evaluation: Evaluation, nodes: Iterable[ast.expr | None], scope: LexicalScope, steps: int) -> WrittenTexts:
    found = NO_TEXTS
    for node in nodes:
        found = found.joined(texts_in(evaluation, node, scope, steps) if node is not None else UNKNOWN_TEXTS)
    return found


def _of_attribute(evaluation: Evaluation, name: str, steps: int) -> WrittenTexts:
    """The texts that the given files put into attributes of a name, in classes and on objects."""
    if not steps:
        return UNKNOWN_TEXTS
    found, is_written = NO_TEXTS, False
    for value, scope in _values_of(evaluation, name):
        is_written = True
        found = found.joined(texts_in(evaluation, value, scope, steps - 1) if value is not None else UNKNOWN_TEXTS)
        if found.texts is None:
            return found
    return WrittenTexts(found.texts, is_complete=False) if is_written else UNKNOWN_TEXTS


def _values_of(evaluation: Evaluation, name: str) -> Iterator[tuple[ast.expr | None, LexicalScope]]:
    for cls in evaluation.names.holders(name):
        body = evaluation.body(cls)
        bindings = body.bindings.get(name, ()) if body is not None else ()
        if body is not None:
            yield from ((each.value if isinstance(each.value, ast.expr) else None, body) for each in bindings)
    for _, scope, value in evaluation.assignments(name):
        yield value, scope
    for store in evaluation.stores.attribute_stores(name, is_exact=True):
        yield None, store.scope
    yield from ((None, scope) for _, scope in _changes(evaluation, name))


def _changes(evaluation: Evaluation, name: str) -> Iterator[tuple[ast.expr, LexicalScope]]:
    """Uses of an attribute that may change its collection: `self.names.append(name)`, or a call that is given it."""
    reads: Iterator[tuple[ast.expr, FileScopes]] = chain(
        ((node, file) for node, file in evaluation.names.loads(evaluation, name) if isinstance(node, ast.Attribute)),
        ((call, file) for call, file in evaluation.names.lookups(evaluation) if _gets(call, name)),
    )
    return ((node, file.scope_of(node)) for node, file in reads if not _is_only_read(evaluation, node, file))


def _gets(call: ast.Call, name: str) -> bool:
    """True for `getattr(x, "name")`, with a default or without."""
    key = call.args[1] if len(call.args) > 1 else None
    return isinstance(key, ast.Constant) and key.value == name


def _is_only_read(evaluation: Evaluation, node: ast.expr, file: FileScopes, steps: int = 2) -> bool:
    """True if a use of a collection leaves it as it is; a variable that it is bound to counts with its uses."""
    parent = file.parents.get(node)
    match parent:
        case ast.For(iter=iterated) | ast.comprehension(iter=iterated):
            return iterated is node
        case ast.Call(func=ast.Name(id=name)) if name in _READERS and node in parent.args:
            return file.scope_of(parent).binder(name) is None
        case ast.BoolOp() | ast.IfExp():
            return _is_only_read(evaluation, parent, file, steps)
        case ast.Assign(targets=[ast.Name(id=name)]) if steps:
            home = file.scope_of(parent).binder(name)
            return (
                home is not None
                and len(home.bindings[name]) == 1
                and all(_is_only_read(evaluation, read, file, steps - 1) for read in _reads(evaluation, name, home))
            )
        case ast.Expr() | ast.If() | ast.While() | ast.Assert() | ast.UnaryOp() | ast.Compare() | ast.FormattedValue():
            return True
        case ast.BinOp(op=ast.Add() | ast.BitOr() | ast.Mod()):
            return True
    return False


def _reads(evaluation: Evaluation, name: str, home: LexicalScope) -> Iterator[ast.Name]:
    return (node for node in evaluation.names.reads(home.file, name) if home.file.scope_of(node).binder(name) is home)


def _of_variable(evaluation: Evaluation, name: str, scope: LexicalScope, steps: int) -> WrittenTexts:
    """The texts of a variable that is bound once to a collection, which nothing changes."""
    home = scope.binder(name)
    bindings = home.bindings.get(name, []) if home is not None else []
    value = bindings[0].value if len(bindings) == 1 and bindings[0].kind is BindingKind.VALUE else None
    if home is None or not isinstance(value, ast.expr):
        return UNKNOWN_TEXTS
    bound = home.file.parents.get(value)
    is_whole = isinstance(bound, ast.Assign | ast.AnnAssign | ast.NamedExpr) and not isinstance(
        bound.targets[0] if isinstance(bound, ast.Assign) else bound.target, ast.Tuple | ast.List
    )
    reads = _reads(evaluation, name, home)
    if not is_whole or not all(_is_only_read(evaluation, read, home.file) for read in reads):
        return UNKNOWN_TEXTS
    if home.parent is None and any(evaluation.assignments(name)):
        return UNKNOWN_TEXTS  # `config.NAMES = …` may replace a variable of a module
    return texts_in(evaluation, value, home, steps)
