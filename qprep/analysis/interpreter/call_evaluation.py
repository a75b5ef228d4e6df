"""Calls: of modules, torch operations, project functions and classes, and what remains."""

from __future__ import annotations

import ast
from functools import partial
from typing import TYPE_CHECKING

from qprep.analysis.effects import child_positions
from qprep.analysis.interpreter import (
    attributes,
    builtin_models,
    closures,
    constructor_arguments,
    instances,
    reflection,
    tensor_operations,
)
from qprep.analysis.interpreter.arguments import Arguments
from qprep.analysis.interpreter.environment import rooted
from qprep.analysis.interpreter.external_calls import call_external, call_through, call_unknown, calls_its_argument
from qprep.analysis.interpreter.instance_creation import instantiate
from qprep.analysis.interpreter.items import iterate
from qprep.analysis.interpreter.module_calls import call_held_function, call_module, note_held_function
from qprep.analysis.interpreter.self_attributes import self_attribute
from qprep.analysis.values.abstract_values import (
    NONE,
    OTHER,
    UNKNOWN,
    ClassRef,
    External,
    FunctionRef,
    InputPart,
    Kind,
    MethodCaller,
    Module,
    Object,
    Opaque,
    Partial,
    Record,
    Returning,
    Sequence,
    Super,
    Tensor,
    join_all,
    modules_of,
    options,
)
from qprep.analysis.values.access_paths import AccessPath
from qprep.analysis.values.closure_values import Closure
from qprep.foundation.catalogue.torch_ao import FUNCTIONAL, FUNCTIONAL_METHODS, eager_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from qprep.analysis.interpreter.environment import Frame
    from qprep.analysis.interpreter.protocol import Analysis

_OWN = (FunctionRef, Closure, Partial)  # functions of the project, whose bodies are evaluated where they are called


def call(analysis: Analysis, frame: Frame, node: ast.Call) -> Kind:
    """The kind that a call returns."""
    if isinstance(node.func, ast.Attribute):
        receiver = analysis.evaluate(frame, node.func.value)
        arguments = read_arguments(analysis, frame, node)
        return _call_attribute(analysis, frame, node, receiver, arguments)
    callee = analysis.evaluate(frame, node.func)
    if callee == External("builtins.super"):
        return Super(frame.cls, frame.self_kind) if frame.cls and frame.self_kind else OTHER
    arguments = read_arguments(analysis, frame, node)
    result = call_kind(analysis, frame, node, callee, arguments)
    _note_direct(analysis, frame, node, callee)
    return result


def _note_direct(analysis: Analysis, frame: Frame, node: ast.Call, callee: Kind) -> None:
    helper = analysis.facts.helpers.get(frame.place(node)) if frame.recording else None
    if helper is not None:
        helper.direct = any(isinstance(_without_bound(option), FunctionRef) for option in options(callee))


def _without_bound(kind: Kind) -> Kind:
    """The function of which a value is a partial, or a partial of one; any other value as it is."""
    while isinstance(kind, Partial):
        kind = kind.function
    return kind


def read_arguments(analysis: Analysis, frame: Frame, node: ast.Call) -> Arguments:
    """Evaluate the arguments in the order written."""
    result = Arguments()
    for arg in node.args:
        if isinstance(arg, ast.Starred):
            inner = analysis.evaluate(frame, arg.value)
            result.unpacked.append((inner, arg.value))
            if isinstance(inner, Sequence) and inner.items is not None:
                result.args.extend(inner.items)
                result.sources.extend(arg.value for _ in inner.items)
            else:
                child_positions.note_taken(analysis, frame, inner)
                result.args.append(iterate(inner))
                result.sources.append(arg.value)
                result.exact, result.is_open = False, True
        else:
            result.args.append(analysis.evaluate(frame, arg))
            result.sources.append(arg)
        result.nodes.append(arg)
    for keyword in node.keywords:
        value = analysis.evaluate(frame, keyword.value)
        if keyword.arg is None:
            result.exact = False
            result.unpacked.append((value, keyword.value))
        else:
            result.keywords[keyword.arg] = value
    return result


