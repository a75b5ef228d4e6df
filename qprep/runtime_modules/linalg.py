# ruff: noqa: N803 -- parameters are torch's own
"""Linear algebra."""

import torch
from torch import Tensor

from qprep.runtime_modules._operation import Operation


class Det(Operation):
    """`torch.det` as a module."""

    def forward(self, input: Tensor) -> Tensor:
        """Compute on matrices (…, n, m)."""
        return torch.det(input)


class LogDet(Operation):
    """`torch.logdet` as a module."""

    def forward(self, input: Tensor) -> Tensor:
        """Compute on matrices (…, n, m)."""
        return torch.logdet(input)


class SLogDet(Operation):
    """`torch.slogdet` as a module."""

    def forward(self, input: Tensor) -> tuple[Tensor, Tensor]:
        """Compute on matrices (…, n, m)."""
        return torch.slogdet(input)


class Inverse(Operation):
    """`torch.inverse` as a module."""

    def forward(self, input: Tensor) -> Tensor:
        """Compute on matrices (…, n, m)."""
        return torch.inverse(input)


class PInverse(Operation):
    """`torch.pinverse` as a module."""

    def __init__(self, rcond: float = 1e-15) -> None:
        super().__init__()
        self.rcond = rcond

    def forward(self, input: Tensor, rcond: float | None = None) -> Tensor:
        """Compute on matrices (…, n, m)."""
        return torch.pinverse(input, self.rcond if rcond is None else rcond)


class LinalgSolve(Operation):
    """`torch.linalg.solve` as a module."""

    def __init__(self, left: bool = True) -> None:
        super().__init__()
        self.left = left

    def forward(self, A: Tensor, B: Tensor, left: bool | None = None) -> Tensor:
        """Compute on matrices (…, n, m)."""
        result: Tensor = torch.linalg.solve(A, B, left=self.left if left is None else left)
        return result


class SolveTriangular(Operation):
    """`torch.linalg.solve_triangular` as a module."""

    def __init__(self, upper: bool = False, left: bool = True, unitriangular: bool = False) -> None:
        super().__init__()
        self.upper = upper
        self.left = left
        self.unitriangular = unitriangular

    def forward(
        self,
        A: Tensor,
        B: Tensor,
        upper: bool | None = None,
        left: bool | None = None,
        unitriangular: bool | None = None,
    ) -> Tensor:
        """Compute on matrices (…, n, m)."""
        upper = self.upper if upper is None else upper
        left = self.left if left is None else left
        unitriangular = self.unitriangular if unitriangular is None else unitriangular
        result: Tensor = torch.linalg.solve_triangular(A, B, upper=upper, left=left, unitriangular=unitriangular)
        return result


class Cholesky(Operation):
    """`torch.cholesky` as a module."""

    def __init__(self, upper: bool = False) -> None:
        super().__init__()
        self.upper = upper

    def forward(self, input: Tensor, upper: bool | None = None) -> Tensor:
        """Compute on matrices (…, n, m)."""
        return torch.cholesky(input, self.upper if upper is None else upper)


class LinalgCholesky(Operation):
    """`torch.linalg.cholesky` as a module."""

    def __init__(self, upper: bool = False) -> None:
        super().__init__()
        self.upper = upper

    def forward(self, A: Tensor, upper: bool | None = None) -> Tensor:
        """Compute on matrices (…, n, m)."""
        result: Tensor = torch.linalg.cholesky(A, upper=self.upper if upper is None else upper)
        return result


class CholeskyInverse(Operation):
    """`torch.cholesky_inverse` as a module."""

    def __init__(self, upper: bool = False) -> None:
        super().__init__()
        self.upper = upper

    def forward(self, input: Tensor, upper: bool | None = None) -> Tensor:
        """Compute on matrices (…, n, m)."""
        return torch.cholesky_inverse(input, self.upper if upper is None else upper)


class CholeskySolve(Operation):
    """`torch.cholesky_solve` as a module."""

    def __init__(self, upper: bool = False) -> None:
        super().__init__()
        self.upper = upper

    def forward(self, input: Tensor, input2: Tensor, upper: bool | None = None) -> Tensor:
        """Compute on matrices (…, n, m)."""
        return torch.cholesky_solve(input, input2, self.upper if upper is None else upper)


class QR(Operation):
    """`torch.qr` as a module."""

    def __init__(self, some: bool = True) -> None:
        super().__init__()
        self.some = some

    def forward(self, input: Tensor, some: bool | None = None) -> tuple[Tensor, Tensor]:
        """Compute on matrices (…, n, m)."""
        return torch.qr(input, self.some if some is None else some)


class LinalgQR(Operation):
    """`torch.linalg.qr` as a module."""

    def __init__(self, mode: str = "reduced") -> None:
        super().__init__()
        self.mode = mode

    def forward(self, A: Tensor, mode: str | None = None) -> tuple[Tensor, Tensor]:
        """Compute on matrices (…, n, m)."""
        result: tuple[Tensor, Tensor] = torch.linalg.qr(A, self.mode if mode is None else mode)
        return result


class SVD(Operation):
    """`torch.svd` as a module."""

    def __init__(self, some: bool = True, compute_uv: bool = True) -> None:
        super().__init__()
        self.some = some
        self.compute_uv = compute_uv

    def forward(
        self, input: Tensor, some: bool | None = None, compute_uv: bool | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Compute on matrices (…, n, m)."""
        some = self.some if some is None else some
        compute_uv = self.compute_uv if compute_uv is None else compute_uv
        return torch.svd(input, some, compute_uv)


class LinalgSVD(Operation):
    """`torch.linalg.svd` as a module."""

    def __init__(self, full_matrices: bool = True) -> None:
        super().__init__()
        self.full_matrices = full_matrices

    def forward(self, A: Tensor, full_matrices: bool | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Compute on matrices (…, n, m)."""
        result: tuple[Tensor, Tensor, Tensor] = torch.linalg.svd(
            A, self.full_matrices if full_matrices is None else full_matrices
        )
        return result


class SVDVals(Operation):
    """`torch.linalg.svdvals` as a module."""

    def forward(self, A: Tensor) -> Tensor:
        """Compute on matrices (…, n, m)."""
        result: Tensor = torch.linalg.svdvals(A)
        return result


class Eigh(Operation):
    """`torch.linalg.eigh` as a module."""

    def __init__(self, UPLO: str = "L") -> None:
        super().__init__()
        self.UPLO = UPLO

    def forward(self, A: Tensor, UPLO: str | None = None) -> tuple[Tensor, Tensor]:
        """Compute on matrices (…, n, m)."""
        result: tuple[Tensor, Tensor] = torch.linalg.eigh(A, self.UPLO if UPLO is None else UPLO)
        return result


class EigValsH(Operation):
    """`torch.linalg.eigvalsh` as a module."""

    def __init__(self, UPLO: str = "L") -> None:
        super().__init__()
        self.UPLO = UPLO

    def forward(self, A: Tensor, UPLO: str | None = None) -> Tensor:
        """Compute on matrices (…, n, m)."""
        result: Tensor = torch.linalg.eigvalsh(A, self.UPLO if UPLO is None else UPLO)
        return result


class MatrixExp(Operation):
    """`torch.matrix_exp` as a module."""

    def forward(self, input: Tensor) -> Tensor:
        """Compute on matrices (…, n, m)."""
        return torch.matrix_exp(input)
