"""Small networks, data of noise, and one training loop for all tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from qprep.compression import Scheduler

Batch = tuple[Tensor, Tensor]


class Residual(nn.Module):
    """A stem, a block with a way around it, a classifier."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.conv1, self.bn1, self.relu1 = nn.Conv2d(1, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        self.conv2, self.bn2, self.relu2 = nn.Conv2d(width, 12, 3, 1, 1, bias=False), nn.BatchNorm2d(12), nn.ReLU()
        self.conv3, self.bn3, self.relu3 = nn.Conv2d(12, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        self.pool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(width, 4)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1, H, W) to (B, 4)."""
        x = self.relu1(self.bn1(self.conv1(x)))
        y = self.bn3(self.conv3(self.relu2(self.bn2(self.conv2(x)))))
        return self.fc(self.pool(self.relu3(x + y)).flatten(1))  # type: ignore[no-any-return]


def plain_net() -> nn.Sequential:
    """Two convolutions with BatchNorm, a classifier."""
    return nn.Sequential(
        *(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()),
        *(nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4)),
    )


def seeded(make: Callable[[], nn.Module], seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return make()


def sgd(model: nn.Module, lr: float = 0.05) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)


def batches(number: int = 3, size: int = 8, seed: int = 1) -> list[Batch]:
    made = torch.Generator().manual_seed(seed)
    return [
        (torch.randn(size, 1, 6, 6, generator=made), torch.randint(0, 4, (size,), generator=made))
        for _ in range(number)
    ]


EXAMPLE = batches(1)[0][0]


def train(
    scheduler: Scheduler,
    epochs: range,
    data: list[Batch] | None = None,
    each: Callable[[], object] = lambda: None,
    metrics: dict[str, float] | None = None,
) -> None:
    """The loop of the documentation; `each` is called after every minibatch."""
    optimizer = scheduler.optimizer
    assert optimizer is not None
    for epoch in epochs:
        scheduler.on_epoch_begin(epoch)
        for images, labels in data or batches():
            scheduler.on_minibatch_begin(epoch)
            loss = nn.functional.cross_entropy(scheduler.model(images), labels)
            loss = scheduler.before_backward_pass(epoch, loss=loss)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.on_minibatch_end(epoch)
            each()
        scheduler.on_epoch_end(epoch, metrics=metrics)


def scheduled(folder: Path, text: str, model: nn.Module, **settings: Any) -> Scheduler:
    """A scheduler from a file with this text."""
    path = folder / "schedule.yaml"
    path.write_text(text, encoding="utf-8")
    return Scheduler.from_file(path, model, settings.pop("optimizer", None) or sgd(model), **settings)


def tensors(value: object, place: str = "") -> Iterator[tuple[str, object]]:
    """Every leaf of nested mappings and lists with its place, for bit-equal comparisons."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from tensors(inner, f"{place}.{key}")
    elif isinstance(value, (list, tuple)):
        for key, inner in enumerate(value):
            yield from tensors(inner, f"{place}[{key}]")
    else:
        yield place, value


def assert_equal(first: object, second: object) -> None:
    """Bit-equal, with the place of the first difference."""
    mine, theirs = dict(tensors(first)), dict(tensors(second))
    assert mine.keys() == theirs.keys()
    for place, value in mine.items():
        other = theirs[place]
        same = torch.equal(value, other) if isinstance(value, Tensor) and isinstance(other, Tensor) else value == other
        assert same, place