def _call_attribute(analysis: Analysis, frame: Frame, node: ast.Call, receiver: Kind, arguments: Arguments) -> Kind:
    assert isinstance(node.func, ast.Attribute)
    name = node.func.attr
    if name not in ("forward", "__call__"):
        receiver = _as_given(analysis, frame, node.func.value, receiver, (Module, Object))
    known = [option for option in options(receiver) if option != NONE] or [receiver]
    modules = [option for option in known if isinstance(option, Module)]
    if modules and name in ("forward", "__call__") and all(not option.is_self for option in modules):
        return call_module(analysis, frame, node, modules, arguments)
    results: list[Kind] = []
    callables: list[Kind] = []
    for option in known:
        if isinstance(option, Tensor):
            results.append(tensor_operations.method(analysis, frame, node, name, option, arguments))
            continue
        if isinstance(option, InputPart):
            results.append(tensor_operations.part_method(analysis, frame, node, name, arguments))
            continue
        if _is_functional(option) and name in FUNCTIONAL_METHODS:
            results.append(Tensor(arguments.flows))
            continue
        found = builtin_models.method(analysis, frame, node, option, name, arguments)
        if found is not None:
            results.append(found)
            continue
        callables.append(analysis.attribute_of(frame, option, name))
    if callables:
        callee = _as_given(analysis, frame, node.func, join_all(callables), (External, Object, *_OWN), Module)
        if any(_says_nothing(option) for option in options(callee)) and not modules:
            seen = tensor_operations.unknown_method(analysis, frame, node, name, receiver)
            if seen is not None:
                return join_all([*results, seen])
        results.append(call_kind(analysis, frame, node, callee, arguments))
        _note_direct(analysis, frame, node, callee)
    return join_all(results)


def _is_functional(kind: Kind) -> bool:
    """True if a value is a FloatFunctional, whose methods are the operations."""
    return isinstance(kind, Module) and isinstance(kind.cls, External) and eager_name(kind.cls.name) == FUNCTIONAL


def _as_given(
    analysis: Analysis,
    frame: Frame,
    node: ast.expr,
    kind: Kind,
    wanted: tuple[type[Kind], ...],
    left_out: type[Kind] | tuple[()] = (),
) -> Kind:
    """`self.block`, once a parameter of the constructor: what is passed for it, where all of that is of certain types.

    Modules are looked into for their methods only: a forward that any model may call is evaluated by itself. So a call
    of the value leaves them out, and calls the parameter as well.
    """
    path = self_attribute(analysis, frame, node)
    if path is None or not frame.recording:
        return kind
    found = [constructor_arguments.given(analysis, option) for option in options(kind) if isinstance(option, Opaque)]
    known = [
        option for each in found if each != UNKNOWN for option in options(each) if not isinstance(option, left_out)
    ]
    if not known or not all(isinstance(option, wanted) for option in known):
        return kind
    has_more = any(isinstance(option, left_out) for each in found for option in options(each))
    others = (option for option in options(kind) if has_more or not isinstance(option, Opaque))
    return join_all([*(rooted(option, AccessPath((path,))) for option in known), *others])


def _says_nothing(kind: Kind) -> bool:
    return kind is UNKNOWN or kind == UNKNOWN or isinstance(kind, Opaque)


