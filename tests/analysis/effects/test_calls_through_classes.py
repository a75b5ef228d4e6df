"""Calls of methods through their class, `nn.Module.eval(x)`: found where they are asked for, at no cost elsewhere."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from qprep.analysis.effects.effect_kinds import EffectKind
from qprep.analysis.effects.effect_search import EffectSearch
from tests.analysis.effects.small_projects import table_of, targets

CALLS = {
    "append": "rows.append(make(1))",
    "extend": "rows.extend(make(1))",
    "insert": "rows.insert(make(1), make(2))",
    "update": "rows.update(make(1))",
    "pop": "rows.pop(make(1))",
    "setdefault": "rows.setdefault(make(1), make(2))",
    "remove": "rows.remove(make(1))",
    "sort": "rows.sort(make(1))",
    "attribute": "self.rows.append(make(1))",
    "item": "rows[0].append(make(1))",
    "result": "make(1).append(make(2))",
    "mode": "rows.train(make(1))",
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_nothing_is_asked_of_a_receiver_before_a_query(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real = EffectSearch.targets

    def note(search: EffectSearch, node: ast.expr) -> object:
        asked.append(ast.unparse(node))
        return real(search, node)

    monkeypatch.setattr(EffectSearch, "targets", note)
    code = f"def make(n):\n    return n\n\n\ndef keep(self, rows):\n    {call}\n"
    assert table_of(tmp_path, code).effects is not None
    receiver = call.rpartition(".")[0] if "make(1).append" not in call else "make(1)"
    assert receiver not in asked


@pytest.mark.parametrize(
    "code",
    [
        "nn.Module.eval(net.drop)",
        "nn.Dropout.train(net.drop, False)",
        "cls = nn.Module\ncls.eval(net.drop)",
        "cls = type(net.drop)\ncls.eval(net.drop)",
        "for cls in (nn.Module, nn.Dropout):\n    cls.eval(net.drop)",
        "[nn.Module][0].eval(net.drop)",
        "(nn.Module if net else nn.Dropout).train(net.drop, False)",
    ],
)
def test_a_method_of_a_class_changes_its_first_argument(code: str, tmp_path: Path) -> None:
    table = table_of(tmp_path, f"net = Net()\n{code}\n")
    assert not targets(table, EffectKind.MODE).isdisjoint({"Net.drop", "Dropout", "Anything"})


@pytest.mark.parametrize(
    "code",
    [
        "rows = []\nrows.append(net.drop)",
        "rows = [nn.Module]\nrows.append(net.drop)",
        "rows = {}\nrows.update(net.drop)",
        "rows = {nn.Module}\nrows.remove(net.drop)",
        '"".pop(net.drop)',
        "[nn.Module].append(net.drop)",
    ],
)
def test_a_list_of_classes_is_no_class(code: str, tmp_path: Path) -> None:
    table = table_of(tmp_path, f"net = Net()\n{code}\n")
    assert targets(table, EffectKind.STRUCTURE).isdisjoint({"Net.drop", "Dropout"})
