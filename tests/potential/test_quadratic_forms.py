"""Commuting quadratic forms, against matrix exponentials, integrated parameter flows and an independent optimizer."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.linalg import expm
from scipy.optimize import approx_fprime, minimize
from scipy.special import xlogy
from scipy.stats import ortho_group

import implicit_bias as ib
from implicit_bias.errors import InputError

few = settings(max_examples=max(10, settings.default.max_examples // 3))
SWAP = np.array([[0.0, 1.0], [1.0, 0.0]])


def in_basis(values, seed):
    """Commuting symmetric matrices with joint eigenvalues of shape (k, p)."""
    basis = ortho_group.rvs(values.shape[1], random_state=seed)
    return np.einsum("pj,kj,qj->kpq", basis, values, basis)


def example(seed, k=3, p=7):
    """Random forms and a regularizer, whose eigenvalues are small integers, so that many repeat."""
    generator = np.random.default_rng(seed)
    values = generator.integers(-2, 3, size=(k + 1, p)).astype(float)
    values[:k, :k] += 3 * np.eye(k)  # independent forms
    matrices = in_basis(values, seed)
    theta0 = generator.normal(size=p)
    return ib.QuadraticForms(matrices[:k], matrices[k], theta0=theta0), matrices, theta0, generator


def forms_at(matrices, theta):
    return np.einsum("p,kpq,q->k", theta, matrices, theta) / 2


@few
@given(seed=st.integers(0, 10**6))
def test_conjugate_and_its_derivatives_against_matrix_exponentials(seed):
    potential, matrices, theta0, generator = example(seed)
    forms, regularizer = matrices[:-1], matrices[-1]
    mu, decay = generator.uniform(-0.5, 0.5, 3), generator.uniform(0, 0.5)

    def theta(mu):
        return expm(-decay * regularizer + np.tensordot(mu, forms, axes=1)) @ theta0

    reference = theta(mu)
    # expm errs by about 1e-14 of exp(‖M‖), and ‖M‖ is at most 8 here; terms of that size cancel.
    tiny = 1e-11 * (1 + reference @ reference)
    np.testing.assert_allclose(potential.decayed(decay).parameters(mu), reference, atol=tiny)
    np.testing.assert_allclose(potential.decayed(decay).conjugate(mu), reference @ reference / 4, rtol=1e-11)
    np.testing.assert_allclose(
        potential.decayed(decay).inverse_gradient(mu), forms_at(forms, reference), atol=10 * tiny
    )
    jacobian = forms @ reference  # rows ∇g_i
    np.testing.assert_allclose(potential.decayed(decay).conjugate_hessian(mu), jacobian @ jacobian.T, atol=100 * tiny)
    np.testing.assert_allclose(
        potential.decayed(decay).metric(forms_at(forms, reference)), jacobian @ jacobian.T, rtol=1e-7
    )


@few
@given(seed=st.integers(0, 10**6))
def test_the_mirror_map_inverts_the_conjugate_gradient(seed):
    potential, _, _, generator = example(seed)
    mu, decay = generator.uniform(-2, 2, (4, 3)), generator.uniform(0, 3)
    x = potential.decayed(decay).inverse_gradient(mu)
    found = potential.decayed(decay).gradient(x)
    # x has relative error ε per entry; the mirror map multiplies it by the condition number of the metric.
    metrics = potential.decayed(decay).conjugate_hessian(mu)
    allowed = 1e-13 * np.linalg.norm(np.linalg.inv(metrics), axis=(1, 2)) * np.linalg.norm(metrics, axis=(1, 2)) + 1e-11
    assert np.all(np.max(np.abs(found - mu), axis=1) <= allowed)
    value = potential.decayed(decay).value(x)
    # Fenchel's equality, and Fenchel's inequality for pairs that do not belong together.
    total = value + potential.decayed(decay).conjugate(mu)
    np.testing.assert_allclose(total, np.sum(x * mu, axis=1), rtol=1e-9, atol=1e-9)
    others = x @ mu.T - value[:, None] - potential.decayed(decay).conjugate(mu)
    assert np.all(others <= 1e-9 * (1 + np.abs(x @ mu.T)))


@few
@given(seed=st.integers(0, 10**6))
def test_the_gradient_is_the_slope_of_the_value(seed):
    potential, _, _, generator = example(seed)
    potential = potential.decayed(0.2)
    x = potential.inverse_gradient(generator.uniform(-0.5, 0.5, 3))
    step = 1e-6 * np.linalg.eigvalsh(potential.metric(x))[0]
    assume(step >= 1e-9)  # otherwise R is too curved for a difference quotient
    slope = approx_fprime(x, lambda v: float(potential.value(v)), step)
    # A forward difference errs by R'' · step, about 1e-6 by the choice of the step, and by rounding of R over the step.
    rounding = 1e-14 * (1 + abs(potential.value(x))) / step
    np.testing.assert_allclose(slope, potential.gradient(x), atol=1e-5 + 10 * rounding)


@few
@given(seed=st.integers(0, 10**6))
def test_the_divergence_is_a_distance(seed):
    potential, _, _, generator = example(seed)
    mu = generator.uniform(-0.5, 0.5, (2, 3))
    potential = potential.decayed(0.3)
    x, x2 = potential.inverse_gradient(mu)
    plain = potential.value(x) - potential.value(x2) - potential.gradient(x2) @ (x - x2)
    size = 1 + abs(potential.value(x)) + abs(potential.value(x2))
    assert potential.divergence(x, x2) == pytest.approx(plain, rel=1e-8, abs=1e-9 * size)
    assert potential.divergence(x, x2) > 0
    # Identical points differ by the rounding of Newton's last step, squared.
    assert 0 <= potential.divergence(x, x) <= 1e-15 * size


def test_the_mask_is_the_hyperbolic_entropy():
    m0, w0 = 1.3, 0.4
    forms = ib.QuadraticForms([SWAP], 2 * np.eye(2), theta0=[m0, w0])
    closed = ib.derive(ib.Parameterization("m*w", "m,w"), "m**2 + w**2")
    x = np.linspace(-3, 3, 13)[:, None]
    for decay in (0.0, 0.7, 5.0, 150.0, 1000.0):
        entropy = closed.at({"m": [m0], "w": [w0]}, decay)
        np.testing.assert_allclose(forms.decayed(decay).gradient(x), entropy.gradient(x), rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(forms.decayed(decay).metric(x)[..., 0], entropy.metric(x), rtol=1e-10)
        rise = forms.decayed(decay).value(x) - forms.decayed(decay).value([0.5])
        np.testing.assert_allclose(rise, entropy.value(x) - entropy.value([0.5]), rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(forms.decayed(decay).minimizer, entropy.minimizer, rtol=1e-12)


def test_the_parameter_flow_is_its_mirror_flow():
    """The parameters, which we integrate without the eigenbasis and with varying decay, follow the mirror flow of R."""
    potential, matrices, theta0, generator = example(11, k=2, p=5)
    regularizer = in_basis(np.array([[1.0, 2.0, 0.5, 1.0, 0.0]]), 11)[0]  # the same basis as the forms
    forms = matrices[:2]
    potential = ib.QuadraticForms(forms, regularizer, theta0=theta0)
    target = forms_at(forms, theta0) + generator.normal(size=2)

    def strength(t):
        return 0.3 + 0.3 * np.sin(3 * t)

    def field(t, state):
        theta = state[:5]
        slope = forms_at(forms, theta) - target  # of ½‖x − target‖²
        return np.concatenate([-(slope @ (forms @ theta)) - strength(t) * regularizer @ theta, slope, [strength(t)]])

    times = np.array([0.0, 0.05, 0.2, 0.5, 1.0])
    start = np.concatenate([theta0, np.zeros(3)])
    path = solve_ivp(field, (0, 1.0), start, method="DOP853", t_eval=times, rtol=1e-12, atol=1e-12).y.T
    for theta, accumulated, decay in zip(path[:, :5], path[:, 5:7], path[:, 7], strict=True):
        x = forms_at(forms, theta)
        # The integrator's tolerance times the condition of the metric, below 1e3 along this path.
        assert np.linalg.cond(potential.decayed(decay).metric(x)) < 1e3
        np.testing.assert_allclose(potential.decayed(decay).gradient(x), -accumulated, atol=1e-8)
        np.testing.assert_allclose(potential.decayed(decay).parameters(-accumulated), theta, atol=1e-9)


def test_matrix_sensing_ends_at_the_minimizer_of_the_potential():
    """If X = U Uᵀ is observed by ⟨M_i, X⟩ with commuting M_i, the flow of U ends at the X of least R that fits.

    The weight x is the diagonal of X in the common eigenbasis of the M_i; the observations are Zx.
    """
    size, rank, count = 5, 4, 2
    generator = np.random.default_rng(3)
    vectors = ortho_group.rvs(size, random_state=4)
    Z = generator.uniform(0.2, 1.5, (count, size))
    sensing = np.einsum("pj,kj,qj->kpq", vectors, Z, vectors)
    start = 0.3 * generator.normal(size=(size, rank))
    observed = Z @ np.array([2.0, 0.0, 0.0, 1.0, 0.1])

    def field(_, flat):
        U = flat.reshape(size, rank)
        residual = np.einsum("kpq,pq->k", sensing, U @ U.T) - observed
        return (-2 / count * np.tensordot(residual, sensing, axes=1) @ U).ravel()

    U = solve_ivp(field, (0, 200.0), start.ravel(), method="DOP853", rtol=1e-11, atol=1e-12).y[:, -1]
    X = U.reshape(size, rank) @ U.reshape(size, rank).T
    np.testing.assert_allclose(np.einsum("kpq,pq->k", sensing, X), observed, atol=1e-9)  # the loss is zero
    reached = np.diag(vectors.T @ X @ vectors)

    # x_j = v_jᵀ X v_j = ½ θᵀ (2 v_j v_jᵀ ⊗ 1) θ with θ = vec(U).
    projections = np.einsum("pj,qj->jpq", vectors, vectors)
    potential = ib.QuadraticForms([2 * np.kron(P, np.eye(rank)) for P in projections], theta0=start.ravel())
    found = minimize(
        lambda x: float(potential.value(x)),
        reached + np.linalg.svd(Z)[2][count:].T @ np.full(size - count, 0.01),  # feasible, but not the answer
        jac=potential.gradient,
        constraints={"type": "eq", "fun": lambda x: Z @ x - observed, "jac": lambda _: Z},
        bounds=[(1e-9, None)] * size,
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 500},
    )
    # The optimizer stops at relative changes of 1e-15 in R, which is quadratic around its minimizer: 1e-7 in x.
    np.testing.assert_allclose(found.x, reached, atol=1e-6)
    # R is an entropy relative to the start, up to a linear and a constant term.
    begin = np.diag(vectors.T @ start @ start.T @ vectors)

    def entropy(x):
        return np.sum(xlogy(x, x / begin) - x) / 4

    x, x2 = reached, found.x[::-1].copy()
    assert potential.value(x) - potential.value(x2) == pytest.approx(entropy(x) - entropy(x2), rel=1e-10)


def test_far_away_points_and_scales():
    """With one form per coordinate R' = ½ log(2x/θ0²) + A, also where x and the decayed scale are tiny."""
    forms = np.stack([np.diag([1.0, 0.0]), np.diag([0.0, 1.0])])
    potential = ib.QuadraticForms(forms, np.eye(2), theta0=[1.0, 1e-20])
    x = np.array([[3.0, 1e-200], [1e-12, 1e12], [1e100, 1e100]])
    for decay in (0.0, 300.0, 5000.0):
        expected = 0.5 * (np.log(2 * x) - 2 * np.log([1.0, 1e-20])) + decay
        np.testing.assert_allclose(potential.decayed(decay).gradient(x), expected, rtol=1e-12)


