"""Private names: in the class `Net`, Python turns `self.__act` into `self._Net__act`, and so do parsed files here.

Two classes may each have a `__act` of their own, and code outside may write `net._Net__act`. With the names that Python
uses, both are found as any other attribute is. Source: "Private name mangling" in the Python reference, 6.2.1.
"""

from __future__ import annotations

import ast
import re

from qprep.analysis.symbols.ast_utils import children
from qprep.analysis.symbols.definition_names import DefinitionName

_PRIVATE = re.compile(r"\b__(?!\w*__\b)\w+")
_MADE = re.compile(r"_[^\W_]\w*?__(?=[^\W_])")
_FIELDS: dict[type[ast.AST], str] = {
    ast.Attribute: "attr",
    ast.Name: "id",
    ast.arg: "arg",
    ast.FunctionDef: "name",
    ast.AsyncFunctionDef: "name",
    ast.ClassDef: "name",
    ast.ExceptHandler: "name",
    ast.MatchAs: "name",
    ast.MatchStar: "name",
    ast.MatchMapping: "rest",
}


def with_private_names(tree: ast.Module, text: str) -> ast.Module:
    """`tree`, the parsed `text`, with each private name in a class as Python mangles it; changes the tree itself."""
    if _PRIVATE.search(text) is None:
        return tree
    waiting: list[tuple[ast.AST, str]] = [(tree, "")]
    while waiting:
        node, owner = waiting.pop()
        inside = node.name.lstrip("_") if isinstance(node, ast.ClassDef) else owner
        body = {id(item) for item in node.body} if isinstance(node, ast.ClassDef) else set()
        waiting += [(child, inside if id(child) in body else owner) for child in children(node)]
        if owner:
            _mangle(node, owner)
    return tree


def _mangle(node: ast.AST, owner: str) -> None:
    """Mangle the names of one node for the class around it; names of arguments in calls and patterns stay."""
    name = _FIELDS.get(type(node))
    if name is not None and isinstance(given := getattr(node, name), str):
        setattr(node, name, mangled(given, owner))
    elif isinstance(node, ast.Global | ast.Nonlocal):
        node.names = [mangled(each, owner) for each in node.names]
    elif isinstance(node, ast.alias):
        bound = node.asname or node.name
        if mangled(bound, owner) != bound:
            node.asname = mangled(bound, owner)


def mangled(name: str, owner: str) -> str:
    """A name as Python stores it in a class whose name, without leading underscores, is `owner`."""
    is_private = name.startswith("__") and not name.endswith("__") and "." not in name
    return f"_{owner}{name}" if is_private and owner else name


def is_private(name: str) -> bool:
    """True if a name is private, or is one that Python may have made of a private name."""
    return mangled(name, "C") != name or _MADE.match(name) is not None


def without_class(name: str) -> str:
    """The part of a private attribute's name behind its class, without underscores: "act" of `_Net__act`."""
    return _MADE.sub("", name)


def spelled_out(text: str, owner: str) -> str:
    """Source of a method of the class `owner`, with its private names written so that they mean the same elsewhere."""
    return _PRIVATE.sub(lambda match: mangled(match.group(), DefinitionName.parse(owner).key.lstrip("_")), text)
