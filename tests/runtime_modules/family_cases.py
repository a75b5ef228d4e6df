"""Calls of the families that come in one, two and three dimensions."""

from __future__ import annotations

from tests.runtime_modules.calls import Call, call, rand, randn

_CONVOLUTIONS = {
    f"{name}{n}d": (
        call(randn(2, 4, *[7] * n), randn(4, width, *[3] * n), None, 2, (1,) * n),
        call(randn(2, 4, *[7] * n), randn(4, width, *[3] * n), randn(bias), **extra),
    )
    for n in (1, 2, 3)
    for name, width, bias, extra in (
        ("conv", 4, 4, {"padding": "same"}),
        ("conv_transpose", 4, 4, {"output_padding": 1, "stride": 2}),
    )
}
_POOLS = {
    f"{name}{n}d{suffix}": (
        call(randn(2, 3, *[8] * n), 2),
        call(randn(2, 3, *[8] * n), (3,) * n, 2, padding=1, **extra),
    )
    for n in (1, 2, 3)
    for name, suffix, extra in (
        ("avg_pool", "", {"count_include_pad": False}),
        ("max_pool", "", {"ceil_mode": True}),
        ("max_pool", "_with_indices", {"dilation": 1}),
    )
}
_ADAPTIVE = {
    f"adaptive_{kind}_pool{n}d{suffix}": (call(randn(2, 3, *[8] * n), 3), call(randn(2, 3, *[8] * n), (2,) * n))
    for n in (1, 2, 3)
    for kind, suffix in (("avg", ""), ("max", ""), ("max", "_with_indices"))
}
_POWER_POOLS = {
    f"lp_pool{n}d": (call(rand(2, 3, *[8] * n), 2, 2), call(rand(2, 3, *[8] * n), 3.0, 3, 2)) for n in (1, 2, 3)
}
_FRACTIONAL = {
    f"fractional_max_pool{n}d{suffix}": (
        call(randn(2, 3, *[8] * n), 2, output_size=(3,) * n),
        call(randn(2, 3, *[8] * n), 2, output_ratio=(0.5,) * n, _random_samples=rand(2, 3, n)),
    )
    for n in (2, 3)
    for suffix in ("", "_with_indices")
}
_FOURIER = {
    f"{name}{suffix}": (call(randn(4, 6)), call(randn(4, 6), second, norm="ortho"))
    for name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
    for suffix, second in (("", 5), ("2", (4, 4)), ("n", (4, 4)))
}
_DROPOUTS = {
    name: (call(randn(2, 3, 4), 0.3, True), call(randn(2, 3, 4), p=0.3, training=False))
    for name in ("dropout", "dropout1d", "dropout2d", "alpha_dropout", "feature_alpha_dropout")
}

FAMILIES: dict[str, tuple[Call, ...]] = {
    **_CONVOLUTIONS,
    **_POOLS,
    **_ADAPTIVE,
    **_POWER_POOLS,
    **_FRACTIONAL,
    **_FOURIER,
    **_DROPOUTS,
}
