"""Plots draw the very numbers of the result, on the axes that were given or pyplot's own."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

import implicit_bias as ib
from implicit_bias import plotting
from implicit_bias.errors import InputError


@pytest.fixture
def ax():
    return Figure().subplots()


@pytest.fixture(scope="module")
def problem():
    return ib.Regression.sample(4, 12, 2, seed=0)


@pytest.fixture
def pyplot():
    plt.close("all")
    yield plt
    plt.close("all")


def test_a_potential_draws_its_values(ax):
    R = ib.HyperbolicEntropy(scale=0.3, shift=0.5)
    assert R.plot(ax=ax) is ax
    (line,) = ax.lines
    x, values = line.get_data()
    assert np.array_equal(values, R.value(x[:, None]))
    assert x[0] < -1.9
    assert x[-1] > 1.9


def test_a_potential_draws_given_weights_with_options(ax):
    R = ib.Entropy(scale=1.0)
    R.plot([0.5, 1.0, 3.0], ax, color="red", label="entropy")
    assert ax.lines[0].get_xdata().tolist() == [0.5, 1.0, 3.0]
    assert ax.lines[0].get_color() == "red"
    assert ax.lines[0].get_label() == "entropy"
    with pytest.raises(ib.DomainError):
        R.plot([-1.0], ax)
    with pytest.raises(InputError, match="axis"):
        R.plot([[1.0]], ax)


def test_normalized_potentials_show_their_shapes(ax):
    """Between 0 at the minimizer and 1: a parabola at a large scale, |x| at a small one, whatever their values are."""
    x = np.linspace(-1, 1, 201)
    for scale, shape in ((1e8, x**2), (1e-300, np.abs(x))):
        ib.HyperbolicEntropy(scale=scale).plot(x, ax, normalize=True)
        np.testing.assert_allclose(ax.lines[-1].get_ydata(), shape, atol=5e-3)
    shifted = ib.HyperbolicEntropy(scale=[0.1, 2.0], shift=[0.7, -0.4])
    shifted.plot(ax=ax, normalize=True)
    for line in ax.lines[-2:]:
        values = line.get_ydata()
        assert np.max(values) == 1.0
        assert 0 <= np.min(values) < 1e-3
    assert "min" in ax.get_ylabel()


def test_potentials_on_the_same_axes_can_be_told_apart(ax):
    """They go from light to dark, as ordered settings do, and on with other dashes."""
    for scale in np.geomspace(1, 1e-7, 8):
        ib.HyperbolicEntropy(scale=scale).plot(ax=ax, normalize=True)
    assert [line.get_color() for line in ax.lines] == 2 * plotting.sequence(4)
    assert len({(line.get_color(), line.get_linestyle()) for line in ax.lines}) == 8


def test_the_window_is_inside_the_domain_and_shows_the_minimizer(ax):
    for minimizer in (0.01, 50.0):
        R = ib.Entropy(scale=minimizer)
        R.plot(ax=ax)
        x = ax.lines[-1].get_xdata()
        assert 0 < x[0] < minimizer < x[-1]


def test_coordinates_that_differ_are_drawn_once(ax):
    R = ib.HyperbolicEntropy(scale=[0.1, 0.1, 0.1, 2.0])
    R.plot(ax=ax)
    assert len(ax.lines) == 2
    for line, i in zip(ax.lines, (0, 3), strict=True):
        assert line.get_label() == f"coordinate {i}"
        x, values = line.get_data()
        assert np.array_equal(values, R.terms(np.tile(x[:, None], 4))[:, i])


def test_a_potential_of_many_weights(ax):
    ib.HyperbolicEntropy(log_scale=np.linspace(-5, 0, 20_000)).plot(ax=ax)
    assert len(ax.lines) == 6
    assert ax.lines[-1].get_label() == "coordinate 19999"


def test_a_domain_for_each_coordinate(ax):
    difference = ib.Parameterization("log(u) - log(v)", "u,v")
    R = ib.NumericalPotential(difference, {"u": [1.0, 2.0], "v": [1.0, 1.0]})
    R.plot(ax=ax)
    assert len(ax.lines) == 2


def test_a_flow_draws_its_weights_and_its_loss(problem, ax):
    flow = ib.mirror_flow(problem, ib.HyperbolicEntropy(scale=0.1), t=[1.0, 10.0, 1000.0])
    assert flow.plot(ax, label="flow") is ax
    assert len(ax.lines) == 12
    for line, weights in zip(ax.lines, flow.x.T, strict=True):
        assert np.array_equal(line.get_xdata(), flow.t)
        assert np.array_equal(line.get_ydata(), weights)
    assert [text.get_text() for text in ax.legend().get_texts()] == ["flow"]
    assert ax.get_xscale() == "log"
    assert flow.plot_loss(ax) is ax
    assert np.array_equal(ax.lines[-1].get_ydata(), flow.loss)
    assert ax.get_yscale() == "log"


def test_of_many_weights_the_largest_are_drawn(ax):
    Z = np.linspace(0.1, 1.0, 300)[None, :]
    flow = ib.mirror_flow(ib.Regression(Z, [1.0]), ib.HyperbolicEntropy(scale=1.0), t=[1.0, 2.0])
    flow.plot(ax)
    assert len(ax.lines) == 100
    assert np.array_equal(ax.lines[-1].get_ydata(), flow.x[:, 299])
    assert np.array_equal(ax.lines[0].get_ydata(), flow.x[:, 200])


def test_a_projection_draws_its_weights(problem, ax):
    limit = ib.bregman_projection(problem, ib.HyperbolicEntropy(scale=0.1))
    assert limit.plot(ax, color="red") is ax
    assert np.array_equal(ax.lines[0].get_ydata(), limit.x)
    (stems,) = ax.collections
    assert np.array_equal([segment[1, 1] for segment in stems.get_segments()], limit.x)


def test_a_transition_draws_decreasing_scales(problem, ax):
    path = ib.transition(problem, log_scales=[-50.0, 5.0, -5.0])
    assert path.plot(ax) is ax
    assert ax.lines[3].get_xdata().tolist() == [5.0, -5.0, -50.0]
    assert np.array_equal(ax.lines[3].get_ydata(), path.x[[1, 2, 0], 3])
    path.plot(ax)
    assert ax.xaxis.get_inverted()


def test_a_path_of_saddles_draws_steps(problem, ax):
    path = ib.saddle_to_saddle(problem)
    assert path.plot(ax) is ax
    x, weights = ax.lines[0].get_data()
    assert ax.lines[0].get_drawstyle() == "steps-post"
    assert x[:-1].tolist() == [0.0, *path.times]
    assert weights[:-1].tolist() == path.x[:, 0].tolist()
    assert path.times[-1] < x[-1] <= path.horizon


def test_without_axes_calls_share_one_plot(problem, pyplot):
    before = dict(plt.rcParams)
    first = ib.HyperbolicEntropy(scale=0.1).plot()
    second = ib.HyperbolicEntropy(scale=1.0).plot()
    assert first is second
    assert len(first.lines) == 2
    assert pyplot.get_fignums() == [1]
    assert dict(plt.rcParams) == before


def test_options_have_short_names_too(problem, ax):
    R = ib.HyperbolicEntropy(scale=0.1)
    flow = ib.mirror_flow(problem, R, t=[1.0, 2.0])
    limit = ib.bregman_projection(problem, R)
    path = ib.transition(problem, log_scales=[0.0, -5.0])
    for plot in (R.plot, flow.plot, flow.plot_loss, limit.plot, path.plot):
        for options in (
            {"c": "r", "lw": 2, "ls": "--", "ms": 3},
            {"color": "r", "linewidth": 2, "linestyle": "--", "markersize": 3},
        ):
            plot(ax=ax, **options)
            line = ax.lines[-1]
            assert line.get_color() == "r"
            assert (line.get_linewidth(), line.get_linestyle(), line.get_markersize()) == (2, "--", 3)
