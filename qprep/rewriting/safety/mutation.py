"""Mutations of a module after its construction: a second instance made before would not get them."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qprep.analysis.effects.class_replacement import is_replaced, replaced
from qprep.analysis.effects.write_records import ClassPattern, SelectedBy, value_mutation
from qprep.analysis.symbols.ast_utils import is_attribute_of, last_name, positional_parameters
from qprep.analysis.symbols.definition_names import DefinitionName
from qprep.analysis.symbols.parameter_names import LOOKING, PARAMETER_NAMES
from qprep.analysis.values.abstract_values import ClassRef
from qprep.foundation.findings import Rejection, RejectionCode
from qprep.rewriting.fix_session import remembered
from qprep.rewriting.loop_bounds import is_certain
from qprep.rewriting.owners import made_early
from qprep.rewriting.safety import child_loops, nested_paths
from qprep.rewriting.safety.class_body import names_of
from qprep.rewriting.safety.construction_order import met_at_construction, walked_at_construction
from qprep.rewriting.safety.constructor_calls import run_by_init
from qprep.rewriting.safety.external_writes import is_written, place_of_write
from qprep.rewriting.safety.observability import holds_no_state, made_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from qprep.analysis.facts import ModuleCall
    from qprep.analysis.interpreter.attribute_table import Creation
    from qprep.analysis.places import Place, Unit
    from qprep.rewriting.fix_scope import Scope
    from qprep.rewriting.fix_session import RewriteContext
    from qprep.rewriting.receiver_expression import Reached

_TENSORS = PARAMETER_NAMES | {"data", "grad", "requires_grad"}  # both instances hold the same
_CHANGING = frozenset(["append", "extend", "insert", "add_module", "register_module", "pop", "update", "eval", "train"])
_SETTING = frozenset(("setattr", "delattr"))
_LISTING = frozenset(
    ("append", "insert", "extend", "appendleft", "add_module", "register_module")
)  # what a list does to its items, effects tell
_READERS = frozenset(("__getattr__", "__getattribute__", "get_submodule"))
_HARMLESS = LOOKING | _LISTING | {"another", "unshared", "wrap"}


@dataclass(frozen=True, slots=True)
class Change:
    """A method that does something to a module; `is_other`: it puts another one in its place."""

    member: ClassRef
    method: str
    is_other: bool = False

    @property
    def reason(self) -> str:
        """The name of the mutation in a reason."""
        return f"in `{DefinitionName.parse(self.member.name).key}.{self.method}`"


def _changes(context: RewriteContext, unit: Unit, attribute: str, made: Iterable[Place]) -> tuple[Change, ...]:
    """The mutations of `self.attribute` in the family of a class, other than its construction at the places `made`."""
    return _all_changes(context, unit, attribute, frozenset(made))


@remembered
def _all_changes(context: RewriteContext, unit: Unit, attribute: str, made: frozenset[Place]) -> tuple[Change, ...]:
    return tuple(_find_changes(context, unit, attribute, made))


def _find_changes(context: RewriteContext, unit: Unit, attribute: str, made: Collection[Place]) -> Iterator[Change]:
    at_construction = run_by_init(context, unit)
    for member in context.family(unit):
        body = context.body(member)
        known = {(place.line, place.column) for place in made if place.module == member.module}
        for name, method in body.methods.items() if body is not None else ():
            if name not in at_construction and any(re.fullmatch(text, attribute) for text in method.sets):
                yield Change(member, name, is_other=True)
            if method.has_owner and (attribute in method.named or any(method.spans(line) for line, _ in known)):
                entry = context.project.class_node(member)
                assert entry is not None
                names = _MethodNames(entry.function(name), attribute, known)
                for _, is_other in names.changes(hands_on=name in at_construction):
                    yield Change(member, name, is_other)


def made_at_end(scope: Scope, call: ModuleCall, where: Reached, creations: list[Creation]) -> bool | Rejection:
    """True if a second instance must wait until the constructor is done with the first; or why that will not do."""
    attribute = where.attribute
    places = [creation.place for creation in creations]
    runs_first = where.is_itself and all(is_layer(scope.context, name) for name in call.classes)
    found = [c for c in _changes(scope.context, scope.unit, attribute, places) if c.is_other or not runs_first]
    if is_written(scope.context, scope.unit, attribute):
        return _written_outside(scope.context, scope.unit, attribute)
    for owner, name in nested_paths.owners(scope.context, scope.unit, where.path):
        made = nested_paths.made(scope.context, owner, name)
        rejection = changed_attribute(scope.context, owner, name, made, is_built=True)
        if rejection is not None:
            return rejection
    if (rejection := _changed_with_others(scope, call, attribute, places)) is not None:
        return rejection
    unit = creations[0].unit
    is_leaf = where.is_itself and all(is_one_operation(scope.context, name) for name in call.classes)
    walker = walked_at_construction(scope.context, unit, counted=is_leaf)
    walker = walker or met_at_construction(scope.context, unit, call.classes_inside)
    if not found and not where.under and walker is None:
        return False
    method = DefinitionName.parse(call.function).key
    code = scope.context.code(unit.module)
    waits = (
        len(creations) == 1
        and unit == scope.unit
        and code is not None
        and is_certain(scope.context, unit, creations[0])
        and not made_early(scope.context, code, unit, method)
        and all((c.member, c.method) == (ClassRef(unit.module, unit.name), "__init__") for c in found)
    )
    if walker is not None and not (waits and walker == ClassRef(unit.module, unit.name)):
        return Rejection(
            f"the constructor of `{walker.name}` iterates over its modules and would include a second instance",
            RejectionCode.CONSTRUCTION,
        )
    if not waits and not found:
        return Rejection(f"`{attribute}` is not always created in `__init__`", RejectionCode.CONSTRUCTION)
    return waits or Rejection(
        f"`{attribute}` is changed after it is created, {found[0].reason}", RejectionCode.MUTATION
    )


def _changed_with_others(scope: Scope, call: ModuleCall, attribute: str, places: list[Place]) -> Rejection | None:
    """A rejection where code that changes several modules finds the first instance, but not a second one."""
    for place in places:
        code = scope.context.code(place.module)
        source = changed_source(scope.context, scope.unit, code.node(place) if code is not None else None)
        if source is not None:
            return source
    if any(_may_be_replaced(scope.context, name) for name in call.classes_inside):
        return Rejection(
            f"`{attribute}`, or a module in it, is replaced by code that selects its class, but not a second instance",
            RejectionCode.MUTATION,
        )
    inside = [cls for name in call.classes_inside for cls in made_of(scope.context, name)]
    asked = sorted(child_loops.asked(scope.context, scope.unit))
    read = (ClassPattern(name, SelectedBy.ATTRIBUTE) for name in asked)
    met = next((each.name for each in read if any(_is_selected(scope.context, each, cls) for cls in inside)), None)
    if met is not None:
        return Rejection(
            f"a loop reads `{met}` of each child, which `{attribute}` has: it would include a second instance",
            RejectionCode.MUTATION,
        )
    return None


def _may_be_replaced(context: RewriteContext, name: str) -> bool:
    """True if code replaces instances of a class, or of one with parameters that they may be made of."""
    if holds_no_state(context, name) or is_replaced(context.writes, name.rpartition(".")[2]):
        return not holds_no_state(context, name)
    patterns = [pattern for pattern in replaced(context.writes) if not _is_stateless(context, pattern)]
    if is_layer(context, name):
        return any(pattern.may_be_any for pattern in patterns)
    # No pattern by name selects an unknown class.
    return any(
        _is_open(pattern) or _is_selected(context, pattern, cls)
        for pattern in patterns
        for cls in made_of(context, name)
    )


def _is_selected(context: RewriteContext, pattern: ClassPattern, cls: str) -> bool:
    """True if a pattern selects a class by its name, or by an attribute that it has."""
    if pattern.selection is SelectedBy.ATTRIBUTE:
        refs = context.project.classes_named(cls)
        tables = (context.analysis.attributes_of(ref).names for ref in refs)
        is_defined = any(context.analysis.defines(ref, pattern.name) for ref in refs)
        return is_defined or any(pattern.name in table for table in tables)
    is_base = pattern.name.startswith("_")  # of torch.nn: _BatchNorm, _NormBase, _ConvNd
    if is_base and cls.startswith("torch.nn."):
        return re.findall(r"[A-Z][a-z]*", f"{pattern.name}X")[0] in cls
    return pattern.matches(cls.rpartition(".")[2])


def _is_stateless(context: RewriteContext, pattern: ClassPattern) -> bool:
    """True if a class of torch.nn has no parameters: each instance of a block has its own, found there as well."""
    if pattern.selection is SelectedBy.ATTRIBUTE:
        return False
    known = context.analysis.catalogue.nn_module(pattern.name)
    return known is not None and not known.may_have_state and not known.is_container


def _is_open(pattern: ClassPattern) -> bool:
    """True if a pattern may select any class of modules."""
    return pattern.may_be_any or (pattern.name == "Module" and pattern.selection is not SelectedBy.ATTRIBUTE)


def changed_attribute(
    context: RewriteContext,
    unit: Unit,
    attribute: str,
    made: Collection[Place],
    *,
    may_be_other: bool = False,
    is_built: bool = False,
) -> Rejection | None:
    """The reason why the value of an attribute may be changed or replaced later, unless that does not matter.

    `is_built`: the constructor of the object is done.
    """
    changes = (c for c in _changes(context, unit, attribute, made) if not (is_built and c.method == "__init__"))
    found = next((c for c in changes if not (c.is_other and may_be_other)), None)
    if found is not None:
        return Rejection(f"`{attribute}` is changed after it is created, {found.reason}", RejectionCode.MUTATION)
    # Another one in its place on some object is no change of what the others hold.
    is_set = value_mutation(attribute) in context.writes if may_be_other else is_written(context, unit, attribute)
    if not is_set:
        return None
    return _written_outside(context, unit, attribute)


def _written_outside(context: RewriteContext, unit: Unit, attribute: str) -> Rejection:
    place = place_of_write(context, unit, attribute)
    return Rejection(
        f"`{attribute}` is set or changed outside the class{place}, perhaps on this instance", RejectionCode.MUTATION
    )


def changed_name(scope: Scope, node: ast.AST) -> Rejection | None:
    """The reason why a local name, whose module is passed on at `node`, may refer to a changed one later."""
    function = scope.code.function(node)
    if not isinstance(node, ast.Name) or function is None:
        return None
    if value_mutation(node.id) in scope.context.writes:  # what an attribute of this name holds may be this one
        return Rejection(f"`{node.id}` is changed outside the class, perhaps on this instance", RejectionCode.MUTATION)
    changes = [change for change, _ in _MethodNames(function, names={node.id}).changes()]
    later = [change for change in changes if change.lineno > node.lineno or _adds_hook(getattr(change, "func", change))]
    if not later:
        return None
    return Rejection(f"`{node.id}` is changed after it is passed on, or has a hook", RejectionCode.MUTATION)


def changed_source(context: RewriteContext, unit: Unit, node: ast.AST | None) -> Rejection | None:
    """The reason why `self.act`, whose module another attribute gets at `node`, may be changed later."""
    if not is_attribute_of(node, "self"):
        return None
    tables = [context.analysis.attributes_of(member) for member in context.family(unit)]
    made = [place for table in tables if node.attr in table.names for place in table.names[node.attr].creations]
    return changed_attribute(context, unit, node.attr, made, may_be_other=True)  # what holds it already keeps it


def _adds_hook(func: ast.AST) -> bool:
    """`act.register_forward_hook`: no second instance gets the hooks of the first."""
    return isinstance(func, ast.Attribute) and "hook" in func.attr


def changed_global(scope: Scope, node: ast.AST) -> Rejection | None:
    """The reason why the value of a file's name, `ACT` or `ACTS["relu"]`, may be another one later."""
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    if not isinstance(node, ast.Name) or node.id not in (*scope.index.values, *scope.index.imports):
        return None
    known = scope.context.changed
    if node.id not in known:
        known[node.id] = _is_changed(scope.context, node.id)
    if not known[node.id]:
        return None
    return Rejection(f"`{node.id}` is changed after it is created", RejectionCode.MUTATION)


