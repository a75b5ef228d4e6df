"""Models that others call between their own QuantStub and DeQuantStub: `Wrapped(Net())`, `QuantWrapper(Net())`."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.eager.float_functional import held_attributes
from qprep.analysis.eager.fusion import functions_of
from qprep.analysis.interpreter.expressions import evaluate
from qprep.analysis.symbols.ast_utils import argument_values
from qprep.analysis.values.abstract_values import ClassRef, External, Opaque, in_order, modules_of, options
from qprep.foundation.catalogue.torch_ao import WRAPPERS, eager_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qprep.analysis.interpreter.protocol import Analysis
    from qprep.analysis.symbols.symbol_table import FileIndex


def wrapped_models(analysis: Analysis, names: Iterable[str], classes: list[ClassRef]) -> frozenset[ClassRef] | None:
    """The classes whose instances a wrapper is given; None if a wrapper is given something unknown."""
    wrappers = frozenset(cls for cls in classes if _wraps(analysis, cls))
    found: set[ClassRef] = set()
    given: set[ClassRef] = set()
    for name in names:
        index = analysis.project.index(name)
        for _, body in functions_of(index) if index is not None else ():
            assert index is not None
            for node in body:
                if not isinstance(node, ast.Call) or not (node.args or node.keywords):
                    continue
                made = _made_by(analysis, index, node)
                if made in wrappers or (isinstance(made, External) and eager_name(made.name) in WRAPPERS):
                    given.update(wrappers & {made})
                    found.update(_models(analysis, index, node, body))
    return frozenset(found) if given == wrappers else None


def _wraps(analysis: Analysis, cls: ClassRef) -> bool:
    """True if a class has both stubs, and keeps something that its constructor is given."""
    if not (held_attributes(analysis, cls, "QuantStub") and held_attributes(analysis, cls, "DeQuantStub")):
        return False
    kinds = (entry.kind for entry in analysis.attributes_of(cls).names.values())
    return any(isinstance(option, Opaque) for kind in kinds for option in options(kind))


def _made_by(analysis: Analysis, index: FileIndex, node: ast.Call) -> ClassRef | External | None:
    dotted = analysis.project.expression_name(index, node.func)
    for option in in_order(analysis.project.resolve(dotted)) if dotted is not None else ():
        if isinstance(option, ClassRef | External):
            return option
    return None


def _models(analysis: Analysis, index: FileIndex, call: ast.Call, body: list[ast.AST]) -> Iterable[ClassRef]:
    """The classes of what a call is given, written there or under a name that the same lines bind."""
    bound = {
        target.id: node.value
        for node in body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for argument in argument_values(call):
        value = bound.get(argument.id) if isinstance(argument, ast.Name) else argument
        frame = analysis.frame_of(index.name)
        for module in modules_of(evaluate(analysis, frame, value)) if value is not None and frame is not None else ():
            if isinstance(module.cls, ClassRef):
                yield module.cls
