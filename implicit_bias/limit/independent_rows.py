"""Which rows of a system count: dependent ones are left out, contradicting ones certify that y is out of range."""

from __future__ import annotations

import numpy as np
from scipy.linalg import qr, svd
from scipy.sparse.linalg import LinearOperator, lsqr

from implicit_bias.linear_map import LinearMap
from implicit_bias.norm import norm

_RANK_TOLERANCE = 1e-10
_CONTRADICTION = 1e-9  # relative part of y outside the range of Z that is no rounding


def independent_rows(linear: LinearMap, y: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Indices of linearly independent rows that span the rest, and a certificate if y contradicts a dependency.

    Args:
        linear: Z, its rows scaled to unit size, with a Gram matrix.
        y: Right-hand side, shape (d,).
    """
    everything = np.arange(linear.shape[0])
    squares = linear.gram(np.ones(linear.shape[1]))
    scale = np.sqrt(np.diag(squares))
    scale[scale == 0] = 1.0
    if np.linalg.eigvalsh(squares / (scale[:, None] * scale))[0] > _RANK_TOLERANCE:
        return everything, None
    unit = linear.triangle() / scale  # RᵀR = ZZᵀ, without its squared condition number
    triangle, order = qr(unit, mode="r", pivoting=True, check_finite=False)  # pyright: ignore[reportAssignmentType]
    rank = int(np.sum(np.abs(np.diag(triangle)) > _RANK_TOLERANCE))
    null = svd(unit, check_finite=False)[2][rank:].T
    target = y / scale
    contradiction = null @ (null.T @ target)
    if norm(contradiction) > _CONTRADICTION * norm(target):
        certificate = contradiction / norm(contradiction) / scale
        return everything, certificate / norm(certificate)
    return np.sort(order[:rank]), None


def contradiction(linear: LinearMap, y: np.ndarray) -> np.ndarray | None:
    """A ν of unit length with Zᵀν = 0 and yᵀν ≠ 0, if least squares finds one; for a Z known by its products."""
    # Twice d steps end in exact arithmetic; rounding needs more.
    operator = LinearOperator(linear.shape, matvec=linear.apply, rmatvec=linear.adjoint, dtype=float)
    x = lsqr(operator, y, atol=0, btol=1e-14, conlim=0, iter_lim=20 * linear.shape[0])[0]
    rest = y - linear.apply(x)
    if norm(rest) <= _CONTRADICTION * norm(y):
        return None
    certificate = rest / norm(rest)
    return certificate if norm(linear.adjoint(certificate)) <= _CONTRADICTION * np.max(linear.row_sizes) else None
