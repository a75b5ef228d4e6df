"""Python's own functions and methods, and nn.Module's: what they return, and what they do to lists and modules."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.effects import aliasing, child_positions
from qprep.analysis.interpreter import attributes, instances, reflection, tensor_operations
from qprep.analysis.interpreter.environment import CHILDREN, in_loop, rooted
from qprep.analysis.interpreter.items import iterate
from qprep.analysis.interpreter.self_attributes import self_attribute
from qprep.analysis.values.abstract_values import (
    INT,
    NONE,
    NUMBER,
    OTHER,
    PARAMETER,
    SHAPE,
    TEXT,
    UNKNOWN,
    ClassRef,
    External,
    FunctionRef,
    Kind,
    Mapping,
    MethodCaller,
    Module,
    Object,
    Partial,
    Plain,
    Sequence,
    Super,
    Tensor,
    Word,
    join,
    join_all,
    modules_of,
    options,
    sequence_of,
    tensor_of,
)

if TYPE_CHECKING:
    from qprep.analysis.interpreter.arguments import Arguments
    from qprep.analysis.interpreter.environment import Frame
    from qprep.analysis.interpreter.protocol import Analysis

_RESULTS: dict[str, Kind] = {
    **dict.fromkeys(
        [
            "len",
            "int",
            "bool",
            "id",
            "hash",
            "ord",
            "isinstance",
            "hasattr",
            "callable",
            "any",
            "all",
            "issubclass",
            "print",
        ],
        INT,
    ),
    **dict.fromkeys(("float", "round"), NUMBER),
    **dict.fromkeys(("str", "repr", "format"), TEXT),
    "range": Sequence(INT),
    "type": OTHER,
}
_COLLECTING = frozenset(["zip", "enumerate", "dict", "collections.OrderedDict", "collections.defaultdict"])
_SAME = frozenset(
    [
        "sorted",
        "list",
        "tuple",
        "set",
        "frozenset",
        "reversed",
        "iter",
        "torch.jit.annotate",
    ]
)
_COPIES = frozenset(
    ["copy.copy", "copy.deepcopy", *(f"qprep.runtime_modules.{name}" for name in ("another", "distinct", "unshared"))]
)
_MAPPINGS = frozenset(["Mapping", "MutableMapping", "UserDict"])
_ORIGINAL = {f"qprep.runtime_modules.original_{name}": name for name in ("children", "named_children")}
_GROW = frozenset(["append", "insert", "add", "appendleft"])
_PER_CALL = External("qprep.runtime_modules.PerCall")
_OPERATIONS = External("qprep.runtime_modules.ObjectOperations")
_MODULE_SELF = frozenset(
    ["to", "cuda", "cpu", "eval", "train", "half", "float", "double", "apply", "requires_grad_", "bfloat16", "type"]
)
_MODULE_ITEMS = frozenset(["children", "modules", "values", "__iter__"])
_MODULE_PAIRS = frozenset(["named_children", "named_modules", "items"])
_MODULE_ITEM = frozenset(["get_submodule", "__getitem__", "pop"])
_MODULE_PARTS: dict[str, Kind] = {
    **dict.fromkeys(("parameters", "buffers"), Sequence(PARAMETER)),
    **dict.fromkeys(("get_parameter", "get_buffer"), PARAMETER),
    "keys": Sequence(TEXT),
}


def method(
    analysis: Analysis, frame: Frame, node: ast.Call, receiver: Kind, name: str, arguments: Arguments
) -> Kind | None:
    """A method of a list, dict, text, shape or module; None if it is not one of these."""
    if isinstance(receiver, Sequence):
        return _sequence_method(analysis, frame, node, receiver, name, arguments)
    if isinstance(receiver, Mapping):
        return _mapping_method(analysis, frame, node, receiver, name, arguments)
    if isinstance(receiver, Plain):
        return INT if receiver == SHAPE and name in ("numel", "count", "index") else TEXT if receiver == TEXT else OTHER
    if isinstance(receiver, Word):
        return TEXT
    if isinstance(receiver, Module):
        return _module_method(analysis, frame, node, receiver, name, arguments)
    if isinstance(receiver, Super):
        return _super_method(analysis, frame, node, receiver, name, arguments)
    if isinstance(receiver, Object) and not analysis.defines(receiver.cls, name):
        return _registry_method(analysis, frame, node, receiver, name, arguments)
    return None


def _registry_method(
    analysis: Analysis, frame: Frame, node: ast.Call, receiver: Object, name: str, arguments: Arguments
) -> Kind | None:
    """Results of the methods that collections.abc's mappings derive from the `__getitem__` of a project class."""
    bases = (base.name for base in analysis.project.mro(receiver.cls) if isinstance(base, External))
    if not any(base.rpartition(".")[2] in _MAPPINGS for base in bases):
        return None
    item = item_of_object(analysis, frame, receiver, arguments.args[0] if arguments.args else TEXT)
    return _mapping_method(analysis, frame, node, Mapping(item), name, arguments) if item is not None else None


