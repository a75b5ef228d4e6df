"""Calls: of modules, torch operations, project functions and classes, and what remains."""

from __future__ import annotations

import ast
from functools import partial
from typing import TYPE_CHECKING

from qprep.analysis.effects import aliasing, child_positions, escape
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
from qprep.analysis.interpreter.environment import CHILDREN, rooted
from qprep.analysis.interpreter.items import item_of_unknown, iterate
from qprep.analysis.interpreter.self_attributes import self_attribute
from qprep.analysis.symbols.ast_utils import walk
from qprep.analysis.symbols.function_modules import stand_in
from qprep.analysis.values.abstract_values import (
    ACTIVATION,
    NONE,
    OPEN,
    OTHER,
    PARAMETER,
    PART,
    UNKNOWN,
    ClassRef,
    Closure,
    External,
    FunctionRef,
    InputPart,
    Kind,
    Mapping,
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
    flows,
    join_all,
    modules_of,
    options,
)
from qprep.analysis.values.access_paths import with_steps
from qprep.foundation.catalogue.torch_ao import FUNCTIONAL, FUNCTIONAL_METHODS, STUBS, eager_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from qprep.analysis.interpreter.environment import Frame
    from qprep.analysis.interpreter.protocol import Analysis

RUNTIME = "qprep.runtime_modules."
_TENSOR_FUNCTIONS = frozenset(
    ("torch", *(f"torch.{name}" for name in ("fft", "linalg", "nested", "nn.functional", "sparse", "special")))
) | frozenset(("torch.ops.aten", "torch._C._nn", "torch._higher_order_ops", "torch._VF"))


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
        helper.direct = any(isinstance(option, FunctionRef) for option in options(callee))


def read_arguments(analysis: Analysis, frame: Frame, node: ast.Call) -> Arguments:
    """Evaluate the arguments in the order written."""
    result = Arguments()
    for arg in node.args:
        if isinstance(arg, ast.Starred):
            inner = analysis.evaluate(frame, arg.value)
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
    if modules and name in ("forward", "__call__") and all(option.path != "" for option in modules):
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
        callee = _as_given(analysis, frame, node.func, join_all(callables), (External, Object), Module)
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
    of the value leaves them out.
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
    others = (option for option in options(kind) if not isinstance(option, Opaque))
    return join_all([*(rooted(option, path) for option in known), *others])


def _says_nothing(kind: Kind) -> bool:
    return kind is UNKNOWN or kind == UNKNOWN or isinstance(kind, Opaque)


def call_kind(analysis: Analysis, frame: Frame, node: ast.Call, callee: Kind, arguments: Arguments) -> Kind:
    """Call a value of known kind; the alternatives of a union are alternatives at run time too."""
    modules = modules_of(callee)
    if modules:
        _note_held(analysis, frame, node, callee, arguments)
        path = self_attribute(analysis, frame, node.func)
        others = [Module(None, path)] if path is not None and any(map(_says_nothing, options(callee))) else []
        called = partial(call_module, analysis, frame, node, [*modules, *others], arguments)
        objects = [option for option in options(callee) if isinstance(option, Object)]
        return _call_each(analysis, frame, node, objects, arguments, called) if objects else called()
    alternatives = [option for option in options(callee) if option != NONE]
    if all(map(_says_nothing, alternatives)) and _calls_what_it_is_given(analysis, frame, arguments):
        return call_through(analysis, frame, node, arguments)
    if len(alternatives) == 1:
        return _call_one(analysis, frame, node, alternatives[0], arguments)
    if not frame.recording:
        return join_all(_call_one(analysis, frame, node, option, arguments) for option in alternatives)
    if any(isinstance(option, Object) for option in alternatives):  # what a parameter gives is unknown, this is not
        alternatives = [option for option in alternatives if not _says_nothing(option)]
    is_held = self_attribute(analysis, frame, node.func) is not None and arguments.flows
    if is_held and not all(isinstance(option, FunctionRef | Closure | Object) for option in alternatives):
        return _held_call(analysis, frame, node, alternatives, arguments)
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
    return _call_unknown(analysis, frame, node, arguments)


