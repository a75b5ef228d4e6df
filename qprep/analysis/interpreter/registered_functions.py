"""Functions that decorators of the project put into a table: `TABLE[name] = function`, `cls.table.append(function)`."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from qprep.analysis.symbols.ast_utils import positional_parameters, walk
from qprep.analysis.symbols.definition_names import DefinitionName
from qprep.analysis.values.abstract_values import UNKNOWN, FunctionRef, Kind, Mapping, Sequence, join_all, options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qprep.analysis.interpreter.protocol import Analysis
    from qprep.analysis.symbols.symbol_table import FileIndex

_ADDS = frozenset(("add", "append", "insert", "setdefault", "__setitem__"))


def with_registered(analysis: Analysis, index: FileIndex, owner: str, name: str, kind: Kind) -> Kind:
    """The kind of a dict or list with the functions that decorators put into it.

    It is a value of the class `owner` of a file, or of the file itself where `owner` is empty. Only functions at the
    top level of the project's files are found.
    """
    if not isinstance(kind, Mapping | Sequence):
        return kind
    key = (index.name, owner, name)
    if key not in analysis.registered:
        analysis.registered[key] = tuple(_registered(analysis, index, owner, name))
    found = analysis.registered[key]
    if not found:
        return kind
    inside = kind.value if isinstance(kind, Mapping) else kind.item
    every = join_all([*(() if inside is UNKNOWN or inside == UNKNOWN else options(inside)), *found])
    return Mapping(every) if isinstance(kind, Mapping) else Sequence(every)


def _registered(analysis: Analysis, index: FileIndex, owner: str, name: str) -> Iterator[FunctionRef]:
    registrars = frozenset(_registrars(index, owner, name))
    # A decorator that is imported under another name is not found: not every file can be parsed for it.
    pattern = re.compile("|".join(rf"@[\w.]*\b{re.escape('.'.join(each.split('.')[-2:]))}\b" for each in registrars))
    for module in analysis.project.given if registrars else ():
        text = analysis.project.text(module)
        if text is None or pattern.search(text) is None:
            continue
        other = analysis.project.index(module)
        for function, node in other.functions.items() if other is not None else ():
            for dotted in analysis.decorators(module, node):
                resolved = analysis.project.resolve(dotted)
                if any(_is_one(option, index.name, registrars) for option in options(resolved)):
                    yield FunctionRef(module, function)


def _is_one(option: Kind, module: str, registrars: frozenset[str]) -> bool:
    return isinstance(option, FunctionRef) and option.module == module and option.name in registrars


def _registrars(index: FileIndex, owner: str, name: str) -> Iterator[str]:
    """The functions of a file, or the methods of a class, that put what they decorate into a table."""
    if not owner:
        yield from (other for other, node in index.functions.items() if _puts(node, frozenset(), name))
    elif owner in index.classes:
        for other, node in index.classes[owner].methods.items():
            first = positional_parameters(node)[:1]
            holders = frozenset((DefinitionName.parse(owner).key, *(argument.arg for argument in first)))
            if _puts(node, holders, name):
                yield f"{owner}.{other}"


def _puts(node: ast.FunctionDef, holders: frozenset[str], name: str) -> bool:
    """True if a function, or one that it makes and returns, stores a parameter of its own in a table."""
    inner = {part.name: part for part in node.body if isinstance(part, ast.FunctionDef)}
    returned = [
        part.value.id for part in walk(node) if isinstance(part, ast.Return) and isinstance(part.value, ast.Name)
    ]
    return any(_stores(each, holders, name) for each in (node, *(inner[each] for each in returned if each in inner)))


def _stores(node: ast.FunctionDef, holders: frozenset[str], name: str) -> bool:
    parameters = {argument.arg for argument in positional_parameters(node)} - holders
    for part in node.body:
        match part:
            case ast.Assign(targets=[ast.Subscript(value=table)], value=ast.Name(id=stored)):
                pass
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=table, attr=method), args=[*_, ast.Name(id=stored)])):
                if method not in _ADDS:
                    continue
            case _:
                continue
        if stored in parameters and _is_table(table, holders, name):
            return True
    return False


def _is_table(node: ast.expr, holders: frozenset[str], name: str) -> bool:
    match node:
        case ast.Name(id=found):
            return not holders and found == name
        case ast.Attribute(value=ast.Name(id=holder), attr=found):
            return holder in holders and found == name
    return False
