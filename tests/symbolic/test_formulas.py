"""The parser agrees with arithmetic on what it accepts, and refuses everything else quickly with the part at fault."""

import builtins
import keyword
import os
import re
import time

import mpmath as mp
import pytest
import sympy as sp
from hypothesis import assume, given, reject
from hypothesis import strategies as st

import implicit_bias as ib
from implicit_bias.symbolic.formulas import CONSTANTS, FUNCTIONS, MAX_EXPONENT, MAX_LENGTH, check_names, parse

SECONDS = 2.0
m, w = sp.symbols("m w")


def _leaf():
    numbers = st.integers(0, 9).map(lambda k: (str(k), lambda m, w: mp.mpf(k)))
    decimals = st.integers(1, 99).map(lambda k: (f"{k / 8}", lambda m, w: mp.mpf(k) / 8))
    names = st.sampled_from(
        [
            ("m", lambda m, w: m),
            ("w", lambda m, w: w),
            ("pi", lambda m, w: +mp.pi),
            ("abs(m - w)", lambda m, w: abs(m - w)),
        ]
    )
    return numbers | decimals | names


def _extend(parts):
    def binary(operator, rule):
        return st.tuples(parts, parts).map(
            lambda pair: (
                f"({pair[0][0]}) {operator} ({pair[1][0]})",
                lambda m, w: rule(pair[0][1](m, w), pair[1][1](m, w)),
            )
        )

    def unary(template, rule):
        return parts.map(lambda part: (template.format(part[0]), lambda m, w: rule(part[1](m, w))))

    return st.one_of(
        binary("+", lambda a, b: a + b),
        binary("-", lambda a, b: a - b),
        binary("*", lambda a, b: a * b),
        unary("1/(1 + ({})**2)", lambda a: 1 / (1 + a * a)),
        unary("-({})", lambda a: -a),
        unary("({})**3", lambda a: a**3),
        unary("sqrt(1 + ({})**2)", lambda a: mp.sqrt(1 + a * a)),
        unary("exp(arctan({}))", lambda a: mp.exp(mp.atan(a))),
        unary("log(2 + sin({}))", lambda a: mp.log(2 + mp.sin(a))),
        unary("arcsinh({})", mp.asinh),
        unary("tanh({})", mp.tanh),
        unary("sigmoid(cos({}))", lambda a: 1 / (1 + mp.exp(-mp.cos(a)))),
    )


formulas = st.recursive(_leaf(), _extend, max_leaves=8).filter(lambda f: len(f[0]) <= MAX_LENGTH)


def parsed_or_rejected(text):
    """The formula, parsed; a drawn one that nests more exponentials than the parser takes is drawn again."""
    try:
        return parse(text, ["m", "w"])
    except ib.FormulaError as error:
        if "exponentials inside one another" not in str(error):
            raise
        reject()


@given(formulas, st.integers(-300, 300), st.integers(-300, 300))
def test_parsing_then_evaluating_is_arithmetic(formula, p, q):
    text, rule = formula
    with mp.workdps(50):
        expected = rule(mp.mpf(p) / 97, mp.mpf(q) / 97)
        parsed = parsed_or_rejected(text).subs({"m": sp.Rational(p, 97), "w": sp.Rational(q, 97)})
        assert abs(mp.mpf(parsed.evalf(50)) - expected) <= mp.mpf(10) ** -35 * (1 + abs(expected))


@given(formulas)
def test_printing_a_parsed_formula_and_parsing_it_again_changes_nothing(formula):
    first = parsed_or_rejected(formula[0])
    assert parse(first, ["m", "w"]) == first


