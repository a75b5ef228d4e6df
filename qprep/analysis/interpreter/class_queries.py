"""Classes of a project: which are nn.Modules, and what their families define."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qprep.analysis.values.abstract_values import (
    ClassRef,
    External,
)

if TYPE_CHECKING:
    from qprep.analysis.symbols.module_resolver import Project


_CONTAINERS = frozenset(("torch.nn.Sequential", "torch.nn.ModuleList", "torch.nn.ModuleDict"))
_NO_MODULE = (
    "builtins.",
    "abc.",
    "typing.",
    "enum.",
    "torch.autograd",
    "torch.optim",
    "collections.",
    "torch.utils.data",
)
_NO_MODULES = frozenset(("object", "dataclasses.dataclass"))


class ClassQueries:
    """Answers of one project, from the bases of classes and the names in their bodies."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._module_classes: dict[ClassRef, bool] = {}

    def is_module(self, ref: ClassRef) -> bool:
        """True if a class is an nn.Module, as far as the source shows."""
        if ref not in self._module_classes:
            chain = self.project.mro(ref)
            external = [base.name for base in chain if isinstance(base, External)]
            known = any(name.startswith("torch.nn.") for name in external)
            foreign = any(not name.startswith(_NO_MODULE) and name not in _NO_MODULES for name in external)
            has_forward = self.defines_method(ref, "forward")
            autograd = any(name.startswith("torch.autograd") for name in external)
            self._module_classes[ref] = known or (foreign and has_forward and not autograd)
        return self._module_classes[ref]

    def is_container(self, ref: ClassRef) -> bool:
        """True if a class inherits from torch.nn's Sequential, ModuleList or ModuleDict."""
        return any(isinstance(base, External) and base.name in _CONTAINERS for base in self.project.mro(ref))

    def defines(self, ref: ClassRef, name: str) -> bool:
        """True if a project class of the family of `ref` has a method called `name`."""
        for base in self.project.mro(ref):
            entry = self.project.class_summary(base) if isinstance(base, ClassRef) else None
            if entry is not None and (name in entry.methods or name in entry.values):
                return True
        return False

    def defines_method(self, ref: ClassRef, name: str) -> bool:
        """True if `name` is a method of a project class of the family of `ref`."""
        bases = (base for base in self.project.mro(ref) if isinstance(base, ClassRef))
        return any(name in (self.project.methods(base) or ()) for base in bases)
