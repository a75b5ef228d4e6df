"""Small models, one for each way that channels go, with the inputs of one call."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class Model(nn.Module):
    """Layers by name and a function of (self, inputs)."""

    def __init__(self, run: Callable[..., object], **layers: nn.Module | nn.Parameter | Tensor) -> None:
        super().__init__()
        self.run = run
        for name, layer in layers.items():
            if isinstance(layer, Tensor) and not isinstance(layer, nn.Parameter):
                self.register_buffer(name, layer)
            else:
                setattr(self, name, layer)

    def forward(self, *inputs: Tensor) -> object:
        return self.run(self, *inputs)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...


def _conv(dims: int) -> nn.Module:
    conv, norm = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[dims - 1], (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)[dims - 1]
    return nn.Sequential(conv(3, 8, 3), norm(8), nn.ReLU(), conv(8, 6, 1), nn.Flatten(), nn.Linear(6 * 3**dims, 4))


def _residual() -> nn.Module:
    return Model(
        lambda m, x: m.end(functional.relu(m.stem(x) + m.norm(m.body(functional.relu(m.stem(x)))))),
        stem=nn.Conv2d(3, 8, 3, padding=1),
        body=nn.Conv2d(8, 8, 3, padding=1, bias=False),
        norm=nn.BatchNorm2d(8),
        end=nn.Conv2d(8, 4, 1),
    )


def _squeeze_excite(gate: nn.Module) -> nn.Module:
    def run(m: Model, x: Tensor) -> Any:
        x = functional.silu(m.norm(m.stem(x)))
        pooled = x.mean((2, 3), keepdim=True)
        return m.end(x * gate(m.expand(functional.relu(m.reduce(pooled)))))

    return Model(
        run,
        stem=nn.Conv2d(3, 8, 3),
        norm=nn.BatchNorm2d(8),
        reduce=nn.Conv2d(8, 4, 1),
        expand=nn.Conv2d(4, 8, 1),
        end=nn.Conv2d(8, 4, 1),
    )


def _concatenated() -> nn.Module:
    def run(m: Model, x: Tensor) -> Any:
        joined = torch.cat([m.one(x), m.two(x)], 1)
        return m.end(functional.max_pool2d(functional.relu(m.norm(joined)), 2))

    layers = {
        "one": nn.Conv2d(3, 4, 3),
        "two": nn.Conv2d(3, 6, 3),
        "norm": nn.BatchNorm2d(10),
        "end": nn.Conv2d(10, 4, 1),
    }
    return Model(run, **layers)


def _shuffled() -> nn.Module:
    def run(m: Model, x: Tensor) -> Any:
        x = functional.relu(m.norm(m.stem(x)))
        batch, width, height, length = x.shape
        x = x.view(batch, 2, width // 2, height, length).transpose(1, 2).reshape(batch, width, height, length)
        one, two = x.chunk(2, 1)
        return m.end(torch.cat([one, m.body(two)], 1))

    layers = {
        "stem": nn.Conv2d(3, 16, 3),
        "norm": nn.BatchNorm2d(16),
        "body": nn.Conv2d(8, 8, 1),
        "end": nn.Conv2d(16, 4, 1),
    }
    return Model(run, **layers)


def _functional() -> nn.Module:
    def run(m: Model, x: Tensor) -> Any:
        x = functional.relu(functional.conv2d(x, m.first, m.bias) * m.scale.view(1, -1, 1, 1) + m.shift)
        x = functional.batch_norm(x, m.mean, m.variance, m.gamma, m.beta)
        x = functional.adaptive_avg_pool2d(x, 1).flatten(1)
        return torch.addmm(m.end_bias, x, m.end.t()) + x @ m.other

    return Model(
        run,
        first=nn.Parameter(torch.randn(8, 3, 3, 3)),
        bias=nn.Parameter(torch.randn(8)),
        scale=nn.Parameter(torch.randn(8)),
        shift=nn.Parameter(torch.randn(8, 1, 1)),
        gamma=nn.Parameter(torch.rand(8) + 0.5),
        beta=nn.Parameter(torch.randn(8)),
        mean=torch.randn(8),
        variance=torch.rand(8) + 0.5,
        end=nn.Parameter(torch.randn(4, 8)),
        end_bias=nn.Parameter(torch.randn(4)),
        other=nn.Parameter(torch.randn(8, 4)),
    )


def _reused() -> nn.Module:
    def run(m: Model, x: Tensor) -> Any:
        x = functional.relu(m.stem(x))
        for _ in range(2):
            x = functional.relu(m.norm(m.body(x)))
        return m.end(x)

    layers = {
        "stem": nn.Conv2d(3, 8, 1),
        "body": nn.Conv2d(8, 8, 1),
        "norm": nn.BatchNorm2d(8),
        "end": nn.Conv2d(8, 4, 1),
    }
    return Model(run, **layers)


def _tied() -> nn.Module:
    model = Model(
        lambda m, x: m.decoder(functional.relu(m.body(m.embedding(x)))),
        embedding=nn.Embedding(11, 8),
        body=nn.Linear(8, 8),
        decoder=nn.Linear(8, 11),
    )
    model.decoder.weight = model.embedding.weight
    return model


def _recurrent(layer: nn.Module) -> nn.Module:
    return Model(
        lambda m, x: m.end(m.layer(torch.tanh(m.project(m.embedding(x))))[0][:, -1]),
        embedding=nn.Embedding(11, 8),
        project=nn.Linear(8, 6),
        layer=layer,
        end=nn.LazyLinear(3),
    )


def _einsum() -> nn.Module:
    def run(m: Model, x: Tensor) -> Any:
        heads = torch.einsum("blc,chd->blhd", torch.relu(m.start(x)), m.split)
        gated = torch.einsum("blhd,blhd->blhd", heads, torch.tanh(heads))
        return torch.einsum("blhd,hdo->blo", gated, m.join)

    return Model(
        run,
        start=nn.Linear(8, 6),
        split=nn.Parameter(torch.randn(6, 2, 4)),
        join=nn.Parameter(torch.randn(2, 4, 3)),
    )


def _cell(cell: nn.Module) -> nn.Module:
    def run(m: Model, x: Tensor) -> Any:
        state = None
        for each in torch.tanh(m.project(m.embedding(x))).unbind(1):
            state = m.cell(each) if state is None else m.cell(each, state)
        return m.end(state[0] if isinstance(state, tuple) else state)

    layers = {"embedding": nn.Embedding(11, 8), "project": nn.Linear(8, 6), "cell": cell, "end": nn.Linear(5, 3)}
    return Model(run, **layers)


def _states(value: float = 0.0) -> nn.Module:
    """A decoder that begins with the states of an encoder; with `value`, the encoder with constant states."""

    def run(m: Model, x: Tensor) -> Any:
        given = m.embedding(x)
        start = (given.new_full((1, len(x), m.encoder.hidden_size), value),) * 2
        _, states = m.encoder(given, start)
        return m.end(m.decoder(given, states)[0])

    encoder, decoder = nn.LSTM(8, 5, batch_first=True), nn.LSTM(8, 5, batch_first=True)
    return Model(run, embedding=nn.Embedding(11, 8), encoder=encoder, decoder=decoder, end=nn.Linear(5, 3))


def _attention() -> nn.Module:
    def run(m: Model, x: Tensor) -> Any:
        batch, length = x.shape[:2]
        query, key = (each(x).view(batch, length, 2, -1).transpose(1, 2) for each in (m.query, m.key))
        value = m.value(x).view(batch, length, 2, -1).transpose(1, 2)
        weights = ((query @ key.transpose(-2, -1)) * 0.5).softmax(-1)
        return m.end((weights @ value).transpose(1, 2).flatten(2))

    layers = {name: nn.Linear(8, 8) for name in ("query", "key", "value")}
    return Model(run, **layers, end=nn.Linear(8, 4))


def _transposed() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.ReLU(),
        nn.ConvTranspose2d(8, 6, 2, 2),
        nn.PReLU(6),
        nn.ConvTranspose2d(6, 6, 2, groups=6),
        nn.InstanceNorm2d(6),
        nn.Upsample(scale_factor=2, mode="bilinear"),
        nn.ZeroPad2d(1),
        nn.Conv2d(6, 4, 3),
    )


def _grouped() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 1),
        nn.Conv2d(8, 16, 3, groups=4),
        nn.BatchNorm2d(16),
        nn.ReLU6(),
        nn.Conv2d(16, 32, 3, groups=16),
        nn.Hardswish(),
        nn.ConvTranspose2d(32, 8, 3, groups=4),
        nn.ReLU(),
        nn.Conv2d(8, 4, 1),
    )


def _padded_shortcut() -> nn.Module:
    def run(m: Model, x: Tensor) -> Any:
        x = functional.relu(m.stem(x))
        shortcut = functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 2, 2))
        return m.end(functional.relu(m.body(x) + shortcut))

    layers = {"stem": nn.Conv2d(3, 8, 1), "body": nn.Conv2d(8, 12, 3, 2, 1), "end": nn.Conv2d(12, 4, 1)}
    return Model(run, **layers)


def _unet() -> nn.Module:
    def run(m: Model, x: Tensor) -> Any:
        one = functional.relu(m.one(x))
        two = functional.relu(m.two(functional.avg_pool2d(one, 2)))
        up = functional.interpolate(m.up(two), size=one.shape[2:])
        return m.end(torch.cat([one, up], 1))

    layers = {"one": nn.Conv2d(3, 8, 3, padding=1), "two": nn.Conv2d(8, 8, 3, padding=1)}
    return Model(run, **layers, up=nn.Conv2d(8, 6, 1), end=nn.Conv2d(14, 4, 1))


def _pixel_shuffle() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 16, 3), nn.PixelShuffle(2), nn.ReLU(), nn.Conv2d(4, 4, 1))


def _gated() -> nn.Module:
    return Model(
        lambda m, x: m.end(functional.glu(m.stem(x), 1) + m.side(x)),
        stem=nn.Conv1d(3, 16, 3),
        side=nn.Conv1d(3, 8, 3),
        end=nn.Conv1d(8, 4, 1),
    )


def _group_norm() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 12, 3), nn.GroupNorm(4, 12), nn.SiLU(), nn.Conv2d(12, 4, 1))


def _transformer_block() -> nn.Module:
    def run(m: Model, x: Tensor) -> Any:
        x = x + m.mixer(m.norm(x), m.norm(x), m.norm(x), need_weights=False)[0]
        return x + m.two(functional.gelu(m.one(m.second(x))))

    return Model(
        run,
        norm=nn.LayerNorm(8),
        second=nn.LayerNorm(8),
        mixer=nn.MultiheadAttention(8, 2, batch_first=True),
        one=nn.Linear(8, 16),
        two=nn.Linear(16, 8),
    )


def image() -> tuple[Tensor, ...]:
    return (torch.randn(2, 3, 9, 9),)


def words() -> tuple[Tensor, ...]:
    return (torch.randint(0, 11, (2, 5)),)


Case = tuple[Callable[[], nn.Module], Callable[[], tuple[Tensor, ...]], int]

# By name: the model, its inputs, and how many families of channels it has.
CASES: dict[str, Case] = {
    "conv1d": (lambda: _conv(1), lambda: (torch.randn(2, 3, 5),), 2),
    "conv2d": (lambda: _conv(2), lambda: (torch.randn(2, 3, 5, 5),), 2),
    "conv3d": (lambda: _conv(3), lambda: (torch.randn(2, 3, 5, 5, 5),), 2),
    "not-square": (
        lambda: nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 3 * 5, 4)),
        lambda: (torch.randn(2, 3, 5, 7),),
        1,
    ),
    "residual": (_residual, image, 1),
    "squeeze-excite": (lambda: _squeeze_excite(nn.Sigmoid()), image, 2),
    "squeeze-excite-hard": (lambda: _squeeze_excite(nn.Hardsigmoid()), image, 2),
    "concatenated": (_concatenated, image, 2),
    "shuffled": (_shuffled, image, 2),
    "functional": (_functional, image, 1),
    "reused": (_reused, image, 1),
    "tied": (_tied, words, 1),
    "lstm": (lambda: _recurrent(nn.LSTM(6, 5, 2, bidirectional=True, batch_first=True)), words, 3),
    "gru": (lambda: _recurrent(nn.GRU(6, 5, batch_first=True)), words, 3),
    "rnn": (lambda: _recurrent(nn.RNN(6, 5, 2, nonlinearity="relu", bias=False, batch_first=True)), words, 3),
    "einsum": (_einsum, lambda: (torch.randn(2, 5, 8),), 3),
    "projected-lstm": (lambda: _recurrent(nn.LSTM(6, 5, proj_size=4, batch_first=True)), words, 2),
    "lstm-cell": (lambda: _cell(nn.LSTMCell(6, 5)), words, 3),
    "gru-cell": (lambda: _cell(nn.GRUCell(6, 5)), words, 3),
    "states": (_states, words, 2),
    "states-of-ones": (lambda: _states(1.0), words, 1),
    "attention": (_attention, lambda: (torch.randn(2, 5, 8),), 2),
    "transposed": (_transposed, image, 2),
    "grouped": (_grouped, image, 3),
    "padded-shortcut": (_padded_shortcut, image, 1),
    "unet": (_unet, lambda: (torch.randn(2, 3, 8, 8),), 3),
    "pixel-shuffle": (_pixel_shuffle, image, 1),
    "gated": (_gated, lambda: (torch.randn(2, 3, 7),), 1),
    "group-norm": (_group_norm, image, 1),
    "transformer": (_transformer_block, lambda: (torch.randn(2, 5, 8),), 1),
}


def build(name: str, dtype: torch.dtype = torch.float32) -> tuple[nn.Module, tuple[Tensor, ...]]:
    """A case in evaluation mode with random statistics, and its inputs."""
    torch.manual_seed(0)
    make, inputs, _ = CASES[name]
    model, given = make(), inputs()
    model.eval()
    with torch.no_grad():
        model(*given)
        for module in model.modules():
            randomize(module)
    model.to(dtype)
    return model, tuple(each.to(dtype) if each.is_floating_point() else each for each in given)


def randomize(module: nn.Module) -> None:
    """Random statistics of a norm, random numbers in constant parameters: fresh ones hide what masks leave."""
    if isinstance(module, nn.modules.batchnorm._BatchNorm):
        for buffer, low, high in ((module.running_mean, -0.3, 0.3), (module.running_var, 0.5, 1.5)):
            if buffer is not None:
                buffer.uniform_(low, high)
    for parameter in module.parameters(recurse=False):
        if parameter.numel() > 1 and bool((parameter == parameter.flatten()[0]).all()):
            parameter.uniform_(0.5, 1.5) if bool(parameter.any()) else parameter.normal_(0, 0.3)