def test_an_ill_conditioned_point_is_solved_or_refused_but_never_wrong():
    """As two of three weights shrink to 1e-30 the metric becomes singular, and R' is exact enough or refused."""
    forms = [np.diag([1.0, 1.0, 1.0]), np.diag([1.0, -1.0, 0.5])]
    outcomes = set()
    for exponent in range(31):
        potential = ib.QuadraticForms(forms, theta0=np.array([1.0, 10.0 ** (-exponent / 2), 10.0 ** (-exponent / 2)]))
        mu = np.array([0.3, 0.2])
        x = potential.inverse_gradient(mu)
        try:
            found = potential.gradient(x)
        except (ib.DomainError, ib.SolverError):
            outcomes.add("refused")
            assert exponent >= 10
            continue
        outcomes.add("solved")
        # x is rounded to 1e-16, and the weight 10^−exponent of the smaller exponentials divides that error.
        assert np.max(np.abs(found - mu)) <= 10 * max(1e-13, 1e-15 * 10.0**exponent)
    assert outcomes == {"solved", "refused"}


CONE = ib.QuadraticForms([np.diag([1.0, 0.0, 1.0]), np.diag([0.0, 1.0, 1.0])], theta0=[1.0, 1.0, 0.5])


@pytest.mark.parametrize("x", [[-1.0, 1.0], [1.0, -1e-3], [0.0, 0.0], [1.0, 0.0], [-1.0, -1.0]])
def test_points_outside_the_cone_are_refused(x):
    assert not CONE.contains(x)
    for method in (CONE.gradient, CONE.value, CONE.metric):
        with pytest.raises(ib.DomainError, match="outside the open cone"):
            method(x)


