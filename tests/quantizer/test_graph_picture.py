"""The module graph as data and as a picture: formats of tensors, lanes, recurrent steps, files."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qprep.foundation.errors import QprepError
from qprep.quantizer import PostTrainingQuantizer, graph_svg
from qprep.quantizer.report.graph_picture import draw
from qprep.quantizer.report.graph_view import Box, BoxKind, GraphView, Link, view_of
from qprep.runtime_modules import LSTM, EltwiseAdd


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.fc, self.relu = nn.Embedding(9, 8), nn.Linear(8, 8), nn.ReLU()
        self.fc2, self.add = nn.Linear(8, 8), EltwiseAdd()

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.fc(self.embedding(x)))
        return self.add(self.fc2(x), x)  # type: ignore[no-any-return]


def prepared(model: nn.Module, *inputs: Tensor, **settings: Any) -> PostTrainingQuantizer:
    made = PostTrainingQuantizer(model, **settings)
    made.prepare_model(*inputs)
    return made


def test_the_view_has_the_formats_in_which_tensors_are_read() -> None:
    overrides = {"relu": {"bits_activations": 4}, "fc2": {"bits_weights": 3}, "add": {"bits_activations": None}}
    view = view_of(prepared(Net(), torch.zeros(2, 3, dtype=torch.long), overrides=overrides).graph)
    assert [box.name for box in view.boxes] == [
        "input 0", "embedding", "fc", "relu", "fc2", "add", "output 0",
    ]  # fmt: skip
    assert [box.kind for box in view.boxes[:2]] == [BoxKind.INPUT, BoxKind.OPERATION]
    assert view.boxes[4].weights == ("3 bit",)
    formats = {view.boxes[link.source].name: (link.targets, link.format) for link in view.links}
    assert formats == {
        "input 0": ((1,), "integers"),
        "embedding": ((2,), "8 bit"),
        "fc": ((3,), "float"),  # the ReLU is fused
        "relu": ((4, 5), "4 bit"),
        "fc2": ((5,), "8 bit"),
        "add": ((6,), "float"),
    }


def test_a_recurrent_layer_leads_back() -> None:
    view = view_of(prepared(LSTM(4, 4), torch.randn(3, 2, 4)).graph)
    back = [link for link in view.links if min(link.targets) < link.source]
    assert {view.boxes[link.source].name.rpartition(".")[2] for link in back} == {"cell_add", "hidden_mul"}


def test_an_operation_outside_of_modules_is_dashed() -> None:
    class Doubled(Net):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) * 2

    made = PostTrainingQuantizer(Doubled())
    made.prepare_model(torch.zeros(2, 3, dtype=torch.long), allow_unprepared=True)
    assert [box.kind for box in view_of(made.graph).boxes[-2:]] == [BoxKind.FLOAT, BoxKind.OUTPUT]
    assert ", in float</text>" in graph_svg(made.graph)


def links_of(picture: str) -> list[str]:
    return re.findall(r'<path class="(?:few|eight|many|none)" d="(M308 [^"]+)"', picture)


def test_long_links_have_lanes_of_their_own() -> None:
    boxes = tuple(Box(f"<{number}>", BoxKind.OPERATION, "add") for number in range(6))
    links = (
        Link(0, (1, 3), 8, "8 bit"),
        Link(1, (4,), 4, "4 bit"),
        Link(4, (5,), 16, "16 bit"),
        Link(3, (5,), None, ""),
    )
    picture = draw(GraphView(boxes, links))
    ET.fromstring(picture)
    assert "&lt;5&gt;" in picture
    lanes = [re.search(r"H(\d+)V", each) for each in links_of(picture)]
    across = [int(each[1]) for each in lanes if each is not None]
    assert len(across) == 3
    assert across[0] != across[1], "both pass the third box"
    entries = re.findall(r"V(\d+)H313", picture)
    assert len(set(entries)) == len(entries)


def test_two_tensors_enter_one_box_at_two_heights() -> None:
    boxes = tuple(Box(str(number), BoxKind.OPERATION) for number in range(4))
    picture = draw(GraphView(boxes, (Link(0, (3,), 8, "8 bit"), Link(1, (3,), 8, "8 bit"))))
    assert len(set(re.findall(r"V(\d+)H313", picture))) == 2


def test_the_picture_is_a_file(tmp_path: Path) -> None:
    graph = prepared(Net(), torch.zeros(2, 3, dtype=torch.long)).graph
    made = graph_svg(graph, tmp_path / "graph.svg")
    assert (tmp_path / "graph.svg").read_text(encoding="utf-8") == made
    assert ET.fromstring(made).tag == "{http://www.w3.org/2000/svg}svg"
    with pytest.raises(QprepError, match="picture"):
        graph_svg(graph, tmp_path)