def _named_at(frame: Frame, node: ast.Call, callee: Partial) -> ast.Call:
    """The call to which a function belongs that runs through a partial: the partial's, where that stands here too."""
    if callee.made is None or not isinstance(callee.function, FunctionRef):
        return node
    made, *home = callee.made
    return made if home == [frame.index.name, frame.function] else node


def _call_unknown(analysis: Analysis, frame: Frame, node: ast.Call, arguments: Arguments) -> Kind:
    """An unknown callable: a factory of modules at construction, a module where it is an attribute of self."""
    if not frame.recording:
        return UNKNOWN if _looks_up_a_value(node) else Module(None, None, analysis.origin(frame, node))
    if arguments.flows:
        held = _held(analysis, frame, node.func)
        if held is not None:
            return call_module(analysis, frame, node, [held], arguments)
        frame.counts.add(CHILDREN)  # it may be one: a loop's variable, something handed in
    callables = [arg for arg in arguments.args if _is_handed_on(arg)]
    if callables and arguments.flows:
        return call_through(analysis, frame, node, arguments)
    return PART if arguments.flows else UNKNOWN


def _looks_up_a_value(node: ast.Call) -> bool:
    """`settings.get("width", 16)`: no module, where the default is a number or a text."""
    default = (
        node.args[1] if isinstance(node.func, ast.Attribute) and node.func.attr == "get" and node.args[1:] else None
    )
    return isinstance(default, ast.Constant) and default.value is not None


def _held(analysis: Analysis, frame: Frame, func: ast.expr) -> Module | None:
    """`self.act`, or one of what `self.blocks` holds, where nobody knows what that is: `self.blocks[i]`."""
    attribute = self_attribute(analysis, frame, func)
    if attribute is not None:
        return Module(None, attribute)
    if isinstance(func, ast.Subscript) and not isinstance(func.slice, ast.Slice):
        attribute = self_attribute(analysis, frame, func.value)
        return item_of_unknown(attribute, func.slice, frame) if attribute is not None else None
    return None


def _note_held(analysis: Analysis, frame: Frame, node: ast.Call, callee: Kind, arguments: Arguments) -> None:
    """`self.act` is a module on one branch of the constructor and a function on another."""
    names = [option.name for option in options(callee) if isinstance(option, External)]
    path = self_attribute(analysis, frame, node.func)
    owner = frame.self_kind.cls if isinstance(frame.self_kind, Module) else None
    if not names or path is None or not isinstance(owner, ClassRef) or not (frame.recording and arguments.flows):
        return
    rows = [analysis.catalogue.function(name) for name in names]
    if all(row is not None and analysis.is_compute(row[0]) for row in rows):
        attributes.held_function(analysis, frame, owner, path, names[0] if len(names) == 1 else "?")


def _held_call(analysis: Analysis, frame: Frame, node: ast.Call, callees: list[Kind], arguments: Arguments) -> Kind:
    """`self.act(x)` where `act` is one of several functions: it counts as one module once it is held as one."""
    path = self_attribute(analysis, frame, node.func)
    assert path is not None
    names = [option.name for option in callees if isinstance(option, External)]
    if (
        frame.self_kind is not None
        and isinstance(frame.self_kind, Module)
        and isinstance(frame.self_kind.cls, ClassRef)
    ):
        attributes.held_function(analysis, frame, frame.self_kind.cls, path, names[0] if len(names) == 1 else "?")
    return call_module(analysis, frame, node, [Module(None, path)], arguments)


def call_module(analysis: Analysis, frame: Frame, node: ast.Call, modules: list[Module], arguments: Arguments) -> Kind:
    """Call a module: note which instance, and find out what its forward returns."""
    if frame.recording and arguments.flows:
        _note_call(analysis, frame, node, modules)
    # What a default or another branch makes tells more than a module that nobody knows.
    known = [module for module in modules if module.cls is not None] or modules
    return join_all([_module_result(analysis, frame, node, module, arguments) for module in known])


