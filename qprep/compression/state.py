"""The scheduler's state: saved, checked against another schedule or model, and brought back."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from qprep.compression.coverage import bare
from qprep.compression.errors import CompressionError
from qprep.compression.history import History
from qprep.compression.masks import Share
from qprep.compression.optimizers import joined
from qprep.compression.policies.quantization import QuantizationPolicy
from qprep.compression.policies.thinning import adopt
from qprep.compression.policy import Policy
from qprep.compression.schedule_file import Schedule, load_schedule
from qprep.compression.structure import thin
from qprep.compression.training import Training
from qprep.compression.windows import Window
from qprep.foundation.atomic_write import save

FORMAT: Final = "qprep.compression/1"
_FILE: Final = "qprep.compression.checkpoint/1"
Policies = Sequence[tuple[Policy, Window]]


class Resumable(Protocol):
    """A scheduler, as far as resuming goes."""

    def use(self, schedule: Schedule) -> None:
        """Add the policies of a file."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Bring back its state."""


_Scheduler = TypeVar("_Scheduler", bound=Resumable)


def saved_state(
    training: Training, policies: Policies, schedule: Schedule | None, history: History, flags: Mapping[str, bool]
) -> dict[str, Any]:
    """Tensors and plain data: masks, time, policies' own state, what was removed and quantized, notes, history."""
    clock = training.clock
    return {
        "format": FORMAT,
        "flags": dict(flags),
        "clock": [clock.epoch, clock.minibatch, clock.minibatches, clock.step],
        "masks": training.masks.state_dict(),
        "policies": [
            {"name": policy.name, "window": repr(when), "state": policy.state_dict()} for policy, when in policies
        ],
        "records": list(training.records),
        "notes": list(training.notes),
        "generator": training.generator.get_state(),
        "schedule": None if schedule is None else schedule.text,
        "history": history.state_dict(),
    }


def load_state(
    training: Training,
    policies: Policies,
    schedule: Schedule | None,
    history: History,
    state: Mapping[str, Any],
) -> dict[str, bool]:
    """Bring `saved_state` back, and return its flags; CompressionError, before anything changes, for another schedule.

    A state of Distiller gives its masks, with a note that the rest is not in it.
    """
    if "masks_dict" in state and "format" not in state:
        _load_distiller(training, state)
        return {}
    if state.get("format") != FORMAT:
        raise CompressionError(f"expected the state of a scheduler, found {state.get('format', 'none')!r}")
    _check_policies(policies, schedule, state)
    _replay(training, policies, state["records"])
    training.masks.load_state_dict(state["masks"])
    for (policy, _), saved in zip(policies, state["policies"], strict=True):
        policy.load_state_dict(training, saved["state"])
    clock = training.clock
    clock.epoch, clock.minibatch, clock.minibatches, clock.step = state["clock"]
    training.generator.set_state(state["generator"].cpu())
    training.notes[:] = list(state["notes"])
    history.load_state_dict(state["history"])
    return dict(state["flags"])


def write_checkpoint(
    path: Path, model: nn.Module, optimizer: Optimizer | None, state: Mapping[str, Any], extras: Mapping[str, Any]
) -> None:
    """One file, in one step; torch.load reads it with weights_only=True."""
    stream = io.BytesIO()
    torch.save(
        {
            "format": _FILE,
            "model": model.state_dict(),
            "optimizer": None if optimizer is None else optimizer.state_dict(),
            "scheduler": dict(state),
            "random": _random_state(),
            "extras": dict(extras),
        },
        stream,
    )
    save(path, stream.getvalue(), "checkpoint")


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read the file of `write_checkpoint`; CompressionError for any other file."""
    try:
        data = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # torch raises what its reader happens on
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise CompressionError(f"expected a checkpoint that a scheduler saved, found {path}: {first}") from error
    if not isinstance(data, dict) or data.get("format") != _FILE:
        raise CompressionError(f"expected a checkpoint that a scheduler saved, found another file at {path}")
    return data


def set_random_state(state: Mapping[str, Any]) -> None:
    """Of the CPU and, with as many of them as then, of the GPUs."""
    torch.set_rng_state(state["cpu"])
    if "cuda" in state and torch.cuda.is_available() and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])


def resumed(
    path: Path,
    make_model: Callable[[], nn.Module],
    make_optimizer: Callable[[nn.Module], Optimizer | Sequence[Optimizer]] | None,
    make: Callable[[nn.Module, Optimizer | None], _Scheduler],
    policies: Callable[[_Scheduler], object] | None,
) -> _Scheduler:
    """A scheduler around a fresh model, all as in the file."""
    data = read_checkpoint(path)
    model = make_model()
    optimizer = None if make_optimizer is None else joined(make_optimizer(model))
    scheduler = make(model, optimizer)
    text = data["scheduler"]["schedule"]
    if text is not None:
        with tempfile.TemporaryDirectory() as folder:
            written = Path(folder) / "schedule.yaml"
            written.write_text(text, encoding="utf-8")
            scheduler.use(load_schedule(written))
    elif policies is not None:
        policies(scheduler)
    scheduler.load_state_dict(data["scheduler"])
    try:
        bare(model).load_state_dict(data["model"])
    except RuntimeError as error:
        first = [line.strip() for line in str(error).splitlines()[1:2]]
        raise CompressionError(
            f"expected the model that was saved in {path}, found another: {''.join(first)}"
        ) from error
    if optimizer is not None and data["optimizer"] is not None:
        optimizer.load_state_dict(data["optimizer"])
    set_random_state(data["random"])
    return scheduler


def _check_policies(policies: Policies, schedule: Schedule | None, state: Mapping[str, Any]) -> None:
    found = [(policy.name, repr(when)) for policy, when in policies]
    saved = [(each["name"], each["window"]) for each in state["policies"]]
    for place, (mine, theirs) in enumerate(zip(found, saved, strict=False)):
        if mine != theirs:
            raise CompressionError(
                f"expected policy {place + 1} as it was saved, {theirs[0]} in {theirs[1]}, found {mine[0]} in {mine[1]}"
            )
    if len(found) != len(saved):
        raise CompressionError(f"expected the {len(saved)} policies that were saved, found {len(found)}")
    if schedule is not None and state["schedule"] is not None and schedule.text != state["schedule"]:
        now, then = schedule.text.splitlines(), state["schedule"].splitlines()
        line = next((n for n, (a, b) in enumerate(zip(now, then, strict=False), 1) if a != b), len(now) + 1)
        raise CompressionError(f"{schedule.path}:{line}: expected the schedule that was saved, found another line")


def _replay(training: Training, policies: Policies, records: Sequence[Mapping[str, Any]]) -> None:
    """Thin and quantize a fresh model as the saved one was; what this model has seen already is left."""
    done = len(training.records)
    for each in records[done:]:
        if each["kind"] == "thinning":
            model = bare(training.model)
            thin(model, dict(each["record"]))
            adopt(training, dict(each["record"]))
            continue
        for policy, _ in policies:
            if isinstance(policy, QuantizationPolicy) and policy.name == each["policy"]:
                policy.start(training)


def _load_distiller(training: Training, state: Mapping[str, Any]) -> None:
    for name, mask in state["masks_dict"].items():
        if isinstance(mask, Tensor):
            training.masks.set(training.names.named(name), "distiller", Share(mask != 0))
    training.masks.apply()
    training.note("the state is Distiller's: its masks are read; it holds no learning rates and no state of policies")


def _random_state() -> dict[str, Any]:
    found: dict[str, Any] = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        found["cuda"] = torch.cuda.get_rng_state_all()
    return found
