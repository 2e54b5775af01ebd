"""Where does my run end? The flow's limit, a prediction from the step, and the exact limit of a run that was made."""

# pyright: reportUnusedExpression=false

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="Where does my run end?")


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    # Where does my run end?

    Theory is written for gradient *flow*, and you train in *steps*, with momentum, in mini-batches. Three answers tell
    where such a run ends, each for another moment: the **flow's limit**, which knows nothing of the step; a
    **prediction** from the step, to second order, before you run anything; and the **exact limit** of a run that you
    have made, at any step, as its own gradients tell it.
    """)
    return


@app.cell
def _():
    import marimo as mo
    import matplotlib.pyplot as plt
    import numpy as np

    import implicit_bias as ib
    from implicit_bias import plotting

    return ib, mo, np, plotting, plt


@app.cell
def _(ib, np):
    problem = ib.Regression.sample(d=20, n=50, sparsity=3, seed=0)  # yours: ib.Regression(Z, y)
    mask = ib.Parameterization("m*w", regularizer="m**2 + w**2")
    init = {"m": np.ones(problem.n), "w": np.zeros(problem.n)}
    schedule = ib.schedule.Geometric(0.5, tau=1.0)  # decay for the first few units of flow time, step times steps
    return init, mask, problem, schedule


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Before the run: predict

    `ib.training_limit` follows the flow once and adds what steps of size $\eta$ change, to second order. Choose a step.
    """)
    return


@app.cell
def _(mo):
    step = mo.ui.slider(0.05, 1.5, step=0.05, value=0.2, show_value=True, label=r"step $\eta$")
    step
    return (step,)


@app.cell
def _(ib, init, mask, problem, schedule, step):
    predicted = ib.training_limit(problem, mask, init, step=step.value, schedule=schedule)
    predicted
    return (predicted,)


@app.cell(hide_code=True)
def _(mo, np, predicted):
    mo.md(rf"""
    The steps move the end by up to {np.abs(predicted.x - predicted.flow.x).max():.2g} from the flow's limit. Beyond the
    critical step, {predicted.critical_step:.3g}, training is not stable at the flow's limit; a prediction for such a
    step has the status UNSTABLE and no numbers.

    ## After the run: ask it

    Now train, with six steps side by side. Each run has accumulated gradients $L$ and decay $A$; pulled back
    along the flow by them, it says from which start a *flow* would have arrived where the run is. That is its
    `effective_init()`, and `limit()` is the Bregman projection from there. It uses no approximation in the step.
    """)
    return


@app.cell
def _(ib, init, mask, np, problem, schedule):
    steps = np.array([0.05, 0.1, 0.2, 0.4, 0.8, 1.2])
    runs = ib.descent(problem, mask, init, steps, 10_000, schedule=schedule)
    predictions = [ib.training_limit(problem, mask, init, step=eta, schedule=schedule) for eta in steps]
    exact = [runs.limit(run=k) for k in range(len(steps))]

    def off(ends):
        """The largest distance of a weight from where the runs are, one number for each run."""
        return np.array([np.abs(x - end).max() for x, end in zip(runs.x[-1], ends, strict=True)])

    distances = {
        "flow": off([found.flow.x for found in predictions]),
        "prediction": off([found.x for found in predictions]),
        "own": off([limit.x for limit in exact]),
    }
    return distances, exact, runs, steps


@app.cell(hide_code=True)
def _(distances, plotting, plt, steps):
    with plotting.style():
        _figure, _axes = plt.subplots(figsize=(5.0, 2.8), layout="constrained", dpi=150)
        for _key, _name, _colour, _marker, _above in (
            ("flow", "off the flow's limit", "flow", "o", 7),
            ("prediction", "off the prediction", "prediction", "s", -13),
            ("own", "off its own limit", "projection", "D", 7),
        ):
            _look = {"color": plotting.COLOURS[_colour]}
            _axes.plot(steps, distances[_key], marker=_marker, ms=4, **_look)
            _axes.annotate(_name, (steps[1], distances[_key][1]), (0, _above), textcoords="offset points", **_look)
        _axes.set(
            xscale="log",
            yscale="log",
            xlabel=r"step $\eta$",
            ylabel="largest distance from the run's end",
            ylim=(1e-17, 1e2),
        )
    plotting.Picture(
        _figure,
        "Largest distance of a weight from the end of the run, against the step, on logarithmic axes. From the flow's "
        f"limit it grows with the step, from {distances['flow'][0]:.0e} to {distances['flow'][-1]:.0e}; "
        f"from the prediction with its square, from {distances['prediction'][0]:.0e} to "
        f"{distances['prediction'][-1]:.0e}; from the run's own limit it is rounding at every step.",
    )
    return


