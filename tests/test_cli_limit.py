"""``implicit-bias limit`` finds the limit of ``ib.bregman_projection`` from any file, and refuses files without one."""

import errno
import json
import os
import pickle

import numpy as np
import pytest
from scipy.optimize import linprog
from typer.testing import CliRunner

import implicit_bias as ib
from implicit_bias.cli import app

N = 12


def call(*arguments):
    return CliRunner().invoke(app, ["limit", *map(str, arguments)])


@pytest.fixture(scope="module")
def problem():
    return ib.Regression.sample(5, N, 2, seed=5)


@pytest.fixture
def npz(problem, tmp_path):
    np.savez(tmp_path / "system.npz", Z=problem.Z, y=problem.y)
    return tmp_path / "system.npz"


@pytest.fixture
def csv(problem, tmp_path):
    path = tmp_path / "system.csv"
    np.savetxt(path, np.column_stack([problem.Z, problem.y]), delimiter=",", fmt="%.17g")
    return path


def weights(*arguments):
    result = call(*arguments, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["status"] == "converged"
    return np.array(found["x"])


def test_files_give_the_limit_of_the_library(problem, npz, csv, tmp_path):
    limit = ib.bregman_projection(problem, ib.HyperbolicEntropy(scale=0.01))
    named = tmp_path / "named.csv"
    header = ",".join(["y", *(f"z{i}" for i in range(N))])
    np.savetxt(named, np.column_stack([problem.y, problem.Z]), delimiter=",", fmt="%.17g", header=header, comments="")
    for path in (npz, csv, named):
        assert np.array_equal(weights(path, "--scale", 0.01), limit.x)
        assert np.array_equal(weights(path, "--log-scale", np.log(0.01)), weights(npz, "--log-scale", np.log(0.01)))


def test_a_tiny_scale_is_basis_pursuit(problem, npz):
    program = linprog(np.ones(2 * N), A_eq=np.hstack([problem.Z, -problem.Z]), b_eq=problem.y, method="highs")
    expected = program.x[:N] - program.x[N:]
    assert np.allclose(weights(npz, "--log-scale", -690), expected, rtol=0, atol=1e-8)


def test_initial_values_and_decay_give_the_derived_potential(problem, npz):
    mask = ib.derive(ib.Parameterization("m*w", "m,w"), "m**2+w**2")
    for start in ({"m": 1.0, "w": 0.0}, {"m": 1.0, "w": 0.5}):
        init = [f"--init={name}={value}" for name, value in start.items()]
        expected = ib.bregman_projection(problem, mask.at(start, 0.5)).x
        assert np.array_equal(weights(npz, *init, "--decay", 0.5), expected)
    other = ib.derive(ib.Parameterization("u**2-v**2", "u,v")).at({"u": 0.5, "v": 0.5})
    found = weights(npz, "--parameterization", "u**2-v**2", "--params", "u,v", "--init", "u=0.5", "--init", "v=0.5")
    assert np.array_equal(found, ib.bregman_projection(problem, other).x)


def test_initial_values_of_each_weight_come_with_the_system(problem, tmp_path):
    start = {"m": np.linspace(1, 2, N), "w": np.linspace(-0.5, 0.5, N)}
    np.savez(tmp_path / "s.npz", Z=problem.Z, y=problem.y, m0=start["m"], w0=start["w"])
    mask = ib.derive(ib.Parameterization("m*w", "m,w"), "m**2+w**2")
    assert np.array_equal(weights(tmp_path / "s.npz"), ib.bregman_projection(problem, mask.at(start)).x)
    expected = ib.bregman_projection(problem, mask.at(start | {"w": 0.0 * start["m"]})).x
    np.testing.assert_array_equal(weights(tmp_path / "s.npz", "--init", "w=0"), expected)


def test_text_and_output(problem, npz, tmp_path):
    limit = ib.bregman_projection(problem, ib.HyperbolicEntropy(scale=1e-8))
    result = call(npz, "--scale", 1e-8, "--output", tmp_path / "limit.npz")
    assert result.exit_code == 0, result.output
    assert f"KKT residual   {limit.kkt_residual:.2g}\n" in result.stdout
    assert f"at most {limit.error_bound:.2g}\n" in result.stdout
    largest = int(np.argmax(np.abs(limit.x)))
    assert f"x[{largest}] = {limit.x[largest]: .12g}" in result.stdout
    assert "2 more" in result.stdout
    with np.load(tmp_path / "limit.npz", allow_pickle=False) as saved:
        assert np.array_equal(saved["x"], limit.x)
        assert np.array_equal(saved["dual"], limit.dual)
        assert saved["kkt_residual"] == limit.kkt_residual
        assert saved["error_bound"] == limit.error_bound
        assert saved["status"] == "converged"


def test_no_bound_is_said(npz, tmp_path):
    arguments = (npz, "--parameterization", "u**3-v**3", "--params", "u,v", "--init", "u=1", "--init", "v=1")
    assert "not bounded" in call(*arguments, "--output", tmp_path / "limit.npz").stdout
    assert json.loads(call(*arguments, "--json").stdout)["error_bound"] is None
    with np.load(tmp_path / "limit.npz") as saved:
        assert saved["error_bound"] == np.inf


def test_a_system_without_a_solution(tmp_path):
    np.savez(tmp_path / "s.npz", Z=np.ones((2, 3)), y=[1.0, 2.0])
    result = call(tmp_path / "s.npz", "--scale", 1)
    assert result.exit_code == 1
    assert "project y onto the range" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def refused(result, message):
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give --scale, --log-scale, or an initial value of every parameter: --init m=NUMBER"),
        (["--scale", "-1"], "positive"),
        (["--scale", "nan"], "scale"),
        (["--scale", "1", "--log-scale", "1"], "exactly one of"),
        (["--scale", "1", "--decay", "1"], "--decay"),
        (["--scale", "1", "--init", "m=1"], "--init"),
        (["--scale", "1", "--tol", "0"], "tol"),
        (["--init", "m=1"], "--init w=NUMBER"),
        (["--init", "m"], "NAME=NUMBER"),
        (["--init", "m=1", "--init", "m=5", "--init", "w=0"], "one number for m, got 1 and 5"),
        (["--init", "m=1", "--init", "w=0", "--init", "q=0"], "m*w has no parameter 'q'; it has m, w"),
        (["--init", "m=1", "--init", "w=-1"], "m0 + w0"),
        (["--init", "m=1", "--init", "w=0", "--decay", "-1"], "decay"),
        (["--init", "m=1", "--init", "w=0", "--regularizer", "m**2"], "do not commute"),
        (
            ["--init", "m=1", "--init", "w=0", "--regularizer", ""],
            "regularizer: expected a formula, got an empty",
        ),
        (["--init", "m=1", "--init", "w=0", "--params", ""], "params"),
        (["--parameterization", "u**2", "--init", "v=1"], "--init: u**2 has no parameter 'v'; it has u."),
        (["--parameterization", "u**2-v**2", "--init", "v=1"], "--init u=NUMBER"),
        (["--scale", "0"], "--scale: expected a positive number, got 0; give a tiny one by --log-scale."),
        (["--scale", "1", "--output", "limit.csv"], "called .npz"),
        (["--scale", "1", "--output", "nowhere/limit.npz"], "no folder nowhere"),
    ],
)
def test_bad_options_are_one_line(npz, arguments, message):
    refused(call(npz, *arguments), message)


