"""Paths relative to the repository, as code hosts name files, wherever the command was started."""

from __future__ import annotations

import os
from pathlib import Path, PurePath

from qprep.foundation.notebook import split_shown

# What names the top folder of the checkout in a job of GitHub Actions and of GitLab CI.
_VARIABLES = ("GITHUB_WORKSPACE", "CI_PROJECT_DIR")


def repository_path(shown: str) -> PurePath:
    """The path of a reported file below the top of its repository, links resolved; absolute where it lies elsewhere.

    The top is what the CI job names, where the file lies below it, else the closest folder with a .git above the
    current one, else the current folder.
    """
    full = Path(os.path.realpath(split_shown(shown)[0]))
    top = next((folder for folder in _tops() if full.is_relative_to(folder)), None)
    return full if top is None else full.relative_to(top)


def _tops() -> list[Path]:
    named = [Path(os.path.realpath(value)) for name in _VARIABLES if (value := os.environ.get(name))]
    here = Path.cwd().resolve()
    return [*named, next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), here)]
