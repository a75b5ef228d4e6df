"""Runs torchvision models of the package that comes first on the path and prints what is to be compared, as JSON.

python -m tests.corpus_child NAME SIZE [NAME SIZE …]
"""

from __future__ import annotations

import hashlib
import json
import sys
import warnings

import torch

from qprep.tracing import trace

# What torchvision's compiled part would define, and its Python part registers kernels for at import.
_OPERATORS = ("nms", "qnms")


def define_operators() -> torch.library.Library:
    """Let torchvision be imported without its compiled operators, for as long as the result is kept."""
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for name in _OPERATORS:
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")  # type: ignore[no-untyped-call]
    return library


def digest(value: object) -> str:
    """A fingerprint of the bits of every tensor in a nest."""
    seen = hashlib.sha256()
    for leaf in torch.utils._pytree.tree_leaves(value):
        if isinstance(leaf, torch.Tensor):
            seen.update(f"{leaf.dtype}{tuple(leaf.shape)}".encode())
            seen.update(leaf.detach().contiguous().numpy().tobytes())
    return seen.hexdigest()


def observe(name: str, size: int) -> dict[str, object]:
    """Weights, outputs and gradients of one model, and the places that no module stands for."""
    import torchvision

    options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    torch.manual_seed(0)
    model = getattr(torchvision.models, name)(**options)
    seen: dict[str, object] = {"keys": list(model.state_dict()), "weights": digest(list(model.state_dict().values()))}
    seen["random state"] = digest(torch.get_rng_state())
    image = torch.randn(2, 3, size, size)
    for mode in ("eval", "train"):
        model.train(mode == "train")
        torch.manual_seed(1)
        output = model(image.clone())
        parts = [part for part in torch.utils._pytree.tree_leaves(output) if isinstance(part, torch.Tensor)]
        torch.autograd.backward([part.sum() for part in parts])
        gradients = {key: value.grad for key, value in model.named_parameters()}
        seen[mode] = {"output": digest(output), "gradients": {key: digest(value) for key, value in gradients.items()}}
        seen[f"{mode} buffers"] = digest(list(model.buffers()))
    report = trace(model.eval(), image)
    seen["left"] = [f"{event.op} {event.path}:{event.line}" for event in report.unowned]
    seen["reused"] = [each.module_path for each in report.reused]
    return seen


def main(arguments: list[str]) -> None:
    """Print the observations by name."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    operators = define_operators()
    import torchvision

    pairs = zip(arguments[::2], arguments[1::2], strict=True)
    seen = {name: observe(name, int(size)) for name, size in pairs}
    sys.stdout.write(json.dumps({"package": torchvision.__file__, "models": seen}))
    del operators


if __name__ == "__main__":
    main(sys.argv[1:])
