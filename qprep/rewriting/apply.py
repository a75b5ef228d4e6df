"""From chosen sites to new texts: pieces applied, then imports that nothing uses any more taken out."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.symbols.symbol_table import build_index
from qprep.foundation.source import SourceFile
from qprep.rewriting.composed_edits import apply
from qprep.rewriting.source_code import Code
from qprep.rewriting.unused_imports import ImportUsers, unused_import_pieces

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qprep.analysis.places import Place
    from qprep.rewriting.planner import Plan


def new_texts(plan: Plan, places: Sequence[Place]) -> dict[str, tuple[SourceFile, str]]:
    """The files that change when the sites at `places` are rewritten: as they are, and their new text."""
    result: dict[str, tuple[SourceFile, str]] = {}
    users = ImportUsers(plan.context.project)
    for module, pieces in plan.assemble(places).items():
        code = plan.context.code(module)
        if code is None or not pieces:
            continue
        text = apply(code.text, pieces)
        result[code.source.path] = (code.source, _without_unused(users, code, text))
    return result


def _without_unused(users: ImportUsers, old: Code, text: str) -> str:
    """Drop the imports that the rewrite left without a use; a package's `__init__` imports for others."""
    if old.index.is_package:
        return text
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return text  # the gates will say so
    source = SourceFile(old.source.path, b"", text, old.source.encoding, old.source.bom)
    new = Code(source, build_index(old.module, old.source.path, False, tree, old.index.link))
    return apply(text, unused_import_pieces(new, old.tree, tree, users))
