"""Properties of `qprep fix` on any model: results and comments stay, it settles, every finding has a reason."""

from __future__ import annotations

import io
import tempfile
import tokenize
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings

from qprep import fix_source
from tests.equivalence import differences, observe, residue
from tests.generated_models import models
from tests.rewrite.running import fix, unreported, write

bounded = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def comments(text: str) -> Counter[str]:
    """The number of times that each comment occurs in a source."""
    tokens = tokenize.generate_tokens(io.StringIO(text, newline="").readline)
    return Counter(token.string.rstrip() for token in tokens if token.type == tokenize.COMMENT)


@bounded
@given(models())
def test_results_stay_and_nothing_is_left_unsaid(source: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "before", {"model.py": source})
        paths = write(Path(folder) / "after", {"model.py": source})
        result = fix(paths, write=True)
        before, after = observe(Path(folder) / "before"), observe(Path(folder) / "after")
        assert differences(before, after) == []
        assert result.reverted == ()
        if after.runs["eval"].tensors:
            assert unreported(residue(after), result.remaining) == []


@bounded
@given(models())
def test_a_second_run_changes_nothing(source: str) -> None:
    once, _ = fix_source(source)
    twice, again = fix_source(once)
    assert twice == once
    assert again.fixed == ()


@bounded
@given(models())
@example("x = 1  # a\n")
def test_comments_newlines_and_syntax_stay(source: str) -> None:
    text, _ = fix_source(source)
    compile(text, "model.py", "exec")
    assert comments(text) >= comments(source)
    assert ("\r\n" in text) == ("\r\n" in source)
    assert text.count("\r\n") in (0, text.count("\n"))
