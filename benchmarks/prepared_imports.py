"""Models of installed packages through `qprep.prepared`, and what the hook costs an import.

    python benchmarks/prepared_imports.py [--quick] [--package timm|torchvision|transformers] [--repeat N]

Each model is built twice, in fresh processes: as its package is, and in `with qprep.prepared(…)`. The second must load
the state_dict of the first strictly, give the same outputs bit for bit, and be prepared. Then the package is imported
in fresh processes with and without the hook, in turn, the cache being warm: the ratio of the medians, in CPU seconds
and with the import of torch on both sides, must be 1.2 at most. Exits 1 where a claim fails. `--quick` takes two models
of each package and fewer imports.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
QUICK = ["--quick", "--package", "torchvision"]  # to rewrite timm for the first time takes minutes
MOST = 1.2  # how many times longer a warm import may take

# What torchvision's compiled part would define: without it the package cannot be imported beside every build of torch.
PRELUDE = """
import json, os, sys
import torch
if os.environ.get("SHIM"):
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
torch.set_num_threads(1)
"""

BUILD = (
    PRELUDE
    + """
import contextlib
names, code, folder, prepared = json.loads(sys.argv[1])
if prepared:
    import qprep
    hook = qprep.prepared(*names)
else:
    hook = contextlib.nullcontext()
torch.manual_seed(0)
with hook:
    scope = {"torch": torch}
    exec(code, scope)
    torch.manual_seed(0)
    model = scope["make"]().eval()
torch.manual_seed(1)
inputs = scope["inputs"]()
def leaves(value):
    return [leaf for leaf in torch.utils._pytree.tree_leaves(value) if isinstance(leaf, torch.Tensor)]
def run():
    with torch.no_grad():
        output = model(**inputs)
    is_mapping = not isinstance(output, torch.Tensor) and hasattr(output, "values")
    return leaves(tuple(output.values()) if is_mapping else output)
if not prepared:
    torch.save((model.state_dict(), run()), folder + "/original.pt")
    print(json.dumps({}))
else:
    state, outputs = torch.load(folder + "/original.pt", weights_only=True)
    same_state = list(state) == list(model.state_dict()) and all(
        torch.equal(value, model.state_dict()[name]) for name, value in state.items())
    model.load_state_dict(state, strict=True)
    mine = run()
    equal = len(mine) == len(outputs) and all(a.dtype == b.dtype and torch.equal(a, b) for a, b in zip(mine, outputs))
    report = qprep.trace(model, **inputs)
    from qprep.tracing.trace_text import reused, rows
    left = [f"{row.op} at {row.place}" for row in rows(report.unowned)] + reused(report.reused)
    print(json.dumps({"state": same_state, "equal": equal, "prepared": report.is_prepared, "left": left}))
"""
)

IMPORT = (
    "import time; start = time.process_time()"
    + PRELUDE
    + """
names, module, prepared = json.loads(sys.argv[1])
if prepared:
    import qprep
    with qprep.prepared(*names):
        exec(f"import {module}")
else:
    exec(f"import {module}")
