"""Documents, help texts and messages avoid the phrases that CONTRIBUTING.md lists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from scripts.documents import ROOT, pages

_CODE = re.compile(r"^ *```.*?^ *```$|`[^`\n]+`", re.DOTALL | re.MULTILINE)
_EXEMPT = {ROOT / "docs" / "plain-english.md"}  # quotes the old sentences
DOCUMENTS = [page for page in (*pages(), ROOT / "CHANGELOG.md") if page not in _EXEMPT]
SOURCES = sorted((ROOT / "qprep").rglob("*.py"))
_NOTHING = re.compile(r"there (?:is|are) none")
_QUESTIONS = re.compile(r"(?:What|Whether|Where|Which|Who|Whose|When|How)\b")


@cache
def phrases() -> re.Pattern[str]:
    """The left column of the table "Plain English" in CONTRIBUTING.md."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[^|]+`) \|", text[text.index("## Plain English") :], re.MULTILINE)
    found = [phrase for row in rows for phrase in re.findall(r"`([^`]+)`", row)]
    assert len(found) > 30
    starts = [f"[{phrase[0].upper()}{phrase[0]}]{re.escape(phrase[1:])}" for phrase in found]
    return re.compile(rf"\b(?:{'|'.join(starts)})\b")


def prose(text: str) -> str:
    """A document without its code and comments."""
    return _CODE.sub("", re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL))


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of one file with their lines: messages and docstrings."""

    messages: tuple[tuple[int, str], ...]
    docstrings: tuple[tuple[int, str], ...]


@cache
def texts(path: Path) -> Texts:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return Texts(tuple(messages(path, tree)), tuple(documented(tree)))


def messages(path: Path, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Texts of three words or more in a file, with their line; docstrings only where they are the help of a command."""
    hidden = docstrings(tree, with_functions=path.parent.name != "commands")
    parts = {id(each) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for each in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(each.value) if isinstance(each, ast.Constant) else "…" for each in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts | hidden:
            text = node.value
        else:
            continue
        if len(text.split()) > 2:
            yield node.lineno, " ".join(text.split())


def docstrings(tree: ast.Module, *, with_functions: bool) -> set[int]:
    """Identities of the nodes of the docstrings of a module and its classes, and of functions."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef) if with_functions else ()
    owners = (ast.Module, ast.ClassDef, *functions)
    bodies = [node.body for node in ast.walk(tree) if isinstance(node, owners) and node.body]
    return {id(body[0].value) for body in bodies if isinstance(body[0], ast.Expr)}


def documented(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The docstrings of a file, with the lines of their owners."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield getattr(node, "lineno", 1), text


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_documents_are_plain(page: Path) -> None:
    lines = prose(page.read_text(encoding="utf-8")).splitlines()
    assert [line for line in lines if phrases().search(line)] == []


def test_messages_are_plain() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in SOURCES
        for line, text in texts(path).messages
        if phrases().search(text)
    ]
    assert found == []


def test_docstrings_begin_with_a_noun_or_a_verb() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in SOURCES
        if path.parent.name != "effects"  # rewritten with the folder itself
        for line, text in texts(path).docstrings
        if _QUESTIONS.match(text)
    ]
    assert found == []


def test_docstrings_are_plain() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in SOURCES
        if path.parent.name != "effects"  # rewritten with the folder itself
        for line, text in texts(path).docstrings
        if phrases().search(_NOTHING.sub("", prose(text)))
    ]
    assert found == []


def test_a_phrase_is_found() -> None:
    assert phrases().search("`x` Stands for a module")
    assert phrases().search("the operation that stands apart, which is None for it") is None
    assert phrases().search(prose("text `stands for` <!-- handed on --> text")) is None


def test_messages_are_read(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text('"""A docstring of a module."""\nraise ValueError(f"expected {1} of two, found none" "and more")\n')
    assert texts(path).docstrings == ((1, "A docstring of a module."),)
    assert texts(path).messages == ((2, "expected … of two, found noneand more"),)
