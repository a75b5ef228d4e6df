"""Rules, rewrites and catalogue rows of other packages, and of a project's own configuration."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from qprep import check_source
from qprep.engine.config.settings import SettingsResolver
from qprep.engine.custom_operators import read_rows
from qprep.engine.plugin_loading import load_plugin
from qprep.engine.rule_registry import all_rules, rules_of, with_plugins
from qprep.engine.runs import check, fix
from qprep.foundation.errors import QprepError
from qprep.foundation.findings import Rule
from qprep.plugins import Plugin, PluginError
from qprep.plugins.testing import examples

GUIDE = Path(__file__).resolve().parent.parent / "docs" / "plugins.md"
SEPARATOR = "-- next --"
RUN_ALL = f"""
import sys
import pytest
from qprep.cli import main
for words in sys.argv[1:]:
    main(words.split())
    print({SEPARATOR!r}, end="")
sys.exit(pytest.main(["-p", "no:cacheprovider", "qprep-acme/tests"]))
"""
ROW = """
[[op]]
name = "swish"
spellings = ["mylib.ops.swish(input, beta=1.0)"]
module = "mylib.nn.Swish(beta)"
"""
MODEL = """\
from mylib import ops
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return ops.swish(self.fc(x), beta=2.0)
"""


def rule_module(name: str = "mine", code: str = "ACME001", title: str | None = None, fault: str = "") -> ModuleType:
    """A rule as a plugin would hold it; `fault` is raised when it runs."""
    module = ModuleType(f"acme.{name}")
    module.RULE = Rule(code, title or name, "A rule", "A rule of another package.", fixable=False)  # type: ignore[attr-defined]
    module.VALID, module.INVALID = (), ()  # type: ignore[attr-defined]

    def run(facts: object) -> list[object]:
        if fault:
            raise RuntimeError(fault)
        return []

    module.check = run  # type: ignore[attr-defined]
    return module


def test_a_row_gives_an_operator_of_ones_own_its_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ops.toml").write_text(ROW)
    (tmp_path / "qprep.toml").write_text('catalogue = "ops.toml"\n')
    (tmp_path / "model.py").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    settings = SettingsResolver(all_rules())
    (finding,) = check([Path("model.py")], settings).findings
    assert (finding.code, finding.message.split("`")[1]) == ("QP103", "mylib.ops.swish")
    fix([Path("model.py")], settings, write=True)
    text = (tmp_path / "model.py").read_text()
    assert "from mylib.nn import Swish" in text
    assert "self.swish = Swish(beta=2.0)" in text
    assert "return self.swish(self.fc(x))" in text
    assert check([Path("model.py")], settings).findings == ()
    assert check_source(MODEL) == ()


def test_an_operator_that_the_project_itself_defines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "mylib"
    package.mkdir()
    (tmp_path / "qprep.toml").write_text('catalogue = ["mylib/ops.toml"]\n')
    (package / "ops.toml").write_text(ROW)
    (package / "__init__.py").write_text("")
    (package / "ops.py").write_text("def swish(input, beta=1.0):\n    return input * (input * beta).sigmoid()\n")
    (package / "model.py").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    result = check([package / "ops.py", package / "model.py"], SettingsResolver(all_rules()))
    assert [(f.code, Path(f.path).name) for f in result.findings] == [("QP103", "model.py")]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[[op]]\nspellings = ['a.b(x)']", "row 1: expected a `name`, found none"),
        ("[[op]]\nname = 'a'\nspellings = ['b(x)']", "spellings: expected one as `package.function(input, scale=1)`"),
        ("[[op]]\nname = 'a'\nspellings = ['a.b()']", "found `a.b()`"),
        ("[[op]]\nname = 'a'\nspelings = []", "unknown key `spelings`; did you mean `spellings`?"),
        ("[[op]]\nname = 'a'\nspellings = 'a.b(x)'", "spellings: expected a list of strings"),
        ("[[op]]\nname = 'a'\nspellings = ['a.b(x)']\nclass = 'slow'", "class: expected one of compute, transparent"),
        (
            "[[op]]\nname = 'a'\nspellings = ['a.b(x)']\nmodule = 'B'",
            "module: expected a class as `package.Class(scale)`",
        ),
        ("[[op]]\nname = 'a'\nspellings = ['a.b(x, beta=1)']\nmodule = 'a.B(betta)'", "did you mean `beta`?"),
        ("[[ops]]\nname = 'a'", "expected rows as [[op]], found `ops`"),
        ("op = 1", "expected rows as [[op]]"),
        ("[[op", "is not valid TOML"),
    ],
)
def test_a_row_that_is_wrong_is_named(text: str, part: str, tmp_path: Path) -> None:
    path = tmp_path / "ops.toml"
    path.write_text(text)
    with pytest.raises(QprepError, match=re.escape(part)) as caught:
        read_rows(path)
    assert "ops.toml" in str(caught.value)


def test_a_catalogue_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(QprepError, match="the catalogue cannot be read"):
        read_rows(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("plugin", "part"),
    [
        (object(), "expected a qprep.plugins.Plugin"),
        (Plugin(checks=(ModuleType("empty"),)), "rule `empty`: expected `RULE` in the module"),
        (Plugin(checks=(rule_module(code="QP901"),)), "not QP's, found `QP901`"),
        (Plugin(checks=(rule_module(code="mine"),)), "expected a code of capitals and three digits"),
        (Plugin(checks=(rule_module(title="other"),)), "expected the name `mine`, found `other`"),
        (Plugin(codemods=(ModuleType("empty"),)), "rewrite `empty`: expected `rewrite`"),
        (Plugin(rows=({"name": "a"},)), "row 1: expected a `spellings`"),
        (Plugin(rows=(Path("none.toml"),)), "none.toml: the catalogue cannot be read"),
    ],
)
def test_a_plugin_that_is_wrong_is_named(plugin: object, part: str) -> None:
    with pytest.raises(PluginError, match=re.escape(part)) as caught:
        load_plugin("acme", plugin)
    assert str(caught.value).startswith("plugin `acme`: ")


def test_two_plugins_cannot_claim_one_code() -> None:
    one = load_plugin("one", Plugin(checks=(rule_module("mine"),)))
    two = load_plugin("two", Plugin(checks=(rule_module("yours"),)))
    with pytest.raises(PluginError, match="plugin `two`: `ACME001` is a rule of plugin `one` already"):
        with_plugins((one, two))


def test_a_rule_that_fails_names_its_plugin() -> None:
    registry = with_plugins((load_plugin("acme", Plugin(checks=(rule_module(fault="oh"),))),))
    settings = SettingsResolver(rules_of(registry), isolated=True, registry=registry)
    with pytest.raises(PluginError, match="plugin `acme`: rule ACME001 failed: RuntimeError: oh"):
        check([Path("model.py")], settings, overlay={"model.py": MODEL.encode()})


def test_examples_that_do_not_hold_say_what_was_found() -> None:
    module = rule_module()
    module.VALID = ("x = 1\n",)  # type: ignore[attr-defined]
    from qprep.checks.base import Invalid

    module.INVALID = (Invalid("x = 1\n", ("x",)),)  # type: ignore[attr-defined]
    valid, invalid = examples(Plugin(checks=(module,)))
    valid.run()
    assert (str(valid), str(invalid)) == ("ACME001-valid-0", "ACME001-invalid-0")
    with pytest.raises(AssertionError, match=re.escape("expected ['x'], found []")):
        invalid.run()


def test_the_guide_s_example_installs_and_runs(tmp_path: Path) -> None:
    """Every file of docs/plugins.md is written, the package is installed, its tests and commands are run."""
    text = GUIDE.read_text()
    files = dict(re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", text, re.DOTALL))
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    site = tmp_path / "site"
    install = ("pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(site))
    _run(tmp_path, site, "-m", *install, "./qprep-acme")
    commands = re.findall(r"```console\n\$ qprep ([^\n]*)\n(.*?)```", text, re.DOTALL)
    assert len(commands) >= 3
    found = _run(tmp_path, site, "-c", RUN_ALL, *(words for words, _ in commands)).split(SEPARATOR)
    assert found[:-1] == [expected for _, expected in commands]
    assert " passed" in found[-1]


def _run(folder: Path, site: Path, *words: str) -> str:
    paths = os.pathsep.join((str(site), str(Path(__file__).resolve().parent.parent)))
    environment = {**os.environ, "PYTHONPATH": paths, "NO_COLOR": "1"}
    command = [sys.executable, *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