def test_the_data_are_not_overwritten(npz):
    before = npz.read_bytes()
    refused(call(npz, "--scale", 1, "--output", npz.parent / "." / npz.name), "holds the data")
    assert npz.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "contents", "message"),
    [
        ("missing.npz", None, "missing.npz: no such file or directory."),
        ("missing.csv", None, "missing.csv: no such file or directory."),
        ("system.txt", b"1,2,3\n", "called .npz or .csv"),
        ("text.npz", b"1,2,3\n", "expected an archive"),
        ("empty.npz", b"", "expected an archive"),
        ("cut.npz", b"PK\x03\x04", "expected an archive"),
        ("empty.csv", b"\n", "got none"),
        ("header.csv", b"y,a,b\n", "got none"),
        ("ragged.csv", b"1,2,3\n1,2\n", "expected 3 numbers in every row, got 2 in row 2"),
        ("words.csv", b"1,2,3\n1,two,3\n", "'two' in row 2"),
        ("unnamed.csv", b"a,b,c\n1,2,3\n", "one column called y"),
        ("index.csv", b",a,b,y\n0,1,2,3\n", "column 1 has no name"),
        ("nan.csv", b"1,nan,3\n", "Z: 1 entry is nan"),
        ("square.csv", b"1,2,3\n4,5,6\n", "fewer rows than columns"),
        ("binary.csv", b"\xff\xfe\x00", "expected text"),
    ],
)
def test_bad_files_are_one_line(tmp_path, name, contents, message):
    if contents is not None:
        (tmp_path / name).write_bytes(contents)
    refused(call(tmp_path / name, "--scale", 1), message)


def test_a_folder_is_no_file(tmp_path):
    (tmp_path / "folder.csv").mkdir()
    result = call(tmp_path / "folder.csv", "--scale", 1)
    refused(result, "folder.csv: is a directory.")
    assert "Errno" not in result.stderr


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"Z": np.ones((2, 3))}, "has no array y; it has Z"),
        ({"Z": np.ones((2, 3)), "y": np.ones(3)}, "y: expected shape (2,)"),
        ({"Z": np.ones(3), "y": np.ones(1)}, "Z"),
        ({"Z": np.array([["a", "b"]]), "y": np.ones(1)}, "Z"),
    ],
)
def test_bad_arrays_are_one_line(tmp_path, arrays, message):
    np.savez(tmp_path / "s.npz", **arrays)
    refused(call(tmp_path / "s.npz", "--scale", 1), message)


class Bomb:
    """Unpickling this creates a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_nothing_is_unpickled(tmp_path):
    witness = tmp_path / "witness"
    entry = np.empty(1, dtype=object)
    entry[0] = Bomb(witness)
    np.savez(tmp_path / "archive.npz", Z=entry, y=np.ones(1))
    (tmp_path / "bare.npz").write_bytes(pickle.dumps(Bomb(witness)))
    np.save(tmp_path / "array.npy", np.ones(2))
    (tmp_path / "array.npy").rename(tmp_path / "array.npz")
    for name in ("archive.npz", "bare.npz", "array.npz"):
        refused(call(tmp_path / name, "--scale", 1), "expected an archive of plain arrays")
    assert not witness.exists()


def test_a_full_disk_is_one_line_and_leaves_the_old_file(npz, tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    output = tmp_path / "limit.npz"
    output.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", full)
    refused(call(npz, "--scale", 1, "--output", output), f"implicit-bias limit: {output}: no space left on device.")
    assert output.read_bytes() == b"old"
    assert {path.name for path in tmp_path.iterdir()} == {"system.npz", "limit.npz"}


def test_another_name_of_the_data_does_not_cost_the_data(npz, tmp_path):
    before, output = npz.read_bytes(), tmp_path / "limit.npz"
    os.link(npz, output)
    assert call(npz, "--scale", 1, "--output", output).exit_code == 0
    assert npz.read_bytes() == before
    assert np.load(output)["status"] == "converged"
