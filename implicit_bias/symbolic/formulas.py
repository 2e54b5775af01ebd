r"""Formulas from users, read by a whitelist.

A string is parsed into Python's syntax tree and rebuilt node by node from the operators and functions named here; it
is never evaluated. A SymPy expression passes the same whitelist. Sizes are bounded before anything is computed, so that
``9**9**9`` is an error and not a hang.
"""

from __future__ import annotations

import ast
import keyword
import math
import operator
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import sympy as sp

from implicit_bias.errors import FormulaError, UnsupportedError, did_you_mean
from implicit_bias.symbolic.sympy_call import sympy_call
from implicit_bias.symbolic.time_limit import StoppedError
from implicit_bias.symbolic.worker import call

PARSING_SECONDS = 1.0  # of computing, for one formula
PARSING_PATIENCE_SECONDS = 5.0  # by the clock; longer, as a busy machine computes less
MAX_LENGTH = 1000
MAX_EXPONENT = 64
MAX_BITS = 4096
MAX_TOWER = 3
MAX_DEPTH = 40
MAX_NAME = 40
_INFINITE = (sp.zoo, sp.oo, -sp.oo, sp.nan)
_DIVISION_BY_ZERO = "it divides by zero or takes the logarithm of zero."
_GUARD_BITS = 20  # a number of which SymPy keeps fewer is a difference of equal numbers


def _sigmoid(value: sp.Expr) -> sp.Expr:
    return 1 / (1 + sp.exp(-value))


FUNCTIONS: Mapping[str, Callable[[Any], Any]] = {
    "sqrt": sp.sqrt,
    "exp": sp.exp,
    "log": sp.log,
    "sin": sp.sin,
    "cos": sp.cos,
    "tan": sp.tan,
    "arcsin": sp.asin,
    "arccos": sp.acos,
    "arctan": sp.atan,
    "sinh": sp.sinh,
    "cosh": sp.cosh,
    "tanh": sp.tanh,
    "arcsinh": sp.asinh,
    "arccosh": sp.acosh,
    "arctanh": sp.atanh,
    "asin": sp.asin,
    "acos": sp.acos,
    "atan": sp.atan,
    "asinh": sp.asinh,
    "acosh": sp.acosh,
    "atanh": sp.atanh,
    "arsinh": sp.asinh,
    "arcosh": sp.acosh,
    "artanh": sp.atanh,
    "abs": sp.Abs,
    "sign": sp.sign,
    "sigmoid": _sigmoid,
}
# One name for each function, where messages list them.
_LISTED = tuple({function: name for name, function in reversed(FUNCTIONS.items())}.values())[::-1]
_KINK = "it has a kink, where its gradient flow is not determined; a smooth stand-in is"
# Functions that people try, with what to write in their place for an argument.
_INSTEAD: Mapping[str, str] = {
    "softplus": "write log(1 + exp({0}))",
    "relu": f"{_KINK} log(1 + exp({{0}}))",
    "max": f"{_KINK} log(exp(a) + exp(b)) for max(a, b)",
    "min": f"{_KINK} -log(exp(-a) + exp(-b)) for min(a, b)",
    "expit": "write sigmoid({0})",
    "logistic": "write sigmoid({0})",
    "silu": "write ({0})*sigmoid({0})",
    "swish": "write ({0})*sigmoid({0})",
    "ln": "write log({0})",
    "log1p": "write log(1 + {0})",
    "log2": "write log({0})/log(2)",
    "log10": "write log({0})/log(10)",
    "expm1": "write exp({0}) - 1",
    "square": "write ({0})**2",
    "pow": "write a**b for pow(a, b)",
    "sec": "write 1/cos({0})",
    "csc": "write 1/sin({0})",
    "cot": "write cos({0})/sin({0})",
    "sech": "write 1/cosh({0})",
    "csch": "write 1/sinh({0})",
    "coth": "write cosh({0})/sinh({0})",
    "sgn": "write sign({0})",
    "erf": "its formula is an integral, and only formulas of the functions that are known have a flow here",
    "sum": "write a + b for a sum of a and b",
    "prod": "write a*b for a product of a and b",
    "softmax": "it mixes the weights; give a formula for each, such as exp(u)/(exp(u) + exp(v)), in a list",
    "gelu": "its formula holds an integral; a function like it is ({0})*sigmoid(1.702*({0}))",
}
# Signs that people paste, with what to write in their place.
_SIGNS: Mapping[str, str] = {
    "²": "**2",
    "³": "**3",
    "·": "*",
    "×": "*",
    "⊙": "*",
    "−": "-",
    "√": "sqrt(...)",
    "π": "pi",
}  # fmt: skip
_NUMBER = r"(?<![\w.])(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)"
CONSTANTS: Mapping[str, sp.Expr] = {"pi": sp.pi}
_ALLOWED_CLASSES = (
    sp.Symbol, sp.Integer, sp.Rational, sp.Float, sp.Add, sp.Mul, sp.Pow, sp.exp, sp.log, sp.sin, sp.cos, sp.tan,
    sp.asin, sp.acos, sp.atan, sp.sinh, sp.cosh, sp.tanh, sp.asinh, sp.acosh, sp.atanh, sp.Abs, sp.sign,
    type(sp.pi), type(sp.E),
)  # fmt: skip
_OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}


