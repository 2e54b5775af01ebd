"""Examples that do not commute or are not separable: matrix factorization, the simplex, and one hidden neuron."""

from __future__ import annotations

from fractions import Fraction

import sympy as sp

from derivations.reparametrized_models import PAPER
from derivations.reparametrized_models.flows import potential_of_squares, u0, v0
from implicit_bias import Correction, Verdict
from implicit_bias.claims import Statement
from implicit_bias.claims.equation import Equation, Violation
from implicit_bias.claims.judge import argue, prove, refute

U1, U2 = sp.symbols("U1 U2", real=True)  # the first two rows of U, for one column
w1, w2 = sp.symbols("w1 w2", positive=True)


def _bracket(first: sp.Matrix, second: sp.Matrix, at: sp.Matrix) -> sp.Matrix:
    """[X, Y] = ∂Y X − ∂X Y, as Definition 5.2.3 has it."""
    return second.jacobian(at) * first - first.jacobian(at) * second


@PAPER.claim(
    "cor-5.3.12-proof",
    statement=Statement(
        r"\langle [\nabla G_{11}, [\nabla G_{11}, \nabla G_{12}]], \nabla G_{12} \rangle = ",
        sp.Rational(1, 2) * (U1**2 + U2**2), r" \text{ for } G(U) = UU^T \text{ with one column } U",
    ),
    source="proof of Corollary 5.3.12 of Wang's thesis",
    hypotheses=(r"d \ge 2", r"[X, Y] = \partial Y X - \partial X Y", "a further column adds a term of the same form"),
)  # fmt: skip
def matrix_factorization(statement: Statement) -> Verdict:
    """Matrix factorization makes no mirror flow; the constants of the printed proof are not those of its brackets.

    The corollary says "for any d, r". For d = 1 the single field ∇G₁₁ = 2U commutes with itself, so it is left out.
    """
    at = sp.Matrix([U1, U2])
    field11, field12 = sp.Matrix([2 * U1, 0]), sp.Matrix([U2, U1])  # of G₁₁ = U₁², G₁₂ = U₁U₂
    once = _bracket(field11, field12, at)
    twice = _bracket(field11, once, at)
    product = sp.expand((twice.T * field12)[0])
    turned = sp.Matrix(sp.symbols("p q", real=True))  # (U₁ ± U₂)/√2, an eigenbasis of ∇²G₁₂
    sum_field = sp.Matrix([turned[0] + turned[1]] * 2)  # of G₁₁ = (p + q)²/2
    difference_field = sp.Matrix([turned[0], -turned[1]])  # of G₁₂ = (p² − q²)/2
    twice_turned = _bracket(sum_field, _bracket(sum_field, difference_field, turned), turned)
    back = dict(zip(turned, [(U1 + U2) / sp.sqrt(2), (U1 - U2) / sp.sqrt(2)], strict=True))
    again = (twice_turned.T * difference_field)[0].xreplace(back)
    right = prove(
        "The brackets were expanded from their definition, for one column of U: [∇G₁₁, ∇G₁₂] = (−2U₂, 2U₁), the double "
        "bracket is (4U₂, 4U₁), and its product with ∇G₁₂ = (U₂, U₁) is 4(U₁² + U₂²). It is not zero, so the necessary "
        "condition of Theorem 5.3.10 fails and the corollary stands for d ≥ 2. The brackets in the eigenbasis "
        "(U₁ ± U₂)/√2 of ∇²G₁₂ give the same.",
        stated=Equation(product, again, says="the product, in both bases"),
    )
    return refute(
        "At U = (1, 0) the double bracket is (0, 4), and its product with ∇G₁₂ = (0, 1) is 4, not ½. Already the first "
        "step of the printed proof, 4(Ē₁₁Ē₁₂ − Ē₁₂Ē₁₁) = Δ₁₂, lacks a factor 2.",
        Violation(statement.formula, product, {"U1": Fraction(1), "U2": Fraction(0)}),
        Equation(product, again, says="the product, in the standard basis and in an eigenbasis"),
        correction=Correction(r"\dots = 4(U_1^2 + U_2^2)", right),
    )


