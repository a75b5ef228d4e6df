"""Methods that torch or Python runs once for each instance, and that do more than change the instance."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.places import Place
from qprep.analysis.symbols.ast_utils import positional_parameters
from qprep.analysis.symbols.definition_names import plain_name
from qprep.analysis.values.abstract_values import ClassRef
from qprep.rewriting.rewrite_result import Doubt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qprep.rewriting.fix_session import RewriteContext

# nn.Module's methods that call themselves on each child (torch/nn/modules/module.py), and what they call there.
_OF_TORCH = frozenset(
    ("train", "apply", "_apply", "state_dict", "_save_to_state_dict", "__repr__", "extra_repr", "_get_name")
)
# The methods by which copy, pickle and the end of an object's life work (Python's data model).
_OF_PYTHON = frozenset(
    ("__deepcopy__", "__reduce__", "__reduce_ex__", "__getstate__", "__setstate__", "__getnewargs__", "__del__")
)


def outside_effects(context: RewriteContext, cls: ClassRef) -> Iterator[Doubt]:
    """The methods of a class that a second instance would run once more, with effects on other objects.

    Own methods that these call are followed.
    """
    for base, name, method in _methods(context, cls):
        if name in _OF_TORCH | _OF_PYTHON and any(
            _acts(context, *each) for each in _called(context, cls, base, method)
        ):
            text = f"`{base.name}.{name}` runs for each instance and affects other objects"
            yield Doubt(text, Place.of(base.module, method))


def _methods(context: RewriteContext, cls: ClassRef) -> Iterator[tuple[ClassRef, str, ast.FunctionDef]]:
    """The methods that a class defines or inherits from classes of the project."""
    for base in context.project.mro(cls):
        entry = context.project.class_node(base) if isinstance(base, ClassRef) else None
        if entry is not None and isinstance(base, ClassRef):
            for name, method in entry.methods.items():
                yield base, plain_name(name), method


def _called(
    context: RewriteContext, cls: ClassRef, base: ClassRef, method: ast.FunctionDef
) -> list[tuple[ClassRef, ast.FunctionDef]]:
    """A method and those of the class that it calls by its own object, one through another."""
    own: dict[str, list[tuple[ClassRef, ast.FunctionDef]]] = {}
    for each, name, function in _methods(context, cls):
        own.setdefault(name, []).append((each, function))
    found, waiting = {method: base}, [method]
    while waiting:
        function = waiting.pop()
        receiver = _receiver(function)
        for node in ast.walk(function):
            match node:
                case ast.Attribute(value=ast.Name(id=name), attr=attribute) if name == receiver:
                    more = [pair for pair in own.get(attribute, ()) if pair[1] not in found]
                    found.update({inner: of for of, inner in more})
                    waiting += [inner for _, inner in more]
    return [(of, function) for function, of in found.items()]


def _receiver(function: ast.FunctionDef) -> str | None:
    parameters = positional_parameters(function)
    return parameters[0].arg if parameters else None


def _acts(context: RewriteContext, cls: ClassRef, method: ast.FunctionDef) -> bool:
    """True if a method may affect more than its own object, or prints."""
    if any(isinstance(node, ast.Name) and node.id == "print" for node in ast.walk(method)):
        return True
    table, receiver = context.effects, _receiver(method)
    file = table.points_to.file(cls.module)
    scope = file.defined(method) if file is not None else None
    if scope is None or receiver is None:
        return True
    return bool(table.outside.of_function(scope, frozenset((receiver,))))
