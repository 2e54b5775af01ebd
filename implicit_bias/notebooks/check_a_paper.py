"""Errata, or how a toolkit checks a paper: stated and derived constants, trajectories as judges, your own claim."""

# pyright: reportUnusedExpression=false

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="Errata, or how a toolkit checks a paper")


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    # Errata: how a toolkit checks a paper

    Papers contain wrong constants, and few are found, since checking one takes a second derivation. This notebook
    shows how the toolkit does it for *Mask in the Mirror* (arXiv 2408.09966v1, "the preprint"), whose constants it
    corrects: derive the statement anew, let trajectories decide that know neither version, and record the
    verdict so that anybody can run it again. In the end you write a claim of your own, and see it refuted.
    """)
    return


@app.cell
def _():
    import marimo as mo
    import matplotlib.pyplot as plt
    import numpy as np
    import sympy as sp
    from scipy.integrate import solve_ivp

    import implicit_bias as ib
    from implicit_bias import plotting
    from implicit_bias.claims import Equation, example_paper, judge

    STATED_COLOUR, DERIVED_COLOUR = plotting.COLOURS["preprint"], plotting.COLOURS["projection"]
    return (
        DERIVED_COLOUR,
        Equation,
        STATED_COLOUR,
        example_paper,
        ib,
        judge,
        mo,
        np,
        plotting,
        plt,
        solve_ivp,
        sp,
    )


@app.cell
def _(ib, np, sp):
    x = sp.Symbol("x", real=True)
    A = sp.Symbol("A", nonnegative=True)
    u0, v0 = sp.symbols("u0 v0", positive=True)
    stated_scale = 2 * u0 * v0 * sp.exp(-2 * A)  # as the preprint prints it
    stated = (x * sp.asinh(x / stated_scale) - sp.sqrt(x**2 + stated_scale**2) - x * sp.log(u0 / v0)) / 2

    derivation = ib.derive("m*w", "m**2 + w**2", time_limit=np.inf)  # proofs may take as long as they need
    in_uv = {"x": x, "A": A, "m0": (u0 + v0) / sp.sqrt(2), "w0": (u0 - v0) / sp.sqrt(2)}
    true = sp.expand(
        derivation.potential.xreplace({s: in_uv[s.name] for s in derivation.potential.free_symbols}), log=False
    )
    return A, derivation, stated, true, u0, v0, x


@app.cell(hide_code=True)
def _(derivation, mo, sp, stated, true):
    mo.md(rf"""
    ## Two versions of one statement

    Theorem 3.1 of the preprint gives the potential of a mask $x = m \odot w$ under weight decay, with
    $u_0 = (m_0 + w_0)/\sqrt 2$ and $v_0 = (m_0 - w_0)/\sqrt 2$. It states

    $$R_A(x) = {sp.latex(stated)}$$

    while solving the flow gives (all {len(derivation.identities)} identities on the way proved: {derivation.proved})

    $$R_A(x) = {sp.latex(sp.collect(sp.expand(true), sp.Rational(1, 2)))}.$$

    They agree in the prefactor, not in the scale: $2u_0v_0e^{{-2A}}$ there, $u_0v_0e^{{-4A}}$ here. Both are convex,
    smooth, and turn from $L_2$ to $L_1$. No picture of them tells which is right.
    """)
    return


@app.cell(hide_code=True)
def _(mo, residuals):
    mo.md(rf"""
    ## The trajectory decides

    A potential governs the flow if $R_{{A_t}}'(x_t) = -L_t$ with $L_t = \int_0^t f'(x_s)\,ds$. The cell below
    integrates $m$, $w$ and $L$ from the definition of training, so it takes no side. Along it the derived potential
    leaves a residual of {residuals["derived"].max():.0e}, and the stated one {residuals["stated"].max():.2g}. That is
    no rounding error, and no matter of convention either: each symbol was defined by the flow.
    """)
    return


@app.cell
def _(mo):
    strength = mo.ui.slider(0.0, 1.0, step=0.25, value=0.5, show_value=True, label=r"strength of decay $\alpha$")
    strength
    return (strength,)


@app.cell
def _(np, solve_ivp, sp, stated, strength, true):
    def trajectory(m0, w0, target, alpha, end, points=81):
        """Flow of m and w on f(x) = (x − target)²/2, with L_t, from its definition: t, x, L and A."""

        def velocity(_, state):
            m, w, _ = state
            pull = m * w - target
            return [-w * pull - 2 * alpha * m, -m * pull - 2 * alpha * w, pull]

        t = np.linspace(0, end, points)
        path = solve_ivp(velocity, (0, end), [m0, w0, 0.0], "DOP853", t, rtol=1e-12, atol=1e-13)
        return t, path.y[0] * path.y[1], path.y[2], alpha * t

    def slope(potential):
        """R' as a function of x, A, m0 and w0."""
        symbols = {s.name: s for s in potential.free_symbols}
        names = [symbols[name] for name in ("x", "A", "u0", "v0")]
        function = sp.lambdify(names, sp.diff(potential, symbols["x"]))
        return lambda x, A, m0, w0: function(x, A, (m0 + w0) / np.sqrt(2), (m0 - w0) / np.sqrt(2))

    path_t, path_x, path_L, path_A = trajectory(1.0, 0.25, 1.0, strength.value, 4.0)
    slopes = {name: slope(R)(path_x, path_A, 1.0, 0.25) for name, R in (("stated", stated), ("derived", true))}
    residuals = {name: np.abs(values + path_L) for name, values in slopes.items()}
    return path_L, path_t, residuals, slopes