REMAINDER = 1 - w1 - w2


@PAPER.claim(
    "simplex-hessian",
    statement=Statement(
        r"R(w) = ",
        w1 * (sp.log(w1) - 1) + w2 * (sp.log(w2) - 1) + REMAINDER * (sp.log(REMAINDER) - 1),
        r" \text{ has } \nabla^2 R(w) = \mathrm{diag}(w^{-1}) + c\,1 1^T \text{ with } c = ", sp.Integer(1),
    ),
    source="section 5.4.1 of Wang's thesis, for d = 2",
    hypotheses=(r"w_i > 0,\ \sum_i w_i < 1",),
)  # fmt: skip
def hessian_on_the_simplex(statement: Statement) -> Verdict:
    """The Hessian of the entropy with the remainder 1 − Σ w: the printed one lacks the remainder's inverse."""
    potential, constant = statement.formulas
    own, mixed = sp.diff(potential, w1, 2), sp.diff(potential, w1, w2)
    corrected_hessian = sp.diag(1 / w1, 1 / w2) + sp.ones(2, 2) / REMAINDER
    inverse = sp.diag(w1, w2) - sp.Matrix([w1, w2]) * sp.Matrix([[w1, w2]])
    product = corrected_hessian * inverse
    right = prove(
        "∂R/∂w_i = log w_i − log(1 − Σw), so SymPy's second derivatives are δ_ij/w_i + 1/(1 − Σw). This matrix is the "
        "inverse of diag(w) − wwᵀ, as the Hessian of this entropy has to be; with 1 for 1/(1 − Σw) it is not.",
        (corrected_hessian[0, 0], own),
        (corrected_hessian[0, 1], mixed),
        Equation(product[0, 1] + 1, sp.Integer(1), says="entry (1, 2) of the product is 0"),
        stated=Equation(own * inverse[0, 0] + mixed * inverse[1, 0], sp.Integer(1), says="entry (1, 1) of the product"),
        conditions=(REMAINDER,),
    )
    return refute(
        "At w = (¼, ¼) the mixed second derivative of R is 1/(1 − ½) = 2.",
        Violation(constant, mixed, {"w1": Fraction(1, 4), "w2": Fraction(1, 4)}),
        correction=Correction(r"\nabla^2 R(w) = \mathrm{diag}(w^{-1}) + \frac{1}{1 - \sum_i w_i} 1 1^T", right),
    )


@PAPER.claim(
    "simplex-parametrization",
    statement=Statement(
        r"G_i(x) = x_i^2/\|x\|^2 \text{ on } \mathbb{R}^{3}, \text{ trained from } \|x_0\|^2 = ", sp.Integer(4),
        r", \text{ makes the mirror flow of } R(w) = \sum_i w_i(\log w_i - 1) + r(\log r - 1),\ r = 1 - \sum_i w_i",
    ),
    source="on the open problem that section 5.4.1 of Wang's thesis answers by Nash's theorem; found here",
    hypotheses=(r"w_i = G_i(x) > 0,\ i = 1, 2",),
    uses=("thm-5.3.9",),
)  # fmt: skip
def explicit_parametrization(statement: Statement) -> Verdict:
    """An explicit parametrization where the paper knows one by an embedding theorem alone.

    The Hessian is the Fisher metric of three outcomes, which is that of a sphere of radius 2 in the coordinates 2√w_i.
    """
    x = sp.Matrix(sp.symbols("x1:4", positive=True))
    norm = (x.T * x)[0]
    maps = sp.Matrix([x[0] ** 2 / norm, x[1] ** 2 / norm])
    metric = maps.jacobian(x) * maps.jacobian(x).T
    rest = 1 - maps[0] - maps[1]
    hessian = sp.diag(1 / maps[0], 1 / maps[1]) + sp.ones(2, 2) / rest
    radius = statement.formula
    # ∂G∂Gᵀ is homogeneous of degree −2: its value at ‖x‖² = N is the one at x divided by N/‖x‖².
    product = metric * hessian * norm / radius
    return argue(
        "The functions G_i are homogeneous of degree 0, so their gradients are tangent to spheres and every flow of "
        "L(G(x)) keeps ‖x‖. On ‖x‖² = 4 the matrix ∂G ∂Gᵀ is the inverse of ∇²R, entry by entry, with the Hessian as "
        "corrected above. So w' = −∂G ∂Gᵀ∇L = −(∇²R)⁻¹∇L, which is the mirror flow of R. On ‖x‖² = N it would be 4/N "
        "times as fast.",
        Equation((maps.jacobian(x)[0, :] * x)[0] + norm, norm, says="x · ∇G₁ = 0: the norm is kept"),
        Equation(product[0, 1] + 1, sp.Integer(1), says="entry (1, 2) of ∂G ∂Gᵀ ∇²R is 0"),
        stated=Equation(product[0, 0], sp.Integer(1), says="entry (1, 1) of ∂G ∂Gᵀ ∇²R is 1"),
    )


