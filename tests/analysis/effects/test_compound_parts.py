"""Changes of the modules that a compound module of torch.nn holds: rewritten, it runs them as modules."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch import nn

from qprep.analysis.values.abstract_values import ClassRef
from qprep.foundation.catalogue.module_attributes import PARTS_OF_COMPOUNDS
from tests.analysis.effects.small_projects import table_of

_CODE = """
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 2)
        self.layer = nn.TransformerEncoderLayer(4, 2)

    def forward(self, x):
        return self.layer(self.attention(x, x, x)[0])


block = Block()
"""
CHANGES = {
    "hook": "block.attention.out_proj.register_forward_hook(print)",
    "hook-by-name": 'getattr(block.attention, "out_proj").register_forward_pre_hook(print)',
    "hook-by-a-variable": "last = block.attention.out_proj\nlast.register_forward_hook(print)",
    "hook-in-a-function": "def watch(m):\n    m.register_forward_hook(print)\nwatch(block.attention.out_proj)",
    "hook-in-a-layer": "block.layer.self_attn.out_proj.register_forward_hook(print)",
    "pruned": 'import torch.nn.utils.prune as prune\nprune.l1_unstructured(block.attention.out_proj, "weight", 2)',
    "parametrized": (
        "from torch.nn.utils import parametrize\n"
        'parametrize.register_parametrization(block.attention.out_proj, "weight", nn.Identity())'
    ),
}
OTHERS = {
    "weight": "block.attention.out_proj.weight.data.mul_(2)",
    "whole": "block.attention.register_forward_hook(print)",
    "attribute": "print(block.attention.num_heads, block.attention.dropout)",
    "another-part": "block.layer.norm1.register_forward_hook(print)",
}


def _is_met(folder: Path, code: str) -> bool:
    table = table_of(folder, f"{_CODE}{code}\n")
    classes = ("torch.nn.MultiheadAttention", "torch.nn.TransformerEncoderLayer")
    found = table.children.on_parts((ClassRef("model", "Block"),), classes, "torch.nn.Linear")
    return any(effect.kind.name == "CHANGE" for effect in found)


@pytest.mark.parametrize("code", CHANGES.values(), ids=CHANGES.keys())
def test_a_change_of_a_part_is_seen(code: str, tmp_path: Path) -> None:
    assert _is_met(tmp_path, code)


@pytest.mark.parametrize("code", OTHERS.values(), ids=OTHERS.keys())
def test_what_leaves_the_calls_of_the_linear_parts_alone_is_none(code: str, tmp_path: Path) -> None:
    assert not _is_met(tmp_path, code)


def test_the_parts_are_those_of_torch() -> None:
    layers = nn.TransformerEncoderLayer(4, 2), nn.TransformerDecoderLayer(4, 2)
    wholes = (
        nn.MultiheadAttention(4, 2), *layers, nn.TransformerEncoder(layers[0], 1, nn.LayerNorm(4)),
        nn.TransformerDecoder(layers[1], 1), nn.Transformer(4, 2, 1, 1),
    )  # fmt: skip
    parts = [child for whole in wholes for child in whole.named_children()]
    assert {name for name, _ in parts} == set(PARTS_OF_COMPOUNDS)
    assert all(isinstance(part, getattr(nn, PARTS_OF_COMPOUNDS[name].rpartition(".")[2])) for name, part in parts)
