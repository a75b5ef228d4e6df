"""Classes of modules that code looks for in any model, to change what it finds or put another module there.

They are written as "<ReLU>", or "<Drop" for all whose name begins so; with "=" in front where instances are replaced.
"""

from __future__ import annotations

import ast
import builtins
import sys
from typing import TYPE_CHECKING

from qprep.analysis.symbols.ast_utils import walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qprep.analysis.symbols.symbol_table import FileIndex

_BUILTINS = frozenset(dir(builtins))  # str, list: no modules
_NO_MODULES = frozenset(("Tensor", "Parameter", "Buffer", "UninitializedParameter", "UninitializedBuffer"))  # of torch
_ADDING = frozenset(("add_module", "register_module", "set_submodule"))
_WALKS = frozenset(("modules", "named_modules", "children", "named_children", "_modules"))
_CHANGING = frozenset(("train", "eval", "add_module", "register_module"))


def sought_classes(index: FileIndex) -> Iterator[str]:
    """`if isinstance(m, nn.ReLU): m.inplace = True`; functions that replace modules, with all they ask for."""
    for node in index.of(ast.If):
        if (found := list(_tested(index, node.test))) and any(
            _changes(part) for line in node.body for part in walk(line)
        ):
            yield from found
    if any(_replaces(node) for node in index.of(ast.Call, ast.Subscript)):
        for function in index.of(ast.FunctionDef):
            yield from _replaced_in(index, function)
    if any(node.attr == "convert_sync_batchnorm" for node in index.of(ast.Attribute)):
        yield "=<BatchNorm"


def _replaced_in(index: FileIndex, function: ast.FunctionDef) -> Iterator[str]:
    """The tests of a function that replaces modules, except for the classes of the modules around.

    One that goes through a model and asks nothing of that kind may replace any.
    """
    nodes = walk(function)
    goes_through = any(map(_walks, nodes))
    is_building = function.name == "__init__" or not goes_through  # what is added there is new
    owners = {ast.unparse(_owner(node)) for node in nodes if _replaces(node) and not (is_building and _adds(node))}
    if not owners - {"self"}:  # what a class does with its own attributes is told by its methods
        return
    found = [name for part in nodes for name in _asked(index, part) if _subject(part) not in owners]
    found += [f"<.{name}>" for part in nodes for name in _attributes_asked(part) if _subject(part) not in owners]
    if not found and goes_through:
        found = ["<?>"]
    yield from (text for name in found for text in (name, f"={name}"))


def _walks(node: ast.AST) -> bool:
    """`model.named_children()`, `model._modules`; no `sys.modules`."""
    func = node.func if isinstance(node, ast.Call) else None
    if isinstance(func, ast.Attribute) and func.attr in _WALKS:
        return True
    return isinstance(node, ast.Attribute) and node.attr == "_modules"


def _attributes_asked(node: ast.AST) -> Iterator[str]:
    """ "fuse" in `hasattr(child, "fuse")`."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "hasattr":
        yield from _texts(node.args[1])


def _adds(node: ast.AST) -> bool:
    """`module.add_module(name, other)`."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)


def _owner(node: ast.AST) -> ast.expr:
    """`parent` in `setattr(parent, name, other)` and in `parent._modules[name] = other`."""
    if isinstance(node, ast.Call):
        return node.func.value if isinstance(node.func, ast.Attribute) else node.args[0]
    assert isinstance(node, ast.Subscript)
    assert isinstance(node.value, ast.Attribute)
    return node.value.value


def _subject(node: ast.AST) -> str:
    """`m` in `isinstance(m, C)`."""
    return ast.unparse(node.args[0]) if isinstance(node, ast.Call) and node.args else ""


def is_sought(touched: frozenset[str], cls: str) -> bool:
    """True if instances of a class are looked for, to be changed or replaced."""
    return _matches([name for name in touched if name.startswith("<")], cls)