@app.cell(hide_code=True)
def _(DERIVED_COLOUR, STATED_COLOUR, np, path_L, path_t, plotting, plt, residuals, slopes, strength):
    with plotting.style():
        _figure, (_left, _right) = plt.subplots(1, 2, figsize=(7.0, 2.6), layout="constrained", dpi=150)
        _left.plot(path_t, -path_L, color=plotting.COLOURS["flow"], lw=2.5, alpha=0.5, label="$-L_t$, measured")
        for _name, _colour in (("stated", STATED_COLOUR), ("derived", DERIVED_COLOUR)):
            _left.plot(path_t, slopes[_name], color=_colour, lw=1, label=f"$R_A'(x_t)$, {_name}")
            _right.plot(path_t[1:], np.maximum(residuals[_name][1:], 1e-16), color=_colour, label=_name)
        _left.set(xlabel="flow time $t$", title=rf"one weight, $\alpha$ = {strength.value:g}")
        _left.legend()
        _right.set(
            yscale="log", ylim=(1e-17, 1e1), xlabel="flow time $t$", title="$|R_A'(x_t) + L_t|$, or $10^{-16}$ if less"
        )
        _right.legend()
    plotting.Picture(
        _figure,
        "Left, minus the accumulated gradient of one weight against time, and the slopes of both potentials along its "
        "path: the derived one lies on it, the stated one leaves it. Right, the distances on a logarithmic axis: at "
        f"most {residuals['derived'].max():.0e} for the derived potential, and up to {residuals['stated'].max():.2g} "
        "for the stated one.",
    )
    return


@app.cell(hide_code=True)
def _(mo, sp, verdict):
    mo.md(rf"""
    ## How verdicts come about

    `Claim.verdict()` runs below. It does three things that one picture does not. It *derives* how the slope of the
    stated potential would change along the flow, and compares. It *refutes* in exact numbers, as small as it can find
    them: at
    {", ".join(f"${sp.latex(sp.Symbol(name))} = {number}$" for name, number in verdict.violation.numbers.items())},
    ball arithmetic tells the two sides apart. And it *proves* the correction, with every identity on the way, or says
    that it cannot.

    There are six outcomes and no others. **PROVED** is an identity that was checked by machine in every step.
    **ARGUED** is an argument in words that rests on such identities. **SUPPORTED** is a number inside a stated
    tolerance. **REFUTED** comes with a counterexample. **INCONCLUSIVE** means that a check failed or a residual is in
    doubt, and **NOT_APPLICABLE** that hypotheses do not hold. A refuted theory is data, not an exception.
    """)
    return


