"""The penalties that squared ones induce on products, groups, differences and powers; local minima."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import sympy as sp
from scipy.optimize import minimize

from derivations.smoothing_the_edges import PAPER
from implicit_bias import Outcome, Statement, Verdict
from implicit_bias.claims import Equation, judge

x, y, z = sp.symbols("x y z", positive=True)  # sizes of factors
size = sp.Symbol("b", positive=True)  # |β|, or ‖β_j‖₂ of a group
root = sp.Symbol("r", positive=True)
depth = sp.Symbol("D", positive=True)
power = sp.Symbol("k", positive=True)
strength = sp.Symbol("lambda", positive=True)
ESTABLISHED = (Outcome.PROVED, Outcome.ARGUED)
SUMMARY = "as summarized in the abstract of version 1"
CONSTANT = "the constant is derived here"


def excess(ratios: list[sp.Expr]) -> sp.Expr:
    """Σ (p − 1 − log p), which is at least 0, and 0 only if all p are 1."""
    return sp.Add(*(ratio - 1 - sp.log(ratio) for ratio in ratios))


@PAPER.claim(
    "depth-2",
    statement=Statement(
        r"\min \{ u^2 + v^2 : u v = \beta \} = ",
        2 * size,
        r",\ b = |\beta|,\ \text{ attained where } |u| = |v|",
    ),
    source=f"squared penalties on two factors induce the ℓ1 norm, {SUMMARY}; {CONSTANT}",
)
def two_factors(statement: Statement) -> Verdict:
    """Complete the square."""
    stated = statement.formula.xreplace({size: x * y})
    return judge.argue(
        "The difference to the stated minimum is a square that vanishes for factors of one size; each β has such "
        "factors.",
        stated=Equation(x**2 + y**2 - stated, (x - y) ** 2, says="the excess of two factors of sizes x and y"),
    )


@PAPER.claim(
    "depth-d",
    statement=Statement(
        r"\min \{ \sum_{l=1}^D u_l^2 : \prod_l u_l = \beta \} = ",
        depth * size ** (2 / depth),
        r",\ b = |\beta|,\ \text{ attained where all } |u_l| \text{ agree}",
    ),
    source=f"deeper products induce ℓq with q < 1, {SUMMARY}; {CONSTANT}",
    hypotheses=(r"D \ge 2 \text{ a whole number}",),
)
def many_factors(statement: Statement) -> Verdict:
    """Write the excess as a sum of terms p − 1 − log p with p_l = u_l²/b^(2/D)."""
    three = statement.formula.xreplace({depth: sp.Integer(3), size: root**3})
    third = root**3 / (x * y)
    ratios = [(each / root) ** 2 for each in (x, y, third)]
    fourth = root**4 / (x * y * z)
    four = statement.formula.xreplace({depth: sp.Integer(4), size: root**4})
    return judge.argue(
        "The product of all p_l is 1, so the excess is b^(2/D) Σ (p_l − 1 − log p_l), of terms that are at least 0 and "
        "vanish only at p = 1 (their derivative is 1 − 1/p). Factors of the size b^(1/D) attain it. The identity is "
        "shown for D = 2, 3 and 4; more factors are more terms of the same sum.",
        Equation(
            x**2 + y**2 + third**2 - three,
            root**2 * excess(ratios),
            says="D = 3: the excess of factors of sizes x, y and r³/(xy)",
        ),
        Equation(
            x**2 + y**2 + z**2 + fourth**2 - four,
            root**2 * excess([(each / root) ** 2 for each in (x, y, z, fourth)]),
            says="D = 4: the excess of factors of sizes x, y, z and r⁴/(xyz)",
        ),
        stated=Equation(
            x**2 + y**2 - statement.formula.xreplace({depth: sp.Integer(2), size: x * y}),
            (x - y) ** 2,
            says="D = 2: the excess of factors of sizes x and y",
        ),
    )


@PAPER.claim(
    "group",
    statement=Statement(
        r"\min \{ \|u_j\|_2^2 + \nu_j^2 : \nu_j u_j = \beta_j \} = ",
        2 * size,
        r",\ b = \|\beta_j\|_2,\ \text{ attained where } \|u_j\|_2 = |\nu_j|",
    ),
    source=f"squared penalties on groups and their scales induce ℓ2,1, as summarized in emergentmind, GHPP; {CONSTANT}",
)
def one_scale_a_group(statement: Statement) -> Verdict:
    """Complete the square with the norm of a group of two."""
    length = sp.sqrt(x**2 + y**2)
    return judge.argue(
        "‖u‖ and |ν| are two factors of ‖β‖, and any direction of u will do.",
        stated=Equation(
            x**2 + y**2 + z**2 - statement.formula.xreplace({size: z * length}),
            (length - z) ** 2,
            says="the excess of u = (x, y) and a scale of size z",
        ),
    )


@PAPER.claim(
    "deep-group",
    statement=Statement(
        r"\min \{ \|u_j\|_2^2 + \sum_{l=1}^{D-1} \nu_{j,l}^2 : u_j \prod_l \nu_{j,l} = \beta_j \} = ",
        depth * size ** (2 / depth),
        r",\ b = \|\beta_j\|_2",
    ),
    source=f"deeper groups induce ℓp,q, {SUMMARY}; {CONSTANT}",
    hypotheses=(r"D \ge 2 \text{ a whole number}",),
    uses=("depth-d",),
)
def many_scales_a_group(statement: Statement, used: Mapping[str, Verdict]) -> Verdict:
    """The norm of u and the scales are D factors of the norm of the group."""
    if used["depth-d"].outcome not in ESTABLISHED:
        return Verdict(Outcome.INCONCLUSIVE, "The minimum over D factors was not established.")
    length = sp.sqrt(x**2 + y**2)
    return judge.argue(
        "‖β‖ is the product of ‖u‖ and the D − 1 sizes of scales, and the penalty is the sum of their squares: the "
        "minimum over D factors.",
        Equation(
            statement.formula.xreplace({size: length * length ** (depth - 1)}),
            x**2 + y**2 + (depth - 1) * length**2,
            says="the stated minimum is attained by u = (x, y) and D − 1 scales of its size",
        ),
        stated=Equation(
            x**2 + y**2 + z**2 - statement.formula.xreplace({depth: sp.Integer(2), size: z * length}),
            (length - z) ** 2,
            says="D = 2: the excess of u = (x, y) and one scale of size z",
        ),
    )


@PAPER.claim(
    "difference",
    statement=Statement(
        r"\min \{ p^2 + q^2 : p^2 - q^2 = \beta \} = ",
        size,
        r",\ b = |\beta|,\ \text{ attained where one of them vanishes}",
    ),
    source="Hadamard differences, as summarized in sciencestack, 2307.03571; the constant is derived here",
)
def difference_of_squares(statement: Statement) -> Verdict:
    """Subtract; the larger square comes first without loss of generality."""
    stated = statement.formula.xreplace({size: x**2 + 2 * x * y})  # (x + y)² − y²
    return judge.argue(
        "For p² ≥ q² the excess is 2q², and for p² ≤ q² it is 2p²; it vanishes exactly if the smaller one does.",
        stated=Equation((x + y) ** 2 + y**2 - stated, 2 * y**2, says="the excess of sizes x + y and y"),
    )


@PAPER.claim(
    "power",
    statement=Statement(
        r"\beta = |u|^{k-1} u \implies u^2 = ",
        size ** (2 / power),
        r",\ b = |\beta|",
    ),
    source="Hadamard powers of any order, as summarized in sciencestack, 2307.03571; the constant is derived here",
    hypotheses=(r"k > 0",),
)
def powers(statement: Statement) -> Verdict:
    """Insert a power with an offset, so that SymPy has something to do."""
    return judge.prove(
        "|β| = |u|^k, and the map is one-to-one, so there is nothing to minimize: the penalty of u = x + y is its "
        "square. With k = D this is the penalty of D factors over D.",
        stated=Equation(
            statement.formula.xreplace({size: (x + y) ** (power - 1) * (x + y)}),
            x**2 + 2 * x * y + y**2,
            says="|β|^(2/k) for u = x + y",
        ),
    )


@PAPER.claim(
    "local-minima",
    statement=Statement(
        r"L(\prod_l u_l) + ",
        strength * sp.Symbol("S", positive=True),
        r" \text{ with } S = \sum_l u_l^2 \text{ and } L(\beta) + ",
        strength * depth * size ** (2 / depth),
        r" \text{ with } b = |\beta| \text{ have the same infimum and matching local minima: } \beta \text{ is one of "
        r"the second if and only if some (then all) of its factorizations into equal sizes are ones of the first}",
    ),
    source="as summarized in the abstract; the factor D is derived here",
    hypotheses=(r"L \text{ continuous}", r"\lambda > 0,\ D \ge 2"),
    uses=("depth-d",),
)
def matching_minima(statement: Statement, used: Mapping[str, Verdict]) -> Verdict:
    """The induced penalty is the least one, and weights lift continuously to equal sizes; single weights by BFGS."""
    if used["depth-d"].outcome not in ESTABLISHED:
        return Verdict(Outcome.INCONCLUSIVE, "The minimum over D factors was not established.")
    smooth, induced = statement.formulas
    (total,) = smooth.free_symbols - {strength}
    verdict = judge.argue(
        "The first objective is at least the second one at the product, with equality for equal sizes. Near such a "
        "factorization of a local minimum of the second the products are near it, so it is a local minimum of the "
        "first. A local minimum of the first has equal sizes: otherwise sizes can be made more equal along the curve "
        "of constant product, on which the penalty falls strictly (the sum of squares is strictly convex in the "
        "logarithms of the sizes; a product of zero lets any factor that is not zero shrink). Weights near its product "
        "lift to equal sizes near it, so the product is a local minimum of the second. Minima that BFGS found for "
        "D = 2 and 3 and a loss with two valleys are ones of the second on a grid.",
        Equation(
            sp.diff(root**2 * (sp.exp(2 * (y - x)) + sp.exp(2 * x)), x, 2),
            4 * root**2 * sp.exp(2 * y - 2 * x) + 4 * root**2 * sp.exp(2 * x),
            says="two sizes e^(y−x), e^x of constant product: the second derivative of their squares is positive",
        ),
        stated=Equation(
            smooth.xreplace({total: x**2 + y**2 + (depth - 1) * (x**2 + y**2)}),
            induced.xreplace({size: sp.sqrt(x**2 + y**2) ** depth}),
            says="both penalties agree for D factors of the size √(x² + y²)",
        ),
    )
    return judge.agreed(
        verdict,
        lambda: max(above_grid(seed, layers) for seed in range(3) for layers in (2, 3)),
        GRID_TOLERANCE,
        GRID_REASON,
    )


GRID_TOLERANCE = 1e-9
GRID_REASON = "BFGS ends where slopes are below 1e-9, and the loss is above its minimum by about their square."


def above_grid(seed: int, layers: int) -> float:
    """By how much the second objective falls near a product that BFGS found for the first one, at λ = 0.1."""

    def loss(weight: np.ndarray) -> np.ndarray:
        return (weight - 1) ** 2 * (weight + 1.2) ** 2

    start = np.random.default_rng(seed).normal(size=layers)
    found = float(
        np.prod(
            minimize(
                lambda factors: float(loss(np.prod(factors)) + 0.1 * (factors @ factors)),
                start,
                method="BFGS",
                options={"gtol": 1e-9},
            ).x
        )
    )
    near = np.append(found + np.linspace(-0.02, 0.02, 41), found)
    values = loss(near) + 0.1 * layers * np.maximum(np.abs(near), 1e-300) ** (2 / layers)
    return float(values[-1] - values.min())


@PAPER.claim(
    "open-product",
    statement=Statement(
        r"(x, y) \text{ is a local minimum of } (u, v) \mapsto L(u v) \text{ if and only if } ",
        x * y,
        r" \text{ is one of } L,\ \text{ for any continuous } L",
    ),
    source="local minima without any penalty, as summarized in the abstract",
)
def product_is_open(statement: Statement) -> Verdict:
    """Reach all values near a product from points near its factors; a square fails at zero."""
    target = sp.Symbol("epsilon", positive=True)
    product = statement.formula
    return judge.argue(
        "The product is continuous and open: values xy + ε near xy are taken near (x, y), at (x + ε/y, y) if y ≠ 0, "
        "and at ±(√ε, √ε), (√ε, −√ε) near (0, 0). So a neighbourhood of (x, y) maps onto one of xy, and both are local "
        "minima or not. (The square u² is not open at 0: L(β) = β has no local minimum there, but L(u²) has.)",
        Equation(
            product.xreplace({x: x + target / y}),
            x * y + target,
            says="the value xy + ε at (x + ε/y, y)",
        ),
        Equation(
            product.xreplace({x: sp.sqrt(target), y: sp.sqrt(target)}) * (1 + x),
            target + target * x,
            says="the value ε near (0, 0) (times 1 + x)",
        ),
    )