def _note_call(analysis: Analysis, frame: Frame, node: ast.Call, modules: list[Module]) -> None:
    frame.counts.add(CHILDREN)
    # Of several, the one that tells most: on self, and the same in each round of a loop.
    first = min(modules, key=lambda module: (module.path is None, bool(module.loops), module.path or ""))
    path = first.path if first.path is not None or not aliasing.is_common(first) else ast.unparse(node.func)
    if path is None or all(module.path == "" for module in modules):
        frame.counts.add(("self",))
        return
    identity = with_steps(path, frame.loop_steps) if len(modules) > 1 or first.origin is None else first.origin
    classes = {analysis.class_name(module) for module in modules}
    call = analysis.note_module_call(frame, node, identity, path, first.loops, classes)
    if call is None:
        return
    bound = frame.scope.lookup(node.func.id) if isinstance(node.func, ast.Name) else None
    call.is_named = call.is_named and bound == first and len(modules) == 1 and call.path == path
    if aliasing.is_common(first) and "." not in (first.path or ""):
        call.is_common = True


def _module_result(analysis: Analysis, frame: Frame, node: ast.Call, module: Module, arguments: Arguments) -> Kind:
    if isinstance(module.cls, ClassRef):
        return analysis.call_forward(frame, module, arguments)
    flow = arguments.flows
    if isinstance(module.cls, External):
        return _nn_result(analysis, frame, node, module, module.cls.name, arguments)
    return OPEN if flow else UNKNOWN


def _nn_result(
    analysis: Analysis, frame: Frame, node: ast.Call, module: Module, name: str, arguments: Arguments
) -> Kind:
    if name == "torch.nn.Sequential":
        return _sequential_result(analysis, frame, node, module, arguments)
    known = analysis.catalogue.nn_module(name.removeprefix("torch.nn."))
    if name == f"{RUNTIME}PerCall" and module.item is not None:
        return join_all(_module_result(analysis, frame, node, item, arguments) for item in modules_of(module.item))
    if name == f"{RUNTIME}Dispatch" and arguments.args:
        rest = Arguments(arguments.args[1:], arguments.keywords, arguments.nodes[1:], arguments.exact)
        return join_all(_dispatched(analysis, frame, node, option, rest) for option in options(arguments.args[0]))
    if name.startswith(RUNTIME):
        return tensor_operations.runtime_result(analysis, name.removeprefix(RUNTIME), arguments)
    if name == "torch.nn.Identity" and arguments.args:
        return arguments.args[0]
    if known is not None:
        return tensor_operations.result_kind(known.result, ACTIVATION if arguments.flows else PARAMETER)
    return OPEN if arguments.flows else Tensor(False)


def _dispatched(analysis: Analysis, frame: Frame, node: ast.Call, callee: Kind, arguments: Arguments) -> Kind:
    """One of the functions that a Dispatch is given: it has a module of its own, or is called as it is."""
    cls = stand_in(analysis.project, callee) if isinstance(callee, FunctionRef) else None
    if cls is not None:
        return analysis.call_forward(frame, Module(cls), arguments)
    if isinstance(callee, FunctionRef):
        return _call_one(analysis, frame, node, callee, arguments)
    return Tensor(arguments.flows)


def _sequential_result(analysis: Analysis, frame: Frame, node: ast.Call, module: Module, arguments: Arguments) -> Kind:
    value = next(filter(flows, arguments.args), join_all(arguments.args[:1]))
    item = module.item
    if item is None:
        return Tensor(flows(value))
    parts = item.items if isinstance(item, Sequence) and item.items is not None else (item,)
    for part in parts:
        kinds = modules_of(part)
        if kinds:
            value = join_all(_module_result(analysis, frame, node, kind, Arguments([value])) for kind in kinds)
    return value


def instantiate(analysis: Analysis, frame: Frame, node: ast.Call, cls: ClassRef, arguments: Arguments) -> Kind:
    """An instance of a project class."""
    constructor_arguments.note(analysis, cls, arguments)
    if not analysis.is_module(cls):
        return instances.construct(analysis, frame, cls, arguments)
    _share_kept(analysis, frame, node, cls, arguments)
    if frame.self_kind is not None:
        analysis.nested.add(cls)
    item = join_all(arguments.args) if analysis.is_container(cls) and arguments.args else None
    return Module(cls, None, analysis.origin(frame, node), item)


