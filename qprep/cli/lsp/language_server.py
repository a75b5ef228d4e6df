"""The language server over standard input and output: the handlers and settings of pygls."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Mapping
from typing import Any, Final, TypeVar

from lsprotocol import types as lsp
from pygls.lsp.server import LanguageServer
from pygls.uris import from_fs_path

from qprep.cli.lsp.buffers import Buffer, buffers
from qprep.cli.lsp.documents import Document, Spot, TextChange, absolute
from qprep.cli.lsp.looks import Looks
from qprep.cli.reporters.rule_page import rule_page
from qprep.engine.rule_registry import installed, rules_of
from qprep.foundation.errors import QprepError
from qprep.foundation.findings import Applicability, Finding, Fix, Severity
from qprep.foundation.version import __version__

_T = TypeVar("_T")
PAUSE: Final = 0.3  # seconds without typing after which a document is looked at
OTHERS_PAUSE: Final = 1.0  # and after which the other open ones are, which may depend on it
FIX_ALL: Final = "source.fixAll.qprep"
_SEVERITIES: Final = {
    Severity.ERROR: lsp.DiagnosticSeverity.Error,
    Severity.WARNING: lsp.DiagnosticSeverity.Warning,
    Severity.INFO: lsp.DiagnosticSeverity.Information,
}
_WATCHED: Final = ("**/*.py", "**/pyproject.toml", "**/qprep.toml")
_NOTEBOOKS: Final = lsp.NotebookDocumentSyncOptions(
    [
        lsp.NotebookDocumentFilterWithNotebook(
            "jupyter-notebook", [lsp.NotebookCellLanguage("python"), lsp.NotebookCellLanguage("markdown")]
        )
    ]
)


class Server(LanguageServer):
    """The documents that are open, what was found in them, and the looks that wait."""

    def __init__(self) -> None:
        super().__init__("qprep", __version__, notebook_document_sync=_NOTEBOOKS)
        self.looks = Looks(self.buffers)
        self.waiting: dict[str, asyncio.Task[None]] = {}
        self.fixes_on_save = False
        self.is_shut_down = False
        self.told = ""

    def buffers(self) -> dict[str, Buffer]:
        """The open files, by the URI of each document."""
        return buffers(self.workspace)

    def changed(self, uri: str | None, pause: float) -> None:
        """Something changed in a document, or elsewhere: look at it after a pause, and later at the other open ones."""
        self.looks.changed()
        for other in self.buffers():
            self._later(other, pause if other == uri else max(pause, OTHERS_PAUSE))

    def forget(self, uri: str) -> None:
        """A document is closed."""
        if (task := self.waiting.pop(uri, None)) is not None:
            task.cancel()
        self._publish(uri, None, [])
        self.changed(None, 0)

    def _later(self, uri: str, pause: float) -> None:
        if (task := self.waiting.pop(uri, None)) is not None:
            task.cancel()
        self.waiting[uri] = asyncio.create_task(self._show(uri, pause))

    async def _show(self, uri: str, pause: float) -> None:
        await asyncio.sleep(pause)
        self.waiting.pop(uri, None)  # from here on it is not called off, but gives way to a newer one
        versions = {other: document.version for other, document in self.workspace.text_documents.items()}
        found = await self.guarded(self.looks.later(uri))
        for other, document in (found or {}).items():
            if other in self.workspace.text_documents:
                diagnostics = [self.diagnostic(document, finding) for finding in document.findings]
                self._publish(other, versions.get(other), diagnostics)

    async def guarded(self, look: Awaitable[_T]) -> _T | None:
        """The result of an analysis; None, and a message, if the settings are wrong."""
        try:
            return await look
        except QprepError as error:
            self._tell(str(error))
            return None

    @property
    def encoding(self) -> str:
        """In what the client counts columns."""
        return str(getattr(self.workspace.position_encoding, "value", self.workspace.position_encoding))

    def range_of(self, document: Document, finding: Finding) -> lsp.Range:
        """The range of a finding."""
        return _range(document.spot(finding.start, self.encoding), document.spot(finding.end, self.encoding))

    def diagnostic(self, document: Document, finding: Finding) -> lsp.Diagnostic:
        """A finding as the editor shows it."""
        message = f"{finding.message}\n{finding.help}" if finding.help else finding.message
        severity = _SEVERITIES[finding.severity]
        return lsp.Diagnostic(self.range_of(document, finding), message, severity, finding.code, source="qprep")

    async def watch(self) -> None:
        """Ask the client to tell of changes on disk, where it can."""
        workspace = self.client_capabilities.workspace
        watched = workspace.did_change_watched_files if workspace is not None else None
        if watched is None or not watched.dynamic_registration:
            return
        watchers = [lsp.FileSystemWatcher(pattern) for pattern in _WATCHED]
        options = lsp.DidChangeWatchedFilesRegistrationOptions(watchers)
        registration = lsp.Registration("qprep-files", lsp.WORKSPACE_DID_CHANGE_WATCHED_FILES, options)
        await self.client_register_capability_async(lsp.RegistrationParams([registration]))

    async def fix_all(self, uri: str) -> dict[str, list[lsp.TextEdit]]:
        """The edits of all safe fixes of the file of a document, by URI."""
        texts: Mapping[str, str] = await self.guarded(self.looks.fixed(uri)) or {}
        before = {other: buffer.texts[other] for other, buffer in self.buffers().items()}
        plain = {other: Document(other, "", before[other]) for other in texts if other in before}
        return {other: [_text_edit(document.whole(texts[other], self.encoding))] for other, document in plain.items()}

    def _publish(self, uri: str, version: int | None, diagnostics: list[lsp.Diagnostic]) -> None:
        self.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(uri, diagnostics, version))

    def _tell(self, message: str) -> None:
        """Say once what is wrong with the settings."""
        if message != self.told:
            self.told = message
            self.window_show_message(lsp.ShowMessageParams(lsp.MessageType.Error, f"qprep: {message}"))


def make_server() -> Server:
    """A server with all that it answers."""
    server = Server()
    _hear_of_documents(server)
    _hear_of_notebooks(server)
    _answer(server)

    @server.feature(lsp.INITIALIZED)
    async def initialized(ls: Server, _params: lsp.InitializedParams) -> None:
        await ls.watch()

    @server.feature(lsp.INITIALIZE)
    def initialize(ls: Server, params: lsp.InitializeParams) -> None:
        options = params.initialization_options
        ls.fixes_on_save = isinstance(options, dict) and options.get("fixOnSave") is True

    @server.feature(lsp.SHUTDOWN)
    def shut_down(ls: Server, _params: None) -> None:
        ls.is_shut_down = True

    return server


def _hear_of_documents(server: Server) -> None:
    @server.feature(lsp.TEXT_DOCUMENT_DID_OPEN)
    async def opened(ls: Server, params: lsp.DidOpenTextDocumentParams) -> None:
        ls.changed(params.text_document.uri, 0)

    @server.feature(lsp.TEXT_DOCUMENT_DID_CHANGE)
    async def changed(ls: Server, params: lsp.DidChangeTextDocumentParams) -> None:
        ls.changed(params.text_document.uri, PAUSE)

    @server.feature(lsp.TEXT_DOCUMENT_DID_SAVE)
    async def saved(ls: Server, params: lsp.DidSaveTextDocumentParams) -> None:
        ls.changed(params.text_document.uri, 0)

    @server.feature(lsp.TEXT_DOCUMENT_DID_CLOSE)
    async def closed(ls: Server, params: lsp.DidCloseTextDocumentParams) -> None:
        ls.forget(params.text_document.uri)

    @server.feature(lsp.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    async def on_disk(ls: Server, _params: lsp.DidChangeWatchedFilesParams) -> None:
        ls.changed(None, 0)


def _hear_of_notebooks(server: Server) -> None:
    @server.feature(lsp.NOTEBOOK_DOCUMENT_DID_OPEN)
    async def opened(ls: Server, params: lsp.DidOpenNotebookDocumentParams) -> None:
        for cell in params.cell_text_documents[:1]:
            ls.changed(cell.uri, 0)

    @server.feature(lsp.NOTEBOOK_DOCUMENT_DID_CHANGE)
    async def changed(ls: Server, params: lsp.DidChangeNotebookDocumentParams) -> None:
        notebook = ls.workspace.get_notebook_document(notebook_uri=params.notebook_document.uri)
        for cell in notebook.cells[:1] if notebook is not None else ():
            ls.changed(cell.document, PAUSE)

    @server.feature(lsp.NOTEBOOK_DOCUMENT_DID_CLOSE)
    async def closed(ls: Server, params: lsp.DidCloseNotebookDocumentParams) -> None:
        for cell in params.cell_text_documents:
            ls.forget(cell.uri)


def _answer(server: Server) -> None:
    @server.feature(lsp.TEXT_DOCUMENT_HOVER)
    async def hover(ls: Server, params: lsp.HoverParams) -> lsp.Hover | None:
        return await _hover(ls, params)

    kinds = [lsp.CodeActionKind.QuickFix, FIX_ALL]
    options = lsp.CodeActionOptions(code_action_kinds=kinds, resolve_provider=True)

    @server.feature(lsp.TEXT_DOCUMENT_CODE_ACTION, options)
    async def actions(ls: Server, params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
        return await _actions(ls, params)

    @server.feature(lsp.CODE_ACTION_RESOLVE)
    async def resolve(ls: Server, action: lsp.CodeAction) -> lsp.CodeAction:
        return await _resolve(ls, action)

    @server.feature(lsp.TEXT_DOCUMENT_WILL_SAVE_WAIT_UNTIL)
    async def will_save(ls: Server, params: lsp.WillSaveTextDocumentParams) -> list[lsp.TextEdit]:
        uri = params.text_document.uri
        return (await ls.fix_all(uri)).get(uri, []) if ls.fixes_on_save else []


async def _hover(ls: Server, params: lsp.HoverParams) -> lsp.Hover | None:
    document = await ls.guarded(ls.looks.now(params.text_document.uri))
    spot = (params.position.line, params.position.character)
    found = document.at(spot, spot, ls.encoding) if document is not None else []
    if document is None or not found:
        return None
    registry = installed()
    rules = {rule.code: rule for rule in rules_of(registry)}
    pages = [rule_page(rules[finding.code], registry) for finding in found]
    content = lsp.MarkupContent(lsp.MarkupKind.Markdown, "\n---\n".join(dict.fromkeys(pages)))
    return lsp.Hover(content, ls.range_of(document, found[0]))


async def _actions(ls: Server, params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
    """The fixes of a range; fix-all with its edit if it is requested by name, as on saving."""
    uri, only = params.text_document.uri, params.context.only
    if only and not _wanted(only, lsp.CodeActionKind.QuickFix.value):
        edits = await ls.fix_all(uri) if _wanted(only, FIX_ALL) else {}
        return [_fix_all_action(edit=lsp.WorkspaceEdit(changes=edits))] if edits else []
    document = await ls.guarded(ls.looks.now(uri))
    if document is None:
        return []
    actions: list[lsp.CodeAction] = []
    start, end = params.range.start, params.range.end
    for finding in document.at((start.line, start.character), (end.line, end.character), ls.encoding):
        actions += _quick_fixes(ls, document, finding)
    if _wanted(only, FIX_ALL) and any(isinstance(finding.fix, Fix) for finding in document.findings):
        actions.append(_fix_all_action(data={"uri": uri}))
    return actions


def _fix_all_action(**more: Any) -> lsp.CodeAction:
    return lsp.CodeAction("qprep: fix all findings of this file", FIX_ALL, **more)


def _quick_fixes(ls: Server, document: Document, finding: Finding) -> list[lsp.CodeAction]:
    quick, about = lsp.CodeActionKind.QuickFix, [ls.diagnostic(document, finding)]
    found: list[lsp.CodeAction] = []
    if isinstance(finding.fix, Fix):
        edit = _workspace(ls, document.changes(finding, finding.fix.edits, ls.encoding))
        safe = finding.fix.applicability is Applicability.SAFE
        title = f"qprep: {finding.fix.message} ({finding.code}{'' if safe else ', unsafe'})"
        found.append(lsp.CodeAction(title, quick, about, is_preferred=safe, edit=edit))
    if changes := document.suppression(finding, ls.encoding):
        title = f"qprep: ignore {finding.code} here"
        found.append(lsp.CodeAction(title, quick, about, edit=_workspace(ls, {document.shown: changes})))
    return found


async def _resolve(ls: Server, action: lsp.CodeAction) -> lsp.CodeAction:
    """The edit of fix-all, which takes a while, is made for the text as it is when it is needed."""
    data: Any = action.data
    uri = data.get("uri") if isinstance(data, dict) else None
    edits = await ls.fix_all(uri) if isinstance(uri, str) else {}
    if edits:
        action.edit = lsp.WorkspaceEdit(changes=edits)
    return action


def _wanted(only: Iterable[object] | None, kind: str) -> bool:
    """True if a kind, or one above it, was requested."""
    if not only:
        return True
    asked = [str(getattr(each, "value", each)) for each in only]
    return any(kind == each or kind.startswith(f"{each}.") for each in asked)


def _workspace(ls: Server, changes: Mapping[str, list[TextChange]]) -> lsp.WorkspaceEdit:
    """Changes of files by the path that reports show: an open one has its own URI."""
    uris = {shown: uri for buffer in ls.buffers().values() for uri, shown in buffer.shown.items()}
    edits = {
        uris.get(shown) or from_fs_path(str(absolute(shown))) or "": list(map(_text_edit, found))
        for shown, found in changes.items()
    }
    return lsp.WorkspaceEdit(changes=edits)


def _text_edit(change: TextChange) -> lsp.TextEdit:
    return lsp.TextEdit(_range(change.start, change.end), change.text)


def _range(start: Spot, end: Spot) -> lsp.Range:
    return lsp.Range(lsp.Position(*start), lsp.Position(*end))
