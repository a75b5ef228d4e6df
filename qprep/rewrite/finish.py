"""From chosen sites to new texts: pieces applied, then imports that nothing uses any more taken out."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.project.index import build_index
from qprep.rewrite.code import Code
from qprep.rewrite.imports import unused_import_pieces
from qprep.rewrite.pieces import apply
from qprep.source import SourceFile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qprep.project.facts import Place
    from qprep.project.index import FileIndex
    from qprep.survey import Survey


def new_texts(survey: Survey, places: Sequence[Place]) -> dict[str, tuple[SourceFile, str]]:
    """The files that change when the sites at `places` are rewritten: as they are, and their new text."""
    result: dict[str, tuple[SourceFile, str]] = {}
    for module, pieces in survey.plan.assemble(places).items():
        code = survey.context.code(module)
        if code is None or not pieces:
            continue
        text = apply(code.text, pieces)
        result[code.source.path] = (code.source, _without_unused(survey, code, text))
    return result


def _without_unused(survey: Survey, old: Code, text: str) -> str:
    """Drop the imports that the rewrite left without a use; a package's `__init__` imports for others."""
    if old.index.is_package:
        return text
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return text  # the gates will say so
    source = SourceFile(old.source.path, b"", text, old.source.encoding, old.source.bom)
    new = Code(source, build_index(old.module, old.source.path, False, tree))
    exported = _imported_elsewhere(survey, old.module)
    return apply(text, unused_import_pieces(new, old.tree, tree, exported))


def _imported_elsewhere(survey: Survey, module: str) -> frozenset[str]:
    """Names that other given files import from this one; a star takes them all."""
    names: set[str] = set()
    for name in survey.project.given:
        index = survey.project.index(name) if name != module else None
        if index is None:
            continue
        for entry in index.imports.values():
            head, _, last = entry.target.rpartition(".")
            if head == module:
                names.add(last)
        if module in index.stars:
            own = survey.project.index(module)
            names |= set(own.imports) if own is not None else set()
        if any(module == e.target or module.startswith(f"{e.target}.") for e in index.imports.values()):
            names |= _asked_of_modules(index)  # `import base`, then `base.F`
    return frozenset(names)


def _asked_of_modules(index: FileIndex) -> set[str]:
    """Names that a file takes from any object."""
    names = {node.attr for node in index.of(ast.Attribute)}
    return names | {str(node.value) for node in index.of(ast.Constant)}
