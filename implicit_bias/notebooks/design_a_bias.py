"""Design a bias: from a potential to the parameterization that has it, checked by an optimizer that knows no flow."""

# pyright: reportUnusedExpression=false

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="Design a bias")


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    # Design a bias

    Usually a parameterization is given and its implicit bias is asked for. Here it is the other way round: you say
    which solutions training should prefer, as a potential $R$, and want a parameterization $x = g(u)$ whose gradient
    flow prefers them, without any penalty in the loss.
    """)
    return


@app.cell
def _():
    import marimo as mo
    import matplotlib.pyplot as plt
    import numpy as np
    import sympy as sp
    from scipy.integrate import solve_ivp
    from scipy.optimize import minimize

    import implicit_bias as ib
    from implicit_bias import plotting

    return ib, minimize, mo, np, plotting, plt, solve_ivp, sp


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## One integral and one inverse

    With one parameter per weight, $x' = g'(u)\,u' = -g'(u)^2 f'(x)$, and a mirror flow is $x' = -f'(x)/R''(x)$. So
    $g'(u)^2 = 1/R''(x)$: the parameter is the *arc length* of the metric, and $g$ its inverse function,

    $$u(x) = \int \sqrt{R''(x)}\,dx, \qquad x = g(u).$$

    `ib.design` does both with formulas where it can, checks $g'(u)^2 R''(g(u)) = 1$ with 50 digits, and tabulates
    $g$ where it cannot.
    """)
    return


@app.cell
def _(ib, mo, sp):
    wishes = ["x**2", "x*log(x) - x", "abs(x)**1.5", "abs(x)**3", "abs(x) - log(1 + abs(x))", "cosh(x)"]
    designs = {wish: ib.design(wish) for wish in wishes}

    def shown(parameterization):
        """A formula, or that it is a table."""
        is_table = type(parameterization) is not ib.Parameterization
        return "tabulated" if is_table else f"${sp.latex(sp.nsimplify(parameterization.output))}$"

    mo.md(
        "\n".join([
            "| $R(x)$ | $x = g(u)$ |",
            "|:---|:---|",
            *(f"| `{wish}` | {shown(found)} |" for wish, found in designs.items()),
        ])
    )  # fmt: skip
    return (designs,)


@app.cell
def _(mo):
    power = mo.ui.slider(1.25, 3.0, step=0.25, value=1.5, show_value=True, label="power $p$ of $R(x) = |x|^p$")
    power
    return (power,)


@app.cell
def _():
    powers = (1.25, 1.5, 2.0, 3.0)
    return (powers,)


