"""One run of a model under which every torch function also carries labels."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from qprep.compression.structure.rules import einsum, fold, layer, norm, recurrent
from qprep.compression.structure.rules.mix import mix, new
from qprep.compression.structure.rules.move import move
from qprep.compression.structure.rules.same import same
from qprep.compression.structure.running import hookable
from qprep.compression.structure.state import LabelState, LabelStep
from qprep.foundation.catalogue.op import Channels
from qprep.quantizer.graph.call_rows import calls

Rule = Callable[[LabelState, LabelStep], None]

_BY_CHANNELS: Final[dict[Channels, Rule]] = {
    Channels.SAME: same,
    Channels.MOVE: move,
    Channels.FOLD: fold.fold,
    Channels.ALONG: fold.along,
    Channels.SPACE: fold.space,
    Channels.SPACE_1: fold.space,
    Channels.SPACE_2: fold.space,
    Channels.SPACE_3: fold.space,
    Channels.NEW: new,
    Channels.MIX: mix,
}
_LAYERS: Final[dict[str, Rule]] = {
    "linear": layer.linear,
    **{f"conv{dims}d": layer.convolution for dims in (1, 2, 3)},
    **{f"conv_transpose{dims}d": layer.convolution for dims in (1, 2, 3)},
    "embedding": layer.embedding,
    "embedding_bag": layer.embedding,
    **dict.fromkeys(("matmul", "mm", "bmm", "addmm", "baddbmm"), layer.product),
    "einsum": einsum.einsum,
    "scaled_dot_product_attention": layer.attention,
    "batch_norm": norm.batch_norm,
    "instance_norm": norm.instance_norm,
    "group_norm": norm.group_norm,
    "layer_norm": norm.layer_norm,
    "rms_norm": norm.layer_norm,
    "prelu": norm.prelu,
    "glu": norm.glu,
    "pad": norm.pad,
    "constant_pad_nd": norm.pad,
}


# Compounds that the catalogue leaves out: what runs inside nn.LSTM and its like.
_COMPOUNDS: Final[dict[str, Rule]] = {
    **dict.fromkeys(("lstm", "gru", "rnn_tanh", "rnn_relu"), recurrent.recurrent),
    **dict.fromkeys(("lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell"), recurrent.cell),
}


# Python's own numbers and texts of a tensor (`len(x)`, `bool(x)`): no channel goes on in them.
_PLAIN: Final = (bool, int, float, complex, str, torch.Size, torch.dtype, torch.device)


class Follower(TorchFunctionMode):
    """Runs each function as it is, then the rule of its row."""

    def __init__(self, state: LabelState) -> None:
        super().__init__()
        self._state = state
        self._calls = calls()

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        if func is Tensor.__iter__:
            out = tuple(out)
        with torch._C.DisableTorchFunction():  # noqa: SLF001
            self._carry(func, args, kwargs, out)
        return iter(out) if func is Tensor.__iter__ else out

    def _carry(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], out: object) -> None:
        state = self._state
        if getattr(func, "__name__", "") == "__get__":
            if isinstance(out, Tensor) and out is not args[0] and out.numel() == args[0].numel():  # x.T, x.data
                move(state, LabelStep(func, args, {}, self._calls.bind(func, args, kwargs), out))
            return
        step = LabelStep(func, args, kwargs, self._calls.bind(func, args, kwargs), out)
        if not any(map(state.layers, step.inputs)) and not _takes_weights(step):
            return
        try:
            rule_of(step)(state, step)
        except Exception as error:  # noqa: BLE001  (labels must not stop the model: what is not followed stays)
            state.lost(step, error)


def rule_of(step: LabelStep) -> Rule:
    """The rule by which a call carries labels."""
    op = step.call.op
    if step.kwargs.get("out") is not None:
        return mix
    if op is None:
        return new if isinstance(step.out, _PLAIN) else _COMPOUNDS.get(step.call.name, mix)
    if op.channels is Channels.LAYER:
        return _LAYERS.get(op.name, mix)
    return _BY_CHANNELS[op.channels]


def _takes_weights(step: LabelStep) -> bool:
    return step.call.op is not None and step.call.op.channels is Channels.LAYER


@contextlib.contextmanager
def following(state: LabelState, model: nn.Module) -> Iterator[None]:
    """Notes which module runs, for the time of a run."""
    handles = []
    try:
        for path, module in hookable(model):
            handles.append(module.register_forward_pre_hook(_entering(state, path)))
            handles.append(module.register_forward_hook(_leaving(state), always_call=True))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _entering(state: LabelState, path: str) -> Callable[[nn.Module, Any], None]:
    def enter(module: nn.Module, _args: object) -> None:
        state.open.append((path, module))

    return enter


def _leaving(state: LabelState) -> Callable[[nn.Module, Any, Any], None]:
    def leave(_module: nn.Module, _args: object, out: object) -> None:
        path, _ = state.open.pop()
        if sys.exc_info()[0] is not None:  # torch calls the hook while the module's exception is on its way
            state.failed_in = state.failed_in or path
            return
        with torch._C.DisableTorchFunction():  # noqa: SLF001
            state.left(path, out)

    return leave
