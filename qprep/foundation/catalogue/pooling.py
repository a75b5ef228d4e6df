"""Pooling: torch.nn.functional's and their twins in torch."""

from __future__ import annotations

from typing import Final

from qprep.foundation.catalogue.op import Channels, Op, OpClass, Result, RuleFamily, carrying
from qprep.foundation.catalogue.spelling import spell


def _pool(
    name: str,
    spellings: tuple[str, ...],
    module: str,
    *,
    has_nn: bool = True,
    quantizer: str = "output",
) -> Op:
    return Op(
        name,
        OpClass.COMPUTE,
        spellings,
        nn=module if has_nn else None,
        module=f"Functional{module}" if has_nn else module,
        family=RuleFamily.FUNCTIONAL,
        quantizer=quantizer,
    )


def _pool_with_indices(name: str, spellings: tuple[str, ...], module: str) -> Op:
    return Op(
        name,
        OpClass.COMPUTE,
        spellings,
        module=module,
        family=RuleFamily.FUNCTIONAL,
        result=Result.VALUES_INDICES,
        drop=("return_indices",),
        quantizer="same-scale",
    )


def _average(dims: int) -> Op:
    divisor = ", divisor_override=None" if dims > 1 else ""
    signature = (
        f"avg_pool{dims}d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True{divisor})"
    )
    names = "kernel_size, stride, padding, ceil_mode, count_include_pad" + divisor.partition("=")[0]
    return _pool(f"avg_pool{dims}d", spell(signature, "bt" if dims == 1 else "b"), f"AvgPool{dims}d({names})")


def _maximum(dims: int) -> Op:
    name = f"max_pool{dims}d"
    window = "(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False"
    spellings = (
        *spell(f"{name}{window}, return_indices=False)", "f"),
        *spell(f"{name}{window})".replace("stride=None", "stride=()"), "t"),
    )
    module = f"MaxPool{dims}d(kernel_size, stride, padding, dilation, return_indices, ceil_mode)"
    return _pool(name, spellings, module, quantizer="same-scale")


def _maximum_with_indices(dims: int) -> Op:
    name = f"max_pool{dims}d_with_indices"
    window = "(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False"
    spellings = spell(f"{name}{window}, return_indices=False)", "f")
    if dims == 1:
        spellings += spell(f"{name}{window})".replace("stride=None", "stride=()"), "t")
    module = f"MaxPool{dims}dWithIndices(kernel_size, stride, padding, dilation, ceil_mode)"
    return _pool_with_indices(name, spellings, module)


def _adaptive(dims: int) -> tuple[Op, Op, Op]:
    average = f"adaptive_avg_pool{dims}d"
    maximum = f"adaptive_max_pool{dims}d"
    with_indices = f"{maximum}_with_indices"
    indexed = (
        *spell(f"{with_indices}(input, output_size, return_indices=False)", "f"),
        *(spell("adaptive_max_pool1d(input, output_size)", "t") if dims == 1 else ()),
    )
    return (
        _pool(
            average,
            spell(f"{average}(input, output_size)", "bt" if dims == 1 else "f"),
            f"AdaptiveAvgPool{dims}d(output_size)",
        ),
        _pool(
            maximum,
            spell(f"{maximum}(input, output_size, return_indices=False)", "f"),
            f"AdaptiveMaxPool{dims}d(output_size, return_indices)",
            quantizer="same-scale",
        ),
        _pool_with_indices(with_indices, indexed, f"AdaptiveMaxPool{dims}dWithIndices(output_size)"),
    )


def _power_average(dims: int) -> Op:
    name = f"lp_pool{dims}d"
    return _pool(
        name,
        spell(f"{name}(input, norm_type, kernel_size, stride=None, ceil_mode=False)", "f"),
        f"LPPool{dims}d(norm_type, kernel_size, stride, ceil_mode)",
    )


def _fractional(dims: int) -> tuple[Op, Op]:
    name = f"fractional_max_pool{dims}d"
    rest = "(input, kernel_size, output_size=None, output_ratio=None, return_indices=False, _random_samples=None)"
    return (
        _pool(
            name,
            spell(f"{name}{rest}", "f"),
            f"FractionalMaxPool{dims}d(kernel_size, output_size, output_ratio, return_indices)",
            quantizer="same-scale",
        ),
        _pool_with_indices(
            f"{name}_with_indices",
            spell(f"{name}_with_indices{rest}", "f"),
            f"FractionalMaxPool{dims}dWithIndices(kernel_size, output_size, output_ratio)",
        ),
    )


_SPACE: Final = {1: Channels.SPACE_1, 2: Channels.SPACE_2, 3: Channels.SPACE_3}


def _pools(dims: int) -> tuple[Op, ...]:
    windows = (_average(dims), _maximum(dims), _maximum_with_indices(dims), *_adaptive(dims), _power_average(dims))
    return carrying(windows + (_fractional(dims) if dims > 1 else ()), _SPACE[dims])


OPS: Final[tuple[Op, ...]] = tuple(op for dims in (1, 2, 3) for op in _pools(dims))