def item_of_object(analysis: Analysis, frame: Frame, receiver: Object, key: Kind) -> Kind | None:
    """The result of the `__getitem__` of a project class for a key; None if it has none."""
    return instances.call_own(analysis, frame, receiver, "__getitem__", key)


def _sequence_method(
    analysis: Analysis, frame: Frame, node: ast.Call, receiver: Sequence, name: str, arguments: Arguments
) -> Kind:
    if name in _GROW and arguments.args:
        added = arguments.args[-1]
        aliasing.stored(analysis, frame, added, node.args[-1], "container")
    elif name == "extend" and arguments.args:
        added = iterate(arguments.args[0])
    else:
        return (
            receiver.item if name in ("pop", "popleft", "__getitem__") else INT if name in ("index", "count") else NONE
        )
    grown = Sequence(added if receiver.items == () else join(receiver.item, added))
    _rebind(analysis, frame, node, grown)
    return NONE


def _rebind(analysis: Analysis, frame: Frame, node: ast.Call, value: Kind) -> None:
    """A method changed the list or dict that a name or attribute holds."""
    if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name | ast.Attribute):
        analysis.assign(frame, node.func.value, value, None)


def _mapping_method(
    analysis: Analysis, frame: Frame, node: ast.Call, receiver: Mapping, name: str, arguments: Arguments
) -> Kind:
    if name == "items":
        return Sequence(sequence_of((TEXT, receiver.value)))
    if name == "values":
        return Sequence(receiver.value)
    if name == "keys":
        return Sequence(TEXT)
    if name in ("get", "pop", "setdefault"):
        return join_all([receiver.value, *arguments.args[1:]])
    if name == "update" and arguments.args and isinstance(arguments.args[0], Mapping):
        _rebind(analysis, frame, node, Mapping(join(receiver.value, arguments.args[0].value)))
    return receiver if name == "copy" else NONE


def _module_method(
    analysis: Analysis, frame: Frame, node: ast.Call, receiver: Module, name: str, arguments: Arguments
) -> Kind | None:
    """nn.Module's own methods; None for those the project defines, or that nobody knows."""
    if isinstance(receiver.cls, ClassRef) and (
        analysis.defines(receiver.cls, name) or name in analysis.attributes_of(receiver.cls).names
    ):
        return None
    if name == "next" and receiver.cls == _PER_CALL and receiver.item is not None:
        return receiver.item
    if name == "given" and receiver.cls == _OPERATIONS and arguments.args:
        return arguments.args[0]
    child_positions.note_method(analysis, frame, receiver, name)
    if name in ("children", "named_children") and receiver.cls is not None:
        known = {receiver.cls} if isinstance(receiver.cls, ClassRef) else {ClassRef("torch.nn", "")}
        analysis.walked.setdefault((frame.index.name, node.lineno, node.col_offset), set()).update(known)
    if (found := _module_reading(analysis, receiver, name)) is not None:
        return found
    if receiver.path == "" and isinstance(receiver.cls, ClassRef):
        return _registering(analysis, frame, node, receiver.cls, name, arguments)
    if name in ("append", "extend", "insert", "add_module", "register_module"):
        return _container_method(analysis, frame, node, receiver, name, arguments)
    return None


def child_of(analysis: Analysis, receiver: Module) -> Kind:
    """Any of the children of a module."""
    item = attributes.item_of(analysis, receiver)
    if receiver.path is None:
        return item
    item = rooted(item, f"{receiver.path}[*]")
    for outer in receiver.loops:  # another parent in each round has other children
        item = in_loop(item, outer)
    return item


