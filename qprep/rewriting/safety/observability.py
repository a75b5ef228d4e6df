"""Instances with parameters in two places: whether a second instance there would be told from one shared."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from qprep.analysis.symbols.ast_utils import is_attribute_of, positional_parameters
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
    tensor_of,
)
from qprep.foundation.findings import Rejection, RejectionCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from qprep.analysis.facts import Sharing
    from qprep.rewriting.fix_scope import Scope
    from qprep.rewriting.fix_session import RewriteContext

# What visits modules one by one, and would meet a second instance. `self.apply` is taken care of at run time.
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
            table = context.analysis.attributes_of(ref)
            for attribute in sorted(_remembered(context, ref)):
                if attribute not in table.names or tensor_of(table.names[attribute].kind) is None:  # tensors are shared
                    reason = f"`{ref.name}` keeps `{attribute}` from one call to the next"
                    return Rejection(reason, RejectionCode.MUTATION)
    return None


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
                if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Attribute):
                    read.add(node.target.attr)
    return written & read
