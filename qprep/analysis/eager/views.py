"""Calls of `.view()` in forwards that are to run on quantized tensors."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.eager.eager_facts import QuantizedView
from qprep.analysis.eager.fusion import functions_of, place_of
from qprep.analysis.places import Unit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qprep.analysis.interpreter.protocol import Analysis


def find_views(analysis: Analysis, names: Iterable[str]) -> None:
    """Note `.view(sizes)` in the methods that forwards run; `.view(dtype)` is another thing."""
    for name in names:
        index = analysis.project.index(name)
        for where, body in functions_of(index) if index is not None else ():
            is_run = where.cls is not None and (where.index.name, where.name) in analysis.ran
            for node in body if is_run and where.cls is not None and analysis.is_module(where.cls) else ():
                if isinstance(node, ast.Call) and _gives_sizes(node):
                    assert where.cls is not None
                    place, unit = place_of(where.index, node), Unit(where.index.name, where.cls.name, True)
                    analysis.facts.eager.views.setdefault(place, QuantizedView(place, unit, where.name))


def _gives_sizes(node: ast.Call) -> bool:
    """True if a call is `x.view(…)` with sizes."""
    if not (isinstance(node.func, ast.Attribute) and node.func.attr == "view") or node.keywords or not node.args:
        return False
    if len(node.args) > 1:
        return True
    text = ast.unparse(node.args[0])
    return not (text.startswith("torch.") or "dtype" in text)
