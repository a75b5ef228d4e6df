"""Loops over the children of self, which would include a new child: they skip it, or get the original children."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qprep.analysis.places import Place
from qprep.analysis.symbols.ast_utils import positional_parameters
from qprep.analysis.values.abstract_values import ClassRef, External, options
from qprep.foundation.findings import Rejection, RejectionCode
from qprep.rewriting.fix_session import remembered
from qprep.rewriting.safety.constructor_calls import may_be_early, runs_at_construction
from qprep.rewriting.safety.guarded_loops import (
    InnerFunctions,
    asked_attributes,
    beginnings,
    child_variable,
    is_guarded,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qprep.analysis.places import Unit
    from qprep.analysis.values.abstract_values import Kind
    from qprep.rewriting.fix_session import RewriteContext

_CHILDREN = frozenset(("_modules", "children", "named_children"))
_CONTAINER = frozenset(("items", "values", "keys", "__iter__"))
_ALL = frozenset(("modules", "named_modules"))
_PAIRS = frozenset(("items", "named_children"))
_POSITIONAL = frozenset(("len", "enumerate", "list", "tuple", "next", "zip", "reversed", "iter", "sorted"))
_VIEWS = frozenset(("items", "values", "keys"))
ORIGINAL_FORWARD = "original_forward"
_ORIGINALS = {"children": "original_children", "named_children": "original_named_children"}


@dataclass(frozen=True, slots=True)
class Loop:
    """A `for` statement over the children of self, and the variable that holds the child."""

    module: str
    line: int  # of the `for`
    variable: str


@dataclass(frozen=True, slots=True)
class Filter:
    """An expression for the children of self, what gives the ones there were before, and what follows that call."""

    place: Place
    owner: str  # the name of self
    function: str
    after: str = ""


def rejection_of(context: RewriteContext, unit: Unit) -> Rejection | None:
    """The reason why a class cannot have a new child, by the use of its children in its family and elsewhere."""
    ref = ClassRef(unit.module, unit.name)
    if context.analysis.is_container(ref):
        found = context.analysis.defines_method(ref, "forward")
        if not found or not all(context.analysis.defines_method(m, "forward") for m in context.project.subclasses(ref)):
            return Rejection(
                f"`{unit.name}` is a container: a new child would become one of its items", RejectionCode.CLASS_SHAPE
            )
    if (place := _numbers(context, ref, unit)) is not None:
        return Rejection(
            f"`{place}` enumerates the children of `{unit.name}`, or takes them by position", RejectionCode.CLASS_SHAPE
        )
    rejection = next((walk.rejection for walk in _walks(context, unit) if walk.rejection is not None), None)
    if rejection is not None:
        return rejection
    changed = {loop.module for loop in loops(context, unit)} | {each.place.module for each in filters(context, unit)}
    outside = next(iter(sorted(changed.difference(context.project.given))), None)
    if outside is None:
        return None
    reason = f"{outside}, outside the paths given, iterates over the children of `{unit.name}`"
    return Rejection(reason, RejectionCode.CLASS_SHAPE)


def _numbers(context: RewriteContext, ref: ClassRef, unit: Unit) -> str | None:
    """The class in a family whose children are numbered after its constructor, if there is one."""
    members = context.family(unit)
    before = {(base.module, f"{base.name}.__init__") for base in context.project.mro(ref) if isinstance(base, ClassRef)}
    found = [each.function for each in context.facts.numbered if each.cls in members and each.function not in before]
    return min(found)[1] or min(found)[0] if found else None


@remembered
def loops(context: RewriteContext, unit: Unit) -> list[Loop]:
    """The loops over children that must skip a new one; every instance that runs them has one of that name."""
    own = context.project.subclasses(ClassRef(unit.module, unit.name)) | {ClassRef(unit.module, unit.name)}
    return [loop for walk in _walks(context, unit) if walk.member in own for loop in walk.loops]


@remembered
def filters(context: RewriteContext, unit: Unit) -> list[Filter]:
    """The expressions for children that must leave out new ones, whatever their names."""
    own = context.project.subclasses(ClassRef(unit.module, unit.name)) | {ClassRef(unit.module, unit.name)}
    walks = _walks(context, unit)
    beyond = [found for walk in walks if walk.member not in own for found in walk.instead]
    return [*(found for walk in walks for found in walk.filters), *beyond]


def asked(context: RewriteContext, unit: Unit) -> frozenset[str]:
    """Attributes that loops over the children of a family ask each of them for."""
    return frozenset().union(*(walk.asked for walk in _walks(context, unit)))


@remembered
def cared_for(context: RewriteContext, unit: Unit) -> frozenset[Place]:
    """The listings of children of self, in methods of the family, that a new child makes no difference to."""
    return frozenset().union(*(walk.cared_for for walk in _walks(context, unit)))


@remembered
def _walks(context: RewriteContext, unit: Unit) -> tuple[MethodWalk, ...]:
    """The uses of children in the methods of a family."""
    return tuple(_look(context, unit))


def _look(context: RewriteContext, unit: Unit) -> Iterator[MethodWalk]:
    """Methods of the family that can run once the new child is there: not constructors of the class and its bases."""
    own = ClassRef(unit.module, unit.name)
    is_container = context.analysis.is_container(own)
    before = set(context.project.mro(own)) - ({own} if may_be_early(context, unit) else set())
    for member in context.family(unit):
        body = context.body(member)
        for name, method in body.methods.items() if body is not None else ():
            if method.has_owner and not (name == "__init__" and member in before):
                walk = _walk(context, member, name, is_container=is_container)
                if walk is not None:
                    yield walk


@remembered
def _walk(context: RewriteContext, member: ClassRef, name: str, *, is_container: bool) -> MethodWalk | None:
    """One method is read once, however many classes inherit it; a method without self does not count."""
    entry = context.project.class_node(member)
    assert entry is not None
    method = entry.function(name)
    is_static = "builtins.staticmethod" in context.analysis.decorators(member.module, method)
    return None if is_static else MethodWalk(context, member, method, is_container)


class MethodWalk:
    """The uses of the children of self in one method."""

    def __init__(self, context: RewriteContext, member: ClassRef, method: ast.FunctionDef, is_container: bool) -> None:
        self.context = context
        self.member = member
        self.owner = positional_parameters(method)[0].arg
        self.is_container = is_container
        self.is_keyed = External("torch.nn.ModuleDict") in context.project.mro(member)
        self.runs = (member.module, f"{member.name}.{method.name}") in context.analysis.ran
        self.rejection: Rejection | None = None
        self.loops: list[Loop] = []
        self.instead: list[Filter] = []  # in place of skipping, where the loop is another class's
        self.filters: list[Filter] = []
        self.asked: frozenset[str] = frozenset()  # attributes that loops ask each child for
        nodes = list(ast.walk(method))
        self.is_filtered = any(map(self._is_original, nodes))
        self._handled: set[ast.AST] = set()
        self.cared_for: frozenset[Place] = frozenset()  # the listings that leave a new child out, or treat it alike
        in_texts = {part for node in nodes if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
        self._look_at_loops(nodes, method)
        self._handled |= {part for node in nodes for part in self._by_name(node)}
        for node in nodes:
            for part in self._given(node):
                found = self._filter(part) if part not in in_texts else None
                if part not in self._handled and found is not None:
                    self.filters.append(found)
                    self._handled.update((node, *ast.walk(part)))
        for node in nodes:
            if node not in self._handled and (found := self._run_by_base(node)) is not None:
                self.filters.append(found)
                self._handled |= set(ast.walk(node))
        for node in nodes:
            if node not in self._handled and self._touches(node):
                self._reject(method)
        places = (Place.of(member.module, node) for node in self._handled if isinstance(node, ast.expr))
        self.cared_for = frozenset(places)

    def _run_by_base(self, node: ast.AST) -> Filter | None:
        """`super().forward` of a class of nn.Sequential, which runs the children there were before; `self[i]` of it."""
        if isinstance(node, ast.Subscript) and self._is_self(node.value) and self.is_container and not self.is_keyed:
            is_one = isinstance(node.ctx, ast.Load) and not isinstance(node.slice, ast.Slice)
            own = (self.member, *self.context.project.subclasses(self.member))
            is_plain = not any(self.context.analysis.defines(cls, "__getitem__") for cls in own)
            place = Place.of(self.member.module, node.value)
            return Filter(place, self.owner, "original_list") if is_one and is_plain else None
        if not (isinstance(node, ast.Attribute) and node.attr == "forward" and self._is_super(node.value)):
            return None
        following = (base for base in self.context.project.mro(self.member)[1:])
        own_base = next((base for base in following if self._has_forward(base)), None)
        if own_base != External("torch.nn.Sequential"):
            return None
        return Filter(Place.of(self.member.module, node), self.owner, ORIGINAL_FORWARD)

    def _is_super(self, node: ast.expr) -> bool:
        """`super()`, or `super(Net, self)` in Net."""
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"):
            return False
        return not node.args or ast.unparse(node.args[0]) == self.member.name

    def _has_forward(self, base: Kind) -> bool:
        entry = self.context.project.class_node(base) if isinstance(base, ClassRef) else None
        return entry is None or "forward" in entry.methods

    def _look_at_loops(self, nodes: list[ast.AST], method: ast.FunctionDef) -> None:
        functions = {node.name: node for node in nodes if isinstance(node, ast.FunctionDef) and node is not method}
        inner = InnerFunctions(functions, self._may_be_new, self.context.analysis.catalogue.settings)
        for node in nodes:
            if not isinstance(node, ast.For):
                continue
            if (access := self._access(node.iter)) is not None:
                self._handled.update((node, *ast.walk(node.iter)))
                self._look_at_loop(node, access, inner, method)
            elif self._asks_all(node, inner):
                self._handled.update(ast.walk(node.iter))
                self.asked |= asked_attributes(method)

    def _look_at_loop(self, node: ast.For, access: str, inner: InnerFunctions, method: ast.FunctionDef) -> None:
        """A loop skips new children, or iterates over the others alone; one that tests what they are stays."""
        is_numbered = self._is_enumerate(node.iter)
        variable = child_variable(node, pairs=access in _PAIRS, numbered=is_numbered)
        if variable is not None and not (self.runs or self.is_container) and is_guarded(node, variable, inner):
            self.asked |= asked_attributes(method)
            return
        each = node.iter.args[0] if is_numbered and isinstance(node.iter, ast.Call) else node.iter
        found = next(filter(None, map(self._filter, self._parts(each))), None)
        is_name = self.is_keyed and access in ("", "__iter__")
        early = runs_at_construction(self.context, self.member, method.name)  # no name of a new one is known yet
        can_skip = variable is not None and node.body[0].lineno > node.lineno and not (is_numbered or early or is_name)
        if found is None:
            self._reject(method)
        elif can_skip and variable is not None:
            self.loops.append(Loop(self.member.module, node.lineno, variable))
            self.instead.append(found)
        else:
            self.filters.append(found)

    def _may_be_new(self, classes: ast.expr) -> bool:
        """True if a new child may be of classes that code selects: not where they are known to have parameters."""
        index = self.context.project.index(self.member.module)
        for part in classes.elts if isinstance(classes, ast.Tuple) else [classes]:
            dotted = self.context.project.expression_name(index, part) if index is not None else None
            found = list(options(self.context.project.resolve(dotted or "?")))
            if not found or not all(isinstance(option, External) and self._has_state(option) for option in found):
                return True
        return False

    def _has_state(self, cls: External) -> bool:
        known = self.context.analysis.catalogue.nn_module(cls.name.removeprefix("torch.nn."))
        return known is not None and known.may_have_state and not known.is_container

    def _parts(self, node: ast.AST) -> Iterator[ast.expr]:
        """The part of an iterable that yields the children: itself, or `self._modules` in it."""
        yield from self._given(node)
        if isinstance(node, ast.expr) and self._is_whole(node):
            yield node

    def _given(self, node: ast.AST) -> Iterator[ast.expr]:
        """The expressions for all children that a node tests, iterates over, or passes to a builtin function."""
        places: list[ast.expr] = []
        if isinstance(node, ast.Call):
            func = node.func
            if isinstance(func, ast.Attribute) and not node.args and not node.keywords:
                if func.attr in _VIEWS and self._is_dict(func.value):
                    yield func.value
                elif self._is_self(func.value) and (func.attr in _ORIGINALS or (func.attr in _VIEWS and self.is_keyed)):
                    yield node
            elif isinstance(func, ast.Name) and func.id in _POSITIONAL:
                places = node.args
        elif isinstance(node, ast.For | ast.comprehension):
            places = [node.iter]
        elif isinstance(node, ast.Starred):
            places = [node.value]
        yield from filter(self._is_whole, places)

    def _is_whole(self, node: ast.expr) -> bool:
        return self._is_dict(node) or (self.is_container and self._is_self(node))

    def _is_dict(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Attribute) and node.attr == "_modules" and self._is_self(node.value)

    def _is_original(self, node: ast.AST) -> bool:
        """True if the children that there were before are used already."""
        if not isinstance(node, ast.Call) or len(node.args) != 1 or not self._is_self(node.args[0]):
            return False
        return ast.unparse(node.func).endswith(
            ("original_modules", "original_list", ORIGINAL_FORWARD, *_ORIGINALS.values())
        )

    def _filter(self, node: ast.expr) -> Filter | None:
        """The text to replace one that gives the children; None if the class gives others by that name."""
        called = node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ""
        names = (called,) if called else ("__iter__", "__len__", "__reversed__") if self._is_self(node) else ()
        own = (self.member, *self.context.project.subclasses(self.member))
        if node.lineno != node.end_lineno or any(self.context.analysis.defines(cls, n) for cls in own for n in names):
            return None
        after = f".{called}()" if called else ".values()" if self._is_self(node) and not self.is_keyed else ""
        place = Place.of(self.member.module, node)
        if called in _ORIGINALS:
            return Filter(place, self.owner, _ORIGINALS[called])
        return Filter(place, self.owner, "original_modules", after)

    def _by_name(self, node: ast.AST) -> Iterator[ast.AST]:
        """Accesses that do not depend on other children: `self._modules[name]`, `name in self._modules`."""
        parts: list[ast.expr] = []
        if isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Slice):
            parts = [node.value]
        elif isinstance(node, ast.Compare) and all(isinstance(op, ast.In | ast.NotIn) for op in node.ops):
            parts = node.comparators
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("pop", "get"):
            parts = [node.func.value] if node.args else []
        elif isinstance(node, ast.For) and beginnings(node):
            parts = [part for part in ast.walk(node.iter) if isinstance(part, ast.expr)]
        return (part for part in parts if isinstance(part, ast.Attribute) and part.attr == "_modules")

    def _asks_all(self, loop: ast.For, inner: InnerFunctions) -> bool:
        """True if a loop over all modules below self tests the class of each."""
        func = loop.iter.func if isinstance(loop.iter, ast.Call) and not loop.iter.args else None
        if not isinstance(func, ast.Attribute) or func.attr not in _ALL or not self._is_self(func.value):
            return False
        variable = child_variable(loop, pairs=func.attr == "named_modules", numbered=False)
        return variable is not None and is_guarded(loop, variable, inner)

    def _reject(self, method: ast.FunctionDef) -> None:
        reason = f"`{self.member.name}.{method.name}` depends on the number or order of the children of self"
        self.rejection = Rejection(reason, RejectionCode.CLASS_SHAPE)

    def _is_self(self, node: ast.AST) -> bool:
        return isinstance(node, ast.Name) and node.id == self.owner

    def _is_enumerate(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "enumerate"

    def _access(self, node: ast.expr) -> str | None:
        """The name of the access where an iterable is just the children of self: "" for self itself."""
        if self._is_enumerate(node) and isinstance(node, ast.Call) and len(node.args) == 1:
            return self._access(node.args[0])
        if self._is_self(node):
            return ""
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and not node.args):
            return None
        name, value = node.func.attr, node.func.value
        if self._is_self(value) and name in (_CHILDREN | _CONTAINER if self.is_container else _CHILDREN):
            return name if name != "keys" else None
        if isinstance(value, ast.Attribute) and value.attr == "_modules" and self._is_self(value.value):
            return name if name in ("items", "values") else None
        return None

    def _touches(self, node: ast.AST) -> bool:
        """True if a node uses the children in another way than a plain loop."""
        if isinstance(node, ast.Attribute) and self._is_self(node.value) and node.attr != "forward":
            return node.attr in _CHILDREN or (
                node.attr in _CONTAINER if self.is_container else node.attr in _ALL and self.runs
            )
        if isinstance(node, ast.Attribute) and node.attr == "forward" and self.is_container:
            # super().forward(x), nn.Sequential.forward(self, x): torch's own loop over the children
            index = self.context.project.index(self.member.module)
            dotted = self.context.project.expression_name(index, node) if index is not None else None
            is_class = dotted is not None and dotted.startswith("torch.nn.")
            return is_class or not (isinstance(node.value, ast.Attribute) or self._is_self(node.value))
        if isinstance(node, ast.Subscript):
            return self._is_self(node.value) and not self.is_keyed
        if isinstance(node, ast.For | ast.comprehension | ast.Starred):
            return self._is_self(node.iter if not isinstance(node, ast.Starred) else node.value)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _POSITIONAL:
            return any(map(self._is_self, node.args))
        return False


@remembered
def is_walked(context: RewriteContext, unit: Unit) -> bool:
    """True if code requests the children that a class had before: other code, and that for any model, or its own."""
    if filters(context, unit) or any(walk.is_filtered for walk in _walks(context, unit)):
        return True
    ref = ClassRef(unit.module, unit.name)
    may_be_any = bool(context.around.child_iterations) or any(
        not walk.classes for walk in context.facts.child_iterations.values()
    )
    if may_be_any and ref not in context.analysis.nested:
        return True
    family = context.family(unit)
    if any(not walk.classes.isdisjoint(family) for walk in context.facts.child_iterations.values()):
        return True
    # A listing may be of a module that another listing gave: `q.children()` for each `q` of `net.modules()`.
    walks = context.facts.child_iterations
    is_listed = bool(walks) and any(place in walks for place in context.effects.listings_of(family))
    return is_listed or context.effects.originals_are_taken(family)