@app.cell
def _(A, Equation, ib, judge, mo, sp, stated, true, u0, v0, x):
    m, w, pull = sp.symbols("m w g", real=True)  # g is f'(x)
    alpha = sp.Symbol("alpha", nonnegative=True)
    scale_now = u0 * v0 * sp.exp(-4 * A)
    velocity = -2 * sp.sqrt(x**2 + scale_now**2) * pull - 4 * alpha * x
    # Along m' = -w g - 2αm, w' = -m g - 2αw. Where x = m w, the scale is (m² - w²)/2 and decays by itself:
    dm, dw = -w * pull - 2 * alpha * m, -m * pull - 2 * alpha * w
    along = [
        Equation(m * dw + w * dm, -(m**2 + w**2) * pull - 4 * alpha * m * w, says="x' by the chain rule"),
        Equation(m * dm - w * dw, -2 * alpha * (m**2 - w**2), says="the scale decays at the rate 4α, and A grows at α"),
        Equation(4 * ((m * w) ** 2 + ((m**2 - w**2) / 2) ** 2), (m**2 + w**2) ** 2, says="m² + w² in x and the scale"),
    ]

    def moves(potential):
        """How the slope of a potential changes along the flow, against what the theorem says."""
        slope_of_r = sp.diff(potential, x)
        return Equation(
            sp.diff(slope_of_r, x) * velocity + sp.diff(slope_of_r, A) * alpha, -pull, says="d∇R against −f'"
        )

    def compare(statement):
        """The statement, and what holds instead."""
        right = ib.Correction(f"R_A(x) = {sp.latex(true)}", judge.prove("Along the flow.", *along, stated=moves(true)))
        return judge.prove("Along the flow.", *along, stated=moves(statement.formula), correction=right)

    theorem_3_1 = ib.Claim(
        "thm-3.1",
        ib.Statement(r"d\nabla R_A(x_t) = -\nabla f(x_t)\,dt, \ R_A(x) = ", stated),
        "Theorem 3.1 of arXiv 2408.09966v1",
        check=compare,
    )
    verdict = theorem_3_1.verdict()
    mo.vstack([mo.Html(theorem_3_1._repr_html_()), mo.Html(verdict._repr_html_())])
    return theorem_3_1, verdict


