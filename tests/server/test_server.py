"""The language server, spoken to by a client over standard input and output."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
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

    async def start(self, encoding: str | None, options: dict[str, Any]) -> lsp.InitializeResult:
        general = lsp.GeneralClientCapabilities(position_encodings=[encoding]) if encoding else None
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        await self.client.start_io(sys.executable, "-m", "qprep", "server", cwd=self.folder, env=environment)
        saving = lsp.TextDocumentSyncClientCapabilities(will_save_wait_until=True)
        documents = lsp.TextDocumentClientCapabilities(synchronization=saving)
        capabilities = lsp.ClientCapabilities(general=general, text_document=documents)
        params = lsp.InitializeParams(
            capabilities, root_uri=self.folder.as_uri(), initialization_options=options or None
        )
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

    async def until(self, name: str, codes: list[str]) -> None:
        """Wait until a document has findings of these rules, and no others."""
        while True:
            params = await asyncio.wait_for(self.published.get(), WAIT)
            if params.uri == self.uri(name) and [each.code for each in params.diagnostics] == codes:
                return

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
    folder: Path,
    talk: Callable[[Editor, lsp.InitializeResult], Awaitable[None]],
    encoding: str | None = None,
    **options: Any,
) -> None:
    async def session() -> None:
        editor = Editor(folder)
        result = await editor.start(encoding, options)
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
        assert await editor.actions(0, ["source.fixAll.qprep"]) == []
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
    action = (await editor.actions(0))[-1]
    assert (action.kind, action.edit) == ("source.fixAll.qprep", None)  # it is made when it is asked for
    resolved = await asyncio.wait_for(editor.client.code_action_resolve_async(action), WAIT)
    text = applied(MODEL, resolved)
    assert "self.cat([y, x])" in text
    assert "self.add(self.fc(x), x)" in text
    assert not text.startswith("import torch\n")
    saved = lsp.DidSaveTextDocumentParams(lsp.TextDocumentIdentifier(editor.uri()))
    editor.client.text_document_did_save(saved)  # starts a look, which must not drop the edits
    (at_once,) = await editor.actions(0, ["source.fixAll"])
    assert applied(MODEL, at_once) == text


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


def test_an_edit_elsewhere_checks_the_other_open_documents_again(tmp_path: Path) -> None:
    (tmp_path / "base.py").write_text("class Base:\n    pass\n")
    own = "from base import Base\n\n\nclass Net(Base):\n    def forward(self, x):\n        return x * self.w(x)\n"

    async def talk(editor: Editor, _: lsp.InitializeResult) -> None:
        editor.open(own)
        await editor.until("model.py", [])
        editor.open("from torch import nn\n\n\nclass Base(nn.Module):\n    pass\n", "base.py")  # not saved
        await editor.until("model.py", ["QP101"])
        base = lsp.TextDocumentIdentifier(editor.uri("base.py"))
        editor.client.text_document_did_close(lsp.DidCloseTextDocumentParams(base))
        await editor.until("model.py", [])
        editor.open(MODEL, "other.py")
        await editor.until("other.py", ["QP101", "QP103"])
        (tmp_path / "qprep.toml").write_text('ignore = ["QP101"]\n')
        change = lsp.FileEvent((tmp_path / "qprep.toml").as_uri(), lsp.FileChangeType.Created)
        editor.client.workspace_did_change_watched_files(lsp.DidChangeWatchedFilesParams([change]))
        await editor.until("other.py", ["QP103"])

    speak(tmp_path, talk)


def test_what_another_file_does_forbids_a_fix(tmp_path: Path) -> None:
    (tmp_path / "user.py").write_text(
        "from model import Net\n\nnet = Net()\nfor child in net.children():\n    print(child)\n"
        "net.fc.register_forward_hook(lambda *a: len(list(net.children())))\n"
    )

    async def talk(editor: Editor, _: lsp.InitializeResult) -> None:
        editor.open(MODEL)
        await editor.until("model.py", ["QP101", "QP103"])
        assert await editor.actions(0, ["source.fixAll.qprep"]) == []
        (tmp_path / "user.py").unlink()
        assert await editor.actions(0, ["source.fixAll.qprep"]) != []

    speak(tmp_path, talk)


@pytest.mark.parametrize("fix", [False, True])
def test_fixes_on_save_where_the_client_says_so(tmp_path: Path, *, fix: bool) -> None:
    async def talk(editor: Editor, result: lsp.InitializeResult) -> None:
        sync = result.capabilities.text_document_sync
        assert isinstance(sync, lsp.TextDocumentSyncOptions)
        assert sync.will_save_wait_until
        editor.open(MODEL)
        reason = lsp.TextDocumentSaveReason.Manual
        params = lsp.WillSaveTextDocumentParams(lsp.TextDocumentIdentifier(editor.uri()), reason)
        edits = await asyncio.wait_for(editor.client.text_document_will_save_wait_until_async(params), WAIT)
        assert bool(edits) is fix

    speak(tmp_path, talk, fixOnSave=fix)


def test_a_new_document_and_one_with_a_bom(tmp_path: Path) -> None:
    first = "x = 1  # qprep: ignore[QP999]\n"

    async def talk(editor: Editor, _: lsp.InitializeResult) -> None:
        item = lsp.TextDocumentItem("untitled:Untitled-1", "python", 1, MODEL)
        editor.client.text_document_did_open(lsp.DidOpenTextDocumentParams(item))
        params = await asyncio.wait_for(editor.published.get(), WAIT)
        assert (params.uri, len(params.diagnostics)) == ("untitled:Untitled-1", 2)
        editor.open(first, "plain.py")
        editor.open("\ufeff" + first, "bom.py")
        found: dict[str, int] = {}
        while len(found) < 2:
            params = await asyncio.wait_for(editor.published.get(), WAIT)
            if params.diagnostics and params.uri != "untitled:Untitled-1":
                found[params.uri] = params.diagnostics[0].range.start.character
        assert found[editor.uri("bom.py")] == found[editor.uri("plain.py")] + 1  # the BOM is a character here

    speak(tmp_path, talk)


def test_cells_of_a_notebook(tmp_path: Path) -> None:
    notebook = (tmp_path / "model.ipynb").as_uri()
    cells = [f"{notebook.replace('file:', 'vscode-notebook-cell:')}#{name}" for name in "ab"]
    head, _, body = MODEL.partition("\n\n\n")

    async def talk(editor: Editor, _: lsp.InitializeResult) -> None:
        kind = lsp.NotebookCellKind.Code
        document = lsp.NotebookDocument(notebook, "jupyter-notebook", 1, [lsp.NotebookCell(kind, uri) for uri in cells])
        texts = [lsp.TextDocumentItem(uri, "python", 1, text) for uri, text in zip(cells, (head, body), strict=True)]
        editor.client.notebook_document_did_open(lsp.DidOpenNotebookDocumentParams(document, texts))
        found: dict[str, list[Any]] = {}
        while len(found) < 2:
            params = await asyncio.wait_for(editor.published.get(), WAIT)
            found[params.uri] = [(each.code, each.range.start.line) for each in params.diagnostics]
        assert found == {cells[0]: [], cells[1]: [("QP101", 6), ("QP103", 7)]}

    speak(tmp_path, talk)


@pytest.mark.parametrize(("is_asked", "code"), [(True, 0), (False, 1)])
def test_the_server_ends_with_its_editor(tmp_path: Path, *, is_asked: bool, code: int) -> None:
    text = MODEL + "# a long file\nX = [" + "1, " * 200_000 + "]\n"
    item = {"uri": (tmp_path / "model.py").as_uri(), "languageId": "python", "version": 1, "text": text}
    messages: list[dict[str, Any]] = [
        {"id": 1, "method": "initialize", "params": {"capabilities": {}, "rootUri": None, "processId": None}},
        {"method": "initialized", "params": {}},
        {"method": "textDocument/didOpen", "params": {"textDocument": item}},
    ]
    if is_asked:
        messages += [{"id": 2, "method": "shutdown", "params": None}, {"method": "exit", "params": None}]
    bodies = [json.dumps({"jsonrpc": "2.0", **message}).encode() for message in messages]
    given = b"".join(b"Content-Length: %d\r\n\r\n%s" % (len(body), body) for body in bodies)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "qprep", "server"],
        input=given,
        capture_output=True,
        cwd=tmp_path,
        env=environment,
        timeout=WAIT,
        check=False,
    )
    assert (done.returncode, done.stderr) == (code, b"")
    assert b'"id":1' in done.stdout.replace(b" ", b"")


@pytest.mark.parametrize(("flag", "logged"), [("--quiet", False), ("--verbose", True)])
def test_the_log_goes_to_standard_error_and_leaves_the_protocol(flag: str, logged: bool) -> None:
    parameters: dict[str, Any] = {"processId": None, "rootUri": None, "capabilities": {}}
    calls: list[dict[str, Any]] = [
        {"id": 1, "method": "initialize", "params": parameters},
        {"id": 2, "method": "shutdown"},
        {"method": "exit"},
    ]
    bodies = [json.dumps({"jsonrpc": "2.0", **call}).encode() for call in calls]
    text = b"".join(b"Content-Length: %d\r\n\r\n%s" % (len(body), body) for body in bodies)
    command = [sys.executable, "-m", "qprep", "server", flag]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    outcome = subprocess.run(command, input=text, env=environment, capture_output=True, check=False)
    assert outcome.returncode == 0
    assert outcome.stdout.startswith(b"Content-Length: ")
    assert (b"pygls" in outcome.stderr) == logged
