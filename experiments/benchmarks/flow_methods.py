r"""Ways to integrate the mask's flow :math:`m' = -w\nabla f - 2\alpha_tm`, :math:`w' = -m\nabla f - 2\alpha_tw`.

All start from m_0 = √(2a), w_0 = 0; without the decay α_t this is the mirror flow of the hyperbolic entropy of scale a,
and with it the scale is :math:`ae^{-4A_t}`. The others work in (m, w), the library in the d dual variables.
Interpolation between steps is of lower order than the steps themselves, so each of the others may also end a step at
every time that is asked for; the quicker way is its entry in the table.
"""

from __future__ import annotations

# The competitors are installed by the bench extra alone, and imported where they are used.
# pyright: reportMissingImports=false
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

from implicit_bias import HyperbolicEntropy, Regression, Trajectory, derive, mirror_flow
from implicit_bias.schedule import Geometric


@dataclass(frozen=True)
class FlowTask:
    """A flow to integrate: data, initial scale a, times (k,) at which x is wanted, and the strength of its decay."""

    problem: Regression
    scale: float
    times: np.ndarray
    schedule: Geometric | None = None

    @property
    def start(self) -> np.ndarray:
        """(m_0, w_0), shape (2n,)."""
        n = self.problem.n
        return np.concatenate([np.full(n, np.sqrt(2 * self.scale)), np.zeros(n)])


@dataclass(frozen=True)
class FlowRun:
    """x at the times asked for, shape (k, n), and the number of right-hand sides."""

    x: np.ndarray
    evaluations: int


Solve = Callable[[float, float], FlowRun]  # a tolerance (relative and absolute) and a limit in seconds


@dataclass(frozen=True)
class FlowMethod:
    """A method.

    Attributes:
        name: Its name in the table.
        package: The package that it needs.
        variants: Functions that prepare a task and return what solves it.
        largest_n: The largest problem that it can do.
    """

    name: str
    package: str
    variants: Mapping[str, Callable[[FlowTask], Solve]]
    largest_n: float = np.inf


def dual(task: FlowTask, rtol: float, atol: float) -> Trajectory:
    """The library's mirror flow by its default method."""
    if task.schedule is None:
        return mirror_flow(task.problem, HyperbolicEntropy(scale=task.scale), t=task.times, rtol=rtol, atol=atol)
    init, mask = {"m": np.sqrt(2 * task.scale), "w": 0.0}, derive("m*w", "m**2 + w**2")
    return mirror_flow(task.problem, mask, init, task.times, schedule=task.schedule, rtol=rtol, atol=atol)


def ours(task: FlowTask) -> Solve:
    """The library's mirror flow, which is never so slow that it would need the limit."""

    def solve(tol: float, limit: float) -> FlowRun:
        found = dual(task, tol, tol)
        return FlowRun(found.x, found.stats.evaluations)

    return solve


def mask_field(task: FlowTask, limit: float) -> Callable[[float, np.ndarray], np.ndarray]:
    """The right-hand side in (m, w), two products with Z; raises ``TimeoutError`` when the seconds are over."""
    Z, y, d, n = task.problem.Z, task.problem.y, task.problem.d, task.problem.n
    deadline, schedule = time.perf_counter() + limit, task.schedule

    def field(at: float, state: np.ndarray) -> np.ndarray:
        if time.perf_counter() > deadline:
            raise TimeoutError
        m, w = state[:n], state[n:]
        gradient = (Z @ (m * w) - y) @ Z
        gradient *= -1 / d
        velocity = np.empty_like(state)
        np.multiply(w, gradient, out=velocity[:n])
        np.multiply(m, gradient, out=velocity[n:])
        if schedule is not None:
            velocity -= 2 * schedule.c * math.exp(-at / schedule.tau) * state
        return velocity

    return field


def scipy_interpolated(method: str) -> Callable[[FlowTask], Solve]:
    """SciPy's integrators, interpolating at the times."""

    def prepare(task: FlowTask) -> Solve:
        n = task.problem.n

        def solve(tol: float, limit: float) -> FlowRun:
            found = solve_ivp(
                mask_field(task, limit),
                (0.0, task.times[-1]),
                task.start,
                method=method,
                t_eval=task.times,
                rtol=tol,
                atol=tol,
            )
            return FlowRun((found.y[:n] * found.y[n:]).T, found.nfev)

        return solve

    return prepare


def scipy_restarted(method: str) -> Callable[[FlowTask], Solve]:
    """SciPy's integrators, restarted at every time with the step size that they had reached."""

    def prepare(task: FlowTask) -> Solve:
        n = task.problem.n

        def solve(tol: float, limit: float) -> FlowRun:
            field = mask_field(task, limit)
            at, state, step, evaluations, x = 0.0, task.start, None, 0, []
            for t in task.times:
                first = None if step is None else min(step, t - at)
                found = solve_ivp(field, (at, t), state, method=method, rtol=tol, atol=tol, first_step=first)
                steps = np.diff(found.t)
                # The last step of a piece is cut short; the one before it is what the error allows.
                step = float(max(steps[-2:]))
                at, state = t, found.y[:, -1]
                evaluations += found.nfev
                x.append(state[:n] * state[n:])
            return FlowRun(np.stack(x), evaluations)

        return solve

    return prepare


