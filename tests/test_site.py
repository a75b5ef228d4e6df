"""The documentation site: every page has a place in mkdocs.yml, and the site builds without a warning."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md"))
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
FENCE = re.compile(r"^ *```.*?^ *```$", re.DOTALL | re.MULTILINE)


def links(path: Path) -> list[str]:
    """Targets of the links of a page, outside of code."""
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    return [found["target"] for found in LINK.finditer(re.sub(r"`[^`\n]*`", "", text))]


def anchors(path: Path) -> set[str]:
    """Anchors of the headings of a page, as Python-Markdown makes them."""
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ +(.*)$", text, re.MULTILINE)
    return {re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", each).strip().lower()) for each in headings}


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs" / each for each in PAGES)]
)
def test_links_lead_somewhere(page: Path) -> None:
    for target in links(page):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.is_file(), f"{page}: {target}"
        assert not anchor or anchor in anchors(path), f"{page}: {target}"


def test_links_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One `two`\n[a](b.md#c) `[no](x)`\n```text\n[no](y)\n```\n")
    assert links(page) == ["b.md#c"]
    assert anchors(page) == {"one-two"}


def test_every_page_has_a_place() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    missing = [str(page) for page in PAGES if f" {page}\n" not in text and page.parts[0] != "rules"]
    assert missing == []


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    if importlib.util.find_spec("mkdocs") is None:
        pytest.skip("mkdocs is not installed: pip install 'qprep[docs]'")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    outcome = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr
    assert (tmp_path / "site" / "start" / "index.html").is_file()