@app.cell(hide_code=True)
def _(ib, np, plotting, plt, power, powers, sp):
    with plotting.style():
        _figure, (_left, _right) = plt.subplots(1, 2, figsize=(6.4, 2.5), layout="constrained", dpi=150)
        _u = np.linspace(-1.5, 1.5, 301)
        for _p in sorted({*powers, power.value}):
            _g = sp.lambdify(sp.Symbol("u"), ib.design(f"abs(x)**{_p}").output)
            _chosen = _p == power.value
            _look = {
                "color": plotting.COLOURS["projection"] if _chosen else plotting.GREYS["background"],
                "zorder": 2 + _chosen,
            }
            _left.plot(_u, np.abs(_u) ** _p, **_look)
            _right.plot(_u, _g(_u), **_look)
        _left.set(xlabel="$x$", title=f"$R(x) = |x|^p$, p = {power.value:g}; grey: others", ylim=(0, 2.5))
        _right.set(xlabel="$u$", title="$x = g(u)$")
    plotting.Picture(
        _figure,
        f"Left, the potential |x|^p for several powers, with p = {power.value:g} in blue; right, the parameterizations "
        "that have them. The smaller the power, the flatter g is around zero.",
    )
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    Powers $p < 2$ flatten $g$ around zero: small weights hardly move, large ones fast, so the few that are large do
    the work, and the bias is towards sparse weights. Powers $p > 2$ make $g$ steep at zero: all weights move at once.

    ## Train with it

    Take the formulas out of the toolkit and into a flow that we write ourselves: $u' = -g'(u)\,Z^T(Zg(u) - y)/d$, for
    two equations in six unknowns. It starts at some $x_0$, and should end at the *Bregman projection* of $x_0$,
    $\operatorname{argmin}\{R(x) - \langle\nabla R(x_0), x\rangle : Zx = y\}$. SciPy's SLSQP solves that with the
    constraint as it stands; it knows nothing of $g$, of duals, or of flows.
    """)
    return


@app.cell
def _(ib, minimize, np, solve_ivp, sp):
    Z = np.random.default_rng(1).standard_normal((2, 6))
    y = np.array([1.0, -1.0])
    x0 = np.array([0.5, -0.5, 0.3, 0.2, -0.1, 0.4])

    def flow_end(p, end=2000.0):
        """The end of a flow written by hand, with the formula that was designed; t and x."""
        g = sp.lambdify(sp.Symbol("u"), ib.design(f"abs(x)**{p}").output)
        factor = float(g(1.0))  # g(u) = factor · sign(u) |u|^(2/p)

        def velocity(_, u):
            slope = factor * 2 / p * np.abs(u) ** (2 / p - 1)
            return -slope * (Z.T @ (Z @ g(u) - y)) / len(y)

        start = np.sign(x0) * (np.abs(x0) / factor) ** (p / 2)
        path = solve_ivp(velocity, (0, end), start, "LSODA", rtol=1e-10, atol=1e-12)
        return path.t, g(path.y).T

    def projection(value, gradient):
        """Argmin of a potential's divergence from x0 over Zx = y, by SLSQP."""
        pull = gradient(x0)
        return minimize(
            lambda x: np.sum(value(x)) - pull @ x,
            np.linalg.pinv(Z) @ y,
            jac=lambda x: gradient(x) - pull,
            method="SLSQP",
            constraints={"type": "eq", "fun": lambda x: Z @ x - y, "jac": lambda _: Z},
            options={"ftol": 1e-15, "maxiter": 1000},
        ).x

    return Z, flow_end, projection, x0, y


@app.cell
def _(flow_end, np, powers, projection):
    paths = {p: flow_end(p) for p in powers}
    projections = {
        p: projection(lambda x, p=p: np.abs(x) ** p, lambda x, p=p: p * np.sign(x) * np.abs(x) ** (p - 1))
        for p in powers
    }
    gaps = {p: float(np.max(np.abs(paths[p][1][-1] - projections[p]))) for p in powers}
    return gaps, paths, projections


@app.cell(hide_code=True)
def _(np, paths, plotting, plt, projections):
    with plotting.style():
        _figure, _all = plt.subplots(1, 4, figsize=(7.2, 2.3), layout="constrained", dpi=150, sharey=True)
        for _axes, (_p, (_t, _x)) in zip(_all, paths.items(), strict=True):
            _axes.plot(_t + 1e-2, _x, color=plotting.COLOURS["flow"], lw=1)
            _axes.plot(np.full(6, 3e3), projections[_p], "o", ms=4, mfc="none", color=plotting.COLOURS["projection"])
            _axes.set(xscale="log", xlabel="$t$", title=f"$R = |x|^{{{_p:g}}}$", ylim=(-2, 2.6))
        _all[0].set_ylabel("weights; circles: SLSQP")
    plotting.Picture(
        _figure,
        "Six weights against time, for four powers of the potential from 1.25 to 3. In every panel the curves end in "
        "the circles, which SLSQP found. For small powers few weights are large in the end; for large ones all are of "
        "similar size.",
    )
    return


