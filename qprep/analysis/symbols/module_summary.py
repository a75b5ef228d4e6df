"""Summary of one module (exports, imports, effects), to compute dependencies between files without parsing again."""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from qprep.analysis.effects.attribute_writes import external_writes
from qprep.analysis.effects.escaping_classes import handed_names
from qprep.analysis.effects.write_records import ExternalWrite
from qprep.analysis.symbols.ast_utils import dotted_text, last_name, without_async
from qprep.analysis.symbols.kept_names import KeptObject, kept_names, untaken
from qprep.analysis.symbols.local_classes import base_names
from qprep.analysis.symbols.method_forms import with_written_out_methods
from qprep.analysis.symbols.private_names import with_private_names
from qprep.analysis.symbols.symbol_table import Imported, build_index

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from qprep.analysis.symbols.symbol_table import FileIndex

_ASKING = frozenset(("hasattr", "getattr", "setattr", "delattr"))
# Tables of attributes or children by their names, and functions that look names up or list them.
_TABLES = frozenset(("_modules", "__dict__", "get_submodule", "named_children", "named_modules"))
_TABLE_FUNCTIONS = frozenset(("attrgetter", "dir", "getmembers", "vars"))
# Methods that go through the children of any module, and functions that run any text.
_WALKS = frozenset(("children", "named_children", "modules", "named_modules", "apply"))
_RUNS = frozenset(("exec", "eval"))
_ASKING_MARKS = ("attr(", "except", *_TABLES, *(f"{name}(" for name in _TABLE_FUNCTIONS))
_MISSING = frozenset(("AttributeError", "BaseException", "Exception"))
_DOTTED = re.compile(r"[^\W\d]\w*(?:\.\w+)*")

TELLS_CHILDREN = "children("  # part of the text of every file that takes the children of a module
_CHILDREN = ("children", "named_children")
_ORIGINAL = ("original_children", "original_named_children")


class ClassSummary(NamedTuple):
    """The base expressions of a class, "?" where one is not a dotted name, and what its body binds or annotates."""

    bases: tuple[str, ...]
    methods: tuple[str, ...]
    values: tuple[str, ...]
    annotations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ModuleSummary:
    """The names of one file.

    imports           dotted names by the name that the file's top level gives them
    inner             dotted names that only functions import, or another branch
    stars             modules that all names are imported from
    classes           bases and methods
    functions         functions of the top level
    values            other names of the top level, with whether they are literals, which say nothing of other files
    tested_names      names that any object is tested for: `hasattr(block, "relu")`
    meets_any         True if the file may go through any object, or fetches attributes by names that it computes
    child_iterations  lines that take the children of another object by position
    writes            attributes that are written on objects from outside: `net.act = nn.SiLU()`
    handed            names of what may be a class, where it is kept or passed on as a value
    uses              attributes of each import that the file reads, `nms` of `ops.nms(x)`; none where it passes it on
    kept              names through which the module may keep what it is given, and through which it may give that out
    untaken           dotted names of imports that the file takes no result of
    """

    imports: dict[str, str]
    inner: tuple[str, ...]
    stars: tuple[str, ...]
    classes: dict[str, ClassSummary]
    functions: tuple[str, ...]
    values: dict[str, bool]
    tested_names: tuple[str, ...]
    child_iterations: tuple[int, ...]
    writes: tuple[ExternalWrite, ...] = ()
    handed: tuple[str, ...] = ()
    uses: dict[str, tuple[str, ...]] = field(default_factory=dict)
    kept: tuple[KeptObject, ...] = ()
    untaken: tuple[str, ...] = ()
    meets_any: bool = False

    def linked(self, link: Callable[[str], str]) -> ModuleSummary:
        """The summary with what it imports under the names by which the project knows that."""
        known = {target: link(target) for target in (*self.imports.values(), *self.inner, *self.stars, *self.uses)}
        if all(target == name for target, name in known.items()):
            return self
        return replace(
            self,
            imports={name: known[target] for name, target in self.imports.items()},
            inner=tuple(known[target] for target in self.inner),
            stars=tuple(known[target] for target in self.stars),
            uses={known[target]: chains for target, chains in self.uses.items()},
            kept=tuple(each._replace(target=link(each.target)) if each.target else each for each in self.kept),
            untaken=tuple(map(link, self.untaken)),
        )

    @property
    def is_glue(self) -> bool:
        """True if nothing in the file runs when a model does: it only passes on names."""
        return not self.classes and not self.functions

    @property
    def used_names(self) -> list[str]:
        """The dotted names of imports that the file reads; an import that it passes on is one, too."""
        targets = dict.fromkeys((*self.imports.values(), *self.inner))
        return [f"{t}.{chain}" if chain else t for t in targets for chain in self.uses.get(t, ("",))]

    @property
    def surface(self) -> list[Any]:
        """The exports as plain data."""
        return [self.imports, self.inner, self.stars, self.classes, self.functions, self.values]

    def record(self) -> list[Any]:
        """Plain data for a file of JSON."""
        return [
            *self.surface,
            self.tested_names,
            self.child_iterations,
            self.writes,
            self.handed,
            self.uses,
            self.kept,
            self.untaken,
            self.meets_any,
        ]

    @classmethod
    def of_record(cls, record: list[Any]) -> ModuleSummary:
        """The other way; raises ValueError, TypeError or AttributeError for other data."""
        (
            imports,
            inner,
            stars,
            classes,
            functions,
            values,
            tested_names,
            child_iterations,
            writes,
            handed,
            uses,
            kept,
            untaken,
            meets_any,
        ) = record
        sorts = {str(name): ClassSummary(*(tuple(map(str, part)) for part in found)) for name, found in classes.items()}
        names = (tuple(map(str, inner)), tuple(map(str, stars)), sorts, tuple(map(str, functions)))
        taken = {str(target): tuple(map(str, chains)) for target, chains in uses.items()}
        marks = (
            tuple(map(str, tested_names)),
            tuple(map(int, child_iterations)),
            tuple(map(ExternalWrite.of_record, writes)),
            tuple(map(str, handed)),
        )
        keeping = tuple(KeptObject(str(target), tuple(map(str, to)), tuple(map(str, out))) for target, to, out in kept)
        last = (taken, keeping, tuple(map(str, untaken)), bool(meets_any))
        return cls(dict(imports), *names, dict(values), *marks, *last)


