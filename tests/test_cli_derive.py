"""``implicit-bias derive`` prints what ``ib.derive`` finds."""

import json

import pytest
from typer.testing import CliRunner

import implicit_bias as ib
from implicit_bias.cli import app

MASK = ("m*w", "--regularizer", "m**2+w**2")


def call(*arguments):
    return CliRunner().invoke(app, ["derive", *arguments])


@pytest.fixture(scope="module")
def mask():
    return ib.derive(ib.Parameterization("m*w", "m,w"), "m**2+w**2")


def test_text(mask):
    result = call(*MASK)
    assert result.exit_code == 0, result.output
    assert f"a          = {mask.scale}\n" in result.stdout
    assert f"R_A(x)     = {mask.potential}\n" in result.stdout
    assert "for x in (-oo, oo)\n" in result.stdout
    assert "where m0 + w0 > 0 and m0 - w0 > 0\n" in result.stdout
    assert f"{len(mask.identities)} PROVED" in result.stdout
    assert result.stderr == ""


def test_constants():
    result = call("c*m*w", "--constants", "c", "--json")
    found = json.loads(result.stdout)
    want = ib.derive(ib.Parameterization("c*m*w", constants="c"))
    assert (found["params"], found["constants"], found["potential"]) == (["m", "w"], ["c"], str(want.potential))
    refused = call("m*w", "--constants", "c")
    assert refused.exit_code == 2
    assert "c" in refused.stderr


def test_json(mask):
    found = json.loads(call(*MASK, "--json").stdout)
    for name in ("potential", "mirror_map", "inverse_mirror_map", "conjugate", "metric", "scale", "minimizer"):
        assert found[name] == str(getattr(mask, name))
    assert found["params"] == ["m", "w"]
    assert found["closed_form"] is found["proved"] is True
    assert found["domain"] == ["-oo", "oo"]
    assert found["domain_by_sign"] is None
    assert [identity["name"] for identity in found["identities"]] == [i.name for i in mask.identities]


@pytest.mark.parametrize(
    ("params", "weight", "dual", "decay"),
    [("x,z", "y", "s", "A"), ("A,x", "y", "z", "D"), ("x,x0", "y", "z", "A"), ("E,lambda_", "x", "z", "A")],
)
def test_names_that_results_have_themselves(params, weight, dual, decay):
    """If a parameter has a letter that results use, all output uses another letter for the result."""
    first, second = params.split(",")
    shape = (f"{first}*{second}", "--params", params, "--regularizer", f"{first}**2 + {second}**2")
    derivation = ib.derive(ib.Parameterization(shape[0], params), shape[-1])
    names = json.loads(call(*shape, "--json").stdout)["names"]
    initial = {name: derivation.names.initial(name) for name in (first, second)}
    assert names == {"weight": weight, "dual": dual, "decay": decay, "initial": initial}
    formulas = derivation.potential, derivation.inverse_mirror_map
    symbols = {str(symbol) for formula in formulas if formula is not None for symbol in formula.free_symbols}
    assert symbols == {weight, dual, decay, *initial.values()}
    assert not symbols & {first, second}
    text = call(*shape).stdout
    assert f"R_{decay}({weight})     = {derivation.potential}\n" in text
    assert f"{weight}({dual})       = {derivation.inverse_mirror_map}\n" in text
    assert f"for {weight} in (-oo, oo)\n" in text
    card = derivation._repr_html_()
    assert all(f"{name} = " in card for name in initial.values())


def test_a_domain_by_the_signs_of_the_initial_values():
    text = call("1/m", "--params", "m").stdout
    assert "for x in (0, oo) if m0 > 0\nfor x in (-oo, 0) if m0 < 0\n" in text
    assert "Piecewise" not in text
    found = json.loads(call("1/m", "--params", "m", "--json").stdout)
    assert found["domain"] is None
    assert found["domain_by_sign"] == {"m0 > 0": ["0", "oo"], "m0 < 0": ["-oo", "0"]}
    several = json.loads(call("1/m-1/w", "--params", "m,w", "--json").stdout)["domain_by_sign"]
    assert several == {
        "m0 > 0 and w0 > 0": ["-oo", "oo"],
        "m0 > 0 and w0 < 0": ["0", "oo"],
        "m0 < 0 and w0 > 0": ["-oo", "0"],
        "m0 < 0 and w0 < 0": ["-oo", "oo"],
    }


def test_latex(mask):
    assert call(*MASK, "--latex").stdout == mask.latex() + "\n"


def test_without_a_closed_form():
    result = call("m**2*w", "--params", "m,w")
    assert result.exit_code == 0
    assert "no closed form" in result.stdout
    assert "note: " in result.stdout
    assert json.loads(call("m**2*w", "--params", "m,w", "--json").stdout)["potential"] is None


@pytest.mark.parametrize(
    "arguments",
    [("-m*w", "--params", "m,w"), ("--params", "m,w", "-m*w"), ("--params", "m,w", "--", "-m*w")],
)
def test_a_formula_may_begin_with_a_minus(arguments):
    result = call("--regularizer", "-m**2-w**2", *arguments)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("x          = -m*w\nh          = -m**2 - w**2\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["m*q", "--params", "m,w"], "formula: unknown name 'q'"),
        (["m*w", "--params", "m,w", "--regularizer", "m**2+q"], "regularizer: unknown name 'q'"),
        (["m*__import__('os')", "--params", "m"], "formula"),
        (["m*w", "--params", "m,m"], "distinct names"),
        (["m*w", "--params", "m,w", "--regularizer", "m**2"], "[∇g, ∇h] = (2*w, -2*m)"),
        (["m*w", "--params", "m,w", "--latex", "--json"], "--latex or --json, not both"),
        (["-m*", "--params", "m"], "formula: cannot read '-m*': it ends where something has to follow"),
    ],
)
def test_bad_input_is_one_line(arguments, message):
    result = call(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""