def _share_kept(analysis: Analysis, frame: Frame, node: ast.Call, cls: ClassRef, arguments: Arguments) -> None:
    """Modules handed to a constructor that keeps them, alone or in a tuple."""
    if any(isinstance(expr, ast.Starred) for expr in arguments.nodes):
        return
    given: list[tuple[int | str, Kind, ast.expr]] = [
        (position, kind, expr)
        for position, (kind, expr) in enumerate(zip(arguments.args, arguments.nodes, strict=False))
    ]
    given += [(k.arg, arguments.keywords[k.arg], k.value) for k in node.keywords if k.arg in arguments.keywords]
    for name, kind, expr in given:
        parts = [(kind, expr)]
        if isinstance(expr, ast.Tuple) and isinstance(kind, Sequence) and len(kind.items or ()) == len(expr.elts):
            parts = list(zip(kind.items or (), expr.elts, strict=True))
        for value, place in parts:
            if modules_of(value) and escape.keeps(analysis, cls, name):
                aliasing.stored(analysis, frame, value, place, "argument")


def _share_arguments(analysis: Analysis, frame: Frame, arguments: Arguments) -> None:
    # What stands in one list several times is told where the list is made.
    for kind, expr in dict.fromkeys(zip(arguments.args, arguments.sources, strict=False)):
        aliasing.stored(analysis, frame, kind, expr, "argument" if expr in arguments.nodes else "unpacked")


def call_external(analysis: Analysis, frame: Frame, node: ast.Call, name: str, arguments: Arguments) -> Kind:
    """Call something that the project does not define."""
    found = builtin_models.function(analysis, frame, node, name, arguments)
    if found is not None:
        return found
    if name == attributes.APPLY:
        return Tensor(arguments.flows)
    if arguments.args and _gives_back(name) and modules_of(arguments.args[0]):
        return arguments.args[0]
    if name == f"{RUNTIME}PerCall.within":
        return _note_renewed(analysis, frame, arguments)
    if name == f"{RUNTIME}ClassOperation" and arguments.args:  # of which each object has one
        named = call_kind(analysis, frame, node, arguments.args[0], Arguments())
        return join_all(Module(module.cls, None, None, module.item) for module in modules_of(named))
    if name.startswith(RUNTIME) and name.removeprefix(RUNTIME)[:1].isupper():
        made = name.removesuffix(".wrap").removesuffix(".of")
        item = arguments.args[0] if made == f"{RUNTIME}PerCall" and arguments.args else None
        return Module(External(made), None, analysis.origin(frame, node), item)
    if name.startswith("torch.nn.") and name.count(".") == 2 and name[9].isupper():
        return _new_nn_module(analysis, frame, node, name, arguments)
    if eager_name(name) in (FUNCTIONAL, *STUBS):
        return Module(External(name), None, analysis.origin(frame, node))
    row = analysis.catalogue.function(name)
    if row is not None:
        path = self_attribute(analysis, frame, node.func)
        if path is not None and frame.recording and arguments.flows and analysis.is_compute(row[0]):
            return _held_call(analysis, frame, node, [External(name)], arguments)
        return tensor_operations.function(analysis, frame, node, row[0], row[1], arguments)
    if frame.recording:
        return _call_foreign(analysis, frame, node, name, arguments)
    return Module(None, None, analysis.origin(frame, node)) if _looks_like_class(name) else UNKNOWN


def _gives_back(name: str) -> bool:
    """True if a function of torch gives back the module that it is given: with other parameters, or compiled."""
    return name.startswith("torch.nn.utils.") or name in ("torch.compile", "torch.jit.script")


def _note_renewed(analysis: Analysis, frame: Frame, arguments: Arguments) -> Kind:
    """What `self.block` calls has an instance for each call from here on."""
    path = self_attribute(analysis, frame, arguments.nodes[0]) if arguments.nodes else None
    owner = frame.self_kind.cls if isinstance(frame.self_kind, Module) else None
    if path is not None and isinstance(owner, ClassRef):
        analysis.attributes_of(owner).renewed.add(path)
    return NONE