EMPTY = ModuleSummary({}, (), (), {}, (), {}, (), ())


def read_summary(name: str, path: Path, text: str) -> ModuleSummary:
    """The summary of a module's source; an empty one where it cannot be parsed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = without_async(ast.parse(text)) if "async" in text else ast.parse(text)
            tree = with_written_out_methods(with_private_names(tree, text), text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return EMPTY
    return summary_of(build_index(name, "", path.name == "__init__.py", tree), text)


def surface_of(index: FileIndex) -> ModuleSummary:
    """The exports of an indexed file, without its imports."""
    classes = {
        name: ClassSummary(
            base_names(index, entry, map(_base_name, entry.node.bases)),
            tuple(entry.methods),
            tuple(entry.values),
            tuple(entry.annotations),
        )
        for name, entry in index.classes.items()
    }
    top = {entry.target for entry in index.imports.values()}
    return ModuleSummary(
        imports={name: entry.target for name, entry in index.imports.items()},
        inner=tuple(dict.fromkeys(target for target in _targets(index) if target not in top)),
        stars=tuple(index.stars),
        classes=classes,
        functions=tuple(index.functions),
        values={name: _is_literal(value) for name, value in index.values.items()},
        tested_names=(),
        child_iterations=(),
    )


def _targets(index: FileIndex) -> list[str]:
    """The targets of all imports in a file; two functions may give one name to different things."""
    return [target for _, target in _bindings(index)]


def _bindings(index: FileIndex) -> list[tuple[str, str]]:
    """The names that imports anywhere in a file bind, with what they name."""
    stars, found = list(index.stars), list[tuple[str, str]]()
    for node in index.all_imports:
        bound: dict[str, Imported] = {}
        index.bind_import(node, bound)
        found += ((name, entry.target) for name, entry in bound.items())
    index.stars[:] = stars  # those of a class body or a function are no names of the module
    return found


def summary_of(index: FileIndex, text: str) -> ModuleSummary:
    """The summary of an indexed file."""
    surface = surface_of(index)
    return replace(
        surface,
        tested_names=tuple(sorted(set(asked_names(index)))) if "attr(" in text else (),
        child_iterations=tuple(sorted({c.lineno for node in index.of(*WALKING) for c in positional(node)}))
        if TELLS_CHILDREN in text
        else (),
        writes=tuple(sorted(set(external_writes(index)))),
        handed=tuple(sorted(set(handed_names(index)))),
        uses=_uses(index),
        kept=tuple(kept_names(index)),
        untaken=tuple(sorted(untaken(index, _bindings(index)))),
        meets_any=_meets_any(index),
    )


def _uses(index: FileIndex) -> dict[str, tuple[str, ...]]:
    """The dotted names that follow each import wherever it is read; none for one that is passed on as an object."""
    names: dict[str, set[str]] = {}
    for name, target in _bindings(index):
        names.setdefault(name, set()).add(target)
    inside = {node.value for node in index.of(ast.Attribute)}
    chains: dict[str, set[str]] = {target: set() for targets in names.values() for target in targets}
    for node in index.of(ast.Attribute, ast.Name):
        if node not in inside:
            root, _, rest = dotted_text(node).partition(".")
            for target in names.get(root, ()):
                chains[target].add(rest)
    return {target: tuple(sorted(found)) for target, found in sorted(chains.items()) if "" not in found}


def may_ask_for_names(text: str) -> bool:
    """True if `asked_names` may find any in a file of this text: most files need no parsing for it."""
    return any(mark in text for mark in _ASKING_MARKS)


def asked_names(index: FileIndex) -> Iterator[str]:
    """Names that any object is tested for by their text, or by a `try` that expects it to have no such attribute."""
    for node in index.of(ast.Call):
        if _is_asking(node) and len(node.args) > 1 and isinstance(node.args[1], ast.Constant):
            yield str(node.args[1].value)
    if _fetches_any(index):  # any text of the file may be the name
        texts = (node.value for node in index.of(ast.Constant) if isinstance(node.value, str) and node.value)
        yield from (part for text in texts if _DOTTED.fullmatch(text) for part in text.split("."))
    for attempt in index.of(ast.Try):
        if any(_catches_missing(handler) for handler in attempt.handlers):
            body = (node for statement in attempt.body for node in ast.walk(statement))
            yield from (node.attr for node in body if isinstance(node, ast.Attribute))


def _fetches_any(index: FileIndex) -> bool:
    """True if a file fetches attributes or children by names that it computes."""
    return any(node.attr in _TABLES for node in index.of(ast.Attribute)) or any(map(_fetches, index.of(ast.Call)))


def _meets_any(index: FileIndex) -> bool:
    """True if a file may do something to any object that it is given, whatever that is called."""
    if _fetches_any(index) or any(node.attr in _WALKS for node in index.of(ast.Attribute)):
        return True
    called = {call.func for call in index.of(ast.Call)}
    names = [node for node in index.of(ast.Name) if node.id in _RUNS or (node.id in _ASKING and node not in called)]
    return bool(names) or any(alias.name.startswith("register_module_") for alias in index.of(ast.alias))


def _fetches(call: ast.Call) -> bool:
    function = last_name(call.func)
    if not _is_asking(call):
        return function in _TABLE_FUNCTIONS
    is_constant = len(call.args) > 1 and isinstance(call.args[1], ast.Constant)
    return function in _TABLE_FUNCTIONS or (not is_constant and function != "setattr")


def _is_asking(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id in _ASKING


def _catches_missing(handler: ast.ExceptHandler) -> bool:
    """True if a handler catches an AttributeError."""
    types = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(each is None or last_name(each) in _MISSING for each in types)


WALKING = (ast.Call, ast.Subscript, ast.Starred, ast.Assign)  # what `positional` knows


def positional(node: ast.AST) -> list[ast.Call]:
    """`list(x.children())[:-1]`, `layers = list(x.children())`, `Sequential(*x.children())`, their number."""
    value: ast.AST | None = None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("len", "sum") and node.args:
        value = node.args[0]
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.args:
            value = value.args[0]
    if isinstance(node, ast.Subscript | ast.Starred | ast.Assign):
        value = node.value
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in ("list", "tuple"):
            value = value.args[0] if value.args else None
        elif isinstance(node, ast.Assign):
            value = None
    if not isinstance(value, ast.Call):
        return []
    module = walked_module(value)
    is_self = isinstance(module, ast.Name) and module.id == "self"
    return [value] if module is not None and not is_self else []


def walked_module(call: ast.Call) -> ast.expr | None:
    """`x` in `x.children()` and in `original_children(x)`; `nn.Module.children(x)` is no such call."""
    if isinstance(call.func, ast.Attribute):
        is_listing = call.func.attr in _CHILDREN and not call.args and not call.keywords
        return call.func.value if is_listing else None
    is_original = isinstance(call.func, ast.Name) and call.func.id.endswith(_ORIGINAL) and len(call.args) == 1
    return call.args[0] if is_original else None


def _base_name(base: ast.expr) -> str:
    """ "Base" for `Base[int]`, too."""
    return dotted_text(base.value if isinstance(base, ast.Subscript) else base)


def _is_literal(node: ast.expr) -> bool:
    """True if a value is made of constants alone."""
    plain = (ast.Constant, ast.Tuple, ast.List, ast.Set, ast.Dict, ast.UnaryOp, ast.unaryop, ast.expr_context)
    return all(isinstance(part, plain) for part in ast.walk(node))
