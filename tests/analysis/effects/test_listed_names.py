"""Loops over names and modules that select by name: which of them meet a module that is added."""

from __future__ import annotations

from pathlib import Path

import pytest

from qprep.analysis.values.abstract_values import ClassRef
from tests.analysis.effects.small_projects import table_of

NET = ClassRef("model", "Net")
ADD = "qprep.runtime_modules.EltwiseAdd"


def _loop(body: str, parameters: str = "mapping", call: str = "collect(Net(), load_mapping())") -> str:
    """A function that collects classes of a model's modules; a test of the names comes first."""
    lines = "".join(f"        {line}\n" for line in body.splitlines())
    return (
        "import re\nfrom fnmatch import fnmatchcase\nfrom settings import load_mapping\n\n\n"
        f"def collect(net, {parameters}):\n    found = {{}}\n    for name, module in net.named_modules():\n{lines}"
        f"        found[type(module).__name__] = name\n    return found\n\n\n{call}\n"
    )


CHECKED = "\nif not all(hasattr(module, each) for each in mapping.names):\n    raise ValueError(name)"
MISSED = {
    "matched": _loop(f"if not re.fullmatch(mapping.pattern, name):\n    continue{CHECKED}"),
    "matched-or-none": _loop(f"if re.fullmatch(mapping.pattern, name) is None:\n    continue{CHECKED}"),
    "one-of-several-patterns": _loop(
        f"if not any(fnmatchcase(name, each) for each in mapping.patterns):\n    continue{CHECKED}"
    ),
    "compiled": _loop(f"if not re.compile(mapping.pattern).fullmatch(name):\n    continue{CHECKED}"),
    "another-way-to-write-wildcards": _loop(
        'pattern = mapping.pattern.rsplit(".", 1)[0].replace("*", r"\\w+")\n'
        f"if not re.fullmatch(pattern, name):\n    continue{CHECKED}"
    ),
    "checked-one-by-one": _loop(
        "if not re.fullmatch(mapping.pattern, name):\n    continue\n"
        "for each in mapping.names:\n    if not hasattr(module, each):\n        raise ValueError(name)"
    ),
    "any-is-missing": _loop(
        "if not re.fullmatch(mapping.pattern, name):\n    continue\n"
        "if any(not hasattr(module, each) for each in mapping.names):\n    raise ValueError(name)"
    ),
    "equal": _loop("if name != mapping.name:\n    continue"),
    "written": _loop('if name not in ("act", "drop"):\n    continue'),
    "in-a-branch": _loop('if name == "act":\n    found[name] = module').replace(
        "        found[type(module).__name__] = name\n", ""
    ),
}
MET = {
    "everything": _loop("pass"),
    "not-checked": _loop("if not re.fullmatch(mapping.pattern, name):\n    continue"),
    "checked-without-an-error": _loop(
        "if not re.fullmatch(mapping.pattern, name):\n    continue\nif not hasattr(module, mapping.name):\n    pass"
    ),
    "error-for-those-that-have-it": _loop(
        "if not re.fullmatch(mapping.pattern, name):\n    continue\n"
        "if hasattr(module, mapping.name):\n    raise ValueError(name)"
    ),
    "beginning-only": _loop(f"if not re.match(mapping.pattern, name):\n    continue{CHECKED}"),
    "the-others": _loop(f"if re.fullmatch(mapping.pattern, name):\n    continue{CHECKED}"),
    "spelled": _loop(f'if not re.fullmatch(r".*", name):\n    continue{CHECKED}'),
    "spelled-in-a-call": _loop(
        f"if not re.fullmatch(pattern, name):\n    continue{CHECKED}", "mapping, pattern", 'collect(Net(), 1, ".*")'
    ),
    "spelled-as-a-default": _loop(
        f"if not re.fullmatch(pattern, name):\n    continue{CHECKED}", 'mapping, pattern=".*"'
    ),
    "spelled-in-a-class": _loop(f"if not re.fullmatch(mapping.pattern, name):\n    continue{CHECKED}")
    + '\n\nclass Mapping:\n    pattern = ".*"\n',
    "spelled-for-an-object": _loop(f"if not re.fullmatch(mapping.pattern, name):\n    continue{CHECKED}")
    + '\n\nclass Mapping:\n    def __init__(self, pattern=".*"):\n        self.pattern = pattern\n',
    "spelled-in-a-table": _loop(
        f"if not any(re.fullmatch(each, name) for each in known):\n    continue{CHECKED}", "mapping, known"
    ).replace("collect(Net(), load_mapping())", 'known = {}\nknown[r"\\w+"] = 1\ncollect(Net(), 1, known)'),
    "made-by-a-function": _loop(f"if not re.fullmatch(made(mapping), name):\n    continue{CHECKED}")
    + '\n\ndef made(mapping):\n    return f"{mapping.name}.*"\n',
    "listed": _loop(
        "if name not in names:\n    continue", "names", "collect(Net(), [n for n, _ in Net().named_modules()])"
    ),
    "part-of-a-text": _loop("if name not in mapping.text:\n    continue"),
    "name-bound-again": _loop('name = "act"\nif name != "act":\n    continue'),
    "another-test": _loop('if len(name) == "act":\n    continue'),
}


@pytest.mark.parametrize("code", MISSED.values(), ids=MISSED.keys())
def test_a_loop_that_selects_by_given_names_does_not_meet_a_new_child(code: str, tmp_path: Path) -> None:
    table = table_of(tmp_path, code)
    assert not list(table.children.on_child((NET,), ADD))
    assert list(table.children.on_child((NET,), ADD, is_named=False))  # one with the name of what was there is met


@pytest.mark.parametrize("code", MET.values(), ids=MET.keys())
def test_other_loops_over_names_meet_a_new_child(code: str, tmp_path: Path) -> None:
    assert list(table_of(tmp_path, code).children.on_child((NET,), ADD))
