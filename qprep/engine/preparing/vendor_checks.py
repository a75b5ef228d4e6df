"""Tries a vendored package before it is put in its place."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from qprep.foundation.errors import QprepError
from qprep.foundation.version import PACKAGE_FOLDER

if TYPE_CHECKING:
    from qprep.tracing.request import Request

_PROGRAM = """\
import importlib, sys
sys.path[:0] = [sys.argv[1]]
sys.path.append(sys.argv[4])
getattr(importlib.import_module(sys.argv[2]), sys.argv[3])
"""


def check_import(name: str) -> Callable[[Path], None]:
    """A check that the package can be imported, in a process of its own, and offers `name`."""

    def check(folder: Path) -> None:
        arguments = [str(folder.parent), folder.name, name, str(PACKAGE_FOLDER.parent)]
        outcome = subprocess.run(  # noqa: S603  (our own program, run by our own interpreter)
            [sys.executable, "-c", _PROGRAM, *arguments], capture_output=True, text=True, check=False
        )
        if outcome.returncode:
            reason = (outcome.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise QprepError(f"nothing was written: the files cannot be imported: {reason}")

    return check


def check_model(request: Request, name: str) -> Callable[[Path], None]:
    """A check that the package builds the model of `request`: equal in state, outputs and gradients."""

    def check(folder: Path) -> None:
        from qprep.engine.preparing.original_run import run_original
        from qprep.tracing.compare import first_difference
        from qprep.tracing.verdict import COMPOUND, EXACT

        original = run_original(request)
        vendored = run_original(
            replace(request, target=f"{folder / '__init__.py'}:{name}"), given=original.fresh_inputs()
        )
        tolerance = COMPOUND if original.record.compound else EXACT
        difference = first_difference(original.record, vendored.record, tolerance)[1]
        if difference is not None:
            raise QprepError(f"nothing was written: the rewritten {request.target} differs: {difference}")

    return check
