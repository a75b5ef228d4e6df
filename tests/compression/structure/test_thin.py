"""Thinning: the gate, the record, optimizers, masks, hooks, wrappers."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from qprep.compression.structure import (
    StructureError,
    ThinningError,
    choose,
    composed,
    groups,
    is_record,
    macs,
    scores,
    thin,
)
from qprep.foundation.errors import QprepError
from tests.compression.structure.models import Model, build

OPTIMIZERS: dict[str, Callable[[list[nn.Parameter]], torch.optim.Optimizer]] = {
    "sgd": lambda each: torch.optim.SGD(each, lr=0.01, momentum=0.9),
    "adam": lambda each: torch.optim.Adam(each, lr=0.01, amsgrad=True),
    "adamw": lambda each: torch.optim.AdamW(each, lr=0.01),
    "rmsprop": lambda each: torch.optim.RMSprop(each, lr=0.01, momentum=0.9, centered=True),
    "adafactor": lambda each: torch.optim.Adafactor(each, lr=0.01),
    "lbfgs": lambda each: torch.optim.LBFGS(each, lr=0.1, max_iter=3, history_size=3),
}


def masks_of(model: nn.Module, inputs: tuple[Tensor, ...], share: float = 0.5) -> dict[nn.Parameter, Tensor]:
    found = groups(model, *inputs)
    by_name = found.masks(choose(scores(found), share))
    return {each: by_name[name].to(each.dtype) for name, each in model.named_parameters() if name in by_name}


def apply(masks: dict[nn.Parameter, Tensor]) -> None:
    with torch.no_grad():
        for parameter, mask in masks.items():
            parameter.mul_(mask)


def closure(model: nn.Module, inputs: tuple[Tensor, ...], optimizer: torch.optim.Optimizer) -> Callable[[], Tensor]:
    def run() -> Tensor:
        optimizer.zero_grad()
        loss: Tensor = model(*inputs).square().mean()
        torch.autograd.backward(loss)
        return loss

    return run


def step(model: nn.Module, inputs: tuple[Tensor, ...], optimizer: torch.optim.Optimizer) -> None:
    run = closure(model, inputs, optimizer)
    optimizer.step(run)  # type: ignore[arg-type]


def snapshot(value: object) -> object:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return torch.load(io.BytesIO(buffer.getvalue()), weights_only=False)


def same(first: object, second: object) -> bool:
    if isinstance(first, Tensor):
        return isinstance(second, Tensor) and first.shape == second.shape and torch.equal(first, second)
    if isinstance(first, dict):
        return (
            isinstance(second, dict) and list(first) == list(second) and all(same(first[k], second[k]) for k in first)
        )
    if isinstance(first, (list, tuple)):
        return isinstance(second, (list, tuple)) and len(first) == len(second) and all(map(same, first, second))
    return bool(first == second)


def test_the_gate_refuses_masks_that_leave_the_norm() -> None:
    model, inputs = build("residual")
    optimizer = OPTIMIZERS["sgd"](list(model.parameters()))
    step(model, inputs, optimizer)
    norms = set(model.norm.parameters())  # type: ignore[union-attr]
    masks = {each: mask for each, mask in masks_of(model, inputs).items() if each not in norms}
    before = snapshot((model.state_dict(), optimizer.state_dict(), list(masks.values())))
    with pytest.raises(
        ThinningError, match=r"would not compute what the masked one does: its output differs .* first in norm"
    ):
        thin(model, inputs, optimizer=optimizer, masks=masks)
    assert same(snapshot((model.state_dict(), optimizer.state_dict(), list(masks.values()))), before)
    assert model.body.out_channels == 8  # type: ignore[union-attr]


def test_the_gate_names_the_first_module_that_differs() -> None:
    model, inputs = build("conv2d")
    weights = {each: mask for each, mask in masks_of(model, inputs).items() if each.dim() == 4}
    with pytest.raises(ThinningError) as caught:
        thin(model, inputs, masks=weights)
    assert caught.value.module == "0"  # its bias
    with torch.no_grad():
        model.get_parameter("0.bias").zero_()
    with pytest.raises(ThinningError) as caught:
        thin(model, inputs, masks=weights)
    assert caught.value.module == "1"  # the BatchNorm


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_the_state_of_the_optimizer_is_cut(name: str) -> None:
    model, inputs = build("residual")
    model.train()
    optimizer = OPTIMIZERS[name](list(model.parameters()))
    for _ in range(3):
        step(model, inputs, optimizer)
    masks = masks_of(model, inputs)
    apply(masks)
    objects = list(model.parameters())
    record = thin(model, inputs, optimizer=optimizer, masks=masks)
    assert all(a is b for a, b in zip(objects, model.parameters(), strict=True))
    fresh = copy.deepcopy(model)
    twin = OPTIMIZERS[name](list(fresh.parameters()))
    twin.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for parameter, state in optimizer.state.items():
        for value in state.values():
            if isinstance(value, Tensor) and value.dim() == parameter.dim() > 0 and name != "adafactor":
                assert value.shape == parameter.shape
    before = [each.detach().clone() for each in model.parameters()]
    step(model, inputs, optimizer)
    step(fresh, inputs, twin)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), fresh.parameters(), strict=True))
    assert all(not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert record["notes"] == []


@pytest.mark.parametrize("name", ["sgd", "adam", "lbfgs"])
def test_the_cut_state_is_what_stays_of_the_whole(name: str) -> None:
    model, inputs = build("residual")
    optimizer = OPTIMIZERS[name](list(model.parameters()))
    step(model, inputs, optimizer)
    step(model, inputs, optimizer)
    masks = masks_of(model, inputs)
    apply(masks)
    names: dict[Tensor, str] = {each: key for key, each in model.named_parameters()}
    shapes = {key: each.shape for key, each in model.named_parameters()}
    whole = {names[each]: copy.deepcopy(state) for each, state in optimizer.state.items()}
    record = thin(model, inputs, optimizer=optimizer)

    def kept(key: str, value: Tensor) -> Tensor:
        for dim, positions in record["tensors"].get(key, {"kept": []})["kept"]:
            value = value.index_select(dim, torch.tensor(positions))
        return value

    for parameter, state in optimizer.state.items():
        key = names[parameter]
        for entry, value in state.items():
            old = whole[key][entry]
            if isinstance(old, Tensor) and old.shape == shapes[key]:
                assert torch.equal(value, kept(key, old))
            elif isinstance(old, Tensor) and old.dim() == 1 and old.numel() > 1:
                parts = torch.split(old, [size.numel() for size in shapes.values()])
                flat = [
                    kept(k, part.view(size)).flatten() for part, (k, size) in zip(parts, shapes.items(), strict=True)
                ]
                assert torch.equal(value, torch.cat(flat))


def test_a_state_of_another_shape_is_refused() -> None:
    model, inputs = build("residual")
    optimizer = OPTIMIZERS["sgd"](list(model.parameters()))
    step(model, inputs, optimizer)
    apply(masks_of(model, inputs))
    weight = model.get_parameter("body.weight")
    optimizer.state[weight]["sketch"] = torch.ones(3, 5)
    before = snapshot((model.state_dict(), optimizer.state_dict()))
    with pytest.raises(StructureError, match=r"SGD's sketch to have the shape \(8, 8, 3, 3\) .* found \(3, 5\)"):
        thin(model, inputs, optimizer=optimizer)
    assert same(snapshot((model.state_dict(), optimizer.state_dict())), before)


def test_masks_are_cut_and_zeros_in_other_weights_stay() -> None:
    model, inputs = build("conv2d")
    masks = masks_of(model, inputs)
    first = model.get_parameter("0.weight")
    fine = torch.rand_like(first) > 0.3
    masks[first] *= fine
    mask = masks[first].clone()
    apply(masks)
    with torch.no_grad():
        model.get_parameter("5.weight").zero_()  # not asked for: it has no mask
    record = thin(model, inputs, masks=masks)
    rows = torch.tensor(dict(record["tensors"]["0.weight"]["kept"])[0])
    assert torch.equal(masks[first], mask[rows])
    assert all(each.shape == parameter.shape for parameter, each in masks.items())
    assert model.get_parameter("5.weight").shape[0] == 4


def test_a_fresh_model_takes_the_record_and_the_state(tmp_path: Path) -> None:
    model, inputs = build("grouped")
    apply(masks_of(model, inputs))
    record = thin(model, inputs)
    torch.save({"record": record, "model": model.state_dict()}, tmp_path / "thin.pt")
    loaded = torch.load(tmp_path / "thin.pt", weights_only=True)
    assert loaded["record"] == record
    fresh, _ = build("grouped")
    assert is_record(loaded["record"])
    thin(fresh, loaded["record"])
    fresh.load_state_dict(loaded["model"], strict=True)
    assert torch.equal(fresh(*inputs), model(*inputs))
    assert [str(each) for each in fresh.modules()] == [str(each) for each in model.modules()]


def test_two_thinnings_compose() -> None:
    model, inputs = build("concatenated")
    records = []
    for _ in range(2):
        apply(masks_of(model, inputs, 0.3))
        records.append(thin(model, inputs))
    fresh, _ = build("concatenated")
    thin(fresh, composed(*records))
    fresh.load_state_dict(model.state_dict(), strict=True)
    assert torch.equal(fresh(*inputs), model(*inputs))


def test_a_record_of_another_model_is_refused() -> None:
    model, inputs = build("conv2d")
    apply(masks_of(model, inputs))
    record = thin(model, inputs)
    with pytest.raises(StructureError, match=r"expected 0.weight of shape \(8, 3, 3, 3\), .* found \(4, 3, 3, 3\)"):
        thin(model, record)
    other, _ = build("residual")
    with pytest.raises(StructureError, match=r"expected a model with 0.weight"):
        thin(other, record)
    with pytest.raises(StructureError, match=r"version 1, found 7"):
        thin(build("conv2d")[0], {**record, "version": 7})


def test_a_graph_that_is_still_alive_does_not_matter() -> None:
    model, inputs = build("residual")
    model.train()
    loss = model(*inputs).sum()
    loss.backward()
    apply(masks_of(model, inputs))
    thin(model, inputs)
    assert all(each.grad is None for each in model.parameters())
    model(*inputs).sum().backward()
    assert all(each.grad is not None and each.grad.shape == each.shape for each in model.parameters())
    assert loss.numel() == 1  # held until here


def test_the_last_channel_stays() -> None:
    model, inputs = build("conv2d")
    with torch.no_grad():
        model.get_parameter("0.weight").zero_()
    with pytest.raises(StructureError, match="expected at least one channel of 0.weight to stay, found all 8"):
        thin(model, inputs)


def test_nothing_masked_changes_nothing() -> None:
    model, inputs = build("conv2d")
    before = copy.deepcopy(model.state_dict())
    record = thin(model, inputs)
    assert record["tensors"] == {}
    assert same(dict(model.state_dict()), dict(before))


def test_masked_channels_that_stay_are_noted() -> None:
    model, inputs = build("transformer")
    with torch.no_grad():
        model.get_parameter("two.weight")[:3] = 0
    record = thin(model, inputs)
    assert len(record["notes"]) == 1
    assert record["notes"][0].startswith("masked channels of two.weight (3) stay: ")


def test_wrapped_models_are_refused(tmp_path: Path) -> None:
    model, inputs = build("conv2d")
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        wrapped = DistributedDataParallel(model)
        for refused in (wrapped, nn.Sequential(wrapped)):
            with pytest.raises(StructureError, match="not wrapped yet, found DistributedDataParallel"):
                thin(refused, inputs)
        with pytest.raises(StructureError, match="thin it before wrapping"):
            groups(wrapped, *inputs)
    finally:
        dist.destroy_process_group()


def test_a_constant_width_is_found() -> None:
    model = Model(
        lambda m, x: m.end(m.stem(x).relu().view(-1, 8 * 7 * 7)), stem=nn.Conv2d(3, 8, 3), end=nn.Linear(8 * 7 * 7, 4)
    ).eval()
    inputs = (torch.randn(2, 3, 9, 9),)
    found = groups(model, *inputs)
    assert found.families == ()
    (note,) = (each for each in found.frozen if each.weight == "stem.weight")
    assert "without one of them it fails (RuntimeError: shape" in note.reason
    assert note.place.rpartition(":")[0] == __file__
    with torch.no_grad():
        model.get_parameter("stem.weight")[:2] = 0
        model.get_parameter("stem.bias")[:2] = 0
    with pytest.raises(ThinningError, match=r"it fails \(RuntimeError: shape .*test_thin.py:\d+"):
        thin(model, inputs)
    assert model.get_parameter("stem.weight").shape[0] == 8


def test_another_batch_size_is_tried() -> None:
    def run(m: Model, x: Tensor) -> Any:
        x = m.stem(x).relu()
        return m.end(x.view(len(x), 8, 9, 9) if len(x) > 2 else x)

    model = Model(run, stem=nn.Conv2d(3, 8, 1), end=nn.Conv2d(8, 4, 1)).eval()
    with torch.no_grad():
        model.get_parameter("stem.weight")[:2] = 0
        model.get_parameter("stem.bias")[:2] = 0
    assert len(groups(model, torch.randn(2, 3, 9, 9)).families) == 1
    with pytest.raises(ThinningError, match=r"it fails \(RuntimeError: shape '\[4, 8, 9, 9\]'"):
        thin(model, (torch.randn(2, 3, 9, 9),))


def test_bad_inputs_are_one_sentence() -> None:
    model, _ = build("conv2d")
    with pytest.raises(
        StructureError, match="expected Sequential to run on the example inputs, found RuntimeError in 0: "
    ):
        groups(model, torch.randn(2, 4, 5, 5))
    other, inputs = build("conv2d")
    found = groups(other, *inputs)
    with pytest.raises(StructureError, match="groups of this model, found those of another"):
        thin(model, inputs, found=found)


def test_inputs_and_parameters_have_data() -> None:
    model, inputs = build("conv2d")
    with pytest.raises(QprepError, match="expected example inputs for input of Sequential, found none"):
        groups(model)
    with pytest.raises(QprepError, match="found a tensor on the meta device"):
        groups(model, inputs[0].to("meta"))
    with pytest.raises(StructureError, match=r"expected parameters with data, found 0.weight on the meta device"):
        groups(model.to("meta"), *inputs)


def test_a_model_that_amplifies_rounding_is_tried_in_double() -> None:
    model = Model(
        lambda m, x: torch.sin(1e6 * m.end(m.stem(x).relu())), stem=nn.Conv2d(3, 8, 3), end=nn.Conv2d(8, 4, 3)
    ).eval()
    assert [family.name for family in groups(model, torch.randn(2, 3, 9, 9)).families] == ["stem.weight"]


def test_tied_weights_are_cut_once_and_loaded() -> None:
    model, inputs = build("tied")
    apply(masks_of(model, inputs))
    record = thin(model, inputs)
    assert model.decoder.weight is model.embedding.weight  # type: ignore[union-attr]
    assert model.decoder.in_features == model.embedding.embedding_dim == 4  # type: ignore[union-attr]
    fresh, _ = build("tied")
    thin(fresh, record)
    fresh.load_state_dict(model.state_dict(), strict=True)
    assert torch.equal(fresh(*inputs), model(*inputs))


def test_the_groups_of_before_save_a_run() -> None:
    model, inputs = build("conv2d")
    found = groups(model, *inputs)
    removal = choose(scores(found), 0.5)
    masks = {model.get_parameter(name): each.float() for name, each in found.masks(removal).items()}
    apply(masks)
    expected = found.macs(removal)
    thin(model, inputs, masks=masks, found=found)
    assert macs(model, *inputs) == expected


def test_keyword_inputs() -> None:
    class Keywords(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.end = nn.Linear(4, 8), nn.Linear(8, 2)

        def forward(self, *, left: Tensor, right: Tensor) -> dict[str, Tensor]:
            return {"logits": self.end(torch.relu(self.stem(left)) + self.stem(right))}

    model = Keywords().eval()
    inputs = {"left": torch.randn(3, 4), "right": torch.randn(3, 4)}
    found = groups(model, inputs)
    assert [family.name for family in found.families] == ["stem.weight"]
    apply({model.get_parameter(k): v.float() for k, v in found.masks({"stem.weight": [0, 3]}).items()})
    before = model(**inputs)["logits"]
    thin(model, inputs)
    assert model.stem.out_features == model.end.in_features == 6
    assert torch.allclose(model(**inputs)["logits"], before, atol=1e-6)


def test_an_average_of_a_model_takes_the_record_of_the_model() -> None:
    model, inputs = build("residual")
    average = torch.optim.swa_utils.AveragedModel(model)
    masks = masks_of(model, inputs)
    apply(masks)
    average.update_parameters(model)
    record = thin(model, inputs, masks=masks)
    thin(average, record)
    average.eval()
    assert torch.equal(average(*inputs), model(*inputs))
