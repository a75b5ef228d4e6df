"""The files that a model of a package needs, rewritten and with imports adjusted, as a package of their own."""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from qprep.analysis.dependencies.partitions import ModuleSummaries
from qprep.analysis.inputs import Files
from qprep.engine.partitioning import ProjectSummaries
from qprep.engine.preparing.package_files import InstalledPackage, is_package
from qprep.engine.preparing.rewriting import LeftFinding, Rewriting, rewrite_files
from qprep.engine.preparing.vendored_imports import PackageModule, VendoredName, adjusted, closure
from qprep.foundation.errors import QprepError
from qprep.foundation.source import SourceError, SourceFile, display_path


@dataclass(frozen=True, slots=True)
class VendoredFile:
    """One file of the new package: its path there, its bytes, the module that it comes from, and the original path.

    original   the path of its original, below the folder that the package lies in
    rewritten  whether more than its imports changed
    """

    path: str
    data: bytes
    module: str
    original: str
    rewritten: bool


@dataclass(frozen=True, slots=True)
class VendoredFiles:
    """The files of a new package, by path; what was fixed in them and what is left, with reasons."""

    files: tuple[VendoredFile, ...]
    fixed: int
    left: tuple[LeftFinding, ...]
    failed: tuple[str, ...]


class PackageNames:
    """The files of a package, and where each of its dotted names is defined; some with other contents than on disk."""

    def __init__(self, package: InstalledPackage, sources: Mapping[str, bytes] | None = None) -> None:
        overlay = {display_path(package.files[module]): data for module, data in (sources or {}).items()}
        self.files = package.files
        self._reader = Files(overlay)
        self._names = ProjectSummaries(list(package.files.values()), self._reader)
        self._summaries = ModuleSummaries(self._names.project.given, self._names.get)

    def find(self, dotted: str) -> VendoredName | None:
        """The definition of a dotted name; None if no source of the package has it.

        What a package's own file imports comes before a module of the same name, as `from .drop import drop` binds it.
        """
        return self._bound(dotted, frozenset())

    def _bound(self, dotted: str, seen: frozenset[str]) -> VendoredName | None:
        base, _, name = dotted.rpartition(".")
        summary = self._names.get(base) if base in self.files and dotted not in seen else None
        target = summary.imports.get(name) if summary is not None else None
        if target is not None and target != dotted:
            found = self._bound(target, seen | {dotted})
            if found is not None:
                return found
        return self._summaries.find(dotted)

    def source(self, module: str) -> SourceFile:
        """The source of a module; raises SourceError."""
        return self._reader.source(self.files[module])

    def parse(self, module: str) -> ast.Module | None:
        """The module parsed; None if that is not possible."""
        try:
            return self.source(module).parse()
        except SourceError:
            return None


def vendored_files(package: InstalledPackage, roots: Collection[str]) -> VendoredFiles:
    """The modules `roots` and those that they need, rewritten by safe fixes, for a package of their own.

    A module that reads its own path, or registers operators with torch, stays in the installed package, and so
    does the top package's own file: what they define is imported from there. Raises QprepError if a root is among
    these, or where the files cannot be rewritten.
    """
    names = PackageNames(package)
    modules = closure(roots, package.files, names.parse, names.find)
    missing = sorted(set(roots) - set(modules))
    if missing:
        raise QprepError(f"`{missing[0]}` cannot be copied out of its package: it reads its own path")
    files = {module: package.files[module] for module in modules}
    rewriting = rewrite_files(files)
    after = PackageNames(package, rewriting.sources)
    placed = tuple(_placed(module, after, modules, rewriting) for module in modules)
    return VendoredFiles(placed, rewriting.fixed, rewriting.left, rewriting.failed)


def _placed(module: str, names: PackageNames, modules: Collection[str], rewriting: Rewriting) -> VendoredFile:
    place = PackageModule.of(module, names.files[module])
    source = names.source(module)
    data = source.encode(adjusted(source, place, names.find, modules))
    path = path_of(module, names.files[module])
    original = f"{module.partition('.')[0]}/{path}" if "." in module else path
    return VendoredFile(path, data, module, original, module in rewriting.sources)


def path_of(module: str, original: Path) -> str:
    """The path of a module in the new package, which takes the place of the top one."""
    parts = module.split(".")[1:] or [module]
    return "/".join([*parts, "__init__.py"] if is_package(original) else [*parts[:-1], f"{parts[-1]}.py"])


def missing_packages(paths: Collection[str]) -> list[str]:
    """The `__init__.py` files that folders of these files lack, the top one left out."""
    folders = {"/".join(parts[:length]) for parts in (p.split("/") for p in paths) for length in range(1, len(parts))}
    return sorted(f"{folder}/__init__.py" for folder in folders if f"{folder}/__init__.py" not in paths)
