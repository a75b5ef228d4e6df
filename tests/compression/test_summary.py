"""Tables of a model, in Python and on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from qprep.cli import main
from qprep.compression.structure import StructureError, macs
from qprep.compression.summary import summary
from tests.chromium import overflow


def model() -> nn.Module:
    torch.manual_seed(0)
    made = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(128, 5))
    with torch.no_grad():
        made.get_parameter("0.weight")[2:4] = 0
        made.get_parameter("0.weight")[:, 1] = 0
        made.get_parameter("4.weight")[0] = 0
        made.get_parameter("4.weight")[:, :64] = 0
    return made


IMAGES = (2, 3, 6, 6)


def test_sparsity_has_distillers_columns() -> None:
    table = summary(model())["sparsity"]
    assert table.columns == (
        *("Name", "Shape", "NNZ (dense)", "NNZ (sparse)", "Cols (%)", "Rows (%)", "Ch (%)", "2D (%)", "3D (%)"),
        *("Fine (%)", "Std", "Mean", "Abs-Mean"),
    )
    conv, linear, total = table.records()
    weight = model().get_parameter("0.weight").detach()
    assert [conv[name] for name in ("Name", "Shape", "NNZ (dense)", "NNZ (sparse)")] == [
        "0.weight",
        "(8, 3, 3, 3)",
        216,
        108,
    ]
    assert [conv[name] for name in ("Cols (%)", "Rows (%)", "2D (%)", "3D (%)", "Fine (%)")] == [0, 0, 50, 25, 50]
    assert conv["Ch (%)"] == pytest.approx(100 / 3)
    assert conv["Std"] == pytest.approx(float(weight.std()))
    assert conv["Mean"] == pytest.approx(float(weight.mean()))
    assert conv["Abs-Mean"] == pytest.approx(float(weight.abs().mean()))
    assert [linear[name] for name in ("Cols (%)", "Rows (%)", "Ch (%)", "2D (%)", "3D (%)")] == [50, 20, 0, 0, 0]
    assert linear["Fine (%)"] == pytest.approx(60)
    assert (total["NNZ (dense)"], total["NNZ (sparse)"]) == (856, 108 + 256)
    assert total["Fine (%)"] == pytest.approx(100 * (856 - 364) / 856)


def test_compute_counts_each_call() -> None:
    shared = nn.Linear(4, 4)
    table = summary(nn.Sequential(shared, nn.ReLU(), shared), torch.randn(3, 4), what=["compute"])["compute"]
    first, second, total = table.records()
    assert first == {**first, "Type": "Linear", "IFM": "(3, 4)", "OFM": "(3, 4)", "Weights volume": 16, "MACs": 48}
    assert second["MACs"] == 48
    assert total["MACs"] == 96
    conv = summary(model(), torch.randn(IMAGES))["compute"].records()[0]
    assert conv == {**conv, "Name": "0", "Attrs": "k=(3, 3)", "IFM volume": 216, "OFM volume": 256, "MACs": 6912}
    assert summary(model(), torch.randn(IMAGES))["compute"].records()[-1]["MACs"] == macs(model(), torch.randn(IMAGES))


def test_model_counts_parameters_once() -> None:
    made = nn.Sequential(nn.Embedding(7, 4), nn.Linear(4, 7, bias=False))
    made[1].weight = made[0].weight
    made.get_parameter("0.weight").requires_grad_(False)
    rows = summary(made, what="model")["model"].records()
    assert rows == [
        {"Name": "0", "Type": "Embedding", "Parameters": 28, "Trainable": 0, "Bytes": 112},
        {"Name": "Total", "Type": "", "Parameters": 28, "Trainable": 0, "Bytes": 112},
    ]


def test_text_html_and_json_hold_the_same() -> None:
    found = summary(model(), torch.randn(IMAGES))
    assert [table.title for table in found.tables] == ["sparsity", "compute", "model"]
    assert [table.title for table in summary(model()).tables] == ["sparsity", "model"]
    page = found._repr_html_()
    assert json.loads(found.to_json()) == found.to_dict()
    for text in ("0.weight", "BatchNorm2d", "6,912"):
        assert text in str(found)
        assert text in page
    assert page.count("<tr>") == sum(len(table.rows) + 1 for table in found.tables)


def test_names_are_escaped() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_parameter("<b>", nn.Parameter(torch.ones(2, 2)))

    page = summary(Odd())._repr_html_()
    assert "&lt;b&gt;" in page
    assert "<b>" not in page


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        (["sparsity", "flops"], "tables out of sparsity, compute, model, found 'flops'"),
        ([], "tables out of sparsity, compute, model, found None"),
        (["compute"], "expected example inputs for the compute table"),
    ],
)
def test_bad_tables(what: list[str], sentence: str) -> None:
    with pytest.raises(StructureError, match=sentence):
        summary(model(), what=what)


Write = Callable[[str], str]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    monkeypatch.chdir(tmp_path)

    def make(body: str) -> str:
        path = tmp_path / "of_the_user.py"
        path.write_text(f"import torch\nfrom torch import nn\n\ndef make():\n    {body}\n", encoding="utf-8")
        return f"{path}:make"

    return make


def test_command_prints_tables(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    target = write("print('noise'); return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())")
    assert main(["summary", target, "--input", "1,3,6,6", "--what", "compute,model"]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("compute\n")
    assert "3,456" in captured.out
    assert "\nmodel\n" in captured.out
    assert "sparsity" not in captured.out
    assert "noise" not in captured.out


def test_command_takes_inputs_by_position_and_keyword(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    target = write("return nn.Bilinear(3, 4, 2)")
    assert main(["summary", target, "--input", "5,3", "--input", "input2=5,4", "--what", "model,compute"]) == 0
    assert "Bilinear" in capsys.readouterr().out


def test_command_takes_the_example_of_a_pair_and_writes_files(
    write: Write, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    target = write("return nn.Linear(3, 2), (torch.ones(4, 3),)")
    assert main(["summary", target, "--output-format", "json", "--output", "tables.html"]) == 0
    assert json.loads(capsys.readouterr().out)["compute"][-1]["MACs"] == 24
    assert "<table>" in (tmp_path / "tables.html").read_text(encoding="utf-8")
    assert main(["summary", target, "--output", "tables.pdf"]) == 2
    assert "--output: expected a file that ends in .html, .json or .txt, found `tables.pdf`" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("body", "arguments", "code", "sentence"),
    [
        ("return nn.Linear(3, 2)", ["--input", "1,5"], 1, "expected Linear to run on the example inputs"),
        ("return nn.Linear(3, 2)", ["--what", "compute"], 1, "expected example inputs"),
        ("return nn.Linear(3, 2)", ["--what", "flops"], 2, "--what: expected tables out of"),
        ("return 3", [], 1, "to be or return an nn.Module"),
        ("raise ValueError('no data')", [], 1, "no data"),
    ],
)
def test_command_says_what_is_wrong(  # noqa: PLR0917
    write: Write, capsys: pytest.CaptureFixture[str], body: str, arguments: list[str], code: int, sentence: str
) -> None:
    assert main(["summary", write(body), *arguments]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert sentence in captured.err
    assert captured.err.startswith("error: ")


@pytest.mark.parametrize("width", [320, 800, 1400])
def test_the_page_fits_the_window(width: int, tmp_path: Path) -> None:
    page = summary(model(), torch.zeros(IMAGES)).to_html()
    assert page.count("prefers-color-scheme:dark") == 2
    assert overflow(page, width, tmp_path) <= 0