def diffrax_dopri8(stops: bool) -> Callable[[FlowTask], Solve]:
    """Diffrax, compiled for the task on the first call; compiled code cannot be stopped by the limit."""

    def prepare(task: FlowTask) -> Solve:
        import diffrax
        import jax
        from jax import numpy as jnp

        jax.config.update("jax_enable_x64", True)
        d, n = task.problem.d, task.problem.n
        data = jnp.asarray(task.problem.Z), jnp.asarray(task.problem.y)
        times, schedule = jnp.asarray(task.times), task.schedule
        solver = diffrax.Dopri8()

        def field(at, state, data):
            (m, w), (Z, y) = state, data
            gradient = (Z @ (m * w) - y) @ Z / d
            rate = 0.0 if schedule is None else 2 * schedule.c * jnp.exp(-at / schedule.tau)
            return -w * gradient - rate * m, -m * gradient - rate * w

        @jax.jit
        def integrate(tol, start, data):
            controller = diffrax.PIDController(rtol=tol, atol=tol)
            if stops:
                controller = diffrax.ClipStepSizeController(controller, step_ts=times)
            found = diffrax.diffeqsolve(
                diffrax.ODETerm(field),
                solver,
                0.0,
                task.times[-1],
                None,
                start,
                args=data,
                saveat=diffrax.SaveAt(ts=times),
                stepsize_controller=controller,
                max_steps=None,
            )
            m, w = found.ys  # pyright: ignore[reportGeneralTypeIssues]
            return m * w, found.stats["num_steps"]

        start = jnp.asarray(task.start[:n]), jnp.asarray(task.start[n:])

        def solve(tol: float, limit: float) -> FlowRun:
            x, steps = integrate(tol, start, data)
            # The last stage of a step is the first of the next.
            return FlowRun(np.asarray(x), int(steps) * (solver.tableau.num_stages - 1) + 1)

        return solve

    return prepare


def torchdiffeq_dopri8(stops: bool) -> Callable[[FlowTask], Solve]:
    """Torchdiffeq, without gradients."""

    def prepare(task: FlowTask) -> Solve:
        import torch
        import torchdiffeq

        d, n, schedule = task.problem.d, task.problem.n, task.schedule
        Z, y = torch.tensor(task.problem.Z), torch.tensor(task.problem.y)  # copies, as the problem's are read-only
        start = torch.from_numpy(task.start.reshape(2, n))
        times = torch.from_numpy(np.concatenate([[0.0], task.times]))

        def solve(tol: float, limit: float) -> FlowRun:
            deadline, count = time.perf_counter() + limit, 0

            def field(at, state):
                nonlocal count
                if time.perf_counter() > deadline:
                    raise TimeoutError
                count += 1
                gradient = (Z @ (state[0] * state[1]) - y) @ Z
                velocity = state.flip(0) * (gradient / -d)
                if schedule is None:
                    return velocity
                return velocity - 2 * schedule.c * math.exp(-float(at) / schedule.tau) * state

            options = {"step_t": times[1:]} if stops else None
            with torch.no_grad():
                found: Any = torchdiffeq.odeint(
                    field, start, times, rtol=tol, atol=tol, method="dopri8", options=options
                )
            return FlowRun((found[1:, 0] * found[1:, 1]).numpy(), count)

        return solve

    return prepare


OURS = "implicit_bias, LSODA in the dual"
DIFFRAX = "diffrax Dopri8"
DOP853 = "SciPy DOP853"
LSODA = "SciPy LSODA"
TORCHDIFFEQ = "torchdiffeq dopri8"
METHODS = (
    FlowMethod(OURS, "implicit_bias", {"": ours}),
    FlowMethod(DIFFRAX, "diffrax", {"interpolated": diffrax_dopri8(False), "stopping": diffrax_dopri8(True)}),
    FlowMethod(DOP853, "scipy", {"interpolated": scipy_interpolated("DOP853"), "stopping": scipy_restarted("DOP853")}),
    # LSODA reserves a dense Jacobian of 2n × 2n, 3 GB at n = 10,000.
    FlowMethod(LSODA, "scipy", {"interpolated": scipy_interpolated("LSODA")}, largest_n=1000),
    FlowMethod(
        TORCHDIFFEQ,
        "torchdiffeq",
        {"interpolated": torchdiffeq_dopri8(False), "stopping": torchdiffeq_dopri8(True)},
    ),
)
