"""Pages in a headless Chromium, where one is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

_OVERFLOW = """
  const parts = [document.documentElement, ...document.querySelectorAll(SELECTOR)];
  return Math.max(...parts.map(each => each.scrollWidth - each.clientWidth));
"""
_CONTRAST = """
  const channels = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const linear = value => value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4;
  const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const behind = element => {
    for (let each = element; each; each = each.parentElement) {
      const found = channels(getComputedStyle(each).backgroundColor);
      if (found.length === 3 || found[3] > 0.5) return found;
    }
    return channels(getComputedStyle(document.documentElement).getPropertyValue('color-scheme'));
  };
  let worst = [99, 'nothing'];
  for (const element of document.body.querySelectorAll('*')) {
    const own = [...element.childNodes].some(each => each.nodeType === 3 && each.data.trim());
    if (!own || element.closest('style, script, svg')) continue;
    const back = behind(element);
    if (back.length < 3) return '0 no background';
    const both = [luminance(channels(getComputedStyle(element).color)), luminance(back)];
    const ratio = (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
    if (ratio < worst[0]) worst = [ratio, element.textContent.trim().slice(0, 30)];
  }
  return worst[0].toFixed(2) + ' ' + worst[1];
"""
_BACKGROUND = "return getComputedStyle(document.body).backgroundColor;"


def overflow(page: str, width: int, folder: Path, inside: str = "none") -> int:
    """Pixels by which the page exceeds a window of `width`, or the content of an element exceeds it.

    inside  CSS selector of the elements that are measured in addition to the page

    Skips the test if no Chromium is installed.
    """
    return int(evaluate(_OVERFLOW.replace("SELECTOR", repr(inside)), page, width, folder))


def lowest_contrast(page: str, folder: Path, *, dark: bool) -> tuple[float, str]:
    """The lowest contrast ratio of a text and its background (WCAG 2.1), and that text."""
    ratio, _, text = evaluate(_CONTRAST, page, 1400, folder, dark=dark).partition(" ")
    return float(ratio), text


def background(page: str, folder: Path, *, dark: bool) -> str:
    """The colour behind the page, as `rgb(…)`."""
    return evaluate(_BACKGROUND, page, 1400, folder, dark=dark)


def evaluate(body: str, page: str, width: int, folder: Path, *, dark: bool = False) -> str:
    """The value of a function of JavaScript with this body, run in the page in a window of `width`."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium is installed")
    script = f"<script>onload = () => {{ document.title = 'found ' + (() => {{ {body} }})(); }}</script></body>"
    (folder / "page.html").write_text(page.replace("</body>", script), encoding="utf-8")
    frame = f'<iframe id=f src="page.html" style="border:0;width:{width}px;height:900px"></iframe>'
    reader = "<script>onload=()=>{setTimeout(()=>{document.title=f.contentDocument.title},300)}</script>"
    (folder / "frame.html").write_text(frame + reader, encoding="utf-8")
    arguments = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}"]
    arguments += ["--allow-file-access-from-files", "--virtual-time-budget=3000", "--dump-dom"]
    arguments += [f"--blink-settings=preferredColorScheme={0 if dark else 1}"]
    shown = subprocess.run(
        [browser, *arguments, (folder / "frame.html").as_uri()],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    ).stdout
    found = re.search(r"<title>found (.*?)</title>", shown, re.DOTALL)
    assert found is not None, shown[-500:]
    return found[1]
