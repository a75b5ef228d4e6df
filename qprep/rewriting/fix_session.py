"""The context that all parts of a rewrite share: the analysis and the files that may change."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, cast

from qprep.analysis.dependencies.partitions import ALONE
from qprep.analysis.effects.attribute_writes import external_writes
from qprep.analysis.effects.effect_table import EffectTable
from qprep.analysis.effects.write_records import WriteKind
from qprep.analysis.places import Unit
from qprep.analysis.symbols.module_summary import asked_names, may_ask_for_names
from qprep.analysis.values.abstract_values import ClassRef
from qprep.foundation.catalogue.targets import OWN, TARGETS, Target
from qprep.foundation.lru_store import LruStore
from qprep.rewriting.safety.class_body import read_body

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping, Sequence

    from qprep.analysis.dependencies.partitions import Around
    from qprep.analysis.effects.write_records import ExternalWrite, Receiver
    from qprep.analysis.facts import Facts
    from qprep.analysis.interpreter.interpreter import ProjectAnalysis
    from qprep.analysis.symbols.module_resolver import Project
    from qprep.rewriting.safety.class_body import Body
    from qprep.rewriting.source_code import Code

KEPT_FILES = 24  # files held ready for rewriting at a time

_Arguments = ParamSpec("_Arguments")
_Answer = TypeVar("_Answer")


class RewriteContext:
    """The analysis, its facts, and the files given (only those may be rewritten)."""

    def __init__(
        self,
        analysis: ProjectAnalysis,
        load: Callable[[str], Code | None],
        effects: EffectTable,
        around: Around = ALONE,
        target_of: Callable[[str], Target] = lambda _: TARGETS[OWN],
        fixed: Container[str] = (),
    ) -> None:
        self.analysis = analysis
        self.effects = effects  # what the code of the given files may do to modules
        self.target_of = target_of  # whose modules the rewritten code of a file uses
        self.around = around
        self.fixed = fixed  # given modules that are looked at and must not be changed
        self.answers: dict[tuple[object, ...], Any] = {}  # of queries that are `remembered`
        self._asked_names: frozenset[str] | None = None
        self._writes: frozenset[ExternalWrite] | None = None
        self._receivers: dict[str, list[Receiver]] | None = None
        self._starred: dict[str, frozenset[str]] = {}
        self.changed: dict[str, bool] = {}  # names of values that some given file changes after they are made
        self._bodies: dict[ClassRef, Body | None] = {}
        self._load = load
        self._codes: LruStore[str, Code | None] = LruStore(KEPT_FILES)

    @property
    def project(self) -> Project:
        """The project under analysis."""
        return self.analysis.project

    @property
    def facts(self) -> Facts:
        """The facts of the analysis."""
        return self.analysis.facts

    def code(self, module: str) -> Code | None:
        """The file of a module where it is one of those given and can be read."""
        return self._codes.find(module, lambda: self._load(module) if self.may_change(module) else None)

    def may_change(self, module: str) -> bool:
        """True if a module is one of those given, and not given to be analysed alone."""
        return module in self.project.given and module not in self.fixed

    def asked_names(self) -> frozenset[str]:
        """Names that some given file asks any object for: `hasattr(block, "relu")`."""
        if self._asked_names is None:
            self._asked_names = self.around.tested_names.union(_asked_names(self.project))
        return self._asked_names

    @property
    def writes(self) -> frozenset[ExternalWrite]:
        """The writes of the project to attributes of objects from outside: `net.act = nn.SiLU()`."""
        if self._writes is None:
            self._writes = self.around.writes.union(_writes_of(self.project))
        return self._writes

    @property
    def receivers(self) -> Mapping[str, Sequence[Receiver]]:
        """The receivers of external attribute writes, by attribute."""
        if self._receivers is None:
            self._receivers = {}
            for write in sorted(self.writes):
                if write.kind is WriteKind.ATTRIBUTE:
                    self._receivers.setdefault(write.name, []).append(write.receiver)
        return self._receivers

    def starred(self, module: str) -> frozenset[str]:
        """Names that mean something in files which take all names of a module: a new one must be none of them."""
        if module not in self._starred:
            self._starred[module] = frozenset()  # files that take all names of each other end here
            index = self.project.index(module)
            if index is not None and "__all__" not in index.values:
                self._starred[module] = frozenset(self._names_of_takers(module))
        return self._starred[module]

    def _names_of_takers(self, module: str) -> Iterator[str]:
        for name in self.project.given:
            surface = self.project.surface(name)
            index = self.project.index(name) if surface is not None and module in surface.stars else None
            if index is not None:
                yield from (*index.names, *index.imports, *index.classes, *index.functions, *index.values)
                yield from self.starred(name)

    def body(self, ref: ClassRef) -> Body | None:
        """The uses of instances in the body of a class of the project."""
        if ref not in self._bodies:
            entry = self.project.class_node(ref)
            self._bodies[ref] = read_body(entry) if entry is not None else None
        return self._bodies[ref]

    def own_names(self, ref: ClassRef) -> frozenset[str]:
        """Names that mean something on self in the body of a class of the project."""
        body = self.body(ref)
        return body.names if body is not None else frozenset()

    def family(self, unit: Unit) -> tuple[ClassRef, ...]:
        """A class, its bases, its subclasses and their bases: all that share one namespace of attributes."""
        ref = ClassRef(unit.module, unit.name)
        members: dict[ClassRef, None] = {}
        for cls in (ref, *sorted(self.project.subclasses(ref), key=repr)):
            for base in self.project.mro(cls):
                if isinstance(base, ClassRef):
                    members[base] = None
        return tuple(members)


def remembered(
    query: Callable[Concatenate[RewriteContext, _Arguments], _Answer],
) -> Callable[Concatenate[RewriteContext, _Arguments], _Answer]:
    """Keep the answers of a function of a context and of hashable arguments for as long as the context lives."""

    @wraps(query)
    def ask(context: RewriteContext, *args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Answer:
        key = (query, args, *kwargs.items())
        if key not in context.answers:
            context.answers[key] = query(context, *args, **kwargs)
        answer: _Answer = context.answers[key]
        return answer

    return cast("Callable[Concatenate[RewriteContext, _Arguments], _Answer]", ask)


def _asked_names(project: Project) -> Iterator[str]:
    for name in project.given:
        if (summary := project.summary(name)) is not None:
            yield from summary.tested_names
            continue
        text = project.text(name)
        index = project.index(name) if text is not None and may_ask_for_names(text) else None
        if index is not None:
            yield from asked_names(index)


def _writes_of(project: Project) -> Iterator[ExternalWrite]:
    for name in project.given:
        if (summary := project.summary(name)) is not None:
            yield from summary.writes
        elif (index := project.index(name)) is not None:
            yield from external_writes(index)
