"""Constructors that run when an instance of a class is made."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.symbols.ast_utils import dotted_text, positional_parameters
from qprep.analysis.symbols.definition_names import DefinitionName
from qprep.analysis.values.abstract_values import ClassRef, options
from qprep.rewriting.safety.each_way import runs_each_time

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qprep.analysis.values.abstract_values import Kind
    from qprep.rewriting.fix_session import RewriteContext


def runs_constructor(context: RewriteContext, made: ClassRef, base: ClassRef) -> bool:
    """True if making an instance of `made` runs the constructor of `base`, or one that `base` would get, each time.

    Each way through a constructor on the way to it must call the next one, unless it ends with an exception.
    """
    chain = context.project.mro(made)
    running: set[ClassRef] = set()

    def leads(start: Sequence[Kind]) -> bool:
        following = _first_with_one(context, start, base)
        if following is None or following == base or following in running:
            return following == base
        running.add(following)
        found = _always_calls(context, following, chain, leads)
        running.discard(following)
        return found

    return leads(chain)


def _first_with_one(context: RewriteContext, chain: Sequence[Kind], base: ClassRef) -> ClassRef | None:
    """The first class with a constructor of its own; those of other packages are taken to go on to the next."""
    for cls in chain:
        if isinstance(cls, ClassRef) and (cls == base or "__init__" in (context.project.methods(cls) or ())):
            return cls
    return None


def _always_calls(
    context: RewriteContext, cls: ClassRef, chain: Sequence[Kind], leads: Callable[[Sequence[Kind]], bool]
) -> bool:
    """True if each way through the constructor of `cls` calls another one that leads to the one looked for."""
    entry = context.project.class_node(cls)
    init = entry.methods["__init__"] if entry is not None else None
    owner = positional_parameters(init)[0].arg if init is not None and positional_parameters(init) else ""

    def is_one(call: ast.Call) -> bool:
        starts = _next_classes(context, cls, owner, call, chain)
        return bool(starts) and all(map(leads, starts))

    return init is not None and runs_each_time(init.body, is_one)


def _next_classes(
    context: RewriteContext, cls: ClassRef, owner: str, call: ast.Call, chain: Sequence[Kind]
) -> list[Sequence[Kind]]:
    """The classes at which a call in the constructor of `cls` begins to look for another constructor, with `chain`."""
    if not (isinstance(call.func, ast.Attribute) and call.func.attr == "__init__"):
        return []
    value = call.func.value
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "super":
        named = [cls] if not value.args else _classes(context, cls, value.args[0], chain)
        return [chain[chain.index(above) + 1 :] for above in named if above in chain]
    if call.args and isinstance(call.args[0], ast.Name) and call.args[0].id == owner:
        return [context.project.mro(named) for named in _classes(context, cls, value, chain)]
    return []


def _classes(context: RewriteContext, cls: ClassRef, node: ast.expr, chain: Sequence[Kind]) -> list[ClassRef]:
    """The classes that an expression in the constructor of `cls` names; one of `chain` by its name alone."""
    text = dotted_text(node)
    found = context.project.resolve(context.project.dotted_name(cls.module, text) or "?")
    named = [option for option in options(found) if isinstance(option, ClassRef)]
    last = text.rpartition(".")[2]
    return named or [c for c in chain if isinstance(c, ClassRef) and DefinitionName.parse(c.name).key == last]
