"""The record of one build of a model and its run: a verification compares two of them, tensor by tensor."""

from __future__ import annotations

import hashlib
import pickle
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from qprep.tracing.leaves import named_leaves
from qprep.tracing.model_target import Inputs
from qprep.tracing.module_runs import is_compound

Values = dict[str, object]  # name: a tensor, or a plain value
_EVAL, _TRAIN, _STIR, _LOSS = 2, 3, 4, 5  # seeds
_PLAIN: Final = (bool, int, float, complex, str, bytes, type(None))


@dataclass(slots=True)
class BuildRecord:
    """One build of a model.

    state       state_dict() after construction; parameters its distinct parameters in order; tied the names that
                share one
    random      digest of the random states after construction
    compound    whether torch.nn hides stages of it, which a rewrite may sum in another order
                of its modules drops values
    passes      "eval" and "train": outputs, and the inputs, buffers and gradients afterwards
    load_error  why it does not load the other's state_dict; train_error why it does not train
    """

    state: Values
    parameters: list[str]
    tied: list[list[str]]
    random: str
    compound: bool
    passes: dict[str, Values] = field(default_factory=dict)
    load_error: str | None = None
    train_error: str | None = None


def seed(number: int) -> None:
    """Set the random states that a model may draw from."""
    torch.manual_seed(number)
    random.seed(number)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(number)


def constructed(model: nn.Module) -> BuildRecord:
    """The record of a model that was just built."""
    shared: dict[int, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        shared.setdefault(id(parameter), []).append(name)
    keys = model.state_dict()
    return BuildRecord(
        state={name: _kept(value) for name, value in keys.items()},
        parameters=[name for name, _ in model.named_parameters()],
        # a rewrite may reach a parameter by more paths, as long as those that were saved stay tied
        tied=sorted(sorted(names) for group in shared.values() if len(names := [n for n in group if n in keys]) > 1),
        random=_random_state(),
        compound=any(is_compound(module) for module in model.modules()),
    )


def load(model: nn.Module, peer: BuildRecord, record: BuildRecord) -> None:
    """Load the state_dict of the other build strictly."""
    try:
        model.load_state_dict(peer.state, strict=True)
    except Exception as error:  # noqa: BLE001  (hooks of the user's may raise anything)
        record.load_error = " ".join(f"{type(error).__name__}: {error}".split())


def run(model: nn.Module, inputs: Callable[[], Inputs], record: BuildRecord) -> None:
    """Add what `model` does in evaluation and in training mode to its record; errors of evaluation propagate."""
    _stir(model)
    model.eval()
    arguments = inputs()
    seed(_EVAL)
    with torch.no_grad():
        output = model(*arguments.args, **arguments.kwargs)
    record.passes["eval"] = values(output=output, inputs=arguments)
    model.train()
    try:
        record.passes["train"] = _train(model, inputs())
    except Exception as error:  # noqa: BLE001  (a model that cannot train is compared in evaluation mode only)
        record.train_error = f"{type(error).__name__}: {error}"


def _train(model: nn.Module, arguments: Inputs) -> Values:
    sources: list[Tensor] = []
    args, kwargs = pytree.tree_map(lambda leaf: _source(leaf, sources), (arguments.args, dict(arguments.kwargs)))
    seed(_TRAIN)
    output = model(*args, **kwargs)
    losses = [leaf for _, leaf in named_leaves(output, "") if isinstance(leaf, Tensor) and leaf.requires_grad]
    generator = torch.Generator().manual_seed(_LOSS)
    if losses:
        # weighted, because a plain sum is blind to softmax and normalization
        weights = [torch.randn(loss.shape, generator=generator).to(loss) for loss in losses]
        torch.autograd.backward(losses, weights)
    gradients = {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}
    reached = [source.grad for source in sources]
    state = dict(model.named_buffers())
    return values(output=output, inputs=Inputs(args, kwargs), buffer=state, gradient=gradients, input_gradient=reached)


def _source(leaf: Any, sources: list[Tensor]) -> Any:  # noqa: ANN401  (any part of the inputs)
    """A copy of a floating input that gradients flow back from, and that the model may write to."""
    if not isinstance(leaf, Tensor) or not leaf.is_floating_point():
        return leaf
    sources.append(leaf.detach().clone().requires_grad_())
    return sources[-1].clone()


def values(**parts: object) -> Values:
    """Copies of the tensors and plain values in nests, by their names in them."""
    return {name: _kept(leaf) for part, value in parts.items() for name, leaf in named_leaves(value, part)}


def _kept(value: object) -> object:
    if isinstance(value, Tensor):
        return value.detach().cpu().clone()
    return value if isinstance(value, _PLAIN) else f"{type(value).__module__}.{type(value).__qualname__}"


def _stir(model: nn.Module) -> None:
    """Add noise to parameters whose values are all equal: a scale of zero would hide the branch that it scales."""
    generator = torch.Generator().manual_seed(_STIR)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if (
                parameter.is_floating_point()
                and parameter.numel()
                and bool((parameter == parameter.flatten()[0]).all())
            ):
                parameter.add_(0.02 * noise.to(parameter))


def _random_state() -> str:
    states: list[object] = [torch.get_rng_state().tolist(), random.getstate()]
    if "numpy" in sys.modules:
        states.append([str(part) for part in sys.modules["numpy"].random.get_state()])
    return hashlib.sha256(pickle.dumps(states)).hexdigest()
