"""Runs of a source with a model `Net` and a function `use`, to compare a source with its fixed version."""

from __future__ import annotations

import sys
import types

import torch


def used(source: str) -> object:
    """The result of `use(Net())` of a source."""
    module = types.ModuleType("used_model")
    sys.modules[module.__name__] = module
    try:
        exec(source, module.__dict__)
        torch.manual_seed(0)
        return module.use(module.Net())
    finally:
        del sys.modules[module.__name__]