def test_precedence_and_spellings():
    assert parse("-m**2", ["m"]) == -(m**2)
    assert parse("2**3**2", ["m"]) == 512
    assert parse(" +m*w\n", ["m", "w"]) == m * w
    for of, names in ((sp.asinh, ("arcsinh", "asinh", "arsinh")), (sp.acosh, ("arccosh", "acosh", "arcosh")),
                      (sp.atanh, ("arctanh", "atanh", "artanh"))):  # fmt: skip
        assert {parse(f"{name}(m)", ["m"]) for name in names} == {of(sp.Symbol("m"))}
    assert parse("0.1*m", ["m"]) == m / 10
    assert parse("m**0.5", ["m"]) == sp.sqrt(m)


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("softplus", lambda m: mp.log(1 + mp.exp(m))),
        ("expit", lambda m: 1 / (1 + mp.exp(-m))),
        ("silu", lambda m: m / (1 + mp.exp(-m))),
        ("ln", mp.log),
        ("log1p", lambda m: mp.log(1 + m)),
        ("log10", mp.log10),
        ("log2", lambda m: mp.log(m) / mp.log(2)),
        ("expm1", mp.expm1),
        ("square", lambda m: m * m),
        ("sec", mp.sec),
        ("csc", mp.csc),
        ("cot", mp.cot),
        ("sech", mp.sech),
        ("csch", mp.csch),
        ("coth", mp.coth),
    ],
)
def test_a_function_that_is_missing_is_said_by_those_that_are_there(name, function):
    """What the message says to write can be read, and has the values of the function."""
    with pytest.raises(ib.FormulaError, match=f"{name} is not a function here: write ") as caught:
        parse(f"{name}(m)", ["m"])
    written = str(caught.value).partition("write ")[2].removesuffix(".")
    value = parse(written, ["m"]).subs("m", sp.Rational(7, 10)).evalf(30)
    assert float(value) == pytest.approx(float(function(mp.mpf(7) / 10)), rel=1e-14)


@pytest.mark.parametrize("formula", ["relu(m)", "ReLU(m)", "max(m, 0)", "min(m, w)"])
def test_a_kink_is_refused_with_its_reason(formula):
    with pytest.raises(ib.FormulaError, match=r"it has a kink, .* a smooth stand-in is .*(log|exp)"):
        parse(formula, ["m", "w"])


def test_parameters_are_real_while_a_formula_is_read():
    assert parse("abs(exp(arctan(m)))", ["m"]) == sp.exp(sp.atan(m))
    assert parse("sqrt(m**2)", ["m"]) == sp.Abs(m)


@pytest.mark.parametrize(
    "assumptions", [{}, {"real": True}, {"positive": True}, {"integer": True}, {"commutative": False}]
)
def test_expressions_lose_their_assumptions(assumptions):
    given_m = sp.Symbol("m", **assumptions)
    assert parse(given_m * sp.Symbol("w"), ["m", "w"]) == m * w
    assert parse(sp.Dummy("m") + 0 * w, ["m", "w"]) == m


def test_floats_become_the_decimal_they_print():
    assert parse(0.1 * m, ["m"]) == parse("0.1*m", ["m"]) == m / 10
    assert parse(m**0.5, ["m"]) == sp.sqrt(m)
    assert parse(0.25, ["m"]) == sp.Rational(1, 4)


