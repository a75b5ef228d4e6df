"""Python's own functions and methods, and nn.Module's: what they return, and what they do to lists and modules."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.effects import aliasing, child_positions
from qprep.analysis.interpreter import instances, reflection, tensor_operations
from qprep.analysis.interpreter.container_methods import mapping_method, registry_method, sequence_method
from qprep.analysis.interpreter.items import iterate
from qprep.analysis.interpreter.module_methods import module_method, super_method
from qprep.analysis.values.abstract_values import (
    INT,
    NUMBER,
    OTHER,
    SHAPE,
    TEXT,
    UNKNOWN,
    Kind,
    Mapping,
    MethodCaller,
    Module,
    Object,
    Partial,
    Plain,
    Sequence,
    Super,
    Word,
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
_ORIGINAL = {f"qprep.runtime_modules.original_{name}": name for name in ("children", "named_children")}


def method(
    analysis: Analysis, frame: Frame, node: ast.Call, receiver: Kind, name: str, arguments: Arguments
) -> Kind | None:
    """A method of a list, dict, text, shape or module; None if it is not one of these."""
    if isinstance(receiver, Sequence):
        return sequence_method(analysis, frame, node, receiver, name, arguments)
    if isinstance(receiver, Mapping):
        return mapping_method(analysis, frame, node, receiver, name, arguments)
    if isinstance(receiver, Plain):
        return INT if receiver == SHAPE and name in ("numel", "count", "index") else TEXT if receiver == TEXT else OTHER
    if isinstance(receiver, Word):
        return TEXT
    if isinstance(receiver, Module):
        return module_method(analysis, frame, node, receiver, name, arguments)
    if isinstance(receiver, Super):
        return super_method(analysis, frame, node, receiver, name, arguments)
    if isinstance(receiver, Object) and not analysis.defines(receiver.cls, name):
        return registry_method(analysis, frame, node, receiver, name, arguments)
    return None


def function(analysis: Analysis, frame: Frame, node: ast.Call, name: str, arguments: Arguments) -> Kind | None:
    """A builtin, or one of the few library functions that hand values on; None for all others."""

    short = name.removeprefix("builtins.")
    args = arguments.args
    child_positions.note_builtin(analysis, frame, short, args)
    if short in _RESULTS:
        return _RESULTS[short]
    if short.startswith("math.") and short != "math.prod":
        return NUMBER
    if short in _ORIGINAL and args:
        return join_all(
            module_method(analysis, frame, node, module, _ORIGINAL[short], arguments) or UNKNOWN
            for module in modules_of(args[0])
        )
    if short in instances.NAMED_TUPLES and len(node.args) == 2:
        return instances.record(node.args[1])
    if short in _SAME | _COLLECTING or (short == "next" and args):
        return _collected(short, args, arguments.keywords)
    if short in ("getattr", "setattr", "type"):
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
    if short in ("min", "max", "sum", "abs", "pow", "divmod", "math.prod"):
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
