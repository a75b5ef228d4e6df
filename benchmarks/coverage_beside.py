"""Does `qprep fix` fix as much of a package when other packages are given beside it as when it is given alone?

    python benchmarks/coverage_beside.py [--quick] [--package NAME …] [--third NAME]

Copies the packages (torchvision and timm), fixes each alone, then all together, then all with a third package beside
them. Nothing is written. Prints the number of fixed findings of each package in each run. Exits 1 where a package has
fewer fixed findings beside other code than alone; the rules and files of lost ones are listed. `--quick` takes
torchvision/models alone and beside a small third package.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmark_inputs import copy_sources

from qprep.engine.config.settings import SettingsResolver
from qprep.engine.config.settings_file import Options
from qprep.engine.rule_registry import all_rules
from qprep.engine.runs import fix

QUICK = ["--quick"]
SHOWN = 10  # rules and files listed for each package and run

# A rule code and a file below the package; no line, as an earlier pass of the fix may have moved it.
Key = tuple[str, str]


def fixed_by_package(folder: Path, packages: Sequence[str]) -> dict[str, Counter[Key]]:
    """Fix the packages of a folder together without writing; the fixed findings of each, by code and file."""
    roots = {name: folder / name for name in packages}
    paths = [path for root in roots.values() for path in sorted(root.rglob("*.py"))]
    result = fix(paths, SettingsResolver(all_rules(), Options(), isolated=True), write=False)
    found: dict[str, Counter[Key]] = {name: Counter() for name in packages}
    for finding in result.fixed:
        path = Path(finding.path)
        name = next(name for name, root in roots.items() if path.is_relative_to(root))
        found[name][finding.code, str(path.relative_to(roots[name]))] += 1
    return found


def lost(alone: Mapping[str, Counter[Key]], beside: Mapping[str, Counter[Key]]) -> dict[str, Counter[Key]]:
    """Fixed findings of each package that are missing in the other run, packages that lose none left out."""
    missing = {name: found - beside[name] for name, found in alone.items()}
    return {name: keys for name, keys in missing.items() if keys}


def show_lost(what: str, missing: Mapping[str, Counter[Key]]) -> None:
    """List the findings that one run does not fix any more."""
    for name, keys in missing.items():
        print(f"{name} {what}: {keys.total()} findings are fixed alone and not here")
        for (code, path), number in sorted(keys.items())[:SHOWN]:
            print(f"    {path}: {number} of {code}")


def copied(name: str, folder: Path) -> str | None:
    """Copy a package, or a folder in it (torchvision/models), into a folder; its name, None if it is not installed."""
    package, _, below = name.partition("/")
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    copy_sources(Path(spec.origin).parent / below, folder / name)
    return name


def main() -> int:
    """Print the counts; 1 where coverage falls beside other code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--package", action="append", help="a package, or a folder in one: torchvision/models")
    parser.add_argument("--third", help="the package beside them")
    options = parser.parse_args()
    names = options.package or (["torchvision/models"] if options.quick else ["torchvision", "timm"])
    # click is small and has no modules; rich has over a hundred files with attributes of common names.
    third = options.third or ("click" if options.quick else "rich")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        missing = [each for each in [*names, third] if copied(each, folder) is None]
        if missing:
            print(f"skipped: not installed: {', '.join(missing)}")
            return 0
        runs = [("together", names), (f"beside {third}", [*names, third])]
        alone = {each: fixed_by_package(folder, [each])[each] for each in names}
        print("; ".join(f"{each} alone: {found.total()} fixed" for each, found in alone.items()), flush=True)
        fine = all(found.total() for found in alone.values())
        for what, given in runs if len(names) > 1 else runs[1:]:
            beside = fixed_by_package(folder, given)
            print("; ".join(f"{each} {what}: {beside[each].total()} fixed" for each in names), flush=True)
            gone = lost(alone, beside)
            show_lost(what, gone)
            fine = fine and not gone
    print("coverage holds beside other code" if fine else "coverage falls beside other code, or nothing is fixed alone")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
