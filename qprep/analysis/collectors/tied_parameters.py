"""Parameters that are given a second owner: `self.decoder.weight = self.encoder.weight`."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from qprep.analysis.facts import TiedParameter
from qprep.analysis.interpreter.environment import Frame
from qprep.analysis.interpreter.expressions import evaluate
from qprep.analysis.places import Unit
from qprep.analysis.symbols.ast_utils import positional_parameters, walk
from qprep.analysis.symbols.parameter_names import PARAMETER_NAMES
from qprep.analysis.values.abstract_values import PARAMETER, ClassRef, Module, modules_of
from qprep.analysis.values.access_paths import SELF
from qprep.analysis.values.closure_values import NameScope

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from qprep.analysis.interpreter.protocol import Analysis
    from qprep.analysis.symbols.symbol_table import FileIndex

_LIKELY = re.compile(r"(?:\.\w*(?:weight|bias)\w*[ \t]*=[^=])|register_parameter|setattr")


def find_tied(analysis: Analysis, names: Iterable[str]) -> None:
    """Add every assignment that ties a Parameter to the facts, in whatever method of a module it stands."""
    for name in names:
        text = analysis.project.text(name)
        index = analysis.project.index(name) if text is not None and _LIKELY.search(text) else None
        for cls, entry in index.classes.items() if index is not None else ():
            ref = ClassRef(name, cls)
            if not analysis.is_module(ref):
                continue
            for method in entry.methods.values():
                if index is not None and positional_parameters(method):
                    _find_in(analysis, index, ref, method)


def _find_in(analysis: Analysis, index: FileIndex, cls: ClassRef, method: ast.FunctionDef) -> None:
    owner, unit = positional_parameters(method)[0].arg, Unit(cls.module, cls.name, True)
    bound = Module(cls, SELF)
    frame = Frame(index, unit, f"{cls.name}.{method.name}", bound, cls, NameScope({owner: bound}), False)
    for holder, name, value in _second_names(method):
        if _root(holder) != owner or _root(value) != owner or not isinstance(value, ast.Attribute):
            continue
        if not {name, value.attr} & PARAMETER_NAMES or ast.unparse(holder) == ast.unparse(value.value):
            continue
        if modules_of(evaluate(analysis, frame, holder)) and evaluate(analysis, frame, value) == PARAMETER:
            place = frame.place(value)
            first, second = ast.unparse(value), f"{ast.unparse(holder)}.{name}"
            analysis.facts.tied.setdefault(place, TiedParameter(place, unit, frame.function, first, second))


def _second_names(method: ast.FunctionDef) -> Iterator[tuple[ast.expr, str, ast.expr]]:
    """The values stored under names of modules: the module, the name, the value."""
    for node in walk(method):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Attribute):
                    yield target.value, target.attr, node.value
        elif isinstance(node, ast.Call) and len(node.args) >= 2 and not node.keywords:
            callee, name = node.func, node.args[-2]
            text = name.value if isinstance(name, ast.Constant) and isinstance(name.value, str) else None
            if text is not None and isinstance(callee, ast.Attribute) and callee.attr == "register_parameter":
                yield callee.value, text, node.args[-1]
            elif text is not None and isinstance(callee, ast.Name) and callee.id == "setattr" and len(node.args) == 3:
                yield node.args[0], text, node.args[-1]


def _root(node: ast.expr) -> str | None:
    """The name that an attribute chain begins with."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None