def check_names(names: Sequence[str | sp.Symbol] | str, field: str = "params") -> tuple[str, ...]:
    """Return names as a tuple, or raise if they cannot be used.

    Args:
        names: The names, one by one or separated by commas.
        field: What they are for; an error message begins with it.

    Raises:
        FormulaError: If a name is no identifier, is that of a function or of pi, or occurs twice.
    """
    if isinstance(names, str):
        names = [part.strip() for part in names.split(",")]
    if not isinstance(names, Iterable):
        raise FormulaError(f"{field}: expected a list of names, got {type(names).__name__}.")
    result = tuple(str(name) for name in names)
    if not result:
        raise FormulaError(f"{field}: expected at least one name, got none.")
    for name in result:
        plain = name.isidentifier() and name.isascii() and not keyword.iskeyword(name) and not name.startswith("_")
        if not plain or len(name) > MAX_NAME:
            raise FormulaError(f"{field}: expected plain, short names such as m or w1, got {name[:MAX_NAME]!r}.")
        if name in FUNCTIONS or name in CONSTANTS:
            raise FormulaError(f"{field}: the name {name!r} is taken (functions and pi); rename it.")
    if len(set(result)) < len(result):
        raise FormulaError(f"{field}: expected distinct names, got {', '.join(result)}.")
    return result


def names_in(formulas: Sequence[object]) -> list[str]:
    """The names in formulas that are neither functions nor constants.

    Those of strings come in order of appearance, those of a SymPy expression, which keeps no order, sorted.

    Raises:
        FormulaError: If a string cannot be read.
    """
    found: dict[str, None] = {}
    for formula in formulas:
        if isinstance(formula, str):
            tree = _tree(formula)
            _refuse_power_of_e(tree)
            nodes = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
            names = [n.id for n in sorted(nodes, key=lambda node: (node.lineno, node.col_offset))]
        else:
            names = sorted(s.name for s in formula.free_symbols) if isinstance(formula, sp.Expr) else []
        found |= dict.fromkeys(name for name in names if name not in FUNCTIONS and name not in CONSTANTS)
    return list(found)


def _refuse_power_of_e(tree: ast.expr) -> None:
    """Refuse e**u where nobody said that e is a parameter."""
    for node in ast.walk(tree):
        match node:
            case ast.BinOp(left=ast.Name(id="e"), op=ast.Pow(), right=right) if any(
                isinstance(part, ast.Name) for part in ast.walk(right)
            ):
                power = ast.unparse(right)[:40]
                raise FormulaError(f"e would be a parameter in e**({power}): write exp({power}), or give params.")


