"""Campaign: small changes of the library's code, which its tests should notice.

    python -m tests.campaigns.mutants potential/entropy.py simulate --sample 20 --seed 0

We make each change in a copy of the working tree and run the module's doctests and tests there until the first failure.
A change that no test notices survives: either nobody asserts a statement, or the change is slack. ``slack.toml`` lists
the slack with reasons; any other survivor makes the command fail.

No package does this for us. mutmut skips decorated functions, which are most methods of a potential, and keeps all
variants of a function in one module; mutatest mutates bytecode of Python 3.8; cosmic-ray takes no samples, does not
drop the terms, bounds and checks that matter in numerical code, and works in the tree itself.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.campaigns.changes import Mutant, mutants

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = "implicit_bias"
RECORD = Path(__file__).parent / "record" / "mutants.json"
PRELOADED = ["numpy", "scipy.integrate", "scipy.linalg", "scipy.optimize", "sympy", "torch"]  # once, before all forks
# The modules that the campaign samples if none is named.
CAMPAIGN = (
    "limit", "potential", "simulate", "symbolic", "masking", "training/checkpoint.py", "linear_map.py", "careful_sum.py"
)  # fmt: skip
SAMPLE = 40
SECONDS_TO_SPARE = 20.0  # added to three times the seconds that the tests take without a change

# The tests of a module besides its doctests and the test module of the same name.
_DERIVATIONS = [
    f"tests/symbolic/test_{name}.py" for name in ("identities", "smoothness", "closed_form", "derivation", "flows")
]
_PATHS = [f"tests/limit/test_path_{topic}.py" for topic in ("bounds", "rounding")]
TESTS = {
    "simulate/discrete.py": ["tests/simulate/test_descent.py", "tests/masking/test_ensembles.py"],
    "simulate/families.py": ["tests/simulate/test_trajectory.py", "tests/simulate/test_coupled.py"],
    "simulate/matrix_families.py": ["tests/simulate/test_matrix_flows.py", "tests/simulate/test_trajectory.py"],
    "simulate/matrix_model.py": [
        "tests/symbolic/test_matrix_parameterization.py",
        "tests/simulate/test_matrix_flows.py",
        "tests/simulate/test_descent.py",
    ],
    "simulate/model.py": [f"tests/simulate/test_{name}.py" for name in ("descent", "coupled", "mirror_distance")],
    "simulate/optimizer.py": ["tests/simulate/test_descent.py"],
    "simulate/integrate.py": ["tests/simulate/test_gradient_flow.py", "tests/simulate/test_dense.py"],
    "simulate/mini_batches.py": ["tests/simulate/test_descent.py"],
    "simulate/mirror_flow.py": ["tests/simulate/test_agreement.py"],
    "simulate/trajectory.py": ["tests/simulate/test_dense.py", "tests/simulate/test_trajectory.py"],
    "simulate/steps.py": ["tests/simulate/test_descent.py"],
    "limit/saddle_to_saddle.py": _PATHS,
    "limit/signed_least_squares.py": ["tests/limit/test_saddle_to_saddle.py", *_PATHS],
    "limit/jump_times.py": ["tests/limit/test_saddle_to_saddle.py", *_PATHS],
    "limit/exact_combination.py": ["tests/limit/test_separability.py"],
    "limit/exact_path.py": ["tests/limit/test_saddle_to_saddle.py", *_PATHS],
    "limit/margin_programs.py": ["tests/limit/test_max_margin.py"],
    "limit/projected_newton.py": ["tests/limit/test_margin_projection.py"],
    "limit/dependency.py": ["tests/limit/test_row_basis.py"],
    "limit/error_bound.py": ["tests/limit/test_active_bound.py"],
    "limit/coupled.py": [
        "tests/limit/test_spectral_margins.py",
        "tests/limit/test_spectral_projection.py",
        "tests/simulate/test_coupled.py",
        "tests/limit/test_units.py",
    ],
    "limit/margin_projection.py": ["tests/limit/test_spectral_margins.py"],
    "limit/max_margin.py": ["tests/limit/test_units.py"],
    "limit/projection.py": ["tests/limit/test_units.py"],
    "limit/dual_newton.py": [f"tests/limit/test_{name}.py" for name in ("row_basis", "projection", "rows", "sizes")],
    "masking/diagonal_networks.py": [
        "tests/masking/test_ensembles.py",
        "tests/masking/test_replay.py",
        "tests/simulate/test_optimizer.py",
    ],
    "masking/ensembles.py": ["tests/masking/test_ensembles.py", "tests/masking/test_initialization.py"],
    "masking/reparameterize.py": ["tests/masking/test_replaced.py"],
    "masking/kept.py": ["tests/masking/test_pilot.py", "tests/masking/test_factored_weights.py"],
    "masking/factored_weight.py": ["tests/masking/test_factored_weights.py"],
    "masking/powerpropagation.py": ["tests/masking/test_factored_weights.py"],
    "masking/product.py": ["tests/masking/test_factored_weights.py"],
    "masking/sigmoid_mask.py": ["tests/masking/test_factored_weights.py"],
    "masking/soft_threshold.py": ["tests/masking/test_factored_weights.py"],
    "masking/weight_tensors.py": ["tests/masking/test_reparameterize.py", "tests/masking/test_pruning.py"],
    "potential/derivative_rules.py": ["tests/potential/test_in_jax.py", "tests/potential/test_entropy.py"],
    "potential/hyperbolic_entropy.py": [
        f"tests/potential/test_hyperbolic_entropy_{topic}.py" for topic in ("bounds", "values")
    ],
    "potential/spectral.py": [
        f"tests/potential/test_{name}.py" for name in ("von_neumann_entropy", "spectral_hypentropy")
    ],
    "potential/separable.py": ["tests/potential/test_separable.py", "tests/potential/test_entropy.py"],
    "careful_sum.py": ["tests/test_linear_map.py"],
    "symbolic/derivation.py": ["tests/symbolic/test_initial_values.py"],
    "symbolic/regularizer_flow.py": ["tests/symbolic/test_flows.py", "tests/symbolic/test_derivation.py"],
    "symbolic/start_conditions.py": ["tests/symbolic/test_initial_values.py"],
    **{
        f"symbolic/{name}.py": _DERIVATIONS
        for name in (
            *("assumptions", "by_flow", "by_metric", "candidate", "identities", "joint_flow", "leading_terms"),
            *("ranges", "separation", "sine_formulas", "solving"),
        )
    },
}


def pytest_arguments(module: str) -> list[str]:
    """The paths that pytest gets for a module of the library: its doctests, then its tests."""
    folder, _, name = module.rpartition("/")
    mirror = f"tests/{folder}/test_{name}".replace("//", "/")
    mirrored = [mirror] if (ROOT / mirror).exists() else [] if module in TESTS else [f"tests/{folder}"]
    return [f"{LIBRARY}/{module}", *mirrored, *TESTS.get(module, [])]


def modules_of(name: str) -> list[str]:
    """The modules in a file or folder of the library; exit with a message if there are none."""
    path = ROOT / LIBRARY / name.removeprefix(f"{LIBRARY}/")
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path] if path.suffix == ".py" and path.exists() else []
    if not files:
        raise SystemExit(
            f"mutants: expected a file or folder of {LIBRARY}/, such as potential/entropy.py, got {name!r}."
        )
    return [file.relative_to(ROOT / LIBRARY).as_posix() for file in files if file.name != "__init__.py"]


def slack() -> list[dict[str, str]]:
    """The known survivors with module, line, reason, and the change unless all changes of the line survive."""
    return tomllib.loads((Path(__file__).parent / "slack.toml").read_text("utf-8"))["slack"]


def is_slack(module: str, mutant: Mutant, known: list[dict[str, str]]) -> bool:
    return any(
        entry["module"] == module
        and entry["line"] == mutant.text
        and entry.get("change", mutant.change) == mutant.change
        for entry in known
    )


class Runner:
    """Runs tests in a copy of the tree, in processes forked by a server that has loaded the heavy packages."""

    def __init__(self, copy: Path) -> None:
        self._copy = copy
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(PRELOADED)
        self._longest: dict[tuple[str, ...], float] = {}

    def notices(self, module: str, mutant: Mutant, tests: list[str]) -> bool:
        """Whether a test fails, or all of them take much longer than before, after the module has changed."""
        if tuple(tests) not in self._longest:
            began = time.monotonic()
            if self._code(tests, limit=None) != 0:
                raise SystemExit(
                    f"mutants: without any change pytest {' '.join(tests)} fails.\n{self._log.read_text()}"
                )
            self._longest[tuple(tests)] = 3 * (time.monotonic() - began) + SECONDS_TO_SPARE
        path = self._copy / LIBRARY / module
        source = path.read_text("utf-8")
        try:
            self._write(path, mutant.applied(source))
            return self._code(tests, self._longest[tuple(tests)]) != 0
        finally:
            self._write(path, source)

    @property
    def _log(self) -> Path:
        return self._copy / "log"

    @staticmethod
    def _write(path: Path, source: str) -> None:
        path.write_text(source, "utf-8")
        # Python compares times in whole seconds, and so may take the code it compiled before the change.
        Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)

    def _code(self, tests: list[str], limit: float | None) -> int | None:
        process = self._context.Process(target=_run_tests, args=(str(self._copy), str(self._log), tests))
        process.start()
        process.join(limit)
        if process.is_alive():
            os.killpg(process.pid, signal.SIGKILL)
            process.join()
        if process.exitcode in (3, 4, 5):
            raise RuntimeError(f"pytest {' '.join(tests)} ended with {process.exitcode}.\n{self._log.read_text()}")
        return process.exitcode


def _run_tests(copy: str, log: str, tests: list[str]) -> None:
    """Run pytest in this process, which gets its own group so that its children can be ended with it."""
    os.setsid()
    os.chdir(copy)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.environ |= {"PYTHONPATH": copy, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    sys.path[:] = [copy, *(path for path in sys.path if path not in ("", str(ROOT)))]
    for name in [name for name in sys.modules if name.split(".")[0] == "tests"]:
        del sys.modules[name]

    import pytest

    sys.exit(
        pytest.main(
            [
                *tests,
                "-x",
                "-q",
                "-p",
                "no:cacheprovider",
                "-p",
                "_hypothesis_pytestplugin",
                "--hypothesis-profile=first-failure",
            ]
        )
    )


def examine(names: Sequence[str], sample: int | None, seed: int) -> dict[str, dict]:
    """Try a sample of all changes of each file or folder.

    Returns:
        For each module the numbers of changes that were possible, tried, noticed and known as slack, the survivors and
        the tests.
    """
    known, results = slack(), {}
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "tree"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "__pycache__", "build", "*.egg-info"))
        runner = Runner(copy)
        for name in names:
            possible = [
                (module, mutant)
                for module in modules_of(name)
                for mutant in mutants((ROOT / LIBRARY / module).read_text("utf-8"))
            ]
            count = len(possible) if sample is None else min(sample, len(possible))
            chosen = sorted(random.Random(seed).sample(range(len(possible)), count))  # noqa: S311
            counts = Counter(module for module, _ in possible)
            for module, mutant in (possible[k] for k in chosen):
                tests = pytest_arguments(module)
                result = results.setdefault(
                    module,
                    {"possible": counts[module], "tried": 0, "noticed": 0, "slack": 0, "survivors": [], "tests": tests},
                )
                result["tried"] += 1
                if runner.notices(module, mutant, tests):
                    result["noticed"] += 1
                elif is_slack(module, mutant, known):
                    result["slack"] += 1
                else:
                    result["survivors"].append({"line": mutant.line, "text": mutant.text, "change": mutant.change})
                    print(f"{LIBRARY}/{module}:{mutant.line}: {mutant.change}\n    {mutant.text}", flush=True)
    return results


def table(results: dict[str, dict]) -> str:
    """The score of each module and every survivor, in Markdown."""
    rows = ["| module | tried | of | noticed | slack | survived |", "| --- | ---: | ---: | ---: | ---: | ---: |"]
    survivors = []
    for module, result in sorted(results.items()):
        counts = (result[key] for key in ("tried", "possible", "noticed", "slack"))
        rows.append(f"| {module} | {' | '.join(map(str, counts))} | {len(result['survivors'])} |")
        survivors += [f"- `{module}:{s['line']}`: `{s['change']}` in `{s['text']}`" for s in result["survivors"]]
    tried, noticed, known = (sum(result[key] for result in results.values()) for key in ("tried", "noticed", "slack"))
    rows.append(f"| **all** | {tried} | | {noticed} | {known} | {tried - noticed - known} |")
    return "\n".join([*rows, *(["", "Survivors:", "", *survivors] if survivors else []), ""])


def main(arguments: list[str] | None = None) -> int:
    """Try changes, print what survived, and return 1 if anything did."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns.mutants", description=__doc__.splitlines()[0])
    parser.add_argument(
        "modules",
        nargs="*",
        metavar="MODULE",
        help=f"a file or folder of {LIBRARY}/; without one, {SAMPLE} changes in each of {', '.join(CAMPAIGN)}",
    )
    parser.add_argument("--sample", type=int, help="changes to try of each MODULE; all by default")
    parser.add_argument("--seed", type=int, default=0, help="which sample")
    parser.add_argument("--record", action="store_true", help="write the results of these modules to the record")
    options = parser.parse_args(arguments)
    sample = options.sample if options.modules else options.sample or SAMPLE
    results = examine(options.modules or CAMPAIGN, sample, options.seed)
    print(table(results))
    if options.record or not options.modules:
        recorded = json.loads(RECORD.read_text("utf-8")) if RECORD.exists() else {}
        recorded |= results
        RECORD.write_text(json.dumps(recorded, indent=1, sort_keys=True, ensure_ascii=False) + "\n", "utf-8")
        RECORD.with_suffix(".md").write_text(table(recorded), "utf-8")
    return 1 if any(result["survivors"] for result in results.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