# Each formula with the part that the message must name.
ATTACKS = {
    "__import__('os').system('true')": "__import__('os').system",
    "().__class__.__bases__[0]": "__class__",
    "m.__class__": "m.__class__",
    "m.real": "m.real",
    "__builtins__": "__builtins__",
    "__debug__": "__debug__",
    "lambda: m": "lambda",
    "(lambda m: m)(w)": "lambda",
    "[m for m in w]": "[m for m in w]",
    "{m for m in w}": "{m for m in w}",
    "sum(m for m in w)": "sum",
    "(m := w)": "m := w",
    "f'{m}'": "f'{m}'",
    "'m'": "'m'",
    "b'm'": "b'm'",
    "m if w else m": "m if w else m",
    "m and w": "m and w",
    "m < w": "m < w",
    "not m": "not m",
    "~m": "~m",
    "m[0]": "m[0]",
    "(m, w)": "(m, w)",
    "{m: w}": "{m: w}",
    "m @ w": "m @ w",
    "m // w": "m // w",
    "m % w": "m % w",
    "m << 9999999999": "m << 9999999999",
    "m ^ 2": "**",
    "eval('m')": "eval",
    "exec('m')": "exec",
    "open('m')": "open",
    "print(m)": "print",
    "m(w)": "'m' cannot be called",
    "exp(m)(w)": "exp(m)",
    "await m": "await m",
    "yield m": "yield m",
    "import os": "import os",
    "m = w": "m = w",
    "m; w": "m; w",
    "m\x00w": "null",
    "q*m": "'q'",
    "mw": "'mw'",
    "exp": "exp(...)",
    "exp()": "exp takes exactly one",
    "exp(m, w)": "exp takes exactly one",
    "exp(x=m)": "exp takes exactly one",
    "exp(**m)": "exp takes exactly one",
    "exp(*m)": "*",
    "*m": "*m",
    "m*True": "True",
    "m*None": "None",
    "m*...": "...",
    "1j*m": "1j",
    "I*m": "'I'",
    "e*m": "'e'",
    "inf*m": "'inf'",
    "nan": "'nan'",
    "1e400*m": "the number 1e400 is too large for double precision",
    "1e-400*m": "the number 1e-400 is too small for double precision",
    "m + 0.00E5 + 12.5e-340": "the number 12.5e-340 is too small",
    "m/0": "divides by zero",
    "m*log(0)": "logarithm of zero",
    "tan(pi/2)*m": "divides by zero",
    "sqrt(-1)*m": "complex",
    "log(-1)*m": "complex",
    "asin(2)*m": "asin(2) is complex",
    "atanh(2)*m": "complex",
    "(-8)**(1/3)*m": "complex",
    "abs(acosh(1/2))*m": "complex",
    "sqrt(-1)**2*m": "complex",
    # SymPy cannot compare such a number with pi, and fails.
    "m*acos(cos(64**64))": "SymPy's acos fails",
    "m*asin(sin(1e300))": "SymPy's asin fails",
    "m*acos(atan(tan(1e300)))": "SymPy's atan fails",
    # SymPy would take more than a second to find a complex number here if it evaluated the outer functions first.
    "m/sign(acos(arccos(sigmoid((10**30+64**64))-1)))": "complex",
    "m-asin(sqrt(sqrt(tanh(arccos(arccosh(10**9))**2)-1)+w)*2)": "complex",
    "9**9**9": "387420489",
    "9**9**9**9": "up to 64",
    "m**9**9": "387420489",
    "((m**64)**64)**64": "64",
    "m**pi": "pi",
    "m**(1/65)": "1/65",
    "(((10**64)**64)**64)**64": "too large",
    "((((10**60*m)**60*10**60)**60)*10**60)**60": "too large",
    "(3**64*m)**64": "too large",
    "*".join(["9**64"] * 30): "double precision",
    "(" * 450 + "m" + ")" * 450: "(((((",
    "-" * 990 + "m": "-----",
    "sqrt(" * 150 + "m" + ")" * 150: "up to 64",
    "": "an empty string",
    "   ": "an empty string",
    "m*": "it ends where",
    "m²": "U+00B2",
    "м*w": "U+043C",
    "ｍ*w": "U+FF4D",
    "m∗w": "U+2217",
    "m·w": "U+00B7",
    "m*ᵂ": "U+1D42",
    "m\u200b*w": "U+200B",
    "a" * 100_000: "100000",
    "m+" * 50_000 + "m": "100001",
    "m" + "\n" * 100_000: "100001",
}  # fmt: skip


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize(("formula", "part"), ATTACKS.items(), ids=[repr(a[:30]) for a in ATTACKS])
def test_what_is_not_a_formula_is_one_quick_error(formula, part, monkeypatch):
    def executed(*_args, **_keywords):
        raise AssertionError("something was executed")

    monkeypatch.setattr(os, "system", executed)
    for name in ("eval", "exec", "open", "print"):
        monkeypatch.setattr(builtins, name, executed)
    start = time.thread_time()
    with pytest.raises(ib.FormulaError) as caught:
        parse(formula, ["m", "w"])
    elapsed = time.thread_time() - start
    monkeypatch.undo()
    assert elapsed < SECONDS
    assert part in str(caught.value)
    assert len(str(caught.value)) < 500


