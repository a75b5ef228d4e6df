# ruff: noqa: D102, D103, E501, PLR0917 -- models are what their classes say, a row a line
"""The models of quantize_zoo.py: prepared ones written here, those of packages, and what they are run on."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from benchmark_inputs import load_torchvision
from torch import Tensor, nn

from qprep.runtime_modules import GRU, LSTM, Concat, EltwiseAdd, EltwiseMul, Interpolate, MultiheadAttention

Batch = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Row:
    """One model.

    build     makes it, with the weights that it has
    data      batches by a seed and how many rows they have
    prepared  whether every operation has a module; others are left in float
    quick     whether it is among those of --quick
    """

    name: str
    kind: str
    build: Callable[[], nn.Module]
    data: Callable[[int, int], Batch]
    prepared: bool = True
    quick: bool = False


def generator(seed: int) -> torch.Generator:
    """Random numbers of a seed."""
    return torch.Generator().manual_seed(seed)


def images(size: int, channels: int = 3, name: str = "x") -> Callable[[int, int], Batch]:
    """Smooth noise at several scales, as photographs have it: (B, channels, size, size)."""

    def batch(seed: int, rows: int) -> Batch:
        made = torch.zeros(rows, channels, size, size)
        for side in (4, 8, 16, size):
            noise = torch.randn(rows, channels, side, side, generator=generator(seed * 97 + side))
            made += nn.functional.interpolate(noise, (size, size), mode="bilinear") * (4 / side) ** 0.5
        return {name: made}

    return batch


def frames(length: int, width: int) -> Callable[[int, int], Batch]:
    """Speech features, correlated over time: (B, length, width)."""

    def batch(seed: int, rows: int) -> Batch:
        steps = torch.randn(rows, length, width, generator=generator(seed))
        return {"x": steps.cumsum(1) / torch.arange(1, length + 1).sqrt()[:, None]}

    return batch


def words(
    length: int, number: int, name: str = "x", **more: Callable[[int, int], Tensor]
) -> Callable[[int, int], Batch]:
    """Tokens (B, length), common ones more often; `more` are further inputs."""

    def batch(seed: int, rows: int) -> Batch:
        drawn = torch.rand(rows, length, generator=generator(seed)) ** 3 * number
        return {name: drawn.long(), **{key: make(rows, length) for key, make in more.items()}}

    return batch


def trained(model: nn.Module, seed: int = 0) -> nn.Module:
    """Weights with the spread that training gives: channels of different size, BatchNorm with statistics."""
    made = generator(seed)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):  # noqa: SLF001
                number = module.num_features
                module.running_mean.copy_(torch.randn(number, generator=made) * 0.3)  # type: ignore[union-attr]
                module.running_var.copy_(torch.rand(number, generator=made) * 1.5 + 0.2)  # type: ignore[union-attr]
                module.weight.copy_(torch.rand(number, generator=made) + 0.5)
                module.bias.copy_(torch.randn(number, generator=made) * 0.2)
            elif isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Linear)):
                rows = torch.exp2(torch.randn(module.weight.shape[0], generator=made) * 0.6)
                module.weight.mul_(rows.reshape(-1, *[1] * (module.weight.dim() - 1)))
    return model.eval()


def conv(
    inner: int, outer: int, size: int = 3, stride: int = 1, groups: int = 1, act: type[nn.Module] = nn.ReLU
) -> nn.Sequential:
    """Convolution, BatchNorm, activation."""
    layer = nn.Conv2d(inner, outer, size, stride, size // 2, groups=groups, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(outer), act())


class Residual(nn.Module):
    """Two convolutions and what goes past them."""

    def __init__(self, inner: int, outer: int, stride: int = 1) -> None:
        super().__init__()
        self.first, self.second = conv(inner, outer, stride=stride), conv(outer, outer, act=nn.Identity)
        self.past = nn.Identity() if inner == outer and stride == 1 else conv(inner, outer, 1, stride, act=nn.Identity)
        self.add, self.relu = EltwiseAdd(), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.add(self.second(self.first(x)), self.past(x)))  # type: ignore[no-any-return]


class Excite(nn.Module):
    """Squeeze and excitation."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.pool, self.mul = nn.AdaptiveAvgPool2d(1), EltwiseMul()
        self.gate = nn.Sequential(
            nn.Conv2d(channels, channels // 4, 1), nn.ReLU(), nn.Conv2d(channels // 4, channels, 1), nn.Hardsigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.mul(x, self.gate(self.pool(x)))  # type: ignore[no-any-return]


class Inverted(nn.Module):
    """MobileNet's block."""

    def __init__(self, channels: int, act: type[nn.Module], excite: bool = False) -> None:
        super().__init__()
        wide = channels * 4
        parts = [conv(channels, wide, 1, act=act), conv(wide, wide, groups=wide, act=act)]
        self.body = nn.Sequential(*parts, *([Excite(wide)] if excite else []), conv(wide, channels, 1, act=nn.Identity))
        self.add = EltwiseAdd()

    def forward(self, x: Tensor) -> Tensor:
        return self.add(self.body(x), x)  # type: ignore[no-any-return]


def head(channels: int, classes: int = 100) -> list[nn.Module]:
    """Pooling and a classifier."""
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes)]


