"""The result of a codemod: changed characters, new attributes, imports."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qprep.foundation.findings import Applicability

if TYPE_CHECKING:
    from qprep.analysis.places import Place, Unit
    from qprep.rewriting.composed_edits import Piece


@dataclass(frozen=True, slots=True)
class Import:
    """`from module import name`, bound as `alias` where the file has that name already.

    `beside` is a name that the file imports from the module `home`: the import goes to the same statement.
    """

    module: str
    name: str
    alias: str | None = None
    home: str = ""
    beside: str | None = None


OWNER = "<owner>"  # in place of self in the text of a declaration, until it is known where that goes


@dataclass(frozen=True, slots=True)
class Declaration:
    """A new attribute of self: `self.name = expression`; at the end of __init__, or behind a statement.

    Without a name it is a statement of its own. `in_body`: it is an attribute of the class, `name = expression`.
    """

    unit: Unit
    name: str
    expression: str
    after: Place | None = None  # an expression inside the statement that it follows; None: the end of __init__
    in_body: bool = False

    def line(self, owner: str) -> str:
        """The statement, where self is called `owner`."""
        expression = self.expression.replace(OWNER, owner)
        if self.in_body:
            return f"{self.name} = {expression}"
        return f"{owner}.{self.name} = {expression}" if self.name else expression


@dataclass(frozen=True, slots=True)
class Doubt:
    """The reason why a rewrite is not proven safe, and the code that causes it."""

    reason: str
    place: Place


@dataclass(frozen=True, slots=True)
class Rewrite:
    """All that one finding's fix needs; it is made whole or not at all."""

    place: Place
    unit: Unit
    function: str
    pieces: tuple[Piece, ...]
    declarations: tuple[Declaration, ...] = ()
    imports: frozenset[tuple[str, Import]] = field(default_factory=frozenset)  # (module of the file, import)
    message: str = ""
    applicability: Applicability = Applicability.SAFE
    callees: frozenset[Unit] = frozenset()  # a call of functions, of which one must become a module for this to hold
    doubts: tuple[Doubt, ...] = ()  # with any, the rewrite is unsafe
    dispatched: bool = False  # which function is called, the run decides
    beside: tuple[tuple[str, Piece], ...] = ()  # pieces of other files, or of other sites too, by module
    listings: frozenset[Place] = frozenset()  # lists of children that are rewritten with it: they leave new ones out