w, c = sp.Symbol("w", real=True), sp.Symbol("c", positive=True)
_S = sp.sqrt(w**2 + 4 * c**2)


@PAPER.claim(
    "thm-5.4.1",
    statement=Statement(
        r"\partial F^T \partial F = \nabla^2 R \Rightarrow \text{ gradient flow with } G = F^{-1} \text{ is "
        r"the mirror flow "
        r"of } R;\ \text{for } R'' = \tfrac14 (w^2 + 4c^2)^{-1/2}:\ F(w) = \Big(", sp.sqrt((_S + w) / 2), ",",
        sp.sqrt((_S - w) / 2), r"\Big),\ G(u, v) = u^2 - v^2",
    ),
    source="Theorem 5.4.1 of Wang's thesis and the argument after it; the example was chosen here",
    hypotheses=(r"R \text{ smooth and Legendre}", r"F \text{ exists by Nash's embedding theorem}"),
    uses=("cor-5.3.18",),
)  # fmt: skip
def mirror_flow_is_gradient_flow(statement: Statement) -> Verdict:
    """Every mirror flow is a gradient flow: an isometric embedding is the inverse of a parametrization."""
    u, v = statement.formulas
    curvature = sp.diff(potential_of_squares.statement.formula, w, 2).xreplace({u0: c, v0: sp.Integer(1)})
    return argue(
        "Nash's theorem, quoted and not checked, embeds the domain of R with the metric ∇²R into some R^D by a map F "
        "with ∂Fᵀ∂F = ∇²R. Extended constantly along the normal directions, G = F⁻¹ has ∂G ∂Gᵀ = (∇²R)⁻¹ on the image "
        "and gradients tangent to it; so w = G(x) obeys w' = −∂G ∂Gᵀ∇L = −(∇²R)⁻¹∇L. In the example the hyperbolic "
        "entropy of one weight is embedded in the plane as the hyperbola uv = c: G inverts F, and |F'|² is R'' as the "
        "potential of u² − v² has it with u₀v₀ = c.",
        (u**2 - v**2, w),
        Equation(u**2 * v**2, c**2, says="the image lies on uv = c"),
        stated=Equation(sp.diff(u, w) ** 2 + sp.diff(v, w) ** 2, curvature, says="|F'|² = R''"),
    )


mu = sp.Matrix(sp.symbols("mu1 mu2", real=True))
y0 = sp.Matrix(sp.symbols("c1 c2", real=True))  # the start of z
a0 = sp.Symbol("a0", positive=True)
SQUARE = ((y0 + mu).T * (y0 + mu))[0] + a0**2 - (y0.T * y0)[0]


