"""Classes that say by themselves which objects `isinstance` takes for their instances."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qprep.analysis.effects.abstract_objects import Base, ClassObject, Named
from qprep.analysis.values.abstract_values import ClassRef, External
from qprep.foundation.catalogue.torch_bases import TORCH_BASES

if TYPE_CHECKING:
    from qprep.analysis.effects.object_queries import MethodQueries

# Of these packages, classes look at the methods of an object: `Callable`, `Hashable`, `SupportsFloat`.
_BY_METHODS = ("collections.abc.", "typing.", "typing_extensions.")
_HOOKS = ("__subclasshook__", "__instancecheck__", "__subclasscheck__")
_PLAIN_METACLASSES = frozenset(("builtins.type", "abc.ABCMeta", "enum.EnumMeta", "enum.EnumType"))
_ABSTRACT = frozenset(("abc.ABC", "abc.ABCMeta"))


def may_have_any_instance(points_to: MethodQueries, base: Base) -> bool:
    """True if objects of classes that do not inherit from a class may be instances of it; or if it is not known."""
    match base:
        case Named(name=name):
            return name.startswith(_BY_METHODS) or name.endswith(".*")
        case ClassObject(cls=str(name)):
            return name.startswith(_BY_METHODS) and name.rpartition(".")[2] not in TORCH_BASES
        case ClassObject(cls=ClassRef() as cls):
            return _decides(points_to, cls)
    return False


def _decides(points_to: MethodQueries, cls: ClassRef) -> bool:
    bases = points_to.project.mro(cls)
    names = {each.name for each in bases if isinstance(each, External)}
    if any(name.startswith(_BY_METHODS) and name.rpartition(".")[2] == "Protocol" for name in names):
        return True
    if points_to.method(cls, _HOOKS[0]):
        return True
    kinds = points_to.metaclasses(cls)
    for kind in kinds:
        if isinstance(kind, ClassRef) and any(points_to.method(kind, hook) for hook in _HOOKS):
            return True
        if isinstance(kind, str) and kind not in _PLAIN_METACLASSES:
            return True
    is_abstract = bool(kinds) or not names.isdisjoint(_ABSTRACT)
    return is_abstract and points_to.has_virtual_subclasses(cls)