def _is_changed(context: RewriteContext, name: str) -> bool:
    methods = "|".join(sorted(_CHANGING))
    pattern = re.compile(rf"\b{name}(?:[.\w]|\[[^]]*\])*(?:[.\]]\w* *=(?!=)|\.(?:{methods})\()|attr\({name}\b")
    texts = (context.project.text(module) or "" for module in context.project.given)
    return any(map(pattern.search, texts))


def is_layer(context: RewriteContext, name: str) -> bool:
    """True if a module of torch.nn is one operation with parameters: its second instance runs the first."""
    known = context.analysis.catalogue.nn_module(name.removeprefix("torch.nn."))
    return is_one_operation(context, name) and known is not None and known.may_have_state


def is_one_operation(context: RewriteContext, name: str) -> bool:
    """True if a class is one of torch.nn's that holds no other modules."""
    known = (
        context.analysis.catalogue.nn_module(name.removeprefix("torch.nn.")) if name.startswith("torch.nn.") else None
    )
    return known is not None and not known.is_container and not known.is_compound


class _MethodNames:
    """The names of one module in one method: `self.attribute`, what that was made of, what it was assigned to."""

    def __init__(
        self,
        method: ast.FunctionDef,
        attribute: str | None = None,
        known: Collection[tuple[int, int]] = (),
        names: Collection[str] = (),
    ) -> None:
        self.method = method
        self.owner = positional_parameters(method)[0].arg if positional_parameters(method) else None
        self.attribute = attribute
        self.aliases = set(names)
        self.nodes = [node for statement in method.body for node in ast.walk(statement)]
        self.creations = [
            node
            for node in self.nodes
            if isinstance(node, ast.Assign | ast.AnnAssign)
            and node.value is not None
            and (node.value.lineno, node.value.col_offset) in known
        ]
        self.aliases |= {node.value.id for node in self.creations if isinstance(node.value, ast.Name)}
        for node in self.nodes:
            self.aliases |= set(self._bound(node))

    def changes(self, *, hands_on: bool = False) -> Iterator[tuple[ast.expr, bool]]:
        """Each change; true where another module takes the place."""
        making = {part for node in self.creations for part in ast.walk(node)}
        for node in self.nodes:
            if isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
                if self._is_it(node):
                    if node not in making:
                        yield node, True
                elif self._leads_to_it(node) and getattr(node, "attr", "") not in _TENSORS:
                    yield node, False
            elif isinstance(node, ast.Call) and node not in making and self._is_changed_by(node, hands_on):
                yield node, False

    def _bound(self, node: ast.AST) -> Iterator[str]:
        """Names that a statement gives to the module, or to what is in it."""
        if isinstance(node, ast.Assign) and self._leads_to_it(node.value):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.For) and any(map(self._is_it, ast.walk(node.iter))):
            yield from (part.id for part in ast.walk(node.target) if isinstance(part, ast.Name))

    def _is_it(self, node: ast.AST) -> bool:
        if isinstance(node, ast.Name):
            return node.id in self.aliases
        if isinstance(node, ast.Call):
            return self._is_fetched(node)
        return is_attribute_of(node, self.owner) and node.attr == self.attribute

    def _is_fetched(self, node: ast.Call) -> bool:
        """True if a call may read the attribute by a text: `getattr(self, name)`, `self.__getattr__("act")`."""
        owner: str | None
        match node:
            case ast.Call(func=ast.Name(id="getattr"), args=[ast.Name(id=owner), name, *_]):
                pass
            case ast.Call(func=ast.Attribute(attr=method), args=[ast.Name(id=owner), name]) if method in _READERS:
                pass
            case ast.Call(func=ast.Attribute(value=holder, attr=method), args=[name]) if method in _READERS:
                is_super = isinstance(holder, ast.Call) and last_name(holder.func) == "super"
                owner = self.owner if is_super else holder.id if isinstance(holder, ast.Name) else ""
            case _:
                return False
        if not owner or owner != self.owner or self.attribute is None:
            return False
        return any(re.fullmatch(pattern, self.attribute) for pattern in names_of(self.method, name))

    def _leads_to_it(self, node: ast.AST) -> bool:
        """True if an expression is the module or something in it: `self.body[0].act`."""
        while not self._is_it(node):
            if isinstance(node, ast.Attribute | ast.Subscript):
                node = node.value
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and not self._is_it(node.func):
                node = node.func.value
            else:
                return False
        return True

    def _is_changed_by(self, node: ast.Call, hands_on: bool) -> bool:
        """True if a call changes the module: by a method, or as a function that is given it and may do anything."""
        func = node.func
        if isinstance(func, ast.Attribute) and self._leads_to_it(func.value):
            if func.attr in _CHANGING or _adds_hook(func):
                return True
        name = func.id if isinstance(func, ast.Name) else func.attr if isinstance(func, ast.Attribute) else ""
        given = [arg for arg in node.args if self._leads_to_it(arg) and getattr(arg, "attr", "") not in _TENSORS]
        if name in _SETTING:
            return bool(given)
        if not hands_on or name in _HARMLESS or name[:1].isupper():
            return False
        return bool(given) and not self._leads_to_it(func)
