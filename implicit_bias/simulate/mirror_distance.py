r"""How far a flow is from a mirror flow: the size of the Lie brackets of the fields that drive it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from implicit_bias.careful_sum import SMALLEST
from implicit_bias.errors import InputError, known_options
from implicit_bias.problem import Regression
from implicit_bias.simulate.gradient_flow import check_arguments
from implicit_bias.simulate.matrix_model import model_of
from implicit_bias.simulate.model import Model
from implicit_bias.symbolic.matrix_parameterization import MatrixParameterization
from implicit_bias.symbolic.parameterization import Parameterization
from implicit_bias.validation import FloatArray, IntArray, finite_array

_ROUNDINGS = 4 * 2.0**-52  # for each parameter, of a field and of a Hessian


@known_options
def mirror_distance(
    problem: Regression,
    parameterization: Parameterization | MatrixParameterization,
    parameters: Mapping[str, ArrayLike],
) -> FloatArray:
    r"""The distance of a flow from a mirror flow, between 0 and 1, at each of its records.

    The loss sees the weights through the predictions :math:`p_k = \langle z_k, g(\theta)\rangle` alone, one for each
    row of Z, so the flow is made of the d fields :math:`F_k = \nabla p_k`, and of :math:`\nabla h` if there is a
    regularizer. It is a mirror flow, with a potential of the weights in the row space of Z, where all of them commute
    [Li2022]_. The distance is the largest bracket relative to the size that its terms could have,

    .. math:: \max_{k<l} \frac{\|\nabla^2p_l F_k - \nabla^2p_k F_l\|}{\|\nabla^2p_l\|\,\|F_k\| + \|\nabla^2p_k\|\,
        \|F_l\|}

    with spectral norms of the Hessians. It is 0 where all fields commute: a bracket below the rounding of its own terms
    counts as 0, and one whose fields underflow, too. It does not change if a row of Z, the regularizer or all
    parameters together are measured in other units. It uses predictions rather than weights, as the entries of :math:`X
    = UU^\top` never commute, while measurements of X may. With one observation and no regularizer it is 0. At each
    record it takes d Hessians, each as large as the parameters squared, and a product for every pair.

    Args:
        problem: Data; of its loss only the predictions matter.
        parameterization: x = g(θ), with its regularizer where that acts.
        parameters: θ by name, such as ``.parameters`` of a :class:`~implicit_bias.Trajectory` of one run: each with an
            axis of records (k,) in front of its own.

    Returns:
        The distances, shape (k,).

    Raises:
        InputError: If names or shapes do not fit.

    References:
        .. [Li2022] Li, Wang, Lee, Arora, "Implicit bias of gradient descent on reparametrized models: on equivalence to
           mirror descent", NeurIPS 2022.

    >>> problem = Regression([[1.0, 0.0], [0.0, 1.0]], [0.5, 0.5])
    >>> shared = Parameterization(["a*b", "a**2"])
    >>> mirror_distance(problem, shared, {"a": [1.0], "b": [0.5]}).round(4).tolist()
    [0.5279]
    >>> mirror_distance(problem, Parameterization(["a*b", "a**2 + b**2"]), {"a": [1.0], "b": [0.5]}).tolist()
    [0.0]
    """
    check_arguments(problem, parameterization)
    if isinstance(parameterization, Parameterization):
        parameterization.start(dict.fromkeys(parameterization.params, 0.0))  # refuses constants
    model = model_of(parameterization, problem.n)
    if not isinstance(parameters, Mapping) or set(parameters) != set(model.inner):
        got = ", ".join(map(str, parameters)) if isinstance(parameters, Mapping) else type(parameters).__name__
        raise InputError(f"parameters: expected a dict with exactly {', '.join(model.inner)}, got {got or 'none'}.")
    values = {name: finite_array(parameters[name], f"parameters[{name!r}]") for name in model.inner}
    counts = {len(value) for value in values.values() if value.ndim}
    for name, shape in model.inner.items():
        if len(counts) != 1 or values[name].ndim != len(shape) + 1 or values[name].shape[1:] != shape:
            raise InputError(
                f"parameters[{name!r}]: expected shape {('k', *shape)}, an axis of records in front, got "
                f"{values[name].shape}; of a trajectory of several runs take .of_run(...)."
            )
    rows = problem.linear.adjoint(np.eye(problem.d))
    rows = np.ldexp(rows, -_exponents(rows)[:, None])  # units in which no product leaves the range
    records = range(counts.pop())
    return np.array([_largest(model, model.joined({k: v[r] for k, v in values.items()}), rows) for r in records])


def _exponents(arrays: Sequence[FloatArray] | FloatArray) -> IntArray:
    """The power of two just above the largest entry of each array; 0 for arrays of zeros."""
    return np.frexp([np.max(np.abs(array)) for array in arrays])[1]


def _largest(model: Model, theta: FloatArray, rows: FloatArray) -> float:
    """The largest relative bracket at one θ."""
    fields, hessians = list(model.gradients(theta, rows)), [model.hessian(theta, row) for row in rows]
    regularizer = model.regularizer(theta)
    if regularizer is not None:
        fields.append(regularizer[0])
        hessians.append(regularizer[1])
    # Fields and Hessians in units of their own: with small parameters a field may be far smaller than its derivative.
    of_fields, of_hessians = _exponents(fields), _exponents(hessians)
    fields = [np.ldexp(field, -unit) for field, unit in zip(fields, of_fields, strict=True)]
    hessians = [np.ldexp(hessian, -unit) for hessian, unit in zip(hessians, of_hessians, strict=True)]
    sizes = np.array([np.linalg.norm(field) for field in fields])
    bends = np.array([np.max(np.abs(np.linalg.eigvalsh(hessian))) for hessian in hessians])
    # The rounding of a field and of a Hessian, where it is that of subnormal numbers included.
    blurs = _ROUNDINGS * sizes + np.ldexp(SMALLEST, -of_fields) * (sizes > 0)
    curls = _ROUNDINGS * bends + np.ldexp(SMALLEST, -of_hessians) * (bends > 0)
    largest = 0.0
    for k, j in itertools.combinations(range(len(fields)), 2):
        terms = np.array([bends[j] * sizes[k], bends[k] * sizes[j]])
        if not np.any(terms > 0):
            continue
        units = np.array([of_hessians[j] + of_fields[k], of_hessians[k] + of_fields[j]])
        first, second = np.ldexp(1.0, np.minimum(units - np.max(units[terms > 0]), 0))
        possible = first * terms[0] + second * terms[1]
        bracket = float(np.linalg.norm(first * (hessians[j] @ fields[k]) - second * (hessians[k] @ fields[j])))
        noise = first * (bends[j] * blurs[k] + curls[j] * sizes[k])
        noise += second * (bends[k] * blurs[j] + curls[k] * sizes[j])
        if bracket > model.size * noise:
            largest = max(largest, min(bracket / possible, 1.0))
    return largest
