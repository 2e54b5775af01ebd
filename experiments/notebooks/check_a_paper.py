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
    from collections import Counter
    from itertools import product

    import marimo as mo
    import matplotlib.pyplot as plt
    import numpy as np
    import sympy as sp
    from scipy.integrate import solve_ivp

    import implicit_bias as ib
    from derivations import recorded
    from derivations.mask_in_the_mirror.potential import THEOREM_3_1, theorem_3_1
    from derivations.mask_in_the_mirror.setting import derived, in_uv
    from implicit_bias import plotting

    STATED_COLOUR, DERIVED_COLOUR = plotting.COLOURS["preprint"], plotting.COLOURS["projection"]
    return (
        Counter,
        DERIVED_COLOUR,
        STATED_COLOUR,
        THEOREM_3_1,
        derived,
        ib,
        in_uv,
        mo,
        np,
        plotting,
        plt,
        product,
        recorded,
        solve_ivp,
        sp,
        theorem_3_1,
    )


@app.cell
def _(THEOREM_3_1, derived, in_uv, mo, sp):
    stated = THEOREM_3_1  # as the preprint prints it
    true = in_uv(derived().potential)  # as its flow implies, written in the same symbols
    mo.md(rf"""
    ## Two versions of one statement

    Theorem 3.1 of the preprint gives the potential of a mask $x = m \odot w$ under weight decay, with
    $u_0 = (m_0 + w_0)/\sqrt 2$ and $v_0 = (m_0 - w_0)/\sqrt 2$. It states

    $$R_A(x) = {sp.latex(stated)}$$

    while solving the flow gives (all {len(derived().identities)} identities on the way proved: {derived().proved})

    $$R_A(x) = {sp.latex(sp.collect(sp.expand(true), sp.Rational(1, 2)))}.$$

    They agree in the prefactor, not in the scale: $2u_0v_0e^{{-2A}}$ there, $u_0v_0e^{{-4A}}$ here. Both are convex,
    smooth, and turn from $L_2$ to $L_1$. No picture of them tells which is right.
    """)
    return stated, true


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
def _(
    DERIVED_COLOUR,
    STATED_COLOUR,
    np,
    plotting,
    plt,
    solve_ivp,
    sp,
    stated,
    strength,
    true,
):
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

    _t, _x, _L, _A = trajectory(1.0, 0.25, 1.0, strength.value, 4.0)
    residuals = {
        "stated": np.abs(slope(stated)(_x, _A, 1.0, 0.25) + _L),
        "derived": np.abs(slope(true)(_x, _A, 1.0, 0.25) + _L),
    }
    with plotting.style():
        _figure, (_left, _right) = plt.subplots(1, 2, figsize=(7.0, 2.6), layout="constrained", dpi=150)
        _left.plot(_t, -_L, color=plotting.COLOURS["flow"], lw=2.5, alpha=0.5, label="$-L_t$, measured")
        for _name, _formula, _colour in (("stated", stated, STATED_COLOUR), ("derived", true, DERIVED_COLOUR)):
            _left.plot(_t, slope(_formula)(_x, _A, 1.0, 0.25), color=_colour, lw=1, label=f"$R_A'(x_t)$, {_name}")
            _right.plot(_t[1:], residuals[_name][1:], color=_colour, label=_name)
        _left.set(xlabel="flow time $t$", title=rf"one weight, $\alpha$ = {strength.value:g}")
        _left.legend()
        _right.set(yscale="log", ylim=(1e-17, 1e1), xlabel="flow time $t$", title="$|R_A'(x_t) + L_t|$")
        _right.legend()
    _figure
    return (residuals,)


@app.cell(hide_code=True)
def _(mo, verdict):
    mo.md(rf"""
    ## How verdicts come about

    `Claim.verdict()` runs below. It does three things that one picture does not. It *searches* small exact numbers at
    which the statement fails on a trajectory in closed form, that of a constant gradient, and reports the simplest:
    here $u_0 = {verdict.counterexample["u0"]:g}$, $v_0 = {verdict.counterexample["v0"]:g}$,
    $L = {verdict.counterexample["L"]:g}$, $A = {verdict.counterexample["A"]:g}$. It lets SciPy integrate *another*
    trajectory, which has to say the same. And it *proves* the correction, exactly, or says that it cannot.

    There are six outcomes and no others. **PROVED** is an exact symbolic identity, and **ARGUED** an argument in words
    that rests on such identities. **SUPPORTED** is a number inside a stated tolerance. **REFUTED** comes with a
    counterexample. **INCONCLUSIVE** means that a solver failed or a residual is in doubt, and **NOT_APPLICABLE** that
    hypotheses do not hold. A refuted theory is data, not an exception.
    """)
    return


@app.cell
def _(mo, theorem_3_1):
    verdict = theorem_3_1.verdict()
    mo.vstack([mo.Html(theorem_3_1._repr_html_()), mo.Html(verdict._repr_html_())])
    return (verdict,)


