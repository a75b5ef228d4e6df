"""The nodes of a tree, walked once: several queries read all nodes of a file."""

from __future__ import annotations

import ast
from collections import defaultdict
from types import EllipsisType
from typing import TypeGuard

# What a node's attributes hold beside nodes and lists; the contexts of names say nothing that the names do not.
_LEAVES = frozenset((int, str, type(None), bool, float, complex, bytes, EllipsisType, ast.Load, ast.Store, ast.Del))


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
_ASYNC = "was_async"


def walk(root: ast.AST) -> list[ast.AST]:
    """`root` and all nodes below it, level by level as `ast.walk` has them, without the contexts of names."""
    nodes = [root]
    for node in nodes:
        for value in node.__dict__.values():
            kind = type(value)
            if kind is list:
                for item in value:
                    if type(item) not in _LEAVES:
                        nodes.append(item)  # noqa: PERF401  (the list grows as it is gone through)
            elif kind not in _LEAVES:
                nodes.append(value)
    return nodes


def children(node: ast.AST) -> list[ast.AST]:
    """The nodes directly below a node, without the contexts of names."""
    found: list[ast.AST] = []
    for value in node.__dict__.values():
        kind = type(value)
        if kind is list:
            found += [item for item in value if type(item) not in _LEAVES]
        elif kind not in _LEAVES:
            found.append(value)
    return found


def is_attribute_of(node: object, name: str | None) -> TypeGuard[ast.Attribute]:
    """True for `name.attribute`: an attribute of the own object, if `name` is the first parameter of a method."""
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == name


def without_async(tree: ast.Module) -> ast.Module:
    """`tree` with each `async def` as a plain one: what runs in it is the same; `is_async` still knows it."""
    for node in walk(tree):
        for body in node.__dict__.values():
            if type(body) is list:
                body[:] = [_plain(item) if type(item) is ast.AsyncFunctionDef else item for item in body]
    return tree


def _plain(node: ast.AsyncFunctionDef) -> ast.FunctionDef:
    plain = ast.FunctionDef(**node.__dict__)
    setattr(plain, _ASYNC, True)
    return plain


def is_async(node: ast.AST) -> bool:
    """True if a function was written `async def`."""
    return bool(getattr(node, _ASYNC, False))


def returned_values(function: ast.FunctionDef) -> list[ast.expr]:
    """The values that a function returns, place by place; none at all if some return has no value."""
    found: list[ast.expr] = []
    stack: list[ast.AST] = list(function.body)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Return):
            if node.value is None:
                return []
            found.append(node.value)
        if not isinstance(node, _FUNCTIONS):
            stack.extend(ast.iter_child_nodes(node))
    return found


def by_type(root: ast.AST) -> dict[type[ast.AST], list[ast.AST]]:
    """The nodes of a tree by their type."""
    found: dict[type[ast.AST], list[ast.AST]] = defaultdict(list)
    for node in walk(root):
        found[type(node)].append(node)
    return dict(found)


def named_read(node: ast.expr) -> tuple[ast.expr, str] | None:
    """The object and the name in `getattr(x, "a")`, `x.__getattr__("a")` and `object.__getattribute__(x, "a")`."""
    match node:
        case ast.Call(func=ast.Name(id="getattr"), args=[owner, ast.Constant(value=str(name)), *_]):
            return owner, name
        case ast.Call(
            func=ast.Attribute(attr="__getattr__" | "__getattribute__"), args=[owner, ast.Constant(value=str(name))]
        ):
            return owner, name
        case ast.Call(
            func=ast.Attribute(value=owner, attr="__getattr__" | "__getattribute__"),
            args=[ast.Constant(value=str(name))],
        ):
            return owner, name
    return None


def last_name(node: ast.AST) -> str:
    """ "relu" for `relu` and for `F.relu`; nothing for what is not a name."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def dotted_root(node: ast.expr) -> ast.expr:
    """Return the `torch` of `torch.nn.functional`: what remains without the attributes at the end."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node


def argument_values(call: ast.Call) -> tuple[ast.expr, ...]:
    """Return the values of all arguments, positional ones first."""
    return (*call.args, *(keyword.value for keyword in call.keywords))


def dotted_text(node: ast.expr) -> str:
    """ "F.relu" for `F.relu`, "?" for what is not a dotted name."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.insert(0, node.attr)
        node = node.value
    return ".".join([node.id, *parts]) if isinstance(node, ast.Name) else "?"


def is_class_of(node: ast.AST) -> bool:
    """`type(model)`, `model.__class__`."""
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "type" and len(node.args) == 1
    return isinstance(node, ast.Attribute) and node.attr == "__class__"


def positional_parameters(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> list[ast.arg]:
    """The parameters that arguments may be bound to by their places, those before a `/` first."""
    return [*function.args.posonlyargs, *function.args.args]


def is_text_method(node: ast.expr) -> bool:
    """True for a method of a text that is written out: `"{} + {}".format`."""
    return isinstance(node, ast.Attribute) and _is_text(node.value)


def _is_text(node: ast.expr) -> bool:
    match node:
        case ast.Constant(value=str()) | ast.JoinedStr():
            return True
        case ast.BinOp(left=left, op=ast.Add() | ast.Mod()):
            return _is_text(left)
        case ast.Call(func=func):
            return is_text_method(func)
    return False
