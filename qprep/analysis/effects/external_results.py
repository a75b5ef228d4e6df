"""The results of functions of other packages and of unknown functions, which may return their arguments."""

from __future__ import annotations

import ast
from dataclasses import replace

from qprep.analysis.effects import silent_calls
from qprep.analysis.effects.abstract_objects import (
    ANY_OBJECT,
    CHILD_NAME,
    HOLDER,
    NOTHING,
    Below,
    FunctionObject,
    Held,
    Instance,
    Made,
    Named,
    Reference,
    References,
)
from qprep.analysis.effects.attribute_values import may_have
from qprep.analysis.effects.evaluation import Evaluation
from qprep.analysis.effects.kept_getters import fetched_by_package
from qprep.analysis.effects.lexical_scopes import LexicalScope
from qprep.analysis.effects.library_names import ANY_MODULE, ANY_OF_PACKAGE, CONTAINERS
from qprep.analysis.effects.object_items import modules_below, with_parts
from qprep.analysis.effects.reference_sets import union
from qprep.analysis.effects.stored_values import SCALARS
from qprep.analysis.effects.value_keys import ResultKey, WrittenKey
from qprep.analysis.places import Place
from qprep.analysis.symbols.ast_utils import argument_values, dotted_text, last_name

_OF_TABLE = frozenset(("copy", "get", "items", "pop", "setdefault", "values"))
_FINDS_MODULE = frozenset(
    (
        "builtins.__import__",
        "importlib.import_module",
        "importlib.reload",
        "inspect.getmodule",
        *(f"{ANY_MODULE}.{each}" for each in _OF_TABLE),
    )
)
_WRITTEN_BY = {
    "torch.load": frozenset(("save",)),
    **dict.fromkeys(("pickle.load", "pickle.loads"), frozenset(("dump", "dumps"))),
}
"""Functions that read objects from a file, and the names of those that write them."""
_WRITERS = frozenset(("torch.save", "torch.serialization.save", "pickle.dump", "pickle.dumps"))
_RUNTIME = "qprep.runtime_modules."
_ORIGINALS = f"{_RUNTIME}original_"
# Functions of these packages return numbers, texts and tensors; of torch itself, these return the module given.
_VALUE_PACKAGES = (
    "torch.nn.functional.",
    "torch.linalg.",
    "math.",
    "numpy.",
    "os.",
    "re.",
    "json.",
    "time.",
    "random.",
)
_WRAPS_MODULES = frozenset(("compile", "vmap"))
# Packages whose functions find objects that nobody gives them, and attributes that do.
_REFLECTIVE = ("gc.", "ctypes.", "inspect.currentframe", "inspect.stack", "sys._getframe")


def given_to_writers(evaluation: Evaluation, functions: frozenset[str]) -> References:
    """The objects that a file may hold: a model that `torch.save` got is one of its class when it is loaded."""
    files = (file for module in evaluation.modules if (file := evaluation.file(module)) is not None)
    calls = [(call, file) for file in files for call in file.index.of(ast.Call) if last_name(call.func) in functions]
    found = union(
        evaluation.get(call.args[0], file.scope_of(call))
        for call, file in calls
        if call.args and _may_write(evaluation, call, file.scope_of(call))
    )
    return frozenset(each for each in found if isinstance(each.base, Instance | Made | Held | Below))


def _may_write(evaluation: Evaluation, call: ast.Call, scope: LexicalScope) -> bool:
    """True if a function may write objects into a file: it is one that does, or is not known."""
    callees = evaluation.known(call.func, scope)
    if callees is None:
        return False
    names = {each.base.name for each in callees if isinstance(each.base, Named)}
    return len(names) < len(callees) or not callees or not names.isdisjoint(_WRITERS)


def of_external_call(evaluation: Evaluation, name: str, node: ast.Call, scope: LexicalScope) -> References:
    """The objects that a function of another package may return, by its dotted name."""
    last = name.rpartition(".")[2]
    if (written := _WRITTEN_BY.get(name)) is not None:
        return evaluation.get(WrittenKey(written)) | (NOTHING if name.startswith("torch.") else HOLDER)
    if name.startswith(_ORIGINALS):  # a fix has rewritten the listing in an earlier pass
        return modules_below(evaluation, of_arguments(evaluation, node, scope), is_direct=True) | {CHILD_NAME}
    if name in _FINDS_MODULE:
        return frozenset((Reference(Named(ANY_MODULE)),))
    if name.startswith(_REFLECTIVE):
        return ANY_OBJECT
    if name.startswith(_VALUE_PACKAGES) or (name.startswith("torch.") and name.count(".") == 1):
        wraps = last in _WRAPS_MODULES and name.startswith("torch.")
        return with_parts(evaluation, of_arguments(evaluation, node, scope)) if wraps else NOTHING
    if name.startswith("builtins.") and last in SCALARS:
        return NOTHING
    if (last[:1].isupper() or last == ANY_OF_PACKAGE) and name.startswith("torch."):
        made = frozenset((Reference(Made(name, Place.of(scope.file.module, node))),))
        return made | with_parts(evaluation, of_arguments(evaluation, node, scope)) if last in CONTAINERS else made
    found = of_arguments(evaluation, node, scope, name)
    if silent_calls.calls_later(name) and all(isinstance(each.base, FunctionObject) for each in found):
        return found
    if any(dotted_text(argument) == "getattr" for argument in node.args):
        found |= modules_below(evaluation, found)  # functools.reduce(getattr, path, model)
    if last[:1].isupper() or last == ANY_OF_PACKAGE:
        found |= {Reference(Made(name, Place.of(scope.file.module, node)))}
    if silent_calls.packs_again(name) or name.startswith(_RUNTIME):
        return found
    return with_parts(evaluation, found) | (NOTHING if name.startswith("torch.") else HOLDER)


def of_unknown_call(evaluation: Evaluation, node: ast.Call, scope: LexicalScope) -> References:
    """A function that is not given may return any object that it can reach from its arguments, or their names."""
    found = of_arguments(evaluation, node, scope)
    if isinstance(node.func, ast.Attribute):
        owners, name = evaluation.get(node.func.value, scope), node.func.attr
        found |= frozenset(each for each in owners if may_have(evaluation, each.base, name))
    return with_parts(evaluation, found) | HOLDER if found else found


def of_arguments(evaluation: Evaluation, node: ast.Call, scope: LexicalScope, name: str = "") -> References:
    """The arguments of a call, the results of functions among them, and names of parts of modules among them.

    `name` is that of a function of another package, if it is known.
    """
    values = argument_values(node)
    found = NOTHING
    for value in values:
        given = evaluation.get(value, scope)
        functions = [each.base for each in given if isinstance(each.base, FunctionObject)]
        runs_them = not name or (silent_calls.may_call(name, node, value) and not silent_calls.calls_later(name))
        if functions and runs_them:
            found |= union(evaluation.get(ResultKey(function.scope)) for function in functions)
        found |= given
    found |= fetched_by_package(evaluation, found)
    if not name.startswith("builtins.") and any(isinstance(each.base, Instance | Made | Below) for each in found):
        found |= {CHILD_NAME}
    return frozenset(
        Reference(replace(each.base, is_loose=True)) if isinstance(each.base, FunctionObject) else each
        for each in found
        if not (isinstance(each.base, Named) and not each.base.name.rpartition(".")[2][:1].isupper())
    )
