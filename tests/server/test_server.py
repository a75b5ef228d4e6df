"""The language server, spoken to by a client over standard input and output."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pygls")

from lsprotocol import types as lsp
from pygls.lsp.client import LanguageClient

ROOT = Path(__file__).resolve().parent.parent.parent
MODEL = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        y = ("𝄞é", self.fc(x) + x)[1]
        return torch.cat([y, x], dim=1)
"""
WAIT = 60


class Editor:
    """A client that opens documents and remembers what it is told about them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.client = LanguageClient("editor", "1")
        self.published: asyncio.Queue[lsp.PublishDiagnosticsParams] = asyncio.Queue()
        self.messages: asyncio.Queue[lsp.ShowMessageParams] = asyncio.Queue()

        @self.client.feature(lsp.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)  # type: ignore[untyped-decorator]
        def published(params: lsp.PublishDiagnosticsParams) -> None:
            self.published.put_nowait(params)

        @self.client.feature(lsp.WINDOW_SHOW_MESSAGE)  # type: ignore[untyped-decorator]
        def told(params: lsp.ShowMessageParams) -> None:
            self.messages.put_nowait(params)

    async def start(self, encoding: str | None) -> lsp.InitializeResult:
        general = lsp.GeneralClientCapabilities(position_encodings=[encoding]) if encoding else None
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        await self.client.start_io(sys.executable, "-m", "qprep", "server", cwd=self.folder, env=environment)
        capabilities = lsp.ClientCapabilities(general=general)
        params = lsp.InitializeParams(capabilities, root_uri=self.folder.as_uri())
        result = await asyncio.wait_for(self.client.initialize_async(params), WAIT)
        self.client.initialized(lsp.InitializedParams())
        return result

    def uri(self, name: str = "model.py") -> str:
        return (self.folder / name).as_uri()

    def open(self, text: str, name: str = "model.py") -> None:
        item = lsp.TextDocumentItem(self.uri(name), "python", 1, text)
        self.client.text_document_did_open(lsp.DidOpenTextDocumentParams(item))

    def change(self, text: str, version: int) -> None:
        document = lsp.VersionedTextDocumentIdentifier(version, self.uri())
        event = lsp.TextDocumentContentChangeWholeDocument(text)
        self.client.text_document_did_change(lsp.DidChangeTextDocumentParams(document, [event]))

    async def diagnostics(self, version: int | None = None) -> list[lsp.Diagnostic]:
        """Those of the next publication, or of the one for a version."""
        while True:
            params = await asyncio.wait_for(self.published.get(), WAIT)
            if version is None or params.version == version:
                return list(params.diagnostics)

    async def actions(self, line: int, only: list[Any] | None = None) -> list[lsp.CodeAction]:
        spot = lsp.Position(line, 20)
        context = lsp.CodeActionContext([], only)
        params = lsp.CodeActionParams(lsp.TextDocumentIdentifier(self.uri()), lsp.Range(spot, spot), context)
        found = await asyncio.wait_for(self.client.text_document_code_action_async(params), WAIT)
        return [each for each in found or [] if isinstance(each, lsp.CodeAction)]

    async def stop(self) -> None:
        await asyncio.wait_for(self.client.shutdown_async(None), WAIT)
        self.client.exit(None)
        client: Any = self.client
        await asyncio.wait_for(client.stop(), WAIT)


def speak(
    folder: Path, talk: Callable[[Editor, lsp.InitializeResult], Awaitable[None]], encoding: str | None = None
) -> None:
    async def session() -> None:
        editor = Editor(folder)
        result = await editor.start(encoding)
        try:
            await talk(editor, result)
        finally:
            await editor.stop()

    asyncio.run(session())


def applied(text: str, action: lsp.CodeAction) -> str:
    """The text with an action's edits, whose columns are UTF-16 units."""
    assert action.edit is not None
    assert action.edit.changes is not None
    (edits,) = action.edit.changes.values()
    lines = text.splitlines(keepends=True)

    def offset(position: lsp.Position) -> int:
        before = "".join(lines[: position.line])
        line = lines[position.line] if position.line < len(lines) else ""
        units = line.encode("utf-16-le")[: position.character * 2]
        return len(before) + len(units.decode("utf-16-le"))

    ordered = sorted(enumerate(edits), key=lambda pair: (offset(pair[1].range.start), pair[0]), reverse=True)
    for _, edit in ordered:
        text = text[: offset(edit.range.start)] + edit.new_text + text[offset(edit.range.end) :]
    return text


