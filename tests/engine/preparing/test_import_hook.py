"""`qprep.prepared` and `qprep.install_import_hook`."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

import qprep
from qprep.engine.config.settings_file import CONFIG_NAMES
from qprep.engine.incremental import cache
from qprep.engine.preparing import cache_folder, import_hook, source_store
from qprep.engine.preparing.import_hook import rewritten_sources
from qprep.engine.preparing.package_files import InstalledPackage, locate, package_of
from qprep.engine.preparing.rewriting import Rewriting
from qprep.engine.preparing.source_store import FileSet, prepared_sources
from tests.engine.preparing.conftest import Child

pytest.importorskip("torch")

PROGRAM = """
import inspect, pickle, sys, traceback
import torch, qprep
with qprep.prepared("zoo") as hook:
    import zoo
torch.manual_seed(0)
model = zoo.small().eval()
x = torch.randn(1, 3, 8, 8)
assert qprep.trace(model, x).is_prepared
assert hook.reports[0].rewritten == ("zoo.layers.blocks",), hook.reports
blocks = sys.modules["zoo.layers.blocks"]
source = inspect.getsource(zoo.Block)
assert "self.add = EltwiseAdd()" in source
assert "self.relu_1(" in inspect.getsource(zoo.Block.forward)
assert ".qprep_cache" in inspect.getsourcefile(zoo.Block)
try:
    model(torch.randn(1, 5, 8, 8))
except RuntimeError as error:
    frame = [f for f in traceback.extract_tb(error.__traceback__) if f.name == "forward" and "blocks" in f.filename][0]
    assert ".qprep_cache" in frame.filename and frame.line == "y = self.relu(self.conv(x))", frame
