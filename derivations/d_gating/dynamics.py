"""How imbalances of gates decay on the gradient flow and under gradient descent."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from derivations.d_gating import PAPER
from derivations.d_gating.setting import (
    HYPOTHESES,
    IMBALANCES,
    after_step,
    along_flow,
    depth,
    first,
    gate,
    other,
    pull_1,
    pull_2,
    rest,
    second,
    slopes,
    step,
    strength,
    time,
)
from implicit_bias import Outcome, Statement, Verdict
from implicit_bias.claims import Equation, judge

imbalance, initial = sp.symbols("I I_0", real=True)
constant = sp.Symbol("C", nonnegative=True)


@PAPER.claim(
    "lem-2",
    statement=Statement(
        r"\tfrac{d}{dt} I_{j,d,d'} = ",
        -4 * strength / depth * imbalance,
        r",\ \text{ so } I_{j,d,d'}(t) = ",
        initial * sp.exp(-4 * strength * time / depth),
    ),
    source="Lemma 2, with the rate as the text after it writes it",
    hypotheses=(*HYPOTHESES, r"\text{gradient flow of } L", r"I: \text{ differences of squared sizes of two factors}"),
)
def decay_of_imbalance(statement: Statement) -> Verdict:
    """Differentiate the imbalances along the flow, for a weight and a gate and for two gates."""
    rate, solution = statement.formulas
    start = IMBALANCES[1]
    gates = [parameter * sp.exp(-2 * strength * time / depth) for parameter in (gate, other)]
    return judge.prove(
        "The terms with the gradient of the loss cancel, as each is 2 w·∇L₀; the penalty's remain. For λ = 0 the "
        "imbalances are conserved.",
        Equation(rate.xreplace({imbalance: IMBALANCES[1]}), along_flow(IMBALANCES[1]), says="the rate for two gates"),
        Equation(
            rate.xreplace({imbalance: IMBALANCES[0]}),
            along_flow(IMBALANCES[0]),
            says="the rate for the weight and a gate",
        ),
        Equation(
            sp.diff(solution.xreplace({initial: start}), time),
            sp.expand(rate.xreplace({imbalance: solution.xreplace({initial: start})})),
            says="the stated solution has the stated rate",
        ),
        stated=Equation(
            solution.xreplace({initial: start}),
            gates[0] ** 2 - gates[1] ** 2,
            says="two gates without a pull of the loss decay as e^(−2λt/D)",
        ),
    )


@PAPER.claim(
    "lem-3",
    statement=Statement(
        r"|L(\omega(t), \Gamma(t)) - L_w(w(t))| \le ",
        constant * sp.exp(-4 * strength * time / depth),
        r",\ \text{ and some flows decay no faster}",
    ),
    source="Lemma 3, with the rate as its proof writes it; that it is attained is derived here",
    hypotheses=(*HYPOTHESES, r"\text{gradient flow of } L", r"C \text{ depends on the initialization}"),
    uses=("lem-2", "misalignment"),
)
def loss_convergence(statement: Statement, used: Mapping[str, Verdict]) -> Verdict:
    """Bound the mean minus the geometric mean of squares by the largest imbalance; attain it with a gate at zero."""
    if any(verdict.outcome not in (Outcome.PROVED, Outcome.ARGUED) for verdict in used.values()):
        return Verdict(Outcome.INCONCLUSIVE, "It rests on claims that were not established.")
    weight = [entry * sp.exp(-strength * time) for entry in (first, second)]  # for D = 2 and a gate at 0
    return judge.argue(
        "L − L_w = λ Σ_j M_j, and M_j, the mean of the squared sizes minus their geometric mean, is between 0 and the "
        "largest of them minus the smallest, which is an imbalance and decays by exactly this factor. So the bound "
        "holds with C = λ Σ_j max I_j(0). It is attained for D = 2 if a gate starts at 0 and its gradient vanishes "
        "(L₀ constant in w): then w stays 0, ω decays as e^(−λt), and L − L_w is λ‖ω‖²/2.",
        stated=Equation(
            statement.formula.xreplace({depth: sp.Integer(2), constant: strength / 2 * (first**2 + second**2)}),
            strength / 2 * (weight[0] ** 2 + weight[1] ** 2),
            says="its loss minus the penalized one is the bound with C = λ‖ω(0)‖²/2",
        ),
    )


@PAPER.claim(
    "lem-4",
    statement=Statement(
        r"I_{j,d,d'}^{(t+1)} = ",
        (1 - 4 * strength * step / depth) * imbalance,
        r" + \eta^2 \Delta_{j,d,d'}^{(t)},\ "
        r"\Delta_{j,1,d'} = \|\partial_{\omega_j} L\|_2^2 - (\partial_{\gamma_{j,d'}} L)^2,\ "
        r"\Delta_{j,d,d'} = (\partial_{\gamma_{j,d}} L)^2 - (\partial_{\gamma_{j,d'}} L)^2",
    ),
    source="Lemma 4(i), with the second order as its proof describes it",
    hypotheses=(*HYPOTHESES, r"\text{gradient descent of } L \text{ with step } \eta"),
)
def imbalance_after_a_step(statement: Statement) -> Verdict:
    """Expand both imbalances after one step."""
    slope = slopes()
    squares = {parameter: value**2 for parameter, value in slope.items()}
    stated = statement.formula
    return judge.prove(
        "The first order loses the terms with the gradient of the loss, as on the flow; the second order is the "
        "difference of the squared gradients.",
        Equation(
            stated.xreplace({imbalance: IMBALANCES[1]}) + step**2 * (squares[gate] - squares[other]),
            after_step(IMBALANCES[1]),
            says="two gates after one step",
        ),
        stated=Equation(
            stated.xreplace({imbalance: IMBALANCES[0]}) + step**2 * (squares[first] + squares[second] - squares[gate]),
            after_step(IMBALANCES[0]),
            says="the weight and a gate after one step",
        ),
    )


@PAPER.claim(
    "fn-2",
    statement=Statement(
        r"\Delta_{j,1,d'} = ",
        (other * rest) ** 2 * (gate**2 * (pull_1**2 + pull_2**2) - (first * pull_1 + second * pull_2) ** 2)
        + 4 * strength**2 / depth**2 * (first**2 + second**2 - gate**2),
        r",\ \text{ here for } d' = 1,\ \rho \text{ the product of the gates after the second; so } I_{j,1,d'} = 0 "
        r"\text{ does not generally last}",
    ),
    source="footnote 2 in the proof of Lemma 4",
    hypotheses=(*HYPOTHESES, r"\text{gradient descent of } L"),
)
def second_order(statement: Statement) -> Verdict:
    """Compute the second order, and a balanced pair that one step unbalances."""
    slope = slopes()
    balanced = {second: 4 * first / 3, gate: 5 * first / 3, other: sp.Integer(1), rest: sp.Integer(1)}
    return judge.prove(
        "The difference of the squared gradients is the stated one. A weight (ω_1, 4ω_1/3) and a gate 5ω_1/3 are "
        "balanced; one step makes their imbalance η² times the stated term, which is positive unless the gradient of "
        "the loss is parallel to the weight.",
        Equation(
            step**2 * statement.formula.xreplace(balanced),
            after_step(IMBALANCES[0]).xreplace(balanced),
            says="the imbalance after one step from a balanced pair",
        ),
        Equation(
            statement.formula,
            slope[first] ** 2 + slope[second] ** 2 - slope[gate] ** 2,
            says="‖∂L/∂ω‖² − (∂L/∂γ)²",
        ),
    )


@PAPER.claim(
    "lem-4-gates",
    statement=Statement(
        r"\text{Gradient descent conserves } ",
        gate**2 - other**2,
        r" = 0 \text{ for two gates, and a group whose factors are all zero}",
    ),
    source="Lemma 4(ii) and (iii)",
    hypotheses=(*HYPOTHESES, r"\text{gradient descent of } L \text{ with step } \eta"),
)
def balanced_gates_stay_balanced(statement: Statement) -> Verdict:
    """Factor the imbalance after one step, and scale all factors."""
    scale = sp.Symbol("s", real=True)
    inner = first * pull_1 + second * pull_2
    factor = 1 - 4 * strength * step / depth + step**2 * (4 * strength**2 / depth**2 - (rest * inner) ** 2)
    scaled = {parameter: scale * parameter for parameter in (first, second, gate, other)}
    moved = {parameter: after_step(parameter).xreplace(scaled) for parameter in (first, gate)}
    shrunk = 1 - 2 * step * strength / depth
    return judge.argue(
        "The difference of two squared gates is multiplied by a factor, so zero stays zero. A step at factors that "
        "are all scaled by s has a factor s itself, so factors that are zero stay zero (shown for depth 3 and more by "
        "the product ρ of further gates; for depth 2 the gradients of the loss still carry one factor s).",
        Equation(
            after_step(statement.formula), statement.formula * factor, says="the stated difference after one step"
        ),
        Equation(
            moved[first],
            scale * (shrunk * first - step * scale * gate * other * rest * pull_1),
            says="the weight after a step from scaled factors",
        ),
        Equation(
            moved[gate],
            scale * (shrunk * gate - step * scale * other * rest * inner),
            says="a gate after a step from scaled factors",
        ),
    )
