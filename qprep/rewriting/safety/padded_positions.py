"""Encoders of torch that give zeros at padded positions, in evaluation without gradients: the staged ones do not."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from qprep.analysis.effects.abstract_objects import Made
from qprep.analysis.places import Place
from qprep.analysis.symbols.ast_utils import last_name
from qprep.rewriting.fix_session import remembered
from qprep.rewriting.rewrite_result import Doubt

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from qprep.analysis.effects.lexical_scopes import FileScopes
    from qprep.rewriting.fix_session import RewriteContext

_MASK: Final = "src_key_padding_mask"
_BATCH_FIRST: Final = "batch_first"
# Encoders, and the position of the mask in their forward.
_ENCODERS: Final = {"torch.nn.TransformerEncoder": 2, "torch.nn.Transformer": 5}
# What says whether the batch comes first, and the position of that.
_LAYERS: Final = {"TransformerEncoderLayer": 6, "Transformer": 10}


def doubts(context: RewriteContext, classes: Collection[str]) -> Iterator[Doubt]:
    """The calls that give an encoder a padding mask, where torch may make a nested tensor of the input."""
    if not _ENCODERS.keys().isdisjoint(classes):
        yield from _masked_calls(context)


@remembered
def _masked_calls(context: RewriteContext) -> tuple[Doubt, ...]:
    points_to = context.effects.points_to
    files = [file for file in map(points_to.file, points_to.modules) if file is not None]
    if not any(_may_be_nested(call) for file in files for call in file.index.of(ast.Call)):
        return ()
    return tuple(doubt for file in files for doubt in _masks_in(context, file))


def _may_be_nested(call: ast.Call) -> bool:
    """True if a call may make an encoder layer with the batch first."""
    position = _LAYERS.get(last_name(call.func))
    if position is None:
        return False
    if len(call.args) > position or any(isinstance(arg, ast.Starred) for arg in call.args):
        return True
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    given = keywords.get(_BATCH_FIRST)
    is_off = isinstance(given, ast.Constant) and not given.value
    return None in keywords or (given is not None and not is_off)


def _masks_in(context: RewriteContext, file: FileScopes) -> Iterator[Doubt]:
    for call in file.index.of(ast.Call):
        given = [keyword.value for keyword in call.keywords if keyword.arg == _MASK]
        given += [call.args[at] for at in _mask_positions(context, file, call)]
        if any(not (isinstance(value, ast.Constant) and value.value is None) for value in given):
            text = (
                f"gives `{ast.unparse(call.func)}` a padding mask, where torch returns zeros in evaluation without "
                "gradients and the staged encoder does not"
            )
            yield Doubt(text, Place.of(file.module, call))


def _mask_positions(context: RewriteContext, file: FileScopes, call: ast.Call) -> Iterator[int]:
    """The positions at which a call of an encoder gives the mask."""
    if len(call.args) <= min(_ENCODERS.values()):
        return
    for each in context.effects.points_to.of(call.func, file.scope_of(call)):
        position = _ENCODERS.get(each.base.name) if isinstance(each.base, Made) else None
        if position is not None and len(call.args) > position:
            yield position
