"""A worker process: reads parts from standard input, analyses them, and answers on what was standard output."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from qprep.analysis.inputs import Files
from qprep.engine import summarize
from qprep.engine.config.settings import SettingsResolver
from qprep.engine.config.settings_file import Options
from qprep.engine.execution import describe
from qprep.engine.ipc import read_frame, write_frame
from qprep.engine.partitioning import Division, ProjectSummaries
from qprep.engine.rule_registry import all_rules
from qprep.engine.scheduler import ExternalModules, PartLook
from qprep.foundation import gc_pause
from qprep.foundation.deep_recursion import run_with_large_stack
from qprep.foundation.errors import QprepError

if TYPE_CHECKING:
    from qprep.analysis.symbols.module_summary import ModuleSummary


def main() -> None:
    """Work until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to hear
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # nothing else may come between the answers
    try:
        run_with_large_stack(lambda: _serve(sys.stdin.buffer, answers))
    except BrokenPipeError:
        os._exit(1)  # the parent is gone


def _serve(questions: IO[bytes], answers: IO[bytes]) -> None:
    from qprep.engine import runs

    verb, made, overlay, edits, baseline = read_frame(questions)
    settings = _resolver(made)
    works: dict[str, Callable[..., tuple[Any, ExternalModules]]] = {
        "check": partial(runs.check_part, settings=settings, overlay=overlay, edits=edits),
        "fix": partial(runs.fix_part, settings=settings, overlay=overlay, baseline=baseline),
        summarize.VERB: partial(summarize.summarize_part, overlay=overlay),
    }
    look: PartLook[Any] = PartLook(verb, works[verb])
    divisions: dict[int, Division] = {}
    while (message := read_frame(questions)) is not None:
        if message[0] == "division":
            divisions[message[1]] = _division(message[2], message[3], overlay)
        else:
            with gc_pause.paused():  # until the answer is sent: nobody waits for what follows
                write_frame(answers, _answer(look, divisions[message[1]], message, answers))


def _answer(look: PartLook[Any], division: Division, message: tuple[Any, ...], answers: IO[bytes]) -> object:
    _, _, part, broken = message
    try:
        return "done", look.outcome(division, part, broken, lambda path: write_frame(answers, ("at", path)))
    except QprepError as error:
        return "wrong", str(error)
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001  (the parent puts it down to the file)
        return "error", describe(error)


def _division(
    paths: Sequence[Path], known: dict[str, ModuleSummary | None] | None, overlay: Mapping[str, bytes]
) -> Division:
    names = ProjectSummaries(paths, Files(overlay)) if known is not None else None
    if names is not None and known is not None:
        names.known.update(known)
    return Division(tuple(paths), (), names)


def _resolver(made: tuple[Any, ...]) -> SettingsResolver:
    values, config, isolated, force_exclude, ignore_suppressions = made
    return SettingsResolver(all_rules(), Options(**values), config, isolated, force_exclude, ignore_suppressions)
