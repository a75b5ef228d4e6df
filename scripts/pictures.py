"""Write the pictures of docs/screens.md to docs/images: pages in headless Chromium, and the module graph.

    python scripts/pictures.py [--folder docs/images] [--suffix=-before]

Needs Chromium. The models have random weights; the data is random. `--suffix` names the pictures of an older checkout,
which PYTHONPATH selects.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from torch import nn

from qprep.quantizer import PostTrainingQuantizer
from qprep.runtime_modules import LSTM

ROOT = Path(__file__).resolve().parent.parent
SHOTS = {  # name: page, width, height
    "report-wide": ("report", 1400, 1000),
    "report-narrow": ("report", 800, 2300),
    "check": ("check", 1400, 800),
}
CHECKED = ("resnet.py", "seq2seq.py")


class Tagger(nn.Module):
    """An embedding, a recurrent layer with stages, and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.lstm, self.head = nn.Embedding(50, 16), LSTM(16, 16), nn.Linear(16, 5)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        """Scores of shape (length, batch, 5) of words of shape (length, batch)."""
        found: torch.Tensor = self.head(self.lstm(self.embedding(words))[0])
        return found


def main(arguments: list[str]) -> int:
    """Write all pictures; 1 without Chromium."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--folder", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--suffix", default="")
    options = parser.parse_args(arguments)
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        print("no Chromium is installed")
        return 1
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        quantizer, words = quantized()
        quantizer.report(words).to_html(folder / "report.html")
        checked(folder)
        for shot, (page, width, height) in SHOTS.items():
            shoot(browser, folder / f"{page}.html", options.folder / f"{shot}{options.suffix}.png", width, height)
    if not options.suffix:
        from qprep.quantizer import graph_svg

        graph_svg(quantizer.graph, options.folder / "graph.svg")
    return 0


def quantized() -> tuple[PostTrainingQuantizer, list[torch.Tensor]]:
    """A calibrated quantizer and its data; cell states have 8 bits, all else 4."""
    torch.manual_seed(0)
    words = [torch.randint(50, (12, 8)) for _ in range(4)]
    settings = {"lstm.*cell_add": {"bits_activations": 8}}
    quantizer = PostTrainingQuantizer(Tagger(), bits_activations=4, bits_weights=4, overrides=settings)
    quantizer.prepare_model(words[0])
    quantizer.calibrate(words)
    return quantizer, words


def checked(folder: Path) -> None:
    """Write check.html for two of the fixture models."""
    for name in CHECKED:
        shutil.copy(ROOT / "fixtures" / "before" / name, folder)
    command = [sys.executable, "-m", "qprep", "check", "--isolated", "--exit-zero", "--quiet", "--report", "check.html"]
    subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, check=True)


def shoot(browser: str, page: Path, target: Path, width: int, height: int) -> None:
    """A picture of the top of a page in a window of that size."""
    with tempfile.TemporaryDirectory() as profile:
        arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={profile}"]
        arguments += [f"--window-size={width},{height}", f"--screenshot={target}", page.as_uri()]
        subprocess.run([browser, *arguments], stderr=subprocess.DEVNULL, check=True)
    print(f"{target.name}: {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
