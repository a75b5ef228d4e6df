"""Proof that a rewrite changes nothing that other code can observe; what is not proven makes the rewrite unsafe.

Each rewrite adds children to a class, gives a call a second instance, or replaces a function. For each of these there
is one list of effects that could tell the difference. An effect that may reach it is a doubt: the line and the reason.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING

from qprep.analysis.effects.attribute_names import ANY_NAME, ANY_THAT_IS_THERE
from qprep.analysis.effects.class_facts import COPIED, is_foreign
from qprep.analysis.effects.effect_kinds import EffectKind
from qprep.analysis.effects.own_operations import method_names
from qprep.analysis.facts import Compound, HeldFunction, ModuleCall, OpSite, Sharing
from qprep.analysis.places import Unit
from qprep.analysis.symbols.ast_utils import last_name
from qprep.analysis.symbols.definition_names import DefinitionName, plain_name
from qprep.analysis.values.abstract_values import ClassRef, modules_inside, modules_of
from qprep.foundation.catalogue.call_signature import parse_constructor
from qprep.foundation.catalogue.module_attributes import NN_MODULE_ATTRIBUTES
from qprep.rewriting import imports, owners
from qprep.rewriting.rewrite_result import OWNER, Doubt
from qprep.rewriting.safety import child_loops, instance_methods, instance_uses, nested_paths, padded_positions
from qprep.rewriting.safety.mutation import is_layer
from qprep.rewriting.safety.observability import holds_no_state, made_of

if TYPE_CHECKING:
    from qprep.analysis.effects.class_facts import ModuleClass
    from qprep.analysis.effects.effect_kinds import Effect
    from qprep.analysis.effects.effect_table import EffectTable
    from qprep.rewriting.composed_edits import Piece
    from qprep.rewriting.fix_scope import Scope
    from qprep.rewriting.fix_session import RewriteContext
    from qprep.rewriting.rewrite_result import Declaration

_COPIES = frozenset(("another", "distinct", "unshared"))
_RUNTIME = "qprep.runtime_modules."
# What compound modules are made of, and what is new for it: a Linear was there, but no call of it ran its hooks.
_PARTS = {
    f"{_RUNTIME}RecurrentStages": frozenset(EffectKind),
    f"{_RUNTIME}AffineMap": frozenset(EffectKind),
    "torch.nn.Linear": frozenset((EffectKind.CHANGE,)),
}


def doubts(scope: Scope, site: object, pieces: Iterable[Piece] = ()) -> tuple[Doubt, ...]:
    """The doubts about a rewrite that a codemod has just described in `scope` and `pieces`."""
    table = scope.context.effects
    found = chain(
        _of_children(scope, table, tuple(pieces), is_second=isinstance(site, ModuleCall)),
        _of_instances(scope, table, site),
        _of_functions(scope, table, site),
        _of_held_function(scope, table, site, pieces),
        _of_compound(scope, table, site),
        _of_source(scope, table),
        _of_names(scope, table, site),
    )
    unique = dict.fromkeys(found)
    return tuple(unique)


def _doubt(effect: Effect, what: str) -> Doubt:
    return Doubt(f"{effect.text}, which may reach {what}", effect.place)


# New children


def _of_children(scope: Scope, table: EffectTable, pieces: Collection[Piece], *, is_second: bool) -> Iterator[Doubt]:
    """Code that could meet a new attribute of the class."""
    units = {declaration.unit for declaration in scope.declarations if declaration.unit.is_class}
    for unit in sorted(units):
        declared = [d for d in scope.declarations if d.unit == unit and d.name]
        names = {declaration.name for declaration in declared}
        family = scope.context.family(unit)
        # A new attribute is there whatever replaces a method, but for one that makes it.
        is_made_in_method = any(declaration.after is not None for declaration in declared)
        replaced, borrowed = None if is_made_in_method else NN_MODULE_ATTRIBUTES, _changed_methods(scope, unit, pieces)
        for effect in table.on_class(family, names, replaced, borrowed):
            yield _doubt(effect, f"the class `{unit.name}`")
        for effect in table.on_names(family, names):
            if effect.attribute == ANY_THAT_IS_THERE:
                continue
            if effect.attribute == ANY_NAME and all(name.startswith(owners.RESERVED_PREFIX) for name in names):
                continue  # nothing but qprep gives such names
            yield _doubt(effect, f"the new attribute `{min(names)}` of `{unit.name}`")
        for child in {cls for declaration in declared for cls in _classes_of(scope, declaration)}:
            for effect in table.children.on_child(family, child, is_second=is_second):
                if _is_rewritten(scope, effect) or _is_cared_for(scope.context, table, effect, unit):
                    continue
                yield _doubt(effect, f"a module that is added to `{unit.name}`")


def _changed_methods(scope: Scope, unit: Unit, pieces: Collection[Piece]) -> Collection[str] | None:
    """The methods that need the new attributes of a class, and the one that makes them; None: any may."""
    entry = scope.index.classes.get(unit.name)
    method = scope.code.function(scope.node)
    if unit != scope.unit or entry is None or method is None:
        return None
    spans = {each.name: scope.code.span(each) for each in (*entry.methods.values(), *entry.setters.values())}
    around = {method.name}
    for piece in pieces:
        names = {name for name, (start, end) in spans.items() if start <= piece.start <= end}
        if not names:
            return None
        around |= names
    return {"__init__", *around}


def _of_own_operations(scope: Scope, table: EffectTable, site: OpSite) -> Iterator[Doubt]:
    """Classes whose instances run the operation by a method of their own."""
    names = method_names(site.op)
    found = chain(
        table.operations.of_tensors(names), table.operations.of_operands(scope.code.module, scope.node, names)
    )
    for cls, place in found:
        yield Doubt(f"`{cls.name}` defines this operation, and the operand may be an instance", place)
    for effect in table.on_operation(names):
        yield _doubt(effect, "the operation in a class of tensors")


def _is_rewritten(scope: Scope, effect: Effect) -> bool:
    """True if QP205 gives code that lists children those that there were; its edit becomes part of the rewrite."""
    walk = scope.context.facts.child_iterations.get(effect.listing) if effect.listing is not None else None
    if walk is not None:
        scope.listings |= {walk.place} if walk.method else set()  # the others leave out new children already
    return walk is not None


def _is_cared_for(context: RewriteContext, table: EffectTable, effect: Effect, unit: Unit) -> bool:
    """True if a class lists its own children before the new one is made, or its rewrite changes that list.

    The rewrite of a class leaves lists of all modules below as they are.
    """
    if effect.kind is not EffectKind.OBSERVE or effect.owner not in context.family(unit):
        return False
    is_before = effect.owner in context.project.mro(ClassRef(unit.module, unit.name)) and not effect.is_lasting
    return (is_before and table.runs_at_construction(effect)) or effect.listing in child_loops.cared_for(context, unit)


def _classes_of(scope: Scope, declaration: Declaration) -> Iterator[ModuleClass]:
    """The classes of what a declaration makes."""
    expression = declaration.expression.replace(OWNER, "self")
    try:
        tree = ast.parse(expression, mode="eval").body
    except SyntaxError:
        return
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        home, name = _imported(scope, declaration.unit.module, call.func)
        if name in _COPIES:
            yield f"{_RUNTIME}Tied"
            settings = {keyword.arg for keyword in call.keywords}
            is_plain = "plain" in settings and "whole" not in settings
            for cls in _held_classes(scope, call.args[0] if call.args else None):
                yield f"{COPIED}{cls}" if is_plain and is_foreign(cls) else cls
        elif scope.context.analysis.catalogue.nn_module(name) is not None and f"{home}." != _RUNTIME:
            yield f"torch.nn.{name}"
        elif name[:1].isupper():
            yield f"{_RUNTIME}{name}"


def _imported(scope: Scope, file: str, func: ast.expr) -> tuple[str, str]:
    """The module and the name of a class or function, whatever a file calls it; no module if it is not imported."""
    if isinstance(func, ast.Attribute):
        is_runtime = last_name(func.value) == "runtime_modules"
        return _RUNTIME.removesuffix(".") if is_runtime else "", func.attr
    name = last_name(func)
    for place, entry in scope.imports:
        if place == file and (entry.alias or entry.name) == name:
            return entry.module, entry.name
    index = scope.context.project.index(file)
    known = index.imports.get(name) if index is not None else None
    home, _, own = known.target.rpartition(".") if known is not None else ("", "", name)
    return home, own


def _held_classes(scope: Scope, node: ast.expr | None) -> Iterator[ModuleClass]:
    """The classes of what `self.attribute` holds."""
    while isinstance(node, ast.Subscript | ast.Attribute) and not (
        isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    ):
        node = node.value
    if isinstance(node, ast.Attribute):
        tables = [scope.context.analysis.attributes_of(member).names for member in scope.context.family(scope.unit)]
        kinds = [table[node.attr].kind for table in tables if node.attr in table]
        analysis = scope.context.analysis
        names = {analysis.class_name(module) for kind in kinds for module in modules_of(kind)}
        parts = {analysis.class_name(module) for kind in kinds for module in modules_inside(kind)}
        inside = {part for name in parts for part in made_of(scope.context, name)} - {"?"}
        # A layer in a second instance is one of the class Tied.
        yield from _content(scope, names | {part for part in inside if not is_layer(scope.context, part)})


def _content(scope: Scope, names: Collection[str]) -> Iterator[ModuleClass]:
    """Classes by their dotted names; those of the project as they are known."""
    for name in sorted(names):
        refs = scope.context.project.classes_named(name)
        yield from refs or (name,)


def _of_held_function(scope: Scope, table: EffectTable, site: object, pieces: Iterable[Piece]) -> Iterator[Doubt]:
    """Code that could tell the module that an attribute holds from the function that it held before."""
    if not isinstance(site, HeldFunction):
        return
    family = scope.context.family(site.unit)
    for effect in table.on_names(family, {site.attribute}):
        yield _doubt(effect, f"`{site.attribute}`, which holds a module then")
    row = scope.context.analysis.catalogue.function(site.name)
    layer = row[0].nn if row is not None and not any(".wrap(" in piece.text for piece in pieces) else None
    child = f"torch.nn.{parse_constructor(layer).name}" if layer else f"{_RUNTIME}Function"
    for effect in table.children.on_child(family, child, is_marked=False, is_named=False):
        yield _doubt(effect, f"the module that `{site.attribute}` holds then")
    for effect in table.on_tables(family, ()):
        yield _doubt(effect, f"`{site.attribute}`, which its object holds as a module then")
    yield from instance_uses.uses_as_value(scope.context, family, site.attribute)


def _of_compound(scope: Scope, table: EffectTable, site: object) -> Iterator[Doubt]:
    """Code that could meet the parts of a compound module, or hook layers that no call ran before."""
    if not isinstance(site, Compound):
        return
    family = _family_around(scope)
    for part, kinds in _PARTS.items():
        for effect in table.children.on_parts(family, site.classes, part):
            if effect.kind in kinds:
                yield _doubt(effect, "the parts of the module")
    yield from padded_positions.doubts(scope.context, site.classes)


def _family_around(scope: Scope) -> Collection[ClassRef]:
    """The family of the class whose code a rewrite stands in; all classes of the files where it stands in none."""
    node: ast.AST | None = scope.node
    while node is not None and not isinstance(node, ast.ClassDef):
        node = scope.code.parents.get(node)
    names = [name for name, entry in scope.index.classes.items() if entry.node is node]
    return scope.context.family(Unit(scope.code.module, names[0], True)) if names else _all_classes(scope)


# Second instances


def _of_instances(scope: Scope, table: EffectTable, site: object) -> Iterator[Doubt]:
    """Code that could tell a second instance from the first."""
    if isinstance(site, ModuleCall):
        if not any(declaration.name for declaration in scope.declarations):
            return  # the module stays one: what it calls gets an instance for each call
        attribute = site.path.root
        content = list(_content(scope, {part for cls in site.classes_inside for part in made_of(scope.context, cls)}))
        whole = set(_content(scope, {part for cls in site.classes for part in made_of(scope.context, cls)}))
        family = scope.context.family(scope.unit)
        for effect in table.on_held(family, attribute, content, whole):
            yield _doubt(effect, f"`{attribute}`")
        for owner, name in nested_paths.owners(scope.context, scope.unit, site.path):
            for effect in table.on_held(scope.context.family(owner), name, content, whole):
                yield _doubt(effect, f"`{name}`")
        yield from instance_uses.comparisons(scope.context, family, attribute)
        yield from _of_copies(scope, site.classes_inside)
    elif isinstance(site, Sharing):
        content = list(_content(scope, site.classes))
        values = table.points_to.where(scope.code.module, scope.node)
        for effect in table.on_objects(values, content):
            yield _doubt(effect, "the shared module")
        holders = _holders(scope, site)
        for effect in (found for cls in content for found in table.children.on_child(holders, cls, is_named=False)):
            lister = effect.owner if effect.owner in holders else None
            unit = Unit(lister.module, lister.name, True) if lister is not None else scope.unit
            if not (_is_rewritten(scope, effect) or _is_cared_for(scope.context, table, effect, unit)):
                yield _doubt(effect, "the module that gets its own instance")
        for attribute in sorted({name for _, name in instance_uses.held_names(values)}):
            yield from instance_uses.comparisons(scope.context, scope.context.family(scope.unit), attribute)
        yield from _of_copies(scope, site.classes)


def _holders(scope: Scope, site: Sharing) -> Collection[ClassRef]:
    """The classes whose instances may hold the new module: that of the method, or any where a function makes it."""
    project, cls = scope.context.project, DefinitionName.parse(site.function).owner
    if project.class_node(ClassRef(scope.code.module, cls)) is not None:
        return scope.context.family(Unit(scope.code.module, cls, True))
    return _all_classes(scope)


def _all_classes(scope: Scope) -> list[ClassRef]:
    project = scope.context.project
    surfaces = ((name, project.surface(name)) for name in project.given)
    return [ClassRef(name, each) for name, surface in surfaces if surface is not None for each in surface.classes]


def _of_plain_copies(scope: Scope, name: str) -> Iterator[Doubt]:
    """A second instance without parameters has attributes of its own."""
    for inside in sorted(made_of(scope.context, name)):
        for ref in scope.context.project.classes_named(inside):
            entry = scope.context.project.class_node(ref)
            for method_name, method in entry.methods.items() if entry is not None else ():
                plain = plain_name(method_name)
                yield from instance_uses.assigned_in_runs(scope.context, ref, plain, method)
                yield from instance_uses.identity_uses(scope.context, ref, plain, method)


def _of_copies(scope: Scope, classes: Collection[str]) -> Iterator[Doubt]:
    """A second instance of a block with parameters shares them; its own code must not tell it from the first."""
    context = scope.context
    for name in sorted(classes):
        made = [ref for inside in sorted(made_of(context, name)) for ref in context.project.classes_named(inside)]
        for ref in made:
            yield from instance_methods.outside_effects(context, ref)
        if holds_no_state(context, name):
            yield from _of_plain_copies(scope, name)
            continue
        for ref in made:
            yield from instance_uses.telling_uses(context, ref)


# Functions


def _of_source(scope: Scope, table: EffectTable) -> Iterator[Doubt]:
    """Code that uses the text that the rewrite changes."""
    family = scope.context.family(scope.unit) if scope.unit.is_class else ()
    for effect in table.on_source(scope.code.module, family):
        yield Doubt(f"{effect.text}, whose source the fix changes", effect.place)


def _of_names(scope: Scope, table: EffectTable, site: object) -> Iterator[Doubt]:
    """Code that lists the names of a file, which gets imports and loses those that nothing uses any more."""
    imported = {module for module, _ in scope.imports} | set(_importing_marks(scope))
    changed = imported | ({scope.code.module} if isinstance(site, OpSite) and _variables_of(scope) else set())
    for module in sorted(changed):
        for effect in table.on_names_of(module, imports=module in imported):
            yield Doubt(f"{effect.text}, where the fix changes what the file imports", effect.place)


def _importing_marks(scope: Scope) -> Iterator[str]:
    """The files that import what marks new children, or gives the children of a class without these."""
    for unit in {declaration.unit for declaration in scope.declarations if declaration.unit.is_class}:
        if child_loops.is_walked(scope.context, unit):
            needed = [(unit.module, "mark_added")]
            needed += [(each.place.module, each.function) for each in child_loops.filters(scope.context, unit)]
            for module, name in needed:
                index = scope.context.project.index(module)
                if (
                    index is not None
                    and imports.imported(index, imports.RUNTIME, name, scope.context.starred(module))[1]
                ):
                    yield module


def _variables_of(scope: Scope) -> set[str]:
    """The variables of the file through which the code names the function that it calls: `F` in `F.relu(x)`."""
    calls = [node.func for node in ast.walk(scope.node) if isinstance(node, ast.Call)]
    names = {part.id for func in calls for part in _chain(func) if isinstance(part, ast.Name)}
    top = scope.context.effects.points_to.file(scope.code.module)
    return {name for name in names if top is not None and name in top.top.bindings}


def _chain(node: ast.expr) -> Iterator[ast.expr]:
    """The parts of `a.b.c`."""
    while isinstance(node, ast.Attribute):
        yield node
        node = node.value
    yield node


def _of_functions(scope: Scope, table: EffectTable, site: object) -> Iterator[Doubt]:
    """Code that replaces a function of torch that the rewrite calls in another way, or sees which functions run."""
    if not isinstance(site, OpSite):
        return
    family = scope.context.family(scope.unit) if scope.unit.is_class else ()
    for effect in table.on_dispatch(family, site.op):
        yield Doubt(f"{effect.text}, which a module may call by another name", effect.place)
    yield from _of_own_operations(scope, table, site)
    for name in _variables_of(scope):
        for effect in table.on_variable(scope.code.module, name):
            yield Doubt(f"{effect.text}, which replaces `{name}`", effect.place)
    names = {re.split(r"[(\s]", spelling)[0].rpartition(".")[2] for spelling in site.op.spellings}
    names |= {re.split(r"[(\s]", text)[0] for text in (site.op.nn, site.op.module) if text}
    for effect in table.patched({name for name in names if name.isidentifier()}):
        yield Doubt(f"{effect.text}, which replaces a function of torch", effect.place)
