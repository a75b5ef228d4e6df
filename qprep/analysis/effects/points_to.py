"""Points-to analysis: the abstract objects that an expression may refer to, found on demand and across files.

Flow-insensitive, context-insensitive and field-based, as Andersen's: every binding of a variable, every argument of a
parameter and every value of an attribute counts, whatever the order. Class tests narrow what a variable may be
where they hold. What an expression refers to grows until nothing changes, so cycles need no care.

Over-approximates, except for code that qprep does not read: a parameter of a function that the project never calls
refers to nothing, and functions of other packages change nothing beyond the list in `effects.mutations`. They may
return their arguments, may store them in other arguments, and may call functions among them with the others.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable

from qprep.analysis.effects.abstract_objects import NOTHING, Held, Reference, References
from qprep.analysis.effects.attribute_values import attribute_of, classes_of_objects, may_hold_on_some, may_keep
from qprep.analysis.effects.call_sites import CallGraph
from qprep.analysis.effects.evaluation import Evaluation
from qprep.analysis.effects.expression_values import of_expression
from qprep.analysis.effects.external_results import given_to_writers
from qprep.analysis.effects.given_objects import objects_given
from qprep.analysis.effects.implicit_calls import ImplicitCalls
from qprep.analysis.effects.kept_values import of_kept
from qprep.analysis.effects.lexical_scopes import Binding, BindingKind, LexicalScope, bound_at
from qprep.analysis.effects.module_definitions import every_binding, of_dotted
from qprep.analysis.effects.object_items import modules_below
from qprep.analysis.effects.parameter_values import default_of
from qprep.analysis.effects.read_narrowing import narrowed_read, tested_classes, tested_variable
from qprep.analysis.effects.reference_sets import classes_of, union
from qprep.analysis.effects.stored_attributes import attached_to, given_outside, given_to_class, of_computed, of_stored
from qprep.analysis.effects.value_keys import (
    AttachedKey,
    ComputedKey,
    GivenKey,
    GivenObjectsKey,
    KeptKey,
    Key,
    OutsideKey,
    ResultKey,
    StoredKey,
    VariableKey,
    WrittenKey,
)
from qprep.analysis.effects.variable_tests import Variable
from qprep.analysis.effects.variable_values import of_binding, of_variable
from qprep.analysis.symbols.module_resolver import Project
from qprep.analysis.values.abstract_values import ClassRef


class PointsTo(Evaluation):
    """The points-to sets of a project's expressions."""

    def __init__(
        self,
        project: Project,
        modules: Iterable[str],
        may_hold: Callable[[ClassRef, str], bool] = lambda _cls, _attribute: True,
        has_own: Callable[[ClassRef, str], bool] = lambda _cls, _attribute: True,
    ) -> None:
        """`may_hold` says whether an attribute of a class may hold anything but numbers, texts and tensors.

        `has_own` says whether the code of a class, or of its bases, gives its instances an attribute.
        """
        super().__init__(project, modules, may_hold, has_own)
        self.calls = CallGraph(self)
        self.implicit = ImplicitCalls(self)

    def _compute(self, key: Key, scope: LexicalScope | None) -> References:
        match key:
            case ast.expr() if scope is not None:
                return of_expression(self, key, scope)
            case VariableKey(scope=home, name=name):
                return of_variable(self, home, name)
            case ResultKey(scope=function):
                return union(self.get(node, function) for node in function.returned)
            case StoredKey(cls=cls, attribute=attribute):
                return of_stored(self, cls, attribute)
            case KeptKey():
                return of_kept(self, key)
            case OutsideKey(attribute=attribute, of_foreign=of_foreign):
                return given_outside(self, attribute, of_foreign)
            case ComputedKey(holder=holder, attribute=computed):
                return of_computed(self, holder, computed)
            case AttachedKey(holder=name):
                return attached_to(self, name)
            case GivenKey(cls=cls, field=field):
                return given_to_class(self, cls, field)
            case GivenObjectsKey(scope=scope, name=name):
                return objects_given(self, scope, name)
            case WrittenKey(functions=functions):
                return given_to_writers(self, functions)
        raise TypeError(f"no value is computed for {key!r}")

    def where(self, module: str, node: ast.AST) -> References:
        """The objects that an expression of a module may refer to at its place."""
        file = self.file(module)
        if file is None or not isinstance(node, ast.expr) or node not in file.parents:
            return NOTHING
        return self.get(node, file.scope_of(node))

    def of_parameters(self, scope: LexicalScope) -> References:
        """The objects that a function's parameters may refer to, except for the first of a method."""
        names = [name for name, bound in scope.bindings.items() if any(b.kind is BindingKind.PARAMETER for b in bound)]
        return union(self.get(VariableKey(scope, name)) for name in names if name != scope.receiver)

    def of_attribute(self, cls: ClassRef, attribute: str) -> References:
        """The objects that an attribute of a class's instances may refer to, by the project's assignments."""
        return self.get(StoredKey(cls, attribute))

    def variables(self, scope: LexicalScope) -> References:
        """The objects that all variables of a scope may refer to."""
        return every_binding(self, scope)

    def variables_at(self, node: ast.AST, scope: LexicalScope) -> References:
        """The objects that the variables of a scope may refer to while code at a place runs."""
        names = bound_at(node, scope)
        return frozenset().union(*(self.get(VariableKey(scope, name)) for name in names))

    def held_by(self, references: References) -> References:
        """The objects that attributes may hold, by any name."""
        return frozenset(Reference(Held(cls, None)) for cls in classes_of(references))

    def kept_in(self, scope: LexicalScope, name: str) -> References:
        """The values stored in the object of a variable."""
        return self.get(KeptKey(scope, name))

    def set_by_computed_names(self, cls: ClassRef) -> References:
        """The values of attributes of instances of a class that code sets by names which are not written out."""
        return self.get(ComputedKey(cls))

    def set_from_outside(self, holder: ClassRef | str) -> References:
        """The values that code outside gives attributes of objects of a class, by any name.

        Of a class of the project, those count whose object is known to be of it: what it may be is read by name.
        """
        return self.get(AttachedKey(holder))

    def given_to(self, cls: ClassRef) -> References:
        """The items that calls of a container class, and its own methods, store in its instances."""
        return self.get(GivenKey(cls))

    def of_binding(self, scope: LexicalScope, name: str, binding: Binding) -> References:
        """The values that one binding gives a name."""
        return of_binding(self, scope, name, binding)

    def of_dotted(self, dotted: str) -> References:
        """The object of a dotted name: a class, a function, a value of a module, or one of another package."""
        return of_dotted(self, dotted)

    def default(self, scope: LexicalScope, name: str) -> References:
        """The objects that the default of a parameter refers to."""
        return default_of(self, scope, name)

    def attribute(self, references: References, name: str) -> References:
        """The objects that `x.name` may refer to if `x` refers to `references`."""
        return attribute_of(self, references, name)

    def may_keep(self, cls: ClassRef, name: str) -> bool:
        """True if an attribute of a class may hold anything but numbers, texts and tensors."""
        return may_keep(self, cls, name)

    def may_hold(self, name: str) -> bool:
        """True if an attribute of this name holds, on some object, anything but numbers, texts and tensors."""
        return may_hold_on_some(self, name)

    def class_of(self, references: References) -> References:
        """The classes of objects: `type(x)`."""
        return classes_of_objects(self, references)

    def narrowed(self, node: ast.Name, found: References, home: LexicalScope) -> References:
        """The objects that a variable may refer to at a read, after the tests on the way there."""
        return narrowed_read(self, node, found, home)

    def variable(self, name: str, scope: LexicalScope) -> Variable:
        """A variable of a scope, as tests of its class are read."""
        return tested_variable(self, name, scope)

    def tested_classes(self, node: ast.expr, scope: LexicalScope) -> frozenset[ClassRef | str] | None:
        """The classes that the second argument of `isinstance` names; None where they are not known."""
        return tested_classes(self, node, scope)

    def below(self, references: References, *, is_direct: bool = False) -> References:
        """Modules below any of several objects; their children alone where `is_direct`."""
        return modules_below(self, references, is_direct=is_direct)
