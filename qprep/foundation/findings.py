"""Findings and fixes: plain data that crosses every boundary (processes, JSON, editors)."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field


class Severity(enum.Enum):
    """The severity of a finding for quantization."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Applicability(enum.Enum):
    """True if a fix keeps every observable behaviour (safe) or needs a look first (unsafe)."""

    SAFE = "safe"
    UNSAFE = "unsafe"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its stable code, its kebab-case name, and how to explain it."""

    code: str
    name: str
    summary: str
    explanation: str
    severity: Severity = Severity.WARNING
    fixable: bool = True
    follows: bool = False  # it is about what other fixes may write, to be made better by its own


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a text: 1-based line, 1-based column in code points."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Replace the code points `start` up to (not including) `end` of the file's text by `content`."""

    path: str
    start: int
    end: int
    content: str


@dataclass(frozen=True, slots=True)
class Fix:
    """The edits that resolve one finding; all of them are applied, or none."""

    applicability: Applicability
    message: str
    edits: tuple[Edit, ...]


class RejectionCode(enum.Enum):
    """The kind of reason why a finding has no fix; reports group by it, and it does not change with the wording."""

    CALL_FORM = "call-form"  # the arguments or the spelling of the call do not fit the module
    CLASS_SHAPE = "class-shape"  # the class or method cannot hold or use a new attribute
    CONSTRUCTION = "construction"  # the place or the way of creating the instance
    FUNCTION = "function"  # the function around cannot become a module
    GATE = "gate"  # a check of the rewritten text or a run found a difference
    LAYOUT = "layout"  # comments, shared lines, formatted texts, nesting
    MUTATION = "mutation"  # the instance is shared, changed or replaced elsewhere
    NAME = "name"  # a name has, or would get, another meaning
    NO_MODULE = "no-module"  # the target library has no module for the operation
    OTHER = "other"  # rewrites of plugins that name no code
    OUTSIDE = "outside"  # the code is in a file that is not among those given
    RUN_ONLY = "run-only"  # a value is known at run time only
    SETTING = "setting"  # settings or a baseline forbid the fix


@dataclass(frozen=True, slots=True)
class Rejection:
    """The reason why a finding has no fix: a clause for people, and its kind."""

    reason: str
    code: RejectionCode = RejectionCode.OTHER


@dataclass(frozen=True, slots=True)
class Finding:
    """One place in the source that keeps a model from being quantized module by module.

    `start` is the first and `end` the position after the last code point of the expression; `statement` is the
    first and last line of the logical statement around it, where a suppression comment counts.
    """

    code: str
    name: str
    message: str
    help: str
    path: str
    start: Position
    end: Position
    statement: tuple[int, int]
    severity: Severity = Severity.WARNING
    fix: Fix | Rejection | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def is_fixable(self) -> bool:
        """True if there is a safe or an unsafe fix."""
        return isinstance(self.fix, Fix)

    @property
    def sort_key(self) -> tuple[str, Position, Position, str]:
        """The order of every report: by file, place and code."""
        return (self.path, self.start, self.end, self.code)

    @property
    def stands_in_the_way(self) -> bool:
        """True if it makes a command exit with 1; informational findings do not."""
        return self.severity is not Severity.INFO
