"""Code that walks over the children of self would meet a new one: loops skip it, all else is declined."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qprep.project.kinds import ClassRef
from qprep.rewrite.guarded import Inner, beginnings, child_variable, is_guarded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qprep.project.facts import Unit
    from qprep.rewrite.context import Context

_CHILDREN = frozenset(("_modules", "children", "named_children"))
_CONTAINER = frozenset(("items", "values", "keys", "__iter__"))
_ALL = frozenset(("modules", "named_modules"))
_PAIRS = frozenset(("items", "named_children"))
_POSITIONAL = frozenset(("len", "enumerate", "list", "tuple", "next", "zip", "reversed", "iter", "sorted"))


@dataclass(frozen=True, slots=True)
class Loop:
    """A `for` statement over the children of self, and the variable that holds the child."""

    module: str
    line: int  # of the `for`
    variable: str


def refusal(context: Context, unit: Unit) -> str | None:
    """Why a class cannot take a new child, by what its family and others do with its children."""
    ref = ClassRef(unit.module, unit.name)
    if context.analysis.is_container(ref):
        found = context.analysis.defines_method(ref, "forward")
        if not found or not all(context.analysis.defines_method(m, "forward") for m in context.project.subclasses(ref)):
            return f"`{unit.name}` is a container: a new child would become one of its items"
    if (place := _numbers(context, ref, unit)) is not None:
        return f"`{place}` numbers the children of `{unit.name}`, or takes them by position"
    return next((walk.reason for walk in _walks(context, unit) if walk.reason is not None), None)


def _numbers(context: Context, ref: ClassRef, unit: Unit) -> str | None:
    """Where children of a class or its subclasses are numbered once its constructor is over."""
    members = context.family(unit)
    before = {(base.module, f"{base.name}.__init__") for base in context.project.mro(ref) if isinstance(base, ClassRef)}
    counts = any(walk.counts for walk in _walks(context, unit))
    found = [
        each.function
        for each in context.facts.numbered
        if each.cls in members and each.function not in before and (counts or not each.only_added)
    ]
    return min(found)[1] or min(found)[0] if found else None


def loops(context: Context, unit: Unit) -> list[Loop]:
    """The loops over children that must skip a new one."""
    return [loop for walk in _walks(context, unit) for loop in walk.loops]


def _walks(context: Context, unit: Unit) -> tuple[Walk, ...]:
    """How the methods of a family use its children."""
    if unit not in context.walks_of:
        context.walks_of[unit] = tuple(_look(context, unit))
    return context.walks_of[unit]


def _look(context: Context, unit: Unit) -> Iterator[Walk]:
    """Methods of the family that can run once the new child is there: not constructors of the class and its bases."""
    own = ClassRef(unit.module, unit.name)
    is_container = context.analysis.is_container(own)
    before = set(context.project.mro(own)) - ({own} if context.may_be_early(unit) else set())
    for member in context.family(unit):
        body = context.body(member)
        for name, method in body.methods.items() if body is not None else ():
            if method.has_owner and not (name == "__init__" and member in before):
                walk = _walk(context, member, name, is_container=is_container)
                if walk is not None:
                    yield walk


def _walk(context: Context, member: ClassRef, name: str, *, is_container: bool) -> Walk | None:
    """One method is looked at once, however many classes inherit it; one without self is none of them."""
    key = (member, name, is_container)
    if key not in context.walks:
        entry = context.project.class_node(member)
        assert entry is not None
        method = entry.methods[name]
        is_static = "builtins.staticmethod" in context.analysis.decorators(member.module, method)
        context.walks[key] = None if is_static else Walk(context, member, method, is_container)
    return context.walks[key]


class Walk:
    """How one method uses the children of self."""

    def __init__(self, context: Context, member: ClassRef, method: ast.FunctionDef, is_container: bool) -> None:
        self.owner = method.args.args[0].arg
        self.is_container = is_container
        self.runs = (member.module, f"{member.name}.{method.name}") in context.analysis.ran
        self.reason: str | None = None
        self.counts = False  # a loop numbers the children
        self.loops: list[Loop] = []
        handled: set[ast.AST] = set()
        nodes = list(ast.walk(method))
        inner = Inner({node.name: node for node in nodes if isinstance(node, ast.FunctionDef) and node is not method})
        for node in nodes:
            if isinstance(node, ast.For) and (access := self._access(node.iter)) is not None:
                variable = child_variable(node, pairs=access in _PAIRS, numbered=self._is_enumerate(node.iter))
                handled.update((node, *ast.walk(node.iter)))
                if variable is not None and node.body[0].lineno > node.lineno:
                    self.counts |= self._is_enumerate(node.iter)
                    if self.runs or self.is_container:
                        self.loops.append(Loop(member.module, node.lineno, variable))
                    elif not is_guarded(node, variable, inner):
                        self._skip_or_refuse(context, member, method, Loop(member.module, node.lineno, variable))
                    continue
                self._refuse(member, method)
            elif isinstance(node, ast.For) and self._asks_all(node, inner):
                handled.update(ast.walk(node.iter))
        handled |= {part for node in nodes for part in self._by_name(node)}
        for node in nodes:
            if node not in handled and self._touches(node):
                self._refuse(member, method)

    def _by_name(self, node: ast.AST) -> Iterator[ast.AST]:
        """What does not depend on other children: `self._modules[name]`, `name in self._modules`."""
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

    def _asks_all(self, loop: ast.For, inner: Inner) -> bool:
        """Whether a loop over all modules below self asks each what it is."""
        func = loop.iter.func if isinstance(loop.iter, ast.Call) and not loop.iter.args else None
        if not isinstance(func, ast.Attribute) or func.attr not in _ALL or not self._is_self(func.value):
            return False
        variable = child_variable(loop, pairs=func.attr == "named_modules", numbered=False)
        return variable is not None and is_guarded(loop, variable, inner)

    def _skip_or_refuse(self, context: Context, member: ClassRef, method: ast.FunctionDef, loop: Loop) -> None:
        """A loop that does the same to every child; one that the constructor runs knows no name of a new one yet."""
        if context.runs_at_construction(member, method.name):
            self._refuse(member, method)
        else:
            self.loops.append(loop)

    def _refuse(self, member: ClassRef, method: ast.FunctionDef) -> None:
        self.reason = f"`{member.name}.{method.name}` depends on the number or order of the children of self"

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
        """Whether a node uses the children in another way than a plain loop."""
        if isinstance(node, ast.Attribute) and self._is_self(node.value) and node.attr != "forward":
            return node.attr in _CHILDREN or (
                node.attr in _CONTAINER if self.is_container else node.attr in _ALL and self.runs
            )
        if isinstance(node, ast.Attribute) and node.attr == "forward" and self.is_container:
            # super().forward(x), nn.Sequential.forward(self, x): torch's own loop over the children
            return not (isinstance(node.value, ast.Attribute) or self._is_self(node.value))
        if isinstance(node, ast.Subscript):
            return self._is_self(node.value)
        if isinstance(node, ast.For | ast.comprehension | ast.Starred):
            return self._is_self(node.iter if not isinstance(node, ast.Starred) else node.value)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _POSITIONAL:
            return any(map(self._is_self, node.args))
        return False


def is_walked(context: Context, unit: Unit) -> bool:
    """Whether other code takes the children of a class by position, or those of a model that nobody knows."""
    ref = ClassRef(unit.module, unit.name)
    may_be_any = bool(context.around.walks) or any(not walk.classes for walk in context.facts.walks.values())
    if may_be_any and ref not in context.analysis.nested:
        return True
    return any(not walk.classes.isdisjoint(context.family(unit)) for walk in context.facts.walks.values())
