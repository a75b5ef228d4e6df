"""The gates of a rewrite: what must hold before a changed text may take a file's place."""

from __future__ import annotations

import collections
import tokenize
import warnings

from qprep.foundation.deep_recursion import MAX_DEPTH, depth
from qprep.foundation.findings import Finding, Rejection, RejectionCode
from qprep.foundation.internal_rules import NOT_ROUND_TRIPPABLE, engine_finding
from qprep.foundation.notebook import NotebookError
from qprep.foundation.source import SourceError, SourceFile, too_deep


def reject_source(source: SourceFile) -> Finding | None:
    """The reason why a file must not be rewritten at all (QP001, QP002 or QP006), or None.

    Its encoding and LibCST must give back its very bytes, and CPython must compile it.
    """
    try:
        tree = source.parse()
    except SourceError as error:
        return error.finding
    if depth(tree) > MAX_DEPTH:
        return too_deep(source.path)
    fault = _encoding_fault(source, source.text, source.data) or _compile_fault(source.text, source.path)
    fault = fault or _roundtrip_fault(source.as_python(source.text))
    if fault is None:
        return None
    return engine_finding(NOT_ROUND_TRIPPABLE, source.path, f"the file cannot be rewritten: {fault.reason}")


def reject_rewrite(old: SourceFile, new_text: str) -> Rejection | None:
    """The reason why `new_text` must not replace a file that passed `reject_source`, or None.

    It must compile, keep every comment but qprep's own, be possible in the file's encoding, and round-trip in LibCST.
    """
    if fault := _compile_fault(new_text, old.path):
        return fault
    if fault := _comment_fault(old, new_text):
        return fault
    try:
        old.encode(new_text)
    except UnicodeEncodeError as error:
        return _failed(f"its encoding {old.encoding} has no {error.object[error.start]!r}")
    except NotebookError as error:
        return _failed(str(error))
    return _roundtrip_fault(old.as_python(new_text))


def _failed(reason: str) -> Rejection:
    return Rejection(reason, RejectionCode.GATE)


def _encoding_fault(source: SourceFile, text: str, data: bytes) -> Rejection | None:
    try:
        same = source.encode(text) == data
    except UnicodeEncodeError:
        same = False
    return None if same else _failed(f"its encoding {source.encoding} does not give back its bytes")


def _compile_fault(text: str, path: str) -> Rejection | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, path, "exec", dont_inherit=True)
    except SyntaxError as error:
        return _failed(f"it does not compile: {error.msg} (line {error.lineno})")
    except (RecursionError, MemoryError):
        return _failed("it is nested too deeply to compile")
    except ValueError as error:  # a NUL, a number with too many digits
        return _failed(f"it does not compile: {error}")
    return None


def _roundtrip_fault(data: bytes) -> Rejection | None:
    import libcst

    try:
        same = libcst.parse_module(data).bytes == data
    except (libcst.ParserSyntaxError, UnicodeError, SyntaxError, RecursionError) as error:
        return _failed(f"LibCST cannot parse it ({type(error).__name__})")
    return None if same else _failed("LibCST does not give back its bytes")


def _comment_fault(old: SourceFile, new_text: str) -> Rejection | None:
    new = SourceFile(old.path, b"", new_text, old.encoding, old.bom)
    try:
        lost = _comments(old) - _comments(new)
    except (tokenize.TokenError, SyntaxError) as error:
        return _failed(f"its comments cannot be compared: {error}")
    kept = [comment for comment in lost if "qprep:" not in comment]
    return _failed(f"it would lose the comment {kept[0]!r}") if kept else None


def _comments(source: SourceFile) -> collections.Counter[str]:
    return collections.Counter(token.string for token in source.tokens() if token.type == tokenize.COMMENT)