def test_points_inside_the_cone():
    assert CONE.contains([1.0, 0.5])
    assert ib.QuadraticForms([SWAP], theta0=[1.0, 0.0]).contains([0.0])
    # A form with eigenvalues of one sign on the span of theta0 reaches one sign only.
    one_sided = ib.QuadraticForms([SWAP], theta0=[1.0, 1.0])
    assert one_sided.contains([1.0])
    with pytest.raises(ib.DomainError):
        one_sided.gradient([-1.0])


@pytest.mark.parametrize(
    ("A", "B", "theta0", "message"),
    [
        ([SWAP, np.diag([1.0, 2.0])], None, [1.0, 2.0], r"\[A\[0\], A\[1\]\]‖ = 1\.41"),
        ([SWAP], np.diag([1.0, 2.0]), [1.0, 2.0], r"\[A\[0\], B\]‖ = 1\.41"),
        ([[[0.0, 1.0], [2.0, 0.0]]], None, [1.0, 2.0], r"A\[0\]: expected a symmetric matrix"),
        ([SWAP], [[0.0, 1.0], [2.0, 0.0]], [1.0, 2.0], "B: expected a symmetric matrix"),
        ([SWAP], None, [1.0, np.nan], "theta0: 1 entry"),
        ([SWAP], None, [1.0, 2.0, 3.0], r"A: expected shape \(k, 3, 3\)"),
        (SWAP, None, [1.0, 2.0], "A: expected an array of 3 axes"),
        ([SWAP], np.eye(3), [1.0, 2.0], "B: expected shape"),
        (np.zeros((0, 2, 2)), None, [1.0, 2.0], "k >= 1"),
        ([SWAP, 2 * SWAP], None, [1.0, 2.0], "rank 1 only"),
        ([SWAP], None, [0.0, 0.0], "rank 0 only"),
        ([np.diag([1.0, 0.0]), np.diag([0.0, 1.0])], None, [1.0, 0.0], "rank 1 only"),
    ],
)
def test_bad_input_is_named(A, B, theta0, message):
    with pytest.raises(InputError, match=message):
        ib.QuadraticForms(A, B, theta0=theta0)