def test_findings_as_one_types_quick_fixes_fix_all_and_hover(tmp_path: Path) -> None:
    async def talk(editor: Editor, result: lsp.InitializeResult) -> None:
        assert result.server_info is not None
        assert result.server_info.name == "qprep"
        editor.open(MODEL)
        first, second = await editor.diagnostics()
        assert (first.code, first.source, first.severity) == ("QP101", "qprep", lsp.DiagnosticSeverity.Warning)
        # the clef takes two units of UTF-16
        assert first.range == lsp.Range(lsp.Position(10, 20), lsp.Position(10, 34))
        assert second.code == "QP103"
        await _quick_fixes(editor)
        await _fix_all(editor)
        await _hover(editor)
        for version in range(2, 9):  # typed without a pause: looked at once
            editor.change(MODEL.replace("self.fc(x) + x", "self.fc(x)") + "# \n" * version, version)
        assert [found.code for found in await editor.diagnostics(8)] == ["QP103"]
        assert editor.published.empty()
        editor.change("def (", 9)
        assert [found.code for found in await editor.diagnostics(9)] == ["QP001"]
        document = lsp.TextDocumentIdentifier(editor.uri())
        editor.client.text_document_did_close(lsp.DidCloseTextDocumentParams(document))
        assert await editor.diagnostics() == []

    speak(tmp_path, talk)


async def _quick_fixes(editor: Editor) -> None:
    fix, ignore = await editor.actions(10, [lsp.CodeActionKind.QuickFix])
    assert fix.title == "qprep: use `add` (QP101)"
    assert fix.is_preferred
    text = applied(MODEL, fix)
    assert "self.add = EltwiseAdd()\n" in text
    assert 'y = ("𝄞é", self.add(self.fc(x), x))[1]' in text
    assert "torch.cat([y, x], dim=1)" in text
    assert ignore.title == "qprep: ignore QP101 here"
    assert "+ x)[1]  # qprep: ignore[QP101]\n" in applied(MODEL, ignore)


async def _fix_all(editor: Editor) -> None:
    (action,) = await editor.actions(0, ["source.fixAll"])
    assert (action.kind, action.edit) == ("source.fixAll.qprep", None)
    resolved = await asyncio.wait_for(editor.client.code_action_resolve_async(action), WAIT)
    text = applied(MODEL, resolved)
    assert "self.cat([y, x])" in text
    assert "self.add(self.fc(x), x)" in text
    assert not text.startswith("import torch\n")


async def _hover(editor: Editor) -> None:
    params = lsp.HoverParams(lsp.TextDocumentIdentifier(editor.uri()), lsp.Position(10, 25))
    hover = await asyncio.wait_for(editor.client.text_document_hover_async(params), WAIT)
    assert hover is not None
    assert isinstance(hover.contents, lsp.MarkupContent)
    assert hover.contents.value.startswith("# QP101: tensor-operator\n")
    params = lsp.HoverParams(lsp.TextDocumentIdentifier(editor.uri()), lsp.Position(0, 0))
    assert await asyncio.wait_for(editor.client.text_document_hover_async(params), WAIT) is None


def test_settings_count_and_what_is_wrong_with_them_is_said(tmp_path: Path) -> None:
    (tmp_path / "qprep.toml").write_text('ignore = ["QP101"]\nexclude = ["left"]\n')

    async def talk(editor: Editor, _: lsp.InitializeResult) -> None:
        editor.open(MODEL)
        (found,) = await editor.diagnostics()
        # columns in code points, as the client asked
        assert (found.code, found.range.start) == ("QP103", lsp.Position(11, 15))
        (tmp_path / "left").mkdir()
        editor.open(MODEL, "left/model.py")
        assert await editor.diagnostics() == []
        (tmp_path / "qprep.toml").write_text("ignroe = []\n")
        document = lsp.TextDocumentIdentifier(editor.uri())
        editor.client.text_document_did_save(lsp.DidSaveTextDocumentParams(document))
        message = await asyncio.wait_for(editor.messages.get(), WAIT)
        assert message.message.endswith("unknown key `ignroe` in the qprep settings; did you mean `ignore`?")

    speak(tmp_path, talk, "utf-32")
