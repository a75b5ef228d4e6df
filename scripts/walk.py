"""Prints the files of qprep in the order in which a run first enters them, and how often it enters each.

python scripts/walk.py check    a file, from its path to the findings
python scripts/walk.py fix      the same, to the edits
python scripts/walk.py model    a model, from its preparation to ONNX
"""

from __future__ import annotations

import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

import qprep

PACKAGE: Final = Path(qprep.__file__).parent
SOURCE: Final = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)
        self.act = nn.ReLU()

    def forward(self, x):
        x = self.act(self.conv(x))
        return self.act(x) + x
"""


@contextmanager
def entered() -> Iterator[Counter[str]]:
    """The files that are entered from another file of qprep while the context is open, in order, with their counts."""
    prefix = f"{PACKAGE}/"
    found: Counter[str] = Counter()

    def note(frame: FrameType, event: str, _: object) -> None:
        path = frame.f_code.co_filename
        if event != "call" or not path.startswith(prefix) or frame.f_code.co_name == "<module>":
            return
        caller = frame.f_back
        while caller is not None and not caller.f_code.co_filename.startswith(prefix):
            caller = caller.f_back
        from_file, from_function = (caller.f_code.co_filename, caller.f_code.co_name) if caller else ("", "")
        if from_file != path and from_function != "<module>":  # the import of a file is no entry
            found[path.removeprefix(prefix)] += 1

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield found
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def of_source(command: str) -> Counter[str]:
    """The walk of one source file through `qprep check` or `qprep fix`."""
    from qprep.cli import main

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "net.py")
        path.write_text(SOURCE)
        Path(folder, "use.py").write_text("from net import Net\n\nnet = Net()\n")
        with entered() as found:
            main([command, "--no-cache", "--quiet", "--output-file", str(Path(folder, "report.txt")), str(path)])
    return found


def of_model() -> Counter[str]:
    """The walk of one model from `prepare_model` to ONNX."""
    import torch
    from torch import nn

    from qprep.quantizer import PostTrainingQuantizer

    torch.manual_seed(0)
    images = torch.randn(8, 3, 8, 8)
    layers = (nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 4))
    quantizer = PostTrainingQuantizer(nn.Sequential(*layers), bits_weights=8, bits_activations=8)
    with tempfile.TemporaryDirectory() as folder, entered() as found:
        quantizer.prepare_model(images)
        quantizer.calibrate([images])
        quantizer.convert()
        quantizer.export_onnx(Path(folder, "model.onnx"))
    return found


WALKS: Final[dict[str, Callable[[], Counter[str]]]] = {
    "check": lambda: of_source("check"),
    "fix": lambda: of_source("fix"),
    "model": of_model,
}


if __name__ == "__main__":
    if sys.argv[1:2] == [] or sys.argv[1] not in WALKS:
        sys.exit(__doc__)
    for file, times in WALKS[sys.argv[1]]().items():
        print(f"{times:6} {file}")
