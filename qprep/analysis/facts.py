"""Results of the analysis: plain data, one record per place in the source."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qprep.analysis.eager.eager_facts import EagerFacts
from qprep.analysis.places import Place, Unit

if TYPE_CHECKING:
    from qprep.analysis.values.abstract_values import ClassRef
    from qprep.analysis.values.access_paths import AccessPath
    from qprep.foundation.catalogue.lookup import Spelling
    from qprep.foundation.catalogue.op import Op

MANY = 2


@dataclass(slots=True)
class OpSite:
    """An operation on activations outside a dedicated module."""

    place: Place
    op: Op
    spelling: Spelling | None
    form: str  # operator | augmented | unary | function | method | builtin
    unit: Unit
    function: str  # qualified name of the function that holds it
    scalar: bool = False  # the other operand is a Python number on every path
    number_first: bool = False  # that number stands before the tensor on some path
    count: int = 1  # most runs in one call of the unit; MANY for two or more
    owned: bool = True  # owned by a dedicated operation module in every class that runs it
    is_loss: bool = False  # it only computes a loss, wherever it runs


@dataclass(slots=True)
class HelperCall:
    """A call of a function outside classes that runs operations on activations."""

    place: Place
    callees: set[Unit]  # one, or as many as the value that is called may be
    unit: Unit
    function: str
    count: int = 1
    direct: bool = False  # what is called there is the function itself, not something that calls it


@dataclass(slots=True)
class ModuleCall:
    """A call of a module reached through self."""

    place: Place
    unit: Unit
    function: str
    path: AccessPath  # relu, block.act, layers[*]
    classes: set[str] = field(default_factory=set)  # what the module may be: "torch.nn.ReLU", "pkg.mod.Block", "?"
    parts: set[str] = field(default_factory=set)  # what the module holds as items, at any depth
    count: int = 1  # runs of this call for one instance
    again: bool = False  # another call on the same path ran the same instance before
    has_state: bool = False  # the module has, or may have, parameters or buffers
    is_common: bool = False  # it is made once for all: with the file or the class, or as a parameter's default

    is_named: bool = True  # what is called there is a name for this very module

    @property
    def classes_inside(self) -> set[str]:
        """The classes of the module and of its items."""
        return self.classes | self.parts

    @property
    def runs_again(self) -> bool:
        """True if one instance runs a second time here, and might have one for each call."""
        return (self.again or self.count >= MANY) and not self.is_common


@dataclass(slots=True)
class Sharing:
    """One module instance put into several places at construction."""

    place: Place  # the second or later use of the instance
    unit: Unit
    function: str
    how: str  # attribute | container | argument | unpacked | copy | repetition | common
    classes: set[str] = field(default_factory=set)


@dataclass(slots=True)
class HeldFunction:
    """A function kept as a value and called as an activation: `self.act = F.gelu`."""

    place: Place  # the expression that is stored
    unit: Unit
    function: str
    attribute: str
    name: str  # the function's qualified name, "?" where unknown


@dataclass(slots=True)
class Compound:
    """A construction of a compound module that hides its stages."""

    place: Place  # the name of the class, or `getattr(nn, kind)`
    classes: tuple[str, ...]  # what is constructed: "torch.nn.LSTM"; of `getattr` all that it can be
    unit: Unit  # the file itself: a name is replaced, nothing is added to a class
    is_fetched: bool = False
    function: str = ""


@dataclass(slots=True)
class TiedParameter:
    """A Parameter that is given a second name."""

    place: Place  # the expression that names it first
    unit: Unit
    function: str
    first: str  # "self.encoder.weight"
    second: str


@dataclass(slots=True)
class ChildIteration:
    """The children of another module are taken by position, or counted."""

    place: Place
    unit: Unit  # the file itself, as for a compound
    method: str  # children | named_children, "" where only the original ones are taken already
    function: str = ""
    classes: set[ClassRef] = field(default_factory=set)  # of the module, where known


@dataclass(slots=True)
class ScriptedCall:
    """A call, on activations, of a function that TorchScript compiles."""

    place: Place
    unit: Unit
    function: str
    name: str


@dataclass(slots=True)
class UnregisteredLayers:
    """A plain list, tuple or dict of layers, held as an attribute of a module that runs them."""

    place: Place  # the expression that is stored
    unit: Unit
    function: str
    attribute: str


@dataclass(slots=True)
class Unknown:
    """An operation on values of unknown kind."""

    place: Place
    symbol: str


@dataclass(frozen=True, slots=True)
class Numbered:
    """A function in which children of a class are numbered."""

    cls: ClassRef
    function: tuple[str, str]  # module and qualified name


@dataclass(slots=True)
class Facts:
    """All records, by place."""

    ops: dict[Place, OpSite] = field(default_factory=dict)
    helpers: dict[Place, HelperCall] = field(default_factory=dict)
    calls: dict[Place, ModuleCall] = field(default_factory=dict)
    sharing: dict[Place, Sharing] = field(default_factory=dict)
    held: dict[Place, HeldFunction] = field(default_factory=dict)
    compounds: dict[Place, Compound] = field(default_factory=dict)
    tied: dict[Place, TiedParameter] = field(default_factory=dict)
    compared: dict[str, str] = field(default_factory=dict)  # compound classes that are compared, with a place each
    child_iterations: dict[Place, ChildIteration] = field(default_factory=dict)
    numbered: set[Numbered] = field(default_factory=set)
    scripted: dict[Place, ScriptedCall] = field(default_factory=dict)
    unregistered: dict[Place, UnregisteredLayers] = field(default_factory=dict)
    unknown: dict[Place, Unknown] = field(default_factory=dict)
    eager: EagerFacts = field(default_factory=EagerFacts)
    entered: dict[tuple[Unit, str], int] = field(default_factory=dict)  # runs of a function in one call of its unit
    _unknown_by_module: dict[str, list[Unknown]] | None = None
    callers: dict[Unit, set[Place]] = field(default_factory=dict)
    roots: dict[Unit, set[ClassRef]] = field(default_factory=dict)

    def unknown_in(self, module: str) -> list[Unknown]:
        """The places of unknown kind in one file, once all are known."""
        if self._unknown_by_module is None:
            self._unknown_by_module = {}
            for place, unknown in self.unknown.items():
                self._unknown_by_module.setdefault(place.module, []).append(unknown)
        return self._unknown_by_module.get(module, [])
