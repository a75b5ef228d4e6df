"""Names that a file takes, with all others, from a file that imports them from torch."""

from __future__ import annotations

from pathlib import Path

import pytest

from qprep.engine import runs
from qprep.engine.config.settings import SettingsResolver
from qprep.engine.config.settings_file import Options
from qprep.engine.rule_registry import all_rules

_IMPORTS = "import torch\nimport torch.nn as nn\nfrom torch.nn import functional as F\n"
_MODEL = """\

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return F.relu(self.fc(x)) + x
"""
GIVEN = {
    "directly": {"common.py": _IMPORTS, "net.py": "from .common import *\n" + _MODEL},
    "by-the-full-name": {"common.py": _IMPORTS, "net.py": "from pkg.common import *\n" + _MODEL},
    "over-two-files": {
        "a.py": _IMPORTS,
        "common.py": "from .a import *\n",
        "net.py": "from .common import *\n" + _MODEL,
    },
    "over-a-package": {
        "layers/__init__.py": "from .a import *\n",
        "layers/a.py": _IMPORTS,
        "net.py": "from .layers import *\n" + _MODEL,
    },
    "by-a-list-of-names": {
        "common.py": _IMPORTS + "__all__ = ['nn', 'F', 'torch']\n",
        "net.py": "from .common import *\n" + _MODEL,
    },
    "from-two-files-that-agree": {
        "a.py": _IMPORTS,
        "b.py": "from torch import nn\n__all__ = ['nn']\n",
        "net.py": "from .a import *\nfrom .b import *\n" + _MODEL,
    },
    "in-a-circle": {
        "common.py": _IMPORTS + "from .net import *\n",
        "net.py": "from .common import *\n" + _MODEL,
    },
}
NOT_GIVEN = {
    "not-listed": {"common.py": _IMPORTS + "__all__ = ['F']\n", "net.py": "from .common import *\n" + _MODEL},
    "private": {
        "common.py": "from torch import nn as _nn\n",
        "net.py": "from .common import *\n" + _MODEL.replace("nn.", "_nn.").replace("F.relu", ""),
    },
    "from-two-files-that-differ": {
        "a.py": _IMPORTS,
        "b.py": "from flax import nn\n",
        "net.py": "from .a import *\nfrom .b import *\n" + _MODEL,
    },
    "from-a-later-file-with-a-value": {
        "a.py": _IMPORTS,
        "b.py": "nn = object()\n",
        "net.py": "from .a import *\nfrom .b import *\n" + _MODEL,
    },
    "with-another-value": {
        "common.py": _IMPORTS + "if torch.cuda.is_available():\n    nn = None\n",
        "net.py": "from .common import *\n" + _MODEL,
    },
}
_SUM = "from torch import nn\nfrom .common import *\n" + _MODEL.replace("F.relu(self.fc(x)) + x", "sum(self.parts(x))")


def _found(folder: Path, files: dict[str, str]) -> list[str]:
    for name, text in {"pkg/__init__.py": "", **{f"pkg/{name}": text for name, text in files.items()}}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    result = runs.check(sorted(folder.rglob("*.py")), SettingsResolver(all_rules(), Options(), isolated=True))
    return [finding.code for finding in result.findings]


@pytest.mark.parametrize("files", GIVEN.values(), ids=GIVEN.keys())
def test_a_name_that_a_file_surely_gives_is_followed(files: dict[str, str], tmp_path: Path) -> None:
    assert sorted(_found(tmp_path, files)) == ["QP101", "QP301"]


@pytest.mark.parametrize("files", NOT_GIVEN.values(), ids=NOT_GIVEN.keys())
def test_a_name_that_may_be_another_one_is_not(files: dict[str, str], tmp_path: Path) -> None:
    assert not _found(tmp_path, files)


@pytest.mark.parametrize(("listed", "code"), [("", "QP103"), ("__all__ = []\n", "QP105")])
def test_a_builtin_is_meant_where_the_list_of_names_leaves_the_import_out(
    listed: str, code: str, tmp_path: Path
) -> None:
    files = {"common.py": f"from torch import sum\n{listed}", "net.py": _SUM}  # QP105: `sum` of Python
    assert _found(tmp_path, files) == [code]