@app.cell
def _(example_paper, ib, mo):
    checked = ib.Ledger(example_paper.PAPER.claims, papers=[example_paper.PAPER]).run()  # a paper that was invented
    _corrections = {name: each.correction for name, each in checked.verdicts.items()}
    _rows = [
        f"| {checked[name].source.rpartition(', ')[2]} | {each.outcome.value} "
        f"| {_corrections[name].verdict.outcome.value if _corrections[name] else ''} |"
        for name, each in checked.verdicts.items()
    ]
    mo.md(
        "\n".join([
            "Claims make a paper, and papers a ledger. This one has the six statements of an invented paper:",
            "",
            "| place | verdict | correction |",
            "|---|---|---|",
            *_rows,
        ])
    )  # fmt: skip
    return (checked,)


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Your own claim

    Suppose that you train $x = u^2 - v^2$ with $h = u^2 + v^2$ and, having read that the mask's scale is
    $u_0v_0e^{-4A}$, claim the same:

    $$R_A'(x) = \tfrac14\left(\operatorname{arcsinh}\frac xa - \log\frac{u_0}{v_0}\right), \quad a = u_0 v_0 e^{-4A}.$$

    A claim is a statement, a source, and a function that returns a verdict. The statement holds its formula, and the
    check reads it from there. Ours puts the claimed scale into $x_t = a \sinh(\log(u_0/v_0) - 4L_t)$, which is the same
    statement, on the flow under a constant slope $g$ of $f$, whose $u$ and $v$ are known in closed form. Whatever
    comes out, `ib.derive` says what holds instead.
    """)
    return


@app.cell
def _(A, Equation, ib, judge, sp, u0, v0):
    constant_decay, g, t = sp.symbols("alpha g t", positive=True)
    u, v = u0 * sp.exp(-2 * (g + constant_decay) * t), v0 * sp.exp(2 * (g - constant_decay) * t)
    solves = [
        Equation(sp.diff(u, t), -2 * u * g - 2 * constant_decay * u, says="u follows its flow"),
        Equation(sp.diff(v, t), 2 * v * g - 2 * constant_decay * v, says="v follows its flow"),
    ]

    def with_scale(scale):
        """The statement for a scale, on the trajectory, where L = g t and A = α t."""
        return (scale.xreplace({A: constant_decay * t}) * sp.sinh(sp.log(u0 / v0) - 4 * g * t), u**2 - v**2)

    squares = ib.derive(ib.Parameterization("u**2 - v**2", ["u", "v"]), "u**2 + v**2")
    _named = {"u0": u0, "v0": v0, "A": A}
    scale = squares.scale.xreplace({symbol: _named[symbol.name] for symbol in squares.scale.free_symbols})

    def check(statement):
        """Compare both sides on the trajectory; where they differ, the smallest numbers are found."""
        proof = judge.prove("On the trajectory.", *solves, stated=with_scale(scale))
        right = ib.Correction(f"a = {sp.latex(scale)}", proof)
        return judge.prove("On the trajectory.", *solves, stated=with_scale(statement.formula), correction=right)

    guess = u0 * v0 * sp.exp(-4 * A)
    own = ib.Claim("my-scale", ib.Statement(r"R_A \text{ has the scale } a = ", guess), "this notebook", check=check)
    own_verdict = own.verdict()
    own_verdict
    return own, own_verdict, squares


@app.cell
def _(mo, np, own, own_verdict, solve_ivp):
    _numbers = {name: float(number) for name, number in own_verdict.violation.numbers.items()}

    def _velocity(_, state):
        _u, _v = state
        return [
            -2 * _u * (_numbers["g"] + _numbers["alpha"]),
            2 * _v * (_numbers["g"] - _numbers["alpha"]),
        ]

    _start = [_numbers["u0"], _numbers["v0"]]
    _end = solve_ivp(_velocity, (0, _numbers["t"]), _start, "DOP853", rtol=1e-12, atol=1e-13).y[:, -1]
    _turn = np.sinh(np.log(_start[0] / _start[1]) - 4 * _numbers["g"] * _numbers["t"])
    _claimed = _start[0] * _start[1] * np.exp(-4 * _numbers["alpha"] * _numbers["t"]) * _turn
    measured = {"claimed": _claimed, "integrated": _end[0] ** 2 - _end[1] ** 2}
    outcomes = {change: own.verdict(statement=changed).outcome.value for change, changed in own.statement.mutants()}
    mo.md(
        "\n".join([
            f"An integrator that knows no formula ends at x = {measured['integrated']:.6g} there; claimed is",
            f"{measured['claimed']:.6g}. A check should also notice when the statement changes a little:",
            "",
            "| change of the statement | verdict |",
            "|---|---|",
            *(f"| {change} | {outcome} |" for change, outcome in outcomes.items()),
        ])
    )  # fmt: skip
    return measured, outcomes


@app.cell(hide_code=True)
def _(mo, own_verdict, sp, squares):
    mo.md(rf"""
    **{own_verdict.outcome.value}**, in exact numbers:
    {", ".join(f"{name} = {number}" for name, number in own_verdict.violation.numbers.items())}. What holds is
    $a = {sp.latex(squares.scale)}$. The factor two is that between $u^2 - v^2$ and $mw$. Constants of
    the preprint may come from this parameterization: the potential printed in Theorem 2.1, with its prefactor ¼, is
    that of $u^2 - v^2$, and for $h = (u^2 + v^2)/2$ the scale moves as printed in Theorem 3.1 (claim
    `ours/origin-of-constants` of the project's ledger).

    One change of the statement passes, since it is the correction: twice the guess. To check a paper of your own, begin
    with the file `implicit_bias/claims/example_paper.py` and the guide `docs/judge.md`.

    ## Exercise

    Repair the guess, and judge it again with the same check. Then try $2u_0v_0e^{{-2A}}$, with the preprint's exponent.
    """)
    return


@app.cell(hide_code=True)
def _(A, ib, mo, own, sp, u0, v0):
    repaired = own.verdict(statement=ib.Statement("a = ", 2 * u0 * v0 * sp.exp(-4 * A)))
    slower = own.verdict(statement=ib.Statement("a = ", 2 * u0 * v0 * sp.exp(-2 * A)))
    mo.md(rf"""
    /// details | Answer

    $2u_0v_0e^{{-4A}}$ is {repaired.outcome.value}. $2u_0v_0e^{{-2A}}$ is {slower.outcome.value}, at
    {", ".join(f"{name} = {number}" for name, number in slower.violation.numbers.items())}.

    ///
    """)
    return repaired, slower


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    *The implicit_bias developers*
    """)
    return


if __name__ == "__main__":
    app.run()
