"""Faults of hand-written eager quantization: one record per place."""

from __future__ import annotations

from dataclasses import dataclass, field

from qprep.analysis.places import Place, Unit


@dataclass(slots=True)
class FusedName:
    """A name in a fuse list that the class does not have; `close` are names that may be meant, best first."""

    place: Place
    unit: Unit
    function: str
    name: str
    owner: str  # the class, or `self.layer1`
    close: tuple[str, ...]


@dataclass(slots=True)
class FusedAgain:
    """A module in a fuse list that another list of the call has, or that runs more than once."""

    place: Place
    unit: Unit
    function: str
    name: str
    runs: bool  # True: it runs more than once in forward; False: it is listed twice
    meant: str | None = None  # what forward calls behind the module before it, where that is another one


@dataclass(slots=True)
class FusedWrongly:
    """A member of a fuse list at which the sequence of classes becomes one that cannot be fused."""

    place: Place
    unit: Unit
    function: str
    name: str
    classes: tuple[str, ...]
    droppable: bool  # the list without it can be fused


@dataclass(slots=True)
class UnfusedPair:
    """A convolution or linear layer and its BatchNorm that no fuse list names; `place` is the BatchNorm's call."""

    place: Place
    unit: Unit
    function: str
    names: tuple[str, str]
    classes: tuple[str, str]
    fuse_list: Place | None  # the list of lists that could name them


@dataclass(slots=True)
class MissingStub:
    """A stub without its counterpart, or one that is made and never called."""

    place: Place
    unit: Unit
    function: str
    stub: str  # what is missing, or never called
    attribute: str | None  # None: it is missing altogether


@dataclass(slots=True)
class SharedFunctional:
    """A FloatFunctional that a second operation uses, or the same one in every iteration of a loop."""

    place: Place
    unit: Unit
    function: str
    attribute: str
    method: str
    loops: bool


@dataclass(slots=True)
class InlineFunctional:
    """A FloatFunctional made inside forward."""

    place: Place
    unit: Unit
    function: str
    method: str  # what is called on it right away, "" where it is kept
    loops: bool


@dataclass(slots=True)
class UnfusedModel:
    """A class with modules that can be fused and no `fuse_model`; `inner`: classes inside it have some, too."""

    place: Place
    unit: Unit
    function: str
    name: str
    lists: tuple[tuple[str, ...], ...]
    inner: bool
    waits: bool  # some of its activations have no module of their own yet, which could be fused


@dataclass(slots=True)
class UnstubbedModel:
    """A model without stubs; `parameter` is the one tensor that forward takes, where it gives back tensors alone."""

    place: Place
    unit: Unit
    function: str
    name: str
    parameter: str | None


@dataclass(slots=True)
class SumAndRelu:
    """A sum of a FloatFunctional whose output a ReLU alone takes; `place` is the ReLU's call, `total` the sum's."""

    place: Place
    unit: Unit
    function: str
    relu: str
    total: Place


@dataclass(slots=True)
class QuantizedView:
    """`x.view(…)`, which a quantized tensor with the strides of a convolution's output does not allow."""

    place: Place
    unit: Unit
    function: str


EagerSite = (
    FusedName
    | FusedAgain
    | FusedWrongly
    | UnfusedPair
    | MissingStub
    | SharedFunctional
    | InlineFunctional
    | UnfusedModel
    | UnstubbedModel
    | SumAndRelu
    | QuantizedView
)


@dataclass(slots=True)
class EagerFacts:
    """All records, by place."""

    unknown_names: dict[Place, FusedName] = field(default_factory=dict)
    again: dict[Place, FusedAgain] = field(default_factory=dict)
    wrong: dict[Place, FusedWrongly] = field(default_factory=dict)
    pairs: dict[Place, UnfusedPair] = field(default_factory=dict)
    stubs: dict[Place, MissingStub] = field(default_factory=dict)
    shared: dict[Place, SharedFunctional] = field(default_factory=dict)
    inline: dict[Place, InlineFunctional] = field(default_factory=dict)
    unfused: dict[Place, UnfusedModel] = field(default_factory=dict)
    unstubbed: dict[Place, UnstubbedModel] = field(default_factory=dict)
    sums: dict[Place, SumAndRelu] = field(default_factory=dict)
    views: dict[Place, QuantizedView] = field(default_factory=dict)
    outside: set[Place] = field(default_factory=set)  # of OpSites: not between the stubs that their class has
    islands: set[Place] = field(default_factory=set)  # of OpSites: what a QuantStub is given, between float tensors
    cats: set[Place] = field(default_factory=set)  # of OpSites: torch.cat on quantized tensors
