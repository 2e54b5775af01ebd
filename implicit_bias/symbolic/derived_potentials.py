"""The numerical potentials of a derivation: for given initial values, as a function of the decay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike

from implicit_bias.errors import UnsupportedError
from implicit_bias.potential import Entropy, HyperbolicEntropy, NumericalPotential, SeparablePotential
from implicit_bias.potential.separable_map import SeparableMap
from implicit_bias.symbolic.assumptions import ResultNames, real
from implicit_bias.symbolic.closed_form import ClosedForm, exponential_rate
from implicit_bias.symbolic.compiled import on_arrays
from implicit_bias.symbolic.dynamics import SteepestDescent
from implicit_bias.symbolic.parameterization import Parameterization
from implicit_bias.symbolic.regularizer_flow import RegularizerFlow
from implicit_bias.symbolic.time_limit import OPTIONAL_SECONDS, StoppedError
from implicit_bias.symbolic.worker import call


class DerivedPotentials:
    """The potentials of a derivation, by a formula where it is a hyperbolic or a plain entropy, else by integration.

    Args:
        parameterization: What was derived.
        form: The formulas that were found.
        names: The names in these formulas.
        dynamics: What moves the parameters; None for gradient flow.
    """

    def __init__(
        self, parameterization: Parameterization, form: ClosedForm, names: ResultNames, dynamics: SteepestDescent | None
    ) -> None:
        self._parameterization, self._form, self._names, self._dynamics = parameterization, form, names, dynamics

    def started_at(self, values: tuple[np.ndarray, ...]) -> Callable[[float], SeparablePotential]:
        """The potential as a function of the decay, for checked initial values, one array for each parameter."""
        if self._form.scale is not None:
            return self._hyperbolic(values)
        rate = self._exponential_rate()
        return self.integrated(values) if rate is None else self._entropy(values, rate)

    def _hyperbolic(self, values: tuple[np.ndarray, ...]) -> Callable[[float], HyperbolicEntropy]:
        def numbers(decay: float) -> tuple[np.ndarray, np.ndarray]:
            log_scale, shift = self._numbers(decay, *values)
            return np.asarray(log_scale, dtype=float), np.asarray(shift, dtype=float)

        log_scale, shift = numbers(0.0)
        base = HyperbolicEntropy(log_scale=log_scale, shift=shift, rate=float(self._form.rate))
        shrinkage = self._shrinkage
        if shrinkage is None:
            return lambda decay: base.moved(*numbers(decay))
        return lambda decay: base.shrunk(shrinkage * decay)

    def _exponential_rate(self) -> float | None:
        """The r > 0 with x(s) = argmin R · e^(r s) > 0, where x(s) is known to be a single rising exponential."""
        form = self._form
        if form.inverse_mirror_map is None or form.potential is None or form.domain != sp.Interval.open(0, sp.oo):
            return None
        try:
            return call(OPTIONAL_SECONDS, exponential_rate, form.inverse_mirror_map, sp.Symbol(self._names.dual))
        except (StoppedError, UnsupportedError):
            return None

    def _entropy(self, values: tuple[np.ndarray, ...], rate: float) -> Callable[[float], Entropy]:
        # As a sum over factors, log a stays finite where a underflows.
        factors = (factor.as_base_exp() for factor in sp.Mul.make_args(sp.factor(real(self._form.minimizer))))
        log_scale = sp.Add(*(power if base == sp.E else power * sp.log(abs(base)) for base, power in factors))
        numbers = on_arrays(self._decay_and_start, [log_scale])
        return lambda decay: Entropy(log_scale=numbers(decay, *values)[0], rate=rate)

    def integrated(self, values: tuple[np.ndarray, ...]) -> Callable[[float], NumericalPotential]:
        """The potential of the flow of ∇g from where decay alone has led."""
        names = self._parameterization.params
        base = NumericalPotential(self._curves, dict(zip(names, values, strict=True)))
        start, flow = np.stack(values), self._decaying

        @lru_cache(maxsize=4)  # a flow at fixed decay asks for the same one every time
        def make(decay: float) -> NumericalPotential:
            return base.started_at(flow(start, decay)) if decay else base

        return make

    @cached_property
    def _curves(self) -> _Curves:
        return _Curves(self._parameterization, self._dynamics)

    @cached_property
    def _decaying(self) -> RegularizerFlow:
        return RegularizerFlow(self._parameterization, self._dynamics)

    @cached_property
    def _numbers(self) -> Callable[..., tuple[np.ndarray, np.ndarray]]:
        """(decay, initial values …) ↦ (log a, b)."""
        # A logarithm of a quotient becomes a difference, as the quotient may leave the floating-point range.
        shift = sp.expand_log(real(self._form.shift), force=True)
        return on_arrays(self._decay_and_start, [real(self._form.log_scale), shift])

    @cached_property
    def _shrinkage(self) -> float | None:
        """The c with which decay multiplies the scale by e^(−cA); None if it does anything else, or moves the shift."""
        decay = real(sp.Symbol(self._names.decay))
        log_scale, shift = sp.expand_log(real(self._form.log_scale), force=True), real(self._form.shift)
        slope = -sp.diff(log_scale, decay)
        return float(slope) if slope.is_number and not shift.has(decay) else None

    @property
    def _decay_and_start(self) -> list[sp.Symbol]:
        """The decay and the initial values, declared real."""
        names = self._names
        return [real(sp.Symbol(n)) for n in (names.decay, *map(names.initial, self._parameterization.params))]


@dataclass(frozen=True)
class _Curves:
    """A parameterization as numerical potentials need it, with its curves under some dynamics, compiled once."""

    parameterization: Parameterization
    dynamics: SteepestDescent | None

    def separable_map(self) -> SeparableMap:
        return self._map

    def start(self, init: Mapping[str, ArrayLike]) -> np.ndarray:
        return self.parameterization.start(init)

    @cached_property
    def _map(self) -> SeparableMap:
        return self.parameterization.separable_map(self.dynamics)

    def __getstate__(self) -> dict[str, object]:
        """Everything but the compiled functions, which cannot be pickled."""
        return {"parameterization": self.parameterization, "dynamics": self.dynamics}
