"""Earlier results count as long as all that they came of is the same, and not a moment longer."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from qprep.analysis.dependencies import partitions
from qprep.cli import main
from qprep.engine import fix_loop, partitioning, runs, snapshot
from qprep.engine.config.settings import SettingsResolver
from qprep.engine.config.settings_file import Options
from qprep.engine.execution import Effort
from qprep.engine.incremental.cache import Cache
from qprep.engine.rule_registry import all_rules
from qprep.foundation.findings import Finding

USER = """\
from torch import nn
{imports}

class Net({base}):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return {body}
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__init__.py").write_text("")
    return tmp_path / "pkg"


def write(folder: Path, name: str, *, imports: str = "", base: str = "nn.Module", body: str = "x") -> Path:
    path = folder / name
    path.write_text(USER.format(imports=imports, base=base, body=body))
    return path


def check(paths: Sequence[Path], options: Options | None = None, folder: str = "cache") -> tuple[Finding, ...]:
    """The findings of a check with a cache, after a comparison with those of a check without one."""
    resolver = SettingsResolver(all_rules(), options or Options(), isolated=True)
    found = runs.check(paths, resolver, effort=Effort(cache=Cache(Path(folder), resolver)))
    assert found == runs.check(paths, resolver)
    return found.findings


def looks(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The names of the files of every look that is taken from now on."""
    taken: list[list[str]] = []
    real = snapshot.Survey

    def look(paths: Sequence[Path], *rest: object) -> object:
        taken.append([path.name for path in paths])
        return real(paths, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(snapshot, "Survey", look)
    monkeypatch.setattr(fix_loop, "Survey", look)
    return taken


def test_a_second_run_takes_no_look(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(package, "a.py", body="x + x")
    resolver = SettingsResolver(all_rules(), isolated=True)
    first = runs.check([path], resolver, effort=Effort(cache=Cache(Path("cache"), resolver)))
    taken = looks(monkeypatch)
    assert runs.check([path], resolver, effort=Effort(cache=Cache(Path("cache"), resolver))) == first
    assert taken == []
    assert first.findings
    assert first.unknown == len(first.unknown_sites)
    assert (package.parent / "cache" / ".gitignore").read_text() == "*\n"


def test_a_changed_helper_beside_the_files_given_counts(package: Path) -> None:
    (package / "b.py").write_text("def size(x):\n    return x.shape[0]\n")
    path = write(package, "a.py", imports="from .b import size", body="x[: size(x) * 2]")
    assert check([path]) == check([path]) == ()
    (package / "b.py").write_text("def size(x):\n    return x.sigmoid()\n")
    assert [finding.code for finding in check([path])] == ["QP102"]


def test_a_changed_base_class_in_another_file_counts(package: Path) -> None:
    base = write(package, "b.py", body="x")
    path = write(package, "a.py", imports="from .b import Net as Base", base="Base", body="self.step(x) * 2")
    assert len(check([path])) == len(check([path])) == 1
    base.write_text(base.read_text() + "\n    def step(self, x):\n        return x.shape[0]\n")
    assert check([path]) == ()


def test_a_new_file_that_shadows_an_import_counts(package: Path) -> None:
    (package / "b.py").write_text("def size(x):\n    return x.shape[0]\n")
    path = write(package, "a.py", imports="from .b import size", body="x[: size(x) * 2]")
    assert check([path]) == ()
    (package / "b").mkdir()
    (package / "b" / "__init__.py").write_text("def size(x):\n    return x.sigmoid()\n")
    assert len(check([path])) == 1


@pytest.mark.parametrize("late", ["pkg/late.py", "pkg/late/__init__.py", "late.py"])
def test_a_file_that_was_missing_counts(late: str, package: Path) -> None:
    home, imports = (package, "from .late") if late.startswith("pkg") else (package.parent, "from late")
    path = write(home, "a.py", imports=f"{imports} import size", body="size(x) * 2")
    assert check([path]) == ()  # of unknown kind
    Path(late).parent.mkdir(exist_ok=True)
    Path(late).write_text("def size(x):\n    return x.sigmoid()\n")
    assert len(check([path])) == 1


def test_settings_count(package: Path) -> None:
    path = write(package, "a.py", body="x + x  # qprep: ignore[QP101]")
    assert check([path]) == ()
    assert check([path], Options(select=("QP1",))) == ()
    path.write_text(path.read_text().replace("QP101", "QP102"))
    assert len(check([path])) > 1
    assert [finding.code for finding in check([path], Options(ignore=("QP0",)))] == ["QP101"]
    assert check([path], Options(per_file_ignores=(("a.py", ("ALL",)),))) == ()


def test_what_is_damaged_is_as_if_it_were_not_there(package: Path) -> None:
    path = write(package, "a.py", body="x + x")
    found = check([path])
    entries = [place for place in Path("cache").glob("??/*") if place.is_file()]
    assert entries
    for damage in (b"", b"{}", b"\xff" * 99, entries[0].read_bytes()[:-9], entries[0].read_bytes()[:33] + b"[1]"):
        for place in entries:
            place.write_bytes(damage)
        assert check([path]) == found


def test_a_folder_that_cannot_be_written_is_no_fault(package: Path) -> None:
    path = write(package, "a.py", body="x + x")
    Path("cache").write_text("a file")
    assert len(check([path], folder="cache/inside")) == 1


def test_runs_may_share_a_folder(package: Path) -> None:
    path = write(package, "a.py", body="x + x")
    faults: list[BaseException] = []

    def work() -> None:
        try:
            assert len(check([path])) == 1
        except BaseException as error:  # noqa: BLE001  (told to the test)
            faults.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert not [name for _, _, names in os.walk("cache") for name in names if name.endswith(".qprep")]


def test_only_the_part_with_the_change_is_looked_at_again(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitions, "UNIT_BYTES", 1)
    monkeypatch.setattr(partitioning, "UNIT_BYTES", 1)
    paths = [write(package, f"m{n}.py", body=f"x + {n}") for n in range(4)]
    paths.append(write(package, "user.py", imports="from .m0 import Net as First", base="First", body="x * 2"))
    check(paths)
    resolver = SettingsResolver(all_rules(), isolated=True)
    paths[0].write_text(paths[0].read_text().replace("+", "-"))
    taken = looks(monkeypatch)
    runs.check(paths, resolver, effort=Effort(cache=Cache(Path("cache"), resolver)))
    assert taken == [["m0.py", "user.py"]]
    check(paths)


def test_names_that_other_files_ask_for_count(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitions, "UNIT_BYTES", 1)
    monkeypatch.setattr(partitioning, "UNIT_BYTES", 1)
    paths = [write(package, "a.py", body="x + x"), write(package, "b.py", body="x")]
    check(paths)
    paths[1].write_text(paths[1].read_text() + "\n\ndef has(block):\n    return hasattr(block, 'add')\n")
    check(paths)


def test_fix_takes_no_look_where_nothing_can_be_fixed(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(package, "a.py", body="x")
    resolver = SettingsResolver(all_rules(), isolated=True)
    check([path])
    plain = runs.fix([path], resolver, write=True)
    taken = looks(monkeypatch)
    assert runs.fix([path], resolver, write=True, effort=Effort(cache=Cache(Path("cache"), resolver))) == plain
    assert taken == []
    path.write_text(path.read_text().replace("return x", "return x + x"))
    check([path])
    assert runs.fix([path], resolver, write=False, effort=Effort(cache=Cache(Path("cache"), resolver))).changed


def starred(package: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Two files in parts of their own; one finds `size` through the stars of files beside it."""
    monkeypatch.setattr(partitions, "UNIT_BYTES", 1)
    monkeypatch.setattr(partitioning, "UNIT_BYTES", 1)
    (package / "stars.py").write_text("from .one import *\nfrom .two import *\n")
    (package / "one.py").write_text("def other(x):\n    return x\n")
    (package / "two.py").write_text("def size(x):\n    return x.sigmoid()\n")
    user = write(package, "a.py", imports="from .stars import size", body="x[: size(x) * 2]")
    return [user, write(package, "b.py")]


def test_all_names_of_a_module_beside_the_files_count(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = starred(package, monkeypatch)
    assert len(check(paths)) == 1
    (package / "one.py").write_text("def size(x):\n    return x.shape[0]\n")
    assert check(paths) == ()


def test_a_file_that_was_only_asked_for_names_counts_by_them(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = starred(package, monkeypatch)
    assert len(check(paths)) == 1
    taken, divided = looks(monkeypatch), list[object]()
    real = partitions.units

    def divide(*arguments: Any) -> list[partitions.PartitionUnit]:
        divided.append(arguments)
        return real(*arguments)

    monkeypatch.setattr(partitioning, "units", divide)

    def check_again() -> int:
        taken.clear()
        resolver = SettingsResolver(all_rules(), isolated=True)
        return len(runs.check(paths, resolver, effort=Effort(cache=Cache(Path("cache"), resolver))).findings)

    (package / "one.py").write_text("# moved\n\ndef other(x):\n    return x + x\n")
    assert check_again() == 1
    assert taken == []
    assert divided == []
    (package / "two.py").write_text("# moved\n\ndef size(x):\n    return x.sigmoid()\n")
    assert check_again() == 1
    assert taken == [["a.py"]]


def _spoiled(value: Any) -> Iterator[Any]:
    """A document with one part replaced, for each part."""
    yield from (None, "a\0b", 10**9)
    parts = (
        list(enumerate(value)) if isinstance(value, list) else list(value.items()) if isinstance(value, dict) else []
    )
    for key, part in parts:
        for other in _spoiled(part):
            copy = value.copy()
            copy[key] = other
            yield copy


def test_forged_entries_are_no_bugs(package: Path) -> None:
    """With the right check sum: who can write to the cache can hide findings, but breaks nothing."""
    write(package, "a.py", body="x + x")
    arguments = ["check", "--cache-dir", "cache", "--output-format", "full", "-o", "out.txt", "pkg"]
    assert main(arguments) == 1
    forged = 0
    for place in [place for place in Path("cache").glob("??/*") if place.is_file()]:
        data = place.read_bytes()
        for document in _spoiled(json.loads(data.partition(b"\n")[2])):
            text = json.dumps(document).encode()
            place.write_bytes(hashlib.blake2b(text, digest_size=16).hexdigest().encode() + b"\n" + text)
            assert main(arguments) in (0, 1), document
            forged += 1
        place.write_bytes(data)
    assert forged > 100
