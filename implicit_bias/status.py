"""How a numerical computation ended."""

from __future__ import annotations

from enum import Enum
from typing import Any, Protocol, TypeVar


class Status(Enum):
    """How a solver ended; ``status.advice`` says what to do."""

    CONVERGED = "converged"
    MAX_ITERATIONS = "max_iterations"
    STALLED = "stalled"
    INFEASIBLE = "infeasible"
    STEP_SIZE = "step_size"
    NOT_FINITE = "not_finite"
    UNSTABLE = "unstable"
    DEGENERATE = "degenerate"

    @property
    def advice(self) -> str:
        """One sentence for the user."""
        return _ADVICE[self]


_ADVICE = {
    Status.CONVERGED: "The requested tolerance was reached; of a flow or a run, its last time or step.",
    Status.MAX_ITERATIONS: (
        "The limit on steps was reached: raise it, loosen the tolerance, improve the start, or use mirror_flow."
    ),
    Status.STALLED: (
        "Rounding errors stop further progress, or no x in the domain of the potential satisfies Zx = y: loosen tol, "
        "rescale Z and y, or compare with the domain."
    ),
    Status.INFEASIBLE: "y is not in the range of Z, up to rounding, and no x solves Zx = y: project y onto the range.",
    Status.STEP_SIZE: "The integrator's step fell below rounding: loosen rtol, shorten t, or use another method.",
    Status.NOT_FINITE: (
        "A value left the floating-point range: rescale the data, or shorten the time or the step (the learning rate)."
    ),
    Status.UNSTABLE: (
        "The step is beyond the critical one, where training ends elsewhere than a flow: shorten it, or run it."
    ),
    Status.DEGENERATE: (
        "Several points minimize the loss over the weights that may move, and orders below the leading one choose "
        "among them: perturb Z, or take a small finite scale."
    ),
}


class SolverError(RuntimeError):
    """A solver failed, and was called with ``throw=True``.

    Attributes:
        result: The solver's result, with its status and everything it computed before it failed.
    """

    def __init__(self, message: str, result: Any) -> None:
        super().__init__(message)
        self.result = result

    def __reduce__(self) -> tuple:
        """Make the error picklable, notes included, so that a worker process can hand it to its parent."""
        return type(self), (str(self), self.result), vars(self)


class _Ended(Protocol):
    @property
    def status(self) -> Status: ...


Result = TypeVar("Result", bound=_Ended)


def settle(result: Result, throw: bool, what: str, advice: str | None = None) -> Result:
    """Return ``result``, or raise :class:`SolverError` if it has not converged and ``throw`` is set.

    Args:
        result: The result of a solver.
        throw: Whether to raise.
        what: The solver, for the message.
        advice: A sentence for this case, in place of the status's own.
    """
    if throw and result.status is not Status.CONVERGED:
        raise SolverError(f"{what} ended as {result.status.value}. {advice or result.status.advice}", result)
    return result
