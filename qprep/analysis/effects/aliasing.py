"""Module instances that stand in several places: put there twice, or made once for whoever takes them."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.facts import Sharing
from qprep.analysis.interpreter.self_attributes import self_attribute
from qprep.analysis.places import Unit
from qprep.analysis.symbols.ast_utils import positional_parameters
from qprep.analysis.symbols.own_uses import OwnUses, find_own_uses
from qprep.analysis.symbols.parameter_names import PARAMETER_NAMES
from qprep.analysis.values.abstract_values import (
    UNKNOWN,
    ClassRef,
    FunctionRef,
    Kind,
    Mapping,
    Module,
    Opaque,
    Sequence,
    join_all,
    modules_of,
    options,
)
from qprep.analysis.values.allocation_sites import AllocationSite, CodePosition
from qprep.analysis.values.path_events import ModuleStored

FILE = "<file>"  # in place of a function's name, where the lines of a file make a model

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qprep.analysis.interpreter.environment import Frame
    from qprep.analysis.interpreter.protocol import Analysis
    from qprep.analysis.values.allocation_sites import Origin


def origin_of(frame: Frame, node: ast.expr) -> AllocationSite | None:
    """The place where exactly one instance is made; None in a loop, which makes many."""
    if frame.loops:
        return None
    return AllocationSite((CodePosition.of(frame.index.name, node),), is_common=not frame.function)


def place_of(module: Module) -> Origin | None:
    """The origin of an instance, common or not."""
    return module.origin.not_common if isinstance(module.origin, AllocationSite) else module.origin


def item_of_common(holder: Module, item: Kind, index: str) -> Kind:
    """An item of a container of modules: as common as that."""
    if not holder.is_common or not isinstance(holder.origin, AllocationSite):
        return item
    made = holder.origin.item(index)
    return join_all(Module(o.cls, None, made, o.item) if isinstance(o, Module) else o for o in options(item))


def stored(
    analysis: Analysis, frame: Frame, value: Kind, node: ast.expr, how: str, new: Iterable[Kind] | None = None
) -> None:
    """A module instance is put somewhere: a second place on the same path shares it, any place one that is common.

    `new`: the alternatives of the value to which that happens, where it is not all of them.
    """
    if frame.recording or not frame.function:
        return
    if frame.function != FILE and _is_for_all(analysis, frame, value, node):
        note(analysis, frame, node, "common", modules_of(value))
    if new is None:
        new = (value,) if isinstance(value, Module) else _on_branches(analysis, frame, value, node)
    for option in new:
        if isinstance(option, Module) and analysis.is_shareable(option):
            _put(analysis, frame, option, node, how, value)


def unpacked(analysis: Analysis, frame: Frame, holder: Kind, node: ast.expr) -> None:
    """Put all that a call unpacks by `*` or `**` into what the call makes.

    Over-approximates: the constructor counts as one that keeps each item, since no name tells which parameter gets it.
    """
    for option in options(holder):
        if isinstance(option, Mapping):
            items: Iterable[Kind] = (option.value,)
        elif isinstance(option, Sequence):
            items = option.items if option.items is not None else (option.item,)
        else:
            continue
        modules = dict.fromkeys(module for item in items for module in modules_of(item))
        for module in modules:
            stored(analysis, frame, module, node, "unpacked")


def _on_branches(analysis: Analysis, frame: Frame, value: Kind, node: ast.expr) -> list[Kind]:
    """The instances that a name refers to which branches bind to one or the other; no mixture of what a list holds."""
    modules = [module for module in modules_of(value) if module.cls is not None]
    function = (
        analysis.project.function_node(FunctionRef(frame.index.name, frame.function))
        if isinstance(node, ast.Name) and modules
        else None
    )
    if function is None:
        return []
    bound = [
        part
        for statement in ast.walk(function)
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == ast.unparse(node)
        for part in (statement.value, *ast.iter_child_nodes(statement.value))
        if isinstance(part, ast.Call) and (part is statement.value or isinstance(statement.value, ast.IfExp))
    ]
    made = {CodePosition.of(frame.index.name, part) for part in bound}
    return [m for m in modules if isinstance(m.origin, AllocationSite) and m.origin.position in made]


def _put(analysis: Analysis, frame: Frame, value: Module, node: ast.expr, how: str, among: Kind) -> None:
    """One of the instances that an expression may refer to is put somewhere."""
    renamed = value.path if self_attribute(analysis, frame, node) is not None else None
    if (origin := place_of(value) or renamed) is None:
        return
    # Putting into a list what is unpacked from it is one place; unpacking it again is another.
    event = ModuleStored(origin, None, how == "unpacked")
    here = event._replace(place=frame.place(node))
    if frame.counts.get(here):
        return  # one place, seen once for each alternative
    frame.counts.add(here)
    if frame.counts.get(event) or frame.loops or origin == renamed:
        # A second instance would be made of whatever the expression refers to.
        note(analysis, frame, node, how, [o if isinstance(o, Module) else Module(None) for o in _held(among)])
    frame.counts.add(event)


def _held(kind: Kind) -> list[Kind]:
    """The alternatives that may be modules."""
    unknown = [option for option in options(kind) if option == UNKNOWN or isinstance(option, Opaque)]
    return [*modules_of(kind), *unknown]


def _is_for_all(analysis: Analysis, frame: Frame, value: Kind, node: ast.expr) -> bool:
    """True if a value may be a module that all share; one with parameters, where that is the default of a parameter."""
    common = [module for module in modules_of(value) if module.is_common and analysis.is_shareable(module)]
    is_default = isinstance(node, ast.Name) and frame.scope.lookup(node.id) is not None
    return any(is_default or not analysis.may_have_state({analysis.class_name(module)}) for module in common)


def is_settled(analysis: Analysis, cls: ClassRef, name: str, value: Kind) -> bool:
    """True if `self.name` may be set to a module without a second place: its own module, or one that is only called.

    A module with parameters must go on standing under both names, so only its calls can have instances of their own.
    """
    if not isinstance(value, Module) or value.path is None or not value.path.is_attribute:
        return False
    return value.path.root == name or (
        analysis.may_have_state({analysis.class_name(value)}) and _is_only_called(analysis, cls, name)
    )


def _is_only_called(analysis: Analysis, cls: ClassRef, name: str) -> bool:
    """True if the family of a class calls `self.name`, and does nothing else with it."""
    uses = [is_call for method in _methods_of_family(analysis, cls) for is_call in _uses(method, name)]
    return bool(uses) and all(uses)


def is_only_collected(analysis: Analysis, cls: ClassRef, name: str, function: str) -> bool:
    """True if `self.name` is only a name for what containers hold: nothing runs it under that name.

    Within the function that sets it, its family may put it into a call or a display; elsewhere it may read a parameter.
    """
    methods = _methods_of_family(analysis, cls)
    if any(_own_uses(analysis, method).looks_names_up for method in methods):
        return False
    setter = analysis.project.function_node(FunctionRef(cls.module, function))
    for method in methods:
        for node, parent in _own_uses(analysis, method).reads.get(name, ()):
            is_put = method is setter and isinstance(parent, ast.Call | ast.List | ast.Tuple | ast.Dict | ast.keyword)
            if isinstance(parent, ast.Call) and node is parent.func:
                return False
            if not (is_put or (isinstance(parent, ast.Attribute) and parent.attr in PARAMETER_NAMES)):
                return False
    return True


def _own_uses(analysis: Analysis, method: ast.FunctionDef) -> OwnUses:
    if method not in analysis.own_uses:
        analysis.own_uses[method] = find_own_uses(method)
    return analysis.own_uses[method]


def _methods_of_family(analysis: Analysis, cls: ClassRef) -> list[ast.FunctionDef]:
    family = {base for child in (cls, *analysis.project.subclasses(cls)) for base in analysis.project.mro(child)}
    entries = [analysis.project.class_node(base) for base in family if isinstance(base, ClassRef)]
    return [
        method
        for entry in entries
        if entry is not None
        for method in entry.methods.values()
        if positional_parameters(method)
    ]


def _uses(method: ast.FunctionDef, name: str) -> list[bool]:
    """The places that read `self.name`: whether each only calls it, or reads a parameter."""
    owner, called = positional_parameters(method)[0].arg, set[ast.AST]()
    for node in ast.walk(method):
        if isinstance(node, ast.Call):
            is_another = getattr(node.func, "id", None) == "another"
            called.update(node.args if is_another else (node.func,))
        elif isinstance(node, ast.Attribute):
            called.update((node.value,) if node.attr in PARAMETER_NAMES else ())
    return [
        node in called
        for node in ast.walk(method)
        if isinstance(node, ast.Attribute) and node.attr == name and isinstance(node.ctx, ast.Load)
        if isinstance(node.value, ast.Name) and node.value.id == owner
    ]


def repeated(analysis: Analysis, frame: Frame, node: ast.BinOp | ast.AugAssign, items: Iterable[Sequence]) -> None:
    """`[module] * n`: one instance for all items."""
    factors = (node.left, node.right) if isinstance(node, ast.BinOp) else (node.value,)
    if frame.recording or any(isinstance(part, ast.Constant) and part.value in (0, 1) for part in factors):
        return
    found = [module for each in items for module in modules_of(each.item) if analysis.is_shareable(module)]
    if found:
        note(analysis, frame, node, "repetition", found)


def listed(analysis: Analysis, frame: Frame, value: Kind, node: ast.expr) -> None:
    """An item of a list: a module, or a pair of a name and one."""
    stored(analysis, frame, value, node, "container")
    if isinstance(node, ast.Tuple) and len(node.elts) == 2 and isinstance(value, Sequence) and value.items is not None:
        named(analysis, frame, value.items[-1], node.elts[-1])


def named(analysis: Analysis, frame: Frame, value: Kind, node: ast.expr) -> None:
    """A value under a name in a container; what is made there may well be taken out again at once."""
    if isinstance(node, ast.Name | ast.Attribute):
        stored(analysis, frame, value, node, "container")


def collected(analysis: Analysis, frame: Frame, value: Kind, node: ast.expr, targets: Iterable[ast.expr]) -> None:
    """`[module for _ in …]`: one instance for all items, unless the loop's variables tell which."""
    variables = {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}
    if not any(isinstance(part, ast.Name) and part.id in variables for part in ast.walk(node)):
        stored(analysis, frame, value, node, "container")


def note(analysis: Analysis, frame: Frame, node: ast.expr | ast.stmt, how: str, modules: Iterable[Module]) -> None:
    """One instance, or one of several, is shared here."""
    place = frame.place(node)
    unit = Unit(frame.index.name, "", True)  # the file: nothing is added to a class
    sharing = analysis.facts.sharing.setdefault(place, Sharing(place, unit, frame.function, how))
    sharing.classes |= {analysis.class_name(module) for module in modules}