@PAPER.claim(
    "hidden-neuron-potential",
    statement=Statement(
        r"\nabla Q(\mu) = G(\psi(x_0; \mu)) = (y_0 + \mu)\sqrt{\|y_0 + \mu\|^2 + a_0^2 - \|y_0\|^2},\quad Q(\mu) = ",
        SQUARE ** sp.Rational(3, 2) / 3, r" + C",
    ),
    source="equations (5.5.1) to (5.5.3) of Wang's thesis, for d = 2",
    hypotheses=(r"G(a, z) = a z", r"\psi \text{ follows } +\nabla G_i/a \text{ from } (a_0, y_0)"),
)  # fmt: skip
def potential_of_the_hidden_neuron(statement: Statement) -> Verdict:
    """The potential of one hidden neuron after a change of time, and the metric that it has to have."""
    root = sp.sqrt(SQUARE)
    z1, z2 = (y0 + mu)[0], (y0 + mu)[1]
    return prove(
        "Along g₁ = (z₁/a, 1, 0) the weights z move with μ and a moves as √(‖y₀ + μ‖² + a₀² − ‖y₀‖²), as ∂a/∂μ₁ = "
        "z₁/a. The gradient of Q is a z there, and its Hessian is ∂G ∂Gᵀ/a = (a² I + zzᵀ)/a.",
        (sp.diff(root, mu[0]), z1 / root),
        (sp.diff(statement.formula, mu[0]), z1 * root),
        (sp.diff(statement.formula, mu[0], mu[1]), z1 * z2 / root),
        stated=Equation(
            sp.diff(statement.formula, mu[0], 2), (root**2 + z1**2) / root, says="entry (1, 1) of the Hessian"
        ),
        conditions=(SQUARE,),
    )


size, k = sp.Symbol("n", positive=True), sp.Symbol("k", real=True)  # ‖w‖ and a₀² − ‖y₀‖²
INNER = sp.sqrt(size**2 + k**2 / 4)


@PAPER.claim(
    "hidden-neuron-divergence",
    statement=Statement(
        r"D_R(w, w_0) = \frac{a_0^3}{3} + ",
        -(INNER + k / 2) ** sp.Rational(3, 2) / 3 + size * sp.sqrt(INNER - k / 2),
        r" - \langle w, y_0 \rangle,\quad n = \|w\|,\ k = a_0^2 - \|y_0\|^2",
    ),
    source="equation (5.5.5) and the formula after it in Wang's thesis",
    hypotheses=(
        r"G(a, z) = a z, \ a_0 > 0 \text{ and } a > 0 \text{ at } w",
        r"\|y_0 + \nabla R(w)\| = \sqrt{\sqrt{n^2 + k^2/4} - k/2}",
    ),
    uses=("hidden-neuron-potential",),
)  # fmt: skip
def divergence_of_the_hidden_neuron(statement: Statement) -> Verdict:
    """The divergence that one hidden neuron minimizes, as a function of the norm of w."""
    length, reach = sp.Symbol("r", positive=True), sp.Symbol("q", positive=True)  # ‖y₀ + μ‖ and a
    norms, middle = {size: length * reach, k: reach**2 - length**2}, (reach**2 + length**2) / 2
    derived = length * (length * reach) - reach**3 / 3  # ⟨w, y₀ + μ⟩ − Q(μ)
    return argue(
        "D_R(w, w₀) = ⟨w, ∇R(w)⟩ − Q(∇R(w)) + Q(0), as ∇R(w₀) = 0, and Q(0) = a₀³/3. With r = ‖y₀ + ∇R(w)‖ and the "
        "factor q = a at w: w = q(y₀ + ∇R(w)) has the norm qr, and q² − r² = k. In these two lengths √(n² + k²/4) is "
        "(q² + r²)/2, so the stated roots are q and r, as in (5.5.5), and the stated terms are r·qr − q³/3.",
        Equation(INNER.xreplace(norms) ** 2, middle**2, says="n² + k²/4 = ((q² + r²)/2)²"),
        (statement.formula.xreplace({INNER: middle}).xreplace(norms), derived),
    )
