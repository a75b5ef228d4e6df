"""Runs a model on what a loader gives: tensors, tuples with labels behind, dicts of keywords."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from qprep.foundation.errors import QprepError
from qprep.quantizer.graph.tensor_leaves import tensors_in


@dataclass(frozen=True, slots=True)
class Caller:
    """The signature of a model's call: the number of positional inputs, and the keywords that it takes (None: any).

    whole   the class of its one positional input, where that is a mapping or a sequence
    """

    positional: int
    keywords: frozenset[str] | None
    whole: type | None = None

    def call(self, model: nn.Module, batch: object) -> Any:  # noqa: ANN401  (whatever the model returns)
        """Run `model` on `batch`; of a tuple what exceeds the inputs, of a dict what it does not take is left out.

        Raises QprepError for other kinds and for tuples that are too short.
        """
        if self.whole is not None and _is_whole(batch, self.whole):
            return model(batch)
        if isinstance(batch, Tensor):
            return model(batch)
        if isinstance(batch, Mapping):
            return model(**_taken(self.keywords, batch))
        if not isinstance(batch, (tuple, list)):
            raise QprepError(f"expected batches of tensors, tuples or dicts, found {type(batch).__name__}")
        if len(batch) < max(self.positional, 1):
            raise QprepError(f"expected {max(self.positional, 1)} inputs in a batch, found {len(batch)}")
        return model(*batch[: max(self.positional, 1)])


@contextlib.contextmanager
def running(batch: object, number: int | None = None) -> Iterator[None]:
    """QprepError, with the tensors of the inputs, for an error of the model on a batch of this number.

    Without a number they are example inputs. Notes of the error, such as the module that failed, are in its text.
    """
    try:
        yield
    except QprepError:
        raise
    except Exception as error:
        tensors = [f"{str(each.dtype).removeprefix('torch.')} {tuple(each.shape)}" for each in tensors_in(batch)]
        found = ", ".join(tensors) or type(batch).__name__
        what, which = ("example inputs", found) if number is None else ("batches", f"batch {number} of {found}")
        raise QprepError(f"expected {what} that the model runs on, found {which}: {sentence_of(error)}") from error


def sentence_of(error: BaseException) -> str:
    """The first line of an error's text, or the name of its class, and the notes that were added to it."""
    first = str(error).strip().partition("\n")[0] or type(error).__name__
    notes = [each.strip() for each in getattr(error, "__notes__", ())]
    return f"{first} ({'; '.join(notes)})" if notes else first


def caller(model: nn.Module, inputs: Sequence[object]) -> Caller:
    """The signature of `model` if `inputs` are its positional inputs."""
    alone = inputs[0] if len(inputs) == 1 else None
    whole = Mapping if isinstance(alone, Mapping) else Sequence if isinstance(alone, (tuple, list)) else None
    return Caller(len(inputs), keywords_of(model), whole)


def _is_whole(batch: object, kind: type) -> bool:
    """True if `batch` is the input itself; a sequence within a sequence is one, with labels behind."""
    if kind is Mapping:
        return isinstance(batch, Mapping)
    return isinstance(batch, (tuple, list)) and not (batch and isinstance(batch[0], (tuple, list)))


def keywords_of(model: nn.Module) -> frozenset[str] | None:
    """The keywords that the forward of `model` takes; None if it takes any."""
    parameters = inspect.signature(model.forward).parameters.values()
    if any(each.kind is each.VAR_KEYWORD for each in parameters):
        return None
    return frozenset(each.name for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY))


def batches_of(loader: object) -> Iterable[object]:
    """The batches of a loader; a tensor or a mapping is one batch. QprepError for what holds no batches."""
    if isinstance(loader, (Tensor, Mapping)):
        return [loader]
    if isinstance(loader, (str, nn.Module)) or not hasattr(loader, "__iter__"):
        raise QprepError(f"expected an iterable of batches, found {type(loader).__name__}")
    return loader


def takes(model: nn.Module, batch: Mapping[str, object]) -> dict[str, object]:
    """The entries of `batch` that the forward of `model` takes as keywords."""
    return _taken(keywords_of(model), batch)


def required_inputs(model: nn.Module) -> list[str]:
    """The names of the positional inputs that the forward of `model` cannot do without."""
    return [
        each.name
        for each in inspect.signature(model.forward).parameters.values()
        if each.default is each.empty and each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
    ]


def _taken(keywords: frozenset[str] | None, batch: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in batch.items() if keywords is None or name in keywords}


def check_inputs(model: nn.Module, args: Sequence[object], kwargs: Mapping[str, object]) -> None:
    """QprepError if example inputs are missing or hold no data."""
    needed = required_inputs(model)
    if needed and not args and not kwargs:
        raise QprepError(f"expected example inputs for {', '.join(needed)} of {type(model).__name__}, found none")
    if any(tensor.is_meta for tensor in tensors_in((list(args), dict(kwargs)))):
        raise QprepError("expected example inputs with data, found a tensor on the meta device")
