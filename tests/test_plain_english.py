"""Documents, help texts and messages avoid the phrases that CONTRIBUTING.md lists."""

from __future__ import annotations

import ast
import importlib
import inspect
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
_QUESTIONS = re.compile(r"(What|Where|Whether|Which|Who|Why|How)\b")


@cache
def phrases() -> re.Pattern[str]:
    """The left column of the table "Plain English" in CONTRIBUTING.md."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[^|]+`) \|", text[text.index("## Plain English") :], re.MULTILINE)
    found = [phrase for row in rows for phrase in re.findall(r"`([^`]+)`", row)]
    assert len(found) > 30
    return re.compile(rf"\b(?:{'|'.join(map(pattern_of, found))})\b")


def pattern_of(phrase: str) -> str:
    """A phrase at the start of a sentence or within it; `… is no` is found behind any word except `there`."""
    if phrase.startswith("… "):
        return rf"(?<!\b[Tt]here ){re.escape(phrase[2:])}(?! longer| more)"
    return f"[{phrase[0].upper()}{phrase[0]}]{re.escape(phrase[1:])}"


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
        for path in (
            *SOURCES,
            *sorted(folder for name in ("scripts", "tests") for folder in (ROOT / name).rglob("*.py")),
        )
        for line, text in texts(path).docstrings
        if _QUESTIONS.match(text)
    ]
    assert found == []


def test_docstrings_are_plain() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in SOURCES
        for line, text in texts(path).docstrings
        if (hit := phrases().search(_NOTHING.sub("", prose(text)))) and hit[0] not in {"is no", "are no"}
    ]
    assert found == []


def public_texts() -> Iterator[tuple[str, str]]:
    """Docstrings of what docs/reference/python.md lists, and of the members that qprep gives it."""
    page = (ROOT / "docs" / "reference" / "python.md").read_text(encoding="utf-8")
    for name in re.findall(r"^::: (\S+)$", page, re.MULTILINE):
        module, _, attribute = name.rpartition(".")
        found = getattr(importlib.import_module(module), attribute)
        yield name, inspect.getdoc(found) or ""
        bases = (
            [each for each in inspect.getmro(found) if each.__module__.startswith("qprep")]
            if inspect.isclass(found)
            else []
        )
        for member, value in (pair for each in bases for pair in vars(each).items()):
            if not member.startswith("_") and (callable(value) or isinstance(value, property | classmethod)):
                yield f"{name}.{member}", inspect.getdoc(value) or ""


def test_public_docstrings_are_plain() -> None:
    pytest.importorskip("torch")
    texts = dict(public_texts())
    assert len(texts) > 150
    assert [name for name, text in texts.items() if phrases().search(prose(text))] == []


def test_a_phrase_is_found() -> None:
    assert phrases().search("`x` Stands for a module")
    assert phrases().search("the operation that stands apart, which is None for it") is None
    assert phrases().search(prose("text `stands for` <!-- handed on --> text")) is None
    assert phrases().search("its weight is no matrix")
    assert phrases().search("There is no module, and the file is no longer read") is None


def test_messages_are_read(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text('"""A docstring of a module."""\nraise ValueError(f"expected {1} of two, found none" "and more")\n')
    assert texts(path).docstrings == ((1, "A docstring of a module."),)
    assert texts(path).messages == ((2, "expected … of two, found noneand more"),)


def sentences() -> list[tuple[str, str, str]]:
    """Rows of docs/plain-english.md: where, before, after."""
    text = (ROOT / "docs" / "plain-english.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|\n]+) \| ([^|\n]+) \| ([^|\n]+) \|$", text, re.MULTILINE)
    return [row for row in rows if row[0] not in {"where", "---"}]


def test_thirty_sentences_were_rewritten() -> None:
    """No sentence of the table is in use any more, and each of the new ones is."""
    known = [" ".join(page.read_text(encoding="utf-8").split()) for page in DOCUMENTS]
    known += [text for path in SOURCES for _, text in texts(path).messages]
    everything = "\n".join(known)
    assert len(sentences()) >= 30
    assert len({where for where, _, _ in sentences()}) >= 10
    assert [before for _, before, _ in sentences() if before in everything] == []
    assert [after for _, _, after in sentences() if after not in everything] == []
