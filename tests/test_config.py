from __future__ import annotations

from pathlib import Path

import pytest

from qprep.engine.config.settings import DEFAULT_EXCLUDE, Settings, SettingsResolver
from qprep.engine.config.settings_file import Options
from qprep.engine.config.trace_targets import TraceTarget
from qprep.foundation.errors import QprepError
from tests.fake_engine import RULES


def resolve(path: Path, overrides: Options | None = None, *, isolated: bool = False) -> Settings:
    return SettingsResolver(RULES, overrides or Options(), isolated=isolated).for_file(path)


def test_defaults(tmp_path: Path) -> None:
    settings = resolve(tmp_path / "a.py")
    assert settings.enabled == settings.fixable == frozenset(rule.code for rule in RULES)
    assert settings.source is None
    assert (settings.output_format, settings.unsafe_fixes, settings.show_unknown) == ("full", False, False)
    assert settings.respect_gitignore
    assert settings.target_version is None
    assert settings.excludes[0].lines == DEFAULT_EXCLUDE


def test_the_closest_file_with_the_section_counts_alone(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text('[tool.qprep]\nselect = ["QP1"]\nunsafe-fixes = true\n')
    (inner / "pyproject.toml").write_text("[tool.other]\n")
    assert resolve(inner / "x.py").source == tmp_path / "pyproject.toml"
    (tmp_path / "a" / "qprep.toml").write_text('ignore = ["QP102"]\n')
    settings = resolve(inner / "x.py")
    assert settings.source == tmp_path / "a" / "qprep.toml"
    assert not settings.unsafe_fixes  # nothing is merged from further up
    assert {"QP101", "QP201"} <= settings.enabled
    assert "QP102" not in settings.enabled


def test_all_keys(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        """
        [tool.qprep]
        select = ["QP1"]
        extend-select = ["QP201"]
        ignore = ["QP102"]
        fixable = ["QP1"]
        unfixable = ["tensor-add"]
        unsafe-fixes = true
        exclude = ["gen"]
        extend-exclude = ["old/"]
        respect-gitignore = false
        output-format = "concise"
        target-version = "py312"
        show-unknown = true
        per-file-ignores = { "tests/*" = ["QP101"], "b.py" = ["QP2"] }
        [tool.qprep.trace]
        small = { target = "models:make", input = "1,3", timeout = 9 }
        """
    )
    settings = resolve(tmp_path / "a.py")
    assert {code for code in settings.enabled if code > "QP1"} == {"QP101", "QP201"}
    assert settings.fixable == {"QP102"}
    assert settings.unsafe_fixes
    assert settings.show_unknown
    assert not settings.respect_gitignore
    assert [scope.lines for scope in settings.excludes] == [("gen",), ("old/",)]
    assert (settings.output_format, settings.target_version) == ("concise", (3, 12))
    assert settings.trace["small"] == TraceTarget("models:make", ("1,3",), timeout=9)
    assert "QP101" not in settings.enabled_for(tmp_path / "tests" / "a.py")
    assert "QP101" in settings.enabled_for(tmp_path / "a.py")
    assert "QP201" not in settings.enabled_for(tmp_path / "deep" / "b.py")


def test_files_that_were_not_read_are_always_findings(tmp_path: Path) -> None:
    settings = resolve(tmp_path / "a.py", Options(select=("QP1",), per_file_ignores=(("*", ("ALL",)),)))
    assert settings.enabled_for(Path("a.py")) == {"QP001", "QP003", "QP006", "QP008"}


def test_the_command_line_overrides(tmp_path: Path) -> None:
    (tmp_path / "qprep.toml").write_text('unsafe-fixes = true\noutput-format = "json"\nexclude = ["x"]\n')
    options = Options(unsafe_fixes=False, output_format="sarif", exclude=("y",), extend_exclude=("z",))
    settings = resolve(tmp_path / "a.py", options)
    assert (settings.unsafe_fixes, settings.output_format) == (False, "sarif")
    assert [scope.lines for scope in settings.excludes] == [("y",), ("z",)]
    assert resolve(tmp_path / "a.py", isolated=True).source is None


def test_one_file_for_all(tmp_path: Path) -> None:
    (tmp_path / "qprep.toml").write_text('ignore = ["QP1"]')
    other = tmp_path / "other.toml"
    other.write_text('ignore = ["QP2"]')
    assert "QP101" in SettingsResolver(RULES, config=other).for_file(tmp_path / "a.py").enabled
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    with pytest.raises(QprepError, match=r"expected a \[tool.qprep\] table, found none"):
        SettingsResolver(RULES, config=tmp_path / "pyproject.toml").for_file(tmp_path / "a.py")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (r"exclude = ['models\old\*.py']", "exclude: expected patterns with `/` between folders, also on Windows"),
        (r"per-file-ignores = {'a\b.py' = ['QP1']}", "per-file-ignores: expected patterns with `/` between folders"),
        ('slect = ["QP1"]', "unknown key `slect` in the qprep settings; did you mean `select`?"),
        ('select = "QP1"', "select: expected a list of strings, found 'QP1'"),
        ("select = [1]", "select: expected a list of strings"),
        ("unsafe-fixes = 1", "unsafe-fixes: expected true or false, found 1"),
        ('output-format = "yaml"', "output-format: expected one of concise, full"),
        ('target-version = "3.11"', "target-version: expected one of py38, py39"),
        ("target-version = 311", "target-version: expected a string, found 311"),
        ("trace = 1", "trace: expected a table of targets, found 1"),
        ('trace = { a = { input = "1" } }', "trace: expected a.target, as package.module:factory"),
        ('trace = { a = { target = "m:f", devise = "cpu" } }', "did you mean `device`?"),
        ('trace = { a = { target = "m:f", timeout = true } }', "trace: expected a number of seconds as a.timeout"),
        ("per-file-ignores = 1", "per-file-ignores: expected a table of patterns"),
        ('per-file-ignores = { "!a" = ["QP1"] }', "expected patterns without a leading `!`"),
        ('per-file-ignores = { a = ["QP9"] }', "unknown rule `QP9`"),
        ('ignore = ["tensor-ad"]', "unknown rule `tensor-ad`; did you mean `tensor-add`?"),
        ("select = [", "the configuration is not valid TOML"),
    ],
)
def test_wrong_configurations_name_file_and_key(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "qprep.toml").write_text(text)
    with pytest.raises(QprepError) as caught:
        resolve(tmp_path / "a.py")
    assert str(caught.value).startswith(f"{tmp_path / 'qprep.toml'}: ")
    assert said in str(caught.value)


def test_a_section_that_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool]\nqprep = 3\n")
    with pytest.raises(QprepError, match="tool.qprep: expected a table, found 3"):
        resolve(tmp_path / "a.py")


def test_undecodable_configuration(tmp_path: Path) -> None:
    (tmp_path / "qprep.toml").write_bytes(b"\xff")
    with pytest.raises(QprepError, match="not valid TOML"):
        resolve(tmp_path / "a.py")
