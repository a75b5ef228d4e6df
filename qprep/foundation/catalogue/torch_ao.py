"""torch's eager quantization, as data: its names, and what `fuse_modules` can fuse."""

from __future__ import annotations

from typing import Final

WORDS: Final = ("fuse_modules", "QuantStub", "FloatFunctional")
FUSING: Final = frozenset(("fuse_modules", "fuse_modules_qat"))
STUBS: Final = {"QuantStub": "DeQuantStub", "DeQuantStub": "QuantStub"}
WRAPPERS: Final = frozenset(("QuantWrapper", "add_quant_dequant"))
FUNCTIONAL: Final = "FloatFunctional"
STUBS_HOME: Final = "torch.ao.quantization"
FUNCTIONAL_HOME: Final = "torch.ao.nn.quantized"
# Methods of FloatFunctional, each with an output observer of its instance.
FUNCTIONAL_METHODS: Final = frozenset(
    ("add", "add_scalar", "mul", "mul_scalar", "cat", "add_relu", "matmul"),
)

# Operations that have no module of their own in eager quantization, and whose kernels take quantized tensors.
QUANTIZED_KERNELS: Final = frozenset(
    (
        "adaptive_avg_pool2d", "adaptive_avg_pool3d", "avg_pool2d", "avg_pool3d", "clamp", "dropout", "gelu",
        "hardsigmoid", "interpolate", "leaky_relu", "max_pool1d", "max_pool2d", "mean", "pad", "pixel_shuffle", "relu",
        "relu6", "sigmoid", "stack", "tanh", "threshold",
    )
)  # fmt: skip

CONVOLUTIONS: Final = tuple(f"Conv{rank}d" for rank in (1, 2, 3))
TRANSPOSED: Final = tuple(f"ConvTranspose{rank}d" for rank in (1, 2, 3))
NORMS: Final = tuple(f"BatchNorm{rank}d" for rank in (1, 2, 3))

# The sequences of classes that `fuse_modules` takes (torch/ao/quantization/fuser_method_mappings.py).
FUSABLE: Final = frozenset(
    (
        *zip(CONVOLUTIONS, NORMS, strict=True),
        *((conv, norm, "ReLU") for conv, norm in zip(CONVOLUTIONS, NORMS, strict=True)),
        *((conv, "ReLU") for conv in CONVOLUTIONS),
        ("Linear", "BatchNorm1d"),
        ("Linear", "ReLU"),
        ("BatchNorm2d", "ReLU"),
        ("BatchNorm3d", "ReLU"),
        *zip(TRANSPOSED, NORMS, strict=True),
    )
)
# What fuses with a BatchNorm behind it, and the only BatchNorm that has a quantized kernel of its own missing.
FOLDABLE: Final = frozenset((first, second) for first, second, *_ in FUSABLE if second.startswith("BatchNorm"))
WITHOUT_KERNEL: Final = frozenset(("BatchNorm1d",))


def eager_name(dotted: str | None) -> str:
    """Of "torch.ao.quantization.fuse_modules", "fuse_modules"; of other names, ""."""
    if dotted is None or not dotted.startswith("torch.") or "quantiz" not in dotted:
        return ""
    return dotted.rpartition(".")[2]
