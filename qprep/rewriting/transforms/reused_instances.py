"""Module instances: a second call site gets an instance of its own, a held function becomes a module."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.effects.class_facts import is_foreign
from qprep.analysis.effects.class_replacement import is_changed
from qprep.analysis.facts import MANY
from qprep.analysis.places import Place
from qprep.analysis.symbols.ast_utils import is_attribute_of, positional_parameters
from qprep.analysis.values.abstract_values import (
    ClassRef,
    External,
    FunctionRef,
    Module,
    Partial,
    modules_of,
    options,
    tensor_of,
)
from qprep.analysis.values.closure_values import Closure
from qprep.foundation.catalogue.call_signature import parse_constructor
from qprep.foundation.findings import Rejection, RejectionCode
from qprep.rewriting.composed_edits import Piece
from qprep.rewriting.imports import RUNTIME
from qprep.rewriting.receiver_expression import Reached, reached
from qprep.rewriting.rewrite_result import Declaration
from qprep.rewriting.safety import observability as sharing_reasons
from qprep.rewriting.safety.exclusive_branches import is_exclusive
from qprep.rewriting.safety.mutation import made_at_end
from qprep.rewriting.transforms.module_targets import is_literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qprep.analysis.facts import HeldFunction, ModuleCall
    from qprep.analysis.interpreter.attribute_table import Creation
    from qprep.analysis.places import Unit
    from qprep.rewriting.fix_scope import Scope
    from qprep.rewriting.fix_session import RewriteContext

Pieces = tuple[Piece, ...]
MODULE = External("torch.nn.Module")
_DICT = External("torch.nn.ModuleDict")
_LISTS = (External("torch.nn.ModuleList"), External("torch.nn.Sequential"), _DICT)


def separate_call(scope: Scope, call: ModuleCall) -> Pieces | Rejection:
    """A call of a module that ran before, or that runs many times, gets an instance of its own."""
    if isinstance(scope.node, ast.Attribute):
        return _renew_within(scope, call, scope.node.value)
    func = scope.call().func
    if call.path.is_method_result and isinstance(func, ast.Attribute):
        return _renew_within(scope, call, func.value)
    return _separate(scope, call, reached(scope, call))


def _separate(scope: Scope, call: ModuleCall, found: Reached | None, *, of_method: bool = False) -> Pieces | Rejection:
    """A second instance of what was reached; `of_method`: for a place that calls a method of it."""
    if found is None:
        return Rejection("the module is not an attribute of self", RejectionCode.CLASS_SHAPE)
    creations = creations_of(scope.context, scope.unit, found.attribute)
    if isinstance(creations, Rejection):
        return creations
    if (rejection := sharing_reasons.memory(scope.context, call.classes_inside)) is not None:
        return rejection
    if call.has_state and not scope.target.is_own:
        return Rejection(
            f"it has, or may have, parameters, and {scope.target.name} would convert them once", RejectionCode.NO_MODULE
        )
    at_end = made_at_end(scope, call, found, creations)
    if isinstance(at_end, Rejection):
        return at_end
    many = call.count >= MANY or found.is_many
    if many and found.is_loop and not _is_list(scope, creations):
        return Rejection(
            f"`{found.attribute}` is not a list of modules that this file creates", RejectionCode.CONSTRUCTION
        )
    name = scope.names.fresh(found.name, scope.hint())
    for creation in creations:
        made = _copy(scope, creation, found, creations if not at_end and not of_method else [], many=many)
        if of_method:
            made = made.removesuffix(")") + ", whole=True)"
        scope.declarations.append(Declaration(creation.unit, name, made, None if at_end else creation.place))
    start, end = scope.code.span(found.node)
    return (Piece(start, end, f"{scope.owner}.{name}"),)


def _is_list(scope: Scope, creations: list[Creation]) -> bool:
    """True if an attribute holds a list or dict of modules, made in the file at hand."""
    if any(creation.place.module != scope.index.name for creation in creations):
        return False
    kinds = [option for creation in creations for option in options(creation.kind)]
    return all(isinstance(kind, Module) and kind.cls in _LISTS for kind in kinds)


def _is_dict(creation: Creation) -> bool:
    """True if the items of a container have keys."""
    return any(isinstance(kind, Module) and kind.cls == _DICT for kind in options(creation.kind))


def _renew_within(scope: Scope, call: ModuleCall, holder: ast.expr) -> Pieces | Rejection:
    """A method or property of another module runs again: what it calls gets an instance for each call within self."""
    if not is_attribute_of(holder, scope.owner):
        return Rejection("the module is not an attribute of self", RejectionCode.CLASS_SHAPE)
    if not all(_has_only_operations(scope.context, name) for name in call.classes):
        if call.count < MANY and isinstance(scope.node, ast.Call):
            return _separate(scope, call, Reached(holder, holder.attr), of_method=True)
        return Rejection(
            "a method or property of another module runs it again and again, and that module has, or may have, "
            "parameters, or reads its children: give each place an instance in __init__, and call its method",
            RejectionCode.CLASS_SHAPE,
        )
    creations = creations_of(scope.context, scope.unit, holder.attr)
    if isinstance(creations, Rejection):
        return creations
    for creation in creations:
        owner = owner_name(scope.context, creation)
        made = scope.runtime("PerCall", scope.context.project.index(creation.place.module))
        text = f"{made}.within({owner}.{holder.attr}, owner={owner})"
        scope.declarations.append(Declaration(creation.unit, "", text, creation.place))
    return ()


def _has_only_operations(context: RewriteContext, name: str) -> bool:
    """True if a class of the project has no parameters, no child that may have some, and only calls its children."""
    classes = context.project.classes_named(name)
    return bool(classes) and all(_only_calls(context, cls) for cls in classes)


def _only_calls(context: RewriteContext, cls: ClassRef) -> bool:
    if any(isinstance(base, External) and base != MODULE for base in context.project.mro(cls)):
        return False
    table = context.analysis.attributes_of(cls)
    kinds = [entry.kind for entry in table.names.values()]
    if table.dynamic is not None or any(tensor_of(kind) is not None for kind in kinds):
        return False
    children = {name for name, entry in table.names.items() if modules_of(entry.kind)}
    bodies = [context.project.class_node(base) for base in context.project.mro(cls) if isinstance(base, ClassRef)]
    if any(_reads_through(entry.node, children) for entry in bodies if entry is not None):
        return False
    return all(
        isinstance(module.cls, External) and _is_operation(context, module.cls.name)
        for kind in kinds
        for module in modules_of(kind)
    )


def _reads_through(node: ast.ClassDef, children: set[str]) -> bool:
    """True if a class reads an attribute of a child: `self.pool.kernel_size`."""
    attributes = (part.value for part in ast.walk(node) if isinstance(part, ast.Attribute))
    return any(isinstance(value, ast.Attribute) and value.attr in children for value in attributes)


def _is_operation(context: RewriteContext, name: str) -> bool:
    return name.startswith(f"{RUNTIME}.") or sharing_reasons.is_stateless_layer(context, name)


def creations_of(context: RewriteContext, unit: Unit, attribute: str) -> list[Creation] | Rejection:
    """Every place in the family of a class that makes an attribute, if all of them can take a line behind them."""
    found: dict[Place, Creation] = {}
    for member in context.family(unit):
        entry = context.analysis.attributes_of(member).names.get(attribute)
        found.update(entry.creations if entry is not None else {})
    if not found:
        return Rejection(f"the place that creates `{attribute}` is unknown", RejectionCode.RUN_ONLY)
    for creation in found.values():
        code = context.code(creation.place.module)
        node = code.node(creation.place) if code is not None else None
        if code is None or node is None:
            return Rejection(
                f"`{attribute}` is made in {creation.place.module}, outside the paths given", RejectionCode.OUTSIDE
            )
        statement = code.statement(node)
        is_simple = isinstance(statement, ast.Assign | ast.AnnAssign | ast.Expr)
        if not creation.unit.is_class or not (is_simple or code.is_alone_on_line(statement)):
            return Rejection(f"`{attribute}` is created on a line with other code", RejectionCode.LAYOUT)
    return list(found.values())


def _constructor_text(scope: Scope, creations: list[Creation]) -> str | None:
    """`nn.ReLU(inplace=True)` where every creation is that very text and it holds no state; else None."""
    texts = set()
    for creation in creations:
        code = scope.context.code(creation.place.module)
        node = code.node(creation.place) if code is not None else None
        if code is None or not isinstance(node, ast.Call) or not is_stateless(scope.context, code.module, node):
            return None
        texts.add(ast.unparse(node))
    return texts.pop() if len(texts) == 1 else None


def is_stateless(context: RewriteContext, module: str, node: ast.Call) -> bool:
    """True if a call makes a module of torch.nn without parameters and buffers, from literals alone."""
    index = context.project.index(module)
    dotted = context.project.expression_name(index, node.func) if index is not None else None
    if dotted is None or not dotted.startswith("torch.nn."):
        return False
    known = context.analysis.catalogue.nn_module(dotted.removeprefix("torch.nn."))
    if known is None or known.may_have_state or known.is_container or known.is_compound:
        return False
    return all(is_literal(arg) for arg in node.args) and all(k.arg and is_literal(k.value) for k in node.keywords)


def _reading(holder: str, found: Reached) -> str:
    """The text for the value of an attribute; None if it may be missing in a call that not every run reaches."""
    if not found.may_miss:
        return f"{holder}{found.under}"
    for name in found.under.removeprefix(".").split("."):
        holder = f'getattr({holder}, "{name}", None)'
    return holder


def _copy(scope: Scope, creation: Creation, found: Reached, alike: list[Creation], *, many: bool) -> str:
    """The expression that makes the new instance; its constructor again where all of `alike` are one simple text."""
    owner = owner_name(scope.context, creation)
    index = scope.context.project.index(creation.place.module)
    text = _constructor_text(scope, alike) if alike and not found.under and not found.is_loop else None
    if many and found.is_loop:
        each = f"{scope.runtime('PerCall', index)}.wrap({scope.runtime('another', index)}(each), owner={owner})"
        if _is_dict(creation):
            pairs = f"{{key: {each} for key, each in {owner}.{found.attribute}.items()}}"
            return f"{scope.nn('ModuleDict')}({pairs})"
        return f"{scope.nn('ModuleList')}({each} for each in {owner}.{found.attribute})"
    held = _reading(f"{owner}.{found.attribute}", found)
    plain = ", plain=True" if not found.under and _may_be_foreign(scope.context, creation.unit, found) else ""
    copied = text if text is not None else f"{scope.runtime('another', index)}({held}{plain})"
    wrap = "" if text is not None else ".wrap"
    return f"{scope.runtime('PerCall', index)}{wrap}({copied}, owner={owner})" if many else copied


def _may_be_foreign(context: RewriteContext, unit: Unit, found: Reached) -> bool:
    """True if an attribute may hold a module of another package, whose class is unknown before the code runs."""
    tables = [context.analysis.attributes_of(member).names for member in context.family(unit)]
    kinds = [table[found.attribute].kind for table in tables if found.attribute in table]
    names = {context.analysis.class_name(module) for kind in kinds for module in modules_of(kind)}
    return any(is_foreign(name) and not context.project.classes_named(name) for name in names)


def owner_name(context: RewriteContext, creation: Creation) -> str:
    """The name of the owner in the function that makes an attribute."""
    code = context.code(creation.place.module)
    node = code.node(creation.place) if code is not None else None
    function = code.function(node) if code is not None and node is not None else None
    return (
        positional_parameters(function)[0].arg if function is not None and positional_parameters(function) else "self"
    )


def hold_module(scope: Scope, held: HeldFunction) -> Pieces | Rejection:
    """`self.act = F.gelu` → `self.act = nn.GELU()`; other functions are held by a module that calls them."""
    if (rejection := _as_item(scope.context, scope.unit)) is not None:
        return rejection
    if (rejection := _used_as_value(scope.context, scope.unit, held.attribute)) is not None:
        return rejection
    if _may_be_ones_own(scope.context, scope.unit, held):
        return Rejection(
            f"`{held.attribute}` may be a custom function, whose operations would stay in it", RejectionCode.MUTATION
        )
    if (place := _other_value(scope, held)) is not None:
        where = f"{place.module}, line {place.line}"
        return Rejection(f"`{held.attribute}` may get a value that is not a module: {where}", RejectionCode.MUTATION)
    start, end = scope.code.span(scope.node)  # type: ignore[arg-type]
    row = scope.context.analysis.catalogue.function(held.name)
    if row is not None and row[0].nn is not None and isinstance(scope.node, ast.Name | ast.Attribute):
        constructor = parse_constructor(row[0].nn)
        known = scope.context.analysis.catalogue.nn_module(constructor.name)
        simple = known is not None and known.required == 0 and not row[0].drop
        simple = simple and not is_changed(scope.context.writes, constructor.name)
        if (
            simple
            and _names(scope, scope.node, held.name)
            and _called_with_one(scope.context, scope.unit, held.attribute)
        ):
            return (Piece(start, end, f"{scope.nn(constructor.name)}()"),)
    return (Piece(start, end, f"{scope.runtime('Function')}.wrap({scope.code.text[start:end]})"),)


def _as_item(context: RewriteContext, unit: Unit) -> Rejection | None:
    """A rejection where the module would become an item of its holder: `len(self)` and `for m in self` count it."""
    container = next((member for member in context.family(unit) if context.analysis.is_container(member)), None)
    if container is None:
        return None
    reason = f"`{container.name}` is a container: the module would become one of its items"
    return Rejection(reason, RejectionCode.CLASS_SHAPE)


def _other_value(scope: Scope, held: HeldFunction) -> Place | None:
    """The place at which a method gives the attribute a value that may not be a module, or may become one.

    torch.nn.Module accepts no function under the name of a child. A branch of __init__ that never runs together
    with the place that becomes a module meets no child.
    """
    context, attribute = scope.context, held.attribute
    for member in context.family(scope.unit):
        entry = context.project.class_node(member)
        table = context.analysis.attributes_of(member).names
        known = table[attribute].creations if attribute in table else {}
        for method in (*entry.methods.values(), *entry.setters.values()) if entry is not None else ():
            for target, value in _given_values(method, attribute):
                if isinstance(value, ast.Constant) and value.value is None:
                    continue
                if method.name == "__init__" and is_exclusive(method, value or target, scope.node):
                    continue
                place = Place.of(member.module, value or target)
                if value is None or not _is_or_becomes_module(context, place, known.get(place)):
                    return place
    return None


def _is_or_becomes_module(context: RewriteContext, place: Place, creation: Creation | None) -> bool:
    """True if what is stored at a place is a module, or a function that the same rewrite turns into one."""
    if creation is None or _may_be_own(creation):
        return False
    return place in context.facts.held or all(isinstance(option, Module) for option in options(creation.kind))


def _given_values(method: ast.FunctionDef, attribute: str) -> Iterator[tuple[ast.expr, ast.expr | None]]:
    """The targets `self.attribute` in a method, each with its new value if an expression gives it."""
    arguments = positional_parameters(method)
    owner = arguments[0].arg if arguments else None
    known: dict[ast.expr, ast.expr] = {}
    for node in ast.walk(method):
        if isinstance(node, ast.Assign):
            known |= dict(pair for target in node.targets for pair in _pairs(target, node.value))
        elif isinstance(node, ast.AnnAssign):
            if node.value is None:
                known[node.target] = ast.Constant(None)  # no assignment at all
            else:
                known[node.target] = node.value
    for node in ast.walk(method):
        is_set = isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
        if is_set and is_attribute_of(node, owner) and node.attr == attribute:
            yield node, known.get(node)


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    """`a` and `x`, `b` and `y` of `a, b = x, y`."""
    if not isinstance(target, ast.Tuple | ast.List):
        yield target, value
    elif isinstance(value, ast.Tuple | ast.List) and len(target.elts) == len(value.elts):
        parts = (*target.elts, *value.elts)
        if not any(isinstance(part, ast.Starred) for part in parts):
            yield from (pair for one, other in zip(target.elts, value.elts, strict=True) for pair in _pairs(one, other))


def _may_be_ones_own(context: RewriteContext, unit: Unit, held: HeldFunction) -> bool:
    """True if what is held may be a function of the project, a lambda, or a partial of one."""
    entry = context.analysis.attributes_of(ClassRef(unit.module, unit.name)).names.get(held.attribute)
    creation = entry.creations.get(held.place) if entry is not None else None
    return creation is not None and _may_be_own(creation)


def _may_be_own(creation: Creation) -> bool:
    found = list(options(creation.kind))
    bound = [inner for option in found if isinstance(option, Partial) for inner in options(option.function)]
    return any(isinstance(kind, FunctionRef | Closure) for kind in (*found, *bound))


def _names(scope: Scope, node: ast.expr, function: str) -> bool:
    """True if an expression is that function wherever it stands: a parameter is another one for each instance."""
    dotted = scope.context.project.expression_name(scope.index, node)
    return dotted is not None and scope.context.project.resolve(dotted) == External(function)


def _called_with_one(context: RewriteContext, unit: Unit, attribute: str) -> bool:
    """True if every call of an attribute in the family gives it one tensor and nothing else."""
    for member in context.family(unit):
        entry = context.project.class_node(member)
        for node in ast.walk(entry.node) if entry is not None else ():
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == attribute:
                if len(node.args) != 1 or node.keywords or isinstance(node.args[0], ast.Starred):
                    return False
    return True


def _passed(node: ast.Call) -> list[ast.expr]:
    """The arguments of a call that may be functions. The second argument of `getattr(F, cfg.act)` is a name."""
    is_lookup = isinstance(node.func, ast.Name) and node.func.id in ("getattr", "hasattr") and len(node.args) > 1
    return [arg for position, arg in enumerate(node.args) if position != 1 or not is_lookup]


def _used_as_value(context: RewriteContext, unit: Unit, attribute: str) -> Rejection | None:
    """A rejection where code compares the function or passes it on: it would see a module instead."""
    for member in context.family(unit):
        entry = context.project.class_node(member)
        for node in ast.walk(entry.node) if entry is not None else ():
            if isinstance(node, ast.Compare | ast.Call):
                parts = [node.left, *node.comparators] if isinstance(node, ast.Compare) else _passed(node)
                if any(isinstance(part, ast.Attribute) and part.attr == attribute for part in parts):
                    reason = f"`{attribute}` is used as a value in `{member.name}`"
                    return Rejection(reason, RejectionCode.CONSTRUCTION)
    return None
