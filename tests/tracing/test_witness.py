"""Effects of runs on static findings: confirmed, not run, refuted, added."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from qprep.engine.runtime_evidence.observations import Witness
from qprep.engine.runtime_evidence.observer import outside
from tests.tracing.observed import findings, run, shown, write

CONFIRMED = "confirmed by the run of model:Net"
NOT_RUN = "not run by model:Net"
SEEN = "seen by the run of model:Net"
X = torch.randn(2, 4)


def test_operations_confirmed_not_run_and_refuted(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(4, 4)

            def forward(self, x, other, flag: bool = False):
                if flag:
                    x = x - other
                half = other / 3
                return self.fc(x) + half
        """,
    )
    assert [code for code, *_ in shown(path)] == ["QP101", "QP102", "QP101"]
    assert shown(path, run(path, X, 6)) == [
        ("QP101", "x - other", NOT_RUN),
        ("QP101", "self.fc(x) + half", CONFIRMED),
    ]
    assert shown(path, run(path, X, 6), run(path, X, X, True))[0] == (
        "QP101",
        "x - other",
        "confirmed by the run of model:Net, model:Net",
    )


def test_operations_that_only_the_run_sees(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
        class Inner(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(4, 4)

            def forward(self, x):
                return vars(torch)["tanh"](self.fc(x))

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.inner = Inner()

            def forward(self, x):
                return self.inner(x)
        """,
    )
    assert shown(path) == []
    traced = run(path, X)
    assert shown(path, traced) == [("QP110", 'vars(torch)["tanh"](self.fc(x))', SEEN)]
    (finding,) = findings(path, traced)
    assert "`tanh`" in finding.message
    assert "`inner` (Inner)" in finding.message


def test_a_comment_suppresses_what_only_the_run_sees_and_is_not_unused_without_it(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(4, 4)

            def forward(self, x):
                return vars(torch)["tanh"](self.fc(x))  # qprep: ignore[QP110] known
        """,
    )
    assert shown(path) == []
    assert shown(path, run(path, X)) == []


@pytest.mark.parametrize(("times", "expected"), [(1, []), (2, [("QP201", "self.act(x)", CONFIRMED)])])
def test_a_module_that_runs_again_only_for_some_inputs(
    tmp_path: Path, times: int, expected: list[tuple[str, str, str]]
) -> None:
    path = write(
        tmp_path,
        """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(4, 4)
                self.act = nn.ReLU()

            def forward(self, x, times: int):
                x = self.fc(x)
                for _ in range(times):
                    x = self.act(x)
                return x
        """,
    )
    assert [code for code, *_ in shown(path)] == ["QP201"]
    assert shown(path, run(path, X, times)) == expected


def test_reuse_through_other_objects_is_added_once(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
        class Holder:
            def __init__(self, act):
                self.run = act

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(4, 4)
                self.act = nn.ReLU()
                self.table = {"a": Holder(self.act), "b": Holder(self.act)}

            def forward(self, x):
                x = self.fc(x)
                for key in sorted(self.table):
                    x = vars(self.table[key])["run"](x)
                return x
        """,
    )
    assert shown(path) == []
    assert shown(path, run(path, X)) == [("QP210", 'vars(self.table[key])["run"](x)', SEEN)]


def test_a_call_that_runs_a_block_again_stands_for_the_layers_in_it(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
        class Block(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(4, 4)
                self.act = nn.ReLU()

            def forward(self, x):
                return self.act(self.fc(x))

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.block = Block()

            def forward(self, x):
                return self.block(self.block(x))
        """,
    )
    assert shown(path, run(path, X)) == [("QP202", "self.block(self.block(x))", CONFIRMED)]


def test_functions_held_and_compound_modules_are_confirmed_where_they_are_made(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.rnn = nn.GRU(4, 4)
                self.spare = nn.LSTM(4, 4)
                self.act = F.gelu

            def forward(self, x):
                return self.act(self.rnn(x)[0])
        """,
    )
    assert shown(path, run(path, X)) == [
        ("QP401", "nn.GRU", CONFIRMED),
        ("QP401", "nn.LSTM", NOT_RUN),
        ("QP303", "F.gelu", CONFIRMED),
    ]


def test_instances_shared_at_construction(tmp_path: Path) -> None:
    source = """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                act = nn.ReLU()
                self.net = nn.Sequential(nn.Linear(4, 4), act, nn.Linear(4, 4), act)

            def forward(self, x):
                return self.net{part}(x)
        """
    path = write(tmp_path, source.format(part=""))
    assert shown(path, run(path, X)) == [("QP203", "act", CONFIRMED)]
    path = write(tmp_path, source.format(part="[:3]"))
    assert [code for code, *_ in shown(path)] == ["QP203"]
    assert shown(path, run(path, X)) == []


def test_a_value_of_unknown_kind_is_decided_by_the_run(tmp_path: Path) -> None:
    (tmp_path / "strange.py").write_text("def strange(x):\n    return x.exp()\n")
    path = write(
        tmp_path,
        """
        import importlib.util, pathlib
        spec = importlib.util.spec_from_file_location("strange", pathlib.Path(__file__).with_name("strange.py"))
        strange = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(strange)

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(4, 4)
                self.table = {"f": strange.strange}

            def forward(self, x):
                é = vars(self)["table"]["f"](self.fc(x))
                y = é + é
                return y.sigmoid()
        """,
    )
    assert shown(path) == [("QP301", "y.sigmoid()", "")]  # nothing but a tensor has that method
    traced = run(path, X)
    assert shown(path, traced) == [("QP101", "é + é", CONFIRMED), ("QP301", "y.sigmoid()", CONFIRMED)]
    assert all(finding.is_fixable for finding in findings(path, traced))
    lines = list(outside(Witness([traced]), [str(path)]))
    assert [line.rpartition("strange.py:")[2] for line in lines] == ["2:12: exp in the model itself (Net)"]