@app.cell(hide_code=True)
def _(distances, exact, mo, np, runs):
    mo.md(rf"""
    As long as steps are small, half the step halves the distance from the flow's limit and quarters that from the
    prediction. The distance from a
    run's own limit is at most {distances["own"].max():.0e} (the limits are known to
    {max(limit.error_bound for limit in exact):.0e}): **a run that fits its data has arrived where its own effective
    start belongs**, at any of these steps.

    What did the step do? With strength $\alpha$ and gradient $g$, it multiplies the scale of a weight by
    $(1 - 2\eta\alpha)^2 - \eta^2 g^2$, where the flow has $e^{{-4\eta\alpha}}$. So steps act like decay, more so where
    the loss has pulled harder. The *gain* is how much this adds up to in the logarithm: from
    {float(np.min(runs.gain(run=len(exact) - 1))):.2g} to {float(np.max(runs.gain(run=len(exact) - 1))):.2g} at the
    largest step here.
    """)
    return


@app.cell(hide_code=True)
def _(np, plotting, plt, runs, steps):
    with plotting.style():
        _figure, _axes = plt.subplots(figsize=(5.0, 2.6), layout="constrained", dpi=150)
        _shown = (1, 3, 5)
        for _shade, _k in zip(plotting.sequence(len(_shown)), _shown, strict=True):
            _gain = np.sort(runs.gain(run=_k))[::-1]
            _axes.plot(np.arange(1, len(_gain) + 1), _gain, ".", ms=4, color=_shade, label=f"η = {steps[_k]:g}")
        _axes.set(yscale="log", xlabel="weights, the largest gain first", ylabel="gain")
        _axes.legend()
    plotting.Picture(
        _figure,
        f"Gain of each of the {runs.x.shape[-1]} weights for the steps {', '.join(f'{steps[k]:g}' for k in _shown)}, "
        "sorted, on a logarithmic axis. Larger steps have larger gains, and in each run a few weights gain more than "
        "the rest.",
    )
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Momentum and mini-batches

    The same two calls take `optimizer=ib.SGD(0.9)`, Nesterov's variant and `batch_size=`. With momentum $\beta$, steps
    of size $\eta$ move the end like plain steps of size $\eta\,(1 + \beta)/(1 - \beta)^2$, which is 190 times as much
    at $\beta = 0.9$. Mini-batches are random: the prediction is for the mean over seeds.
    """)
    return


@app.cell
def _(ib, init, mask, mo, np, problem):
    ways = {
        "plain, η = 0.1": (0.1, {}),
        "heavy ball, β = 0.9, η = 0.001": (0.001, {"optimizer": ib.SGD(0.9)}),
        "Nesterov, β = 0.9, η = 0.001": (0.001, {"optimizer": ib.SGD(0.9, nesterov=True)}),
        "mini-batches of 5, η = 0.05": (0.05, {"batch_size": 5}),
    }
    gaps = {}
    for _name, (_step, _way) in ways.items():
        _limit = ib.training_limit(problem, mask, init, step=_step, **_way)
        _run = ib.descent(problem, mask, init, _step, 20_000, **_way)
        _ends = {"flow": _limit.flow.x, "prediction": _limit.x, "own": _run.limit().x}
        gaps[_name] = {key: float(np.abs(_run.x[-1] - end).max()) for key, end in _ends.items()}
    _rows = [
        f"| {name} | {gap['flow']:.1e} | {gap['prediction']:.1e} | {gap['own']:.0e} |" for name, gap in gaps.items()
    ]
    mo.md(
        "\n".join([
            "| run | off the flow's limit | off the prediction | off its own limit |",
            "|---|---|---|---|",
            *_rows,
        ])
    )  # fmt: skip
    return (gaps,)


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Beyond the critical step

    `ib.critical_step` is the largest step at which training stays near a limit: 2 over the largest curvature of the
    loss in the parameters there. What does a run do whose step is larger than that of the flow's limit? It cannot
    stay there. We train without decay, with steps from a quarter of the critical one to nearly twice.
    """)
    return


