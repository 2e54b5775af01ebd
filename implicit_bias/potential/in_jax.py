r"""Potentials in JAX: NumPy computes each formula in double precision, and another formula is its derivative.

A formula is a callback, so that ``jit``, ``vmap`` and derivatives work for every potential, also for an integrated one,
and float32 loses no digits to the formulas. Compiled code cannot raise an error: outside of the domain it gives inf for
R, and nan for everything else.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from implicit_bias.potential.derivative_rules import derivatives

if TYPE_CHECKING:
    from implicit_bias.potential.separable import SeparablePotential

_DUAL = ("inverse_gradient_at", "conjugate_terms_at")  # formulas of z


def evaluate(
    potential: SeparablePotential, formula: str, check: Callable[[Any, str], Any], points: dict[str, Any]
) -> jax.Array:
    """A formula of a potential at points, some of which are JAX arrays, in their precision.

    Args:
        potential: The potential.
        formula: The name of a method that takes as many arrays of one shape, and acts on each entry.
        check: Takes a point and its name, and raises an error if it cannot be used; traced points have no values, and
            are not checked.
        points: Real arrays by name, which broadcast with each other and with the potential.
    """
    for name, point in points.items():
        if not isinstance(point, Tracer):
            check(np.asarray(point, dtype=np.float64), name)
    size = () if potential.size is None else (potential.size,)
    shape = jnp.broadcast_shapes(*(np.shape(point) for point in points.values()), size)
    dtype = jnp.result_type(*points.values())
    return _formula(potential, formula, *(jnp.broadcast_to(point, shape).astype(dtype) for point in points.values()))


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _formula(potential: SeparablePotential, formula: str, *points: jax.Array) -> jax.Array:
    like = jax.ShapeDtypeStruct(points[0].shape, points[0].dtype)
    return jax.pure_callback(partial(_computed, potential, formula), like, *points, vmap_method="broadcast_all")


@_formula.defjvp
def _derivative(
    potential: SeparablePotential, formula: str, points: tuple[jax.Array, ...], tangents: tuple[jax.Array, ...]
) -> tuple[jax.Array, jax.Array]:
    at = partial(_formula, potential)
    rules = derivatives(formula, type(potential).__name__)
    # A derivative has to be linear in the tangent, so it must not depend on whether the tangent is 0.
    slopes = (_finite(rule(at, _times, *points)) for rule in rules)
    moved = [tangent * slope for tangent, slope in zip(tangents, slopes, strict=True)]
    return at(formula, *points), sum(moved[1:], moved[0])


def _computed(potential: SeparablePotential, formula: str, *points: jax.Array) -> np.ndarray:
    """Compute a formula by NumPy, with nan outside of the domain."""
    dtype = points[0].dtype
    exact = [np.asarray(point, dtype=np.float64) for point in points]
    low, high = potential.dual_domain if formula in _DUAL else potential.domain
    inside = np.all([(point > low) & (point < high) for point in exact], axis=0)
    known = 0.0 if formula in _DUAL else potential.minimizer
    with np.errstate(all="ignore"):
        found = getattr(potential, formula)(*(np.where(inside, point, known) for point in exact))
    return np.where(inside, found, np.nan).astype(dtype)


def _times(factor: jax.Array, slope: jax.Array) -> jax.Array:
    """The product; it is 0 where the factor is 0, even if the slope overflows."""
    return factor * jnp.where(factor == 0, _finite(slope), slope)


def _finite(slope: jax.Array) -> jax.Array:
    """The slope, or the largest number where it overflows, so that 0 times it is 0."""
    largest = jnp.finfo(slope.dtype).max
    return jnp.clip(slope, -largest, largest)
