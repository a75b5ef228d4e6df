"""Functions of torch.nn.utils and of the quantization tools, which change the modules that they get."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import partial

from qprep.analysis.effects.abstract_objects import ClassObject, FunctionObject, Made, Named
from qprep.analysis.effects.attribute_names import ANY_NAME, ANY_THAT_IS_THERE
from qprep.analysis.effects.effect_kinds import Effect, EffectKind
from qprep.analysis.effects.effect_search import EffectSearch, any_object
from qprep.analysis.symbols.ast_utils import argument_values, dotted_root

_TORCH_MUTATORS = ("torch.nn.utils.", "torch.ao.", "torch.quantization.", "torch.fx.")
_PURE_UTILITIES = ("clip_grad", "parameters_to_vector", "vector_to_parameters", "rnn.", "stateless.", "get_total_norm")
_PURE_NAMES = ("get_", "default_", "is_")
# Functions of torch that copy from one module to another: the place of the argument that they change.
_CHANGED_ARGUMENT = {"torch.fx.graph_module._copy_attr": 1, "torch.fx.graph_module._assign_attr": 1}
_HOOKS_OF_TORCH = "torch.nn.modules.module.register_module_"


def may_be_torch(search: EffectSearch, func: ast.Name | ast.Attribute) -> bool:
    """True if a call may be one of torch's utilities, by the import that its name begins with."""
    root = dotted_root(func)
    if not isinstance(root, ast.Name):
        return False
    home = search.file.scope_of(func).binder(root.id)
    bindings = home.bindings[root.id] if home is not None else ()
    return any(binding.target.startswith("torch") for binding in bindings)


def torch_utility(search: EffectSearch, node: ast.Call) -> Iterator[Effect]:
    """torch.nn.utils and the quantization tools change the modules that they are given."""
    for callee in search.targets(node.func):
        if isinstance(callee.base, Named) and callee.base.name.startswith(_HOOKS_OF_TORCH):
            yield from search.effect(EffectKind.CHANGE, any_object, node, f"calls `{ast.unparse(node.func)}`")
        if not isinstance(callee.base, Named) or not callee.base.name.startswith(_TORCH_MUTATORS):
            continue
        rest = callee.base.name.removeprefix("torch.nn.utils.")
        last = rest.rpartition(".")[2]
        if rest.startswith(_PURE_UTILITIES) or last.startswith(_PURE_NAMES) or last.lstrip("_")[:1].isupper():
            continue
        values = argument_values(node)
        changed = _CHANGED_ARGUMENT.get(callee.base.name)
        is_placed = changed is not None and len(node.args) > changed and not node.keywords
        for value in [node.args[changed]] if changed is not None and is_placed else values:
            found = partial(search.modules, value, (Made, Named, FunctionObject, ClassObject))
            text = f"calls `{ast.unparse(node.func)}`"
            yield from search.effect(EffectKind.CHANGE, found, node, text)
            names = ANY_NAME if is_placed else ANY_THAT_IS_THERE
            yield from search.effect(EffectKind.SET, found, node, text, names)
