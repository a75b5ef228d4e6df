"""Uses of `self` that a second instance with shared weights would answer otherwise."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from itertools import chain
from typing import TYPE_CHECKING

from qprep.analysis.effects.abstract_objects import Anything, Held, Instance
from qprep.analysis.places import Place
from qprep.analysis.symbols.ast_utils import last_name, positional_parameters
from qprep.analysis.symbols.definition_names import plain_name
from qprep.analysis.values.abstract_values import ClassRef, modules_of
from qprep.rewriting.fix_session import remembered
from qprep.rewriting.rewrite_result import Doubt
from qprep.rewriting.safety.observability import registered_tensors

if TYPE_CHECKING:
    from qprep.analysis.effects.abstract_objects import References
    from qprep.rewriting.fix_session import RewriteContext

# What lists parameters, buffers or children, or asks for the class: a copy lists none of its own.
_TELLING = frozenset(
    ["__class__", "__dict__", "_buffers", "_get_name", "_modules", "_parameters", "apply", "buffers", "children",
     "get_buffer", "get_parameter", "get_submodule", "modules", "named_buffers", "named_children", "named_modules",
     "named_parameters", "parameters", "state_dict"]
)  # fmt: skip
_STATE_METHODS = frozenset(
    ["get_extra_state", "set_extra_state", "_save_to_state_dict", "_load_from_state_dict", "state_dict",
     "load_state_dict", "named_parameters", "parameters", "_named_members"]
)  # fmt: skip
_CACHES = frozenset(("lru_cache", "cache", "cached_property"))
_LOOKUPS = frozenset(("getattr", "hasattr", "isinstance", "type", "callable"))
_HARMLESS_CALLS = frozenset(("print", "len", "range", "zip", "enumerate", "reversed", "list", "tuple", "super"))


def comparisons(context: RewriteContext, family: Collection[ClassRef], attribute: str) -> Iterator[Doubt]:
    """Comparisons of `self.attribute` with another object, in the methods of a family."""
    for member in family:
        for node in _comparisons_in(context, member):
            sides = [node.left, *node.comparators]
            named = any(isinstance(side, ast.Attribute) and side.attr == attribute for side in sides)
            if named and not any(isinstance(side, ast.Constant) for side in sides):
                place = Place.of(member.module, node)
                yield Doubt(f"compares `{ast.unparse(node)}`, which differs for a second instance", place)


@remembered
def _comparisons_in(context: RewriteContext, member: ClassRef) -> tuple[ast.Compare, ...]:
    """The comparisons in the body of a class."""
    entry = context.project.class_node(member)
    nodes = ast.walk(entry.node) if entry is not None else ()
    return tuple(node for node in nodes if isinstance(node, ast.Compare))


def uses_as_value(context: RewriteContext, family: Collection[ClassRef], attribute: str) -> Iterator[Doubt]:
    """Reads of an attribute on instances of a family that do not call what it holds: `net.act.__name__`.

    `net.__dict__` shows it, too, but no child module.
    """
    points_to = context.effects.points_to
    tables = points_to.names.loads(points_to, "__dict__")
    for node, file in chain(points_to.names.loads(points_to, attribute), tables):
        parent = file.parents.get(node)
        if not isinstance(node, ast.Attribute) or (isinstance(parent, ast.Call) and parent.func is node):
            continue
        bases = {each.base for each in points_to.of(node.value, file.scope_of(node))}
        if any(isinstance(base, Anything) or (isinstance(base, Instance) and base.cls in family) for base in bases):
            yield Doubt(f"uses `{ast.unparse(node)}` as a value", Place.of(file.module, node))


def held_names(references: References) -> Iterator[tuple[object, str]]:
    """The attributes that objects are held by."""
    for reference in references:
        if isinstance(reference.base, Held) and reference.base.attribute is not None:
            yield reference.base.owner, reference.base.attribute


def telling_uses(context: RewriteContext, cls: ClassRef) -> Iterator[Doubt]:
    """Uses of `self`, and of the modules that it holds, that are not plain calls or reads."""
    for base in context.project.mro(cls):
        entry = context.project.class_node(base) if isinstance(base, ClassRef) else None
        if entry is None or not isinstance(base, ClassRef):
            continue
        for name, method in entry.methods.items():
            plain = plain_name(name)
            if plain in _STATE_METHODS:
                text = f"`{base.name}` defines `{plain}`: a second instance would add entries to state_dict"
                yield Doubt(text, Place.of(base.module, method))
            yield from _in_method(context, base, plain, method)
            yield from _kept_beside(context, base, plain, method)


def _kept_beside(context: RewriteContext, cls: ClassRef, name: str, method: ast.FunctionDef) -> Iterator[Doubt]:
    """Hooks on parts, attributes that a run gives another value, and results that are kept for each instance."""
    for node in ast.walk(method):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            hooked = node.func.attr
            if hooked.startswith("register_") and "hook" in hooked and "state_dict" not in hooked:
                yield Doubt(f"`{cls.name}.{name}` calls `{ast.unparse(node.func)}`", Place.of(cls.module, node))
    for decorator in method.decorator_list:
        target = decorator.func if isinstance(decorator, ast.Call) else decorator
        if last_name(target) in _CACHES:
            yield Doubt(f"`{cls.name}.{name}` keeps a result for each instance", Place.of(cls.module, decorator))
    yield from assigned_in_runs(context, cls, name, method)


def identity_uses(context: RewriteContext, cls: ClassRef, name: str, method: ast.FunctionDef) -> Iterator[Doubt]:
    """Uses of `self` as a value while the model runs: `self in seen`, `cache[self]`, `id(self)`."""
    arguments = positional_parameters(method)
    if not arguments or (cls.module, f"{cls.name}.{name}") not in context.analysis.ran:
        return
    owner = arguments[0].arg
    parents = {child: node for node in ast.walk(method) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(method):
        if isinstance(node, ast.Name) and node.id == owner and isinstance(node.ctx, ast.Load):
            parent = parents.get(node)
            if not (isinstance(parent, ast.Attribute | ast.Return) or _is_harmless(parent) or _is_lookup(parent)):
                yield Doubt(f"`{cls.name}.{name}` uses `{owner}` as a value", Place.of(cls.module, node))


def _is_lookup(parent: ast.AST | None) -> bool:
    """`getattr(self, name)`, `isinstance(self, Block)`: what a copy answers as the original does."""
    return isinstance(parent, ast.Call) and isinstance(parent.func, ast.Name) and parent.func.id in _LOOKUPS


def assigned_in_runs(context: RewriteContext, cls: ClassRef, name: str, method: ast.FunctionDef) -> Iterator[Doubt]:
    """Attributes of `self` that get another value while the model runs: two instances have one each."""
    arguments = [*method.args.posonlyargs, *method.args.args]
    if name == "__init__" or not arguments or (cls.module, f"{cls.name}.{name}") not in context.analysis.ran:
        return
    registered = registered_tensors(context, cls)
    points_to = context.effects.points_to
    for node in ast.walk(method):
        match node:
            case ast.Attribute(value=ast.Name(id=owner), attr=attribute, ctx=ast.Store()) if owner == arguments[0].arg:
                reads = points_to.names.loads(points_to, attribute)
                if attribute in registered or not any(isinstance(read, ast.Attribute) for read, _ in reads):
                    continue  # what nobody reads does not matter
                yield Doubt(f"`{cls.name}.{name}` sets `{ast.unparse(node)}`", Place.of(cls.module, node))


def _in_method(context: RewriteContext, cls: ClassRef, name: str, method: ast.FunctionDef) -> Iterator[Doubt]:
    arguments = [*method.args.posonlyargs, *method.args.args]
    if not arguments:
        return
    owner = arguments[0].arg
    runs = (cls.module, f"{cls.name}.{name}") in context.analysis.ran
    held = _module_names(context, cls)
    parents = {child: node for node in ast.walk(method) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(method):
        if not (isinstance(node, ast.Name) and node.id == owner and isinstance(node.ctx, ast.Load)):
            continue
        parent = parents.get(node)
        place = Place.of(cls.module, node)
        if not isinstance(parent, ast.Attribute):
            if runs and not _is_harmless(parent):
                yield Doubt(f"`{cls.name}.{name}` uses `{owner}` as a value", place)
            elif not runs and isinstance(parent, ast.Subscript):
                yield Doubt(f"`{cls.name}.{name}` keeps `{owner}` in a table", place)
            continue
        if "hook" in parent.attr and parent.attr.startswith("register_"):
            yield Doubt(f"`{cls.name}.{name}` registers a hook on itself, which a second instance does not get", place)
        if runs and parent.attr in _TELLING:
            yield Doubt(
                f"`{cls.name}.{name}` reads `{owner}.{parent.attr}`, which is empty in a second instance", place
            )
        elif runs and parent.attr in held:
            yield from _use_of_module(cls, name, parent, parents)


def _is_harmless(parent: ast.AST | None) -> bool:
    match parent:
        case ast.Call(func=func):
            # `Base.forward(self, x)`: a method of a class that is named.
            cls = last_name(func.value) if isinstance(func, ast.Attribute) else ""
            return last_name(func) in _HARMLESS_CALLS or (cls[:1].isupper() and not cls.isupper())
    return False


def _module_names(context: RewriteContext, cls: ClassRef) -> frozenset[str]:
    """Attributes that hold modules."""
    names = context.analysis.attributes_of(cls).names
    return frozenset(name for name, entry in names.items() if any(True for _ in modules_of(entry.kind)))


def _use_of_module(cls: ClassRef, method: str, node: ast.Attribute, parents: dict[ast.AST, ast.AST]) -> Iterator[Doubt]:
    """A module whose class is tested, compared, stored or changed; calls and iterations are fine."""
    parent = parents.get(node)
    place = Place.of(cls.module, node)
    text = ast.unparse(node)
    match parent:
        case ast.Call(func=func) if func is node:
            return
        case ast.Call(func=ast.Name(id=name)) if name in _HARMLESS_CALLS:
            yield from _use_of_call(cls, method, parent, parents)
        case ast.Call():
            yield Doubt(f"`{cls.name}.{method}` gives `{text}` to `{ast.unparse(parent.func)}`", place)
        case ast.Attribute(attr=attribute, ctx=context):
            if attribute in _TELLING or not isinstance(context, ast.Load):
                yield Doubt(f"`{cls.name}.{method}` uses `{text}.{attribute}`", place)
        case ast.For(iter=iterated, target=target) if iterated is node:
            yield from _use_in_loop(cls, method, parent, target)
        case ast.comprehension(target=target):
            whole = parents.get(parent)
            yield from _use_in_loop(cls, method, whole, target) if whole is not None else ()
        case ast.Subscript():
            outer = parents.get(parent)
            if not (isinstance(outer, ast.Call) and outer.func is parent) and not isinstance(outer, ast.For):
                yield Doubt(f"`{cls.name}.{method}` uses `{ast.unparse(parent)}` as a value", place)
        case ast.If() | ast.IfExp() | ast.BoolOp() | ast.UnaryOp():
            return
        case ast.Compare(comparators=[ast.Constant()]):
            return
        case _:
            yield Doubt(f"`{cls.name}.{method}` uses `{text}` as a value", place)


def _use_of_call(cls: ClassRef, method: str, call: ast.Call, parents: dict[ast.AST, ast.AST]) -> Iterator[Doubt]:
    """`enumerate(self.layers)` in the head of a loop."""
    parent = parents.get(call)
    if isinstance(parent, ast.For):
        yield from _use_in_loop(cls, method, parent, parent.target)
    elif isinstance(parent, ast.comprehension):
        whole = parents.get(parent)
        yield from _use_in_loop(cls, method, whole, parent.target) if whole is not None else ()


def _use_in_loop(cls: ClassRef, method: str, loop: ast.AST, target: ast.expr) -> Iterator[Doubt]:
    """Variables of a loop over modules may be called; anything else tells them apart."""
    names = {part.id for part in ast.walk(target) if isinstance(part, ast.Name)}
    called = {
        id(node.func) for node in ast.walk(loop) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    for node in ast.walk(loop):
        if not isinstance(node, ast.Call):
            continue
        if last_name(node.func) in ("isinstance", "type", "hasattr", "getattr", "id", "setattr"):
            for argument in node.args[:1]:
                if isinstance(argument, ast.Name) and argument.id in names and id(argument) not in called:
                    text = f"`{cls.name}.{method}` reads the class or attributes of modules"
                    yield Doubt(text, Place.of(cls.module, node))
