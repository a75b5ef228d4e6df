"""Kinds of parameters: from annotations, defaults, and how the body uses them."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.symbols.ast_utils import is_attribute_of, walk
from qprep.analysis.values.abstract_values import (
    ACTIVATION,
    FLOWING_INTEGER,
    INT,
    NONE,
    NUMBER,
    OPEN,
    OTHER,
    PART,
    REAL,
    SHAPE,
    TEXT,
    UNKNOWN,
    ClassRef,
    External,
    Kind,
    Mapping,
    Module,
    Number,
    Object,
    Opaque,
    Sequence,
    Word,
    join,
    join_all,
    options,
    sequence_of,
    tensor_of,
)
from qprep.foundation.catalogue.op import OpClass

if TYPE_CHECKING:
    from qprep.analysis.interpreter.arguments import Callee
    from qprep.analysis.interpreter.protocol import Analysis
    from qprep.analysis.symbols.symbol_table import FileIndex

_SIMPLE: dict[str, Kind] = {
    "builtins.int": INT,
    "builtins.float": REAL,
    "builtins.bool": INT,
    "builtins.complex": REAL,
    "builtins.str": TEXT,
    "builtins.None": NONE,
    "torch.Tensor": ACTIVATION,
    "torch.FloatTensor": ACTIVATION,
    "torch.LongTensor": FLOWING_INTEGER,
    "torch.IntTensor": FLOWING_INTEGER,
    "torch.BoolTensor": FLOWING_INTEGER,
    "torch.autograd.Variable": ACTIVATION,
    "torch.Size": SHAPE,
    "torch.dtype": OTHER,
    "torch.device": OTHER,
}
_SEQUENCES = frozenset(
    [
        "List",
        "Tuple",
        "Sequence",
        "Iterable",
        "Iterator",
        "Generator",
        "Set",
        "FrozenSet",
        "Deque",
        "list",
        "tuple",
        "set",
    ]
)
_MAPPINGS = frozenset(["Dict", "Mapping", "MutableMapping", "OrderedDict", "dict", "defaultdict", "DefaultDict"])
_UNIONS = frozenset(("Optional", "Union", "Annotated", "Final", "ClassVar", "Required"))
# Methods and functions whose positional arguments are sizes or dims: what is passed there is a number.
_SIZE_METHODS = frozenset(
    ["view", "reshape", "expand", "repeat", "permute", "transpose", "unflatten", "new_zeros", "new_ones", "new_empty"]
)
MOVES = frozenset(("to", "cuda", "cpu", "clone", "detach", "type"))  # objects that hold tensors have these, too
PYTHON_TYPES = (list, tuple, dict, set, str, bytes, int, float, range)
_SIZE_FUNCTIONS = frozenset(
    ["range", "int", "float", "zeros", "ones", "empty", "arange", "rand", "randn", "eye", "full"]
)


def annotated(analysis: Analysis, index: FileIndex, node: ast.expr) -> Kind | None:
    """The kind that an annotation promises; None if it is unknown."""
    if isinstance(node, ast.Constant):
        if node.value is None:
            return NONE
        return _quoted(analysis, index, node.value) if isinstance(node.value, str) else None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _union(analysis, index, [node.left, node.right])
    if isinstance(node, ast.Subscript):
        return _generic(analysis, index, node)
    if not isinstance(node, ast.Name | ast.Attribute):
        return None
    dotted = analysis.project.expression_name(index, node)
    return _named(analysis, dotted) if dotted else None


def _named(analysis: Analysis, dotted: str) -> Kind | None:
    resolved = analysis.project.resolve(dotted)
    classes = [option for option in options(resolved) if isinstance(option, ClassRef)]
    if classes:
        return join_all(Module(cls) if analysis.is_module(cls) else Object(cls) for cls in classes)
    name = resolved.name if isinstance(resolved, External) else ""
    if name in _SIMPLE:
        return _SIMPLE[name]
    short = name.rpartition(".")[2]
    if name == "torch.nn.Module":
        return Module(None)
    if name.startswith("torch.nn.") and short[:1].isupper():
        return Module(External(name))
    if short in _SEQUENCES:
        return Sequence(UNKNOWN)
    return Mapping(UNKNOWN) if short in _MAPPINGS else None


def _quoted(analysis: Analysis, index: FileIndex, text: str) -> Kind | None:
    try:
        return annotated(analysis, index, ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ValueError):
        return None


def _union(analysis: Analysis, index: FileIndex, nodes: list[ast.expr]) -> Kind | None:
    kinds = [annotated(analysis, index, node) for node in nodes]
    known = [kind for kind in kinds if kind is not None]
    if len(known) < len(kinds) and all(kind == NONE for kind in known):
        return None
    return join_all(known) if known else None


def _generic(analysis: Analysis, index: FileIndex, node: ast.Subscript) -> Kind | None:
    dotted = analysis.project.expression_name(index, node.value) or ""
    short = dotted.rpartition(".")[2]
    inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if short in _UNIONS:
        parts = inner if short != "Annotated" else inner[:1]
        kind = _union(analysis, index, parts)
        return join(kind, NONE) if kind is not None and short == "Optional" else kind
    kinds = [annotated(analysis, index, part) or UNKNOWN for part in inner]
    if short in _SEQUENCES:
        if all(isinstance(kind, Number) for kind in kinds):
            return SHAPE
        exact = short in ("Tuple", "tuple") and not any(_is_ellipsis(part) for part in inner)
        return sequence_of(kinds) if exact else Sequence(kinds[0])
    if short in _MAPPINGS:
        return Mapping(kinds[-1])
    if any(tensor_of(kind) is not None for kind in kinds):  # jaxtyping: Float[Tensor, "b c"]
        return FLOWING_INTEGER if short in ("Int", "Bool", "Integer", "UInt") else ACTIVATION
    return None


def _is_ellipsis(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is ...


def all_parameters(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> list[tuple[ast.arg, ast.expr | None]]:
    """Positional and keyword-only parameters with their defaults, in order."""
    positional = [*node.args.posonlyargs, *node.args.args]
    padding: list[ast.expr | None] = [None] * (len(positional) - len(node.args.defaults))
    pairs = list(zip(positional, [*padding, *node.args.defaults], strict=True))
    return [*pairs, *zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)]


def forward_kind(
    analysis: Analysis,
    callee: Callee,
    node: ast.FunctionDef | ast.Lambda,
    arg: ast.arg,
    default: ast.expr | None,
) -> Kind:
    """A parameter of a forward that nobody in the project calls: a tensor, unless something says otherwise.

    One that may be left out may as well be a number or a flag: what it is used for decides.
    """
    index = callee.index
    kind = annotated(analysis, index, arg.annotation) if arg.annotation is not None else None
    if kind is not None and kind not in (OTHER, NONE):
        return join_all(Object(o.cls, True) if isinstance(o, Object) else o for o in options(kind))
    fallback = analysis.default_kind(index, default)
    if fallback is not None and fallback not in (NONE, UNKNOWN):
        return join(TEXT, fallback) if isinstance(fallback, Word) else fallback
    if arg.arg in numeric_parameters(node):
        return NUMBER
    may_be_setting = fallback == NONE or callee.is_beside
    found = PART if may_be_setting and arg.arg not in _used_as_tensors(analysis, callee, node) else OPEN
    return join(found, NONE) if fallback == NONE else found


def _used_as_tensors(analysis: Analysis, callee: Callee, node: ast.FunctionDef | ast.Lambda) -> frozenset[str]:
    """Parameters that the body passes to a layer or function of torch first, or uses as only tensors can be."""
    names = {arg.arg for arg, _ in all_parameters(node)}
    found: set[str] = set()
    for part in walk(node):
        if isinstance(part, ast.Call) and part.args and isinstance(part.args[0], ast.Name):
            if _takes_tensor(analysis, callee, part.func):
                found.add(part.args[0].id)
        elif isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and _is_of_tensors(analysis, part):
            found.add(part.value.id)
    return frozenset(found & names)


def _takes_tensor(analysis: Analysis, callee: Callee, func: ast.expr) -> bool:
    """True if what is called is a child of self, or an operation of torch."""
    if is_attribute_of(func, "self"):
        cls = callee.cls
        return cls is not None and analysis.has_child(cls, func.attr)
    row = analysis.catalogue.function(analysis.project.expression_name(callee.index, func) or "?")
    return row is not None and row[0].cls is OpClass.COMPUTE


def _is_of_tensors(analysis: Analysis, node: ast.Attribute) -> bool:
    """True if only a tensor has an attribute: not a list, a text or a number, and no object that moves with it."""
    if node.attr == "shape":
        return True
    row = analysis.catalogue.method(node.attr)
    if row is None or row[1].is_inplace or node.attr in MOVES:
        return False
    return not any(hasattr(cls, node.attr) for cls in PYTHON_TYPES)


def constructor_kind(
    analysis: Analysis, index: FileIndex, arg: ast.arg, default: ast.expr | None, cls: ClassRef | None
) -> Kind:
    """A parameter of a constructor: what its annotation or default says, else one opaque value."""
    kind = annotated(analysis, index, arg.annotation) if arg.annotation is not None else None
    fallback = analysis.default_kind(index, default)
    if isinstance(fallback, Word):
        return join(kind or TEXT, fallback)
    if kind is not None and not any(isinstance(option, Module) for option in options(kind)):
        return join(Opaque(arg.arg, cls), kind) if _is_strategy(analysis, kind) else kind
    if fallback is None or fallback in (NONE, UNKNOWN):
        return Opaque(arg.arg, cls)
    if isinstance(fallback, External | ClassRef):
        return join(Opaque(arg.arg, cls), fallback)
    return fallback


def _is_strategy(analysis: Analysis, kind: Kind) -> bool:
    """True if an annotation names a class of objects that are called: others may come in its place."""
    objects = (option for option in options(kind) if isinstance(option, Object))
    bases = (base for found in objects for base in analysis.project.mro(found.cls) if isinstance(base, ClassRef))
    return any("__call__" in (analysis.project.methods(base) or ()) for base in bases)


def numeric_parameters(node: ast.FunctionDef | ast.Lambda) -> frozenset[str]:
    """Parameters that the body uses as sizes: in view, reshape and range, as bounds of slices, or as `int(n)`."""
    names = {arg.arg for arg, _ in all_parameters(node)}
    found: set[str] = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Call):
            callee = part.func
            is_size = (isinstance(callee, ast.Attribute) and callee.attr in _SIZE_METHODS | _SIZE_FUNCTIONS) or (
                isinstance(callee, ast.Name) and callee.id in _SIZE_FUNCTIONS
            )
            if is_size:
                found.update(name.id for arg in part.args for name in _direct_names(arg))
        elif isinstance(part, ast.Slice):
            for bound in (part.lower, part.upper, part.step):
                if bound is not None:
                    found.update(name.id for name in _direct_names(bound))
    return frozenset(found & names)


def _direct_names(node: ast.expr) -> list[ast.Name]:
    """Names that an arithmetic expression is made of: `H`, `H * W`, `-n`."""
    if isinstance(node, ast.Name):
        return [node]
    if isinstance(node, ast.BinOp):
        return [*_direct_names(node.left), *_direct_names(node.right)]
    if isinstance(node, ast.UnaryOp):
        return _direct_names(node.operand)
    if isinstance(node, ast.Tuple | ast.List):
        return [name for element in node.elts for name in _direct_names(element)]
    return []
