"""Transformer, encoder, decoder and their layers from stages: equal to torch's, and drop-in around that."""

from __future__ import annotations

import copy
import inspect
import itertools
import pathlib
import pickle
import runpy
import warnings
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from qprep.runtime_modules import transformer
from qprep.runtime_modules.attention import MultiheadAttention
from qprep.runtime_modules.function import Function

MATRIX: Any = SimpleNamespace(**runpy.run_path(str(pathlib.Path(__file__).parents[2] / "scripts" / "option_matrix.py")))
NAMES: tuple[str, ...] = MATRIX.TRANSFORMERS


@pytest.fixture(autouse=True)
def _without_fast_path() -> Iterator[None]:
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="enable_nested_tensor is True")
        yield
    torch.backends.mha.set_fastpath_enabled(enabled)


def squared(x: Tensor) -> Tensor:
    return functional.relu(x) ** 2


ACTIVATIONS: dict[str, Callable[[], Any]] = {
    "relu": lambda: "relu",
    "gelu": lambda: "gelu",
    "function": lambda: torch.tanh,
    "own function": lambda: squared,
    "module": nn.SiLU,
}


def pair(name: str, *args: Any, **keywords: Any) -> tuple[Any, Any]:
    torch.manual_seed(0)
    own = getattr(nn, name)(*args, **keywords)
    after = torch.get_rng_state()
    torch.manual_seed(0)
    staged = getattr(transformer, name)(*args, **keywords)
    assert torch.equal(after, torch.get_rng_state())
    return own, forced(staged)


def forced(staged: Any, force: bool = True) -> Any:
    """`staged` whose attention always, or never without need, runs its stages."""
    for module in staged.modules():
        if isinstance(module, MultiheadAttention):
            module.force_stages = force
    return staged


def results(module: nn.Module, *leaves: Tensor, **keywords: Any) -> list[Tensor]:
    output = module(*leaves, **keywords)
    inputs = [*leaves, *module.parameters()]
    return [output, *torch.autograd.grad(output.sin().sum(), inputs, allow_unused=False)]


def assert_equal(staged: nn.Module, own: nn.Module, *leaves: Tensor, **keywords: Any) -> None:
    # Rounding grows on its way back through the layers: float32 gradients get ten times the room of the output.
    limits = (1e-6, 1e-5) if leaves[0].dtype is torch.float32 else (1e-12, 1e-12)
    errors = [
        ((found - expected).abs().max() / expected.abs().max().clamp_min(1e-2)).item()
        for found, expected in zip(results(staged, *leaves, **keywords), results(own, *leaves, **keywords), strict=True)
    ]
    assert errors[0] <= limits[0]
    assert max(errors) <= limits[1]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("norm_first", [False, True])
def test_transformer_gives_torchs_outputs_and_gradients(activation: str, norm_first: bool) -> None:
    for batch_first, bias, training, dtype in itertools.product(
        (False, True), (False, True), (False, True), (torch.float32, torch.float64)
    ):
        own, staged = pair(
            "Transformer", 8, 2, 2, 2, 16, 0.0, ACTIVATIONS[activation](),
            batch_first=batch_first, norm_first=norm_first, bias=bias, dtype=dtype,
        )  # fmt: skip
        source, target = torch.randn(5, 3, 8, dtype=dtype), torch.randn(4, 3, 8, dtype=dtype)
        leaves = [x.transpose(0, 1) if batch_first else x for x in (source, target)]
        padding = torch.zeros(3, 5, dtype=torch.bool)
        padding[0, -1] = True
        assert_equal(
            staged.train(training),
            own.train(training),
            *(leaf.contiguous().requires_grad_() for leaf in leaves),
            tgt_mask=nn.Transformer.generate_square_subsequent_mask(4, dtype=dtype),
            src_key_padding_mask=padding,
            memory_key_padding_mask=padding,
        )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("options", MATRIX.TRANSFORMER_OPTIONS)
def test_every_option_of_the_table(name: str, options: str) -> None:
    for dtype, limits in ((torch.float32, (1e-6, 1e-5)), (torch.float64, (1e-12, 1e-12))):
        for masked in (False, True):
            errors = MATRIX.transformer_errors(
                name, MATRIX.TRANSFORMER_OPTIONS[options], batch_first=not masked, masked=masked, dtype=dtype
            )
            assert errors[0] <= limits[0]
            assert errors[1] <= limits[1]


@pytest.mark.parametrize("training", [False, True])
def test_where_nothing_watches_a_stage_the_bits_are_torchs(training: bool) -> None:
    own, staged = pair("Transformer", 8, 2, 2, 2, 16, 0.2)
    leaves = [torch.randn(5, 3, 8, requires_grad=True), torch.randn(4, 3, 8, requires_grad=True)]
    found = []
    for module in (own, forced(staged, False)):
        torch.manual_seed(3)
        found.append(results(module.train(training), *leaves))
    assert all(torch.equal(ours, torchs) for ours, torchs in zip(*found, strict=True))


@pytest.mark.parametrize("is_causal", [None, False, True])
def test_encoder_masks(is_causal: bool | None) -> None:
    own, staged = pair("TransformerEncoder", nn.TransformerEncoderLayer(8, 2, 16, 0.0), 2, nn.LayerNorm(8))
    staged.load_state_dict(own.state_dict())
    for shape in ((5, 3, 8), (5, 8)):
        leaf = torch.randn(shape, requires_grad=True)
        assert_equal(staged, own, leaf, mask=nn.Transformer.generate_square_subsequent_mask(5), is_causal=is_causal)