# What newcomers write, with what to write in its place, which is read as it is meant.
ADVICE = {
    "2m": "2*m", "m w": "m*w", "2 m w": "2*m*w", "m**2 w**2": "m**2*w**2", "(m + w)m": "(m + w)*m", "1.5e3m": "1.5e3*m",
    "|m|": "abs(m)", "2|m - w|": "2*abs(m - w)", "|m|*|w|": "abs(m)*abs(w)", "exp m": "exp(m)", "2exp(m)": "2*exp(m)",
    "x = m*w": "m*w", "R(x) = log(m)": "log(m)", "2 sinh m": "2*sinh(m)", "np.exp(m)": "exp(m)",
}  # fmt: skip
HINTS = {
    "lambda*m": "call it lambda_", "softmax(m)": "in a list", "m(w)": "write * for a product",
    "(m+w)(m-w)": "write * for a product", "m*w, m + w": "give several in a list", "m[0]*m[1]": "write m0",
    r"\frac{m}{w}": "not in LaTeX", "$m$": "not in LaTeX", "e**m": "write exp(m)", "m²": "write **2", "m·w": "write *",
    "λ*m": "write a name of Latin letters", "torch.relu(m)": "log(1 + exp(m))", "sum(m)": "write a + b",
}  # fmt: skip


@pytest.mark.parametrize(("formula", "meant"), ADVICE.items())
def test_a_slip_of_the_pen_comes_with_what_to_write(formula, meant):
    with pytest.raises(ib.FormulaError) as caught:
        ib.Parameterization(formula)
    assert meant in str(caught.value)
    assert str(caught.value).endswith((f"write {meant}.", f"alone, {meant}.")) or "known functions" in str(caught.value)
    assert {*ib.Parameterization(meant).params} <= {"m", "w"}


@pytest.mark.parametrize(("formula", "hint"), HINTS.items())
def test_what_is_written_otherwise_here_comes_with_a_hint(formula, hint):
    with pytest.raises(ib.FormulaError, match=re.escape(hint)):
        ib.Parameterization(formula)


@pytest.mark.parametrize(
    "broken", ["m*", "m +* w", "exp(m", "m )", "m!", "2..5*m", "= m", "m =", "|m", "if", "1 1 1 ("]
)
def test_no_advice_is_given_that_cannot_be_read(broken):
    with pytest.raises(ib.FormulaError) as caught:
        ib.Parameterization(broken)
    advised = str(caught.value).rpartition("write ")[2] if "write " in str(caught.value) else ""
    assert not advised or ib.Parameterization(advised.rstrip("."))


def test_e_is_a_parameter_where_it_is_said_to_be_one():
    assert ib.Parameterization("e**m", ["e", "m"]).params == ("e", "m")
    assert ib.Parameterization("e**2*m").params == ("e", "m")


def _deep(depth):
    expression = m
    for _ in range(depth):
        expression = sp.sin(expression, evaluate=False)
    return expression


def _shared(doublings):
    expression = m
    for _ in range(doublings):
        expression = sp.Add(expression**2, sp.sin(expression), evaluate=False)
    return expression