def _call_foreign(analysis: Analysis, frame: Frame, node: ast.Call, name: str, arguments: Arguments) -> Kind:
    """A function of another package, of which nothing is known: one of torch's on activations is counted."""
    path = self_attribute(analysis, frame, node.func)
    if path is not None and arguments.flows:
        return call_module(analysis, frame, node, [Module(External(name), path)], arguments)
    if arguments.flows and _computes(name):
        analysis.note_unknown(frame, node, f"{name}()")
    return call_through(analysis, frame, node, arguments)


def _computes(name: str) -> bool:
    """True if a function is one of torch's that take tensors, though the catalogue does not know it."""
    home, _, last = name.rpartition(".")
    return home in _TENSOR_FUNCTIONS and not last.startswith(("is_", "_assert")) and not last[:1].isupper()


def _looks_like_class(name: str) -> bool:
    """An unresolved name in capitals is taken for a class: of what, only its package knows."""
    return name.rpartition(".")[2][:1].isupper()


def _is_handed_on(kind: Kind) -> bool:
    """True if an argument is given to be called: self is given to be looked at."""
    return all(
        isinstance(option, Closure | FunctionRef | Partial) or (isinstance(option, Module) and option.path != "")
        for option in options(kind)
    )


def _calls_what_it_is_given(analysis: Analysis, frame: Frame, arguments: Arguments) -> bool:
    """True if an unknown callable is no module: it is given one, `self._checkpointing(self.block, x)`."""
    if not (frame.recording and arguments.args and arguments.flows):
        return False
    first = arguments.args[0]
    return _is_handed_on(first) or (not flows(first) and _is_called_here(analysis, frame, arguments.nodes[0]))


def _is_called_here(analysis: Analysis, frame: Frame, node: ast.expr) -> bool:
    """True if the function calls what an expression refers to elsewhere, by the same words: `block(x)`."""
    function = analysis.project.function_node(FunctionRef(frame.index.name, frame.function))
    if function is None or not isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
        return False
    text = ast.unparse(node)
    return any(isinstance(part, ast.Call) and ast.unparse(part.func) == text for part in walk(function))


def call_through(analysis: Analysis, frame: Frame, node: ast.Call, arguments: Arguments) -> Kind:
    """A foreign function given a callable and activations (checkpoint and its kin) is taken to call it once."""
    for position, option in enumerate(arguments.args):
        if _is_handed_on(option):
            rest = Arguments(arguments.args[position + 1 :], {}, arguments.nodes[position + 1 :])
            return call_kind(analysis, frame, node, option, rest) if rest.flows else UNKNOWN
    if arguments.args and (modules := modules_of(arguments.args[0])):  # one of these, or what nobody knows
        return call_module(analysis, frame, node, list(modules), Arguments(arguments.args[1:]))
    frame.counts.add(CHILDREN)
    return PART if arguments.flows else UNKNOWN


def _new_nn_module(analysis: Analysis, frame: Frame, node: ast.Call, name: str, arguments: Arguments) -> Kind:
    if name == "torch.nn.Parameter":
        return PARAMETER
    short = name.removeprefix("torch.nn.")
    item: Kind | None = None
    if short == "Sequential":
        _share_arguments(analysis, frame, arguments)
        item = _sequence_item(arguments) if arguments.args else None
    elif short in ("ModuleList", "ModuleDict", "ParameterList", "ParameterDict"):
        first = arguments.args[0] if arguments.args else None
        item = _contents(first) if first is not None else None
        if short.startswith("Parameter"):
            return Sequence(PARAMETER) if short == "ParameterList" else Mapping(PARAMETER)
    return Module(External(name), None, analysis.origin(frame, node), item)


def _sequence_item(arguments: Arguments) -> Kind:
    """The modules of Sequential(...), in order where each is written out."""
    if arguments.exact and len(arguments.args) > 1:
        return join_all(arguments.args)
    return _contents(arguments.args[0])


def _contents(kind: Kind) -> Kind:
    parts: list[Kind] = []
    for option in options(kind):
        if isinstance(option, Sequence):
            parts.append(option.item)
        elif isinstance(option, Mapping):
            parts.append(option.value)
        elif isinstance(option, Module):
            parts.append(option)
    found = [module for part in parts for module in modules_of(part)]
    return join_all(Module(m.cls, None, None, m.item) for m in found) if found else Module(None)
