from __future__ import annotations

import json
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from qprep.cli.reporters import Report, output_format, own_formats, render
from qprep.foundation.findings import Edit
from qprep.foundation.source import SourceFile
from qprep.foundation.text_edits import apply_edits
from tests.report.conftest import ODD, PLAIN

MACHINE_FORMATS = [name for name in own_formats() if not output_format(name).is_human]


@pytest.mark.parametrize("name", MACHINE_FORMATS)
def test_two_runs_give_the_same_text_ended_by_a_newline(report: Report, name: str) -> None:
    text = render(name, report)
    assert text == render(name, report)
    assert text.endswith("\n")
    assert "Found" not in text
    assert "\x1b" not in text


@pytest.mark.parametrize(("name", "text"), [("json", "[]\n"), ("json-lines", ""), ("github", ""), ("gitlab", "[]\n")])
def test_clean(clean: Report, name: str, text: str) -> None:
    assert render(name, clean) == text


def test_json_shape(report: Report) -> None:
    records = json.loads(render("json", report))
    assert [record["code"] for record in records] == ["QP201", "QP102", "QP001", "QP101", "QP003"]
    record = records[3]
    assert list(record) == [
        "code", "name", "severity", "message", "help", "notes", "filename", "cell", "location", "end_location", "fix",
        "unfixable_reason", "unfixable_code", "url", "suppression_row",
    ]  # fmt: skip
    assert record["location"] == {"row": 5, "column": 12}
    assert record["end_location"] == {"row": 5, "column": 17}
    assert record["suppression_row"] == 5
    assert record["fix"]["applicability"] == "safe"
    assert records[1]["fix"]["applicability"] == "unsafe"
    assert records[0]["fix"] is None
    assert records[0]["unfixable_reason"] == "a product has none"


def test_json_edits_can_be_applied_from_rows_and_columns(report: Report) -> None:
    texts = {"pkg/plain.py": PLAIN, "odd, 100%.py": ODD}
    edits = json.loads(render("json", report))[3]["fix"]["edits"]
    for path, expected in (
        ("pkg/plain.py", "import new\n" + PLAIN.replace("a + b", "add(a, b)")),
        ("odd, 100%.py", "e" + ODD[1:]),
    ):
        lines = SourceFile.from_bytes(path, texts[path].encode()).starts
        made = [
            Edit(path, _offset(lines, edit["location"]), _offset(lines, edit["end_location"]), edit["content"])
            for edit in edits
            if edit["filename"] == path
        ]
        assert apply_edits(texts[path], made) == expected


def _offset(lines: list[int], place: dict[str, int]) -> int:
    return lines[place["row"] - 1] + place["column"] - 1


def test_json_lines_are_the_records_of_json(report: Report) -> None:
    lines = render("json-lines", report).splitlines()
    assert [json.loads(line) for line in lines] == json.loads(render("json", report))


def test_github(report: Report) -> None:
    lines = render("github", report).splitlines()
    assert [line.split()[0] for line in lines] == ["::error", "::error", "::error", "::warning", "::warning"]
    assert lines[0] == (
        "::error title=qprep (QP102),file=odd%2C 100%25.py,line=3,col=5,endLine=3,endColumn=10"
        "::odd, 100%25.py:3:5: QP102 `a` is bare"
    )
    assert "QP201 `a * b` is 100%25 <bare>, ␛[1m" in lines[3]


def test_gitlab(report: Report) -> None:
    records = json.loads(render("gitlab", report))
    assert len({record["fingerprint"] for record in records}) == 5
    assert records[1]["severity"] == "critical"
    assert records[1]["location"] == {
        "path": "odd, 100%.py",
        "positions": {"begin": {"line": 3, "column": 5}, "end": {"line": 3, "column": 10}},
    }
    assert records[3]["description"] == "QP101: `a` is bare"


def test_junit(report: Report, clean: Report) -> None:
    root = ET.fromstring(render("junit", report))
    assert (root.get("tests"), root.get("failures")) == ("5", "5")
    assert [suite.get("name") for suite in root] == ["odd, 100%.py", "pkg/broken.py", "pkg/plain.py", "pkg/secret.py"]
    names = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
    assert len(set(names)) == 5
    failure = root[0][0][0]
    assert failure.get("message") == "`a *\n b` is 100% <bare>, \ufffd[1m&\ufffd"
    assert [case.tag for case in ET.fromstring(render("junit", clean)).iter("testcase")] == ["testcase"]
    assert list(ET.fromstring(render("junit", clean)).iter("failure")) == []


def test_fingerprints_stay_when_lines_move(report: Report) -> None:
    from dataclasses import replace

    from qprep.cli.reporters import Sources
    from qprep.foundation.findings import Position

    before = {record["check_name"]: record["fingerprint"] for record in json.loads(render("gitlab", report))}
    moved = [
        replace(
            item,
            start=Position(item.start.line + 2, item.start.column),
            end=Position(item.end.line + 2, item.end.column),
        )
        for item in report.findings
    ]
    overlay = {path: b"\n\n" + data for path, data in report.sources.overlay.items()}
    after = json.loads(render("gitlab", replace(report, findings=tuple(moved), sources=Sources(overlay))))
    assert {record["check_name"]: record["fingerprint"] for record in after} == before


def test_uris_are_relative_to_the_work_tree(report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    results = json.loads(render("sarif", report))["runs"][0]["results"]
    uris = [result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for result in results]
    assert uris[0] == "sub/odd%2C%20100%25.py"


@pytest.mark.parametrize("variable", ["GITHUB_WORKSPACE", "CI_PROJECT_DIR", None])
def test_code_hosts_get_paths_from_the_top_of_the_repository(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str | None
) -> None:
    """A job may run in a folder of its own, and its checkout need not have a .git."""
    for name in ("GITHUB_WORKSPACE", "CI_PROJECT_DIR"):
        monkeypatch.delenv(name, raising=False)
    if variable is None:
        (tmp_path / ".git").mkdir()
    else:
        monkeypatch.setenv(variable, str(tmp_path))
    (tmp_path / "models").mkdir()
    monkeypatch.chdir(tmp_path / "models")
    assert ",file=models/odd%2C 100%25.py," in render("github", report)
    paths = {record["location"]["path"] for record in json.loads(render("gitlab", report))}
    assert paths == {f"models/{name}" for name in ("odd, 100%.py", "pkg/broken.py", "pkg/plain.py", "pkg/secret.py")}


def test_two_findings_at_one_place_are_two_test_cases(report: Report) -> None:
    from dataclasses import replace

    twice = replace(report, findings=(report.findings[0], report.findings[0]))
    names = [case.get("name") for case in ET.fromstring(render("junit", twice)).iter("testcase")]
    assert names == ["QP201 at 1:13", "QP201 at 1:13 (2)"]
