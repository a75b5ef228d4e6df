"""Classes that take new attributes: whether they can, under which names, and where in __init__."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from qprep.analysis.effects.attribute_names import ANY_NAME
from qprep.analysis.symbols.ast_utils import positional_parameters, walk
from qprep.analysis.symbols.definition_names import DefinitionName, plain_name
from qprep.analysis.symbols.method_forms import is_call, is_elsewhere
from qprep.analysis.values.abstract_values import ClassRef, External
from qprep.foundation.catalogue.module_attributes import NN_MODULE_ATTRIBUTES
from qprep.foundation.findings import Rejection, RejectionCode
from qprep.rewriting import generated_init, mixins, plain_objects
from qprep.rewriting.generated_init import entry_of
from qprep.rewriting.safety import attribute_lookup, child_loops, class_shape, probed_names, setattr_guards
from qprep.rewriting.safety.construction import runs_constructor
from qprep.rewriting.safety.constructor_calls import bodies_of, returns_early, run_by_base, run_by_init
from qprep.rewriting.safety.early_escape import escapes_early

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Set as AbstractSet

    from qprep.analysis.places import Unit
    from qprep.analysis.symbols.symbol_table import ClassNode, FileIndex
    from qprep.rewriting.fix_session import RewriteContext
    from qprep.rewriting.source_code import Code


RESERVED_PREFIX = "qprep_"


@dataclass(frozen=True, slots=True)
class InsertionPoint:
    """The insertion point of lines: the offset, their indentation, the text before and behind them."""

    offset: int
    indent: str
    before: str = ""
    after: str = ""
    inline: bool = False  # behind a semicolon on a line that holds more


def rejection_of(context: RewriteContext, unit: Unit) -> Rejection | None:
    """The reason why no attribute can be added to a class; None if one can."""
    ref = ClassRef(unit.module, unit.name)
    code, entry = context.code(unit.module), context.project.class_node(ref)
    if entry is None or code is None:
        return Rejection(f"its class is defined in {unit.module}, outside the paths given", RejectionCode.CLASS_SHAPE)
    if not context.analysis.is_module(ref):
        return _mixin_rejection(context, unit)
    if "__init__" not in entry.methods and is_call(entry.node):
        return Rejection(f"`{unit.name}` is made by a call of `type`, without a constructor", RejectionCode.CLASS_SHAPE)
    if varied := next((plain_name(key) for key in entry.methods if plain_name(key) != key), None):
        return Rejection(f"`{unit.name}` defines `{varied}` conditionally", RejectionCode.CLASS_SHAPE)
    return (
        _torch_around(code.index, entry, unit)
        or class_shape.unusual_class(context, entry.node, unit)
        or class_shape.unusual_family(context, unit)
        or child_loops.rejection_of(context, unit)
        or _broken_chain(context, unit)
        or _closed(context, entry, unit)
        or generated_init.rejection_of(context, unit)
    )


def _mixin_rejection(context: RewriteContext, unit: Unit) -> Rejection | None:
    """The reason why the modules that inherit from a class cannot hold its operations."""
    if plain_objects.is_plain(context, unit):
        users = plain_objects.lenders(context, unit)
        reasons = (rejection_of(context, user) for user in users)
        return plain_objects.rejection_of(context, unit) or next(filter(None, reasons), None)
    found = mixins.holders(context, unit)
    if not found:
        return Rejection(f"`{unit.name}` is not an nn.Module, so it cannot hold a module", RejectionCode.CLASS_SHAPE)
    return next((reason for holder in found if (reason := rejection_of(context, holder)) is not None), None)


def _torch_around(index: FileIndex, entry: ClassNode, unit: Unit) -> Rejection | None:
    """The reason why a class that a function defines cannot use modules that the file imports."""
    if entry.around and not any(known.target.partition(".")[0] == "torch" for known in index.imports.values()):
        return Rejection(f"torch is imported inside the function around `{unit.name}` only", RejectionCode.CLASS_SHAPE)
    return None


def _broken_chain(context: RewriteContext, unit: Unit) -> Rejection | None:
    """The constructor of the class must reach that of its base."""
    own = context.project.class_node(ClassRef(unit.module, unit.name))
    init = own.methods.get("__init__") if own is not None else None
    if init is not None and _super_call(init) is None:
        return Rejection(f"`{unit.name}.__init__` does not call the constructor of its base", RejectionCode.CLASS_SHAPE)
    return None


def _closed(context: RewriteContext, entry: ClassNode, unit: Unit) -> Rejection | None:
    """The reason why a class that refuses new attributes from some time on takes none at a known place before."""
    if not class_shape.may_close(context, unit):
        return None
    init = entry.methods.get("__init__")
    is_early = "forward" in run_by_init(context, unit) or escapes_early(context, unit)
    if init is not None and not is_early and not returns_early(init) and _first_attribute(init) is not None:
        return None
    reason = f"`{unit.name}` defines __setattr__, and sets no attribute behind which it takes others"
    return Rejection(reason, RejectionCode.CLASS_SHAPE)


def _first_attribute(init: ast.FunctionDef) -> ast.stmt | None:
    """The first `self.name = made(…)` of a constructor that runs each time."""
    owner = positional_parameters(init)[0].arg if positional_parameters(init) else ""
    for line in init.body:
        match line:
            case ast.Assign(targets=[ast.Attribute(value=ast.Name(id=read))], value=ast.Call()) if read == owner:
                return line
    return None


def method_rejection(context: RewriteContext, unit: Unit, method: str) -> Rejection | None:
    """The reason why a method of a class cannot use new attributes: some of its runs would not find them."""
    if not (unit.is_class and unit.name):
        return None
    if plain_objects.is_plain(context, unit):
        early = f"`{unit.name}.{method}` runs during the construction of its object, before the object can use modules"
        is_early = method in ("__init__", "__post_init__") and bool(plain_objects.held(context, unit))
        return Rejection(early, RejectionCode.CLASS_SHAPE) if is_early else None
    if mixins.is_mixin(context, unit):
        reasons = (method_rejection(context, holder, method) for holder in mixins.holders(context, unit))
        return next((reason for reason in reasons if reason is not None), None)
    if method in run_by_base(context, unit):
        return Rejection(
            f"`{method}` is called by the constructor of a base class, before new attributes can be created",
            RejectionCode.CLASS_SHAPE,
        )
    if method != "__init__" and class_shape.may_close(context, unit) and method in run_by_init(context, unit):
        return Rejection(
            f"the constructor calls `{method}`, and `{unit.name}` defines __setattr__", RejectionCode.CLASS_SHAPE
        )
    return _skipping(context, unit, method)


def _skipping(context: RewriteContext, unit: Unit, method: str) -> Rejection | None:
    """The subclass that runs a method, and not the constructor that makes the attributes."""
    ref = ClassRef(unit.module, unit.name)
    for child in sorted(context.project.subclasses(ref), key=repr):
        if not runs_constructor(context, child, ref) and _runs(context, child, unit, method):
            return Rejection(
                f"making `{child.name}`, a subclass of it, does not run the constructor of `{unit.name}`",
                RejectionCode.CLASS_SHAPE,
            )
    return None


def _runs(context: RewriteContext, child: ClassRef, unit: Unit, method: str) -> bool:
    """True if a subclass inherits a method, or calls it past an own one."""
    chain = context.project.mro(child)
    below = chain[: chain.index(ClassRef(unit.module, unit.name))]
    entries = [entry for base in below if (entry := entry_of(context, base)) is not None]
    if not any(method in entry.methods for entry in entries):
        return True
    named = (node for entry in entries for node in walk(entry.node) if isinstance(node, ast.Attribute))
    return any(node.attr == method and _is_base(node.value, unit) for node in named)


def _is_base(node: ast.expr, unit: Unit) -> bool:
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "super"
    return ast.unparse(node).rpartition(".")[2] == DefinitionName.parse(unit.name).key


def _super_call(init: ast.FunctionDef) -> ast.Call | None:
    """The call of the base's constructor."""
    for node in walk(init):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "__init__":
            value = node.func.value
            is_super = isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "super"
            if is_super or isinstance(value, ast.Name | ast.Attribute):
                return node
    return None


