"""Several processes find what one finds; a file that ends or stops one costs nothing but itself."""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from pathlib import Path

import pytest

from qprep.analysis.dependencies import partitions
from qprep.analysis.inputs import Files
from qprep.engine import partitioning, runs, summarize
from qprep.engine.config.settings import SettingsResolver
from qprep.engine.config.settings_file import Options
from qprep.engine.execution import Effort, cores
from qprep.engine.rule_registry import all_rules
from qprep.engine.snapshot import Survey
from qprep.foundation.errors import QprepError
from qprep.foundation.findings import Fix
from qprep.foundation.version import PACKAGE_FOLDER
from tests.test_cache import write

# Runs at the start of each worker: looking at some files goes wrong.
_SABOTAGE = """\
import os, sys, time
if "-P" in sys.orig_argv and "qprep.engine.worker" in " ".join(sys.orig_argv):
    sys.path.append({home!r})
    from qprep.analysis.interpreter import class_runs
    real = class_runs._run_class
    def run(analysis, ref, **options):
        name = ref.module.rpartition(".")[2]
        if name == "dies":
            os._exit(3)
        if name == "killed":
            os.kill(os.getpid(), 9)
        if name == "hangs":
            time.sleep(600)
        if name == "fails":
            raise ValueError("a bug")
        return real(analysis, ref, **options)
    class_runs._run_class = run
"""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(partitions, "UNIT_BYTES", 1)
    monkeypatch.setattr(partitioning, "UNIT_BYTES", 1)
    package = tmp_path / "pkg"
    package.mkdir()
    (package / "__init__.py").write_text("")
    paths = [write(package, f"m{n}.py", body=f"self.f(x) + x * {n}") for n in range(5)]
    return [*paths, write(package, "user.py", imports="from .m0 import Net as First", base="First", body="x * 2")]


def sabotage(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "odd").mkdir()
    home = PACKAGE_FOLDER.parent
    (folder / "odd" / "sitecustomize.py").write_text(_SABOTAGE.format(home=str(home)))
    monkeypatch.setenv("PYTHONPATH", str(folder / "odd"))


def resolver(**options: object) -> SettingsResolver:
    return SettingsResolver(all_rules(), Options(**options), isolated=True)  # type: ignore[arg-type]


def test_two_processes_find_and_fix_what_one_does(files: list[Path]) -> None:
    settings = resolver(ignore=("QP103",))
    assert runs.check(files, settings, effort=Effort(jobs=2)) == runs.check(files, settings)
    alone = runs.fix(files, settings, write=False)
    assert runs.fix(files, settings, write=False, effort=Effort(jobs=2)) == alone
    assert alone.changed


def test_a_result_goes_between_processes_whole(files: list[Path]) -> None:
    odd = write(
        files[0].parent, "odd.py", imports="from elsewhere import thing", body="self.thing.a * self.thing.b + (x + x)"
    )
    result = runs.check([*files, odd], resolver())
    assert any(isinstance(finding.fix, Fix) and finding.fix.edits for finding in result.findings)
    assert result.unknown_sites
    assert pickle.loads(pickle.dumps(result)) == result


def test_bytes_given_instead_of_files_reach_the_processes(files: list[Path]) -> None:
    overlay = {"pkg/m1.py": b"x = (\n"}
    found = runs.check(files, resolver(), overlay=overlay, effort=Effort(jobs=2))
    assert ("pkg/m1.py", "QP001") in {(finding.path, finding.code) for finding in found.findings}


def test_what_one_file_does_to_a_process_is_that_files_finding(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = runs.check(files, resolver()).findings
    odd = [write(tmp_path / "pkg", f"{name}.py", body="x + x") for name in ("dies", "fails", "hangs", "killed")]
    sabotage(tmp_path, monkeypatch)
    found = runs.check([*files, *odd], resolver(), effort=Effort(jobs=2, patience=6)).findings
    assert tuple(finding for finding in found if finding.code != "QP008") == plain
    said = {finding.path: finding.message for finding in found if finding.code == "QP008"}
    assert said.pop("pkg/fails.py").startswith("qprep failed on this file: ValueError: a bug (")
    assert said == {
        "pkg/dies.py": "qprep failed on this file: the process that analysed it ended with 3",
        "pkg/hangs.py": "qprep failed on this file: no answer for 6 seconds",
        "pkg/killed.py": "qprep failed on this file: the process that analysed it was killed by signal 9",
    }


def test_an_error_in_this_process_is_that_files_finding_too(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    real = Survey._run

    def run(self: Survey) -> None:
        real(self)
        if self.files.text(files[2]) is not None and files[2] in self.project.given.values():
            self.setting.tell("pkg/m2.py")
            raise ValueError("a bug")

    plain = runs.check(files, resolver()).findings
    monkeypatch.setattr(Survey, "_run", run)
    found = runs.check(files, resolver()).findings
    assert [finding.path for finding in found if finding.code == "QP008"] == ["pkg/m2.py"]
    assert [f for f in found if f.code != "QP008"] == [f for f in plain if f.path != "pkg/m2.py"]


def test_a_wrong_setting_below_is_the_users_error(files: list[Path], tmp_path: Path) -> None:
    (tmp_path / "pkg" / "qprep.toml").write_text("slect = []\n")
    with pytest.raises(QprepError, match="unknown key `slect`"):
        runs.check(files, SettingsResolver(all_rules()), effort=Effort(jobs=2))


def test_processes_are_started_where_they_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qprep.engine.execution.cores", lambda: 4)
    auto = Effort(jobs=None)
    assert auto.workers([1_000, 1_000]) == 1
    assert auto.workers([4_000_000, 200_000]) == 1  # the first takes all the time there is
    assert auto.workers([2_000_000] * 3) == 3
    assert auto.workers([2_000_000] * 9) == 4
    assert Effort(jobs=2).workers([5, 5, 5]) == 2
    assert cores() >= 1


def test_summaries_that_processes_read_divide_alike(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summarize, "UNIT_BYTES", 1)
    broken = files[0].with_name("broken.py")
    broken.write_bytes(b"x = '\xff'\n")
    paths, read = [*files, broken], list[Path]()

    def summaries(some: Iterable[Path]) -> summarize.SummariesByPath:
        found = summarize.summaries_of(some, settings=resolver(), overlay={}, effort=Effort(jobs=2))
        read.extend(found)
        return found

    ahead = partitioning.divide(paths, Files({}), None, summaries)[0]
    assert read == files
    lazily = partitioning.divide(paths, Files({}))[0]
    assert ahead.parts == lazily.parts
    assert ahead.names is not None
    assert lazily.names is not None
    assert ahead.names.known == lazily.names.known
