"""The scope of a rewrite: the file, the owner of the operation, and the names that it may use there."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from itertools import count, islice
from typing import TYPE_CHECKING

from qprep.analysis.symbols.private_names import spelled_out
from qprep.foundation.findings import Applicability, Rejection, RejectionCode
from qprep.rewriting import imports, mixins, plain_objects
from qprep.rewriting.loop_bounds import known_length
from qprep.rewriting.rewrite_result import OWNER, Declaration, Import

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from qprep.analysis.places import Place, Unit
    from qprep.analysis.symbols.symbol_table import FileIndex
    from qprep.foundation.catalogue.targets import Target
    from qprep.rewriting.composed_edits import Piece
    from qprep.rewriting.fix_session import RewriteContext
    from qprep.rewriting.source_code import Code

# What gives a place instances of its own, whichever library they are of.
_NEUTRAL = frozenset(("PerCall", "another", "distinct", "unshared"))

# Names of targets that say nothing about the value.
_PLAIN_TARGETS = frozenset(
    ["x", "y", "z", "out", "output", "outputs", "ret", "res", "result", "results", "self", "input", "inputs", "tmp"]
)


class RejectedError(Exception):
    """A rewrite that cannot be made, with the reason and its kind."""

    def __init__(self, reason: str, code: RejectionCode) -> None:
        super().__init__(reason)
        self.rejection = Rejection(reason, code)


def _is_never_set(_name: str) -> bool:
    return False


@dataclass(slots=True)
class AttributeNames:
    """Names of attributes of one unit: those taken, and the prefix for new ones.

    `barred`: how none may begin; `is_set` says whether code outside the unit sets an attribute of a name.
    """

    taken: list[AbstractSet[str]]  # in parts, which the classes of a family share
    prefix: str = ""
    patterns: tuple[str, ...] = ()
    barred: tuple[str, ...] = ()
    is_set: Callable[[str], bool] = _is_never_set
    given: set[str] = field(default_factory=set)
    numbers: dict[str, int] = field(default_factory=dict)  # by the base of a name: all below are taken

    def fresh(self, base: str, hint: str = "") -> str:
        """A free name: `base`, then `base_hint` where the target's name helps, then `base_1` …"""
        base = self.prefix + base
        if base.startswith(self.barred):
            raise RejectedError(f"`{base}` has the prefix of the children that the class looks up", RejectionCode.NAME)
        name = next(name for name in self._candidates(base, hint) if not self._is_taken(name))
        if self._is_made_up(name):
            # A pattern that matches every candidate says nothing about any of them.
            tried = islice(self._candidates(base, hint), 3 * self._number)
            free = (other for other in tried if not self._is_taken(other) and not self._is_made_up(other))
            name = next(free, name)
        self.given.add(name)
        return name

    def _candidates(self, base: str, hint: str) -> Iterator[str]:
        yield base
        if hint and base in self.given:
            yield f"{base}_{hint}"
        for number in range(self.numbers.get(base, 1), self._number):
            if self.numbers.get(base, 1) == number and self._is_taken(f"{base}_{number}"):
                self.numbers[base] = number + 1
            else:
                yield f"{base}_{number}"
        for letter in "qz":
            for number in count(1):
                yield f"{base}{letter}{number}"

    @property
    def _number(self) -> int:
        """More than there are names."""
        return sum(map(len, self.taken)) + len(self.given) + 2

    def _is_taken(self, name: str) -> bool:
        if name in self.given or name.startswith(self.barred) or any(name in part for part in self.taken):
            return True
        return self.is_set(name)

    def _is_made_up(self, name: str) -> bool:
        return any(re.fullmatch(pattern, name) for pattern in self.patterns)


