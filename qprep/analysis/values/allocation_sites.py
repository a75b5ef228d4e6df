"""Allocation sites: where code makes a module, and through which calls and items the instance is reached."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from qprep.analysis.values.access_paths import AccessPath

if TYPE_CHECKING:
    import ast


class CodePosition(NamedTuple):
    """The start of an expression in a file."""

    module: str
    line: int
    column: int

    @classmethod
    def of(cls, module: str, node: ast.expr) -> CodePosition:
        """Return the position of a node of the file that is imported as `module`."""
        return cls(module, node.lineno, node.col_offset)

    def __str__(self) -> str:
        return f"{self.module}:{self.line}:{self.column}"


class ContainerItem(NamedTuple):
    """An item of a container that the steps before make, by the source of its index."""

    text: str

    def __str__(self) -> str:
        return self.text


SiteStep = CodePosition | ContainerItem | AccessPath


class AllocationSite(NamedTuple):
    """A place that makes exactly one module.

    steps      the expression that makes it; before that the calls around it or the path of the object around it,
               outermost first; behind it the item of a container
    is_common  it is made once, for whatever takes it: by a file, a class or the default of a parameter
    """

    steps: tuple[SiteStep, ...]
    is_common: bool = False

    def __str__(self) -> str:
        return ("common " if self.is_common else "") + "/".join(map(str, self.steps))

    def __repr__(self) -> str:
        return repr(str(self))

    @property
    def position(self) -> CodePosition | None:
        """The outermost expression; None where the site belongs to an object that a path reaches."""
        first = self.steps[0]
        return first if isinstance(first, CodePosition) else None

    @property
    def not_common(self) -> AllocationSite:
        """The same place, for the object that takes what is made there."""
        return AllocationSite(self.steps)

    def item(self, index: str) -> AllocationSite:
        """Return the site of an item of the container that is made here."""
        return AllocationSite((*self.steps, ContainerItem(index)), self.is_common)

    def called_from(self, call: AllocationSite) -> AllocationSite:
        """Return the site for one call of the function that makes the module (1-call-site sensitivity)."""
        return AllocationSite((*call.steps, *self.steps), call.is_common)

    def below(self, path: AccessPath) -> AllocationSite:
        """Return the site for the object at `path`, whose class makes the module."""
        return AllocationSite((path, *self.steps))

    def generalized(self) -> AllocationSite:
        """Return the site once its loop is over: indices of the path to it may be any."""
        steps = (step.generalized() if isinstance(step, AccessPath) else step for step in self.steps)
        return AllocationSite(tuple(steps), self.is_common)


Origin = AllocationSite | AccessPath
"""What tells an instance from others: where it was made, or the path under which it was first known."""
