"""Converting built models to staged modules and back keeps everything that others hold of them."""

from __future__ import annotations

import copy
import gc
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qprep import runtime_modules
from qprep.runtime_modules import convert, recurrent, recurrent_cells, transformer
from qprep.runtime_modules.attention import MultiheadAttention

ROOTS: dict[str, Callable[[], Any]] = {
    "LSTM": lambda: nn.LSTM(4, 6, 2, batch_first=True, bidirectional=True, proj_size=3),
    "GRU": lambda: nn.GRU(4, 6),
    "RNN": lambda: nn.RNN(4, 6, nonlinearity="relu"),
    "LSTMCell": lambda: nn.LSTMCell(4, 6, bias=False),
    "GRUCell": lambda: nn.GRUCell(4, 6),
    "RNNCell": lambda: nn.RNNCell(4, 6, nonlinearity="relu"),
    "MultiheadAttention": lambda: nn.MultiheadAttention(8, 2, kdim=4, vdim=5, add_bias_kv=True),
    "TransformerEncoderLayer": lambda: nn.TransformerEncoderLayer(8, 2, 16, activation="gelu"),
    "TransformerDecoderLayer": lambda: nn.TransformerDecoderLayer(8, 2, 16, activation=nn.SiLU()),
    "TransformerEncoder": lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2),
    "TransformerDecoder": lambda: nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 16), 2, nn.LayerNorm(8)),
    "Transformer": lambda: nn.Transformer(8, 2, 1, 1, 16),
}


def staged_types(model: nn.Module) -> set[str]:
    """The names of the staged classes in `model`."""
    return {type(module).__name__ for module in model.modules() if "stages" in module._modules}


@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True")
@pytest.mark.parametrize("name", ROOTS)
def test_a_root_becomes_its_twin_and_torchs_again(name: str) -> None:
    own = ROOTS[name]().eval()
    expected = [(key, id(parameter)) for key, parameter in own.named_parameters()]
    keys = [key for key, _ in own.named_modules()]
    staged: Any = convert.convert_compound(own)
    assert staged is not own
    assert type(staged).__name__ == name
    assert type(staged).__module__.startswith("qprep.runtime_modules.")
    assert not any(module.training for module in staged.modules())
    assert [(key, id(parameter)) for key, parameter in staged.named_parameters()] == expected
    assert list(staged.state_dict()) == list(own.state_dict())
    back = convert.to_torch(staged)
    assert {type(module).__module__.split(".")[0] for module in back.modules()} == {"torch"}
    assert [key for key, _ in back.named_modules()] == keys
    assert [(key, id(parameter)) for key, parameter in back.named_parameters()] == expected
    assert set(vars(back)) == set(vars(own))


@pytest.mark.parametrize("name", ["LSTM", "GRU", "RNN"])
def test_there_and_back_give_the_same(name: str) -> None:
    own, sequence = ROOTS[name](), torch.randn(5, 3, 4)
    expected = own(sequence)[0]
    staged: Any = convert.convert_recurrent(own, force_stages=True)
    assert torch.allclose(staged(sequence)[0], expected, atol=1e-6)
    assert torch.equal(convert.to_torch(staged)(sequence)[0], expected)
    with torch.no_grad():
        own.weight_hh_l0.zero_()
    assert torch.equal(staged.weight_hh_l0, own.weight_hh_l0)


class Tagger(nn.Module):
    """Two names for one LSTM, two GRUs that share a Parameter, and a frozen layer."""

    def __init__(self) -> None:
        super().__init__()
        self.left = nn.LSTM(4, 6)
        self.right = self.left
        self.first = nn.GRU(6, 6)
        self.second = nn.GRU(6, 6)
        self.second.weight_hh_l0 = self.first.weight_hh_l0
        self.first.requires_grad_(requires_grad=False)
        self.heads = nn.ModuleList([nn.Sequential(nn.RNNCell(6, 2)), nn.MultiheadAttention(6, 2)])
        self.first.eval()

    def forward(self, sequence: Tensor) -> Tensor:
        hidden = self.right(self.left(sequence)[0][..., :4])[0]
        hidden = self.second(self.first(hidden)[0])[0]
        output: Tensor = self.heads[0](self.heads[1](hidden, hidden, hidden)[0][0])
        return output


