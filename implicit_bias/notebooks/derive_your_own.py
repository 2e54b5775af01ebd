"""Derive your own parameterization: formulas, commuting fields, closed forms and numbers, domains, a check by hand."""

# pyright: reportUnusedExpression=false

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="Derive your own parameterization")


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    # Derive your own parameterization

    You have a formula $x = g(\theta)$ for a weight, and want to know what training it prefers. Three questions
    decide: do the fields commute, has the potential a formula, and where is it defined? We ask them in this order,
    and in the end check an answer by hand, with an integrator that shares no code with the toolkit.
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

    return ib, mo, np, plotting, plt, solve_ivp, sp


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## A formula, or a sentence on what is wrong with it

    A formula is a string in named real parameters. It is read by a parser that knows arithmetic and the elementary
    functions, and nothing else; it never reaches Python's own evaluator. What is wrong is said in one sentence.
    """)
    return


@app.cell
def _(ib, mo):
    def complaint(formula, params="m, w"):
        """The toolkit's answer to a formula."""
        try:
            ib.Parameterization(formula, params)
        except ib.FormulaError as error:
            return str(error)
        return "fine"

    complaints = {
        formula: complaint(formula) for formula in ("sigmoid(m)*w", "m*exp(k)", "m w", "3", "__import__('os')")
    }
    _escaped = {formula: answer.replace("_", r"\_") for formula, answer in complaints.items()}
    _rows = [f"| `{formula}` | {answer} |" for formula, answer in _escaped.items()]
    mo.md("\n".join(["| formula | answer |", "|:---|:---|", *_rows]))
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## First question: do the fields commute?

    Training with a regularizer follows two fields at once, $-\nabla g$ driven by the data and $-\nabla h$ driven by
    decay. A potential that knows of decay only *how much* of it there was exists if and only if the order of the two
    does not matter, that is if the bracket $[\nabla g, \nabla h] = \nabla^2 h\,\nabla g - \nabla^2 g\,\nabla h$
    vanishes. For the mask $x = mw$ with decay on $m$ alone, it does not:
    """)
    return


@app.cell
def _(ib):
    mask = ib.Parameterization("m*w", ["m", "w"])
    report = mask.commutes_with("m**2")
    report
    return


@app.cell
def _(np, solve_ivp):
    def endpoint(first, second, start, time=0.6):
        """Follow one field, then the other."""
        paths, state = [], np.array(start)
        for field in (first, second):
            path = solve_ivp(lambda _, theta, field=field: field(theta), (0, time), state, rtol=1e-10, atol=1e-12)
            paths.append(path.y)
            state = path.y[:, -1]
        return state, np.hstack(paths)

    fields = {
        "g": lambda theta: np.array([theta[1], theta[0]]),
        "m²": lambda theta: np.array([-2 * theta[0], 0.0]),
        "m² + w²": lambda theta: -2 * theta,
    }
    orders = {
        h: {(a, b): endpoint(fields[a], fields[b], (1.0, 0.5)) for a, b in (("g", h), (h, "g"))}
        for h in ("m²", "m² + w²")
    }
    gaps = {h: float(np.linalg.norm(np.subtract(*(end for end, _ in both.values())))) for h, both in orders.items()}
    return gaps, orders


@app.cell(hide_code=True)
def _(gaps, orders, plotting, plt):
    with plotting.style():
        _figure, _both = plt.subplots(1, 2, figsize=(6.4, 2.6), layout="constrained", dpi=150, sharey=True)
        for _axes, (_h, _paths) in zip(_both, orders.items(), strict=True):
            for (_order, (_end, _path)), _style in zip(_paths.items(), ("-", "--"), strict=True):
                _look = {
                    "color": plotting.COLOURS["flow"],
                    "ls": _style,
                    "label": f"first {_order[0]}, then {_order[1]}",
                }
                _axes.plot(*_path, **_look)
                _axes.plot(*_end, "o", ms=4, color=plotting.COLOURS["flow"])
            _axes.set(xlabel="$m$", title=f"decay with $h$ = {_h}: the ends are {gaps[_h]:.2g} apart")
            _axes.legend()
        _both[0].set_ylabel("$w$")
    plotting.Picture(
        _figure,
        "Paths in the plane of m and w from (1, 1/2), along one field and then the other, in both orders. With decay "
        f"of m alone they end {gaps['m²']:.2g} apart; with decay of both they end in the same point.",
    )
    return


@app.cell(hide_code=True)
def _(gaps, mo):
    mo.md(rf"""
    The report is not an opinion: at its witness the bracket is a number, and SciPy's integrator sees what it means.
    Followed in one order and in the other, from $m = 1$, $w = \frac12$, the two flows end {gaps["m²"]:.2g} apart for
    $h = m^2$, and {gaps["m² + w²"]:.0e} for $h = m^2 + w^2$. So do not guess a regularizer; ask for all of them. For
    polynomial $g$ this is linear algebra on coefficients, and the answer is complete up to the degree.
    """)
    return


@app.cell
def _(ib, mo, sp):
    asked = {
        "m*w": ("m,w", ()),
        "u**3 - v**3": ("u,v", ()),
        "m**2*w": ("m,w", ()),
        "a*b*c": ("a,b,c", ()),
        "log(u) - log(v)": ("u,v", ("log(u)", "log(v)")),
    }
    regularizers = {
        formula: ib.Parameterization(formula, params).commuting_regularizers(3, list(ansatz))
        for formula, (params, ansatz) in asked.items()
    }
    _rows = [
        f"| $x = {sp.latex(ib.Parameterization(formula, asked[formula][0]).output)}$ | "
        + ", ".join(f"${sp.latex(h)}$" for h in found)
        + " |"
        for formula, found in regularizers.items()
    ]
    mo.md(
        "\n".join(
            ["| parameterization | regularizers that commute (and their linear combinations) |", "|:---|:---|", *_rows]
        )
    )
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    Weight decay suits the mask, and does not suit a product of three layers. Nobody could have decayed
    $\log u - \log v$ by a polynomial; but with an *ansatz* of logarithms there are two answers, and we take their
    sum.

    ## Second question: has the potential a formula?
    """)
    return


