"""Make the recurrent and attention modules of a built model staged, and torch's own again."""

from __future__ import annotations

import warnings
from collections.abc import Callable

from torch import nn

from qprep.runtime_modules import recurrent, recurrent_cells
from qprep.runtime_modules._staging import Memo, Table, copy_as, is_replaceable, replaced, staged_as
from qprep.runtime_modules._watch import has_hooks
from qprep.runtime_modules.attention import MultiheadAttention
from qprep.runtime_modules.transformer import ATTENTION_CLASSES, ATTENTION_TABLE

_SEQUENCES: dict[type[nn.Module], type[nn.Module]] = {
    nn.LSTM: recurrent.LSTM,
    nn.GRU: recurrent.GRU,
    nn.RNN: recurrent.RNN,
}
_CELLS: dict[type[nn.Module], type[nn.Module]] = {
    nn.LSTMCell: recurrent_cells.LSTMCell,
    nn.GRUCell: recurrent_cells.GRUCell,
    nn.RNNCell: recurrent_cells.RNNCell,
}
_TORCH_OWN = {staged: own for own, staged in (_SEQUENCES | _CELLS | ATTENTION_CLASSES).items()}


def convert_recurrent(model: nn.Module, *, unroll_steps: int = 1, force_stages: bool = False) -> nn.Module:
    """Replace every torch.nn LSTM, GRU, RNN and their cells in `model` by their staged twins.

    `model` is changed in place and returned; where it is such a module itself, the new one is returned. The new
    modules keep the very Parameters (shared ones too), instances shared under several names, the training flag,
    requires_grad, hooks and attributes. A subclass, or an instance with a forward of its own, is left as it is with
    a warning: replacing it would lose what it overrides. The options are those of `qprep.runtime_modules.LSTM`.
    """
    return _convert(model, _recurrent_table(unroll_steps, force_stages))


convert_model_to_distiller_lstm = convert_recurrent


def convert_attention(model: nn.Module, *, force_stages: bool = False) -> nn.Module:
    """Replace torch.nn's MultiheadAttention and Transformer modules in `model`, as `convert_recurrent` does."""
    return _convert(model, _attention_table(force_stages))


def convert_compound(model: nn.Module, *, unroll_steps: int = 1, force_stages: bool = False) -> nn.Module:
    """Do both `convert_recurrent` and `convert_attention`."""
    return _convert(model, {**_recurrent_table(unroll_steps, force_stages), **_attention_table(force_stages)})


def to_torch(model: nn.Module) -> nn.Module:
    """Replace every staged module in `model` by torch's own, as `convert_compound` does the other way.

    Warns where a stage was replaced or carries hooks: torch's own module has no place for them.
    """
    for name, module in model.named_modules():
        stages = vars(module)["_modules"].get("stages")
        if type(module) in _TORCH_OWN and stages is not None and _is_changed(stages):
            warnings.warn(f"{_label(name, module)}: changed stages and their hooks are lost", stacklevel=2)
    return replaced(model, {staged: _unstaged(own) for staged, own in _TORCH_OWN.items()}, {})


def _convert(model: nn.Module, table: Table) -> nn.Module:
    classes = tuple(table)
    for name, module in model.named_modules():
        if isinstance(module, classes) and not is_replaceable(module, table) and not _is_staged(module):
            warnings.warn(
                f"{_label(name, module)} overrides a torch.nn compound module; it was left unchanged",
                stacklevel=3,
            )
    memo: Memo = {}
    return replaced(model, table, memo)


def _recurrent_table(unroll_steps: int, force_stages: bool) -> Table:
    made: Table = {own: staged_as(cls, unroll_steps, force_stages) for own, cls in _SEQUENCES.items()}
    return {**made, **{own: staged_as(cls, force_stages) for own, cls in _CELLS.items()}}


def _attention_table(force_stages: bool) -> Table:
    return {**ATTENTION_TABLE, nn.MultiheadAttention: staged_as(MultiheadAttention, force_stages)}


def _unstaged(own: type[nn.Module]) -> Callable[[nn.Module], nn.Module]:
    def make(module: nn.Module) -> nn.Module:
        new = copy_as(module, own)
        vars(new)["_modules"].pop("stages", None)
        for option in ("unroll_steps", "force_stages"):
            vars(new).pop(option, None)
        return new

    return make


def _is_changed(stages: nn.Module) -> bool:
    kept = ("qprep.runtime_modules.", "torch.nn.modules.")
    return any(has_hooks(stage) or not type(stage).__module__.startswith(kept) for stage in stages.modules())


def _is_staged(module: nn.Module) -> bool:
    return any(cls in _TORCH_OWN for cls in type(module).__mro__)


def _label(name: str, module: nn.Module) -> str:
    return f"{name or 'the model'} ({type(module).__qualname__})"