def mobile(act: type[nn.Module], excite: bool = False) -> nn.Module:
    """A small MobileNet."""
    blocks = [
        Inverted(24, act, excite),
        Inverted(24, act, excite),
        conv(24, 48, stride=2, act=act),
        Inverted(48, act, excite),
    ]
    return nn.Sequential(conv(3, 24, stride=2, act=act), *blocks, *head(48))


def resnet() -> nn.Module:
    """A small ResNet."""
    return nn.Sequential(conv(3, 32, stride=2), Residual(32, 32), Residual(32, 64, 2), Residual(64, 128, 2), *head(128))


class Dense(nn.Module):
    """DenseNet's block: joins with all before."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv(3, 16, stride=2)
        self.layers = nn.ModuleList(conv(16 + 12 * at, 12) for at in range(4))
        self.cats = nn.ModuleList(Concat(1) for _ in range(4))
        self.head = nn.Sequential(*head(64))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for layer, cat in zip(self.layers, self.cats, strict=True):
            x = cat([x, layer(x)])
        return self.head(x)  # type: ignore[no-any-return]


class Segments(nn.Module):
    """A UNet: (B, classes, H, W)."""

    def __init__(self, resize: bool) -> None:
        super().__init__()
        self.one, self.two, self.three = conv(3, 24), conv(24, 48, stride=2), conv(48, 96, stride=2)
        self.up_two = Interpolate(scale_factor=2) if resize else nn.ConvTranspose2d(96, 96, 2, 2)
        self.up_one = Interpolate(scale_factor=2) if resize else nn.ConvTranspose2d(48, 48, 2, 2)
        self.cat_two, self.cat_one = Concat(1), Concat(1)
        self.mix_two, self.mix_one, self.out = conv(144, 48), conv(72, 24), nn.Conv2d(24, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        one = self.one(x)
        two = self.two(one)
        two = self.mix_two(self.cat_two([self.up_two(self.three(two)), two]))
        return self.out(self.mix_one(self.cat_one([self.up_one(two), one])))  # type: ignore[no-any-return]


class Detects(nn.Module):
    """Boxes and classes at two scales: (B, anchors, 4 + classes)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.next = nn.Sequential(conv(3, 32, stride=2), Residual(32, 64, 2)), Residual(64, 96, 2)
        self.heads = nn.ModuleList([nn.Conv2d(64, 12, 3, padding=1), nn.Conv2d(96, 12, 3, padding=1)])
        self.cat = Concat(1)

    def forward(self, x: Tensor) -> Tensor:
        near = self.stem(x)
        found = [head(each) for head, each in zip(self.heads, (near, self.next(near)), strict=True)]
        return self.cat([each.flatten(2).transpose(1, 2) for each in found])  # type: ignore[no-any-return]


