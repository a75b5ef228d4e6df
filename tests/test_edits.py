from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qprep.foundation.findings import Applicability, Edit, Fix
from qprep.foundation.text_edits import apply_edits, apply_fixes, unified_diff

TEXT = "0123456789"


def fix(*edits: tuple[int, int, str], path: str = "a.py") -> Fix:
    return Fix(Applicability.SAFE, "", tuple(Edit(path, *edit) for edit in edits))


def result(*fixes: Fix) -> tuple[str, tuple[int, ...]]:
    applied = apply_fixes({"a.py": TEXT, "b.py": TEXT}, fixes)
    assert sorted((*applied.applied, *applied.dropped)) == list(range(len(fixes)))
    return applied.texts.get("a.py", TEXT), applied.dropped


def test_edits_apply_at_the_places_of_the_old_text() -> None:
    assert result(fix((8, 10, "")), fix((0, 1, "abc"), (4, 4, "-"))) == ("abc123-4567", ())


def test_a_fix_that_overlaps_is_dropped_whole() -> None:
    assert result(fix((2, 5, "x")), fix((0, 1, "y"), (4, 6, "z"))) == ("01x56789", (1,))
    assert result(fix((2, 5, "x")), fix((3, 3, "y"))) == ("01x56789", (1,))
    assert result(fix((3, 3, "y")), fix((2, 5, "x"))) == ("012y3456789", (1,))
    assert result(fix((2, 5, "x")), fix((2, 5, "y"))) == ("01x56789", (1,))
    assert result(fix((2, 8, "x")), fix((4, 5, "y"))) == ("01x89", (1,))
    assert result(fix((4, 5, "y")), fix((2, 8, "x"))) == ("0123y56789", (1,))


def test_neighbours_and_insertions_at_one_place_are_kept_in_order() -> None:
    assert result(fix((2, 4, "x")), fix((4, 6, "y"))) == ("01xy6789", ())
    assert result(fix((4, 4, "first ")), fix((4, 4, "second "))) == ("0123first second 456789", ())
    assert result(fix((4, 6, "z")), fix((4, 4, "before "))) == ("0123before z6789", ())
    assert result(fix((4, 4, "after ")), fix((2, 4, "z"))) == ("01zafter 456789", ())


def test_an_edit_that_is_already_made_is_made_once() -> None:
    imports = (0, 0, "import m\n")
    assert result(fix(imports, (2, 3, "x")), fix(imports, (5, 6, "y"))) == ("import m\n01x34y6789", ())


def test_a_fix_that_overlaps_itself_is_dropped() -> None:
    assert result(fix((2, 5, "x"), (4, 6, "y"))) == (TEXT, (0,))


def test_a_fix_over_two_files_is_all_or_nothing() -> None:
    both = Fix(Applicability.SAFE, "", (Edit("a.py", 0, 1, "x"), Edit("b.py", 0, 2, "x")))
    applied = apply_fixes({"a.py": TEXT, "b.py": TEXT}, [fix((1, 2, "y"), path="b.py"), both])
    assert applied.dropped == (1,)
    assert applied.texts == {"b.py": "0y23456789"}


@pytest.mark.parametrize("edit", [Edit("a.py", 9, 11, ""), Edit("c.py", 0, 0, ""), Edit("a.py", 3, 2, "")])
def test_an_edit_outside_its_text_is_a_bug(edit: Edit) -> None:
    with pytest.raises(ValueError, match="expected an edit inside a known file"):
        apply_fixes({"a.py": TEXT}, [Fix(Applicability.SAFE, "", (edit,))])


def test_overlapping_edits_are_a_bug() -> None:
    with pytest.raises(ValueError, match="overlap at offset 2"):
        apply_edits(TEXT, [Edit("a.py", 0, 3, ""), Edit("a.py", 2, 4, "")])


@given(st.lists(st.tuples(st.integers(0, 10), st.integers(0, 3), st.sampled_from(["", "x", "yz"])), max_size=8))
def test_what_is_applied_never_overlaps_and_the_rest_stays(raw: list[tuple[int, int, str]]) -> None:
    fixes = [fix((start, min(start + size, 10), content)) for start, size, content in raw]
    applied = apply_fixes({"a.py": TEXT}, fixes)
    made = list(dict.fromkeys(fixes[index].edits[0] for index in applied.applied))
    touched = [place for edit in made for place in range(edit.start, edit.end)]
    assert len(touched) == len(set(touched))
    kept = "".join(char for place, char in enumerate(TEXT) if place not in touched)
    text = applied.texts.get("a.py", TEXT)
    assert "".join(char for char in text if char.isdigit()) == kept
    assert len(text) == len(kept) + sum(len(edit.content) for edit in made)


def test_diff_of_equal_texts_is_empty() -> None:
    assert unified_diff("a.py", "x\n", "x\n") == ""


LINES = st.lists(st.sampled_from(["a", "b", "", "c\f", "d\r", "é", "\x1c", "e\u2028f"]), max_size=8)


@given(LINES, LINES, st.booleans(), st.booleans())
def test_git_applies_the_diff(
    tmp_path_factory: pytest.TempPathFactory, old: list[str], new: list[str], old_end: bool, new_end: bool
) -> None:
    before = "\n".join(old) + ("\n" if old_end else "")
    after = "\n".join(new) + ("\n" if new_end else "")
    folder = tmp_path_factory.mktemp("diff")
    (folder / "a.py").write_bytes(before.encode())
    diff = unified_diff("a.py", before, after)
    if diff and before and after:  # git takes an empty side for a file made or removed
        subprocess.run(["git", "apply", "--whitespace=nowarn", "-"], input=diff.encode(), check=True, cwd=folder)
        assert (folder / "a.py").read_bytes() == after.encode()


def test_diff_names_the_file_and_the_missing_newline() -> None:
    assert unified_diff("m/a.py", "x\ny", "x\nz\n") == (
        "--- a/m/a.py\n+++ b/m/a.py\n@@ -1,2 +1,2 @@\n x\n-y\n\\ No newline at end of file\n+z\n"
    )
