"""`qprep vendor`: the files that a model of an installed package needs, rewritten, in a folder of your own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from qprep.engine.preparing.licence_files import Origin, origin_of
from qprep.engine.preparing.package_files import InstalledPackage, locate
from qprep.engine.preparing.vendored_files import (
    PackageNames,
    VendoredFile,
    VendoredFiles,
    missing_packages,
    path_of,
    vendored_files,
)
from qprep.engine.preparing.vendored_imports import PackageModule, relative
from qprep.foundation.errors import QprepError
from qprep.foundation.version import __version__

_MARK = "# Vendored by qprep"
_LICENCES = "licenses"
Check = Callable[[Path], None]


@dataclass(frozen=True, slots=True)
class Vendored:
    """The files written to `folder`: their paths below it, those of licences among them."""

    folder: Path
    origin: Origin
    written: tuple[str, ...]
    files: VendoredFiles


def vendor(module: str, name: str, folder: Path, *, overwrite: bool = False, check: Check | None = None) -> Vendored:
    """Write the files that `name` of the installed `module` needs, rewritten, as the package `folder`.

    The package offers `name` itself: `from my_models import resnet50`. `check` is called with the folder before it is
    put in its place, and raises what keeps it from that: nothing half-written stays. Raises QprepError for a folder
    that holds anything, unless `overwrite` is set and it was written by this function.
    """
    _check_folder(folder, overwrite)
    package = locate(module.partition(".")[0])
    home, defined = _definition(package, module, name)
    files = vendored_files(package, (home,))
    origin = origin_of(package.name, _folder(package))
    texts = {file.path: _headed(file, origin) for file in files.files}
    texts.update({path: _header(origin).encode() for path in missing_packages(list(texts))})
    texts["__init__.py"] = _first(origin, package, home, defined, name)
    texts.update({f"{_LICENCES}/{origin.name}/{file}": data for file, data in origin.licences.items()})
    _write(folder, texts, check)
    return Vendored(folder, origin, tuple(sorted(texts)), files)


def _definition(package: InstalledPackage, module: str, name: str) -> tuple[str, str]:
    """The module that defines a name, and the name there."""
    first, _, rest = name.partition(".")
    found = PackageNames(package).find(f"{module}.{first}")
    if rest or found is None or found.kind == "module":
        raise QprepError(f"expected a function or class `{name}` in `{module}`, found none in its source")
    return found.module, getattr(found, "name", first)


def _folder(package: InstalledPackage) -> Path:
    return package.files.get(package.name, next(iter(package.files.values()))).parent


def _check_folder(folder: Path, overwrite: bool) -> None:
    if folder.is_file():
        raise QprepError(f"--to: expected a folder, found the file {folder}")
    if not folder.exists() or not any(folder.iterdir()):
        return
    if not overwrite:
        raise QprepError(f"--to: expected a new or empty folder, found files in {folder}; --overwrite replaces it")
    first = folder / "__init__.py"
    if not first.is_file() or not first.read_text(encoding="utf-8", errors="replace").startswith(_MARK):
        raise QprepError(f"--overwrite: expected a folder that qprep vendored, found other files in {folder}")


def _header(origin: Origin, path: str = "") -> str:
    what = f": {path}" if path else ""
    return (
        f"{_MARK} {__version__} from {origin.name} {origin.version}{what}\n"
        f"# Each operation of a model has its own module. Licence files of the original: {_LICENCES}/{origin.name}\n"
    )


def _headed(file: VendoredFile, origin: Origin) -> bytes:
    """A file with its header, below the lines that must come first."""
    lines = file.data.splitlines(keepends=True)
    first = 0
    while first < min(2, len(lines)) and (lines[first].startswith(b"#!") or b"coding" in lines[first][:40]):
        first += 1
    header = _header(origin, file.original).encode()
    if lines and lines[0].endswith(b"\r\n"):
        header = header.replace(b"\n", b"\r\n")
    return b"".join([*lines[:first], header, *lines[first:]])


def _first(origin: Origin, package: InstalledPackage, home: str, defined: str, name: str) -> bytes:
    """The new package's own file."""
    top = PackageModule(package.name, is_package=True)
    base = relative(home, top) if "." in home else f".{path_of(home, package.files[home]).removesuffix('.py')}"
    bound = defined if defined == name else f"{defined} as {name}"
    return f'{_header(origin)}\nfrom {base} import {bound}\n\n__all__ = ["{name}"]\n'.encode()


def _write(folder: Path, texts: dict[str, bytes], check: Check | None) -> None:
    """Put the files there in one step."""
    target = folder.absolute()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".qprep-vendor-", dir=target.parent))
    except OSError as error:
        raise QprepError(f"--to: {folder} cannot be written: {error.strerror}") from error
    try:
        new = work / target.name
        _fill(new, texts)
        if check is not None:
            check(new)
            _without_bytecode(new)
        if target.exists():
            target.rename(work / "old")
        new.rename(target)
    except OSError as error:
        if (work / "old").exists() and not target.exists():
            (work / "old").rename(target)
        raise QprepError(f"--to: {folder} cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _fill(folder: Path, texts: dict[str, bytes]) -> None:
    for path, data in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)


def _without_bytecode(folder: Path) -> None:
    for cache in list(folder.rglob("__pycache__")):
        shutil.rmtree(cache, ignore_errors=True)


def summary(vendored: Vendored) -> Iterable[str]:
    """The messages about it, line by line."""
    files = vendored.files
    rewritten = sum(file.rewritten for file in files.files)
    yield (
        f"{vendored.folder}: {len(files.files)} files of {vendored.origin.name} {vendored.origin.version}, "
        f"{rewritten} of them rewritten, {files.fixed} findings fixed, {len(files.left)} left"
    )
    if not vendored.origin.licences:
        yield f"warning: no licence file came with {vendored.origin.name}"
    for reason in files.failed:
        yield f"warning: unchanged: {reason}"
