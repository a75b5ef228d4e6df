"""Compound modules of torch.nn: where they are constructed, fetched by name, inherited from or compared with."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from qprep.analysis.facts import Compound
from qprep.analysis.places import Place, Unit
from qprep.analysis.symbols.string_values import Texts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qprep.analysis.interpreter.protocol import Analysis
    from qprep.analysis.symbols.symbol_table import FileIndex


def find_compounds(analysis: Analysis, names: Iterable[str]) -> None:
    """Add every construction of a compound module, and every base class that is one, to the facts."""
    compound = [module.name for module in analysis.catalogue.nn_modules if module.is_compound]
    named = re.compile(rf"\.[\s\\]*(?:{'|'.join(compound)})\b")
    for name in names:
        text = analysis.project.text(name) or ""
        is_likely = (
            named.search(text) or _FETCHED.search(text) or (_FROM.search(text) and any(map(text.count, compound)))
        )
        index = analysis.project.index(name) if is_likely else None
        if index is None:
            continue
        texts = Texts(index)
        calls = {call.func: call for call in index.of(ast.Call) if isinstance(call, ast.Call)}
        for node in index.of(*_NAMING):
            for value in _classes_used(node):
                if (cls := _compound_class(analysis, index, value)) is not None:
                    _add(analysis, index, value, (cls,), False)
            for value in _classes_compared(node):
                if (cls := _compound_class(analysis, index, value)) is not None:
                    analysis.facts.compared.setdefault(cls, f"{name}:{value.lineno}")
            if isinstance(node, ast.Call) and len(node.args) == 2 and not node.keywords:
                _note_fetched(analysis, index, texts, node, calls.get(node))


_FROM = re.compile(r"\bfrom\s+torch\.nn\b")
_FETCHED = re.compile(r"\bgetattr\(\s*(?:\w+\s*\.\s*)*nn\b|\bnn\s+as\s+(?!nn\b)\w")  # getattr(nn, kind), by any name

# Nodes that may name a class to make instances of, or to compare with.
_NAMING = (ast.Call, ast.ClassDef, ast.Dict, ast.Assign, ast.Return, ast.arguments, ast.IfExp, ast.Compare)
_TYPE_TESTS = frozenset(("isinstance", "issubclass", "type", "hasattr"))


def _classes_used(node: ast.AST) -> list[ast.expr]:
    """Expressions that name a class to make instances of it, now or later: not those of a type test or annotation."""
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Name) and node.func.id in _TYPE_TESTS:
            return []
        return [node.func, *node.args, *(keyword.value for keyword in node.keywords)]
    if isinstance(node, ast.ClassDef):
        return list(node.bases)
    if isinstance(node, ast.Dict):
        return list(node.values)
    if isinstance(node, ast.Assign | ast.Return) and node.value is not None:
        return [node.value]
    if isinstance(node, ast.arguments):
        return [*node.defaults, *(default for default in node.kw_defaults if default is not None)]
    if isinstance(node, ast.IfExp):
        return [node.body, node.orelse]
    return []


def _classes_compared(node: ast.AST) -> list[ast.expr]:
    """Expressions that another class in their place would not be equal to."""
    if isinstance(node, ast.Dict):
        return [key for key in node.keys if key is not None]
    if not isinstance(node, ast.Compare):
        return []
    parts = [node.left, *node.comparators]
    return [e for part in parts for e in (part.elts if isinstance(part, ast.Tuple | ast.List | ast.Set) else [part])]


def _compound_class(analysis: Analysis, index: FileIndex, node: ast.expr) -> str | None:
    """The compound class of torch.nn that an expression names."""
    short = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    dotted = analysis.project.expression_name(index, node) if short[:1].isupper() else None
    if dotted is None or not dotted.startswith("torch.nn."):
        return None
    return dotted if _is_compound(analysis, dotted.removeprefix("torch.nn.")) else None


def _note_fetched(
    analysis: Analysis, index: FileIndex, texts: Texts, node: ast.Call, construction: ast.Call | None
) -> None:
    """`getattr(nn, kind)`, where the source says that it is one of a few classes, a compound one among them.

    Texts around it say so, or else the arguments of its call: `bidirectional=True` makes a recurrent module.
    """
    owner, name = node.args
    if not isinstance(node.func, ast.Name) or analysis.project.global_name(index, node.func.id) != "builtins.getattr":
        return
    if analysis.project.expression_name(index, owner) != "torch.nn":
        return
    names = sorted(texts.of(name) or ())
    if not names and construction is not None:
        names = _constructible(analysis, construction)
        if not all(_is_compound(analysis, short) for short in names):
            return
    if any(_is_compound(analysis, short) for short in names):
        _add(analysis, index, node, tuple(f"torch.nn.{short}" for short in names), True)


def _constructible(analysis: Analysis, call: ast.Call) -> list[str]:
    """The classes of torch.nn that accept the arguments of a call, sorted; unpacked ones could only rule out more."""
    given = sum(not isinstance(arg, ast.Starred) for arg in call.args)
    keywords = {keyword.arg for keyword in call.keywords if keyword.arg is not None}
    return sorted(
        module.name
        for module in analysis.catalogue.nn_modules
        if given <= len(module.parameters) and keywords <= set(module.parameters[given:])
    )


def _is_compound(analysis: Analysis, name: str) -> bool:
    known = analysis.catalogue.nn_module(name)
    return known is not None and known.is_compound


def _add(analysis: Analysis, index: FileIndex, node: ast.expr, classes: tuple[str, ...], is_fetched: bool) -> None:
    place = Place.of(index.name, node)
    analysis.facts.compounds.setdefault(place, Compound(place, classes, Unit(index.name, "", True), is_fetched))
