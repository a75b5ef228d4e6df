"""Pages in a headless Chromium, where one is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

_MEASURE = """
onload = () => {
  const parts = [document.documentElement, ...document.querySelectorAll(SELECTOR)];
  document.title = 'overflow ' + Math.max(...parts.map(each => each.scrollWidth - each.clientWidth));
}
"""


def overflow(page: str, width: int, folder: Path, inside: str = "none") -> int:
    """Pixels by which the page exceeds a window of `width`, or the content of an element exceeds it.

    inside  CSS selector of the elements that are measured in addition to the page

    Skips the test if no Chromium is installed.
    """
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium is installed")
    script = f"<script>{_MEASURE.replace('SELECTOR', repr(inside))}</script></body>"
    (folder / "page.html").write_text(page.replace("</body>", script), encoding="utf-8")
    frame = f'<iframe id=f src="page.html" style="border:0;width:{width}px;height:900px"></iframe>'
    reader = "<script>onload=()=>{setTimeout(()=>{document.title=f.contentDocument.title},300)}</script>"
    (folder / "frame.html").write_text(frame + reader, encoding="utf-8")
    arguments = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}"]
    arguments += ["--allow-file-access-from-files", "--virtual-time-budget=3000", "--dump-dom"]
    shown = subprocess.run(
        [browser, *arguments, (folder / "frame.html").as_uri()],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    ).stdout
    found = re.search(r"<title>overflow (-?\d+)</title>", shown)
    assert found is not None, shown[-500:]
    return int(found[1])