def _module_reading(analysis: Analysis, receiver: Module, name: str) -> Kind | None:
    """Methods that look things up in a module."""
    if name in _MODULE_SELF:
        return receiver
    if name in _MODULE_ITEMS:
        return Sequence(child_of(analysis, receiver))
    if name in _MODULE_PAIRS:
        return Sequence(sequence_of((TEXT, child_of(analysis, receiver))))
    if name in _MODULE_ITEM:
        return child_of(analysis, receiver)
    return _MODULE_PARTS.get(name)


def _container_method(
    analysis: Analysis, frame: Frame, node: ast.Call, receiver: Module, name: str, arguments: Arguments
) -> Kind:
    """`layers.append(block)` on a ModuleList or Sequential."""
    held = [Module(m.cls, None, None, m.item) for arg in arguments.args for m in _contained(arg)]
    if not held:
        return NONE
    added = join_all(held)
    for arg, expr in zip(arguments.args, node.args, strict=False):
        aliasing.stored(analysis, frame, arg, expr, "container")
    known = _unrooted(receiver.item)
    item = added if known is None else join(known, added)
    grown = Module(receiver.cls, receiver.path, receiver.origin, item)
    if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
        frame.scope.names[node.func.value.id] = grown
    target = node.func.value if isinstance(node.func, ast.Attribute) else None
    path = self_attribute(analysis, frame, target) if target is not None else None
    if path is not None and isinstance(frame.self_kind, Module) and isinstance(frame.self_kind.cls, ClassRef):
        analysis.attributes_of(frame.self_kind.cls).add(path, Module(receiver.cls, None, None, grown.item), None)
    return NONE


def _unrooted(item: Kind | None) -> Kind | None:
    """The items of a container, without their access paths; None if they are unknown."""
    held = [Module(m.cls, None, None, m.item) for m in modules_of(item)] if item is not None else []
    return join_all(held) if held else None


def _contained(kind: Kind) -> tuple[Module, ...]:
    if isinstance(kind, Sequence):
        return modules_of(kind.item)
    return modules_of(kind)


def _registering(
    analysis: Analysis, frame: Frame, node: ast.Call, cls: ClassRef, name: str, arguments: Arguments
) -> Kind | None:
    """self.add_module, self.register_buffer and their kin."""
    table = analysis.attributes_of(cls)
    if name in ("register_buffer", "register_parameter"):
        if node.args and isinstance(node.args[0], ast.Constant):
            table.add(str(node.args[0].value), PARAMETER, None)
        return NONE
    if name in ("add_module", "register_module", "append", "extend", "insert", "update", "__setitem__"):
        value = arguments.args[-1] if arguments.args else UNKNOWN
        first = node.args[0] if node.args else None
        if name in ("add_module", "register_module") and isinstance(first, ast.Constant) and len(node.args) > 1:
            attributes.bind(analysis, frame, cls, str(first.value), value, node.args[1])
        else:
            table.add_dynamic(join_all(_contained(value)) if _contained(value) else Module(None))
        return NONE
    return None


def _super_method(
    analysis: Analysis, frame: Frame, node: ast.Call, receiver: Super, name: str, arguments: Arguments
) -> Kind | None:
    """Methods that `super()` reaches outside the project: constructors of torch.nn's containers, and forward."""
    found = attributes.super_attribute(analysis, receiver, name)
    self_kind = receiver.self
    if not isinstance(found, External):
        return None
    if isinstance(self_kind, Object):
        return _registry_method(analysis, frame, node, self_kind, name, arguments)
    if name == "__init__" and isinstance(self_kind, Module) and isinstance(self_kind.cls, ClassRef):
        if analysis.is_container(self_kind.cls):
            held = [module for arg in arguments.args for module in _contained(arg)]
            if held:
                items = join_all(Module(m.cls, None, None, m.item) for m in held)
                analysis.attributes_of(self_kind.cls).add_dynamic(items)
            for arg, expr in zip(arguments.args, arguments.nodes, strict=False):
                if not isinstance(expr, ast.Starred):
                    aliasing.stored(analysis, frame, arg, expr, "container")
        return NONE
    if name in ("forward", "__call__"):
        return _super_forward(analysis, frame, node, self_kind, name, arguments)
    if isinstance(self_kind, Module) and name in ("add_module", "register_buffer", "register_parameter"):
        return _module_method(analysis, frame, node, self_kind, name, arguments)
    return OTHER