class Attends(nn.Module):
    """A transformer's block."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.attention = MultiheadAttention(width, heads, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.adds = nn.ModuleList(EltwiseAdd() for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norms[0](x)
        x = self.adds[0](x, self.attention(y, y, y, need_weights=False)[0])
        return self.adds[1](x, self.mlp(self.norms[1](x)))  # type: ignore[no-any-return]


class Vision(nn.Module):
    """A small ViT."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.patches, self.place = nn.Conv2d(3, width, 8, 8), nn.Parameter(torch.randn(1, 16, width) * 0.2)
        self.add, self.blocks = EltwiseAdd(), nn.Sequential(*(Attends(width, 4) for _ in range(3)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 100)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(self.add(self.patches(x).flatten(2).transpose(1, 2), self.place))
        return self.head(self.norm(x)[:, 0])  # type: ignore[no-any-return]


class Language(nn.Module):
    """Tokens to the next token, by attention or a recurrent layer."""

    def __init__(self, layer: nn.Module, width: int = 64, number: int = 500) -> None:
        super().__init__()
        self.embed, self.layer, self.out = nn.Embedding(number, width), layer, nn.Linear(width, number)

    def forward(self, x: Tensor) -> Tensor:
        found = self.layer(self.embed(x))
        return self.out(found[0] if isinstance(found, tuple) else found)  # type: ignore[no-any-return]


class Speech(nn.Module):
    """Frames to phones."""

    def __init__(self, layer: nn.Module, width: int) -> None:
        super().__init__()
        self.layer, self.out = layer, nn.Linear(width, 40)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.layer(x)[0])  # type: ignore[no-any-return]