def test_decay_needs_a_regularizer_and_points_a_shape():
    potential = ib.QuadraticForms([SWAP], theta0=[1.0, 0.0])
    with pytest.raises(InputError, match="no regularizer"):
        potential.decayed(0.5).gradient([0.1])
    with pytest.raises(InputError, match="decay: expected a non-negative"):
        potential.decayed(-0.5).gradient([0.1])
    with pytest.raises(InputError, match=r"x: expected shape \(\.\.\., 1\)"):
        potential.gradient([0.1, 0.2])
    with pytest.raises(InputError, match="z: expected shape"):
        potential.conjugate(1.0)


def test_a_component_outside_the_span_of_the_start_does_not_enter():
    """Rounding gives the start a component of 1e-17 along the third eigenvector, which does not widen the cone."""
    basis = ortho_group.rvs(3, random_state=1)
    values = np.array([[1.0, 2.0, -1.0], [1.0, 0.5, 0.0]])
    matrices = np.einsum("pj,kj,qj->kpq", basis, values, basis)
    potential = ib.QuadraticForms(matrices, theta0=basis[:, 0] + basis[:, 1])
    with pytest.raises(ib.DomainError):
        potential.gradient([-1.0, 0.1])
    assert np.all(np.isfinite(potential.parameters([300.0, -300.0])))
