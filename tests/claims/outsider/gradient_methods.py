"""Ten claims that an outsider might write, about gradient descent on a parabola and about convex functions.

Among them are a wrong constant, missing hypotheses, a check that loops for ever, one that raises, and one whose process
ends.
"""

import os
from fractions import Fraction

import sympy as sp
from scipy.integrate import solve_ivp

import implicit_bias as ib
from implicit_bias.claims import Violation, corrected, judge

x, y = sp.symbols("x y", real=True)
t, step, curvature = sp.symbols("t eta c", positive=True)
paper = ib.Paper("parabola", "Notes on a parabola", "An outsider", year=2026)


falling = sp.cosh(curvature * t) - sp.sinh(curvature * t)


@paper.claim("flow", statement=ib.Statement("x(t) = ", x * sp.exp(-curvature * t)), source="eq. 1")
def flow(statement):
    return judge.prove(
        "x (cosh ct − sinh ct) solves x' = −c x and starts at x.",
        (sp.diff(x * falling, t), -curvature * x * falling),
        ((x * falling).subs(t, 0), x),
        stated=(statement.formula, x * falling),
    )


@paper.claim(
    "loss", statement=ib.Statement("f(x(t)) = ", curvature * x**2 * sp.exp(-curvature * t) / 2), source="eq. 2"
)
def loss(statement):
    """The constant is wrong, as the loss falls twice as fast as x."""
    true = curvature * x**2 * sp.exp(-2 * curvature * t) / 2
    computed = curvature * (x * falling) ** 2 / 2
    correction = ib.Correction(sp.latex(true), judge.prove("f(x) = c x²/2.", stated=(true, computed)))
    return judge.prove("f(x) = c x²/2.", stated=(statement.formula, computed), correction=correction)


@paper.claim("root", statement=ib.Statement(r"\sqrt{x^2} = ", x), source="eq. 3")
def root(statement):
    """The hypothesis x ≥ 0 is missing."""
    return judge.prove("The root undoes the square.", stated=(sp.sqrt(x**2), statement.formula))


@paper.claim(
    "root-of-positive", statement=ib.Statement(r"\sqrt{x^2} = ", x), hypotheses=("x > 0",), source="eq. 3, mended"
)
def root_of_positive(statement):
    size = sp.Symbol("x", positive=True)
    formula = statement.formula.xreplace({x: size})
    return judge.prove("The root undoes the square.", stated=(sp.exp(sp.log(size**2) / 2, evaluate=False), formula))


@paper.claim("convex", statement=ib.Statement("f(x) - f(y) - f'(y)(x - y) = ", curvature * (x - y) ** 2 / 2, r" \ge 0"))
def convex(statement):
    f = curvature * x**2 / 2
    gap = f - f.subs(x, y) - sp.diff(f, x).subs(x, y) * (x - y)
    return judge.argue("A positive number times a square is not negative.", stated=(statement.formula, gap))


@paper.claim("small-steps", statement=ib.Statement(r"|1 - \eta c| \le ", sp.Integer(1)), uses=(corrected("loss"),))
def small_steps(statement):
    """The hypothesis that steps are at most 2/c is missing."""
    factor = sp.Abs(1 - step * curvature)
    found = judge.search(judge.quarters(0.25, 4), lambda value: float(factor.subs({step: value, curvature: 1})) > 1)
    numbers = {"eta": Fraction(found.smallest), "c": Fraction(1)}
    return judge.refute("Gradient descent grows.", Violation(factor, statement.formula, numbers, ">"))


@paper.claim("integrated", statement=ib.Statement("x(1) = ", sp.exp(-1), r"\text{ from } x(0) = 1, c = 1"))
def integrated(statement):
    end = solve_ivp(lambda t, x: -x, (0, 1), [1.0], rtol=1e-10, atol=1e-12).y[0, -1]
    residual = abs(float(statement.formula) - end)
    return judge.from_residual(residual, 1e-8, "Integrated by SciPy.", refuted_above=1e-4, x0=1.0)


@paper.claim("for-ever", statement=r"\text{this check never ends}")
def for_ever():
    while True:
        pass


@paper.claim("raises", statement=r"\text{this check divides by zero}", uses=("flow",))
def raises():
    return 1 / 0


@paper.claim("ends", statement=r"\text{this check ends its process}")
def ends():
    os._exit(7)
