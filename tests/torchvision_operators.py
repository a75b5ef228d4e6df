"""Lets child processes import torchvision where its compiled part does not load beside the installed build of torch."""

from __future__ import annotations

import importlib.util
from pathlib import Path

_SHIM = """
import importlib.abc, sys

class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "torchvision":
            sys.meta_path.remove(self)
            import torch
            try:
                torch.ops.load_library(LIBRARY)
            except OSError:
                global library
                library = torch.library.Library("torchvision", "FRAGMENT")
                for each in ("nms", "qnms"):
                    library.define(f"{each}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

sys.meta_path.insert(0, Finder())
"""


def define_operators(folder: Path) -> bool:
    """Write a `sitecustomize.py` into `folder`, which must be on the path; False if torchvision is not installed."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return False
    library = str(Path(spec.origin).parent / "_C.so")
    (folder / "sitecustomize.py").write_text(f"LIBRARY = {library!r}\n{_SHIM}")
    return True
