"""A function to be called, and the arguments of one call."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qprep.analysis.values.abstract_values import Kind, flows

if TYPE_CHECKING:
    from qprep.analysis.symbols.symbol_table import FileIndex
    from qprep.analysis.values.abstract_values import ClassRef


@dataclass(slots=True)
class Arguments:
    """The arguments of one call, evaluated."""

    args: list[Kind] = field(default_factory=list)
    keywords: dict[str, Kind] = field(default_factory=dict)
    nodes: list[ast.expr] = field(default_factory=list)
    exact: bool = True  # False where `*args` or `**kwargs` of unknown length take part
    is_open: bool = False  # the last of `args` is any number of arguments
    sources: list[ast.expr] = field(default_factory=list)  # of each of `args`: several are of one `*list`
    unpacked: list[tuple[Kind, ast.expr]] = field(default_factory=list)  # what `*list` and `**dict` give

    def all(self) -> list[Kind]:
        """Every argument."""
        return [*self.args, *self.keywords.values()]

    @property
    def flows(self) -> bool:
        """True if an activation is among them."""
        return any(map(flows, self.args)) or any(map(flows, self.keywords.values()))

    @property
    def key(self) -> object:
        """A key that is the same for calls of one function with the same arguments."""
        return tuple(self.args), tuple(sorted(self.keywords.items())), self.exact, self.is_open


@dataclass(frozen=True, slots=True)
class Callee:
    """A function to be evaluated: where it stands, what it is bound to, and the class whose method it is.

    is_entry   no known call in the project has these arguments: its parameters are assumed to be activations
    is_beside  it is an entry other than forward: the uses of its parameters decide if they are activations or settings
    """

    index: FileIndex
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    bound: Kind | None = None
    cls: ClassRef | None = None
    is_entry: bool = False
    is_beside: bool = False

    @property
    def constructs(self) -> bool:
        """True if it is a constructor."""
        return isinstance(self.node, ast.FunctionDef) and self.node.name == "__init__"
