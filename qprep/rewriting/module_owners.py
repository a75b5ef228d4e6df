"""Owners of new modules: the classes and functions that can hold one, and the names for it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.places import Unit
from qprep.analysis.symbols.ast_utils import positional_parameters
from qprep.foundation.catalogue.module_attributes import NN_MODULE_ATTRIBUTES
from qprep.foundation.findings import Rejection, RejectionCode
from qprep.rewriting import imports, owners, plain_objects
from qprep.rewriting.fix_scope import AttributeNames
from qprep.rewriting.safety import child_loops
from qprep.rewriting.safety.class_enumeration import listed_files
from qprep.rewriting.transforms import moved_functions

if TYPE_CHECKING:
    from qprep.rewriting.fix_session import RewriteContext
    from qprep.rewriting.source_code import Code


# Decorators of methods that get no instance, or whose body TorchScript compiles.
_WITHOUT_SELF = frozenset(("builtins.staticmethod", "builtins.classmethod", "torch.jit.script_method"))

# Decorators of methods that scripted code runs in Python, on an object whose modules cannot be called.
_WITHOUT_MODULES = frozenset(("torch.jit.ignore", "torch._jit_internal.ignore"))


def _method_of(code: Code, node: ast.AST) -> tuple[ast.FunctionDef | None, tuple[ast.FunctionDef | ast.Lambda, ...]]:
    """The method around a node, or the wrapper that a decorator puts around one, and the functions inside it."""
    function, inside = code.function(node), code.functions_inside(node)
    around = code.parents.get(function) if function is not None else None
    while isinstance(around, ast.If | ast.Try | ast.With):
        around = code.parents.get(around)
    if isinstance(around, ast.Module):  # a decorator: its wrapper gets the object
        for place, inner in enumerate(inside):
            if isinstance(inner, ast.FunctionDef) and [a.arg for a in positional_parameters(inner)[:1]] == ["self"]:
                return inner, inside[place + 1 :]
    return function, inside


class ModuleOwners:
    """The classes and functions of one plan as owners of modules; each answer is computed once."""

    def __init__(self, context: RewriteContext) -> None:
        self.context = context
        self._rejections: dict[Unit, Rejection | None] = {}
        self._names: dict[Unit, AttributeNames] = {}
        self._class_names: dict[Unit, str] = {}

    def rejection_of(self, unit: Unit) -> Rejection | None:
        """The reason why a class or function cannot own a module; None for a whole file (a unit without a name)."""
        if unit.name and unit not in self._rejections:
            judge = owners.rejection_of if unit.is_class else moved_functions.rejection_of
            self._rejections[unit] = judge(self.context, unit) or self._blocked_outside(unit)
            if unit.is_class and plain_objects.is_plain(self.context, unit) and self._rejections[unit] is None:
                reasons = map(self.rejection_of, plain_objects.lenders(self.context, unit))
                self._rejections[unit] = next(filter(None, reasons), None)
            if not unit.is_class and unit.module in listed_files(self.context):
                reason = f"the classes of {unit.module} are listed at run time, and a new class would appear there"
                self._rejections[unit] = Rejection(reason, RejectionCode.FUNCTION)
        return self._rejections.get(unit)

    def _blocked_outside(self, unit: Unit) -> Rejection | None:
        """The reason why a class cannot have a new child, by the use of its children in files that must not change."""
        if not unit.is_class:
            return None
        loops, filters = child_loops.loops(self.context, unit), child_loops.filters(self.context, unit)
        for module in sorted({loop.module for loop in loops} | {each.place.module for each in filters}):
            if not self.context.may_change(module):
                return Rejection(
                    f"{module}, outside the paths given, iterates over the children of `{unit.name}`",
                    RejectionCode.CLASS_SHAPE,
                )
        family = frozenset(self.context.family(unit))
        for place, walk in sorted(self.context.facts.child_iterations.items()):
            if not self.context.may_change(place.module) and not (walk.classes and walk.classes.isdisjoint(family)):
                where = f"{place.module}, outside the paths given, line {place.line},"
                return Rejection(
                    f"{where} takes children by position, perhaps of `{unit.name}`", RejectionCode.CLASS_SHAPE
                )
        return None

    def names(self, unit: Unit) -> AttributeNames:
        """Names of attributes of a class, or of the module made of a function; a family of classes shares them."""
        if unit not in self._names:
            if not unit.is_class:
                self._names[unit] = AttributeNames(
                    [NN_MODULE_ATTRIBUTES, self.context.asked_names(), frozenset(("forward",))]
                )
            else:
                family = [Unit(ref.module, ref.name, True) for ref in self.context.family(unit)]
                prefix = owners.prefix(self.context, unit)
                taken, patterns = owners.taken_names(self.context, unit), owners.taken_patterns(self.context, unit)
                barred, is_set = owners.asked_beginnings(self.context, unit), owners.set_names(self.context, unit)
                names = AttributeNames(taken, prefix, patterns, barred, is_set)
                for relative in (self._names[member] for member in family if member in self._names):
                    names.taken += [*relative.taken, relative.given]
                    relative.taken.append(names.given)
                self._names[unit] = names
        return self._names[unit]

    def owner_name(self, code: Code, node: ast.AST, unit: Unit) -> str | Rejection:
        """The name of the object that owns the operation, where the operation stands."""
        if not unit.is_class or not unit.name:
            return "self"
        function, inside = _method_of(code, node)
        if function is None:
            return Rejection("it is outside a method", RejectionCode.CLASS_SHAPE)
        for decorator in self.context.analysis.decorators(code.module, function):
            if decorator in _WITHOUT_SELF:
                return Rejection(
                    f"`{function.name}` is a {decorator.removeprefix('builtins.')}", RejectionCode.CLASS_SHAPE
                )
            if decorator in _WITHOUT_MODULES:
                return Rejection(
                    f"`{function.name}` has the decorator {decorator.rpartition('.')[2]}: a scripted model runs it "
                    "where no module can be called",
                    RejectionCode.CLASS_SHAPE,
                )
        if not positional_parameters(function):
            return Rejection(f"`{function.name}` has no self", RejectionCode.CLASS_SHAPE)
        owner = positional_parameters(function)[0].arg
        if owner in code.bound_in(function):
            return Rejection(f"`{function.name}` gives `{owner}` another value", RejectionCode.NAME)
        for inner in inside:
            if any(arg.arg == owner for arg in ast.walk(inner.args) if isinstance(arg, ast.arg)):
                return Rejection(f"`{owner}` has another meaning in the function around it", RejectionCode.NAME)
        return owner

    # Functions outside classes

    def class_names_in(self, module: str) -> set[str]:
        """The names taken so far by the modules made of functions of one file."""
        return {name for unit, name in self._class_names.items() if unit.module == module}

    def class_name(self, unit: Unit) -> str:
        """The name of the module made of a function."""
        if unit not in self._class_names:
            index = self.context.project.index(unit.module)
            assert index is not None
            bound = {*index.imports, *index.classes, *index.functions, *index.values, *index.names}
            bound |= self.class_names_in(unit.module) | self.context.starred(unit.module)
            self._class_names[unit] = moved_functions.class_name(unit, bound | imports.runtime_names())
        return self._class_names[unit]
