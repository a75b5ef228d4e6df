"""Classes whose instances take no new attributes, or come to be without the constructor that would make them."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.effects.abstract_objects import Named
from qprep.analysis.effects.library_names import CHILD_TABLE
from qprep.analysis.symbols.ast_utils import positional_parameters
from qprep.analysis.values.abstract_values import ClassRef
from qprep.foundation.findings import Rejection, RejectionCode
from qprep.rewriting.fix_session import remembered
from qprep.rewriting.safety import attribute_lookup, setattr_guards

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qprep.analysis.places import Unit
    from qprep.rewriting.fix_session import RewriteContext

_DUNDERS = frozenset(("__setattr__", "__getattribute__", "__new__"))
_INHERITED = frozenset(("__setattr__", "__getattribute__"))
# Methods by which nn.Module finds its modules in `train`, `apply` and `to`.
_LISTINGS = ("children", "named_children", "modules", "named_modules")


# Decorators that generate a constructor, by the packages that define them.
_GENERATORS = ("dataclasses.", "attr.", "attrs.", "pydantic.", "msgspec.")


def unusual_class(context: RewriteContext, node: ast.ClassDef, unit: Unit) -> Rejection | None:
    """The reason why the body of a class prevents a rewrite."""
    if any(_generates_constructor(context, decorator, unit) for decorator in node.decorator_list):
        return Rejection(f"`{unit.name}` is a dataclass: its constructor is generated", RejectionCode.CLASS_SHAPE)
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name in _DUNDERS and not _is_harmless(item):
            return Rejection(f"`{unit.name}` defines {item.name}", RejectionCode.CLASS_SHAPE)
        if isinstance(item, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__slots__" for t in item.targets):
            return Rejection(f"`{unit.name}` has __slots__", RejectionCode.CLASS_SHAPE)
    return None


def _is_harmless(method: ast.FunctionDef) -> bool:
    """True if a `__setattr__` sets new modules, as long as it sets others."""
    return setattr_guards.passes_on(method) or setattr_guards.closes(method)


def may_close(context: RewriteContext, unit: Unit) -> bool:
    """True if a class, or a relative, refuses new attributes from some time on."""
    entries = (context.project.class_node(member) for member in context.family(unit))
    found = (entry.methods.get("__setattr__") for entry in entries if entry is not None)
    return any(method is not None and not setattr_guards.passes_on(method) for method in found)


def _generates_constructor(context: RewriteContext, decorator: ast.expr, unit: Unit) -> bool:
    """True if a decorator makes the constructor of a class, by whatever name the file has for it."""
    node = decorator.func if isinstance(decorator, ast.Call) else decorator
    found = context.effects.points_to.where(unit.module, node)
    names = [each.base.name for each in found if isinstance(each.base, Named)]
    return any(name.startswith(_GENERATORS) for name in names)


def unusual_family(context: RewriteContext, unit: Unit) -> Rejection | None:
    """The reason why a base or subclass prevents a rewrite: it reads attributes, or bypasses the constructor."""
    for member in context.family(unit):
        if context.project.may_be_another(member.module, unit.module):
            return Rejection(
                f"two files are called {member.module}, and the imported one is unknown before the code runs",
                RejectionCode.CLASS_SHAPE,
            )
        if (rejection := _unusual_member(context, member)) is not None:
            return rejection
    return attribute_lookup.rejection_of(context, unit)


@remembered
def _unusual_member(context: RewriteContext, member: ClassRef) -> Rejection | None:
    entry = context.project.class_node(member)
    methods = entry.methods if entry is not None else {}
    unknown = (name for name in sorted(_INHERITED & set(methods)) if not _is_harmless(methods[name]))
    if (name := next(unknown, None)) is not None:
        return _unfit(f"`{member.name}` defines {name}")
    store, restore = methods.get("__getstate__"), methods.get("__setstate__")
    if store is not None and not _stores_all(store) and (restore is None or not _runs_constructor(restore)):
        return Rejection(
            f"`{member.name}.__getstate__` may leave out new modules, so copies of the instance lack them",
            RejectionCode.CLASS_SHAPE,
        )
    if restore is not None and not _restores_all(restore):
        return Rejection(
            f"`{member.name}.__setstate__` creates an instance with only the attributes that it sets",
            RejectionCode.CLASS_SHAPE,
        )
    if entry is not None and (listing := next((n for n in _LISTINGS if n in methods or n in entry.values), None)):
        return Rejection(
            f"`{member.name}` defines {listing}, which may leave out a new module: `train` and `apply` miss it then",
            RejectionCode.CLASS_SHAPE,
        )
    if entry is not None and "__init__" in entry.values:
        return _unfit(f"`{member.name}` gets its constructor from elsewhere")
    if entry is not None and _is_made_by_metaclass(context, member, entry.node):
        return Rejection(
            f"the metaclass of `{member.name}` creates its instances, perhaps without the constructor",
            RejectionCode.CLASS_SHAPE,
        )
    if member in made_bare(context):
        return Rejection(
            f"instances of `{member.name}` are created by `__new__` without the constructor", RejectionCode.CLASS_SHAPE
        )
    return None


def _unfit(reason: str) -> Rejection:
    return Rejection(reason, RejectionCode.CLASS_SHAPE)


def _is_made_by_metaclass(context: RewriteContext, cls: ClassRef, node: ast.ClassDef) -> bool:
    """True if a metaclass of the project has a `__call__` that names no constructor."""
    metaclass = next((keyword.value for keyword in node.keywords if keyword.arg == "metaclass"), None)
    index = context.project.index(cls.module)
    if metaclass is None or index is None:
        return False
    kind = context.analysis.resolved(context.project.expression_name(index, metaclass) or "?")
    entry = context.project.class_node(kind) if isinstance(kind, ClassRef) else None
    call = entry.methods.get("__call__") if entry is not None else None
    attributes = [part for part in ast.walk(call) if isinstance(part, ast.Attribute)] if call is not None else []
    runs = any(a.attr == "__call__" or (a.attr == "__init__" and isinstance(a.value, ast.Name)) for a in attributes)
    return call is not None and not runs


def _stores_all(method: ast.FunctionDef) -> bool:
    """True if a `__getstate__` starts from the whole state of its object, and leaves the table of children alone."""
    nodes = list(ast.walk(method))
    names_children = any(
        (isinstance(node, ast.Constant) and node.value == CHILD_TABLE)
        or (isinstance(node, ast.Attribute) and node.attr == CHILD_TABLE)
        for node in nodes
    )
    is_whole = any(
        (isinstance(node, ast.Attribute) and node.attr in ("__dict__", "__getstate__"))
        or (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "vars")
        for node in nodes
    )
    return is_whole and not names_children


def _restores_all(method: ast.FunctionDef) -> bool:
    """True if a `__setstate__` takes over all attributes, or runs the constructor."""
    attributes = (node.attr for node in ast.walk(method) if isinstance(node, ast.Attribute))
    return _runs_constructor(method) or any(name in ("__setstate__", "__dict__") for name in attributes)


def _runs_constructor(method: ast.FunctionDef) -> bool:
    """True if a method runs `self.__init__`."""
    owner = positional_parameters(method)[0].arg if positional_parameters(method) else ""
    return any(
        isinstance(node, ast.Attribute)
        and node.attr == "__init__"
        and isinstance(node.value, ast.Name)
        and node.value.id == owner
        for node in ast.walk(method)
    )


@remembered
def made_bare(context: RewriteContext) -> frozenset[ClassRef]:
    """Classes that some given file makes instances of by `__new__` alone: `cls.__new__(cls)`."""
    return frozenset(_made_bare(context))


def _made_bare(context: RewriteContext) -> Iterator[ClassRef]:
    for name in context.project.given:
        text = context.project.text(name)
        index = context.project.index(name) if text is not None and "__new__(" in text else None
        if index is None:
            continue
        around = [(entry.node, ClassRef(name, cls)) for cls, entry in index.classes.items()]
        for node in index.of(ast.Call):
            if not (ast.unparse(node.func).endswith(".__new__") and node.args):
                continue
            kind = context.analysis.resolved(context.project.expression_name(index, node.args[0]) or "?")
            if isinstance(kind, ClassRef):
                yield kind
            elif not isinstance(node.func, ast.Attribute) or not isinstance(node.func.value, ast.Call):
                yield from (ref for cls, ref in around if any(part is node for part in ast.walk(cls)))
