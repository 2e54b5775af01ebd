r"""Simultaneous diagonalization of commuting symmetric matrices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

_ROUNDING = 1e-15
_MAX_SWEEPS = 30


def joint_eigenbasis(matrices: FloatArray) -> FloatArray:
    r"""An orthogonal V for which all :math:`V^\top M_i V` are diagonal, up to rounding.

    The eigenvectors of a generic combination come close, but they may mix directions where eigenvalues (nearly)
    coincide. So plane rotations that minimize all off-diagonal entries together (Jacobi's method for several matrices)
    finish the work. They need no gap between eigenvalues. Diagonal matrices keep V = 1 exactly.

    Args:
        matrices: Symmetric and pairwise commuting, shape (k, p, p).

    Source: Bunse-Gerstner, Byers, Mehrmann, "Numerical methods for simultaneous diagonalization", SIAM J. Matrix Anal.
        Appl. 14 (1993); the closed-form angle is due to Cardoso and Souloumiac, ibid. 17 (1996).
    """
    size = matrices.shape[-1]
    if not np.any(_off_diagonal(matrices)):
        return np.eye(size)
    norms = np.linalg.norm(matrices, axis=(1, 2))
    scaled = matrices[norms > 0] / norms[norms > 0, None, None]
    generic = np.random.default_rng(0).normal(size=len(scaled))
    basis = np.linalg.eigh(np.tensordot(generic, scaled, axes=1))[1]
    rotated = basis.T @ scaled @ basis
    for _ in range(_MAX_SWEEPS):
        turned = False
        for i, j in np.argwhere(np.triu(np.max(np.abs(rotated), axis=0), 1) > _ROUNDING):
            turned |= _rotate(rotated, basis, int(i), int(j))
        if not turned:
            break
    return basis


def _rotate(rotated: FloatArray, basis: FloatArray, i: int, j: int) -> bool:
    """Turn the plane (i, j) so that the squares of all entries (i, j) become least, and tell whether it turned."""
    difference = rotated[:, i, i] - rotated[:, j, j]
    mixed = 2 * rotated[:, i, j]
    along = difference @ difference - mixed @ mixed
    across = 2 * difference @ mixed
    angle = 0.5 * np.arctan2(across, along + np.hypot(along, across))
    if abs(angle) < _ROUNDING:
        return False
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[c, -s], [s, c]])
    rotated[:, :, [i, j]] = rotated[:, :, [i, j]] @ turn
    rotated[:, [i, j], :] = turn.T @ rotated[:, [i, j], :]
    basis[:, [i, j]] = basis[:, [i, j]] @ turn
    return True


def _off_diagonal(matrices: FloatArray) -> FloatArray:
    return matrices * (1 - np.eye(matrices.shape[-1]))
