"""Write docs/reference/ from the code: commands, options and settings; with --check, print the pages that differ."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from qprep.cli import main_command
from qprep.engine.config.settings_schema import schema

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "reference"
_WRITTEN = "<!-- Written by scripts/reference.py. -->\n"


def main(arguments: list[str]) -> int:
    """Write every page that differs; with --check, 1 where one does."""
    stale = [name for name, text in pages().items() if _read(FOLDER / name) != text]
    for name in stale:
        if "--check" not in arguments:
            FOLDER.mkdir(parents=True, exist_ok=True)
            (FOLDER / name).write_text(pages()[name], encoding="utf-8")
        print(f"docs/reference/{name}: {'differs' if '--check' in arguments else 'written'}")
    return 1 if stale and "--check" in arguments else 0


def pages() -> dict[str, str]:
    """Text by file name."""
    return {"command-line.md": command_line(), "settings.md": settings()}


def command_line() -> str:
    """One section a command."""
    group = main_command()
    context = click.Context(group, info_name="qprep", **group.context_settings)
    parts = [f"{_WRITTEN}\n# Command line\n\n{_paragraphs(group.help or '')}\n"]
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is not None:
            parts.append(_section(name, command, click.Context(command, info_name=name, parent=context)))
    return "\n".join(parts)


def _section(name: str, command: click.Command, context: click.Context) -> str:
    usage = " ".join(["qprep", name, *command.collect_usage_pieces(context)])
    options = (each for each in command.params if isinstance(each, click.Option))
    rows = [record for option in options if (record := option.get_help_record(context))]
    # A command keeps the names of its help option from its first use, which need not have been under the group.
    rows.append((", ".join(context.help_option_names), "Show this message and exit."))
    table = "".join(f"| `{_cell(flags)}` | {_cell(text)} |\n" for flags, text in rows)
    return (
        f"## {name}\n\n```text\n{usage}\n```\n\n{_paragraphs(command.help or '')}\n\n"
        f"| option | meaning |\n| --- | --- |\n{table}"
    )


def settings() -> str:
    """One row a key of `[tool.qprep]`."""
    document = schema()
    rows = "".join(_row(key, value) for key, value in document["properties"].items())
    trace = document["properties"]["trace"]["additionalProperties"]["properties"]
    targets = "".join(_row(key, value) for key, value in trace.items())
    head = "| key | type | meaning |\n| --- | --- | --- |\n"
    return (
        f"{_WRITTEN}\n# Settings\n\nThe keys of `[tool.qprep]` in `pyproject.toml`, and of `qprep.toml`. Flags of the "
        f"command line override them. `qprep config` shows the settings of a file.\n\n{head}{rows}\n"
        f"## `[tool.qprep.trace.NAME]`\n\nA model that `--trace NAME` and `--verify NAME` run.\n\n{head}{targets}"
    )


def _row(key: str, value: Mapping[str, Any]) -> str:
    return f"| `{key}` | {_cell(_type(value))} | {_cell(str(value.get('description', '')))} |\n"


def _type(value: Mapping[str, Any]) -> str:
    if "enum" in value:
        return ", ".join(f"`{each}`" for each in value["enum"])
    if "anyOf" in value:
        return " or ".join(_type(each) for each in value["anyOf"])
    if value["type"] == "array":
        return "list of strings"
    name = str(value["type"])
    return {"object": "table", "boolean": "`true` or `false`"}.get(name, name)


def _paragraphs(text: str) -> str:
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
