"""Attributes and module variables that get another value: `net.act = …`, `globals()["F"] = …`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import partial

from qprep.analysis.effects import module_variables
from qprep.analysis.effects.attribute_names import ANY_NAME
from qprep.analysis.effects.effect_kinds import TRAINING, Effect, EffectKind
from qprep.analysis.effects.effect_search import EffectSearch
from qprep.analysis.effects.lexical_scopes import assigned_value
from qprep.analysis.effects.mutator_names import OVERRIDES, TABLES


def assigned_attributes(search: EffectSearch) -> Iterator[Effect]:
    """`net.act = …`, `del net.act`, `Net.forward = …`, `F.relu = …`."""
    for node in search.file.index.of(ast.Attribute):
        if isinstance(node.ctx, ast.Load):
            continue
        scope = search.file.scope_of(node)
        own = isinstance(node.value, ast.Name) and search.is_own(node.value, scope)
        if own and node.attr != TRAINING and node.attr not in OVERRIDES:
            bases = search.computed_bases.get(search.points_to.enclosing_class(scope))
            if bases:  # the class tells nobody that its instances are those of another class, too
                found = partial(search.instances_of, bases)
                yield from search.effect(EffectKind.SET, found, node, f"sets `{ast.unparse(node)}`", node.attr)
            continue
        kind = EffectKind.MODE if node.attr == TRAINING else EffectKind.SET
        name = ANY_NAME if node.attr in TABLES else node.attr
        yield from search.effect(kind, search.later(node.value), node, f"sets `{ast.unparse(node)}`", name)
        value = assigned_value(node, search.file.parents) if node.attr == "__class__" else None
        if value is not None:
            yield from search.effect(EffectKind.BYPASS, search.later(value), node, f"sets `{ast.unparse(node)}`")


def assigned_variables(search: EffectSearch) -> Iterator[Effect]:
    """`globals()["F"] = …`, `mock.patch("model.F", …)`."""
    for write in module_variables.variable_writes(search.file, search.points_to):
        yield from search.effect(EffectKind.SET, write.find_owners, write.node, write.text, write.attribute)
