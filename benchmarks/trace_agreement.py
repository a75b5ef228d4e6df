"""Compare `qprep.trace` with an independent tracer, on every model of a specification.

    python benchmarks/trace_agreement.py [DIRECTORY] [--spec torchvision] [--only a,b] [--every N]

The directory holds `optrace.py`, `tvshim.py` and `specs/NAME.py`. For each model both trace one forward pass in eval
mode; the unowned operations are compared by source line, with their number of calls, and the reused modules by
path and calls. Every difference is printed with an explanation.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import pathlib
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, TypeAlias

import torch
from benchmark_inputs import SHARED, skip_without

import qprep
from qprep.foundation.catalogue.lookup import load
from qprep.tracing.op_lookup import Operations
from qprep.tracing.trace_report import TraceReport

QUICK = ["--every", "12"]
Line: TypeAlias = tuple[str, int]
Maker: TypeAlias = Callable[[], Any]
Judged: TypeAlias = Any  # the judge's report: a named tuple of its own


def main() -> int:
    """Print the differences and the share of lines that agree; 0 where all do or are explained."""
    options = _options()
    skip_without("the other tracer and the models' specifications are", options.corpus)
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    sys.path.insert(0, str(options.corpus))
    importlib.import_module("tvshim")
    judge = importlib.import_module("optrace")
    totals: Counter[str] = Counter()
    for spec in options.spec or ["torchvision", "timm"]:
        module = _load(options.corpus / "specs" / f"{spec}.py")
        for name, build, inputs in _chosen(module, options):
            totals += _compare(f"{spec}:{name}", build, inputs, judge)
    lines = totals["same"] + totals["different"]
    share = 100 * totals["same"] / max(1, lines)
    print(
        f"{totals['models']} models, {totals['failed']} fail without a trace: {totals['same']} of {lines} lines agree "
        f"({share:.2f} %), {totals['calls']} with another number of calls, {totals['unexplained']} unexplained; "
        f"reused modules: {totals['reused']} agree, {totals['reused_different']} differ"
    )
    return 1 if totals["unexplained"] or totals["reused_different"] else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=pathlib.Path, nargs="?", default=SHARED / "corpus")
    parser.add_argument("--spec", action="append")
    parser.add_argument("--only", default="")
    parser.add_argument("--every", type=int, default=1, help="take each N-th model")
    return parser.parse_args()


def _chosen(spec: ModuleType, options: argparse.Namespace) -> Iterator[tuple[str, Maker, Maker]]:
    only = {name for name in options.only.split(",") if name}
    for number, (name, build, inputs) in enumerate(spec.models()):
        if (name in only) if only else number % options.every == 0:
            yield name, build, inputs


def _load(path: pathlib.Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem + "_spec", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"expected a specification, found nothing to load at {path}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _compare(name: str, build: Maker, inputs: Maker, judge: ModuleType) -> Counter[str]:
    started = time.perf_counter()
    torch.manual_seed(0)
    try:
        model = build().eval()
        args = inputs()
        theirs = judge.trace(model, **args) if isinstance(args, dict) else judge.trace(model, *args)
    except Exception as error:  # noqa: BLE001  (the model does not run here: nothing to compare)
        print(f"{name}: fails: {type(error).__name__}: {str(error)[:100]}", flush=True)
        return Counter(failed=1)
    ours = qprep.trace(model, **args) if isinstance(args, dict) else qprep.trace(model, *args)
    result = _lines(name, ours, theirs) + _reuse(name, ours, theirs)
    result["models"] = 1
    seconds = time.perf_counter() - started
    print(f"{name}: {result['same']} lines agree, {result['different']} differ, {seconds:.1f} s", flush=True)
    return result


def _lines(name: str, ours: TraceReport, theirs: Judged) -> Counter[str]:
    mine: Counter[Line] = Counter()
    named: dict[Line, str] = {}
    for event in ours.unowned:
        compound = event.op.startswith("nn.")
        line = (event.op, 0) if compound else (event.path or "", event.lineno)
        mine[line] += event.calls
        named[line] = event.op
    judged: Counter[Line] = Counter()
    for (path, lineno, op), calls in theirs.sites.items():
        line = (op, 0) if op.startswith("nn.") else (path or "", lineno)
        judged[line] += calls
        named.setdefault(line, op)
    result: Counter[str] = Counter(same=len(mine.keys() & judged.keys()))
    for line in sorted(mine.keys() ^ judged.keys()):
        reason = _explain(named[line], line in mine)
        result.update(different=1, unexplained=int(not reason))
        side = "qprep only" if line in mine else "judge only"
        print(f"  {name}: {side}: {line[0]}:{line[1]} {named[line]}: {reason or 'unexplained'}")
    for line in sorted(mine.keys() & judged.keys()):
        if mine[line] != judged[line]:
            result.update(calls=1)
            print(f"  {name}: {line[0]}:{line[1]} {named[line]}: {mine[line]} calls, judge {judged[line]}")
    return result


def _explain(op: str, ours: bool) -> str:
    operations = Operations(load().ops)
    judge = sys.modules["optrace"]
    if not ours:
        function = getattr(torch.Tensor, op, None) or getattr(torch, op, None) or getattr(torch.nn.functional, op, None)
        known = operations.of(function) if function else None
        return "" if known is None or known.compute else f"the catalogue has {known.name} as no compute operation"
    return f"the judge takes {op} as transparent" if op in judge.TRANSPARENT else ""


def _reuse(name: str, ours: TraceReport, theirs: Judged) -> Counter[str]:
    mine = {(each.module_path, each.module_class, each.calls, each.has_parameters) for each in ours.reused}
    judged = set(theirs.reused)
    for side, extra in (("qprep only", mine - judged), ("judge only", judged - mine)):
        for each in sorted(extra):
            print(f"  {name}: {side}: reused {each}")
    return Counter(reused=len(mine & judged), reused_different=len(mine ^ judged))


if __name__ == "__main__":
    sys.exit(main())