again = pickle.loads(pickle.dumps(model))
assert type(again) is zoo.Block and torch.equal(again(x), model(x))
compiled = torch.compile(model, backend="eager")
assert torch.equal(compiled(x), model(x))
assert sys.modules["zoo.layers.helpers"].TEXT == "data"
torch.save((model.state_dict(), model(x), x), "prepared.pt")
"""

ORIGINAL = """
import torch, zoo, sys
assert "qprep" not in sys.modules
torch.manual_seed(0)
model = zoo.small().eval()
state, output, x = torch.load("prepared.pt")
assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
model.load_state_dict(state, strict=True)
assert torch.equal(model(x), output)
print("equal")
"""


def test_a_package_is_imported_as_it_is_rewritten(package: Path, child: Child) -> None:
    before = {path: path.read_bytes() for path in package.rglob("*.py")}
    child(PROGRAM)
    assert child(ORIGINAL) == "equal\n"
    assert {path: path.read_bytes() for path in package.rglob("*.py")} == before


def test_a_part_of_a_package(package: Path, child: Child) -> None:
    program = (
        "import qprep, sys\n"
        "hook = qprep.install_import_hook(['zoo.layers.blocks'])\n"
        "import zoo\n"
        "assert 'EltwiseAdd' in vars(sys.modules['zoo.layers.blocks'])\n"
        "print(hook.reports[0].names)"
    )
    assert child(program) == "('zoo.layers.blocks',)\n"


def test_the_hook_ends_with_its_block(package: Path, child: Child) -> None:
    program = (
        "import qprep, sys\n"
        "with qprep.prepared('zoo'):\n    pass\n"
        "import zoo\n"
        "print('EltwiseAdd' in vars(sys.modules['zoo.layers.blocks']))"
    )
    assert child(program) == "False\n"


def test_a_package_that_was_begun_with_stays_prepared(package: Path, child: Child) -> None:
    text = (package / "layers" / "blocks.py").read_text()
    (package / "late.py").write_text(text.replace(".helpers", ".layers.helpers"))
    program = (
        "import qprep, sys\n"
        "with qprep.prepared('zoo'):\n    import zoo\n"
        "import zoo.late\n"
        "print('EltwiseAdd' in vars(zoo.late))\n"
        "with qprep.prepared('zoo') as hook:\n    print(hook.reports[0].fixed)\n"
        "qprep.install_import_hook('zoo.layers')"
    )
    out = child(program, code=1)
    assert out.startswith("True\n6\n")
    assert "QprepError: expected to prepare `zoo.layers` alone, found zoo prepared already" in out


def test_an_imported_package_is_an_error(package: Path, child: Child) -> None:
    out = child("import qprep, zoo\nqprep.install_import_hook('zoo')", code=1)
    assert "QprepError: expected to prepare `zoo` before it is imported, found `zoo` imported already" in out


def test_paths_and_data_files_are_found(package: Path, child: Child) -> None:
    (package / "placed.py").write_text(
        "import os\nfrom torch import nn\n\nclass Placed(nn.Module):\n    here = os.path.dirname(__file__)\n\n"
        "    def forward(self, x):\n        return x.relu() + x\n"
    )
    with (package / "layers" / "__init__.py").open("a") as file:
        file.write(
            "\nfrom torch import nn\n\nclass Top(nn.Module):\n    def forward(self, x):\n        return x.exp() + x\n"
        )
    program = (
        "import importlib.resources, pkgutil, inspect, qprep\n"
        "with qprep.prepared('zoo') as hook:\n    import zoo.placed\n"
        "print(hook.reports[0].rewritten)\n"
        "print(zoo.placed.Placed.here)\n"
        "print('EltwiseAdd' in inspect.getsource(zoo.placed.Placed))\n"
        "print((importlib.resources.files('zoo.layers') / 'data.txt').read_text())\n"
        "print(pkgutil.get_data('zoo.layers', 'data.txt'))\n"
        "print('EltwiseAdd' in inspect.getsource(zoo.layers.Top))"
    )
    rewritten = "('zoo.layers', 'zoo.layers.blocks', 'zoo.placed')"
    assert child(program).splitlines() == [rewritten, str(package), "True", "data", "b'data'", "True"]


def test_a_name_that_is_not_there(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(package.parent))
    with pytest.raises(qprep.QprepError, match="found none called `zoo.nowhere`"):
        locate("zoo.nowhere")
    with pytest.raises(qprep.QprepError, match="found none called `nowhere_at_all`"):
        qprep.install_import_hook("nowhere_at_all")
    with pytest.raises(qprep.QprepError, match="expected the dotted name of a package"):
        locate("zoo-layers")
    with pytest.raises(qprep.QprepError, match="expected Python source for `math`"):
        locate("math")
    with pytest.raises(qprep.QprepError, match="expected the names of packages to prepare, found none"):
        qprep.prepared()


def test_files_are_found_without_an_import(package: Path, child: Child) -> None:
    program = (
        "import sys\nfrom qprep.engine.preparing.package_files import locate\n"
        "print(sorted(locate('zoo.layers').files), 'zoo' in sys.modules)"
    )
    assert child(program) == "['zoo.layers', 'zoo.layers.blocks', 'zoo.layers.helpers', 'zoo.layers.unused'] False\n"


def test_the_package_of_a_file(package: Path) -> None:
    found = package_of("zoo.layers.blocks", package / "layers" / "blocks.py")
    assert found.name == "zoo"
    assert found.files["zoo.layers"] == package / "layers" / "__init__.py"
    script = package.parent / "script.py"
    script.write_text("")
    assert package_of("script", script) == InstalledPackage("script", {"script": script})


# The cache


def wanted(package: Path) -> FileSet:
    files = {"zoo.layers.blocks": package / "layers" / "blocks.py"}
    return FileSet("test", files, (package / "layers" / "helpers.py", *files.values()))


def counting(data: bytes = b"x = 1\n") -> tuple[list[int], object]:
    calls: list[int] = []

    def rewrite() -> Rewriting:
        calls.append(1)
        return Rewriting({"zoo.layers.blocks": data}, 3, (), ("it is odd",))

    return calls, rewrite


def test_sources_are_made_once_for_each_content(package: Path, tmp_path: Path) -> None:
    calls, rewrite = counting()
    store = tmp_path / "store"
    store.mkdir()
    first = prepared_sources(store, wanted(package), rewrite)  # type: ignore[arg-type]
    assert prepared_sources(store, wanted(package), rewrite) == first  # type: ignore[arg-type]
    assert (len(calls), first.fixed, first.failed, first.rewritten) == (1, 3, ("it is odd",), ["zoo.layers.blocks"])
    place = first.modules["zoo.layers.blocks"].rewritten
    assert place.read_bytes() == b"x = 1\n"
    assert Path(importlib.util.cache_from_source(str(place))).is_file(), "an import needs not compile it"
    assert place.as_posix().endswith("/sources/zoo/layers/blocks.py")
    helpers = package / "layers" / "helpers.py"
    os.utime(helpers, (1, 1))
    prepared_sources(store, wanted(package), rewrite)  # type: ignore[arg-type]
    assert len(calls) == 1, "other times, the same contents"
    helpers.write_text("y = 2\n")
    prepared_sources(store, wanted(package), rewrite)  # type: ignore[arg-type]
    assert len(calls) == 2, "other contents beside the files"


def test_another_qprep_makes_them_anew(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls, rewrite = counting()
    prepared_sources(tmp_path, wanted(package), rewrite)  # type: ignore[arg-type]
    monkeypatch.setattr(source_store, "__version__", "99")
    prepared_sources(tmp_path, wanted(package), rewrite)  # type: ignore[arg-type]
    assert len(calls) == 2


def test_an_entry_that_is_not_whole_is_made_anew(package: Path, tmp_path: Path) -> None:
    calls, rewrite = counting()
    first = prepared_sources(tmp_path, wanted(package), rewrite)  # type: ignore[arg-type]
    first.modules["zoo.layers.blocks"].rewritten.unlink()
    again = prepared_sources(tmp_path, wanted(package), rewrite)  # type: ignore[arg-type]
    assert len(calls) == 2
    assert again.modules["zoo.layers.blocks"].rewritten.is_file()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith((".new", ".old"))]


def test_nothing_half_written_stays(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_building: Path, _place: Path) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(source_store, "_put", broken)
    store = tmp_path / "store"
    store.mkdir()
    with pytest.raises(OSError, match="the disk is full"):
        prepared_sources(store, wanted(package), counting()[1])  # type: ignore[arg-type]
    assert list(store.iterdir()) == []


def test_a_package_that_cannot_be_rewritten_stays_as_it_is(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> Rewriting:
        raise qprep.QprepError("qprep failed on it: KeyError")

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("QPREP_CACHE_DIR", raising=False)
    monkeypatch.setattr(import_hook, "rewrite_files", fail)
    files = wanted(package).files
    with pytest.warns(
        import_hook.PreparedImportWarning, match="`zoo` is imported unchanged: qprep failed on it: KeyErr"
    ):
        sources = rewritten_sources("zoo", files, files)
    assert sources.modules == {}
    assert sources.failed == ("zoo: qprep failed on it: KeyError",)


def test_the_cache_is_that_of_the_other_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_folder.DEFAULT_NAME == cache.DEFAULT_NAME
    assert cache_folder.CONFIG_NAMES == CONFIG_NAMES
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("QPREP_CACHE_DIR", raising=False)
    assert cache_folder.prepared_folder() == tmp_path / ".qprep_cache" / "prepared"
    assert (tmp_path / ".qprep_cache" / ".gitignore").read_text() == "*\n"
    (tmp_path / "qprep.toml").write_text('cache-dir = "kept"\n')
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert cache_folder.prepared_folder() == tmp_path / "kept" / "prepared"
    monkeypatch.setenv("QPREP_CACHE_DIR", str(tmp_path / "said"))
    assert cache_folder.prepared_folder() == tmp_path / "said" / "prepared"
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("QPREP_CACHE_DIR", str(tmp_path / "file"))
    assert not cache_folder.prepared_folder().is_relative_to(tmp_path)


def test_qprep_itself_loads_no_torch(child: Child) -> None:
    program = (
        "import sys, qprep\nqprep.prepared, qprep.install_import_hook, qprep.prepare\n"
        "print([name for name in ('torch', 'libcst', 'numpy') if name in sys.modules])"
    )
    assert child(program) == "[]\n"
