"""`qprep.prepared` and `qprep.install_import_hook`: packages are imported as qprep rewrites them."""

from __future__ import annotations

import sys
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from qprep.engine.preparing.cache_folder import prepared_folder
from qprep.engine.preparing.package_files import InstalledPackage, locate, version_of
from qprep.engine.preparing.rewriting import LeftFinding, rewrite_files
from qprep.engine.preparing.source_finder import PreparedFinder, install, installed_finders, remove
from qprep.engine.preparing.source_store import FileSet, PreparedSources, prepared_sources
from qprep.foundation.errors import QprepError


class PreparedImportWarning(UserWarning):
    """A package, or a file of it, is imported as it is, because it could not be rewritten."""


@dataclass(frozen=True, slots=True)
class PackageReport:
    """The result of rewriting one package.

    names      the requested names: the package, or modules of it
    version    of the distribution; None if it has none
    rewritten  the modules that are imported in a rewritten form
    fixed      how many findings that resolved
    left       the findings that stay, with place and reason
    failed     what is imported as it is because it could not be rewritten, with the reason
    """

    names: tuple[str, ...]
    version: str | None
    rewritten: tuple[str, ...]
    fixed: int
    left: tuple[LeftFinding, ...]
    failed: tuple[str, ...]


class ImportHook:
    """Imports of some packages, or modules with all below them, read rewritten files.

    A context manager, and what `install_import_hook` returns. At its end, names of which nothing was imported are as
    they were before; a package that was begun with stays prepared for as long as the process lives, since its files
    go together: functions of it may import more of it later.
    """

    def __init__(self, names: Sequence[str]) -> None:
        if not names:
            raise QprepError("expected the names of packages to prepare, found none")
        self.names = tuple(dict.fromkeys(names))
        self.reports: tuple[PackageReport, ...] = ()
        self._finders: list[PreparedFinder] = []

    def install(self) -> Self:
        """Rewrite the packages, unless the cache holds them, and let them be imported so from now on.

        Raises QprepError for a name that nothing is installed under, and for a package that is imported already.
        """
        groups: dict[str, list[InstalledPackage]] = defaultdict(list)
        for name in self.names:
            package = locate(name)
            groups[package.top].append(package)
        known = [_known_finder(group) for group in groups.values()]
        reports: list[PackageReport] = []
        finders: list[PreparedFinder] = []
        for (top, group), finder in zip(groups.items(), known, strict=True):
            sources = _sources(top, group)
            reports.append(_report(top, group, sources))
            if finder is None:
                finders.append(PreparedFinder(sources.modules, [package.name for package in group]))
        for finder in finders:
            install(finder)
        self._finders, self.reports = finders, tuple(reports)
        return self

    def uninstall(self) -> None:
        """Let packages of which nothing was imported be imported as they are."""
        for finder in self._finders:
            if not any(name in sys.modules for name in finder.modules):
                remove(finder)
        self._finders = []

    def __enter__(self) -> Self:
        return self if self.reports else self.install()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.uninstall()


def prepared(*names: str) -> ImportHook:
    """Prepare packages at import: `with qprep.prepared("timm"): import timm`.

    A name is a package, a subpackage or a module, and includes everything below it. The installed package does not
    change. The rewritten files are kept in qprep's cache (`.qprep_cache`) for each content of the package and
    each version of qprep. Only safe fixes are applied; a file that cannot be rewritten is imported as it is, with a
    `PreparedImportWarning`. Raises QprepError at the start of the block for a name
    of no installed package, and for a package that is already imported.
    """
    return ImportHook(names)


def install_import_hook(names: str | Iterable[str]) -> ImportHook:
    """Prepare packages at import from now on, as `prepared` does; `uninstall()` of the hook ends it."""
    return ImportHook((names,) if isinstance(names, str) else tuple(names)).install()


def _known_finder(group: Sequence[InstalledPackage]) -> PreparedFinder | None:
    """The finder of the same names, where one is installed.

    Raises QprepError if other parts of the package are prepared, since files that are rewritten go together, and
    where a file of these is imported as it is.
    """
    names, top = tuple(package.name for package in group), group[0].top
    for finder in installed_finders():
        if finder.names == names:
            return finder
        if any(module.partition(".")[0] == top for module in finder.modules):
            found = ", ".join(finder.names) or "files of a model"
            raise QprepError(
                f"expected to prepare `{', '.join(names)}` alone, found {found} prepared already: "
                "name all parts of a package in one hook, in a fresh process"
            )
    for package in group:
        loaded = next((module for module in package.files if module in sys.modules), None)
        if loaded is not None:
            raise QprepError(
                f"expected to prepare `{package.name}` before it is imported, found `{loaded}` imported already: "
                "install the hook first, in a fresh process"
            )
    return None


def _sources(top: str, group: Sequence[InstalledPackage]) -> PreparedSources:
    """The rewritten files of the requested parts of one package; none, and a warning, where that fails."""
    files = {module: path for package in group for module, path in package.files.items()}
    every = files if any(package.name == top for package in group) else {**locate(top).files, **files}
    return rewritten_sources(", ".join(package.name for package in group), files, every)


def rewritten_sources(label: str, files: Mapping[str, Path], every: Mapping[str, Path]) -> PreparedSources:
    """The rewritten forms of `files`, from the cache where it holds them; `every` are all files of their package.

    None, with a PreparedImportWarning that begins with `label`, where they cannot be rewritten.
    """
    try:
        wanted = FileSet(label, files, tuple(every.values()))
        sources = prepared_sources(prepared_folder(), wanted, lambda: rewrite_files(files))
    except (QprepError, OSError) as error:
        warnings.warn(f"`{label}` is imported unchanged: {error}", PreparedImportWarning, stacklevel=2)
        return PreparedSources({}, failed=(f"{label}: {error}",))
    if sources.failed:
        shown = "; ".join(sources.failed)
        warnings.warn(f"`{label}`: files are imported unchanged: {shown}", PreparedImportWarning, stacklevel=2)
    return sources


def _report(top: str, group: Sequence[InstalledPackage], sources: PreparedSources) -> PackageReport:
    return PackageReport(
        tuple(package.name for package in group),
        version_of(top),
        tuple(sources.rewritten),
        sources.fixed,
        sources.left,
        sources.failed,
    )


def lines(reports: Iterable[PackageReport]) -> Iterator[str]:
    """One line for each package, for people."""
    for report in reports:
        name = ", ".join(report.names) + (f" {report.version}" if report.version else "")
        yield f"{name}: {report.fixed} findings fixed in {len(report.rewritten)} files, {len(report.left)} left"
