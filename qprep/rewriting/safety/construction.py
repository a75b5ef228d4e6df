"""Constructors that run when an instance of a class is made."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.symbols.ast_utils import dotted_text, positional_parameters, walk
from qprep.analysis.symbols.definition_names import DefinitionName
from qprep.analysis.values.abstract_values import ClassRef, options

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qprep.analysis.values.abstract_values import Kind
    from qprep.rewriting.fix_session import RewriteContext


def runs_constructor(context: RewriteContext, made: ClassRef, base: ClassRef) -> bool:
    """True if making an instance of `made` runs the constructor of `base`, or one that `base` would get."""
    chain = context.project.mro(made)
    waiting: list[Sequence[Kind]] = [chain]
    seen: set[ClassRef] = set()
    while waiting:
        following = _first_with_one(context, waiting.pop(), base)
        if following == base:
            return True
        if following is not None and following not in seen:
            seen.add(following)
            waiting += _called_from(context, following, chain)
    return False


def _first_with_one(context: RewriteContext, chain: Sequence[Kind], base: ClassRef) -> ClassRef | None:
    """The first class with a constructor of its own; those of other packages are taken to go on to the next."""
    for cls in chain:
        if isinstance(cls, ClassRef) and (cls == base or "__init__" in (context.project.methods(cls) or ())):
            return cls
    return None


def _called_from(context: RewriteContext, cls: ClassRef, chain: Sequence[Kind]) -> Iterator[Sequence[Kind]]:
    """The class at which the search for the next constructor begins, for each call in that of `cls`, with `chain`."""
    entry = context.project.class_node(cls)
    init = entry.methods["__init__"] if entry is not None else None
    owner = positional_parameters(init)[0].arg if init is not None and positional_parameters(init) else ""
    for call in walk(init) if init is not None else ():
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "__init__"):
            continue
        value = call.func.value
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "super":
            named = [cls] if not value.args else _classes(context, cls, value.args[0], chain)
            yield from (chain[chain.index(above) + 1 :] for above in named if above in chain)
        elif call.args and isinstance(call.args[0], ast.Name) and call.args[0].id == owner:
            yield from (context.project.mro(named) for named in _classes(context, cls, value, chain))


def _classes(context: RewriteContext, cls: ClassRef, node: ast.expr, chain: Sequence[Kind]) -> list[ClassRef]:
    """The classes that an expression in the constructor of `cls` names; one of `chain` by its name alone."""
    text = dotted_text(node)
    found = context.project.resolve(context.project.dotted_name(cls.module, text) or "?")
    named = [option for option in options(found) if isinstance(option, ClassRef)]
    last = text.rpartition(".")[2]
    return named or [c for c in chain if isinstance(c, ClassRef) and DefinitionName.parse(c.name).key == last]
