"""Measure what `qprep check` finds by reading alone against what a run of every model of a specification shows.

    python benchmarks/static_accuracy.py [DIRECTORY] [--package torchvision|timm] [--only a,b] [--cache DIR]

The directory holds `tvshim.py` and `specs/NAME.py`. Counted are source lines: found (the static check reports the line
and some model runs an unowned operation there, or a leaf module again), missed, and false (reported, evaluated by some
model, and never an unowned operation or a second run). What no model evaluates counts as neither. Every miss and
every false line is listed with its cause; then the same for `qprep check --trace`, given one run of every model.
DIRECTORY is ../shared/corpus where it is not given.
"""

from __future__ import annotations

import argparse
import functools
import pathlib
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable

from accuracy_lines import Lines, found_lines, true_lines
from accuracy_truth import Line, load_truth
from benchmark_inputs import SHARED, skip_without

from qprep.engine.config.settings import SettingsResolver
from qprep.engine.config.settings_file import Options
from qprep.engine.rule_registry import all_rules
from qprep.engine.runtime_evidence.observations import Witness
from qprep.engine.runtime_evidence.run_lookup import Run
from qprep.engine.snapshot import Survey
from qprep.foundation.deep_recursion import run_with_large_stack

QUICK = ["--package", "torchvision", "--only", "resnet18,mobilenet_v3_small,shufflenet_v2_x0_5"]


def main() -> int:
    """Print both comparisons for each package; 0 where recall and precision are at least 97 % and 100 %."""
    options = _options()
    skip_without("the models' specifications are", options.corpus)
    good = True
    only = {name for name in options.only.split(",") if name}
    for package in options.package or ["torchvision", "timm"]:
        truth = load_truth(options.corpus, package, options.cache, only)
        print(f"# {package}: {len(truth.models)} models run, {len(truth.failed)} do not", *truth.failed, sep="\n  ")
        runs = [Run(model.name, model.report, model.ran, model.built) for model in truth.models]
        lines = true_lines(truth)
        for title, witness, least in (("static", None, 97.0), ("with --trace", Witness(runs), 100.0)):
            survey = run_with_large_stack(functools.partial(_survey, truth.files, witness))
            recall, precision = _report(f"{package}, {title}", lines, found_lines(survey, runs, lines), survey)
            good = good and min(recall, precision) >= least
    return 0 if good else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=pathlib.Path, nargs="?", default=SHARED / "corpus")
    parser.add_argument("--package", action="append")
    parser.add_argument("--only", default="")
    parser.add_argument("--cache", type=pathlib.Path, help="a folder that keeps what the runs showed")
    return parser.parse_args()


def _survey(files: Iterable[str], witness: Witness | None) -> Survey:
    settings = SettingsResolver(all_rules(), Options(), isolated=True)
    return Survey([pathlib.Path(path) for path in files], settings, {}, lambda _sources: witness)


def _report(title: str, truth: Lines, found: Lines, survey: Survey) -> tuple[float, float]:
    hit = {line: rule for line, rule in found.rules.items() if line in truth.rules}
    missed = {line: rule for line, rule in truth.rules.items() if line not in found.rules}
    false = {line: rule for line, rule in found.rules.items() if line not in truth.rules and line in found.ran}
    idle = Counter(rule for line, rule in found.rules.items() if line not in truth.rules and line not in found.ran)
    counts = [Counter(lines.values()) for lines in (hit, missed, false)]
    recall, precision = _share(hit, missed), _share(hit, false)
    print(f"\n## {title}: recall {recall:.2f} %, precision {precision:.2f} % of source lines")
    print(f"{len(hit)} found, {len(missed)} missed, {len(false)} false, {idle.total()} in code that no model runs\n")
    print("| rule | found | missed | false | not run | recall % | precision % |", "| --- " * 7 + "|", sep="\n")
    for rule in sorted({*counts[0], *counts[1], *counts[2], *idle}):
        good, bad, wrong = (count[rule] for count in counts)
        shares = f"{100 * good / (good + bad or 1):.1f} | {100 * good / (good + wrong or 1):.1f}"
        print(f"| {rule} | {good} | {bad} | {wrong} | {idle[rule]} | {shares} |")
    _list("missed", missed, truth, survey)
    _list("false", false, found, survey)
    return recall, precision


def _share(good: dict[Line, str], bad: dict[Line, str]) -> float:
    return 100.0 * len(good) / (len(good) + len(bad) or 1)


def _list(what: str, lines: dict[Line, str], source: Lines, survey: Survey) -> None:
    groups: dict[str, list[str]] = defaultdict(list)
    for line in sorted(lines):
        cause = source.why(line, survey) if what == "missed" else lines[line]
        path = line[0].rpartition("site-packages/")[2]
        groups[cause].append(f"- {path}:{line[1]} {lines[line]} {source.about(line)}")
    for cause, entries in sorted(groups.items(), key=lambda item: -len(item[1])):
        print(f"\n### {what}, {cause}: {len(entries)}", *entries, sep="\n")


if __name__ == "__main__":
    sys.exit(main())