def _super_forward(
    analysis: Analysis, frame: Frame, node: ast.Call, self_kind: Kind, name: str, arguments: Arguments
) -> Kind:
    """torch's own forward, or its `__call__`, which runs the forward of self."""
    if name == "__call__" and isinstance(self_kind, Module) and isinstance(self_kind.cls, ClassRef):
        forward = attributes.class_attribute(analysis, self_kind.cls, self_kind, "forward")
        if isinstance(forward, FunctionRef):
            return analysis.call_function(frame, node, forward, arguments)
    if arguments.flows:
        frame.counts.add(CHILDREN)
    return Tensor(arguments.flows)


def function(analysis: Analysis, frame: Frame, node: ast.Call, name: str, arguments: Arguments) -> Kind | None:
    """A builtin, or one of the few library functions that hand values on; None for all others."""

    short = name.removeprefix("builtins.")
    args = arguments.args
    child_positions.note_builtin(analysis, frame, short, args)
    if short in _RESULTS:
        return _RESULTS[short]
    if short.startswith("math."):
        return NUMBER
    if short in _ORIGINAL and args:
        return join_all(
            _module_method(analysis, frame, node, module, _ORIGINAL[short], arguments) or UNKNOWN
            for module in modules_of(args[0])
        )
    if short in instances.NAMED_TUPLES and len(node.args) == 2:
        return instances.record(node.args[1])
    if short in _SAME | _COLLECTING or (short == "next" and args):
        return _collected(short, args, arguments.keywords)
    if short in ("getattr", "setattr"):
        return reflection.attribute(analysis, frame, node, short, arguments)
    if short == "typing.cast" and len(args) == 2:
        return args[1] if args[1] is not UNKNOWN else analysis.annotated(frame.index, node.args[0]) or UNKNOWN
    if short in ("functools.partial", "operator.methodcaller") and args:
        given = (tuple(args[1:]), tuple(arguments.keywords.items()))
        if short == "operator.methodcaller":
            return MethodCaller(args[0], *given)
        return Partial(args[0], *given, (node, frame.index.name, frame.function))
    if short in ("map", "functools.reduce", "filter") and len(args) >= 2:
        return tensor_operations.higher_order(analysis, frame, node, short, arguments)
    if short in ("min", "max", "sum", "abs", "pow", "divmod"):
        return tensor_operations.python_function(analysis, frame, node, short, arguments)
    return _copied(analysis, frame, node, short, args[0]) if short in _COPIES and args else None


def _collected(short: str, args: list[Kind], keywords: dict[str, Kind]) -> Kind | None:
    """Functions that put values into sequences and dicts, or hand them on."""
    if short == "next":
        return iterate(args[0])
    if short in _SAME:
        return _same(args[-1] if args else Sequence(UNKNOWN, ()), short)
    if short == "zip":
        return Sequence(sequence_of(map(iterate, args)))
    if short == "enumerate":
        return Sequence(sequence_of((INT, iterate(args[0])))) if args else None
    return _new_mapping(args, keywords)


def _copied(analysis: Analysis, frame: Frame, node: ast.Call, short: str, kind: Kind) -> Kind:
    """A copy of a module is another instance, though a shallow one holds the same weights, children and hooks."""
    if short == "qprep.runtime_modules.distinct":
        analysis.facts.sharing.pop(frame.place(node.args[0]), None)  # what is repeated there is shared no longer
        return kind
    modules = modules_of(kind)
    if short == "copy.copy" and modules and not frame.recording:
        aliasing.note(analysis, frame, node, "copy", modules)
    made = analysis.origin(frame, node)
    return join_all(Module(o.cls, None, made, o.item) if isinstance(o, Module) else o for o in options(kind))


def _same(kind: Kind, short: str) -> Kind:
    """Results of functions that return one of their arguments."""
    if isinstance(kind, Module) and kind.path is not None:
        return Sequence(iterate(kind))
    if tensor_of(kind) is not None and not isinstance(kind, Sequence) and short in ("list", "tuple"):
        return Sequence(kind)
    if isinstance(kind, Module):
        return Sequence(kind.item if kind.item is not None else Module(None))
    return kind


def _new_mapping(args: list[Kind], keywords: dict[str, Kind]) -> Kind:
    values = list(keywords.values())
    for arg in args[:1]:
        if isinstance(arg, Mapping):
            values.append(arg.value)
        elif isinstance(arg, Sequence) and isinstance(arg.item, Sequence) and arg.item.items:
            values.append(arg.item.items[-1])
    return Mapping(join_all(values))