@app.cell
def _(ib, mo, np):
    logit = ib.Parameterization("log(u) - log(v)", ["u", "v"])
    derivation = ib.derive(logit, "log(u) + log(v)", time_limit=np.inf)  # proofs may take as long as they need
    _equations = [
        f"$${left} = {right}$$" for left, right in derivation.equations()[1:]
    ]  # the first is R itself, and long
    mo.md(
        "\n\n".join([
            "It has: `derivation.potential`. Shorter, and all that training needs, are what follows from it:",
            *_equations,
            f"They rest on {len(derivation.identities)} identities; all proved exactly: {derivation.proved}.",
        ])
    )  # fmt: skip
    return derivation, logit


@app.cell
def _(derivation, ib, logit, mo, np, sp):
    start = {"u": 1.2, "v": 0.9}
    numerical = ib.NumericalPotential(logit, start)  # integrates the flow of g, and knows no formula
    closed = sp.lambdify(sp.Symbol("x"), derivation.mirror_map.subs({"A": 0, "u0": start["u"], "v0": start["v"]}))
    weights = np.linspace(-3, 3, 61)
    difference = float(np.max(np.abs(numerical.gradient(weights[:, None])[:, 0] - closed(weights))))

    unknown = ib.derive(ib.Parameterization("sigmoid(m)*w", "m,w"))
    unknown_slope = float(unknown.at({"m": 0.0, "w": 0.1}).gradient([0.5])[0])
    mo.md(rf"""
    Every separable $g$ has a potential, formula or not: along the flow of $\nabla g$ the weight rises strictly, and
    its inverse function is $R'$. `ib.NumericalPotential` integrates and inverts that; on $[-3, 3]$ it agrees with the
    formula above to **{difference:.0e}**. For $x = \sigma(m)\,w$ no formula was found (`closed_form` is
    {unknown.closed_form}), and still $R'(0.5) = {unknown_slope:.6f}$ from $m_0 = 0$, $w_0 = 0.1$.

    ## Third question: where is it defined?

    A potential lives where the flow can go. For $x = \tanh u$ that is an interval; a weight outside is refused, never
    a `nan`. The range of $R'$ can be an interval, too: for $\log u - \log v$ it shrinks with decay, until nothing is
    left.
    """)
    return (start,)


