"""Facts about one class of modules, of the project or of torch: its bases, attributes, state and modes."""

from __future__ import annotations

import re
from functools import cached_property

from qprep.analysis.effects.attribute_names import is_any, may_be
from qprep.analysis.interpreter.protocol import Analysis
from qprep.analysis.symbols.definition_names import DefinitionName
from qprep.analysis.values.abstract_values import ClassRef, External
from qprep.foundation.catalogue.call_signature import parse_constructor
from qprep.foundation.catalogue.torch_bases import TORCH_BASES

TORCH = "torch.nn."
RUNTIME = "qprep.runtime_modules."
COPIED = "copied:"
"""Before the name of a class of another package: what `another(…, plain=True)` makes of its instances."""
# Bases of runtime modules beyond nn.Module, by the names that torch gives them.
_RUNTIME_BASES = {
    "PerCall": ("ModuleList",),
    **{name: (name, "RNNBase") for name in ("GRU", "LSTM", "RNN")},
    **{name: (name, "RNNCellBase") for name in ("GRUCell", "LSTMCell", "RNNCell")},
}
ROOTS = frozenset(("torch.nn.Module", "builtins.object"))
_CALL_ATTRIBUTES = frozenset(["forward", "__call__", "__class__", "training", "_forward_hooks", "_forward_pre_hooks"])
# Modules whose result depends on `training`, by parts of the names that torch gives them.
_MODAL = re.compile(r"Dropout|RReLU|BatchNorm|InstanceNorm")
ModuleClass = ClassRef | str


class ClassFacts:
    """Facts about classes that follow from their definitions and from the catalogue alone."""

    def __init__(self, analysis: Analysis) -> None:
        self.analysis = analysis
        self.project = analysis.project

    def is_subclass(self, cls: ModuleClass, other: ModuleClass) -> bool | None:
        """True if a class inherits from another; None where that is not known."""
        if cls == other or other in ROOTS:
            return True
        if isinstance(cls, ClassRef):
            bases = self.project.mro(cls)
            if isinstance(other, ClassRef):
                return True if other in bases else None if External("?") in bases else False
            names = [base.name for base in bases if isinstance(base, External)]
            answers = [self.is_subclass(name, other) for name in names if name not in ROOTS]
            return True if True in answers else None if None in answers else False
        if isinstance(other, ClassRef):
            return False
        if cls.startswith(COPIED) and self._is_of_layers(other):
            return False
        if not cls.startswith((TORCH, RUNTIME)):
            return None
        # All bases are known. Another package may export a class of torch under its own name.
        bases_of = (
            TORCH_BASES.get(short_name(cls), ()) if cls.startswith(TORCH) else _RUNTIME_BASES.get(short_name(cls), ())
        )
        return short_name(other) in (short_name(cls), *bases_of)

    def has_attribute(self, cls: ModuleClass, pattern: str) -> bool:
        """True if a class, or a call of its instances, has a use for an attribute of this name."""
        if is_any(pattern) or any(may_be(pattern, name) for name in _CALL_ATTRIBUTES):
            return True
        if isinstance(cls, ClassRef):
            names = {*self.analysis.attributes_of(cls).names, *self.project.method_names(cls)}
            return any(may_be(pattern, name) for name in names)
        known = self.analysis.catalogue.nn_module(cls.removeprefix(TORCH)) if cls.startswith(TORCH) else None
        names = set(known.parameters) | {flag for flag, _ in known.flags} if known is not None else set()
        if known is None:
            names = self._runtime_settings(short_name(cls))
        if known is not None and known.may_have_state:
            names |= {"weight", "bias", "running_mean", "running_var", "eps", "momentum"}
        return any(may_be(pattern, name) for name in names)

    def _runtime_settings(self, name: str) -> set[str]:
        """The settings of a class of qprep.runtime_modules; what is no operation has none."""
        row = self.analysis.catalogue.runtime_module(name)
        return set(parse_constructor(row.module).parameters) if row is not None and row.module is not None else set()

    def is_modal(self, cls: ModuleClass) -> bool:
        """True if the result of a module depends on its training mode."""
        if isinstance(cls, str) and cls.startswith(TORCH):
            return bool(_MODAL.search(short_name(cls)))
        return isinstance(cls, ClassRef)

    def is_layer(self, cls: ModuleClass) -> bool:
        """True if a class is one operation of torch.nn with parameters."""
        known = self.analysis.catalogue.nn_module(str(cls).removeprefix(TORCH)) if str(cls).startswith(TORCH) else None
        return known is not None and known.may_have_state and not (known.is_container or known.is_compound)

    def _is_of_layers(self, cls: str) -> bool:
        """True for a layer of torch.nn with parameters, and for a base of such layers alone."""
        return cls.startswith(TORCH) and (self.is_layer(cls) or short_name(cls) in self._layer_bases)

    @cached_property
    def _layer_bases(self) -> frozenset[str]:
        bases: dict[bool, set[str]] = {True: set(), False: set()}
        for name, above in TORCH_BASES.items():
            bases[self.is_layer(f"{TORCH}{name}")].update(above)
        return frozenset(bases[True] - bases[False])

    def is_stateless(self, cls: ModuleClass) -> bool:
        """True if a second instance of a class is a plain one of the same class."""
        if isinstance(cls, ClassRef):
            return False
        known = self.analysis.catalogue.nn_module(cls.removeprefix(TORCH)) if cls.startswith(TORCH) else None
        return known is not None and not (known.may_have_state or known.is_container or known.is_compound)


def short_name(cls: ModuleClass) -> str:
    """The name of a class without its module and its line."""
    name = cls.name if isinstance(cls, ClassRef) else cls.removeprefix(COPIED)
    return DefinitionName.parse(name).name


def is_foreign(cls: ModuleClass) -> bool:
    """True for a class of a package that is neither read nor torch nor qprep."""
    return isinstance(cls, str) and not cls.startswith((TORCH, RUNTIME))
