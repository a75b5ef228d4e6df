"""Formats that a runtime's integer kernels take, by the runtime's name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from qprep.foundation.errors import QprepError
from qprep.foundation.suggestions import did_you_mean

# Sources: torch.ao.quantization.qconfig (get_default_qconfig of fbgemm, x86 and qnnpack); ONNX Runtime's page
# "Quantize ONNX models"; NVIDIA TensorRT's page "Working with quantized types"; ExecuTorch's XNNPACKQuantizer.
BACKENDS: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        # 7 bits of an unsigned activation: without VNNI kernels add two products of 8 bits in 16, and saturate.
        "x86": {"reduced_range": True, "scheme_activations": "asymmetric", "granularity_weights": "per-channel"},
        # Kernels for ARM of old: one scale for each weight.
        "qnnpack": {"scheme_activations": "asymmetric", "granularity_weights": "per-tensor"},
        "onnxruntime": {"scheme_activations": "asymmetric", "granularity_weights": "per-channel"},
        # Zero points are 0 everywhere.
        "tensorrt": {
            "scheme_activations": "symmetric",
            "signed_activations": True,
            "scheme_weights": "restricted",
            "granularity_weights": "per-channel",
        },
        # XNNPACK: int8 activations with a zero point.
        "executorch": {
            "scheme_activations": "asymmetric",
            "signed_activations": True,
            "scheme_weights": "restricted",
            "granularity_weights": "per-channel",
        },
    }
)

# Runtimes that have integer kernels for a sigmoid and a product, and none for a SiLU: it is quantized in parts.
IN_PARTS: Final = frozenset({"onnxruntime"})


def preset(backend: object) -> Mapping[str, Any]:
    """Settings for `backend`, none for None; QprepError, with the nearest name, for one that is not known."""
    if backend is None:
        return {}
    if isinstance(backend, str) and backend in BACKENDS:
        return BACKENDS[backend]
    hint = did_you_mean(str(backend), BACKENDS)
    raise QprepError(f"expected a backend among {', '.join(BACKENDS)}, found {backend!r}{hint}")
