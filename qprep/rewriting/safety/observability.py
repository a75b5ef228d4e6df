"""Code that could distinguish a second instance of a module with parameters from a shared one."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from qprep.analysis.symbols.ast_utils import is_attribute_of, last_name, positional_parameters
from qprep.analysis.values.abstract_values import (
    ClassRef,
    External,
    Kind,
    Module,
    Number,
    Plain,
    Sequence,
    Word,
    modules_inside,
    options,
)
from qprep.foundation.findings import Rejection, RejectionCode
from qprep.rewriting.fix_session import remembered

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from qprep.analysis.facts import Sharing
    from qprep.rewriting.fix_scope import Scope
    from qprep.rewriting.fix_session import RewriteContext

# What visits modules one by one, and would meet a second instance. `self.apply` is taken care of at run time.
_REGISTERED = frozenset(("Parameter", "Buffer", "UninitializedParameter", "UninitializedBuffer"))
_SETTERS = frozenset(("setattr", "__setattr__"))
_WALK = re.compile(r"\.(?:modules|named_modules|children|named_children)\(|\._modules\b|\bnamed_apply\(")


def reason_to_stay_one(scope: Scope, sharing: Sharing) -> Rejection | None:
    """The reason why the passed instance must stay one; None if a second one that shares its contents is enough."""
    if sharing.how not in ("argument", "copy") or "?" in sharing.classes:
        return Rejection(
            "the module has or may have parameters, so the keys of state_dict would change", RejectionCode.MUTATION
        )
    call = _call_around(scope)
    text = ast.unparse(scope.node)
    if call is None or sum(ast.unparse(part) == text for part in ast.walk(call) if type(part) is type(scope.node)) > 1:
        return Rejection("one call gets the same module twice", RejectionCode.MUTATION)
    if _WALK.search(scope.code.text):
        return Rejection(
            "code in this file iterates over modules and would include the second instance of a module with parameters",
            RejectionCode.MUTATION,
        )
    return memory(scope.context, sharing.classes)


def is_stateless_layer(context: RewriteContext, name: str) -> bool:
    """True if a class of torch.nn is one operation without parameters and buffers."""
    known = (
        context.analysis.catalogue.nn_module(name.removeprefix("torch.nn.")) if name.startswith("torch.nn.") else None
    )
    return known is not None and not known.may_have_state and not known.is_container and not known.is_compound


def holds_no_state(context: RewriteContext, name: str, outer: frozenset[str] = frozenset()) -> bool:
    """True if instances of a class have no parameters and buffers, as far down as they go."""
    classes = context.project.classes_named(name)
    if not classes or name in outer:
        return name in outer or is_stateless_layer(context, name)
    return all(_class_holds_no_state(context, cls, outer | {name}) for cls in classes)


def _class_holds_no_state(context: RewriteContext, cls: ClassRef, outer: frozenset[str]) -> bool:
    bases = context.project.mro(cls)[1:]
    if any(isinstance(base, External) and base != External("torch.nn.Module") for base in bases):
        return False
    table = context.analysis.attributes_of(cls)
    return table.dynamic is None and all(
        _is_without_state(context, entry.kind, outer) for entry in table.names.values()
    )


def _is_without_state(context: RewriteContext, kind: Kind, outer: frozenset[str]) -> bool:
    return all(
        holds_no_state(context, context.analysis.class_name(option), outer)
        if isinstance(option, Module)
        else isinstance(option, Number | Plain | Word | External) or _holds_values(option)
        for option in options(kind)
    )


def _holds_values(kind: Kind) -> bool:
    """True if a list or tuple holds numbers and texts alone."""
    return isinstance(kind, Sequence) and all(
        isinstance(option, Number | Plain | Word) or _holds_values(option)
        for item in (kind.item, *(kind.items or ()))
        for option in options(item)
    )


def memory(context: RewriteContext, classes: Iterable[str]) -> Rejection | None:
    """The reason why instances of classes, parts included, must stay one: a call leaves state for the next one."""
    for name in _with_parts(context, classes):
        for ref in context.project.classes_named(name):
            kept = _remembered(context, ref) - registered_tensors(context, ref)
            if kept:
                reason = f"`{ref.name}` keeps `{min(kept)}` from one call to the next"
                return Rejection(reason, RejectionCode.MUTATION)
    return None


@remembered
def registered_tensors(context: RewriteContext, cls: ClassRef) -> frozenset[str]:
    """Parameters and buffers that a class registers: both instances read and write the same ones.

    Any other tensor is an attribute of each instance.
    """
    found: set[str] = set()
    for base in context.project.mro(cls):
        entry = context.project.class_node(base) if isinstance(base, ClassRef) else None
        for method in entry.methods.values() if entry is not None else ():
            arguments = positional_parameters(method)
            owner = arguments[0].arg if arguments else None
            found.update(name for node in ast.walk(method) for name in _registered_by(node, owner))
    return frozenset(found)


def _registered_by(node: ast.AST, owner: str | None) -> Iterator[str]:
    """`scale` in `self.register_buffer("scale", …)` and in `self.scale = nn.Parameter(…)`."""
    match node:
        case ast.Call(func=ast.Attribute(attr="register_buffer" | "register_parameter")):
            named = [*node.args[:1], *(keyword.value for keyword in node.keywords if keyword.arg == "name")]
            yield from (each.value for each in named if isinstance(each, ast.Constant) and isinstance(each.value, str))
        case ast.Assign(targets=targets, value=ast.Call(func=func)) if last_name(func) in _REGISTERED:
            yield from (target.attr for target in targets if is_attribute_of(target, owner))
        case ast.AnnAssign(target=ast.Attribute(attr=name) as target, value=ast.Call(func=func)):
            if last_name(func) in _REGISTERED and is_attribute_of(target, owner):
                yield name


def made_of(context: RewriteContext, name: str) -> frozenset[str]:
    """The dotted names of a class, of its bases and of all modules in its instances, as far as they are known."""
    found = set(_with_parts(context, [name]))
    refs = [ref for inside in found for ref in context.project.classes_named(inside)]
    found |= {context.analysis.class_name(Module(base)) for ref in refs for base in context.project.mro(ref)[1:]}
    return frozenset(found) - {"torch.nn.Module"}


def _with_parts(context: RewriteContext, classes: Iterable[str]) -> Iterator[str]:
    """Dotted names of classes, and of those of all modules in their instances, as far as they are known."""
    wanted, seen = sorted(classes), set[str]()
    while wanted:
        name = wanted.pop()
        if name in seen:
            continue
        seen.add(name)
        yield name
        tables = [context.analysis.attributes_of(ref) for ref in context.project.classes_named(name)]
        kinds = [entry.kind for table in tables for entry in table.names.values()]
        kinds += [table.dynamic for table in tables if table.dynamic is not None]
        wanted += sorted({context.analysis.class_name(part) for kind in kinds for part in modules_inside(kind)})


def _call_around(scope: Scope) -> ast.Call | None:
    """The constructor's call that an argument stands in."""
    node: ast.AST = scope.node
    while isinstance(node, ast.expr | ast.keyword):
        if isinstance(node, ast.Call):
            return node
        node = scope.code.parents[node]
    return None


