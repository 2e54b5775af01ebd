"""The L2-to-L1 transition: the exponent of a potential, limits over all scales, decay, and trained networks on top."""

# pyright: reportUnusedExpression=false

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="The L2-to-L1 transition")


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    # The $L_2$-to-$L_1$ transition

    Gradient descent on $x$ itself finds the solution of $Zx = y$ with the least $L_2$ norm; basis pursuit, a linear
    program, finds the one with the least $L_1$ norm, which is sparse. A weight that is trained as $x = m \odot w$
    finds everything in between. One number decides where on the way training ends, the scale $a$ of its potential,
    and weight decay turns it.
    """)
    return


@app.cell
def _():
    import marimo as mo
    import matplotlib.pyplot as plt
    import numpy as np
    from scipy.optimize import linprog

    import implicit_bias as ib
    from implicit_bias import masking, plotting

    L1_COLOUR, L2_COLOUR = plotting.COLOURS["basis pursuit"], plotting.COLOURS["minimum L2"]
    return L1_COLOUR, L2_COLOUR, ib, linprog, masking, mo, np, plotting, plt


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## A norm that changes with the size of the weight

    Around its minimum the potential $R_a$ behaves like a power of the distance $s$, with the local exponent

    $$p(s) = \frac{d \log\,(R_a(s) - R_a(0))}{d \log s}.$$

    It is 2 for $s \ll a$ and 1 for $s \gg a$. So "$L_2$ or $L_1$" is a question about the size of the weights in
    units of the scale. Move the scale and see which weights feel which norm.
    """)
    return


@app.cell
def _(mo):
    log10_scale = mo.ui.slider(-6, 2, step=1, value=-2, show_value=True, label=r"$\log_{10} a$")
    log10_scale
    return (log10_scale,)


@app.cell
def _(ib, np):
    sizes = np.geomspace(1e-8, 1e4, 241)
    exponents = {k: ib.HyperbolicEntropy(scale=10.0**k).effective_exponent(sizes) for k in range(-6, 3)}
    return exponents, sizes


