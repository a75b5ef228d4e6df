"""Names that code makes up and looks for in any object: `hasattr(net, f"act_{i}")`. No new attribute gets one."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from qprep.analysis.effects.attribute_names import is_any, patterns_of
from qprep.rewriting.fix_session import remembered

if TYPE_CHECKING:
    from qprep.rewriting.fix_session import RewriteContext

# What tables of names come from: `f"act_{i}" in dict(net.named_children())`.
_TABLES = frozenset(
    ("_modules", "__dict__", "vars", "dir", "named_children", "named_modules", "state_dict", "_parameters")
)


@remembered
def probed_patterns(context: RewriteContext) -> tuple[str, ...]:
    """Regular expressions for these names, as far as the code spells a part of them."""
    found: list[str] = []
    for module in context.project.given:
        if context.project.summary(module) is not None:
            continue  # of another part: the names that it spells count
        file = context.effects.points_to.file(module)
        for node in _probes(file.index.of(ast.Call, ast.Compare)) if file is not None else ():
            patterns = patterns_of(node, file.scope_of(node)) if file is not None else ()
            found += [each for each in patterns if not is_any(each)]
    return tuple(dict.fromkeys(found))


def _probes(nodes: Iterator[ast.Call | ast.Compare]) -> Iterator[ast.expr]:
    """The names that are looked for, where they are no constants."""
    for node in nodes:
        match node:
            case ast.Call(func=ast.Name(id="hasattr"), args=[_, name]):
                pass
            case ast.Call(func=ast.Name(id="getattr"), args=[_, name, _]):
                pass
            case ast.Compare(left=name, ops=[ast.In() | ast.NotIn()], comparators=[table]) if _is_table(table):
                pass
            case _:
                continue
        if not isinstance(name, ast.Constant):
            yield name


def _is_table(node: ast.expr) -> bool:
    parts = (part for part in ast.walk(node) if isinstance(part, ast.Attribute | ast.Name))
    return any((part.attr if isinstance(part, ast.Attribute) else part.id) in _TABLES for part in parts)
