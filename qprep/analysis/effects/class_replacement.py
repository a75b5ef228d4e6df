"""Classes of modules that code selects in any model, to change or replace their instances (module surgery)."""

from __future__ import annotations

import ast
import builtins
import sys
from typing import TYPE_CHECKING

from qprep.analysis.effects.write_records import ClassPattern, ExternalWrite, SelectedBy, WriteKind, class_write
from qprep.analysis.symbols.ast_utils import walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from qprep.analysis.symbols.symbol_table import FileIndex

_BUILTINS = frozenset(dir(builtins))  # str, list: no modules
_NO_MODULES = frozenset(("Tensor", "Parameter", "Buffer", "UninitializedParameter", "UninitializedBuffer"))  # of torch
_ADDING = frozenset(("add_module", "register_module", "set_submodule"))
_WALKS = frozenset(("modules", "named_modules", "children", "named_children", "_modules"))
_UNKNOWN = ClassPattern("", SelectedBy.UNKNOWN)
_CHANGING = frozenset(("train", "eval", "add_module", "register_module"))


def class_writes(index: FileIndex) -> Iterator[ExternalWrite]:
    """`if isinstance(m, nn.ReLU): m.inplace = True`; functions that replace modules, with all classes they test for."""
    for node in index.of(ast.If):
        if (found := list(_tested(index, node.test))) and any(
            _changes(part) for line in node.body for part in walk(line)
        ):
            yield from (class_write(WriteKind.CLASS_CHANGE, pattern) for pattern in found)
    if any(_replaces(node) for node in index.of(ast.Call, ast.Subscript)):
        for function in index.of(ast.FunctionDef):
            yield from _replaced_in(index, function)
    if any(node.attr == "convert_sync_batchnorm" for node in index.of(ast.Attribute)):
        yield class_write(WriteKind.CLASS_REPLACEMENT, ClassPattern("BatchNorm", SelectedBy.PREFIX))


def _replaced_in(index: FileIndex, function: ast.FunctionDef) -> Iterator[ExternalWrite]:
    """The tests of a function that replaces modules, except for the classes of the modules around.

    A function that iterates over the modules of a model without such a test may replace any.
    """
    nodes = walk(function)
    iterates = any(map(_iterates, nodes))
    is_building = function.name == "__init__" or not iterates  # what is added there is new
    owners = {ast.unparse(_owner(node)) for node in nodes if _replaces(node) and not (is_building and _adds(node))}
    if not owners - {"self"}:  # writes of a class to its own attributes are found in its methods
        return
    tests = [part for part in nodes if _subject(part) not in owners]
    found = [pattern for part in tests for pattern in _selected(index, part)]
    found += [ClassPattern(name, SelectedBy.ATTRIBUTE) for part in tests for name in _attributes_tested(part)]
    if not found and iterates:
        found = [_UNKNOWN]
    kinds = (WriteKind.CLASS_CHANGE, WriteKind.CLASS_REPLACEMENT)
    yield from (class_write(kind, pattern) for pattern in found for kind in kinds)


def _iterates(node: ast.AST) -> bool:
    """`model.named_children()`, `model._modules`; no `sys.modules`."""
    func = node.func if isinstance(node, ast.Call) else None
    if isinstance(func, ast.Attribute) and func.attr in _WALKS:
        return True
    return isinstance(node, ast.Attribute) and node.attr == "_modules"


def _attributes_tested(node: ast.AST) -> Iterator[str]:
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


def is_changed(writes: Iterable[ExternalWrite], cls: str) -> bool:
    """True if code selects instances of a class to change or replace them."""
    return any(write.pattern.matches(cls) for write in writes if write.kind is WriteKind.CLASS_CHANGE)


def replaced(writes: Iterable[ExternalWrite]) -> frozenset[ClassPattern]:
    """The patterns of the classes whose instances are replaced."""
    return frozenset(write.pattern for write in writes if write.kind is WriteKind.CLASS_REPLACEMENT)


def is_replaced(writes: Iterable[ExternalWrite], cls: str) -> bool:
    """True if code selects instances of a class to replace them."""
    return any(pattern.matches(cls) for pattern in replaced(writes))


def _tested(index: FileIndex, test: ast.expr) -> Iterator[ClassPattern]:
    """The classes that a condition tests."""
    for part in walk(test):
        yield from _selected(index, part)


def _selected(index: FileIndex, part: ast.AST) -> Iterator[ClassPattern]:
    """`isinstance(m, C)`, `type(m) is C`, `m.__class__.__name__ == "C"`."""
    if isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and part.func.id == "isinstance":
        yield from _class_names(index, part.args[-1])
    elif isinstance(part, ast.Compare) and _is_class_of(part.left):
        yield from (pattern for side in part.comparators for pattern in _class_names(index, side))
        yield from (ClassPattern(text, SelectedBy.PREFIX) for side in part.comparators for text in _texts(side))
    elif isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) and _is_class_of(part.func.value):
        yield from (ClassPattern(text, SelectedBy.PREFIX) for arg in part.args for text in _texts(arg))
    elif isinstance(part, ast.Compare) and any(map(_is_class_of, part.comparators)):
        yield from (ClassPattern(text, SelectedBy.PREFIX) for text in _texts(part.left))


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


def _class_names(index: FileIndex, node: ast.expr) -> Iterator[ClassPattern]:
    """The last names of classes, except for classes that are no modules; unknown for other values of the file."""
    for part in node.elts if isinstance(node, ast.Tuple | ast.List | ast.Set) else [node]:
        if isinstance(part, ast.Attribute):
            if part.attr not in _NO_MODULES:
                is_class = part.attr.lstrip("_")[:1].isupper()
                yield ClassPattern(part.attr) if is_class else _UNKNOWN  # cfg.kinds
        elif isinstance(part, ast.Name):
            target = index.imports[part.id].target if part.id in index.imports else part.id
            known = target.partition(".")[0] in sys.stdlib_module_names or part.id in _BUILTINS
            last = target.rpartition(".")[2]
            is_class = last.lstrip("_")[:1].isupper() and not last.isupper() and part.id not in index.values
            if part.id in index.values or not (known or is_class):
                yield _UNKNOWN
            elif not known and last not in _NO_MODULES:
                yield ClassPattern(last)


def _texts(node: ast.AST) -> Iterator[str]:
    for part in walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value:
            yield part.value
