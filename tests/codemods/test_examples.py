"""Every rewrite's examples: the text, its stability, and that both sides compute the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from qprep import check_source, fix_source
from qprep.checks import load_checks
from qprep.codemods import load_codemods
from qprep.engine.config.settings_file import Options
from qprep.engine.rule_registry import rewrites_of
from tests.equivalence import differences, observe, residue

EAGER = "QP5"  # FloatFunctionals are no modules that run, and a fuse list is no operation
CODES = {check.stem: check.rule.code for check in load_checks()}
TARGETS = {check.stem: check.target for check in load_checks()}
CHECKS = {check.stem: check for check in load_checks()}
REWRITES = {stem: rewrites_of(CHECKS[stem], codemod) for stem, codemod in load_codemods().items()}
EXAMPLES = [
    pytest.param(stem, before, after, id=f"{stem}-{i}")
    for stem, rewrites in REWRITES.items()
    for i, (before, after) in enumerate(rewrites)
]
each_example = pytest.mark.parametrize(("stem", "before", "after"), EXAMPLES)


def options(stem: str) -> Options:
    """The settings under which a rewrite is made."""
    return Options(unsafe_fixes=True, target=TARGETS[stem])


@each_example
def test_before_becomes_after(stem: str, before: str, after: str) -> None:
    assert CODES[stem] in {finding.code for finding in check_source(before, options=options(stem))}
    text, result = fix_source(before, options=options(stem))
    assert text == after
    assert CODES[stem] in {finding.code for finding in result.fixed}


@each_example
def test_after_is_stable(stem: str, before: str, after: str) -> None:
    assert check_source(after, options=options(stem)) == ()
    assert fix_source(after, options=options(stem))[0] == after


@each_example
def test_both_compute_the_same(stem: str, before: str, after: str, tmp_path: Path) -> None:
    seen = []
    for name, text in (("before", before), ("after", after)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "model.py").write_text(text)
        seen.append(observe(folder))
    assert seen[0].runs["eval"].tensors
    assert differences(seen[0], seen[1]) == []
    assert CODES[stem].startswith(EAGER) or not residue(seen[0]).is_prepared
    assert CODES[stem].startswith(EAGER) or residue(seen[1]).is_prepared


def test_every_rewrite_has_an_example() -> None:
    assert [stem for stem, rewrites in REWRITES.items() if not rewrites] == []
