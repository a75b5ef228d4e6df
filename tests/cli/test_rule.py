from __future__ import annotations

import json

from tests.cli.conftest import Run


def test_explains_by_code_and_by_name(run: Run) -> None:
    by_code = run("rule", "QP101")
    assert by_code.code == 0
    assert by_code.out.startswith("# QP101: tensor-add\n\nAn addition without a module.\n")
    assert run("rule", "tensor-add").out == by_code.out


def test_all_as_json(run: Run) -> None:
    records = json.loads(run("rule", "--all", "--output-format", "json").out)
    assert [record["code"] for record in records][-3:] == ["QP101", "QP102", "QP201"]
    assert json.loads(run("rule", "QP201", "--output-format", "json").out)["fixable"] is False


def test_unknown_code_exits_2(run: Run) -> None:
    outcome = run("rule", "QP1011")
    assert outcome.code == 2
    assert outcome.err == "error: unknown rule `QP1011`; did you mean `QP101`?\n"


def test_a_code_or_all(run: Run) -> None:
    assert run("rule").code == 2
    assert run("rule", "QP101", "--all").code == 2
