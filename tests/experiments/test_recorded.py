"""The comparison with recorded numbers accepts differences that rounding explains, and reports all others."""

import re

import numpy as np
import pytest

from experiments import recorded

DATA = {
    "x": np.array([[1.0, -100.0, np.nan], [np.inf, -np.inf, 0.0]]),
    "steps": np.array([3, 100]),
    "found": np.array([True, False]),
    "name": np.array(["mask", "spred"]),
    "scalar": np.array(2.0),
    "none": np.zeros((0, 3)),
    "roots": np.array([1j, 2.0]),
}


def changed(name, index, value):
    array = DATA[name].copy()
    array[index] = value
    return DATA | {name: array}


@pytest.fixture(autouse=True)
def record(tmp_path, monkeypatch):
    monkeypatch.setattr(recorded, "FOLDER", tmp_path)
    recorded.record("one", DATA)


def test_the_same_numbers_pass():
    assert recorded.differences("one", DATA, {}) == []
    assert recorded.differences("one", dict(reversed(DATA.items())), {}) == []


@pytest.mark.parametrize(
    ("data", "tolerances"),
    [
        (changed("x", (0, 0), 1 + 0.9e-4), {}),  # the default is 1e-6 of the largest finite entry
        (changed("x", (0, 1), -100.5), {"x": 0.6}),
        (changed("steps", 0, 4), {"steps": 1}),
        (DATA | {"steps": DATA["steps"].astype(float)}, {}),
        (DATA | {"x": DATA["x"].astype(np.float32)}, {}),
    ],
)
def test_numbers_within_tolerance_pass(data, tolerances):
    assert recorded.differences("one", data, tolerances) == []


@pytest.mark.parametrize(
    ("data", "tolerances", "text"),
    [
        (changed("x", (0, 0), 1 + 1.1e-4), {}, "one, x: differs by 0.00011, more than 0.0001"),
        (changed("x", (0, 1), -100.5), {"x": 0.4}, "one, x: differs by 0.5, more than 0.4"),
        (changed("x", (0, 0), np.nan), {"x": 1e9}, "one, x: differs by nan"),
        (changed("x", (0, 2), 0.0), {"x": 1e9}, "one, x: differs by nan"),
        (changed("x", (1, 0), 1e300), {"x": 1e9}, "one, x: differs by inf"),
        (changed("x", (1, 0), -np.inf), {"x": 1e9}, "one, x: differs by inf"),
        (changed("steps", 1, 101), {}, "one, steps: differs by 1"),
        (changed("found", 1, True), {}, "one, found: differs by 1"),
        (changed("name", 1, "pilot"), {}, "one, name: the entries differ"),
        (changed("roots", 1, 2.1), {}, "one, roots: the entries differ"),
        (DATA | {"x": DATA["x"].T}, {}, r"one, x: expected the shape \(2, 3\), got \(3, 2\)"),
        (DATA | {"scalar": np.array([2.0])}, {}, r"one, scalar: expected the shape \(\), got \(1,\)"),
        (DATA | {"none": np.zeros((3, 0))}, {}, "one, none: expected the shape"),
        (DATA | {"x": DATA["x"].astype(str)}, {}, "one, x: the entries differ"),
        (DATA | {"x": DATA["x"].astype(complex)}, {}, "one, x: the entries differ"),
        (DATA | {"name": np.arange(2)}, {}, "one, name: the entries differ"),
        ({k: v for k, v in DATA.items() if k != "none"}, {}, "one: expected the arrays x, steps, .*, got x, steps"),
        (DATA | {"more": np.ones(2)}, {}, "one: expected the arrays"),
    ],
)
def test_every_other_difference_is_said(data, tolerances, text):
    (sentence,) = recorded.differences("one", data, tolerances)
    assert re.match(text, sentence), sentence


def test_nothing_recorded_says_how_to_record():
    assert recorded.differences("other", DATA, {}) == [
        "other: nothing is recorded; record it by python -m experiments other --quick --record."
    ]
