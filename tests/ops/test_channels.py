"""The catalogue's `channels` against torch: which elements of the outputs an element of an input reaches."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from qprep.foundation.catalogue.lookup import load
from qprep.foundation.catalogue.op import Channels, Op
from tests.runtime_modules.calls import Call
from tests.runtime_modules.operation_cases import calls, operations

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # deprecated and beta functions are rows too

_SPACE = {Channels.SPACE_1: 1, Channels.SPACE_2: 2, Channels.SPACE_3: 3, Channels.SPACE: None}


def _function(op: Op) -> Callable[..., Any]:
    spelling = load().spellings(op)[0]
    place, _, name = spelling.qualified.rpartition(".")
    holder = torch.Tensor if spelling.is_method else importlib.import_module(place)
    found: Callable[..., Any] = getattr(holder, name)
    return found


def _tensors(value: object) -> list[Tensor]:
    return [each for each in pytree.tree_leaves(value) if isinstance(each, Tensor)]


def _run(op: Op, call: Call, changed: Tensor | None = None, to: Tensor | None = None) -> list[Tensor]:
    """The outputs on copies of the arguments, with `to` in place of `changed`."""
    args, kwargs = pytree.tree_map(
        lambda leaf: (to if leaf is changed else leaf) if isinstance(leaf, Tensor) else leaf, (call.args, call.kwargs)
    )
    args, kwargs = pytree.tree_map(lambda leaf: leaf.clone() if isinstance(leaf, Tensor) else leaf, (args, kwargs))
    torch.manual_seed(0)
    return _tensors(_function(op)(*args, **kwargs))


def _reached(op: Op, call: Call, tensor: Tensor, index: tuple[int, ...]) -> Iterator[tuple[Tensor, Tensor]]:
    """Each output, and where it changes with one element of an input."""
    before = _run(op, call)
    other = tensor.clone()
    other[index] = other[index] * 0.5 + 0.03
    after = _run(op, call, tensor, other)
    for one, two in zip(before, after, strict=True):
        assert one.shape == two.shape
        same = torch.isclose(one, two, rtol=0, atol=0, equal_nan=True)
        yield one, (~same).nonzero()


def _places(tensor: Tensor) -> list[tuple[int, ...]]:
    every = list(itertools.product(*(range(size) for size in tensor.shape)))
    return every[:: max(len(every) // 4, 1)]


def _folded(call: Call, op: Op, size: int) -> set[int]:
    spelling = load().spellings(op)[0]
    names = [each.name for each in spelling.parameters]
    given = dict(zip(names, call.args, strict=False)) | {
        next(each.name for each in spelling.parameters if key in each.keywords): value
        for key, value in call.kwargs.items()
    }
    default = next((each.default for each in spelling.parameters if each.name == "dim"), None)
    dim = given.get("dim", int(default) if default is not None and default.lstrip("-").isdigit() else None)
    if isinstance(dim, bool) or dim is None or dim == ():
        return set(range(size))
    return {each % size for each in ([dim] if isinstance(dim, int) else dim)}


def _cases(*channels: Channels) -> Iterator[Any]:
    for op in operations():
        if op.channels in channels:
            for number, call in enumerate(calls(op)[:3]):
                yield pytest.param(op, call, id=f"{op.name}-{number}")


def _floating(call: Call) -> list[Tensor]:
    return [each for each in _tensors((call.args, call.kwargs)) if each.is_floating_point() and each.dim()]


@pytest.mark.parametrize(("op", "call"), list(_cases(Channels.SAME)))
def test_same_reaches_its_own_place_alone(op: Op, call: Call) -> None:
    for tensor in _floating(call):
        for index in _places(tensor):
            for output, changed in _reached(op, call, tensor, index):
                first = output.dim() - tensor.dim()
                for place in changed.tolist():
                    assert all(place[first + dim] == index[dim] for dim, size in enumerate(tensor.shape) if size > 1), (
                        f"{op.name}: {index} reaches {place}"
                    )


@pytest.mark.parametrize(("op", "call"), list(_cases(Channels.FOLD, Channels.ALONG)))
def test_fold_and_along_keep_other_dimensions_apart(op: Op, call: Call) -> None:
    tensors = _floating(call)
    if len(tensors) > 1:
        return  # the maximum of two tensors: element by element
    (tensor,) = tensors
    dims = _folded(call, op, tensor.dim())
    others = [dim for dim in range(tensor.dim()) if dim not in dims]
    for index in _places(tensor):
        for output, changed in _reached(op, call, tensor, index):
            whole = output.dim() == tensor.dim()
            assert op.channels is Channels.FOLD or output.shape == tensor.shape
            for place in changed.tolist():
                kept = [place[dim] for dim in others] if whole else place
                assert kept == [index[dim] for dim in others], f"{op.name}: {index} reaches {place}"


@pytest.mark.parametrize(("op", "call"), list(_cases(*_SPACE)))
def test_space_keeps_the_dimensions_in_front_apart(op: Op, call: Call) -> None:
    tensor = _floating(call)[0]
    behind = _SPACE[op.channels]
    front = 2 if behind is None else tensor.dim() - behind
    for index in _places(tensor):
        for output, changed in _reached(op, call, tensor, index):
            assert output.dim() == tensor.dim()
            assert all(tuple(place[:front]) == index[:front] for place in changed.tolist()), op.name


_X = torch.arange(1.0, 65.0).reshape(1, 4, 4, 4)
_INDEX = torch.tensor([2, 0, 1])
_MOVED: dict[str, tuple[Any, ...]] = {
    "view": (_X, 4, 16),
    "view_as": (_X, _X.flatten()),
    "reshape": (_X, (4, 16)),
    "reshape_as": (_X, _X.flatten()),
    "flatten": (_X, 1),
    "ravel": (_X,),
    "unflatten": (_X, 1, (2, 2)),
    "squeeze": (_X,),
    "unsqueeze": (_X, 1),
    "expand": (_X, 2, 4, 4, 4),
    "expand_as": (_X, _X.expand(2, 4, 4, 4)),
    "broadcast_to": (_X, (2, 4, 4, 4)),
    "broadcast_tensors": (_X, _X[0]),
    **{f"atleast_{n}d": (_X,) for n in (1, 2, 3)},
    "permute": (_X, (0, 2, 3, 1)),
    **dict.fromkeys(("transpose", "swapaxes", "swapdims", "movedim"), (_X, 1, 2)),
    "t": (_X[0, 0],),
    "adjoint": (_X,),
    "flip": (_X, (1,)),
    "fliplr": (_X,),
    "flipud": (_X,),
    "roll": (_X, 1, 1),
    "rot90": (_X, 1, (1, 2)),
    "fftshift": (_X,),
    "ifftshift": (_X,),
    "pixel_shuffle": (_X, 2),
    "pixel_unshuffle": (_X, 2),
    "channel_shuffle": (_X, 2),
    "rearrange": (_X, "b c h w -> b (h w) c"),
    "einops_repeat": (_X, "b c h w -> b c h w 2"),
    "einops_unpack": (_X, [(2,), (2,)], "b c h *"),
    "chunk": (_X, 2, 1),
    "split": (_X, 2, 1),
    "split_with_sizes": (_X, [1, 3], 1),
    "tensor_split": (_X, 2, 1),
    "hsplit": (_X, 2),
    "vsplit": (_X[0], 2),
    "dsplit": (_X, 2),
    "unbind": (_X, 1),
    "narrow": (_X, 1, 1, 2),
    "select": (_X, 1, 2),
    "index_select": (_X, 1, _INDEX),
    "masked_select": (_X, _X > 5),
    "gather": (_X, 1, torch.zeros(1, 2, 4, 4, dtype=torch.int64)),
    "take": (_X, _INDEX),
    "take_along_dim": (_X, _INDEX.reshape(1, 3, 1, 1), 1),
    "diagonal": (_X, 0, 2, 3),
    "diag": (_X[0, 0],),
    "repeat": (_X, 1, 2, 1, 1),
    "tile": (_X, (1, 2, 1, 1)),
    "repeat_interleave": (_X, 2, 1),
    "getitem": (_X, (slice(None), slice(1, 3))),
    "cat": ([_X, -_X], 1),
    "stack": ([_X, -_X], 1),
    **{name: ([_X, -_X],) for name in ("hstack", "vstack", "dstack", "column_stack")},
}


def _moves() -> list[Any]:
    found = [op for op in load().ops if op.channels is Channels.MOVE]
    known = [op for op in found if find_spec("einops") or not op.spellings[0].startswith("einops.")]
    return [pytest.param(op, id=op.name) for op in known]


@pytest.mark.parametrize("op", _moves())
def test_move_returns_values_as_they_are(op: Op) -> None:
    arguments = _MOVED[op.name]
    values = torch.cat([each.flatten() for each in _tensors(arguments) if each.is_floating_point()])
    for output in _tensors(_function(op)(*arguments)):
        assert torch.isin(output, values).all()


@pytest.mark.parametrize("op", [pytest.param(op, id=op.name) for op in load().ops if op.channels is Channels.NEW])
def test_new_has_nothing_of_its_inputs(op: Op) -> None:
    """A row says NEW where all that it returns is a size, or where it has no tensor to read."""
    names = {each.name for spelling in load().spellings(op) for each in spelling.parameters}
    reads = op.name.startswith("new_") or "input" not in names or op.result.value in ("shape", "number", "other")
    assert reads, op.spellings