class Waves(nn.Module):
    """Dilated convolutions over time."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Conv1d(40, 40, 3, padding=2**at, dilation=2**at), nn.BatchNorm1d(40), nn.ReLU())
            for at in range(4)
        )
        self.adds, self.out = nn.ModuleList(EltwiseAdd() for _ in range(4)), nn.Conv1d(40, 20, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = x.transpose(1, 2)
        for layer, add in zip(self.layers, self.adds, strict=True):
            x = add(x, layer(x))
        return self.out(x)  # type: ignore[no-any-return]


def of(maker: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    """A model made with a fixed seed."""

    def build() -> nn.Module:
        torch.manual_seed(0)
        return trained(maker())

    return build


def super_resolution() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 32, 5, padding=2),
        nn.PReLU(32),
        nn.Conv2d(32, 32, 3, padding=1),
        nn.PReLU(32),
        nn.Conv2d(32, 12, 3, padding=1),
        nn.PixelShuffle(2),
    )


def grouped_norms() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, 2, 1),
        nn.GroupNorm(4, 32),
        nn.SiLU(),
        nn.Conv2d(32, 64, 3, 2, 1),
        nn.GroupNorm(4, 64),
        nn.SiLU(),
        *head(64),
    )


def old_net() -> nn.Module:
    pool = nn.MaxPool2d(2)
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.ReLU(),
        pool,
        nn.Flatten(),
        nn.Linear(4096, 128),
        nn.ReLU(),
        nn.Dropout(),
        nn.Linear(128, 100),
    )


WRITTEN: tuple[Row, ...] = (
    Row("vgg", "convolution", of(old_net), images(32), quick=True),
    Row("resnet", "convolution", of(resnet), images(32), quick=True),
    Row("mobilenet relu6", "convolution", of(lambda: mobile(nn.ReLU6)), images(32), quick=True),
    Row("mobilenet hard-swish", "convolution", of(lambda: mobile(nn.Hardswish, True)), images(32)),
    Row("mobilenet silu", "convolution", of(lambda: mobile(nn.SiLU, True)), images(32)),
    Row("densenet", "convolution", of(Dense), images(32)),
    Row("group norm", "convolution", of(grouped_norms), images(32)),
    Row("super resolution", "convolution", of(super_resolution), images(24)),
    Row("unet nearest", "segmentation", of(lambda: Segments(True)), images(32), quick=True),
    Row("unet transposed", "segmentation", of(lambda: Segments(False)), images(32)),
    Row("detector", "detection", of(Detects), images(48)),
    Row("vit", "attention", of(Vision), images(32), quick=True),
    Row("transformer", "language", of(lambda: Language(nn.Sequential(Attends(64, 4), Attends(64, 4)))), words(24, 500), quick=True),
    Row("lstm", "language", of(lambda: Language(LSTM(64, 64, 2, batch_first=True))), words(24, 500), quick=True),
    Row("gru", "language", of(lambda: Language(GRU(64, 64, batch_first=True))), words(24, 500)),
    Row("lstm both ways", "speech", of(lambda: Speech(LSTM(40, 64, 2, batch_first=True, bidirectional=True), 128)), frames(50, 40)),
    Row("gru", "speech", of(lambda: Speech(GRU(40, 96, 2, batch_first=True), 96)), frames(50, 40)),
    Row("dilated convolutions", "speech", of(Waves), frames(64, 40)),
)  # fmt: skip


def imported(package: str) -> Any:  # noqa: ANN401  (a package without types)
    """A package that imports torchvision where that is installed."""
    with contextlib.suppress(ModuleNotFoundError):
        load_torchvision()
    return importlib.import_module(package)


def hugging_face(model: str, config: str, **sizes: Any) -> Callable[[], nn.Module]:
    """A tiny model of transformers, with random weights."""

    def build() -> nn.Module:
        torch.manual_seed(0)
        package = imported("transformers")
        made = getattr(package, config)(attn_implementation="eager", **sizes)
        return getattr(package, model)(made).eval()  # type: ignore[no-any-return]

    return build


def ones(rows: int, length: int) -> Tensor:
    """An attention mask whose last third of every other row is padding."""
    made = torch.ones(rows, length, dtype=torch.long)
    made[1::2, length - length // 3 :] = 0
    return made


_BERT = {"hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 128}
_TEXT = words(16, 500, "input_ids", attention_mask=ones)
PACKAGED: tuple[Row, ...] = (
    Row("bert", "language", hugging_face("BertModel", "BertConfig", vocab_size=500, **_BERT), _TEXT, False),
    Row("distilbert", "language", hugging_face("DistilBertModel", "DistilBertConfig", vocab_size=500, dim=64, n_layers=3, n_heads=4, hidden_dim=128), _TEXT, False),
    Row("gpt2", "language", hugging_face("GPT2LMHeadModel", "GPT2Config", vocab_size=500, n_embd=64, n_layer=3, n_head=4, n_positions=32, use_cache=False), _TEXT, False),
    Row("vit (transformers)", "attention", hugging_face("ViTModel", "ViTConfig", image_size=32, patch_size=8, **_BERT), images(32, name="pixel_values"), False),
    *(
        Row(f"{name} (timm)", "convolution", lambda name=name: timm(name), images(size), False)  # type: ignore[misc]
        for name, size in (("regnety_002", 64), ("efficientnet_b0", 64), ("mobilenetv3_small_050", 64), ("resnet18", 64), ("mobilevit_xxs", 64))
    ),
)  # fmt: skip


def timm(name: str) -> nn.Module:
    """A model of timm, with random weights; BatchNorm's statistics are those of data."""
    torch.manual_seed(0)
    model: nn.Module = imported("timm").create_model(name, pretrained=False)
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):  # noqa: SLF001
            module.momentum = None  # averages over all that it sees
    with torch.no_grad():
        for seed in range(4):
            model.train()(images(64)(seed + 50, 8)["x"])
    return in_two(model.eval())


def in_two(model: nn.Module) -> nn.Module:
    """timm's BatchNormAct2d as BatchNorm and what is behind it: its function of weights has no module otherwise."""
    for holder in list(model.modules()):
        for name, child in list(holder.named_children()):
            if isinstance(child, nn.BatchNorm2d) and hasattr(child, "act") and hasattr(child, "drop"):
                norm = nn.BatchNorm2d(child.num_features, child.eps)
                norm.load_state_dict(child.state_dict())
                setattr(holder, name, nn.Sequential(norm, child.drop, child.act).eval())
    return model


ROWS: Mapping[bool, tuple[Row, ...]] = {True: tuple(row for row in WRITTEN if row.quick), False: (*WRITTEN, *PACKAGED)}
