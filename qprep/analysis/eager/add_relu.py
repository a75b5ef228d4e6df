"""Sums of a FloatFunctional that go straight to an nn.ReLU: one quantized kernel does both."""

from __future__ import annotations

import ast
import itertools
from collections import Counter
from typing import TYPE_CHECKING

from qprep.analysis.eager.eager_facts import SumAndRelu
from qprep.analysis.eager.float_functional import held_attributes
from qprep.analysis.eager.fuse_targets import leaf_class
from qprep.analysis.eager.fusion import place_of, walk_own
from qprep.analysis.eager.single_consumer import statement_lists
from qprep.analysis.places import Unit
from qprep.analysis.symbols.ast_utils import is_attribute_of, positional_parameters
from qprep.analysis.values.abstract_values import ClassRef
from qprep.foundation.catalogue.torch_ao import FUNCTIONAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from qprep.analysis.interpreter.protocol import Analysis

Pair = tuple[ast.Call, ast.Call]  # the sum, and the call of the ReLU


def find_sums(analysis: Analysis, names: Iterable[str]) -> None:
    """Note every `self.relu(self.add.add(x, y))` of modules that are mentioned nowhere else in their class."""
    for name in names:
        index = analysis.project.index(name)
        for cls, entry in index.classes.items() if index is not None else ():
            ref = ClassRef(name, cls)
            if index is None or not analysis.is_module(ref):
                continue
            methods = [m for m in entry.methods.values() if m.name != "__init__" and positional_parameters(m)]
            held = held_attributes(analysis, ref, FUNCTIONAL)
            uses = Counter(name for method in methods for name in _mentioned(method))
            for method in methods:
                for total, relu in _pairs(method, positional_parameters(method)[0].arg):
                    functional, activation = _attribute(total.func), _attribute(relu)
                    if (uses[functional], uses[activation]) != (1, 1) or functional not in held:
                        continue
                    if leaf_class(analysis, ref, activation) == "ReLU":
                        place, unit = place_of(index, relu), Unit(name, "", True)
                        fact = SumAndRelu(place, unit, f"{cls}.{method.name}", activation, place_of(index, total))
                        analysis.facts.eager.sums.setdefault(place, fact)


def _mentioned(method: ast.FunctionDef) -> Iterator[str]:
    owner = positional_parameters(method)[0].arg
    for part in ast.walk(method):
        if is_attribute_of(part, owner):
            yield part.attr


def _pairs(method: ast.FunctionDef, owner: str) -> Iterator[Pair]:
    for part in walk_own(method.body):
        if (
            isinstance(part, ast.Call)
            and is_attribute_of(part.func, owner)
            and len(part.args) == 1
            and not part.keywords
        ):
            if _is_sum(part.args[0], owner) and isinstance(part.args[0], ast.Call):
                yield part.args[0], part
    for body in statement_lists(method):
        for first, second in itertools.pairwise(body):
            relu = second.value if isinstance(second, ast.Assign | ast.Return) else None
            if not isinstance(first, ast.Assign) or len(first.targets) != 1 or not isinstance(relu, ast.Call):
                continue
            target, total = first.targets[0], first.value
            if not (isinstance(target, ast.Name) and isinstance(total, ast.Call) and _is_sum(total, owner)):
                continue
            given = relu.args[0] if len(relu.args) == 1 and not relu.keywords else None
            same = isinstance(given, ast.Name) and given.id == target.id and is_attribute_of(relu.func, owner)
            if same and (isinstance(second, ast.Return) or _binds(second, target.id)):
                yield total, relu


def _binds(statement: ast.stmt, name: str) -> bool:
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)] == [name] and len(targets) == 1


def _is_sum(node: ast.expr, owner: str) -> bool:
    """`self.add.add(x, y)`."""
    func = node.func if isinstance(node, ast.Call) else None
    return isinstance(func, ast.Attribute) and func.attr == "add" and is_attribute_of(func.value, owner)


def _attribute(node: ast.expr) -> str:
    """Of `self.add.add` and of the call `self.relu(x)`: "add", "relu"."""
    inner = node.func if isinstance(node, ast.Call) else node.value if isinstance(node, ast.Attribute) else node
    return inner.attr if isinstance(inner, ast.Attribute) else ""
