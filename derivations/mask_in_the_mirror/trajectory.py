"""One trained weight x = m w, integrated straight from the definition of its flow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.integrate import solve_ivp


@dataclass(frozen=True)
class Instance:
    """One trained weight: initial values, target of f(x) = ½(x − target)², strength α until ``off``, and flow time."""

    m0: float = 1.0
    w0: float = 0.0
    target: float = 1.0
    alpha: float = 0.0
    time: float = 1.0
    off: float = np.inf

    def velocity(self, state: np.ndarray, alpha: float) -> list[float]:
        """The velocity of m, w and L, by the definition of the flow alone."""
        m, w, _ = state
        pull = m * w - self.target
        return [-w * pull - 2 * alpha * m, -m * pull - 2 * alpha * w, pull]

    def path(self, times: np.ndarray) -> np.ndarray:
        """m, w and L, shape (3, k), at k increasing times."""
        state, found, begin = np.array([self.m0, self.w0, 0.0]), [], 0.0
        # The strength jumps at ``off``, where the integrator has to start anew.
        for alpha, stop in ((self.alpha, min(self.off, times[-1])), (0.0, times[-1])):
            leg = times[(times > begin) & (times <= stop)] if begin else times[times <= stop]
            if stop > begin:
                path = solve_ivp(
                    lambda t, state, alpha=alpha: self.velocity(state, alpha),
                    (begin, stop),
                    state,
                    "DOP853",
                    np.unique(np.append(leg, stop)),
                    rtol=1e-12,
                    atol=1e-13,
                )
                if not path.success:
                    raise RuntimeError(path.message)
                found.append(path.y[:, : len(leg)])
                state, begin = path.y[:, -1], stop
        return np.concatenate(found, axis=1)

    def end(self) -> dict[str, float]:
        """The trajectory's end: x, its velocity, L, A and the slope f'(x), by the definition of the flow alone."""
        state = self.path(np.array([self.time]))[:, 0]
        m, w, total = (float(v) for v in state)
        alpha = self.alpha if self.time <= self.off else 0.0
        m_velocity, w_velocity, pull = (float(v) for v in self.velocity(state, alpha))
        return {
            "x": m * w,
            "x_velocity": m_velocity * w + m * w_velocity,
            "L": total,
            "A": self.alpha * min(self.time, self.off),
            "alpha": alpha,
            "slope": pull,
            "u0": (self.m0 + self.w0) / np.sqrt(2),
            "v0": (self.m0 - self.w0) / np.sqrt(2),
        }
