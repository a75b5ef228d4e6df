"""JUnit XML: a suite a file, a failure a finding, one passing case when all is clean."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable
from xml.etree import ElementTree as ET

from qprep.cli.reporters.report_data import Report
from qprep.foundation.findings import Finding

SHOWS_EDITS = False
IS_HUMAN = False

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(report: Report) -> str:
    """One document with its declaration."""
    count = str(len(report.findings))
    root = ET.Element("testsuites", name="qprep", tests=str(len(report.findings) or 1), failures=count, errors="0")
    for path, group in itertools.groupby(report.findings, key=lambda finding: finding.path):
        _suite(root, path, list(group))
    if not report.findings:
        suite = ET.SubElement(root, "testsuite", name="qprep", tests="1", failures="0", errors="0")
        ET.SubElement(suite, "testcase", name="no findings", classname="qprep")
    ET.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _suite(root: ET.Element, path: str, findings: list[Finding]) -> None:
    name, count = _clean(path), str(len(findings))
    suite = ET.SubElement(root, "testsuite", name=name, tests=count, failures=count, errors="0")
    for title, finding in zip(_titles(findings), findings, strict=True):
        line, column = str(finding.start.line), str(finding.start.column)
        attributes = {"name": title, "classname": name, "file": name, "line": line, "column": column}
        case = ET.SubElement(suite, "testcase", attributes)
        failure = ET.SubElement(case, "failure", message=_clean(finding.message), type=finding.severity.value)
        failure.text = _clean(f"line {line}, col {column}, {'. '.join(_sentences(finding))}")


def _titles(findings: Iterable[Finding]) -> Iterable[str]:
    """A name for each finding of a file that no other one has: consumers tell test cases apart by their names."""
    seen: Counter[str] = Counter()
    for finding in findings:
        title = f"{finding.code} at {finding.start.line}:{finding.start.column}"
        seen[title] += 1
        yield title if seen[title] == 1 else f"{title} ({seen[title]})"


def _sentences(finding: Finding) -> Iterable[str]:
    yield finding.message
    if finding.help:
        yield finding.help


def _clean(text: str) -> str:
    """XML has no way to write most control characters."""
    return _NOT_XML.sub("\ufffd", text)
