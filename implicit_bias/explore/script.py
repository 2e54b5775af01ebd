"""The Python lines that make a picture again."""

from __future__ import annotations

from implicit_bias.explore.setting import Setting


def script(setting: Setting) -> str:
    """Return lines that compute and draw a setting by the library's public names; formulas stay strings in them."""
    values = {name: tuple(float(value) for value in pair) for name, pair in setting.init.items()}
    decays = setting.regularizer is not None
    schedule = f"ib.schedule.Geometric({float(setting.decay)!r}, 1.0)" if decays else "None"
    return f"""\
import implicit_bias as ib
import matplotlib.pyplot as plt
import numpy as np

parameterization = ib.Parameterization({setting.formula!r}, {list(setting.init)!r}, regularizer={setting.regularizer!r})
init = {values!r}  # of the two weights
decay = {float(setting.decay)!r}
schedule = {schedule}  # the same decay in all, spent as exp(-t)
problem = ib.Regression([{list(map(float, setting.z))!r}], [{float(setting.y)!r}])

derivation = ib.derive(parameterization)
potential = derivation.at(init, decay)
limit = ib.bregman_projection(problem, potential)  # argmin R on the line: where the flow ends
flow = ib.gradient_flow(problem, parameterization, init, np.geomspace(1e-4, 1e3, 400), schedule=schedule)
run = ib.descent(problem, parameterization, init, {float(setting.step)!r}, 500, schedule=schedule, throw=False)

print(derivation)
print("the flow ends at", flow.x[-1])
print("argmin R on the line", limit.x)
print("the run ends at", run.x[-1])

center = np.broadcast_to(potential.minimizer, 2)
reach = 1.3 * max(np.abs(limit.x - center).max(), np.abs(flow.x).max()) or 1.0
low, high = (np.broadcast_to(end, 2) for end in potential.domain)
left, right = np.maximum(center - reach, low + 1e-3 * reach), np.minimum(center + reach, high - 1e-3 * reach)
axes = np.linspace(left, right, 121).T
excess = potential.divergence(np.stack(np.meshgrid(*axes), -1), center)  # R - min R
level = float(potential.divergence(limit.x, center))
plt.contour(*axes, excess, levels=np.unique(level * np.array([0.1, 0.3, 0.6, 1, 1.5, 2, 3])) if level > 0 else 9)
plt.axline(limit.x, limit.x + [-problem.Z[0, 1], problem.Z[0, 0]], color="black", ls="--", label="z·x = y")
plt.plot(*flow.x.T, label="gradient flow")
plt.plot(*run.x.T, ".", ms=3, label="gradient descent")
plt.plot(*limit.x, "o", ms=9, mfc="none", label="argmin R on the line")
plt.xlim(axes[0][[0, -1]])
plt.ylim(axes[1][[0, -1]])
plt.legend()
plt.savefig("picture.png")
"""
