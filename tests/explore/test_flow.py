"""The flow in the picture: accurate where double precision allows it, and marked where it does not."""

import numpy as np
import pytest

import implicit_bias as ib
from implicit_bias.explore import Setting, compute
from implicit_bias.explore.flow import _turns
from implicit_bias.explore.scene import started_at


def started(formula, scale, h=None, decay=0.0):
    names = ib.Parameterization(formula).params
    return Setting(formula, {name: (scale * (name != "w"), scale * (name != "w")) for name in names}, h, decay)


@pytest.mark.parametrize(
    "setting",
    [
        started("u**2 - v**2", 1e4),
        started("m*w", 1e4),
        started("m*w", 1e4, "m**2 + w**2", 0.5),
        started("u**4 - v**4", 100.0),
        started("u**2", 1e4),
    ],
    ids=lambda setting: setting.formula,
)
def test_a_large_start_gives_a_smooth_curve_that_arrives(setting):
    """Weights are differences of numbers up to 1e8 times as large, and move without turning back."""
    scene = compute(setting)
    length = np.linalg.norm(scene.landing - scene.start)
    assert scene.resolved
    assert scene.gap < 1e-5 * length
    if not setting.decay:
        moves = np.diff(scene.path, axis=0) * np.sign(scene.landing - scene.start)
        assert np.min(moves) > -1e-5 * length


def test_a_flow_that_rounding_hides_is_marked():
    """One rounding error of u = 1000 moves u⁴ by 4·10⁹·10⁻¹³."""
    scene = compute(started("u**4 - v**4", 1e3))
    assert not scene.resolved
    assert np.dot(scene.setting.z, scene.landing) == pytest.approx(2.0)


def test_turning_back_is_seen():
    rising = np.linspace(0.0, 1.0, 20)
    assert not _turns(rising, 1e-3)
    assert not _turns(-rising, 1e-3)
    assert not _turns(rising + 5e-4 * (-1.0) ** np.arange(20), 2e-3)
    assert _turns(rising + 0.05 * (-1.0) ** np.arange(20), 1e-3)


@pytest.mark.parametrize("start", [{"u": (1.0, 1.0), "v": (0.1, 0.1)}, {"u": (0.5, 1.0), "v": (0.7, 0.2)}])
def test_the_exponent_at_the_landing_lies_on_its_curve(start):
    """Below the minimizer R bends otherwise than above it, and the landing may be on either side."""
    for y in (2.0, -2.0):
        scene = compute(Setting("u**3 - v**3", start, y=y))
        for k in range(2):
            distance = abs(scene.landing[k] - scene.minimizer[k])
            on_curve = np.interp(np.log(distance), np.log(scene.distance[k]), scene.exponent[k])
            assert scene.landing_exponent[k] == pytest.approx(on_curve, abs=1e-9)
            exact = ib.derive("u**3 - v**3").at({name: [values[k]] for name, values in start.items()})
            (p,) = exact.effective_exponent([scene.landing[k] - scene.minimizer[k]])
            assert scene.landing_exponent[k] == pytest.approx(p, abs=1e-5)


def test_a_dragged_start_keeps_the_potential():
    setting = Setting("a*b*c", {"a": (0.5, 0.5), "b": (0.4, 0.4), "c": (0.6, 0.6)})
    moved = compute(started_at(setting, (0.4, 0.2)), ((-1.0, 1.0), (-1.0, 1.0)))
    start = {name: values[0] for name, values in moved.setting.init.items()}
    exact = ib.NumericalPotential(ib.Parameterization("a*b*c"), start)
    np.testing.assert_allclose(moved.mirror_map[0], exact.gradient(moved.x[0]), atol=1e-6 * np.ptp(moved.mirror_map[0]))
