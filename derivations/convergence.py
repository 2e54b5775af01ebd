"""The loss along the flow of m and w, on small random convex problems that are no least-squares problems."""

import numpy as np
from scipy.integrate import solve_ivp
from scipy.optimize import root

from derivations.mask import derived

SEEDS = range(3)
END = 200.0


def run(seed: int, strength: float = 0.0) -> tuple[float, float, float]:
    """Minimize f(x) = mean log cosh(Zx − y), Z of shape (12, 4), with α_t = strength · e^(−t), so A_∞ = strength.

    Returns:
        The excess f − f* at time END, its time integral up to there, and the initial value of
        W = D_{R_{a_t}}(x*, x_t) + R_{a_∞}(x*) − R_{a_t}(x*), which bounds the integral in theory.
    """
    generator = np.random.default_rng(seed)
    data, labels = generator.normal(size=(12, 4)), generator.normal(size=12)

    def loss(x: np.ndarray) -> float:
        return float(np.mean(np.log(np.cosh(data @ x - labels))))

    def gradient(x: np.ndarray) -> np.ndarray:
        return data.T @ np.tanh(data @ x - labels) / len(labels)

    minimizer = root(gradient, np.zeros(4), tol=1e-13).x
    least, init = loss(minimizer), {"m": np.ones(4), "w": np.array([0.5, -0.5, 0.0, 0.25])}

    def velocity(t: float, state: np.ndarray) -> np.ndarray:
        m, w = state[:4], state[4:8]
        slope, alpha = gradient(m * w), strength * np.exp(-t)
        return np.concatenate([-w * slope - 2 * alpha * m, -m * slope - 2 * alpha * w, [loss(m * w) - least]])

    start = np.concatenate([init["m"], init["w"], [0.0]])
    path = solve_ivp(velocity, (0, END), start, "LSODA", rtol=1e-10, atol=1e-12)
    family = derived().family(init)
    growth = family(strength).value(minimizer) - family(0.0).value(minimizer)
    bound = family(0.0).divergence(minimizer, init["m"] * init["w"]) + growth
    return loss(path.y[:4, -1] * path.y[4:8, -1]) - least, float(path.y[8, -1]), float(bound)
