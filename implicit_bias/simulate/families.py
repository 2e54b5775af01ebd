"""The potentials of the flows of a parameterization, derived when they are first needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from implicit_bias.errors import InputError, NotCommutingError, UnsupportedError
from implicit_bias.potential import QuadraticForms
from implicit_bias.potential.family import Family
from implicit_bias.simulate.effective import pulled_back, quadratic_matrix
from implicit_bias.symbolic.derivation import Derivation, derive
from implicit_bias.symbolic.parameterization import Parameterization
from implicit_bias.validation import FloatArray


@dataclass(frozen=True, eq=False)
class DerivedFamilies:
    """The potentials of flows from given starts, derived when they are first needed.

    Attributes:
        parameterization: x = g(θ) with its regularizer.
        init: Initial values by name, each of shape (n,), or () if the weights share their parameters; with an axis
            (runs,) in front if there are several runs.
    """

    parameterization: Parameterization
    init: Mapping[str, FloatArray]

    def __call__(self, run: int | None = None) -> Family:
        """The family of potentials of a run, from its start.

        Raises:
            UnsupportedError: If the flow has no potential, or none is known.
            DomainError: If the start lies outside the region of the derivation.
        """
        return self.started({name: value if run is None else value[run] for name, value in self.init.items()})

    def started(self, init: Mapping[str, FloatArray]) -> Family:
        """The family of potentials of another start.

        Args:
            init: Initial values of one run by name, each of shape (n,), or () if the weights share their parameters.

        Raises:
            UnsupportedError: As for the start of a run.
            DomainError: As for the start of a run.
        """
        if not self.parameterization.separable:
            return quadratic_forms(self.parameterization, init).decayed
        return self._derivation.family(init)

    def pulled_back(
        self, parameters: Mapping[str, FloatArray], accumulated_gradient: FloatArray, decay: float
    ) -> dict[str, FloatArray]:
        """The start from which the flow leads to some parameters, by name.

        Args:
            parameters: θ of one run by name.
            accumulated_gradient: L, shape (n,).
            decay: A.

        Raises:
            UnsupportedError: If the flow has no potential, or the start was not found.
            DomainError: If rounding has moved the parameters out of the region of the derivation.
        """
        self.started(parameters)  # refuses fields that do not commute, for which the order of the flows would matter
        names = self.parameterization.params
        theta = np.stack([parameters[name] for name in names])
        found = pulled_back(self.parameterization, theta, accumulated_gradient, decay)
        return dict(zip(names, found, strict=True))

    @cached_property
    def _derivation(self) -> Derivation:
        try:
            return derive(self.parameterization)
        except NotCommutingError as error:
            raise UnsupportedError(f"These dynamics have no potential: {error}") from error


def quadratic_forms(parameterization: Parameterization, init: Mapping[str, FloatArray]) -> QuadraticForms:
    """The potential of a coupled parameterization with commuting quadratic forms as outputs.

    Args:
        parameterization: x = g(θ) with its regularizer, which has to be a quadratic form too.
        init: One number for each parameter.

    Raises:
        UnsupportedError: If a formula is not a quadratic form, or the forms do not commute.
    """
    h = parameterization.regularizer
    forms = [quadratic_matrix(output, parameterization) for output in parameterization.outputs]
    decaying = None if h is None else quadratic_matrix(h, parameterization)
    start = [float(init[name]) for name in parameterization.params]
    try:
        return QuadraticForms(forms, decaying, theta0=start)
    except InputError as error:
        raise UnsupportedError(f"No potential of these dynamics is known: {error}") from error
