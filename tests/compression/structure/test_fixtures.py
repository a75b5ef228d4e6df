"""Masked and thin models agree on the repository's fixtures, before and after their preparation."""

from __future__ import annotations

import copy
import importlib.util
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils import _pytree as pytree

from qprep.compression.structure import choose, groups, scores, thin
from qprep.compression.structure.running import difference, evaluating
from qprep.quantizer.graph.tensor_leaves import tensors_in

FOLDER = Path(__file__).parents[3] / "fixtures"
FILES = [path for kind in ("before", "after") for path in sorted((FOLDER / kind).glob("*.py"))]
BOUNDS = {torch.float32: 1e-6, torch.float64: 1e-12}


def build(path: Path) -> tuple[nn.Module, tuple[object, ...]]:
    spec = importlib.util.spec_from_file_location(f"fixture_{path.parent.name}_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    torch.manual_seed(0)
    model, inputs = module.example()
    return model.eval(), inputs


@pytest.mark.filterwarnings("ignore::UserWarning")  # of nn.TransformerEncoder
@pytest.mark.parametrize("dtype", list(BOUNDS), ids=str)
@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_masked_is_thin(path: Path, dtype: torch.dtype) -> None:
    model, inputs = build(path)
    model.to(dtype)
    given = pytree.tree_map(
        lambda each: each.to(dtype) if isinstance(each, torch.Tensor) and each.is_floating_point() else each, inputs
    )
    found = groups(model, *given)
    assert not [note for note in found.notes if "could not be followed" in note]
    removal = choose(scores(found), 0.5)
    with torch.no_grad():
        for name, mask in found.masks(removal).items():
            model.get_parameter(name).mul_(mask)
    whole = copy.deepcopy(model)
    record = thin(model, given)
    with evaluating(whole):
        before = [each.clone() for each in tensors_in(whole(*given))]
    with evaluating(model):
        after = [each.clone() for each in tensors_in(model(*given))]
    assert difference(before, after) <= BOUNDS[dtype]
    assert bool(record["tensors"]) == bool(removal)
    assert sum(each.numel() for each in model.parameters()) == found.parameters(removal)
