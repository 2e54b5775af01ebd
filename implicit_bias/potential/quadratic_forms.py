r"""The potential of commuting quadratic forms, which couples the coordinates of x."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from copy import copy

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.optimize import linprog

from implicit_bias.errors import DomainError, InputError, known_options
from implicit_bias.potential.base import Potential
from implicit_bias.potential.joint_diagonalization import joint_eigenbasis
from implicit_bias.status import SolverError, Status
from implicit_bias.validation import finite_array, positive_number

FloatArray = NDArray[np.float64]

_MATRIX_TOLERANCE = 1e-12  # rounding of matrices that were computed as products, relative to their norms
_COMPONENT_TOLERANCE = 1e-14  # a smaller component of theta0, relative to its norm, is rounding of the eigenbasis
_LAST_STEP = 1e-7  # after a Newton step of this size in the exponents, the next is below rounding: errors are squared
_LARGEST_STEP = 10.0  # in the exponents; an exponential grows 20000-fold over it
_MAX_STEPS = 2000
_MAX_SINGULAR_STEPS = 200  # in a row; each moves the exponents by 1 to 10
_LARGEST_EXPONENT = 700.0
_SMALLEST_CURVATURE = 1e-305  # in units of the largest exponential; smaller ones lose digits
_STEP_ROUNDING = 1e-14  # of a Newton step, for a well-conditioned Hessian
_SMALLEST_PIVOT = 1e-11  # squared, of the scaled Hessian; at this size a Newton step has three digits
_RIDGE = 1e-12  # added to the diagonal of a scaled Hessian with smaller pivots
_DOMAIN_TOLERANCE = 1e-6  # well above the tolerance of the linear program

_overflow_allowed = np.errstate(over="ignore", invalid="ignore", divide="ignore")


@known_options
class QuadraticForms(Potential):
    r"""Potential of commuting quadratic forms :math:`x_i = \tfrac12\theta^\top A_i\theta`, with decay.

    The regularizer is :math:`h = \tfrac12\theta^\top B\theta`; all matrices are symmetric and commute. The flow
    :math:`\theta' = -\sum_i \partial_i f(x) A_i\theta - \alpha_t B\theta` stays at
    :math:`\theta = \exp(-A B + \sum_i \mu_i A_i)\,\theta_0` with :math:`\mu = -L_t` and the decay
    :math:`A = \int\alpha\,dt`, and x is the gradient of

    .. math:: Q_A(\mu) = \tfrac14 \Big\|\exp\Big(-A B + \sum_i \mu_i A_i\Big)\theta_0\Big\|^2 ,

    so the weights follow the mirror flow of :math:`R_A = Q_A^*`: :math:`\nabla R_{A_t}(x_t) = -L_t`. In the joint
    eigenbasis Q is a sum of exponentials, and Newton's method computes R from it. The potential is not a sum over
    coordinates. Its domain consists of the values that x can take, the interior of the cone that the joint eigenvalues
    span.

    Every method takes NumPy arrays or lists of shape ``(..., k)``. :meth:`decayed` changes the decay.

    Args:
        A: The forms, shape (k, p, p).
        B: The regularizer, shape (p, p), or None.
        decay: A = ∫α dt >= 0; more than 0 needs B.
        theta0: Initial parameters, shape (p,). A component along an eigenvector counts as zero below 1e-14 of the norm
            (where all matrices are diagonal, only if it is exactly zero), and the flow keeps it at zero.

    Raises:
        InputError: If a shape does not fit, a matrix is not symmetric, a pair does not commute (the message names it,
            with the size of its commutator), or the forms are linearly dependent on the span of the flow, so that R
            would not be strictly convex.

    Source: Li, Wang, Lee, Arora, "Implicit bias of gradient descent on reparametrized models: on equivalence to mirror
        descent", NeurIPS 2022, for commuting parameterizations.

    The mask, m·w = ½θᵀAθ with θ = (m, w), whose decay e^(−4A) comes from h = m² + w²:

    >>> mask = QuadraticForms([[[0.0, 1.0], [1.0, 0.0]]], [[2.0, 0.0], [0.0, 2.0]], theta0=[1.0, 0.0])
    >>> mask.gradient([0.3]).round(6).tolist()  # arcsinh(x/a)/2 with a = 1/2
    [0.284412]
    >>> mask.decayed(0.5).gradient([0.3]).round(6).tolist()  # a = e^(−2)/2
    [1.097402]
    """

    def __init__(self, A: ArrayLike, B: ArrayLike | None = None, decay: float = 0.0, *, theta0: ArrayLike) -> None:
        forms = finite_array(A, "A", ndim=3)
        start = finite_array(theta0, "theta0", ndim=1)
        count, size = forms.shape[:2]
        if not count or forms.shape[1:] != (len(start), len(start)):
            raise InputError(
                f"A: expected shape (k, {len(start)}, {len(start)}), k >= 1, to match theta0, got {forms.shape}."
            )
        decaying = None if B is None else finite_array(B, "B", ndim=2)
        if decaying is not None and decaying.shape != (size, size):
            raise InputError(f"B: expected shape {(size, size)} to match A, got {decaying.shape}.")
        names = [*(f"A[{i}]" for i in range(count)), *([] if decaying is None else ["B"])]
        matrices = forms if decaying is None else np.concatenate([forms, decaying[None]])
        _check_symmetric(matrices, names)
        matrices = (matrices + matrices.swapaxes(1, 2)) / 2
        _check_commuting(matrices, names)

        self.basis = joint_eigenbasis(matrices)
        values = np.einsum("pj,kpq,qj->kj", self.basis, matrices, self.basis)
        start = self.basis.T @ start
        is_diagonal = np.array_equal(self.basis, np.eye(size))
        smallest = 0.0 if is_diagonal else _COMPONENT_TOLERANCE * np.linalg.norm(start)
        self.components = np.where(np.abs(start) > smallest, start, 0.0)
        self.eigenvalues = values[:count]
        self.regularizer_eigenvalues = None if decaying is None else values[count]
        support = self.components != 0
        self._log_weights = 2 * np.log(np.abs(self.components[support]))
        self._values = self.eigenvalues[:, support]
        self._rates = 0.0 if decaying is None else values[count, support]
        tolerance = _MATRIX_TOLERANCE * np.abs(self._values).max(initial=0.0) * size
        rank = np.linalg.matrix_rank(self._values, tol=tolerance)
        if rank < count:
            raise InputError(
                f"A: on the span that the flow from theta0 explores, the {count} forms have rank {rank} only, so x "
                "moves in a subspace and R is not strictly convex. Drop dependent forms, or let theta0 have a "
                "component along every eigenvector."
            )

        self.decay = self._checked(decay)

    def decayed(self, decay: float) -> QuadraticForms:
        """The potential of the same forms and start after another decay A >= 0.

        Raises:
            InputError: If the decay is no number >= 0, or there is no regularizer.
        """
        other = copy(self)
        other.decay = self._checked(decay)
        return other

    def __repr__(self) -> str:
        regularized = "no regularizer" if self.regularizer_eigenvalues is None else f"decay={self.decay:g}"
        return f"QuadraticForms(k={self.size}, p={len(self.components)}, {regularized})"

    @property
    def size(self) -> int:
        """The number k of forms, which is the dimension of x."""
        return len(self.eigenvalues)

    def parameters(self, z: ArrayLike) -> FloatArray:
        r"""The parameters :math:`\theta = \exp(-A B + \sum_i z_i A_i)\,\theta_0`, shape ``(..., p)``."""
        exponents = self._admit(z, "z") @ self.eigenvalues
        if self.regularizer_eigenvalues is not None:
            exponents = exponents - self.decay * self.regularizer_eigenvalues
        # A component that is zero stays zero, whatever its exponent.
        grown = np.exp(np.where(self.components != 0, exponents, 0.0)) * self.components
        return grown @ self.basis.T

    def conjugate(self, z: ArrayLike) -> FloatArray:
        """The conjugate R*(z) = Q(z), shape ``(...)``."""
        return np.sum(self._powers(self._admit(z, "z")), axis=-1) / 4

    def inverse_gradient(self, z: ArrayLike) -> FloatArray:
        """The x = ∇Q(z) with ∇R(x) = z, shape ``(..., k)``: the values of the forms at :meth:`parameters`."""
        return self._powers(self._admit(z, "z")) @ self._values.T / 2

    def conjugate_hessian(self, z: ArrayLike) -> FloatArray:
        """∇²Q(z), shape ``(..., k, k)``; it is the metric (∇²R)⁻¹ at x = ∇Q(z), which is J Jᵀ of the forms."""
        powers = self._powers(self._admit(z, "z"))
        return (self._values * powers[..., None, :]) @ self._values.T

    def gradient(self, x: ArrayLike) -> FloatArray:
        """The mirror map: the μ with ∇Q(μ) = x, shape ``(..., k)``.

        Raises:
            DomainError: If x lies outside the open cone of reachable values.
            SolverError: If the metric at some x inside it is singular to rounding (with a condition number above about
                1e11 after its diagonal is scaled to 1).
        """
        points = self._admit(x, "x")
        log_weights = self._log_weights_now
        flat = points.reshape(-1, self.size)
        return np.array([self._solve(point, log_weights) for point in flat]).reshape(points.shape)

    def value(self, x: ArrayLike) -> FloatArray:
        r"""R(x) = ⟨x, μ⟩ − Q(μ) at μ = ∇R(x), shape ``(...)``.

        Raises:
            DomainError: If x lies outside the open cone of reachable values.
        """
        mu = self.gradient(x)
        return np.sum(mu * np.asarray(x, dtype=float), axis=-1) - self.conjugate(mu)

    def respond(self, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The weight ∇Q(z), shape (k,), and its derivative ∇²Q(z), shape (k, k), without any checks."""
        powers = self._powers(z)
        return powers @ self._values.T / 2, (self._values * powers) @ self._values.T

    def metric(self, x: ArrayLike) -> FloatArray:
        """(∇²R(x))⁻¹, by which the flow of x preconditions the gradient; shape ``(..., k, k)``."""
        return self.conjugate_hessian(self.gradient(x))

    def divergence(self, x: ArrayLike, x2: ArrayLike) -> FloatArray:
        r"""The Bregman divergence :math:`R(x) - R(x_2) - \langle\nabla R(x_2), x - x_2\rangle`, shape ``(...)``.

        Computed as the divergence of Q from ∇R(x) to ∇R(x₂), a sum of non-negative terms.
        """
        mu, mu2 = self.gradient(x), self.gradient(x2)
        change = 2 * (mu2 - mu) @ self._values
        return np.sum(self._powers(mu) * exponential_excess(change), axis=-1) / 4

    @property
    def minimizer(self) -> FloatArray:
        """The minimizer of R, the values of the forms after decay alone; shape (k,)."""
        return self.inverse_gradient(np.zeros(self.size))

    def contains(self, x: ArrayLike) -> bool:
        """Whether one x, shape (k,), lies in the domain, to the tolerance of a linear program (about 1e-6 of |x|).

        The domain is the same for every decay.
        """
        point = finite_array(x, "x", ndim=1)
        scale = np.max(np.abs(point), initial=0.0) or 1.0
        # x = Σ t_j λ_j with all t_j >= s: the largest s is positive inside. It has a bound, as the cone may hold lines.
        lengths = np.linalg.norm(self._values, axis=0)
        rays = self._values[:, lengths > 0] / lengths[lengths > 0]
        costs = np.append(np.zeros(rays.shape[1]), -1.0)
        equations = np.column_stack([rays, rays.sum(axis=1)])
        bounds = [(0, None)] * rays.shape[1] + [(None, 1.0)]
        solution = linprog(costs, A_eq=equations, b_eq=point / scale, bounds=bounds)
        return bool(solution.success and -solution.fun > _DOMAIN_TOLERANCE)

    @_overflow_allowed
    def _solve(self, x: FloatArray, log_weights: FloatArray) -> FloatArray:
        """Newton's method for the minimum of Q(μ) − ⟨x, μ⟩.

        It ends when a step no longer moves any exponent. If x is outside the cone or on its boundary there is no
        minimum, and the exponents move forever.
        """
        scale = np.max(np.abs(x), initial=0.0) or 1.0
        offsets = log_weights - np.log(scale)
        # Start where the exponentials are about as large as x.
        mu = np.linalg.lstsq(2 * self._values.T, -offsets, rcond=None)[0]
        singular = 0
        for _ in range(_MAX_STEPS):
            exponents = 2 * mu @ self._values + offsets
            largest = np.max(exponents)
            powers = np.exp(exponents - largest)
            # Beyond the cap the step is far longer than the largest one allowed, so only its direction matters.
            target = x / scale * np.exp(min(-largest, _LARGEST_EXPONENT / 2))
            hessian = (self._values * powers) @ self._values.T
            if not np.all(np.diag(hessian) > _SMALLEST_CURVATURE):
                break
            step, rounding = _newton_step(hessian, target - self._values @ powers / 2)
            length = float(np.max(np.abs(2 * step @ self._values)))
            singular = singular + 1 if np.isinf(rounding) else 0
            if not np.isfinite(length) or singular > _MAX_SINGULAR_STEPS or (singular and length == 0):
                break
            if length <= max(_LAST_STEP, rounding) and not singular:
                return mu + step
            step *= min(1.0, _LARGEST_STEP / length)
            mu = mu + step * _step_size(self._slope(exponents - largest, target, step))
        if self.contains(x):
            raise SolverError(
                f"x: Newton's method for the mirror map failed at {x}, which lies inside the domain: the metric there "
                "is singular to rounding. Choose an x nearer to the minimizer, or forms that are less alike.",
                Status.STALLED,
            )
        raise DomainError(
            f"x: {x} is outside the open cone of values that the forms can take from theta0, or on its boundary "
            "to rounding; .contains(x) tests it."
        )

    def _slope(self, exponents: FloatArray, target: FloatArray, step: FloatArray) -> Callable[[float], float]:
        """The slope of Q(μ) − ⟨target, μ⟩ along a Newton step: an increasing function of its length, negative at 0."""
        motion = step @ self._values

        def slope(t: float) -> float:
            moved = np.minimum(exponents + 2 * t * motion, _LARGEST_EXPONENT)
            return float(motion @ np.exp(moved) / 2 - target @ step)

        return slope

    def _powers(self, mu: FloatArray) -> FloatArray:
        """The squares of the components of θ in the eigenbasis, on the support; inf where they overflow."""
        with np.errstate(over="ignore"):
            return np.exp(2 * mu @ self._values + self._log_weights_now)

    @property
    def _log_weights_now(self) -> FloatArray:
        return self._log_weights - 2 * self.decay * self._rates

    def _checked(self, decay: float) -> float:
        amount = positive_number(decay, "decay", zero_allowed=True)
        if amount and self.regularizer_eigenvalues is None:
            raise InputError(f"decay: got {decay}, but there is no regularizer; give QuadraticForms a matrix B.")
        return amount

    def _admit(self, value: ArrayLike, name: str) -> FloatArray:
        array = finite_array(value, name)
        if array.ndim == 0 or array.shape[-1] != self.size:
            raise InputError(f"{name}: expected shape (..., {self.size}), one entry per form, got {array.shape}.")
        return array


