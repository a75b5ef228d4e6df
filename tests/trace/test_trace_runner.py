"""Targets run in a process of their own; whatever they do is one answer."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch

from qprep.foundation.errors import QprepError
from qprep.tracing.child_runner import run_target
from qprep.tracing.failure import TraceFailure
from qprep.tracing.observe import observe
from qprep.tracing.request import make_request
from qprep.tracing.trace_report import TraceReport

_MODELS = """
import ctypes, os, sys, threading, time
import torch
from torch import nn

print("imported")

class Add(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x, *, mask=None):
        print("running")
        x = self.fc(x) + x
        return x if mask is None else x.masked_fill(mask, 0) / 2

class Ids(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(2, 4)

    def forward(self, ids):
        return self.table(ids) * 2 if self.training else self.table(ids).exp() + 1

model = Add()
def pair(): return Add(), torch.ones(2, 4)
def keywords(): return Add(), {"x": torch.ones(2, 4), "mask": torch.ones(2, 4, dtype=torch.bool)}
def make_inputs(): return (torch.ones(3, 4),), {"mask": torch.ones(3, 4, dtype=torch.bool)}
def number(): return 3
def exits(): sys.exit(3)
def deep(x):
    return x.undefined
class Broken(Add):
    def forward(self, x): return deep(x)
class Hangs(Add):
    def forward(self, x):
        while True: time.sleep(0.01)
class Crashes(Add):
    def forward(self, x): return ctypes.string_at(0)
class Ends(Add):
    def forward(self, x): os._exit(0)
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runner") / "user_models.py"
    path.write_text(_MODELS)
    return path


def _report(target: str, *inputs: str, **options: object) -> TraceReport:
    answer = run_target(make_request(target, inputs, **options))  # type: ignore[arg-type]
    assert isinstance(answer, TraceReport), answer
    return answer


def _failure(target: str, *inputs: str, timeout: float = 60) -> TraceFailure:
    answer = run_target(make_request(target, inputs, timeout=timeout))
    assert isinstance(answer, TraceFailure), answer
    return answer


def test_class_with_input_shape(models: Path, capfd: pytest.CaptureFixture[str]) -> None:
    report = _report(f"{models}:Add", "2,4")
    assert [(event.op, event.path, event.line) for event in report.unowned] == [("add", str(models), 15)]
    assert report.events[0].shapes == ((2, 4),)
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu(models: Path) -> None:
    assert [event.op for event in _report(f"{models}:Add", "2,4", device="cuda").unowned] == ["add"]
    assert _report(f"{models}:pair", device="cuda").unowned


def test_instance_with_keyword_input(models: Path) -> None:
    report = _report(f"{models}:model", "2,4", "mask=2,4:bool")
    assert [event.op for event in report.unowned] == ["add", "masked_fill", "div"]


@pytest.mark.parametrize(("name", "ops"), [("pair", 1), ("keywords", 3)])
def test_example_inputs(models: Path, name: str, ops: int) -> None:
    assert len(_report(f"{models}:{name}").unowned) == ops


def test_inputs_made_by_the_user(models: Path) -> None:
    report = _report(f"{models}:pair", maker=f"{models}:make_inputs")
    assert report.unowned[0].shapes == ((3, 4),)


def test_integer_inputs_and_training_mode(models: Path) -> None:
    assert [event.op for event in _report(f"{models}:Ids", "2,3:int64", train=True).unowned] == ["mul"]


def test_meta_device(models: Path) -> None:
    assert [event.op for event in _report(f"{models}:pair", device="meta").unowned] == ["add"]


def test_module_of_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "zoo" / "nets"
    package.mkdir(parents=True)
    (tmp_path / "zoo" / "__init__.py").write_text("")
    (package / "__init__.py").write_text("")
    (package / "ops.py").write_text("def double(x):\n    return x * 2\n")
    (package / "net.py").write_text(
        "from torch import nn\nfrom .ops import double\n\n"
        "class Net(nn.Module):\n    def forward(self, x):\n        return double(x) + 1\n"
    )
    monkeypatch.chdir(tmp_path)
    for target in ("zoo.nets.net:Net", "zoo/nets/net.py:Net"):
        places = {(Path(event.path or "").name, event.line, event.op) for event in _report(target, "2").unowned}
        assert places == {("ops.py", 2, "mul"), ("net.py", 6, "add")}


def test_file_named_like_an_installed_module(tmp_path: Path) -> None:
    path = tmp_path / "json.py"
    path.write_text("from torch import nn\nNet = nn.ReLU\n")
    assert _report(f"{path}:Net", "2").is_prepared


@pytest.mark.parametrize(
    ("name", "inputs", "stage", "message"),
    [
        ("Add", ["2,5"], "run", "failed in its forward pass: RuntimeError: mat1 and mat2 shapes cannot be multiplied"),
        ("Add", [], "inputs", "expected inputs for "),
        ("Add", ["2,4", "nope=2"], "run", "unexpected keyword argument 'nope'"),
        ("missing", ["2,4"], "import", "expected missing in "),
        ("number", ["2,4"], "build", "to be or return an nn.Module or (model, example_inputs), found int"),
        ("exits", ["2,4"], "build", "could not be built: SystemExit: 3"),
        ("Ends", ["2,4"], "crash", "ended the process: exit status 0"),
    ],
)
def test_failures(models: Path, name: str, inputs: list[str], stage: str, message: str) -> None:
    failure = _failure(f"{models}:{name}", *inputs)
    assert failure.stage == stage
    assert message in failure.message
    assert "\n" not in failure.message
    assert failure.output.startswith("imported")


def test_failure_shows_the_users_frames(models: Path) -> None:
    failure = _failure(f"{models}:Broken", "2,4")
    assert [(frame.path, frame.function, frame.text) for frame in failure.frames] == [
        (str(models), "forward", "def forward(self, x): return deep(x)"),
        (str(models), "deep", "return x.undefined"),
    ]
    assert str(failure).endswith("in deep: return x.undefined")


def test_hang(models: Path) -> None:
    started = time.monotonic()
    failure = _failure(f"{models}:Hangs", "2,4", timeout=12)  # torch is imported in it
    assert time.monotonic() - started < 60
    assert failure.stage == "timeout"
    assert failure.message.endswith(":Hangs ran longer than 12 s")
    assert failure.frames[-1].function == "forward"


def test_crash(models: Path) -> None:
    failure = _failure(f"{models}:Crashes", "2,4")
    assert failure.stage == "crash"
    assert "ended the process: signal SIG" in failure.message
    assert failure.frames[-1].text == "def forward(self, x): return ctypes.string_at(0)"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import nowhere_to_be_found", "could not be imported: ModuleNotFoundError: No module named"),
        ("def f(:\n    pass", "could not be imported: SyntaxError"),
        ("1 / 0", "could not be imported: ZeroDivisionError: division by zero"),
    ],
)
def test_files_that_do_not_import(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "broken_file.py"
    path.write_text(text)
    failure = _failure(f"{path}:f", "1")
    assert failure.stage == "import"
    assert message in failure.message
    assert (failure.frames[-1].path, failure.frames[-1].line) == (str(path), 1)


def test_missing_file_and_module() -> None:
    assert _failure("no/such/file.py:f", "1").message == "expected a Python file, found none at no/such/file.py"
    assert "ModuleNotFoundError" in _failure("no_such_module_at_all:f", "1").message


def test_torch_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qprep.tracing.child_runner.find_spec", lambda _: None)
    with pytest.raises(QprepError, match="needs torch"):
        run_target(make_request("m:f", ["1"]))


_FORGERIES = {
    "writes_a_report": "[write(name, '{}') for name in ('report.json', 'places.json', 'seal.txt')]; os._exit(0)",
    "writes_a_pipe": "os.mkfifo(path('failure.json')); os._exit(0)",
    "spoils_the_answer_later": "atexit.register(lambda: [write(n, '[1]') for n in ('report.json', 'places.json')])",
}


@pytest.mark.parametrize("trick", list(_FORGERIES))
def test_a_model_cannot_forge_its_answer(trick: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It finds the folder among the temporary ones, as a child that looks for it can."""
    (tmp_path / "own").mkdir()  # the folders of tests that run beside this one are not to be found
    monkeypatch.setenv("TMPDIR", str(tmp_path / "own"))
    monkeypatch.setattr("tempfile.tempdir", None)
    path = tmp_path / "forger.py"
    path.write_text(
        "import atexit, glob, os, sys, tempfile\nfrom torch import nn\n\nassert sys.argv[1:] == []\n"
        "def path(name):\n"
        "    return os.path.join(max(glob.glob(tempfile.gettempdir() + '/qprep-*/'), key=os.path.getmtime), name)\n"
        "def write(name, text):\n    open(path(name), 'w').write(text)\n\n"
        f"class Net(nn.Module):\n    def forward(self, x):\n        {_FORGERIES[trick]}\n        return x + 1\n"
    )
    answer = observe(make_request(f"{path}:Net", ["2"], timeout=60), [str(path)], {})
    assert isinstance(answer, TraceFailure)
    assert answer.stage == "crash"
    assert "ended the process: exit status 0" in answer.message or "left no answer that can be read" in answer.message