def test_sharing_and_flags_are_kept() -> None:
    model, sequence = Tagger(), torch.randn(5, 3, 4)
    expected = model(sequence)
    expected.sum().backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    flags = {name: module.training for name, module in model.named_modules()}
    converted: Any = convert.convert_compound(model, force_stages=True)
    assert converted is model
    assert staged_types(model) == {"LSTM", "GRU", "RNNCell", "MultiheadAttention"}
    assert model.left is model.right
    assert model.first.weight_hh_l0 is model.second.weight_hh_l0
    assert {name: module.training for name, module in model.named_modules() if name in flags} == flags
    assert not model.first.stages.training
    assert [name for name, p in model.named_parameters() if not p.requires_grad] == [
        f"first.{name}_l0" for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    ]
    model.zero_grad()
    found = model(sequence)
    found.sum().backward()
    assert torch.allclose(found, expected, atol=1e-6)
    for name, parameter in model.named_parameters():
        grad = gradients[name]
        assert (parameter.grad is None) == (grad is None)
        assert grad is None or torch.allclose(parameter.grad, grad, atol=1e-5)


def test_converting_twice_changes_nothing_more() -> None:
    model = convert.convert_compound(Tagger())
    modules = [id(module) for module in model.modules()]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [id(module) for module in convert.convert_compound(model).modules()] == modules


def test_only_the_family_asked_for_is_converted() -> None:
    assert staged_types(convert.convert_recurrent(Tagger())) == {"LSTM", "GRU", "RNNCell"}
    assert staged_types(convert.convert_attention(Tagger())) == {"MultiheadAttention"}
    assert convert.convert_model_to_distiller_lstm is convert.convert_recurrent


def test_hooks_are_kept_and_handles_still_remove_them() -> None:
    own: Any = nn.LSTM(4, 6)
    seen: list[type[nn.Module]] = []
    handle = own.register_forward_hook(lambda module, *_: seen.append(type(module)))
    own.register_load_state_dict_pre_hook(lambda module, *_: seen.append(type(module)))
    staged = convert.convert_recurrent(own)
    state = own.state_dict()
    del own
    gc.collect()
    staged(torch.randn(5, 3, 4))
    handle.remove()
    staged(torch.randn(5, 3, 4))
    staged.load_state_dict(state)
    assert seen == [recurrent.LSTM, recurrent.LSTM]


def test_both_keep_working_apart() -> None:
    own, sequence = nn.LSTM(4, 6), torch.randn(5, 3, 4)
    staged: Any = convert.convert_recurrent(own)
    before = own(sequence)[0]
    staged.weight_hh_l0 = nn.Parameter(torch.zeros(24, 6))
    assert torch.equal(own(sequence)[0], before)
    assert not torch.equal(staged(sequence)[0], before)


class Peephole(nn.LSTM):
    """A user's subclass with a forward of its own."""

    def forward(self, input: Any, hx: Any = None) -> Any:
        output, state = super().forward(input, hx)
        return output + 1, state


def test_a_subclass_is_left_with_a_warning() -> None:
    model = nn.ModuleDict({"rnn": Peephole(4, 6), "plain": nn.LSTM(4, 6)})
    with pytest.warns(UserWarning, match=r"^rnn \(Peephole\) overrides a torch.nn compound module"):
        convert.convert_recurrent(model)
    assert type(model["rnn"]) is Peephole
    assert type(model["plain"]) is recurrent.LSTM


def test_a_forward_of_the_instances_own_is_left_with_a_warning() -> None:
    cell: Any = nn.GRUCell(4, 6)
    cell.forward = lambda x: x
    with pytest.warns(UserWarning, match=r"^the model \(GRUCell\)"):
        assert convert.convert_recurrent(cell) is cell


def test_parametrized_layers_are_left_with_a_warning() -> None:
    own = nn.utils.parametrizations.weight_norm(nn.LSTM(4, 6), "weight_hh_l0")
    with pytest.warns(UserWarning, match="ParametrizedLSTM"):
        assert convert.convert_recurrent(own) is own