def taken_names(context: RewriteContext, unit: Unit) -> list[AbstractSet[str]]:
    """Names that mean something on self anywhere in the family of a class."""
    family = context.family(unit)
    own = [context.own_names(member) for member in family]
    bases = {base.name for member in family for base in context.project.mro(member) if isinstance(base, External)}
    inherited: set[str] = set()
    for name in bases:
        known = context.analysis.catalogue.nn_module(name.removeprefix("torch.nn."))
        inherited |= set(known.parameters) | {flag for flag, _ in known.flags} if known is not None else set()
    entries = [entry for member in family if (entry := entry_of(context, member)) is not None]
    guarded = setattr_guards.names_written_out(method for entry in entries for method in entry.methods.values())
    return [NN_MODULE_ATTRIBUTES, context.asked_names(), *own, inherited, guarded]


def set_names(context: RewriteContext, unit: Unit) -> Callable[[str], bool]:
    """A test for names that code gives an attribute, perhaps of the family of a class: `layer.pad = False`."""
    family = context.family(unit)

    @cache
    def is_set(name: str) -> bool:
        return any(effect.attribute == name for effect in context.effects.on_names(family, (name,)))

    return is_set


def taken_patterns(context: RewriteContext, unit: Unit) -> tuple[str, ...]:
    """Regular expressions for names that the family makes up at run time: `setattr(self, f"relu_{i}", …)`."""
    bodies = bodies_of(context, context.family(unit))
    own = (pattern for body in bodies for pattern in body.patterns)
    return tuple(dict.fromkeys((*own, *probed_names.probed_patterns(context))))


