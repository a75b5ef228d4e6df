"""Build and check a release, then tag it.

    python scripts/release.py --check               # everything but the tag
    python scripts/release.py --tag v0.1.0          # and create the tag; push it with `git push origin v0.1.0`

Needs `pip install "qprep[release]"`. Steps, each of which ends the script with exit code 1 if it fails:

1. The tag is `v` and the version of the package, and is new. The work tree is clean. CHANGELOG.md has a section for the
   version. The pre-commit snippets of the documents name the tag.
2. `python -m build` writes sdist and wheel to `build/release`.
3. `twine check --strict` accepts both. The wheel holds the package and nothing else; the sdist holds the same sources,
   with licence and README.
4. The wheel is installed in an empty environment; `qprep --version` and `qprep check` run there, without torch.
5. `pipx run` runs the wheel.
6. `git tag --annotate`. The workflow `release.yml` publishes the tag once it is pushed.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "build" / "release"
SNIPPETS = ("README.md", "docs/continuous-integration.md", "docs/monorepos.md")
MODEL = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return self.fc(x) + x
"""


class ReleaseError(Exception):
    """A step that failed, with what was expected and found."""


def main(arguments: list[str]) -> int:
    """Run the steps; 1 where one fails."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tag", help="the tag to create, such as v0.1.0")
    parser.add_argument("--check", action="store_true", help="create no tag")
    options = parser.parse_args(arguments)
    if options.tag is None and not options.check:
        parser.error("expected --tag or --check")
    try:
        release(options.tag, create=not options.check)
    except ReleaseError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def release(tag: str | None, *, create: bool) -> None:
    """All steps in order; raises ReleaseError."""
    version = read_version()
    wanted = f"v{version}"
    if tag is not None and tag != wanted:
        raise ReleaseError(f"expected the tag {wanted} for version {version}, found {tag}")
    check_documents(ROOT, version, must_be_dated=create)
    if create:
        check_repository(wanted)
    wheel, sdist = build()
    check_wheel(wheel)
    check_sdist(sdist, wheel)
    try_install(wheel, version)
    try_pipx(wheel, version)
    if create:
        run("git", "tag", "--annotate", wanted, "--message", f"qprep {version}")
        print(f"created {wanted}; push it with: git push origin {wanted}")


def read_version() -> str:
    """The version of the package, read without importing it."""
    text = (ROOT / "qprep" / "foundation" / "version.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    if found is None:
        raise ReleaseError("expected __version__ in qprep/foundation/version.py, found none")
    return found[1]


def check_repository(tag: str) -> None:
    """The work tree is clean and has no such tag; raises ReleaseError."""
    if changed := run("git", "status", "--porcelain"):
        raise ReleaseError(f"expected a clean work tree, found\n{changed}")
    if run("git", "tag", "--list", tag):
        raise ReleaseError(f"expected a new tag, found that {tag} exists")


def check_documents(root: Path, version: str, *, must_be_dated: bool) -> None:
    """Changelog, citation and pre-commit snippets name the version; raises ReleaseError."""
    changelog = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    heading = rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$"
    if must_be_dated and re.search(heading, changelog, re.MULTILINE) is None:
        raise ReleaseError(f"expected a section `## [{version}] - YYYY-MM-DD` in CHANGELOG.md, found none")
    if f"version: {version}\n" not in (root / "CITATION.cff").read_text(encoding="utf-8"):
        raise ReleaseError(f"expected version {version} in CITATION.cff, found another")
    for name in SNIPPETS:
        revisions = set(re.findall(r"^ +rev: (\S+)$", (root / name).read_text(encoding="utf-8"), re.MULTILINE))
        if revisions != {f"v{version}"}:
            raise ReleaseError(f"expected `rev: v{version}` in {name}, found {', '.join(sorted(revisions)) or 'none'}")


def build() -> tuple[Path, Path]:
    """Build sdist and wheel into an empty folder, check them with twine, and return wheel and sdist."""
    shutil.rmtree(OUT, ignore_errors=True)
    run(sys.executable, "-m", "build", "--outdir", str(OUT))
    files = sorted(OUT.iterdir())
    print(*(f"built {path.name}, {path.stat().st_size:,} bytes" for path in files), sep="\n")
    print(run(sys.executable, "-m", "twine", "check", "--strict", *map(str, files)))
    (wheel,), (sdist,) = OUT.glob("*.whl"), OUT.glob("*.tar.gz")
    return wheel, sdist


def check_wheel(wheel: Path) -> None:
    """The wheel holds the package and its metadata, and the mark of its types; raises ReleaseError."""
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    if any(top != "qprep" and not top.endswith(".dist-info") for top in tops) or "qprep/py.typed" not in names:
        raise ReleaseError(f"expected qprep/ with py.typed and metadata in the wheel, found {', '.join(sorted(tops))}")


def check_sdist(sdist: Path, wheel: Path) -> None:
    """The sdist holds the sources of the wheel, and what a build needs; raises ReleaseError."""
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    sources = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("qprep/")}
    missing = sorted(({"pyproject.toml", "LICENSE", "README.md"} | sources) - names)
    if missing:
        raise ReleaseError(f"expected {', '.join(missing[:5])} in {sdist.name}, found no such file")


def try_install(wheel: Path, version: str) -> None:
    """Install the wheel in an empty environment and run its commands there; raises ReleaseError."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        bin_folder = Path(folder) / ("Scripts" if sys.platform == "win32" else "bin")
        run(str(bin_folder / "python"), "-m", "pip", "install", "--quiet", str(wheel))
        qprep = str(bin_folder / "qprep")
        found = check_version(version, qprep)
        (Path(folder) / "net.py").write_text(MODEL, encoding="utf-8")
        text = run(
            qprep, "check", "--exit-zero", "--no-cache", "--output-format", "concise", "net.py", cwd=Path(folder)
        )
        if "QP101" not in text:
            raise ReleaseError(f"expected a finding of QP101, found\n{text}")
        print(f"installed {wheel.name} in an empty environment: {found}; qprep check runs")


def try_pipx(wheel: Path, version: str) -> None:
    """Run the wheel with `pipx run`, which makes an environment of its own; raises ReleaseError."""
    pipx = shutil.which("pipx", path=str(Path(sys.executable).parent))
    if pipx is None:
        raise ReleaseError("expected pipx in this environment, found none: pip install 'qprep[release]'")
    with tempfile.TemporaryDirectory() as folder:
        found = check_version(version, pipx, "run", "--spec", str(wheel), "qprep", PIPX_HOME=folder)
    print(f"pipx run: {found}")


def check_version(version: str, *command: str, **variables: str) -> str:
    """The output of `command --version`; raises ReleaseError if it is of another version."""
    if (found := run(*command, "--version", cwd=ROOT, **variables)) != f"qprep {version}":
        raise ReleaseError(f"expected `qprep {version}`, found `{found}`")
    return found


def run(*command: str, cwd: Path = ROOT, **variables: str) -> str:
    """The output of a command, run with additional environment variables; raises ReleaseError where it fails.

    A command of another environment does not get PYTHONPATH, so that an empty environment is empty.
    """
    hidden = () if command[0] == sys.executable else ("PYTHONPATH", "PYTHONHOME")
    environment = {name: value for name, value in os.environ.items() if name not in hidden} | variables
    outcome = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if outcome.returncode != 0:
        raise ReleaseError(f"{shown(command)} failed:\n{outcome.stdout}{outcome.stderr}")
    return outcome.stdout.strip()


def shown(command: Sequence[str]) -> str:
    """A command for a message."""
    return " ".join(Path(part).name if index == 0 else part for index, part in enumerate(command))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