def replaced(touched: frozenset[str]) -> frozenset[str]:
    """The classes whose instances are replaced, or the beginnings of their names."""
    return frozenset(name[1:] for name in touched if name.startswith("="))


def is_replaced(touched: frozenset[str], cls: str) -> bool:
    """True if instances of a class are looked for, to be replaced."""
    return _matches(replaced(touched), cls)


def _matches(names: frozenset[str] | list[str], cls: str) -> bool:
    return f"<{cls}>" in names or any(cls.startswith(name[1:]) for name in names if not name.endswith(">"))


def _tested(index: FileIndex, test: ast.expr) -> Iterator[str]:
    """The classes that a condition tests."""
    for part in walk(test):
        yield from _asked(index, part)


def _asked(index: FileIndex, part: ast.AST) -> Iterator[str]:
    """`isinstance(m, C)`, `type(m) is C`, `m.__class__.__name__ == "C"`."""
    if isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and part.func.id == "isinstance":
        yield from (f"<{name}>" for name in _class_names(index, part.args[-1]))
    elif isinstance(part, ast.Compare) and _is_class_of(part.left):
        yield from (f"<{name}>" for side in part.comparators for name in _class_names(index, side))
        yield from (f"<{text}" for side in part.comparators for text in _texts(side))
    elif isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) and _is_class_of(part.func.value):
        yield from (f"<{text}" for arg in part.args for text in _texts(arg))
    elif isinstance(part, ast.Compare) and any(map(_is_class_of, part.comparators)):
        yield from (f"<{text}" for text in _texts(part.left))


def _replaces(node: ast.AST) -> bool:
    """`setattr(module, name, other)`, `module._modules[name] = other`, `module.add_module(name, other)`."""
    if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
        return isinstance(node.value, ast.Attribute) and node.value.attr == "_modules"
    if not isinstance(node, ast.Call) or not node.args:
        return False
    if isinstance(node.func, ast.Attribute):  # no class that adds modules to itself
        is_own = isinstance(node.func.value, ast.Name) and node.func.value.id == "self"
        return node.func.attr in _ADDING and not is_own and not isinstance(node.args[0], ast.Constant)
    is_set = isinstance(node.func, ast.Name) and node.func.id == "setattr" and len(node.args) == 3
    return is_set and not isinstance(node.args[1], ast.Constant)


def _changes(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
        return isinstance(node.value, ast.Name) and node.value.id != "self"
    if not isinstance(node, ast.Call):
        return _replaces(node)
    func = node.func
    if isinstance(func, ast.Name):
        return func.id == "setattr"
    return isinstance(func, ast.Attribute) and (func.attr in _CHANGING or "hook" in func.attr)


def _is_class_of(node: ast.AST) -> bool:
    """`type(m)`, `type(m).__name__`, `m.__class__.__name__`, also in lower case."""
    text = ast.unparse(node)
    return text.startswith("type(") or "__class__" in text


def _class_names(index: FileIndex, node: ast.expr) -> Iterator[str]:
    """The last names of classes, without those that are no modules; "?" for what a name of the file's own may be."""
    for part in node.elts if isinstance(node, ast.Tuple | ast.List | ast.Set) else [node]:
        if isinstance(part, ast.Attribute):
            name = part.attr if part.attr.lstrip("_")[:1].isupper() else "?"  # cfg.kinds
            yield from () if part.attr in _NO_MODULES else (name,)
        elif isinstance(part, ast.Name):
            target = index.imports[part.id].target if part.id in index.imports else part.id
            known = target.partition(".")[0] in sys.stdlib_module_names or part.id in _BUILTINS
            last = target.rpartition(".")[2]
            is_class = last.lstrip("_")[:1].isupper() and not last.isupper() and part.id not in index.values
            if part.id in index.values or not (known or is_class):
                yield "?"
            elif not known and last not in _NO_MODULES:
                yield last


def _texts(node: ast.AST) -> Iterator[str]:
    for part in walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value:
            yield part.value
