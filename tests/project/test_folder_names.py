"""A folder is read once, and never hides a file that is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from qprep.analysis.symbols.folder_names import FolderNames


@pytest.mark.parametrize(
    ("dotted", "expected"),
    [
        ("net", True),
        ("pkg", True),
        ("pkg.part", True),
        ("pkg.more.deep", True),
        ("pkg.other", False),
        ("other.part", False),
        ("net.part", False),
        ("pkg.öl", True),  # its name on disk may have another form
    ],
)
def test_a_name_is_ruled_out_where_no_file_or_folder_has_it(dotted: str, expected: bool, tmp_path: Path) -> None:
    for name in ("net.py", "pkg/part.py", "pkg/more/deep.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert FolderNames().may_hold(str(tmp_path), dotted.split(".")) is expected
