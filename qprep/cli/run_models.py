"""The models that `check` and `fix` run: which, and what to say of their runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click

from qprep.cli.reporters.styled_text import plural
from qprep.engine.config.trace_targets import TraceTarget
from qprep.engine.runtime_evidence.equivalence_gate import Proof
from qprep.engine.runtime_evidence.observer import Observer, outside
from qprep.foundation.errors import QprepError
from qprep.foundation.suggestions import did_you_mean

if TYPE_CHECKING:
    from qprep.cli.session import Session
    from qprep.tracing.request import Request

_MOST_OUTSIDE = 20


def observer(session: Session) -> Observer | None:
    """The runner of the models of `--trace`; None without the flag."""
    wanted = session.flags["trace"]
    if session.flags["no_trace"]:
        return None
    if not wanted:
        _check_has_model(session)
        return None
    return Observer(_requests(session, "--trace", wanted), [str(path) for path in session.found.files])


def prover(session: Session) -> Proof | None:
    """The comparison of the models of `--verify`; None without the flag."""
    wanted = session.flags["verify"]
    if not wanted:
        return None
    if session.overlay:
        raise QprepError("--verify: expected files, found standard input")
    return Proof(_requests(session, "--verify", wanted), watch=None if session.flags["quiet"] else _announcement())


def _announcement() -> Callable[[Request], None] | None:
    """Name each model once before it runs; None if nobody watches the terminal."""
    if not sys.stderr.isatty():
        return None
    announced: set[str] = set()

    def announce(request: Request) -> None:
        if request.target not in announced:
            announced.add(request.target)
            limit = f"at most {request.timeout:g} seconds for each run"
            click.echo(f"verifying {request.target}: the original and the rewritten model run, {limit}", err=True)

    return announce


def tell_outside(session: Session, observe: Observer | None) -> None:
    """Say on standard error what the runs saw in files that are not analysed."""
    witness = observe.witness if observe is not None else None
    if witness is None or session.flags["quiet"]:
        return
    files = [str(path) for path in session.found.files]
    if not witness.runs.evaluated_any({os.path.realpath(path) for path in files}):
        targets = ", ".join(witness.runs.targets)
        click.echo(f"warning: the run of {targets} evaluated nothing in the files given", err=True)
    lines = list(outside(witness, files))
    if not lines:
        return
    click.echo(
        f"{plural(len(lines), 'operation')} outside of the files given, which `qprep fix` leaves alone:", err=True
    )
    shown = lines if session.flags["verbose"] else lines[:_MOST_OUTSIDE]
    for line in shown:
        click.echo(f"  {line}", err=True)
    if len(lines) > len(shown):
        click.echo(f"  and {len(lines) - len(shown)} more; --verbose lists them", err=True)


def _requests(session: Session, flag: str, names: Iterable[str]) -> tuple[Request, ...]:
    from qprep.tracing.request import make_request

    flags, known = session.flags, session.settings.trace
    found: list[Request] = []
    for name in names:
        entry = known.get(name)
        if entry is None and ":" not in name:
            raise QprepError(
                f"{flag}: expected a target as package.module:factory or path/file.py:factory, or a name from "
                f"[tool.qprep.trace], found `{name}`{did_you_mean(name, known, '`')}"
            )
        entry = entry or TraceTarget(name)
        maker = flags["maker"] or (None if flags["inputs"] else entry.inputs)
        device, timeout = flags["device"] or entry.device or "cpu", flags["timeout"] or entry.timeout
        inputs = flags["inputs"] or entry.input
        found.append(make_request(entry.target, inputs, maker=maker, device=device, timeout=timeout))
    return tuple(dict.fromkeys(found))


def _check_has_model(session: Session) -> None:
    """Flags that say how to run a model need one."""
    if session.flags.get("verify"):
        return
    given = [name for name in ("inputs", "maker", "device", "timeout") if session.flags[name]]
    if given:
        flags = {"inputs": "--input", "maker": "--inputs", "device": "--device", "timeout": "--trace-timeout"}
        raise QprepError(f"{flags[given[0]]}: expected --trace as well, found no model to run")
