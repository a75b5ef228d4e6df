"""Names that a module has by `from other import *`."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.symbols.bound_in_text import BoundNames
from qprep.analysis.symbols.definition_names import plain_name
from qprep.analysis.symbols.symbol_table import FileIndex
from qprep.analysis.values.abstract_values import External

if TYPE_CHECKING:
    from collections.abc import Callable

    from qprep.analysis.symbols.module_summary import ModuleSummary
    from qprep.analysis.symbols.project_files import ProjectFiles
    from qprep.analysis.values.abstract_values import Kind


class StarImports:
    """The names that modules give to those that take all of their names.

    files    the modules of the project
    resolve  gives the definition of a dotted name
    """

    def __init__(self, files: ProjectFiles, resolve: Callable[[str], Kind]) -> None:
        self._files = files
        self._resolve = resolve
        self._bound: dict[str, BoundNames | None] = {}
        self._stars: dict[str, tuple[str, ...]] = {}
        self._given: dict[str, frozenset[str]] = {}
        self._lacking: dict[tuple[str, str], bool] = {}

    def given(self, surface: ModuleSummary, name: str) -> str | None:
        """The dotted name that a module has from a file of which it takes all names; None if it is not clear.

        A name that such a file imports from another package counts if no other of these files has a different one.
        """
        imported: set[str] = set()
        is_clear = True
        for star in surface.stars:
            if self._lacks(star, name) or (given := self._files.surface(star)) is None:
                continue
            found = self._resolve(f"{star}.{name}")
            if not isinstance(found, External):
                return f"{star}.{name}"
            is_clear = is_clear and name not in given.values
            if found.name != f"{star}.{name}" and self._is_exported(star, given, name):
                imported.add(found.name)
        return imported.pop() if is_clear and len(imported) == 1 else None

    def _is_exported(self, module: str, surface: ModuleSummary, name: str) -> bool:
        """True if `from module import *` certainly takes what the module imports by a name."""
        index = self._files.index(module)
        if index is None or name in index.rebound or name in index.alternatives:
            return False
        if "__all__" not in surface.values and "__all__" not in surface.imports:
            return not name.startswith("_")
        listed = index.values.get("__all__")
        return isinstance(listed, ast.List | ast.Tuple) and any(
            isinstance(each, ast.Constant) and each.value == name for each in listed.elts
        )

    def _lacks(self, module: str, name: str) -> bool:
        """True if it is clear that a module cannot give a name.

        The names of a lazy package come out of thousands of files, one of which has the name that is sought: the
        texts of the others show that, and are not parsed for it.
        """
        if (module, name) not in self._lacking:
            self._lacking[module, name] = self._shows_to_lack(module, name)
        return self._lacking[module, name]

    def _shows_to_lack(self, module: str, name: str) -> bool:
        waiting, seen = [module], set[str]()
        while waiting:
            current = self._files.canonical(waiting.pop())
            if current in seen or self._files.path(current) is None:
                continue
            seen.add(current)
            # The result depends on no more than the names of a module that is known.
            known = self._files.surface(current) if self._files.is_known(current) else None
            bound = self._bound_names(current) if known is None else None
            if known is not None:
                if name in self._names_given(current, known):
                    return False
                waiting += known.stars
            elif bound is None or bound.may_bind(name):
                return False
            else:
                waiting += self._stars_of(current, bound)
        return True

    def _names_given(self, module: str, surface: ModuleSummary) -> frozenset[str]:
        """The names that a module binds, without the lines that distinguish several definitions."""
        if module not in self._given:
            names = (*surface.imports, *surface.classes, *surface.functions, *surface.values)
            self._given[module] = frozenset(plain_name(name).partition(".")[0] for name in names)
        return self._given[module]

    def _bound_names(self, module: str) -> BoundNames | None:
        """The names that the text of a module may bind; None if it cannot be read."""
        if module not in self._bound:
            text = self._files.text(module)
            self._bound[module] = BoundNames(text) if text is not None else None
        return self._bound[module]

    def _stars_of(self, module: str, bound: BoundNames) -> tuple[str, ...]:
        """The modules that a module takes all names of, by the names that the project has for them."""
        if module not in self._stars:
            path = self._files.path(module)
            assert path is not None
            is_package = path.name == "__init__.py"
            index = FileIndex(module, str(path), is_package, ast.Module([], []), link=self._files.linker(path))
            imports = (ast.ImportFrom(written, [], level) for level, written in bound.stars)
            self._stars[module] = tuple(map(index.absolute, imports))
        return self._stars[module]