@app.cell
def _(derivation, ib, mo, np, sp, start):
    bounded = ib.derive(ib.Parameterization("tanh(u)", "u"))
    refusal = ""
    try:
        bounded.at({"u": 0.1}).gradient([1.5])
    except ib.DomainError as error:
        refusal = str(error)
    ranges = {A: derivation.at(start, A).dual_domain for A in (0.0, 0.2, 0.4)}
    _rows = [f"| {A:g} | ({float(np.min(low)):.4f}, {float(np.max(high)):.4f}) |" for A, (low, high) in ranges.items()]
    mo.md(
        "\n".join([
            f"The domain of $\\tanh u$ is ${sp.latex(bounded.domain)}$, and `gradient([1.5])` says: *{refusal}*",
            "",
            "| decay $A$ | range of $R_A'$ for $\\log u - \\log v$ |",
            "|---|---|",
            *_rows,
        ])
    )  # fmt: skip
    return


@app.cell(hide_code=True)
def _(mo, residual):
    mo.md(rf"""
    ## Check it by hand

    A mirror flow is a flow with $R_{{A_t}}'(x_t) = -L_t$, where $L_t = \int_0^t f'(x_s)\,ds$. The cell below
    integrates $u$, $v$ and $L$ with SciPy, from a right-hand side typed in by hand, and puts the weights into the
    derived formula. The largest residual over three strengths of decay is **{max(residual.values()):.0e}**.
    """)
    return


@app.cell
def _(derivation, np, solve_ivp, sp, start):
    def by_hand(strength, target=1.0, end=1.2):
        """One weight log u − log v trained on f(x) = (x − target)²/2, from the definition of its flow, by SciPy."""

        def velocity(_, state):
            u, v, _ = state
            pull = np.log(u / v) - target  # f'(x)
            return [-pull / u - strength / u, pull / v - strength / v, pull]  # the third is L, the integral of f'

        t = np.linspace(0, end, 61)
        path = solve_ivp(velocity, (0, end), [start["u"], start["v"], 0.0], "DOP853", t, rtol=1e-12, atol=1e-13)
        u, v, L = path.y
        return path.t, np.log(u / v), L

    mirror_map = sp.lambdify(sp.symbols("x A u0 v0"), derivation.mirror_map)
    paths = {strength: by_hand(strength) for strength in (0.0, 0.1, 0.25)}
    slopes = {strength: mirror_map(x, strength * t, start["u"], start["v"]) for strength, (t, x, _) in paths.items()}
    residual = {strength: float(np.max(np.abs(slopes[strength] + paths[strength][2]))) for strength in paths}
    return paths, residual, slopes


@app.cell(hide_code=True)
def _(paths, plotting, plt, slopes):
    with plotting.style():
        _figure, _axes = plt.subplots(figsize=(4.6, 2.7), layout="constrained", dpi=150)
        for (_strength, (_t, _, _L)), _colour in zip(paths.items(), plotting.sequence(3), strict=True):
            _axes.plot(_t, -_L, color=_colour, label=f"$-L_t$, α = {_strength:g}")
            _axes.plot(_t[::4], slopes[_strength][::4], "o", ms=3, color=_colour)
        _axes.set(xlabel="flow time $t$", title="dots: $R_{A_t}'(x_t)$ from the formula", ylabel="dual variable")
        _axes.legend()
    plotting.Picture(
        _figure,
        "Minus the accumulated gradient against flow time for three strengths of decay, as curves, and the slope of "
        "the derived potential along the same path, as dots. Every dot lies on its curve.",
    )
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Exercise

    Which norm does a weight $x = \sinh u$ prefer that starts at zero, when it is small and when it is large? And what
    is special about the range of its $R'$?
    """)
    return


@app.cell(hide_code=True)
def _(ib, mo, sp):
    growing = ib.derive(ib.Parameterization("sinh(u)"))
    growing_potential = growing.at(u=0.0)
    growing_exponents = growing_potential.effective_exponent([1e-3, 1e3])
    mo.md(rf"""
    /// details | Answer

    $R'(x) = {sp.latex(growing.mirror_map)}$. The local exponent of $R$ is {growing_exponents[0]:.2f} at
    $x = 10^{{-3}}$ and {growing_exponents[1]:.2f} at $x = 10^3$: $L_2$ below the scale 1, $L_1$ above it. From a
    start at zero the range of $R'$ is $(-\pi/2, \pi/2)$: a weight that is pulled steadily runs to infinity in finite
    time.

    ///
    """)
    return growing, growing_exponents


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    Change `logit` and `by_hand` to your own formula. If the residual stays there, you have derived the bias of your
    network; if not, one of us made a mistake, and we would like to hear of it.

    *The implicit_bias developers*
    """)
    return


if __name__ == "__main__":
    app.run()