def _newton_step(hessian: FloatArray, residual: FloatArray) -> tuple[FloatArray, float]:
    """The Newton step and its rounding error, which is inf if the Hessian is almost singular and needs a ridge.

    Newton's method can go on from a Hessian that is singular in double precision: steps along its kernel often lead to
    one that is not.
    """
    scale = np.sqrt(np.diag(hessian))
    scaled = hessian / scale[:, None] / scale
    try:
        factor = cho_factor(scaled, lower=True)
        pivot = float(np.min(np.diag(factor[0]))) ** 2
    except LinAlgError:
        factor, pivot = None, 0.0
    if factor is None or pivot < _SMALLEST_PIVOT:
        factor, pivot = cho_factor(scaled + _RIDGE * np.eye(len(scale)), lower=True), 0.0
    step = cho_solve(factor, residual / scale, check_finite=False) / scale
    return step, _STEP_ROUNDING / pivot if pivot else np.inf


def _step_size(slope: Callable[[float], float]) -> float:
    """The first of 1, ½, ¼, … at which the slope is at most half its size at 0."""
    limit = 0.5 * abs(slope(0.0))
    t = 1.0
    while slope(t) > limit and t > 1e-12:
        t /= 2
    return t


def _check_symmetric(matrices: FloatArray, names: list[str]) -> None:
    for matrix, name in zip(matrices, names, strict=True):
        error = np.linalg.norm(matrix - matrix.T)
        if error > _MATRIX_TOLERANCE * np.linalg.norm(matrix):
            raise InputError(
                f"{name}: expected a symmetric matrix, got ‖M − Mᵀ‖ = {error:.3g}; pass (M + Mᵀ)/2, which gives the "
                "same θᵀMθ."
            )


def _check_commuting(matrices: FloatArray, names: list[str]) -> None:
    for i, j in itertools.combinations(range(len(matrices)), 2):
        product = matrices[i] @ matrices[j]
        error = np.linalg.norm(product - product.T)
        allowed = _MATRIX_TOLERANCE * np.linalg.norm(matrices[i]) * np.linalg.norm(matrices[j])
        if error > allowed:
            raise InputError(
                f"A, B: expected commuting matrices, but ‖[{names[i]}, {names[j]}]‖ = {error:.3g} (at most "
                f"{allowed:.1g} would pass for rounding). Without commuting fields there is no potential; "
                "ib.gradient_flow still integrates the parameters."
            )


def exponential_excess(change: FloatArray) -> FloatArray:
    """exp(d) − 1 − d without cancellation."""
    d = np.clip(change, -1e-2, 1e-2)  # the next term of the series is below 1e-17 of the first
    series = d**2 / 2 * (1 + d / 3 * (1 + d / 4 * (1 + d / 5 * (1 + d / 6 * (1 + d / 7 * (1 + d / 8))))))
    return np.where(np.abs(change) < 1e-2, series, np.expm1(change) - change)
