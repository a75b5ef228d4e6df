"""Targets: the libraries whose modules rewritten code can use in place of qprep.runtime_modules.

A row names the class for an operation of the catalogue. Only what computes the same on floats is listed.
torch-ao    torch/ao/nn/quantized/modules/functional_modules.py
distiller   distiller/modules/{eltwise,grouping,matmul}.py
brevitas    brevitas/nn/quant_eltwise.py, constructed without quantizers, as a float module
aimet       aimet_torch/nn/modules/custom.py
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from qprep.foundation.catalogue.op import Dedicated, Op
from qprep.foundation.catalogue.torch_ao import FUNCTIONAL_HOME

_PAIR: Final = ("input", "other")


@dataclass(frozen=True, slots=True)
class Target:
    """One library.

    rows      modules by the name of the operation
    scalars   the same, if the other operand is a Python number; None: as `rows`
    is_eager  True for torch.ao's eager quantization: operations run between stubs, with kernels for some of them
    """

    name: str
    rows: Mapping[str, Dedicated] = field(default_factory=dict)
    scalars: Mapping[str, Dedicated] | None = None
    is_eager: bool = False

    @property
    def is_own(self) -> bool:
        """True if the modules are those of qprep.runtime_modules."""
        return self.name == OWN

    def row(self, op: Op, scalar: bool = False) -> Op:
        """The operation with this library's module; a module that a catalogue of the user's names stays."""
        if self.is_own or op.dedicated is not None:
            return op
        rows = self.scalars if scalar and self.scalars is not None else self.rows
        dedicated = rows.get(op.name)
        return replace(op, module=dedicated.module if dedicated is not None else None, dedicated=dedicated)


OWN: Final = "qprep"
TORCH_AO: Final = "torch-ao"


def _functional(method: str, takes: tuple[str, ...]) -> Dedicated:
    return Dedicated(FUNCTIONAL_HOME, "FloatFunctional", takes, method=method, number_last=True)


def _aimet(module: str, takes: tuple[str, ...] | None = _PAIR) -> Dedicated:
    return Dedicated("aimet_torch.nn.modules.custom", module, takes, number_last=True)


def _distiller(module: str, takes: tuple[str, ...] = _PAIR, *, spread: bool = False) -> Dedicated:
    return Dedicated("distiller.modules", module, takes, spread=spread)


_TORCH_AO: Final = Target(
    TORCH_AO,
    {
        "add": _functional("add", _PAIR),
        "mul": _functional("mul", _PAIR),
        "matmul": _functional("matmul", _PAIR),
        "cat": _functional("cat", ("tensors", "dim=")),
    },
    {"add": _functional("add_scalar", _PAIR), "mul": _functional("mul_scalar", _PAIR)},
    is_eager=True,
)
_DISTILLER: Final = Target(
    "distiller",
    {
        "add": _distiller("EltwiseAdd(inplace)"),
        "sub": _distiller("EltwiseSub(inplace)"),
        "mul": _distiller("EltwiseMult(inplace)"),
        "div": _distiller("EltwiseDiv(inplace)"),
        "matmul": _distiller("Matmul"),
        "bmm": _distiller("BatchMatmul", ("input", "mat2")),
        "cat": _distiller("Concat(dim)", ("tensors",), spread=True),
        "stack": _distiller("Stack(dim)", ("tensors",)),
    },
)
_BREVITAS: Final = Target(
    "brevitas",
    {"add": Dedicated("brevitas.nn", "QuantEltwiseAdd", _PAIR, fixed="input_quant=None, output_quant=None")},
    {},
)
# Modules that hand on what they are given to the function of torch by the same name.
_AIMET_WRAPPERS: Final = {
    "sub": "Subtract", "div": "Divide", "floor_divide": "FloorDivide", "matmul": "MatMul", "norm": "Norm",
    "exp": "Exponential", "erf": "Erf", "sqrt": "Sqrt", "maximum": "Maximum", "max": "Max", "amax": "AMax",
    "minimum": "Minimum", "min": "Min", "amin": "AMin", "where": "Where", "bmm": "Bmm", "cumsum": "CumSum",
    "mean": "Mean", "sum": "Sum", "prod": "Prod", "log": "Log", "abs": "Abs", "neg": "Neg", "ceil": "ElementwiseCeil",
    "floor": "ElementwiseFloor", "sin": "Sin", "cos": "Cos", "asin": "Asin", "atan": "Atan", "round": "Round",
    "remainder": "Remainder", "fmod": "Fmod", "topk": "TopK", "sign": "ElementwiseUnarySign", "baddbmm": "Baddbmm",
    "addmm": "Addmm", "rsqrt": "RSqrt", "square": "Square", "interpolate": "Interpolate", "normalize": "Normalize",
    "pad": "Pad", "grid_sample": "GridSample",
}  # fmt: skip
_AIMET: Final = Target(
    "aimet",
    {
        **{name: _aimet(cls, None) for name, cls in _AIMET_WRAPPERS.items()},
        "add": _aimet("Add"),
        "mul": _aimet("Multiply"),
        "pow": _aimet("Pow", ("input", "exponent")),
        "cat": Dedicated(
            "aimet_torch.nn.modules.custom", "Concat(dim)", ("tensors",), keywords=(("dim", "axis"),), spread=True
        ),
    },
)
TARGETS: Final[Mapping[str, Target]] = MappingProxyType(
    {target.name: target for target in (Target(OWN), _TORCH_AO, _DISTILLER, _BREVITAS, _AIMET)}
)