def parse(formula: str | sp.Expr | float, names: Sequence[str], field: str = "formula") -> sp.Expr:
    """Turn a formula into a SymPy expression in plain symbols (no assumptions).

    Args:
        formula: A string such as ``"m*w"``, a SymPy expression, or a number.
        names: The names that may occur.
        field: What the formula is for; an error message begins with it.

    Raises:
        FormulaError: Naming the offending part, if the formula holds anything outside the whitelist, is not finite and
            real, divides by zero anywhere, is too large, or holds a number that double precision cannot.

    >>> parse("(m + w)**2/4 - sigmoid(m)", ["m", "w"])
    (m + w)**2/4 - 1/(1 + exp(-m))
    """
    try:
        return call(PARSING_SECONDS, _parsed, formula, tuple(names), patience=PARSING_PATIENCE_SECONDS)
    except FormulaError as error:
        raise FormulaError(f"{field}: {error}") from None
    except StoppedError as error:
        raise FormulaError(f"{field}: reading it {error}; simplify its constants.") from None


def _parsed(formula: str | sp.Expr | float, names: Sequence[str]) -> sp.Expr:
    if not isinstance(formula, sp.Basic):
        return _check_expression(_read(formula, names), names)
    # An expression may hold what was never evaluated, such as the quotient 1/log(0) that evaluates to 0.
    return _check_expression(_rebuilt(_check_expression(formula, names)), names)


def _read(formula: str | float, names: Sequence[str]) -> sp.Expr:
    """A string, or a number, as an expression in real symbols."""
    if isinstance(formula, (int, float)) and not isinstance(formula, bool):
        formula = repr(formula)
    if not isinstance(formula, str):
        raise FormulaError(f"expected a string or a SymPy expression, got {type(formula).__name__}.")
    # Real symbols: of a complex m, SymPy would write |exp(m)| with the real part of m.
    symbols = {name: sp.Symbol(name, real=True) for name in names}
    try:
        return _build(_tree(formula), symbols)
    except (RecursionError, MemoryError, ArithmeticError) as error:
        raise _unreadable(formula, error) from None


def _tree(formula: str) -> ast.expr:
    """The syntax tree of a string that is not too long."""
    if len(formula) > MAX_LENGTH:
        raise FormulaError(f"expected at most {MAX_LENGTH} characters, got {len(formula)}.")
    # Python would read look-alikes such as a full-width m as the letter.
    strange = next((c for c in formula if not c.isascii()), None)
    if strange is not None:
        instead = _SIGNS.get(strange, "a name of Latin letters" if strange.isalpha() else "")
        advice = f"; write {instead}" if instead else ""
        raise FormulaError(f"expected ASCII characters, got {strange!r} (U+{ord(strange):04X}){advice}.")
    try:
        tree = _syntax(formula.strip())
    except SyntaxError as error:
        if not formula.strip():
            raise FormulaError("expected a formula, got an empty string.") from None
        # Python names no column where something is missing at the end.
        ends = error.msg == "invalid syntax" and not error.offset
        wrong = "it ends where something has to follow" if ends else f"{error.msg} at column {error.offset}"
        raise FormulaError(f"cannot read {formula[:80]!r}: {_advice(formula) or wrong}.") from None
    except (RecursionError, MemoryError, ValueError) as error:
        raise _unreadable(formula, error) from None
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            _check_literal(node.value, ast.get_source_segment(formula.strip(), node) or "")
    return tree


