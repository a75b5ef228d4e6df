"""The language server over standard input and output: what pygls is told, and what it asks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from lsprotocol import types as lsp
from pygls.lsp.server import LanguageServer
from pygls.uris import from_fs_path, to_fs_path

from qprep.cli.lsp.documents import Change, Document, Spot, fixed, look
from qprep.cli.reporters.rule_page import rule_page
from qprep.engine.rule_registry import installed, rules_of
from qprep.foundation.errors import QprepError
from qprep.foundation.findings import Applicability, Finding, Fix, Severity
from qprep.foundation.version import __version__

PAUSE: Final = 0.3  # seconds without typing after which a document is looked at
FIX_ALL: Final = "source.fixAll.qprep"
_SEVERITIES: Final = {
    Severity.ERROR: lsp.DiagnosticSeverity.Error,
    Severity.WARNING: lsp.DiagnosticSeverity.Warning,
    Severity.INFO: lsp.DiagnosticSeverity.Information,
}


class Server(LanguageServer):
    """The documents that are open, what was found in them, and the looks that wait."""

    def __init__(self) -> None:
        super().__init__("qprep", __version__)
        self.looked: dict[str, tuple[int | None, Document]] = {}
        self.waiting: dict[str, asyncio.Task[None]] = {}
        self.pool = ThreadPoolExecutor(1)  # one look at a time, beside the loop that hears the editor
        self.told = ""

    def later(self, uri: str, pause: float) -> None:
        """Look at a document once nothing has changed it for a while."""
        if (task := self.waiting.pop(uri, None)) is not None:
            task.cancel()
        self.waiting[uri] = asyncio.create_task(self._look(uri, pause))

    def forget(self, uri: str) -> None:
        """A document is closed."""
        if (task := self.waiting.pop(uri, None)) is not None:
            task.cancel()
        self.looked.pop(uri, None)
        self._publish(uri, None, [])

    async def _look(self, uri: str, pause: float) -> None:
        await asyncio.sleep(pause)
        path = to_fs_path(uri)
        if path is None:
            return
        document = self.workspace.get_text_document(uri)
        version, text = document.version, document.source
        try:
            found = await asyncio.get_running_loop().run_in_executor(self.pool, look, Path(path), text)
        except QprepError as error:
            self._tell(str(error))
            return
        if self.workspace.get_text_document(uri).version != version:
            return  # it changed meanwhile, and another look waits
        self.looked[uri] = (version, found)
        self._publish(uri, version, [self.diagnostic(found, finding) for finding in found.findings])

    def current(self, uri: str) -> Document | None:
        """What was found in a document, where it is still the same."""
        version, document = self.looked.get(uri, (None, None))
        if document is None or self.workspace.get_text_document(uri).version != version:
            return None
        return document

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

    @server.feature(lsp.TEXT_DOCUMENT_DID_OPEN)
    async def opened(ls: Server, params: lsp.DidOpenTextDocumentParams) -> None:
        ls.later(params.text_document.uri, 0)

    @server.feature(lsp.TEXT_DOCUMENT_DID_CHANGE)
    async def changed(ls: Server, params: lsp.DidChangeTextDocumentParams) -> None:
        ls.later(params.text_document.uri, PAUSE)

    @server.feature(lsp.TEXT_DOCUMENT_DID_SAVE)
    async def saved(ls: Server, params: lsp.DidSaveTextDocumentParams) -> None:
        ls.later(params.text_document.uri, 0)  # the settings, or another file, may have changed as well

    @server.feature(lsp.TEXT_DOCUMENT_DID_CLOSE)
    async def closed(ls: Server, params: lsp.DidCloseTextDocumentParams) -> None:
        ls.forget(params.text_document.uri)

    @server.feature(lsp.TEXT_DOCUMENT_HOVER)
    def hover(ls: Server, params: lsp.HoverParams) -> lsp.Hover | None:
        return _hover(ls, params)

    kinds = [lsp.CodeActionKind.QuickFix, FIX_ALL]
    options = lsp.CodeActionOptions(code_action_kinds=kinds, resolve_provider=True)

    @server.feature(lsp.TEXT_DOCUMENT_CODE_ACTION, options)
    def actions(ls: Server, params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
        return _actions(ls, params)

    @server.feature(lsp.CODE_ACTION_RESOLVE)
    async def resolve(ls: Server, action: lsp.CodeAction) -> lsp.CodeAction:
        return await _resolve(ls, action)

    return server


def _hover(ls: Server, params: lsp.HoverParams) -> lsp.Hover | None:
    document = ls.current(params.text_document.uri)
    spot = (params.position.line, params.position.character)
    found = document.at(spot, spot, ls.encoding) if document is not None else []
    if document is None or not found:
        return None
    registry = installed()
    rules = {rule.code: rule for rule in rules_of(registry)}
    pages = [rule_page(rules[finding.code], registry) for finding in found]
    content = lsp.MarkupContent(lsp.MarkupKind.Markdown, "\n---\n".join(dict.fromkeys(pages)))
    return lsp.Hover(content, ls.range_of(document, found[0]))


def _actions(ls: Server, params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
    uri, only = params.text_document.uri, params.context.only
    document = ls.current(uri)
    if document is None:
        return []
    actions: list[lsp.CodeAction] = []
    if _wanted(only, lsp.CodeActionKind.QuickFix.value):
        start, end = params.range.start, params.range.end
        for finding in document.at((start.line, start.character), (end.line, end.character), ls.encoding):
            actions += _quick_fixes(ls, document, finding)
    if _wanted(only, FIX_ALL) and any(isinstance(finding.fix, Fix) for finding in document.findings):
        actions.append(lsp.CodeAction("qprep: fix all findings of this file", FIX_ALL, data={"uri": uri}))
    return actions


def _quick_fixes(ls: Server, document: Document, finding: Finding) -> list[lsp.CodeAction]:
    quick, about = lsp.CodeActionKind.QuickFix, [ls.diagnostic(document, finding)]
    found: list[lsp.CodeAction] = []
    if isinstance(finding.fix, Fix):
        edit = _workspace(document.changes(finding, finding.fix.edits, ls.encoding))
        safe = finding.fix.applicability is Applicability.SAFE
        title = f"qprep: {finding.fix.message} ({finding.code}{'' if safe else ', unsafe'})"
        found.append(lsp.CodeAction(title, quick, about, is_preferred=safe, edit=edit))
    if changes := document.suppression(finding, ls.encoding):
        title = f"qprep: ignore {finding.code} here"
        found.append(lsp.CodeAction(title, quick, about, edit=_workspace({document.path: changes})))
    return found


async def _resolve(ls: Server, action: lsp.CodeAction) -> lsp.CodeAction:
    """The edit of fix-all, which takes a while, is made when it is asked for."""
    data: Any = action.data
    uri = data.get("uri") if isinstance(data, dict) else None
    document = ls.current(uri) if isinstance(uri, str) else None
    if document is None:
        return action
    text = await asyncio.get_running_loop().run_in_executor(ls.pool, fixed, document.path, document.text)
    if text != document.text and ls.current(str(uri)) is document:
        action.edit = _workspace({document.path: [document.whole(text, ls.encoding)]})
    return action


def _wanted(only: Iterable[object] | None, kind: str) -> bool:
    """Whether a kind, or one above it, was asked for."""
    if not only:
        return True
    asked = [str(getattr(each, "value", each)) for each in only]
    return any(kind == each or kind.startswith(f"{each}.") for each in asked)


def _workspace(changes: dict[Path, list[Change]]) -> lsp.WorkspaceEdit:
    edits = {
        from_fs_path(str(path)) or "": [lsp.TextEdit(_range(each.start, each.end), each.text) for each in found]
        for path, found in changes.items()
    }
    return lsp.WorkspaceEdit(changes=edits)


def _range(start: Spot, end: Spot) -> lsp.Range:
    return lsp.Range(lsp.Position(*start), lsp.Position(*end))