EXPRESSIONS = {
    "undefined function": (sp.Function("f")(m), "f(m)"),
    "symbol that is code": (sp.Symbol("__import__('os').system('true')"), "__import__"),
    "symbol that is an expression": (sp.Symbol("m w"), "'m w'"),
    "Piecewise": (sp.Piecewise((m, m > 0), (0, True)), "Piecewise"),
    "Derivative": (sp.Derivative(m**2, m), "Derivative"),
    "Integral": (sp.Integral(m, m), "Integral"),
    "Equality": (sp.Eq(m, w), "Eq(m, w)"),
    "boolean": (sp.true, "True"),
    "Tuple": (sp.Tuple(m, w), "(m, w)"),
    "MatrixSymbol": (sp.MatrixSymbol("m", 2, 2), "MatrixSymbol"),
    "Indexed": (sp.IndexedBase("m")[0], "m[0]"),
    "gamma": (sp.gamma(m), "gamma(m)"),
    "imaginary": (sp.I * m, "complex"),
    "zoo": (sp.zoo * m, "divides by zero"),
    "oo": (sp.oo * m, "divides by zero"),
    "nan": (sp.nan * m, "divides by zero"),
    "huge float": (sp.Float("1e400") * m, "double precision"),
    "huge integer": (sp.Integer(10) ** 20_000 * m, "bits"),
    "huge exponent": (sp.Pow(m, sp.Integer(10) ** 20_000), "exponent"),
    "tower": (sp.Pow(9, sp.Pow(9, 9, evaluate=False), evaluate=False) * m, "9**9"),
    "deep": (_deep(3000), "deep"),
    "shared": (_shared(40), "10000"),
}


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize("name", EXPRESSIONS)
def test_sympy_expressions_pass_the_same_whitelist(name):
    expression, part = EXPRESSIONS[name]
    start = time.thread_time()
    with pytest.raises(ib.FormulaError) as caught:
        parse(expression, ["m", "w"])
    assert time.thread_time() - start < SECONDS
    assert part in str(caught.value)


@pytest.mark.parametrize("value", [None, True, b"m", ["m"], {"m": 1}, 1j, object(), float("nan"), float("inf")])
def test_other_types_are_refused(value):
    with pytest.raises(ib.FormulaError, match=r"formula: "):
        parse(value, ["m"])


def test_an_error_says_which_formula_is_wrong():
    mask = ib.Parameterization("m*w", "m,w")
    for call, field in (
        (lambda: ib.Parameterization("m*q", "m,w"), "formula"),
        (lambda: mask.with_regularizer("m*q"), "regularizer"),
        (lambda: mask.with_regularizer(sp.Symbol("q")), "regularizer"),
        (lambda: mask.commutes_with("m*q"), "regularizer"),
        (lambda: ib.derive(mask, "m*q"), "regularizer"),
        (lambda: mask.commuting_regularizers(2, ["m*q"]), "ansatz"),
        (lambda: ib.design("x*q"), "potential"),
    ):
        with pytest.raises(ib.FormulaError, match=f"^{field}: unknown name 'q'"):
            call()


@pytest.mark.parametrize("exponent", [MAX_EXPONENT, -MAX_EXPONENT])
def test_the_largest_exponent_is_allowed(exponent):
    assert parse(f"m**({exponent})", ["m"]) == m**exponent
    with pytest.raises(ib.FormulaError, match="65"):
        parse(f"m**({exponent + (1 if exponent > 0 else -1)})", ["m"])


@pytest.mark.parametrize(
    ("names", "part"),
    [
        ("", "''"), ([], "none"), (None, "NoneType"), (5, "int"), ([5], "'5'"), (["m", "m"], "distinct"),
        ("m w", "'m w'"),
        (["_m"], "'_m'"), (["__class__"], "'__class__'"), (["lambda"], "'lambda'"), (["None"], "'None'"),
        (["м"], "'м'"),
        (["exp"], "'exp'"), (["pi"], "'pi'"), (["m" * 100_000], "short"), (["m.n"], "'m.n'"), (["m;w"], "'m;w'"),
    ],
)  # fmt: skip
def test_names_that_cannot_be_used(names, part):
    with pytest.raises(ib.FormulaError) as caught:
        check_names(names)
    assert part in str(caught.value)
    assert len(str(caught.value)) < 500