@app.cell(hide_code=True)
def _(exponents, log10_scale, plotting, plt, sizes):
    with plotting.style():
        _figure, _axes = plt.subplots(figsize=(5.0, 2.5), layout="constrained", dpi=150)
        for _k, _p in exponents.items():
            _chosen = _k == log10_scale.value
            _axes.plot(
                sizes,
                _p,
                color=plotting.COLOURS["projection"] if _chosen else plotting.GREYS["background"],
                zorder=2 + _chosen,
            )
        _axes.axvline(10.0**log10_scale.value, color=plotting.GREYS["guide"], lw=0.7, ls=":")
        _axes.set(xscale="log", xlabel="size of the weight $s$", ylabel="local exponent $p(s)$", ylim=(0.95, 2.05))
        _axes.set_title(f"scale $a = 10^{{{log10_scale.value}}}$ (dotted); grey: other scales")
    plotting.Picture(
        _figure,
        "The local exponent against the size of the weight, on a logarithmic axis, for nine scales. Each curve falls "
        f"from 2 to 1 around its scale; the blue one does so at 10^{log10_scale.value}.",
    )
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## The limit, over three hundred decades

    The flow of scale $a$ ends at $\operatorname{argmin}\{R_a(x) : Zx = y\}$. `ib.transition` follows this point
    through all scales by continuation: the solution at one scale starts Newton's method at the next. It works with
    $\log a$, as $a$ itself would soon leave the range of floating-point numbers.
    """)
    return


@app.cell
def _(ib, linprog, np):
    problem = ib.Regression.sample(d=20, n=60, sparsity=3, seed=0)
    log10_scales = np.concatenate([np.linspace(5, -20, 101), np.linspace(-21, -300, 280)])
    path = ib.transition(problem, log_scales=log10_scales * np.log(10))

    # Both ends by other means: a pseudo-inverse, and a linear program in the positive and negative parts of x.
    least_l2 = np.linalg.pinv(problem.Z) @ problem.y
    _program = linprog(np.ones(2 * problem.n), A_eq=np.hstack([problem.Z, -problem.Z]), b_eq=problem.y, method="highs")
    basis_pursuit = _program.x[: problem.n] - _program.x[problem.n :]

    gap_l2 = float(np.linalg.norm(path.x[0] - least_l2) / np.linalg.norm(least_l2))
    gap_l1 = float(np.linalg.norm(path.x[-1] - basis_pursuit) / np.linalg.norm(basis_pursuit))
    l1 = np.abs(path.x).sum(axis=1) / np.abs(basis_pursuit).sum()
    l2 = np.linalg.norm(path.x, axis=1) / np.linalg.norm(least_l2)
    return (
        basis_pursuit,
        gap_l1,
        gap_l2,
        l1,
        l2,
        least_l2,
        log10_scales,
        path,
        problem,
    )


@app.cell(hide_code=True)
def _(gap_l1, gap_l2, l1, l2, log10_scales, mo, np, path):
    mo.md(rf"""
    {int(path.iterations.sum())} Newton steps gave {len(log10_scales)} limits. At $a = 10^{{{log10_scales[0]:.0f}}}$
    the limit is the pseudo-inverse's solution to a relative {gap_l2:.0e}; at $a = 10^{{{log10_scales[-1]:.0f}}}$ it
    is the linear program's to {gap_l1:.0e}. Along the way $\|x\|_1$ only falls and $\|x\|_2$ only rises; the largest
    step against that is {max(0.0, float(np.max(np.diff(l1))), float(np.max(-np.diff(l2)))):.0e}.
    """)
    return


@app.cell(hide_code=True)
def _(L1_COLOUR, l1, log10_scales, np, path, plotting, plt, problem):
    shown = log10_scales >= -20
    with plotting.style():
        _figure, (_left, _right) = plt.subplots(1, 2, figsize=(7.0, 2.6), layout="constrained", dpi=150)
        for _i in np.argsort(-np.abs(path.x).max(axis=0)):
            _in_truth = problem.truth[_i] != 0
            _left.plot(log10_scales[shown], path.x[shown, _i], lw=1.3 if _in_truth else 0.6, zorder=2 + _in_truth,
                       color=plotting.COLOURS["projection"] if _in_truth else plotting.GREYS["background"])  # fmt: skip
        _left.set(xlim=(5, -20), xlabel=r"$\log_{10} a$", ylabel="weights $x_i$", title="blue: not zero in the truth")
        _right.plot(log10_scales, np.abs(l1 - 1), color=L1_COLOUR)
        _right.set(
            yscale="log", xlim=(5, -300), xlabel=r"$\log_{10} a$", title=r"$\|x\|_1$ above its minimum, relative"
        )
    plotting.Picture(
        _figure,
        "Left, the weights against the scale, from 1e5 down to 1e-20: all are small and alike at first; then the three "
        "of the truth grow to their values, and the others shrink to zero. Right, the L1 norm above its minimum: it "
        f"falls from {l1[0] - 1:.1g} to below {max(float(np.abs(l1[-1] - 1)), 1e-15):.0e} at a scale of 1e-300.",
    )
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Decay moves along this way

    For the mask $a = \frac{m_0^2 - w_0^2}{2} e^{-4A}$, where $A$ is the decay spent so far. Starting at scale 1 and
    spending $A$ is starting at scale $e^{-4A}$: two trainings with different starts and different objectives, and the
    same end. Here are flows with four doses of decay, integrated to a late time, each compared with the limit of a
    flow that never decayed.
    """)
    return