@app.cell
def _(ib, init, mask, np, problem):
    critical = ib.training_limit(problem, mask, init, step=0.01).critical_step
    factors = np.array([0.25, 0.5, 0.75, 0.9, 1.1, 1.25, 1.5, 1.75])
    bold = ib.descent(problem, mask, init, factors * critical, 5_000)
    stable_up_to = np.array([ib.critical_step(problem, bold.potential(run=k)) for k in range(len(factors))])
    bold_gap = max(float(np.abs(bold.x[-1, k] - bold.limit(run=k).x).max()) for k in range(len(factors)))
    status = ib.training_limit(problem, mask, init, step=1.25 * critical).status
    return bold_gap, critical, factors, stable_up_to, status


@app.cell(hide_code=True)
def _(critical, factors, np, plotting, plt, stable_up_to):
    with plotting.style():
        _figure, _axes = plt.subplots(figsize=(4.6, 2.7), layout="constrained", dpi=150)
        _axes.plot(factors, stable_up_to / critical, "o", ms=5, color=plotting.COLOURS["run"])
        _line = np.array([0.0, 2.0])
        _axes.plot(_line, _line, color=plotting.GREYS["guide"], lw=0.8)
        _axes.annotate(
            "the step itself", (0.55, 0.55), (4, -10), textcoords="offset points", color=plotting.GREYS["note"]
        )
        _axes.axvline(1.0, color=plotting.GREYS["guide"], lw=0.7, ls=":")
        _axes.set(xlim=(0, 2), ylim=(0, 1.1 * stable_up_to.max() / critical))
        _axes.set(xlabel="step / critical step at the flow's limit", ylabel="critical step at the run's end,\nlikewise")
    plotting.Picture(
        _figure,
        "The critical step where a run has ended against the step it was trained with, both relative to the critical "
        "step at the flow's limit. Up to 1 all ends are as sharp as the flow's limit; beyond, they are flatter, and "
        "every point lies above the diagonal: each run ends where its own step is stable.",
    )
    return


@app.cell(hide_code=True)
def _(bold_gap, critical, mo, status):
    mo.md(rf"""
    The flow's limit is stable up to {critical:.3g}. Every run ends where its *own* step is stable (above the line), if
    need be by leaving for a flatter point. The prediction says {status.name} there; the exact limit still holds, to
    {bold_gap:.0e}. That is the *edge of stability* in a model where the end can be computed.

    ## Exercise

    Train with heavy ball, $\beta = 0.5$, so that it ends as far from the flow's limit as plain steps of 0.1 do, to
    first order. Which step does it take? Check with two runs (without decay).
    """)
    return


@app.cell(hide_code=True)
def _(ib, init, mask, mo, np, problem):
    _beta = 0.5
    answer = 0.1 * (1 - _beta) ** 2 / (1 + _beta)
    _plain = ib.descent(problem, mask, init, 0.1, 5_000)
    _ball = ib.descent(problem, mask, init, answer, 15_000, optimizer=ib.SGD(_beta))
    _limit = _plain.flow_limit().x
    moved = {name: float(np.abs(run.x[-1] - _limit).max()) for name, run in (("plain", _plain), ("ball", _ball))}
    mo.md(rf"""
    /// details | Answer

    $\eta\,(1 + \beta)/(1 - \beta)^2 = 0.1$ gives $\eta = {answer:.4f}$. Plain steps end {moved["plain"]:.2e} from the
    flow's limit, heavy ball {moved["ball"]:.2e}.

    ///
    """)
    return answer, moved


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Your own run

    Put your data into `ib.Regression(Z, y)`, your formula into `ib.Parameterization`, and your optimizer into both
    calls. For a masked network of torch there is no limit to compute, since its loss is not convex, but
    `masking.MirrorRecord` gives the same effective start, gain and potential for every weight.

    *The implicit_bias developers*
    """)
    return


if __name__ == "__main__":
    app.run()