def test_decoder_masks() -> None:
    own, staged = pair("TransformerDecoder", nn.TransformerDecoderLayer(8, 2, 16, 0.0), 2)
    staged.load_state_dict(own.state_dict())
    leaves = [torch.randn(4, 3, 8, requires_grad=True), torch.randn(5, 3, 8, requires_grad=True)]
    assert_equal(staged, own, *leaves, memory_mask=torch.rand(4, 5), tgt_key_padding_mask=torch.rand(3, 4))


def test_dropout_falls_where_torchs_falls_under_one_seed() -> None:
    own, staged = pair("Transformer", 8, 2, 1, 1, 16, 0.3)
    source, target = torch.randn(5, 3, 8), torch.randn(4, 3, 8)
    outputs = []
    for module in (own, staged):
        torch.manual_seed(6)
        outputs.append(module(source, target))
    torch.testing.assert_close(*outputs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_signatures_are_torchs(name: str) -> None:
    assert inspect.signature(getattr(transformer, name)) == inspect.signature(getattr(nn, name))
    assert issubclass(getattr(transformer, name), getattr(nn, name))


def test_state_dict_is_torchs() -> None:
    own, staged = pair("Transformer", 8, 2, 2, 2, 16)
    assert list(own.state_dict()) == list(staged.state_dict())
    assert all(torch.equal(own.state_dict()[key], value) for key, value in staged.state_dict().items())
    own.load_state_dict(staged.state_dict(), strict=True)


def test_every_leaf_runs_once_and_no_fast_path() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    staged = transformer.TransformerEncoder(layer, 2).eval()
    counts: dict[str, int] = {}
    for name, module in staged.named_modules():
        if not any(module.children()):
            counts[name] = 0
            module.register_forward_hook(lambda *_, name=name: counts.update({name: counts[name] + 1}))
    torch.backends.mha.set_fastpath_enabled(True)
    with torch.no_grad():
        output = staged(torch.randn(3, 5, 8), src_key_padding_mask=torch.tensor([[False] * 4 + [True]] * 3))
    unused = {name for name, count in counts.items() if count == 0}
    assert unused == {f"layers.{n}.self_attn.stages.head_mean" for n in range(2)}  # weights are not asked for
    assert max(counts.values()) == 1
    assert output[:, -1].any()  # nested tensors would give zeros where the input is padding


def test_the_activation_is_a_stage_and_can_be_changed() -> None:
    layer = transformer.TransformerEncoderLayer(8, 2, 16, 0.0)
    assert layer.activation is functional.relu
    assert isinstance(layer.stages.activation, nn.ReLU)
    x = torch.randn(5, 3, 8)
    before = layer(x)
    layer.activation = squared
    assert isinstance(layer.stages.activation, Function)
    assert "squared" in repr(layer.stages.activation)
    own = nn.TransformerEncoderLayer(8, 2, 16, 0.0, activation=squared)
    own.load_state_dict(layer.state_dict())
    assert torch.allclose(layer(x), own(x), atol=1e-6)
    assert not torch.allclose(layer(x), before)


def test_an_activation_module_stays_the_users() -> None:
    activation = nn.PReLU()
    layer = transformer.TransformerDecoderLayer(8, 2, 16, activation=activation)
    assert layer.activation is activation
    assert layer.stages.activation is None


class Doubled(nn.TransformerEncoderLayer):
    """A user's own layer."""

    def forward(self, src: Tensor, *args: Any, **keywords: Any) -> Tensor:
        return 2 * super().forward(src, *args, **keywords)


def test_a_users_layer_and_encoder_stay() -> None:
    encoder = nn.TransformerEncoder(Doubled(8, 2, 16), 1)
    staged = transformer.Transformer(8, 2, 1, 1, 16, custom_encoder=nn.Sequential(encoder))
    assert isinstance(staged.encoder, nn.Sequential)
    assert type(staged.encoder[0]) is nn.TransformerEncoder
    own = transformer.TransformerEncoder(Doubled(8, 2, 16), 1)
    assert type(own.layers[0]) is Doubled


class Rewritten(transformer.TransformerEncoderLayer):
    """Stands for a user's subclass whose source was rewritten: it overrides a block."""

    def _ff_block(self, x: Tensor) -> Tensor:
        return super()._ff_block(x) * 0


def test_a_subclass_may_override_a_block() -> None:
    layer = Rewritten(8, 2, 16, norm_first=True)
    x = torch.randn(5, 3, 8)
    normed = layer.norm1(x)
    layer.eval()
    assert torch.allclose(layer(x), x + layer.self_attn(normed, normed, normed)[0], atol=1e-6)
    assert isinstance(layer.self_attn, MultiheadAttention)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module))])
def test_copies_are_equal(copied: Any) -> None:
    staged = transformer.Transformer(8, 2, 1, 1, 16).eval()
    source, target = torch.randn(5, 3, 8), torch.randn(4, 3, 8)
    assert torch.equal(copied(staged)(source, target), staged(source, target))


def test_compiled_and_exported_encoders_give_the_same() -> None:
    staged = transformer.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16), 2).eval()
    x = torch.randn(5, 3, 8)
    assert torch.allclose(torch.compile(staged, backend="eager", fullgraph=True)(x), staged(x), atol=1e-6)
    program = torch.export.export(staged, (x,), strict=False)
    assert torch.allclose(program.module()(x), staged(x), atol=1e-6)