@app.cell(hide_code=True)
def _(gaps, mo, np, paths):
    mo.md(
        "\n".join([
            "The same data, the same start, and four ends, each where its potential says:",
            "",
            "| $p$ | largest weight | four smallest, mean size | flow against SLSQP |",
            "|---|---|---|---|",
            *(
                f"| {p:g} | {np.abs(x).max():.2f} | {np.sort(np.abs(x))[:4].mean():.2f} | {gaps[p]:.0e} |"
                for p, (_, (*_, x)) in paths.items()
            ),
            "",
            "The last column is what the two solvers leave. Powers near 1 are the hardest: steep at zero.",
        ])
    )  # fmt: skip
    return


@app.cell(hide_code=True)
def _(bounded_gap, mo):
    mo.md(rf"""
    ## Without a formula

    For $R = \cosh x$, which punishes large weights exponentially, the arc length is no elementary function. The
    toolkit tabulates $g$ (below on the left: it grows like a logarithm), and `ib.gradient_flow` takes it as it takes
    any parameterization; its end agrees with SLSQP to {bounded_gap:.0e}.
    """)
    return


@app.cell
def _(Z, designs, ib, np, projection, x0, y):
    refusal = ""
    try:
        ib.design("abs(x) + x**2")
    except ib.UnsupportedError as error:
        refusal = str(error)

    bounded = designs["cosh(x)"]
    problem = ib.Regression(Z, y)
    bounded_flow = ib.gradient_flow(
        problem, bounded, {"u": bounded.parameter_at(x0)}, [0.0, *np.geomspace(1e-2, 300, 60)]
    )
    bounded_projection = projection(np.cosh, np.sinh)
    bounded_gap = float(np.max(np.abs(bounded_flow.x[-1] - bounded_projection)))
    return bounded, bounded_flow, bounded_gap, bounded_projection, refusal


@app.cell(hide_code=True)
def _(bounded, bounded_flow, bounded_projection, np, plotting, plt):
    with plotting.style():
        _figure, (_left, _right) = plt.subplots(1, 2, figsize=(6.4, 2.4), layout="constrained", dpi=150)
        _u = np.linspace(-8, 8, 201)
        _left.plot(_u, bounded.separable_map().output(_u[None]), color=plotting.COLOURS["projection"])
        _left.set(xlabel="$u$", ylabel="$x = g(u)$", title=r"$R(x) = \cosh x$")
        bounded_flow.plot(ax=_right, lw=1)
        _right.plot(np.full(6, 300.0), bounded_projection, "o", ms=4, mfc="none", color=plotting.COLOURS["projection"])
    plotting.Picture(
        _figure,
        "Left, the tabulated parameterization of cosh x, which grows ever more slowly on both sides of zero. Right, "
        "six weights against time; they end in the circles, which SLSQP found.",
    )
    return


@app.cell(hide_code=True)
def _(mo, refusal):
    mo.md(rf"""
    ## Without a solution

    Not every wish can be granted. The elastic net $|x| + x^2$ has a kink, and `ib.design` says:

    > {refusal}

    A gradient flow of a smooth $g$ never has exactly an $L_1$ bias; it comes as close as you like, by a small scale
    or by decay. How close, and how fast, is the subject of `l2_to_l1.py`.

    ## Exercise

    Design a potential that is $\tfrac12 x^2$ for small weights and grows like $\tfrac\pi2|x|$ for large ones, by
    $R'' = 1/(1 + x^2)$, and say which $g$ has it before you ask.
    """)
    return


@app.cell(hide_code=True)
def _(ib, mo, sp):
    wished = ib.design("x*atan(x) - log(1 + x**2)/2")
    mo.md(rf"""
    /// details | Answer

    $u = \int \sqrt{{R''}}\,dx = \operatorname{{arcsinh}} x$, so $x = {sp.latex(wished.output)}$. The exercise of
    `derive_your_own.py` goes the other way.

    ///
    """)
    return (wished,)


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    *The implicit_bias developers*
    """)
    return


if __name__ == "__main__":
    app.run()