print(json.dumps(time.process_time() - start))
"""
)


@dataclass(frozen=True)
class Model:
    """A model: the names to prepare, and code that defines `make()` and `inputs()` (by keyword)."""

    name: str
    names: tuple[str, ...]
    code: str


TORCHVISION = (
    "resnet18", "mobilenet_v2", "mobilenet_v3_small", "efficientnet_b0", "densenet121", "squeezenet1_1",
    "shufflenet_v2_x0_5", "regnet_y_400mf", "convnext_tiny", "vgg11_bn",
)  # fmt: skip
TIMM = (
    "resnet18", "resnest14d", "mobilenetv3_small_050", "efficientnet_b0", "regnetx_002", "convnext_atto",
    "vit_tiny_patch16_224", "ghostnet_050", "mixer_s32_224", "seresnet18",
)  # fmt: skip
SMALL = (
    "hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48, vocab_size=99, "
    "max_position_embeddings=64"
)
# model type: class, and more of its configuration
TRANSFORMERS = {
    "bert": ("BertModel", ""),
    "roberta": ("RobertaModel", ""),
    "electra": ("ElectraModel", "embedding_size=32"),
    "llama": ("LlamaModel", "num_key_value_heads=2"),
    "mistral": ("MistralModel", "num_key_value_heads=2"),
    "qwen2": ("Qwen2Model", "num_key_value_heads=2"),
    "gpt2": ("GPT2Model", "n_embd=32, n_layer=2, n_head=4"),
    "gpt_neox": ("GPTNeoXModel", ""),
    "opt": ("OPTModel", "ffn_dim=48, word_embed_proj_dim=32"),
    "phi": ("PhiModel", ""),
}


def models(package: str) -> Iterator[Model]:
    """The models of a package."""
    if package == "torchvision":
        for name in TORCHVISION:
            code = f"import torchvision\nmake = lambda: torchvision.models.{name}(weights=None)\n"
            yield Model(name, (package,), f"{code}inputs = lambda: {{'x': torch.randn(1, 3, 64, 64)}}\n")
    elif package == "timm":
        for name in TIMM:
            size = 224 if "224" in name else 64
            code = f"import timm\nmake = lambda: timm.create_model('{name}')\n"
            yield Model(name, (package,), f"{code}inputs = lambda: {{'x': torch.randn(1, 3, {size}, {size})}}\n")
    else:
        for kind, (name, more) in TRANSFORMERS.items():
            configuration = f"AutoConfig.for_model('{kind}', {SMALL}, {more})".replace(", )", ")")
            code = (
                f"from transformers import AutoConfig, {name}\nmake = lambda: {name}({configuration})\n"
                "inputs = lambda: {'input_ids': torch.arange(12).reshape(1, 12) + 5}\n"
            )
            yield Model(name, (f"transformers.models.{kind}",), code)


def run(program: str, *arguments: object, cache: Path) -> object:
    """The last line that a program prints in a process of its own; a dict with the error if it fails."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "QPREP_CACHE_DIR": str(cache), "OMP_NUM_THREADS": "1"}
    outcome = subprocess.run(
        [sys.executable, "-c", program, json.dumps(arguments)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if outcome.returncode:
        return {"error": outcome.stderr.strip().splitlines()[-1]}
    return json.loads(outcome.stdout.strip().splitlines()[-1])


def try_models(package: str, cache: Path, most: int) -> bool:
    """Build and compare the first models of a package; whether all were prepared."""
    good = 0
    chosen = list(models(package))[:most]
    for model in chosen:
        with tempfile.TemporaryDirectory() as folder:
            first = run(BUILD, model.names, model.code, folder, False, cache=cache)
            start = time.perf_counter()
            found = run(BUILD, model.names, model.code, folder, True, cache=cache) if first == {} else first
            seconds = time.perf_counter() - start
        assert isinstance(found, dict)
        fine = not found.get("error") and found["state"] and found["equal"] and found["prepared"]
        good += fine
        verdict = "prepared, strict load, bit-equal" if fine else json.dumps(found)
        print(f"{package} {model.name}: {verdict} ({seconds:.1f} s)", flush=True)
    print(f"{package}: {good} of {len(chosen)} prepared, loaded strictly and bit-equal", flush=True)
    return good == len(chosen)


def try_import(package: str, cache: Path, repeat: int) -> bool:
    """Time imports with and without the hook in turn; whether the ratio of the medians is small enough."""
    chosen = next(models(package))
    module = package if package != "transformers" else "transformers.models.bert.modeling_bert"
    times: dict[bool, list[float]] = {False: [], True: []}
    for number in range(repeat + 1):
        for prepared in (False, True):
            seconds = run(IMPORT, chosen.names, module, prepared, cache=cache)
            if not isinstance(seconds, float):
                print(f"{package}: {seconds}")
                return False
            if number:  # the first of each warms caches
                times[prepared].append(seconds)
    plain, hooked = statistics.median(times[False]), statistics.median(times[True])
    print(f"{package}: import {plain:.2f} CPU s, prepared {hooked:.2f} CPU s, ratio {hooked / plain:.2f}", flush=True)
    return hooked <= MOST * plain


def main() -> int:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--package", action="append", choices=["torchvision", "timm", "transformers"])
    parser.add_argument("--repeat", type=int, default=0)
    parser.add_argument("--cache", type=Path)
    options = parser.parse_args()
    if not _imports("torchvision"):
        os.environ["SHIM"] = "1"
    fine = True
    with tempfile.TemporaryDirectory() as folder:
        cache = (options.cache or Path(folder) / "cache").absolute()
        for package in options.package or ["torchvision", "timm", "transformers"]:
            if importlib.util.find_spec(package) is None:
                print(f"{package} is not installed: skipped")
                continue
            fine &= try_models(package, cache, 2 if options.quick else 10)
            fine &= try_import(package, cache, options.repeat or (3 if options.quick else 5))
    return 0 if fine else 1


def _imports(package: str) -> bool:
    outcome = subprocess.run([sys.executable, "-c", f"import {package}"], capture_output=True, check=False)
    return outcome.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
