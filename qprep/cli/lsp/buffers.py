"""Open documents of an editor as files: their texts and the cells of notebooks."""

from __future__ import annotations

import io
import json
import tokenize
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from pygls.uris import to_fs_path
from pygls.workspace import Workspace

from qprep.foundation.notebook import SUFFIX, shown_path
from qprep.foundation.source import display_path

BOM: Final = "\ufeff"


@dataclass(frozen=True, slots=True)
class Buffer:
    """One file as the editor has it.

    path     where it is on disk, or would be: a new document lies in the workspace's folder
    content  the bytes that a file would have
    texts    the text of each document that is a part of it, by URI: one, or one for each cell of a notebook
    shown    the path under which reports name each of them
    """

    path: Path
    content: bytes
    texts: Mapping[str, str]
    shown: Mapping[str, str]

    @property
    def name(self) -> str:
        """The path under which reports name the file."""
        return display_path(self.path)


def buffers(workspace: Workspace) -> dict[str, Buffer]:
    """The open files by the URI of each document in them."""
    found: dict[str, Buffer] = {}
    cells: set[str] = set()
    for notebook in workspace.notebook_documents.values():
        uris = [cell.document for cell in notebook.cells]
        cells.update(uris)
        path = file_of(notebook.uri, workspace)
        if path is not None and path.suffix == SUFFIX:
            kinds = [int(cell.kind) for cell in notebook.cells]
            buffer = _notebook(path, uris, kinds, [workspace.get_text_document(uri).source for uri in uris])
            found.update(dict.fromkeys(uris, buffer))
    for uri, document in workspace.text_documents.items():
        path = file_of(uri, workspace) if uri not in cells else None
        if path is not None:
            shown = display_path(path)
            found[uri] = Buffer(path, encoded(document.source), {uri: document.source}, {uri: shown})
    return found


def file_of(uri: str, workspace: Workspace) -> Path | None:
    """The file of a document; one of a new document's own in the workspace's folder; None for what is no file."""
    parts = urlsplit(uri)
    if parts.scheme == "untitled":
        name = "".join(c if c.isalnum() else "_" for c in unquote(parts.path).strip("/")) or "untitled"
        return Path(workspace.root_path or ".") / f"{name}.py"
    path = to_fs_path(uri) if parts.scheme in ("file", "") else None
    return Path(path) if path else None


def encoded(text: str) -> bytes:
    """The bytes that a file would have: in the encoding that its first lines declare."""
    plain = text.encode("utf-8", "surrogatepass")
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(plain).readline)
        return plain if encoding == "utf-8-sig" else text.encode(encoding)  # the text has its BOM already
    except (SyntaxError, UnicodeError, LookupError):
        return plain


def _notebook(path: Path, uris: Sequence[str], kinds: Sequence[int], texts: Sequence[str]) -> Buffer:
    """A notebook of format 4 with these cells (kind 2: code), as it would be saved."""
    cells: list[dict[str, object]] = [
        {"cell_type": "code", "source": text, "metadata": {}, "outputs": [], "execution_count": None}
        if kind == 2
        else {"cell_type": "markdown", "source": text, "metadata": {}}
        for kind, text in zip(kinds, texts, strict=True)
    ]
    content = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1).encode()
    shown = {uri: shown_path(display_path(path), number) for number, uri in enumerate(uris, start=1)}
    return Buffer(path, content, dict(zip(uris, texts, strict=True)), shown)
