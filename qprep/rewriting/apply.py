"""From chosen sites to new texts: pieces applied, then imports that nothing uses any more taken out."""

from __future__ import annotations

import ast
from collections import defaultdict
from typing import TYPE_CHECKING

from qprep.analysis.symbols.symbol_table import build_index
from qprep.foundation.source import SourceFile
from qprep.rewriting.composed_edits import apply
from qprep.rewriting.imports import unused_import_pieces
from qprep.rewriting.source_code import Code

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qprep.analysis.places import Place
    from qprep.analysis.symbols.module_resolver import Project
    from qprep.rewriting.planner import Plan


def new_texts(plan: Plan, places: Sequence[Place]) -> dict[str, tuple[SourceFile, str]]:
    """The files that change when the sites at `places` are rewritten: as they are, and their new text."""
    result: dict[str, tuple[SourceFile, str]] = {}
    takers = _Takers(plan.context.project)
    for module, pieces in plan.assemble(places).items():
        code = plan.context.code(module)
        if code is None or not pieces:
            continue
        text = apply(code.text, pieces)
        result[code.source.path] = (code.source, _without_unused(takers, code, text))
    return result


def _without_unused(takers: _Takers, old: Code, text: str) -> str:
    """Drop the imports that the rewrite left without a use; a package's `__init__` imports for others."""
    if old.index.is_package:
        return text
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return text  # the gates will say so
    source = SourceFile(old.source.path, b"", text, old.source.encoding, old.source.bom)
    new = Code(source, build_index(old.module, old.source.path, False, tree, old.index.link))
    return apply(text, unused_import_pieces(new, old.tree, tree, takers.names(old.module)))


class _Takers:
    """The imports between the given files, read once: there may be thousands."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._names: dict[str, set[str]] = defaultdict(set)  # by the module that they are taken from
        self._whole: dict[str, list[str]] = defaultdict(list)  # files that have a module, or its package, as an object
        self._starred: set[str] = set()
        self._asked: dict[str, frozenset[str]] = {}
        for name in project.given:
            surface = project.surface(name)
            for target in (*surface.imports.values(), *surface.inner) if surface is not None else ():
                head, _, last = target.rpartition(".")
                self._names[head].add(last)
                self._whole[target].append(name)
            self._starred.update(surface.stars if surface is not None else ())

    def names(self, module: str) -> frozenset[str]:
        """Names that other given files import from a module; a star takes them all."""
        names = set(self._names.get(module, ()))
        own = self._project.surface(module) if module in self._starred else None
        names |= set(own.imports) if own is not None else set()
        parts = module.split(".")
        for length in range(1, len(parts) + 1):
            for name in self._whole.get(".".join(parts[:length]), ()):
                names |= self._asked_of_modules(name)  # `import base`, then `base.F`
        return frozenset(names)

    def _asked_of_modules(self, name: str) -> frozenset[str]:
        """Names that a file takes from any object."""
        if name not in self._asked:
            index = self._project.index(name)
            found = {node.attr for node in index.of(ast.Attribute)} if index is not None else set()
            texts = {str(node.value) for node in index.of(ast.Constant)} if index is not None else set()
            self._asked[name] = frozenset(found | texts)
        return self._asked[name]