@given(st.lists(st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True), min_size=1, max_size=4, unique=True))
def test_a_usable_name_parses_to_its_symbol(names):
    assume(not {*FUNCTIONS, *CONSTANTS, *keyword.kwlist}.intersection(names))
    checked = check_names(names)
    assert [parse(name, checked) for name in names] == [sp.Symbol(name) for name in names]


# Numbers that are zero, some of them only by their digits; divisions by them; and expressions around the division.
ZEROS = "0", "log(1)", "sin(pi)", "(2 - 2)", "(sqrt(2)*sqrt(3) - sqrt(6))", "(m - m)", "0.0", "tan(0)"
ZEROS += "(sin(m)**2 + cos(m)**2 - 1)", "((m + w)**2 - m**2 - 2*m*w - w**2)", "(m*(w + 1) - m*w - m)"
POLES = "m/{0}", "1/{0}", "{0}**(-1)", "m*{0}**(-1/2)", "log({0})", "1/log({0})", "m/log(1 + {0})"
AROUND = "w + {}", "{}*w", "w/(1 + ({})**2)", "exp(-({}))", "abs({})", "2 - {}", "tanh({})", "w/{}", "log({})"


@given(st.sampled_from(ZEROS), st.sampled_from(POLES), st.lists(st.sampled_from(AROUND), max_size=4))
def test_division_by_zero_is_refused_wherever_it_stands(zero, pole, around):
    """A division by zero is refused also where SymPy swallows the infinity, as in 1/log(0), which it makes 0."""
    formula = pole.format(zero)
    for outer in around:
        formula = outer.format(f"({formula})")
    with pytest.raises(ib.FormulaError, match="divides by zero"):
        parse(formula, ["m", "w"])


@pytest.mark.parametrize("zero", [sp.log(1, evaluate=False), sp.sin(0, evaluate=False), sp.Add(2, -2, evaluate=False)])
@pytest.mark.parametrize("power", [-1, -2, sp.Rational(-1, 2)])
def test_division_by_what_sympy_left_unevaluated_is_refused(zero, power):
    for expression in (sp.Pow(zero, power, evaluate=False), 2 + sp.Pow(zero, power, evaluate=False)):
        with pytest.raises(ib.FormulaError, match="divides by zero"):
            ib.Parameterization(w + expression)


@pytest.mark.parametrize("formula", ["w/(m - w)", "1/(m**2 - 2*m*w + w**2 + 1e-12)", "m/(sin(m)**2 + cos(m)**2)"])
def test_denominators_that_vanish_in_places_alone_are_kept(formula):
    assert parse(formula, ["m", "w"]).free_symbols <= {sp.Symbol("m"), sp.Symbol("w")}


def test_deep_nesting_is_refused_before_anything_follows_it():
    """Sines nested 60 deep or deeper are refused; a derivation of them takes minutes or exceeds the recursion limit."""
    for depth in (60, 150):
        with pytest.raises(ib.FormulaError, match="inside one another"):
            ib.Parameterization("sin(" * depth + "m" + ")" * depth, "m")
    assert ib.Parameterization("+".join(["m"] * 400), "m").commutes().holds  # a long sum is not deep


@pytest.mark.usefixtures("in_this_process")
def test_nested_powers_are_refused_before_anything_expands_them():
    """A power of 99 nested squares, which SymPy would take seconds to expand, is refused at once."""
    start = time.thread_time()
    with pytest.raises(ib.FormulaError, match="degree"):
        ib.Parameterization("(" * 99 + "m" + "+1)**2" * 99, "m,w")
    assert time.thread_time() - start < 2
