"""The order of analysis: files that use others come before them, so that calls tell what parameters are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qprep.analysis.symbols.module_resolver import Project


def users_first(project: Project) -> list[str]:
    """The given modules, importers before what they import; cycles in alphabetical order."""
    used = {name: _imports(project, name) for name in sorted(project.given)}
    done: dict[str, None] = {}
    state: dict[str, bool] = {}

    def visit(name: str) -> None:
        stack = [(name, iter(used[name]))]
        state[name] = True
        while stack:
            current, rest = stack[-1]
            following = next((n for n in rest if n not in state), None)
            if following is None:
                stack.pop()
                done[current] = None
            else:
                state[following] = True
                stack.append((following, iter(used[following])))

    for name in used:
        if name not in state:
            visit(name)
    return list(reversed(done))


def _imports(project: Project, name: str) -> list[str]:
    """The given modules that a module imports, through re-exports of packages too."""
    surface = project.surface(name)
    if surface is None:
        return []
    found: dict[str, None] = {}
    for target in (*surface.imports.values(), *surface.stars):
        head = target
        while head and project.canonical(head) not in project.given:
            head = head.rpartition(".")[0]
        head = project.canonical(head)
        if head and head != name:
            found[head] = None
    return sorted(found)