@dataclass(slots=True)
class Scope:
    """One site to rewrite; it collects what the rewrite declares and imports."""

    context: RewriteContext
    code: Code
    index: FileIndex
    unit: Unit
    names: AttributeNames
    owner: str  # how the owner is called here: "self"
    node: ast.AST
    declarations: list[Declaration] = field(default_factory=list)
    imports: set[tuple[str, Import]] = field(default_factory=set)  # (module of the file, import)
    texts: dict[tuple[str, str], str] = field(default_factory=dict)  # by a file and the text for the file at hand
    applicability: Applicability = Applicability.SAFE
    message: str = ""  # what the fix does, where it is not the use of what is declared
    listings: set[Place] = field(default_factory=set)  # lists of children that must leave out what is declared

    def nn(self, cls: str) -> str:
        """The spelling of a class of torch.nn here."""
        written = [imports.nn_name(file, cls, self.context.starred(file.name)) for file in self._files()]
        return self._noted(written)

    @property
    def holders(self) -> tuple[Unit, ...]:
        """The classes that hold what is declared here: the unit itself, or those that mix it in."""
        return mixins.holders(self.context, self.unit)

    def _files(self) -> list[FileIndex]:
        """The file at hand, then those of the classes that mix its class in, where the declarations go."""
        names = dict.fromkeys((self.index.name, *(holder.module for holder in self.holders)))
        files = [self.context.project.index(name) for name in names]
        return [file for file in files if file is not None]

    def _noted(self, written: list[tuple[str, frozenset[Import]]]) -> str:
        """The text for the file at hand; each file gets its imports, and its own text for what is declared there."""
        here = written[0][0]
        for file, (text, needed) in zip(self._files(), written, strict=True):
            self.imports |= {(file.name, entry) for entry in needed}
            self.texts[file.name, here] = text
        return here

    def _in_file(self, expression: str, module: str) -> str:
        """An expression for another file, which may have other names for the same classes."""
        texts = {here: text for (file, here), text in self.texts.items() if file == module and here != text}
        for here, text in texts.items():
            expression = re.sub(rf"(?<![\w.]){re.escape(here)}(?!\w)", text, expression)
        return expression

    @property
    def target(self) -> Target:
        """The library whose modules the rewritten code uses."""
        return self.context.target_of(self.index.name)

    def runtime(self, cls: str, index: FileIndex | None = None) -> str:
        """The spelling of a class or function of qprep.runtime_modules here, or in the file of `index`."""
        if not self.target.is_own and not (self.target.is_eager and cls in _NEUTRAL):
            raise RejectedError(
                f"it needs `{cls}`, for which {self.target.name} has no module", RejectionCode.NO_MODULE
            )
        return self.imported(imports.RUNTIME, cls, index)

    def imported(self, module: str, name: str, index: FileIndex | None = None) -> str:
        """The spelling of a class or function of another module here, or in the file of `index`."""
        if index is None:
            written = [imports.imported(f, module, name, self.context.starred(f.name)) for f in self._files()]
            return self._noted(written)
        text, needed = imports.imported(index, module, name, self.context.starred(index.name))
        self.imports |= {(index.name, entry) for entry in needed}
        return text

    def needed(self, pieces: Sequence[Piece]) -> frozenset[tuple[str, Import]]:
        """The imports of a rewrite of these pieces; the file of a mixin needs only what its own text names."""
        if not self.holders or any(holder.module == self.index.name for holder in self.holders):
            return frozenset(self.imports)
        texts = " ".join(piece.text for piece in pieces)
        is_named = {entry: (entry.alias or entry.name) in texts for _, entry in self.imports}
        return frozenset((file, entry) for file, entry in self.imports if file != self.index.name or is_named[entry])

    def package(self, name: str) -> str:
        """The spelling of a module of the package qprep here."""
        return self.imported("qprep", name)

    def method(self, name: str) -> ast.FunctionDef | None:
        """A method that the owner's class itself defines."""
        entry = self.index.classes.get(self.unit.name)
        return entry.methods.get(name) if entry is not None else None

    def call(self) -> ast.Call:
        """The site, which is a call."""
        assert isinstance(self.node, ast.Call)
        return self.node

    def declare(self, base: str, expression: str, *, many: bool = False, after: Place | None = None) -> str:
        """A new attribute of the owner; `many` where the place runs more than once in one forward."""
        name = self.names.fresh(base, self.hint())
        if plain_objects.is_plain(self.context, self.unit):
            return self._named_in_body(name, expression, many=many)
        if many:
            length = known_length(self.context, self.code, self.unit, self.node, OWNER)
            more = f", length={length}" if length is not None else ""
            expression = f"{self.runtime('PerCall')}({expression}, owner={OWNER}{more})"
        for holder in self.holders:
            text = expression if holder == self.unit else spelled_out(expression, self.unit.name)
            self.declarations.append(Declaration(holder, name, self._in_file(text, holder.module), after))
        return f"{self.owner}.{name}"

    def _named_in_body(self, name: str, expression: str, *, many: bool) -> str:
        """An operation of a class that is not an nn.Module; objects that are made again and again call it each time."""
        often = ", per_call=True" if many or plain_objects.made(self.context, self.unit) else ""
        text = f"{self.runtime('ClassOperation')}(lambda: {expression.replace(OWNER, 'None')}{often})"
        self.declarations.append(Declaration(self.unit, name, text, in_body=True))
        return f"{self.owner}.{name}"

    def hint(self) -> str:
        """The name that the statement assigns to, where it tells something."""
        statement = self.code.statement(self.node)
        target: ast.expr | None = None
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target = statement.targets[0]
        elif isinstance(statement, ast.AugAssign):
            target = statement.target
        name = target.id if isinstance(target, ast.Name) else target.attr if isinstance(target, ast.Attribute) else ""
        return name if len(name) > 1 and name not in _PLAIN_TARGETS and not name.startswith("_") else ""