@app.cell
def _(Counter, mo, recorded):
    _outcomes = {name: outcome for name, outcome in recorded().items() if not name.endswith("/correction")}
    tally = Counter(_outcomes.values())
    corrections = Counter(outcome for name, outcome in recorded().items() if name.endswith("/correction"))
    mo.md(
        "\n".join([
            f"The repository records the outcomes of {len(_outcomes)} claims, which its tests compute anew. Of the",
            f"{corrections.total()} corrections, {corrections['PROVED']} are PROVED.",
            "",
            "| outcome | claims |",
            "|---|---|",
            *(f"| {outcome} | {count} |" for outcome, count in tally.most_common()),
        ])
    )  # fmt: skip
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Your own claim

    Suppose that you train $x = u^2 - v^2$ with $h = u^2 + v^2$ and, having read that the mask's scale is
    $u_0v_0e^{-4A}$, claim the same:

    $$R_A'(x) = \tfrac14\left(\operatorname{arcsinh}\frac xa - \log\frac{u_0}{v_0}\right), \quad a = u_0 v_0 e^{-4A}.$$

    A claim is a statement, a source, and a function that returns a verdict. Ours walks through small numbers,
    integrates each flow, and stops at the first that contradicts the claim. What holds instead is left to
    `ib.derive`.
    """)
    return


@app.cell
def _(ib, np, product, solve_ivp, sp):
    squares = ib.derive(ib.Parameterization("u**2 - v**2", ["u", "v"]), "u**2 + v**2")
    guess = sp.sympify("u0*v0*exp(-4*A)")

    def flow_of_squares(u0, v0, target, alpha, end):
        """The weight and L at the end, from the definition of the flow."""

        def velocity(_, state):
            u, v, _ = state
            pull = u**2 - v**2 - target
            return [-2 * u * pull - 2 * alpha * u, 2 * v * pull - 2 * alpha * v, pull]

        u, v, L = solve_ivp(velocity, (0, end), [u0, v0, 0.0], "DOP853", rtol=1e-12, atol=1e-13).y[:, -1]
        return u**2 - v**2, L

    def check():
        """Look for the smallest trajectory that contradicts the scale."""
        formulas = {"claim": guess, "derived": squares.scale}
        scales = {name: sp.lambdify(sp.symbols("A u0 v0"), formula) for name, formula in formulas.items()}
        instances = sorted(product((1.0, 2.0), (1.0, 2.0), (0.0, 1.0), (0.0, 0.5), (1.0, 2.0)), key=sum)
        for u0, v0, target, alpha, end in instances:
            x, L = flow_of_squares(u0, v0, target, alpha, end)
            missed = {
                name: abs((np.arcsinh(x / a(alpha * end, u0, v0)) - np.log(u0 / v0)) / 4 + L)
                for name, a in scales.items()
            }
            if missed["claim"] > 1e-6 and missed["derived"] < 1e-9:
                proof = ib.Verdict(ib.Outcome.PROVED, f"{len(squares.identities)} identities simplify to zero.")
                return ib.Verdict(
                    ib.Outcome.REFUTED,
                    f"|R'(x_t) + L_t|: {missed['claim']:.3g} as claimed, {missed['derived']:.0e} as derived.",
                    residual=missed["claim"],
                    tolerance=1e-6,
                    counterexample={"u0": u0, "v0": v0, "target": target, "alpha": alpha, "time": end},
                    correction=ib.Correction(f"a = {sp.latex(squares.scale)}", proof) if squares.proved else None,
                )
        return ib.Verdict(ib.Outcome.INCONCLUSIVE, f"None of {len(instances)} trajectories contradicts the claim.")

    own = ib.Claim("my-scale", rf"R_A \text{{ has the scale }} {sp.latex(guess)}", "this notebook", check=check)
    own_verdict = own.verdict()
    own_verdict
    return own_verdict, squares


@app.cell(hide_code=True)
def _(mo, own_verdict, recorded, sp, squares):
    mo.md(rf"""
    **{own_verdict.outcome.value}**, on a trajectory with numbers like
    {", ".join(f"{k} = {v:g}" for k, v in own_verdict.counterexample.items())}; what holds is
    $a = {sp.latex(squares.scale)}$. The factor two is that between $u^2 - v^2$ and $mw$. Constants of
    the preprint may come from this parameterization: the potential printed in Theorem 2.1, with its prefactor ¼, is
    that of $u^2 - v^2$, and for $h = (u^2 + v^2)/2$ the scale moves as printed in Theorem 3.1 (claim
    `ours/origin-of-constants`, recorded as {recorded()["ours/origin-of-constants"]}).

    Set `guess` to `2*u0*v0*exp(-4*A)` and run again: nothing contradicts it. What remains then is to prove it, and
    `squares.proved` does.

    *The implicit_bias developers*
    """)
    return


if __name__ == "__main__":
    app.run()
