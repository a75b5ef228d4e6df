"""qprep prepares PyTorch models for quantization, quantizes them, and compresses them.

The names below are the public interface. Importing the package does not import torch or LibCST.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qprep.foundation.version import __version__

__all__ = [
    "Finding",
    "Fix",
    "FixResult",
    "Options",
    "PrepareReport",
    "Prepared",
    "QprepError",
    "Settings",
    "__version__",
    "check",
    "check_source",
    "fix",
    "fix_source",
    "install_import_hook",
    "prepare",
    "prepared",
    "quantize",
    "trace",
]

if TYPE_CHECKING:
    from qprep.engine.api import check, check_source, fix, fix_source
    from qprep.engine.config.settings import Settings
    from qprep.engine.config.settings_file import Options
    from qprep.engine.preparing.import_hook import install_import_hook, prepared
    from qprep.engine.preparing.prepare_model import Prepared, prepare
    from qprep.engine.preparing.prepare_report import PrepareReport
    from qprep.engine.results import FixResult
    from qprep.foundation.errors import QprepError
    from qprep.foundation.findings import Finding, Fix
    from qprep.quantizer.one_call import quantize
    from qprep.tracing import trace
else:
    _HOME = {
        "Finding": "qprep.foundation.findings",
        "Fix": "qprep.foundation.findings",
        "FixResult": "qprep.engine.results",
        "Options": "qprep.engine.config.settings_file",
        "PrepareReport": "qprep.engine.preparing.prepare_report",
        "Prepared": "qprep.engine.preparing.prepare_model",
        "QprepError": "qprep.foundation.errors",
        "Settings": "qprep.engine.config.settings",
        "check": "qprep.engine.api",
        "check_source": "qprep.engine.api",
        "fix": "qprep.engine.api",
        "fix_source": "qprep.engine.api",
        "install_import_hook": "qprep.engine.preparing.import_hook",
        "prepare": "qprep.engine.preparing.prepare_model",
        "prepared": "qprep.engine.preparing.import_hook",
        "quantize": "qprep.quantizer.one_call",
        "trace": "qprep.tracing",
    }

    def __getattr__(name: str) -> object:
        import importlib

        if name in {"compression", "quantizer", "runtime_modules"}:
            return importlib.import_module(f"qprep.{name}")
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