@app.cell
def _(basis_pursuit, ib, mo, np, problem):
    mask = ib.derive(ib.Parameterization("m*w", ["m", "w"]), "m**2 + w**2")
    start = {"m": np.full(problem.n, np.sqrt(2)), "w": np.zeros(problem.n)}  # a = 1
    doses = (0.25, 0.5, 1.0, 2.0)
    flows = {
        A: ib.mirror_flow(problem, mask, start, [1e7], schedule=ib.schedule.Geometric(A, 1.0), rtol=1e-9) for A in doses
    }
    reached = {A: float(np.squeeze(mask.at({"m": np.sqrt(2), "w": 0.0}, A).scale)) for A in doses}
    undecayed = {A: ib.bregman_projection(problem, ib.HyperbolicEntropy(scale=np.exp(-4 * A))).x for A in doses}
    decay_gaps = {A: float(np.max(np.abs(flows[A].x[-1] - undecayed[A]))) for A in doses}
    _norms = {A: np.abs(flow.x[-1]).sum() / np.abs(basis_pursuit).sum() for A, flow in flows.items()}
    _rows = [f"| {A:g} | {reached[A]:.2e} | {_norms[A]:.4f} | {decay_gaps[A]:.0e} |" for A in doses]
    mo.md(
        "\n".join([
            "| decay $A$ | scale reached | $\\Vert x\\Vert_1$ / minimum | distance to the limit without decay |",
            "|---|---|---|---|",
            *_rows,
        ])
    )  # fmt: skip
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Trained networks on top

    So far nothing was trained. `masking.ensemble` runs gradient descent on many diagonal networks as one batch:
    circles start at their scale, diamonds start at scale 1 and decay to it. They have heavy-ball momentum and finite
    steps, of which the theory knows nothing, and finite time, which at small scales is the harder restriction: a
    weight leaves zero late.
    """)
    return


@app.cell
def _(basis_pursuit, ib, least_l2, masking, np, problem):
    momentum, steps = 0.9, 30_000
    trained_log10 = np.array([1.0, 0.0, -1.0, -2.0, -3.0, -4.0])
    decayed_log10 = np.array([-1.0, -2.0, -3.0, -4.0])
    start_scales = np.concatenate([10**trained_log10, np.ones(len(decayed_log10))])
    _tau = 2.0  # in steps × η; momentum makes of a dose 1/(1 − β) times as much
    _plans = [ib.schedule.Constant(0.0)] * len(trained_log10) + [
        ib.schedule.Geometric(-k * np.log(10) / 4 * (1 - momentum) / _tau, _tau) for k in decayed_log10
    ]
    networks = masking.ensemble(
        problem,
        masking.initialization(np.zeros(problem.n), start_scales),
        np.concatenate([np.minimum(1e-3, 5e-5 / 10**trained_log10), np.full(len(decayed_log10), 1e-3)]),
        steps,
        schedule=_plans,
        optimizer=ib.SGD(momentum),
        record=2,
    )
    end_scales = np.log10(start_scales) - 4 * networks.decay[-1] / np.log(10)
    trained_l1 = np.abs(networks.x[-1]).sum(axis=-1) / np.abs(basis_pursuit).sum()
    trained_l2 = np.linalg.norm(networks.x[-1], axis=-1) / np.linalg.norm(least_l2)
    return (
        end_scales,
        momentum,
        networks,
        steps,
        trained_l1,
        trained_l2,
        trained_log10,
    )


@app.cell
def _(masking, networks, np):
    ends = masking.distance_to_limit(networks)  # each against the projection at its own scale
    excess = float(np.max(ends.distance[-1] / np.linalg.norm(ends.limit, axis=-1)))
    return (excess,)


@app.cell(hide_code=True)
def _(
    L1_COLOUR,
    L2_COLOUR,
    end_scales,
    l1,
    l2,
    log10_scales,
    excess,
    plotting,
    plt,
    trained_l1,
    trained_l2,
    trained_log10,
):
    with plotting.style():
        _figure, _axes = plt.subplots(figsize=(5.0, 2.8), layout="constrained", dpi=150)
        for _line, _marks, _colour, _name in (
            (l1, trained_l1, L1_COLOUR, r"$\|x\|_1$ / minimum"),
            (l2, trained_l2, L2_COLOUR, r"$\|x\|_2$ / minimum"),
        ):
            _axes.plot(log10_scales, _line, color=_colour, label=_name)
            _first = len(trained_log10)
            _axes.plot(end_scales[:_first], _marks[:_first], "o", ms=4.5, color=_colour)
            _axes.plot(end_scales[_first:], _marks[_first:], "D", ms=4, color=_colour, mfc=plotting.GREYS["paper"])
        _axes.set(xlim=(4, -8), xlabel=r"$\log_{10}$ of the scale $a$ at the end", ylabel="norm, relative")
        _axes.set_title("lines: limits; circles: trained from $a$; diamonds: decayed to $a$")
        _axes.legend()
    plotting.Picture(
        _figure,
        "L1 and L2 norm of the limit, each relative to its minimum, against the scale: the first falls to 1 and the "
        "second rises from 1 as the scale falls. Marks of trained networks, circles for those that started at their "
        f"scale and diamonds for those that decayed to it, lie on the lines, at most {excess:.1%} off.",
    )
    return


@app.cell(hide_code=True)
def _(excess, mo, momentum, networks, steps):
    mo.md(rf"""
    All {networks.runs} networks lie on the lines: after {steps:,} steps, a flow time of up to
    {networks.t[-1].max() / (1 - momentum):,.0f}, none is further than {excess:.1%} of its norm from its Bregman
    projection. Whether a network *started* at its scale or *decayed* to it cannot be told from where it ended.

    So a choice that looks like a detail, the size of the start or a little weight decay, is the choice of a norm.
    """)
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Exercise

    Training starts at $m_0 = 1$, $w_0 = 0.9$. How much decay takes its scale to $10^{-3}$?
    """)
    return


@app.cell(hide_code=True)
def _(mask, mo, np):
    needed = float(np.log((1 - 0.9**2) / 2 / 1e-3) / 4)
    needed_scale = float(np.squeeze(mask.at(m=1.0, w=0.9, decay=needed).scale))
    mo.md(rf"""
    /// details | Answer

    From $\frac{{1 - 0.81}}{{2}} e^{{-4A}} = 10^{{-3}}$ follows $A = {needed:.3f}$. `mask.at(m=1, w=0.9,
    decay={needed:.3f}).scale` says {needed_scale:.3g}. A start close to $m_0 = w_0$ needs little decay, as its scale is
    small from the start.

    ///
    """)
    return needed, needed_scale


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    *The implicit_bias developers*
    """)
    return


if __name__ == "__main__":
    app.run()