def asked_beginnings(context: RewriteContext, unit: Unit) -> tuple[str, ...]:
    """Beginnings of names that loops over the children of the family look for: no new name has one."""
    bodies = bodies_of(context, context.family(unit))
    return tuple(dict.fromkeys(text for body in bodies for text in body.beginnings))


def prefix(context: RewriteContext, unit: Unit) -> str:
    """A class whose attributes cannot all be known gets names that nothing else will give it.

    It has a base of another package, or some code sets attributes on it whose names are computed.
    """
    if any(effect.attribute == ANY_NAME for effect in context.effects.on_names(context.family(unit), ("*",))):
        return RESERVED_PREFIX
    if attribute_lookup.needs_reserved_names(context, unit):
        return RESERVED_PREFIX
    for base in context.project.mro(ClassRef(unit.module, unit.name)):
        if isinstance(base, External) and not base.name.startswith(("torch.nn.", "builtins.", "typing.", "abc.")):
            return RESERVED_PREFIX
    return ""


def end_of_init(context: RewriteContext, code: Code, unit: Unit, methods: frozenset[str]) -> InsertionPoint:
    """The insertion point of new attributes of a class; `methods` are those that use them."""
    entry = code.index.classes[unit.name]
    init = entry.methods.get("__init__")
    if init is None:
        return _new_init(context, code, entry.node, unit)
    last = init.body[-1]
    if class_shape.may_close(context, unit):
        last = _first_attribute(init) or last
    elif _needs_early(context, unit, init, methods):
        call = _super_call(init)
        assert call is not None
        last = _top_statement(code, init, call)
    if not code.is_alone_on_line(last):
        return InsertionPoint(code.span(last)[1], "", inline=True)
    offset = code.next_line(last.end_lineno or last.lineno)
    before = "" if not offset or code.text[offset - 1] in "\r\n" else code.newline
    return InsertionPoint(offset, code.indent_of(last), before)


def made_early(context: RewriteContext, code: Code, unit: Unit, method: str) -> bool:
    """True if the attributes that a method uses must be made before the rest of the constructor ran."""
    entry = code.index.classes.get(unit.name)
    init = entry.methods.get("__init__") if entry is not None else None
    return init is None or _needs_early(context, unit, init, frozenset((method,)))


def _top_statement(code: Code, init: ast.FunctionDef, node: ast.AST) -> ast.stmt:
    current = node
    while code.parents[current] is not init:
        current = code.parents[current]
    assert isinstance(current, ast.stmt)
    return current


def _needs_early(context: RewriteContext, unit: Unit, init: ast.FunctionDef, methods: frozenset[str]) -> bool:
    """A constructor that returns early or runs the model itself needs the attributes behind super().__init__()."""
    if returns_early(init) or not methods.isdisjoint(run_by_init(context, unit)):
        return True
    return escapes_early(context, unit)


def _new_init(context: RewriteContext, code: Code, node: ast.ClassDef, unit: Unit) -> InsertionPoint:
    """An __init__ in front of the first method or the last statement, with the signature of the one it replaces."""
    own = [item for item in node.body if not is_elsewhere(node, item)]
    first = next((item for item in own if isinstance(item, ast.FunctionDef)), own[-1])
    lineno = min([first.lineno, *(decorator.lineno for decorator in getattr(first, "decorator_list", ()))])
    indent = code.indent_of(first)
    while lineno > node.lineno + 1 and code.source.line(lineno - 1).strip().startswith("#"):
        lineno -= 1
    signature, passed = generated_init.signature(context, unit)
    returns = " -> None" if getattr(first, "returns", None) is not None else ""
    newline, inner = code.newline, indent + code.indent_unit
    head = f"{indent}def __init__({signature}){returns}:{newline}{inner}super().__init__({passed}){newline}"
    return InsertionPoint(code.source.starts[lineno - 1], inner, head, newline)
