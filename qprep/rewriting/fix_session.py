"""What every part of a rewrite needs to look at: the analysis and the files that may change."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from qprep.analysis.dependencies.partitions import ALONE
from qprep.analysis.effects.attribute_writes import touched_names
from qprep.analysis.effects.effect_table import EffectTable
from qprep.analysis.effects.receivers import read_holder
from qprep.analysis.facts import Unit
from qprep.analysis.symbols.module_summary import asked_names, may_ask_for_names
from qprep.analysis.values.abstract_values import ClassRef, External
from qprep.foundation.catalogue.targets import OWN, TARGETS, Target
from qprep.rewriting.owners import returns_early, run_by_init
from qprep.rewriting.safety.child_loops import Walk
from qprep.rewriting.safety.class_body import read_body
from qprep.rewriting.safety.class_enumeration import listed_files
from qprep.rewriting.safety.class_shape import made_bare
from qprep.rewriting.safety.early_escape import escapes
from qprep.rewriting.safety.introspection import asked_classes, class_values, frame_watchers

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping, Sequence

    from qprep.analysis.dependencies.partitions import Around
    from qprep.analysis.effects.receivers import Holder
    from qprep.analysis.facts import Facts
    from qprep.analysis.interpreter.interpreter import Analysis
    from qprep.analysis.symbols.module_resolver import Project
    from qprep.rewriting.safety.class_body import Body
    from qprep.rewriting.safety.introspection import Asked
    from qprep.rewriting.source_code import Code

KEPT_FILES = 24  # files held ready for rewriting at a time


class Context:
    """The analysis, its facts, and the files given (only those may be rewritten)."""

    def __init__(
        self,
        analysis: Analysis,
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
        self.returns_early: dict[Unit, bool] = {}
        self.run_by_base: dict[Unit, frozenset[str]] = {}
        self.run_by_init: dict[Unit, frozenset[str]] = {}
        self._asked_names: frozenset[str] | None = None
        self._touched: frozenset[str] | None = None
        self._holders: dict[str, list[Holder]] | None = None
        self._asked: Asked | None = None
        self._class_values: frozenset[ClassRef] | None = None
        self._watchers: frozenset[str] | None = None
        self._made_bare: frozenset[ClassRef] | None = None
        self._listed: frozenset[str] | None = None
        self._escapes: dict[ClassRef, bool] = {}
        self._starred: dict[str, frozenset[str]] = {}
        self.walks: dict[tuple[ClassRef, str, bool], Walk | None] = {}
        self.unusual: dict[ClassRef, str | None] = {}
        self.walks_of: dict[Unit, tuple[Walk, ...]] = {}
        self.changed: dict[str, bool] = {}  # names of values that some given file changes after they are made
        self._bodies: dict[ClassRef, Body | None] = {}
        self._load = load
        self._codes: OrderedDict[str, Code | None] = OrderedDict()

    @property
    def project(self) -> Project:
        """The project under analysis."""
        return self.analysis.project

    def escapes_early(self, unit: Unit) -> bool:
        """Whether the constructor of a class hands self to code that may use the whole module."""
        ref = ClassRef(unit.module, unit.name)
        if ref not in self._escapes:
            self._escapes[ref] = escapes(self, ref) is not None
        return self._escapes[ref]

    @property
    def facts(self) -> Facts:
        """What the analysis found."""
        return self.analysis.facts

    def code(self, module: str) -> Code | None:
        """The file of a module where it is one of those given and can be read."""
        if module not in self._codes:
            self._codes[module] = self._load(module) if self.may_change(module) else None
            if len(self._codes) > KEPT_FILES:
                self._codes.popitem(last=False)
        self._codes.move_to_end(module)
        return self._codes[module]

    def may_change(self, module: str) -> bool:
        """Whether a module is one of those given, and not given to be looked at alone."""
        return module in self.project.given and module not in self.fixed

    def asked_names(self) -> frozenset[str]:
        """Names that some given file asks any object for: `hasattr(block, "relu")`."""
        if self._asked_names is None:
            self._asked_names = self.around.asks.union(_asked_names(self.project))
        return self._asked_names

    @property
    def touched(self) -> frozenset[str]:
        """Names that some given file replaces or changes on an object from outside: `net.act = nn.SiLU()`."""
        if self._touched is None:
            self._touched = self.around.touched.union(_touched_names(self.project))
        return self._touched

    @property
    def holders(self) -> Mapping[str, Sequence[Holder]]:
        """What is known of the objects on which attributes are set from outside, by the attribute."""
        if self._holders is None:
            self._holders = {}
            for text in sorted(self.touched):
                name, _, rest = text.partition("@")
                self._holders.setdefault(name, []).append(read_holder(rest))
        return self._holders

    def may_be_early(self, unit: Unit) -> bool:
        """Whether new attributes of a class may be made before the rest of its constructor runs."""
        entry = self.project.class_node(ClassRef(unit.module, unit.name))
        init = entry.methods.get("__init__") if entry is not None else None
        if init is None or returns_early(self, unit, init):
            return init is not None
        run = run_by_init(self, unit) - {"__init__"}
        return any((m.module, f"{m.name}.{name}") in self.analysis.ran for m in self.family(unit) for name in run)

    def runs_at_construction(self, cls: ClassRef, method: str) -> bool:
        """Whether the constructor of a class may run a method."""
        return method in run_by_init(self, Unit(cls.module, cls.name, True))

    def is_watched(self, ref: ClassRef) -> bool:
        """Whether constructors of a class may run code that looks at the variables of its callers."""
        if self._watchers is None:
            self._watchers = frame_watchers(self)
        return any(base.name.rpartition(".")[2] in self._watchers for base in self._bases(ref))

    def may_be_asked(self, ref: ClassRef) -> bool:
        """Whether some given file may ask the constructor of a class for its parameters."""
        if self._asked is None:
            self._asked = asked_classes(self)
        members = self.family(Unit(ref.module, ref.name, True))
        if self._asked.any or not self._asked.classes.isdisjoint(members):
            return True
        return self._asked.values and not self.class_values.isdisjoint(members)

    @property
    def class_values(self) -> frozenset[ClassRef]:
        """Classes that some given file keeps or hands on: `setattr(Net, name, other)`, `[Net, Other]`."""
        if self._class_values is None:
            self._class_values = frozenset(class_values(self))
        return self._class_values

    def _bases(self, ref: ClassRef) -> Iterator[ClassRef | External]:
        return (base for base in self.project.mro(ref) if isinstance(base, ClassRef | External))

    @property
    def made_bare(self) -> frozenset[ClassRef]:
        """Classes that some given file makes instances of past their constructors."""
        if self._made_bare is None:
            self._made_bare = frozenset(made_bare(self))
        return self._made_bare

    @property
    def listed(self) -> frozenset[str]:
        """Modules that some given file goes through to find classes."""
        if self._listed is None:
            self._listed = frozenset(listed_files(self))
        return self._listed

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
        """What the body of a class of the project says of its instances."""
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


def _asked_names(project: Project) -> Iterator[str]:
    for name in project.given:
        if (outline := project.outline(name)) is not None:
            yield from outline.asks
            continue
        text = project.text(name)
        index = project.index(name) if text is not None and may_ask_for_names(text) else None
        if index is not None:
            yield from asked_names(index)


def _touched_names(project: Project) -> Iterator[str]:
    for name in project.given:
        if (outline := project.outline(name)) is not None:
            yield from outline.touched
        elif (index := project.index(name)) is not None:
            yield from touched_names(index)