def call_kind(analysis: Analysis, frame: Frame, node: ast.Call, callee: Kind, arguments: Arguments) -> Kind:
    """Call a value of known kind; the alternatives of a union are alternatives at run time too."""
    modules = modules_of(callee)
    if modules:
        note_held_function(analysis, frame, node.func, callee, arguments)
        path = self_attribute(analysis, frame, node.func)
        others = (
            [Module(None, AccessPath((path,)))] if path is not None and any(map(_says_nothing, options(callee))) else []
        )
        called = partial(call_module, analysis, frame, node, [*modules, *others], arguments)
        # A function of torch is one of several in a list, where it is not what an attribute holds.
        callables = (Object, *_OWN) if path is not None else (Object, External, *_OWN)
        own = [option for option in options(callee) if isinstance(option, callables)]
        return _call_each(analysis, frame, node, own, arguments, called) if own else called()
    alternatives = [option for option in options(callee) if option != NONE]
    if all(map(_says_nothing, alternatives)) and calls_its_argument(analysis, frame, arguments):
        return call_through(analysis, frame, node, arguments)
    if len(alternatives) == 1:
        return _call_one(analysis, frame, node, alternatives[0], arguments)
    if not frame.recording:
        return join_all(_call_one(analysis, frame, node, option, arguments) for option in alternatives)
    if any(isinstance(option, Object) for option in alternatives):  # what a parameter gives is unknown, this is not
        alternatives = [option for option in alternatives if not _says_nothing(option)]
    is_held = self_attribute(analysis, frame, node.func) is not None and arguments.flows
    evaluated = [option for option in alternatives if isinstance(option, (Object, *_OWN))]
    if is_held and len(evaluated) < len(alternatives):
        remaining = [option for option in alternatives if option not in evaluated]
        held = partial(call_held_function, analysis, frame, node, remaining, arguments)
        return _call_each(analysis, frame, node, evaluated, arguments, held) if evaluated else held()
    return _call_each(analysis, frame, node, alternatives, arguments)


def _call_each(
    analysis: Analysis,
    frame: Frame,
    node: ast.Call,
    alternatives: Iterable[Kind],
    arguments: Arguments,
    *first: Callable[[], Kind],
) -> Kind:
    """Call alternatives at run time, each from where all begin; `first` are calls of another sort."""
    start = frame.save()
    results, ends = [], []
    calls: list[Callable[[], Kind]] = [*first]
    calls += [partial(_call_one, analysis, frame, node, option, arguments) for option in sorted(alternatives, key=repr)]
    for each in calls:
        frame.load(start)
        results.append(each())
        ends.append(frame.save())
    if ends:
        frame.meet(ends)
    return join_all(results)


def _call_one(analysis: Analysis, frame: Frame, node: ast.Call, callee: Kind, arguments: Arguments) -> Kind:
    if isinstance(callee, External):
        return call_external(analysis, frame, node, callee.name, arguments)
    if isinstance(callee, FunctionRef):
        row = analysis.catalogue.custom(f"{callee.module}.{callee.name}")
        if row is not None:
            return tensor_operations.function(analysis, frame, node, *row, arguments)
        return analysis.call_function(frame, node, callee, arguments)
    if isinstance(callee, ClassRef):
        return instantiate(analysis, frame, node, callee, arguments)
    if isinstance(callee, Closure):
        return closures.call(analysis, frame, node, callee, arguments)
    if isinstance(callee, MethodCaller) and arguments.args:
        given = Arguments([arguments.args[0], *callee.args], dict(callee.keywords))
        return call_kind(analysis, frame, node, reflection.called(callee.name, arguments.args[0]), given)
    if isinstance(callee, Record):
        items = instances.by_name(callee.names, arguments)
        return Sequence(join_all(items), items, callee.names) if items is not None else UNKNOWN
    if isinstance(callee, Object):
        method = attributes.class_attribute(analysis, callee.cls, callee, "__call__")
        if isinstance(method, FunctionRef):
            return analysis.call_function(frame, node, method, arguments)
    if isinstance(callee, Partial):
        merged = Arguments([*callee.args, *arguments.args], {**dict(callee.keywords), **arguments.keywords})
        return call_kind(analysis, frame, _named_at(frame, node, callee), callee.function, merged)
    if isinstance(callee, Returning):
        return callee.kind
    return call_unknown(analysis, frame, node, arguments)


def _named_at(frame: Frame, node: ast.Call, callee: Partial) -> ast.Call:
    """The call to which a function belongs that runs through a partial: the partial's, where that stands here too."""
    if callee.made is None or not isinstance(callee.function, FunctionRef):
        return node
    made, *home = callee.made
    return made if home == [frame.index.name, frame.function] else node