def test_old_weight_norm_goes_with_the_layer() -> None:
    with pytest.warns(FutureWarning):
        own = nn.utils.weight_norm(nn.GRU(4, 6), "weight_hh_l0")
    sequence = torch.randn(5, 3, 4)
    expected = own(sequence)[0]
    staged: Any = convert.convert_recurrent(own, force_stages=True)
    assert torch.allclose(staged(sequence)[0], expected, atol=1e-6)
    with torch.no_grad():
        staged.weight_hh_l0_g.zero_()
    assert not torch.allclose(staged(sequence)[0], expected, atol=1e-3)


def test_going_back_says_what_is_lost() -> None:
    staged: Any = convert.convert_recurrent(nn.Sequential(nn.GRU(4, 6), nn.GRU(6, 6)))
    staged[1].stages.l0.steps[0].new_tanh = nn.Sequential(nn.Tanh())
    staged[1].stages.l0.steps[0].new_tanh.register_forward_hook(lambda *_: None)
    with pytest.warns(UserWarning, match=r"^1 \(GRU\): changed stages") as caught:
        convert.to_torch(staged)
    assert len(caught) == 1


def test_a_subclass_of_ours_stays_on_the_way_back() -> None:
    class Own(transformer.TransformerEncoderLayer):
        """A user's subclass whose source was rewritten."""

    layer = Own(8, 2, 16)
    assert convert.to_torch(layer) is layer
    assert type(layer.self_attn) is nn.MultiheadAttention


def test_options_reach_the_new_modules() -> None:
    staged: Any = convert.convert_recurrent(
        nn.ModuleList([nn.RNN(4, 6), nn.LSTMCell(4, 6)]), unroll_steps=4, force_stages=True
    )
    attention: Any = convert.convert_compound(nn.TransformerEncoderLayer(8, 2, 16), force_stages=True)
    assert attention.self_attn.force_stages
    again: Any = convert.convert_attention(convert.to_torch(attention))
    assert not again.self_attn.force_stages
    assert (staged[0].unroll_steps, staged[0].force_stages, staged[1].force_stages) == (4, True, True)
    assert len(staged[0].stages.l0.steps) == 4


def test_an_encoder_gets_its_nested_tensors_back() -> None:
    own = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 1)
    assert own.use_nested_tensor
    staged: Any = convert.convert_attention(own)
    assert not staged.use_nested_tensor
    assert isinstance(staged.layers[0].self_attn, MultiheadAttention)
    assert convert.to_torch(staged).use_nested_tensor


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_of_a_converted_model_stay_tied(copied: Any) -> None:
    original: Any = convert.convert_compound(Tagger())
    model = copied(original)
    assert model.left is model.right
    assert model.left is not original.left
    assert model.first.weight_hh_l0 is model.second.weight_hh_l0
    assert isinstance(model.heads[0][0], recurrent_cells.RNNCell)
    sequence = torch.randn(5, 3, 4)
    assert torch.equal(model(sequence), original(sequence))
    assert not model.first.training
    assert not model.first.weight_ih_l0.requires_grad


@pytest.mark.parametrize("name", ["LSTM", "GRU", "RNN"])
def test_flatten_parameters_changes_nothing(name: str) -> None:
    staged: Any = convert.convert_recurrent(ROOTS[name](), force_stages=True)
    sequence, parameters = torch.randn(5, 3, 4), dict(staged.named_parameters())
    before = staged(sequence)[0]
    assert staged.flatten_parameters() is None
    assert torch.equal(staged(sequence)[0], before)
    assert all(parameter is parameters[key] for key, parameter in staged.named_parameters())
    with torch.no_grad():
        staged.weight_hh_l0.zero_()
    staged.flatten_parameters()
    assert not torch.equal(staged(sequence)[0], before)


def test_the_public_names() -> None:
    names = {*ROOTS, "convert_recurrent", "convert_attention", "convert_compound", "to_torch"}
    assert names | {"convert_model_to_distiller_lstm"} <= set(runtime_modules.__all__)
