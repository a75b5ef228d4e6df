"""The attributes of the instances of one class, as the evaluation of its constructor finds them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qprep.analysis.values.abstract_values import Kind, Module, flows, join, options

if TYPE_CHECKING:
    from qprep.analysis.places import Place, Unit


@dataclass(frozen=True, slots=True)
class Creation:
    """One place that gives an attribute its value."""

    place: Place
    unit: Unit
    function: str
    kind: Kind


@dataclass(slots=True)
class Attribute:
    """The value of an attribute of self, and every place that assigns it."""

    kind: Kind
    creations: dict[Place, Creation] = field(default_factory=dict)


@dataclass(slots=True)
class Attributes:
    """The attributes of one class's instances."""

    names: dict[str, Attribute] = field(default_factory=dict)
    dynamic: Kind | None = None  # modules added under unknown names
    has_new_flow: bool = False  # since that was last looked at, an input began to flow into an attribute
    renewed: set[str] = field(default_factory=set)  # those whose operations have an instance for each call

    def add(self, name: str, kind: Kind, creation: Creation | None) -> None:
        """`self.name` may be `kind`."""
        entry = self.names.get(name)
        if entry is None:
            entry = self.names[name] = Attribute(kind)
        else:
            before, entry.kind = entry.kind, join(entry.kind, kind)
            self.has_new_flow = self.has_new_flow or (flows(entry.kind) and not flows(before))
        if creation is not None:
            entry.creations.setdefault(creation.place, creation)

    def add_dynamic(self, kind: Kind) -> None:
        """A module is added under an unknown name."""
        self.dynamic = kind if self.dynamic is None else join(self.dynamic, kind)

    @property
    def holds_modules(self) -> bool:
        """True if an instance has, or may have, children."""
        return self.dynamic is not None or any(
            any(isinstance(option, Module) for option in options(entry.kind)) for entry in self.names.values()
        )