def _remembered(context: RewriteContext, cls: ClassRef) -> set[str]:
    """Attributes that methods of a class, run by a forward, both write and read."""
    written: set[str] = set()
    read: set[str] = set()
    for base in context.project.mro(cls):
        if not isinstance(base, ClassRef) or (entry := context.project.class_node(base)) is None:
            continue
        for method in entry.methods.values():
            if (base.module, f"{base.name}.{method.name}") not in context.analysis.ran or not positional_parameters(
                method
            ):
                continue
            owner = positional_parameters(method)[0].arg
            for node in ast.walk(method):
                if is_attribute_of(node, owner):
                    (read if isinstance(node.ctx, ast.Load) else written).add(node.attr)
                elif isinstance(node, ast.Call) and (name := _named_by_text(node, owner)) is not None:
                    (written if last_name(node.func) in _SETTERS else read).add(name)
                if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Attribute):
                    read.add(node.target.attr)
    return written & read


def _named_by_text(call: ast.Call, owner: str) -> str | None:
    """`state` in `setattr(self, "state", …)`, `self.__setattr__("state", …)` and `getattr(self, "state", None)`."""
    match call:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method), args=[ast.Constant(value=text), _]):
            is_own = name == owner and method in _SETTERS
        case ast.Call(func=func, args=[ast.Name(id=name), ast.Constant(value=text), *_]):
            is_own = name == owner and last_name(func) in (*_SETTERS, "getattr", "hasattr")
        case _:
            return None
    return text if is_own and isinstance(text, str) else None