def _syntax(formula: str) -> ast.expr:
    """Python's syntax tree, without warnings that speak of Python."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        return ast.parse(formula, mode="eval").body


def _advice(formula: str) -> str | None:
    """What to write in place of a formula in which signs are left out or used otherwise, if that can be guessed."""
    left, equals, right = formula.rpartition("=")
    if equals and left.strip("=<>!: ") and right.strip():
        return f"write the right-hand side alone, {right.strip()[:80]}"
    if "\\" in formula or "$" in formula:
        return "write it as in Python, such as m*w/2, not in LaTeX"
    word = next((word for word in re.findall(r"[A-Za-z_]\w*", formula) if keyword.iskeyword(word)), None)
    if word is not None:
        return f"{word} is a word of Python and no name; call it {word}_"
    guess = re.sub(r"\|([^|]+)\|", r"abs(\1)", formula)
    guess = re.sub(rf"\b({'|'.join(FUNCTIONS)})\s+([\w.]+)", r"\1(\2)", guess)
    guess = re.sub(_NUMBER + r"\s*(?=[A-Za-z_(])", r"\1*", guess)
    guess = re.sub(r"(?<=[\w)])\s+(?=[\w(])|(?<=\))(?=[\w(])", "*", guess).strip()
    try:
        _syntax(guess)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return f"write {guess}" if len(guess) <= 80 else None


def _check_literal(value: float, text: str) -> None:
    """Refuse a number that Python reads as infinite, or as zero although it has other digits."""
    digits = text.lower().partition("e")[0]
    if not math.isfinite(value) or (value == 0 and any(digit in "123456789" for digit in digits)):
        size = "small" if value == 0 else "large"
        raise FormulaError(f"the number {text[:40]} is too {size} for double precision.")


def _unreadable(formula: str, error: Exception) -> FormulaError:
    return FormulaError(f"cannot read {formula[:80]!r}: {type(error).__name__}: {str(error)[:80]}.")


def _build(node: ast.expr, symbols: Mapping[str, sp.Symbol]) -> sp.Expr:
    match node:
        case ast.Constant(value=bool() | str() | bytes() | complex() | None):
            raise FormulaError(f"expected real numbers, got {node.value!r:.40}.")
        case ast.Constant(value=int() as value):
            return _sound(sp.Integer(value))
        case ast.Constant(value=float() as value):
            return _sound(sp.Rational(repr(value)))
        case ast.Name(id=name):
            if name in symbols:
                return symbols[name]
            if name in CONSTANTS:
                return CONSTANTS[name]
            hint = f"{name} is a function: write {name}(...)" if name in FUNCTIONS else f"known: {', '.join(symbols)}"
            raise FormulaError(f"unknown name {name[:40]!r} ({hint}).")
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _build(operand, symbols)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_build(operand, symbols)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return _power(_build(left, symbols), _build(right, symbols))
        case ast.BinOp(op=ast.BitXor()):
            raise FormulaError("^ is not a power here; write ** instead.")
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            first, second = _build(left, symbols), _build(right, symbols)
            if isinstance(op, ast.Div):
                _refuse_zero(second)
            return _sound(_OPERATORS[type(op)](first, second))
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in FUNCTIONS:
            if isinstance(argument, ast.Starred):
                raise FormulaError("* in front of an argument is not allowed.")
            inside = _build(argument, symbols)
            if name == "log":
                _refuse_zero(inside)
            return _sound(_applied(FUNCTIONS[name], inside))
        case ast.Call(func=ast.Name(id=name)) if name in FUNCTIONS:
            raise FormulaError(f"{name} takes exactly one argument.")
        case ast.Call(func=function):
            called = ast.unparse(function)[:40]
            inside = ast.unparse(node.args[0])[:40] if node.args else "u"
            plain = called.lower().rpartition(".")[2]  # exp of np.exp
            if plain in _INSTEAD:
                raise FormulaError(f"{called} is not a function here: {_INSTEAD[plain].format(inside)}.")
            if plain in FUNCTIONS:
                hint = f" (write {plain}({inside}))"
            else:
                hint = did_you_mean(called, (*FUNCTIONS, *_INSTEAD)) or " (write * for a product)"
            raise FormulaError(f"{called!r} cannot be called{hint}; known functions: {', '.join(_LISTED)}.")
        case ast.Tuple():
            raise FormulaError(f"{ast.unparse(node)[:40]!r} is not one formula; give several in a list.")
        case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=int() as index)):
            raise FormulaError(f"{ast.unparse(node)[:40]!r} is no name; write {name}{index}.")
        case _:
            raise FormulaError(
                f"{ast.unparse(node)[:40]!r} is not allowed (a {type(node).__name__}); use names, numbers, "
                "+ - * / ** and functions."
            )


def _applied(function: Callable[..., Any], *arguments: sp.Expr) -> sp.Expr:
    """A function of numbers and symbols by SymPy, which fails on a few numbers, such as acos(cos(64**64))."""
    try:
        return sympy_call(function, *arguments)
    except UnsupportedError as error:
        raise FormulaError(f"cannot read it: {error}") from error


def _power(base: sp.Expr, exponent: sp.Expr) -> sp.Expr:
    """Base to the exponent, refused before it is computed when it would be huge."""
    _check_exponent(exponent)
    # SymPy raises the numerical factor of a product at once, so it counts like a number of its own.
    factor = base.as_coeff_Mul()[0]
    if factor.is_Rational and exponent.is_Rational and _bits(factor) * abs(exponent.p) > MAX_BITS:
        raise FormulaError(f"the power {str(base)[:20]}**{exponent} is too large.")
    if not (exponent.is_Rational and exponent >= 0):
        _refuse_zero(base)
    return _sound(base**exponent)


def _check_exponent(exponent: sp.Expr) -> None:
    if not exponent.is_number:
        return
    if isinstance(exponent, sp.Float) and math.isfinite(float(exponent)):
        exponent = sp.Rational(repr(float(exponent)))
    if not exponent.is_Rational or max(abs(exponent.p), exponent.q) > MAX_EXPONENT:
        got = str(exponent)[:40] if not exponent.is_Rational or _bits(exponent) <= MAX_BITS else "a far larger one"
        raise FormulaError(
            f"expected a rational exponent with numerator and denominator up to {MAX_EXPONENT}, got {got}."
        )


def _bits(number: sp.Rational) -> int:
    return max(int(number.p).bit_length(), int(number.q).bit_length())


def _sound(value: sp.Expr) -> sp.Expr:
    """The result of one operation, refused if it is infinite or holds a number that double precision cannot.

    Every operation is checked when it is done: later ones may hide an infinity, as 1/zoo is 0.
    """
    for part in (value, *value.args):
        if part in _INFINITE:
            raise FormulaError(_DIVISION_BY_ZERO)
        if part.is_number:
            _check_size(part)
    return value


def _check_size(number: sp.Expr) -> None:
    if number.is_Rational:
        if _bits(number) > MAX_BITS:
            raise FormulaError(f"a number has more than {MAX_BITS} bits.")
        size = int(number.p).bit_length() - int(number.q).bit_length() if number else 0
    else:
        value = _value(number)
        if value in _INFINITE:
            raise FormulaError(_DIVISION_BY_ZERO)
        if value.has(sp.I):  # at once, as SymPy works for seconds on functions of such numbers
            raise FormulaError(f"{str(number)[:40]} is complex; only real formulas have a gradient flow.")
        if not value or not value.is_Float:
            return
        _, _, exponent, bits = value._mpf_
        size = exponent + bits
    if not sys.float_info.min_exp < size < sys.float_info.max_exp:
        raise FormulaError(
            f"a number is too {'large' if size > 0 else 'small'} for double precision, about 1e{round(size * 0.30103)}."
        )


def _value(number: sp.Expr) -> sp.Expr:
    """A number to 15 digits, 0 if it is a difference of equal ones."""
    try:
        value = number.evalf(15)
    except OverflowError:
        raise FormulaError(f"{str(number)[:40]} is too large for double precision.") from None
    except ZeroDivisionError:  # of an expression that SymPy was told not to evaluate
        raise FormulaError(_DIVISION_BY_ZERO) from None
    return sp.Integer(0) if value.is_Float and value._prec < _GUARD_BITS else value


def _refuse_zero(value: sp.Expr) -> None:
    if value.is_zero or (value.is_number and _value(value) == 0) or _vanishes_everywhere(value):
        raise FormulaError(_DIVISION_BY_ZERO)


def _vanishes_everywhere(value: sp.Expr) -> bool:
    """Whether terms in symbols cancel, by their digits at two points that no formula singles out."""
    if value.is_number or not value.has(sp.Add):
        return False
    symbols = sorted(value.free_symbols, key=str)
    points = ({s: sp.Rational(prime, 7 * k + 11) for k, s in enumerate(symbols)} for prime in (13, 23))
    return all(_value(value.xreplace(point)) == 0 for point in points)


def _rebuilt(node: sp.Expr) -> sp.Expr:
    """An expression evaluated from its leaves, in real symbols, with every operation checked."""
    if isinstance(node, sp.Symbol):
        return sp.Symbol(node.name, real=True)
    if not node.args:
        return _sound(node)
    arguments = [_rebuilt(argument) for argument in node.args]
    if isinstance(node, sp.Pow):
        return _power(*arguments)
    if isinstance(node, sp.log):
        _refuse_zero(arguments[0])
    return _sound(_applied(node.func, *arguments))


def _check_expression(expression: sp.Basic, names: Sequence[str]) -> sp.Expr:
    """Return the expression in plain symbols and exact numbers if every node is on the whitelist."""
    try:
        _check_nodes(expression, names)
        if _degree(expression) > MAX_EXPONENT:
            raise FormulaError(f"expected a degree of at most {MAX_EXPONENT}, counting nested powers.")
        if _tower(expression) > MAX_TOWER:
            raise FormulaError(f"expected at most {MAX_TOWER} exponentials inside one another.")
        if _depth(expression) > MAX_DEPTH:
            raise FormulaError(f"expected at most {MAX_DEPTH} operations inside one another.")
        numbers = {f: sp.Rational(repr(float(f))) for f in expression.atoms(sp.Float)}
        return expression.xreplace({**numbers, **{s: sp.Symbol(s.name) for s in expression.free_symbols}})
    except RecursionError:
        raise FormulaError("it is nested too deeply.") from None


def _degree(node: sp.Basic) -> float:
    """The degree a formula would have as a polynomial, which tells how long expanding it may take."""
    if isinstance(node, sp.Symbol):
        return 1
    inner = [_degree(argument) for argument in node.args]
    if isinstance(node, sp.Mul):
        return sum(inner)
    if isinstance(node, sp.Pow) and node.exp.is_Rational:
        return inner[0] * max(1, math.ceil(abs(node.exp)))
    return max(inner, default=0)


def _tower(node: sp.Basic) -> int:
    """How many exponentials stand inside one another; their values leave every number range at four."""
    inner = max(map(_tower, node.args), default=0)
    is_power = isinstance(node, sp.Pow) and not node.exp.is_number
    return inner + (is_power or isinstance(node, (sp.exp, sp.sinh, sp.cosh)))


def _depth(node: sp.Basic) -> int:
    """How many operations stand inside one another: SymPy follows them by recursion, many levels for each."""
    return 1 + max(map(_depth, node.args), default=-1)


def _check_nodes(expression: sp.Basic, names: Sequence[str]) -> None:
    for count, node in enumerate(sp.preorder_traversal(expression)):
        if count > 10 * MAX_LENGTH:
            raise FormulaError(f"expected at most {10 * MAX_LENGTH} terms and factors.")
        if node in _INFINITE:
            raise FormulaError(_DIVISION_BY_ZERO)
        if node is sp.I:
            raise FormulaError("it is complex; only real formulas have a gradient flow.")
        if not isinstance(node, _ALLOWED_CLASSES):
            raise FormulaError(f"{str(node)[:40]!r} is not allowed (a {type(node).__name__}).")
        if isinstance(node, sp.Symbol) and node.name not in names:
            raise FormulaError(f"unknown name {node.name[:40]!r} (known: {', '.join(names)}).")
        if isinstance(node, sp.Pow):
            _check_exponent(node.exp)
            if node.base.is_number and not (node.exp.is_Rational and node.exp >= 0):
                _refuse_zero(node.base)
        if node.is_number:
            _check_size(node)
        if node.is_number and node.is_extended_real is False:
            raise FormulaError(f"{str(node)[:40]} is complex; only real formulas have a gradient flow.")
