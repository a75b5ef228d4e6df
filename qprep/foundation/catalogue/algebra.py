"""Linear algebra and Fourier transforms: kept in floating point by a quantizer, owned by a module all the same."""

from __future__ import annotations

from typing import Final

from qprep.foundation.catalogue.op import Op, OpClass, Result
from qprep.foundation.catalogue.spelling import spell


def _float(name: str, spellings: tuple[str, ...], module: str, result: Result = Result.TENSOR) -> Op:
    return Op(name, OpClass.COMPUTE, spellings, module=module, result=result, quantizer="float")


def _transform(name: str, module: str) -> Op:
    return _float(
        name,
        spell(f"{name}(input, n=None, dim=-1, norm=None)", "x"),
        f"{module}(n, dim, norm)",
    )


def _transform_n(name: str, module: str, dim: str) -> Op:
    return _float(name, spell(f"{name}(input, s=None, dim={dim}, norm=None)", "x"), f"{module}(s, dim, norm)")


_LINALG: Final[tuple[Op, ...]] = (
    _float("det", spell("det(input)", "tm") + spell("det(A)", "l"), "Det"),
    _float("logdet", spell("logdet(input)"), "LogDet"),
    _float("slogdet", spell("slogdet(input)", "tm") + spell("slogdet(A)", "l"), "SLogDet", Result.TENSORS),
    _float("inverse", spell("inverse(input)", "tm") + spell("inv(A)", "l"), "Inverse"),
    _float("pinverse", spell("pinverse(input, rcond=1e-15)"), "PInverse(rcond)"),
    _float("linalg_solve", spell("solve(A, B, *, left=True)", "l"), "LinalgSolve(left)"),
    _float(
        "solve_triangular",
        spell("solve_triangular(A, B, *, upper, left=True, unitriangular=False)", "l"),
        "SolveTriangular(upper, left, unitriangular)",
    ),
    _float(
        "cholesky",
        spell("cholesky(input, upper=False)", "tm"),
        "Cholesky(upper)",
    ),
    _float("linalg_cholesky", spell("cholesky(A, *, upper=False)", "l"), "LinalgCholesky(upper)"),
    _float("cholesky_inverse", spell("cholesky_inverse(input, upper=False)"), "CholeskyInverse(upper)"),
    _float("cholesky_solve", spell("cholesky_solve(input, input2, upper=False)"), "CholeskySolve(upper)"),
    _float("qr", spell("qr(input, some=True)"), "QR(some)", Result.TENSORS),
    _float("linalg_qr", spell("qr(A, mode='reduced')", "l"), "LinalgQR(mode)", Result.TENSORS),
    _float("svd", spell("svd(input, some=True, compute_uv=True)"), "SVD(some, compute_uv)", Result.TENSORS),
    _float("linalg_svd", spell("svd(A, full_matrices=True)", "l"), "LinalgSVD(full_matrices)", Result.TENSORS),
    _float("svdvals", spell("svdvals(A)", "l"), "SVDVals"),
    _float("eigh", spell("eigh(A, UPLO='L')", "l"), "Eigh(UPLO)", Result.TENSORS),
    _float("eigvalsh", spell("eigvalsh(A, UPLO='L')", "l"), "EigValsH(UPLO)"),
    _float("matrix_exp", spell("matrix_exp(input)", "tml"), "MatrixExp"),
)

_FOURIER: Final[tuple[Op, ...]] = (
    *(
        _transform(name, module)
        for name, module in (
            ("fft", "FFT"),
            ("ifft", "IFFT"),
            ("rfft", "RFFT"),
            ("irfft", "IRFFT"),
            ("hfft", "HFFT"),
            ("ihfft", "IHFFT"),
        )
    ),
    *(
        _transform_n(f"{name}{suffix}", f"{module}{suffix.upper()}", dim)
        for suffix, dim in (("2", "(-2, -1)"), ("n", "None"))
        for name, module in (
            ("fft", "FFT"),
            ("ifft", "IFFT"),
            ("rfft", "RFFT"),
            ("irfft", "IRFFT"),
            ("hfft", "HFFT"),
            ("ihfft", "IHFFT"),
        )
    ),
    _float(
        "stft",
        spell(
            "stft(input, n_fft, hop_length=None, win_length=None, window=None, center=True, pad_mode='reflect', "
            "normalized=False, onesided=None, return_complex=None, align_to_window=None)",
            "pq",
        ),
        "STFT(n_fft, hop_length, win_length, center, pad_mode, normalized, onesided, return_complex, align_to_window)",
    ),
    _float(
        "istft",
        spell(
            "istft(input, n_fft, hop_length=None, win_length=None, window=None, center=True, normalized=False, "
            "onesided=None, length=None, return_complex=False)",
            "tm",
        ),
        "ISTFT(n_fft, hop_length, win_length, center, normalized, onesided, length, return_complex)",
    ),
)

OPS: Final[tuple[Op, ...]] = _LINALG + _FOURIER
