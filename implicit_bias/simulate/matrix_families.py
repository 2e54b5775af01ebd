r"""The potentials of flows of matrices, where measurements commute.

For :math:`X = UU^\top` the flow is :math:`U' = -(\nabla f + \nabla f^\top)U`. If the symmetric parts of all measurement
matrices and :math:`X_0` commute, :math:`X_t = \exp(-4L_t)X_0`, the mirror flow of the von Neumann entropy. For
:math:`X = UV^\top` the same holds for the symmetric matrix with the blocks X and :math:`X^\top` off its diagonal.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.linalg import expm

from implicit_bias.errors import InputError, UnsupportedError
from implicit_bias.potential import SpectralHypentropy, VonNeumannEntropy
from implicit_bias.potential.family import Families, Family
from implicit_bias.problem import Regression
from implicit_bias.simulate.families import DerivedFamilies
from implicit_bias.symbolic.matrix_parameterization import Factor, MatrixParameterization
from implicit_bias.symbolic.parameterization import Parameterization
from implicit_bias.validation import FloatArray

_COMMUTATOR = 1e-12  # of matrices that were computed as products, relative to the product of their norms


@dataclass(frozen=True, eq=False)
class MatrixFamilies:
    """The potentials of flows of matrices from given starts.

    Attributes:
        problem: Data, whose rows are measurement matrices.
        parameterization: X = g(θ) with its regularizer.
        init: Initial values by name, with an axis (runs,) in front if there are several runs.
    """

    problem: Regression
    parameterization: MatrixParameterization
    init: Mapping[str, FloatArray]

    def __call__(self, run: int | None = None) -> Family:
        """The family of potentials of a run, from its start.

        Raises:
            UnsupportedError: If the measurements or the start do not commute, or no potential is known.
        """
        return self.started({name: value if run is None else value[run] for name, value in self.init.items()})

    def started(self, init: Mapping[str, FloatArray]) -> Family:
        """The family of potentials of another start of one run.

        Raises:
            UnsupportedError: As for the start of a run.
        """
        kinds = [[factor.kind for factor in term.factors] for term in self.parameterization.terms]
        if kinds == [["plain", "transposed"]] and self.parameterization.terms[0].number == 1:
            first, second = self.parameterization.terms[0].factors
            if first.name == second.name:
                return self._symmetric(init[first.name], first)
            return self._general(init[first.name], init[second.name], (first, second))
        raise UnsupportedError(
            f"No potential of {self.parameterization.formula} is known; those of 'U @ U.T' and 'U @ V.T' are, if the "
            "measurements commute. ib.mirror_distance tells how far this flow is from any mirror flow."
        )

    def pulled_back(
        self, parameters: Mapping[str, FloatArray], accumulated_gradient: FloatArray, decay: float
    ) -> dict[str, FloatArray]:
        """The start from which the flow leads to some parameters.

        Args:
            parameters: θ of one run by name.
            accumulated_gradient: L, shape (n,).
            decay: A.

        Raises:
            UnsupportedError: If the flow has no potential, or is not one of U Uᵀ.
        """
        self.started(parameters)  # refuses what does not commute
        if len(parameters) > 1:
            raise UnsupportedError("The effective initialization of X = U Vᵀ is not known; that of X = U Uᵀ is.")
        ((name, value),) = parameters.items()
        pushed = accumulated_gradient.reshape(self.parameterization.shape)
        rate = 2 * (self.parameterization.regularizer or {}).get(name, 0.0)
        return {name: expm(pushed + pushed.T + rate * decay * np.eye(len(value))) @ value}

    def _symmetric(self, U: FloatArray, factor: Factor) -> Family:
        start = U @ U.T
        matrices = self._measurements()
        symmetric = (matrices + matrices.swapaxes(1, 2)) / 2
        _check_commuting([*symmetric, start], [*self._names, "U_0 U_0ᵀ"])
        rate = 2 * (self.parameterization.regularizer or {}).get(factor.name, 0.0)
        try:
            entropy = VonNeumannEntropy(len(start), scale=start)
        except InputError as error:
            raise UnsupportedError(f"No potential of this start is known: {error}") from error
        identity = np.eye(len(start))
        return lambda decay: VonNeumannEntropy(
            len(start), log_scale=entropy.log_scale - 2 * rate * float(decay) * identity
        )

    def _general(self, U: FloatArray, V: FloatArray, factors: tuple[Factor, Factor]) -> Family:
        u, v = _multiple(U @ U.T), _multiple(V @ V.T)
        mixed = float(np.linalg.norm(U @ V.T))
        if u is None or v is None or not u + v > 0 or mixed > _COMMUTATOR * (u + v):
            raise UnsupportedError(
                "A potential of X = U Vᵀ is known for starts with U_0 U_0ᵀ = u I, V_0 V_0ᵀ = v I and U_0 V_0ᵀ = 0."
            )
        A, names = self._measurements(), self._names
        for (i, one), (j, two) in itertools.combinations(enumerate(A), 2):
            for product, shown in ((one.T @ two, "{0}ᵀ {1}"), (one @ two.T, "{0} {1}ᵀ")):
                gap = np.linalg.norm(product - product.T)
                if gap > _COMMUTATOR * np.linalg.norm(one) * np.linalg.norm(two):
                    name = shown.format(names[i], names[j])
                    raise UnsupportedError(
                        f"These dynamics have no known potential: {name} is not symmetric (by {gap:.3g}), so the "
                        "measurements do not commute."
                    )
        decaying = self.parameterization.regularizer or {}
        first, second = (decaying.get(factor.name, 0.0) for factor in factors)
        if first != second:
            raise UnsupportedError("A potential of X = U Vᵀ is known if both factors have the same weight decay.")
        log_scale = float(np.log((u + v) / 2))
        shape = self.parameterization.shape
        return lambda decay: SpectralHypentropy(shape, log_scale=log_scale - 4 * first * float(decay))

    @property
    def _names(self) -> list[str]:
        return [f"A[{k}]" for k in range(self.problem.d)]

    def _measurements(self) -> FloatArray:
        """The rows of Z as matrices, shape (d, p, q)."""
        rows = self.problem.linear.adjoint(np.eye(self.problem.d))
        return rows.reshape(-1, *self.parameterization.shape)


def families_of(
    problem: Regression, parameterization: Parameterization | MatrixParameterization, init: Mapping[str, FloatArray]
) -> Families:
    """The potentials of the flows of a parameterization, from given starts by name."""
    if isinstance(parameterization, MatrixParameterization):
        return MatrixFamilies(problem, parameterization, init)
    return DerivedFamilies(parameterization, init)


def _check_commuting(matrices: list[FloatArray], names: list[str]) -> None:
    for (i, one), (j, two) in itertools.combinations(enumerate(matrices), 2):
        gap = np.linalg.norm(one @ two - two @ one)
        if gap > _COMMUTATOR * np.linalg.norm(one) * np.linalg.norm(two):
            raise UnsupportedError(
                f"These dynamics have no known potential: {names[i]} and {names[j]} do not commute, the commutator of "
                f"their symmetric parts is {gap:.3g}. ib.mirror_distance tells how far the flow is from a mirror flow."
            )


def _multiple(matrix: FloatArray) -> float | None:
    """The u with matrix = uI, to rounding, or None."""
    u = float(np.trace(matrix)) / len(matrix)
    return u if np.linalg.norm(matrix - u * np.eye(len(matrix))) <= _COMMUTATOR * abs(u) else None
