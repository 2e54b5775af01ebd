"""Campaign: random derivations keep their limit of time, and threads find the same as one thread."""

import random
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import implicit_bias as ib
from implicit_bias.symbolic import template, worker
from tests.campaigns import records

COUNT = 300
THREADS = 8
IN_THREADS = 200
TIME_LIMIT = 2.0  # seconds of computing
GRACE = 1.0  # seconds beyond it
SEED = 20261128
LEAVES = ("m", "w", "m", "w", "u", "2", "3", "1/2")
FUNCTIONS = ("exp", "log", "sinh", "tanh", "atan", "sqrt", "sigmoid", "sin", "abs")
KNOWN = (
    "m*w",
    "u**2 - v**2",
    "exp(u)",
    "sinh(u)",
    "atan(u)",
    "u**3",
    "m**2*w",
    "u",
    "log(u)",
    "tanh(u)",
    "u**4",
    "1/u",
)


def formulas(count, seed=SEED):
    """Random formulas, always the same; a third are multiples of formulas with known potentials."""
    generator = random.Random(seed)  # noqa: S311
    found = []
    while len(found) < count:
        if generator.random() < 1 / 3:
            found.append(f"{generator.randint(1, 9)}*({generator.choice(KNOWN)})")
        else:
            found.append(_expression(generator, generator.randint(1, 3)))
    return found


def _expression(generator, depth):
    if depth == 0:
        return generator.choice(LEAVES)
    kind = generator.random()
    if kind < 0.6:
        operator = generator.choice("+-**/")
        return f"({_expression(generator, depth - 1)}{operator}{_expression(generator, depth - 1)})"
    if kind < 0.75:
        return f"({_expression(generator, depth - 1)})**{generator.choice(['2', '3', '-1', '(5/3)'])}"
    return f"{generator.choice(FUNCTIONS)}({_expression(generator, depth - 1)})"


def derived(formula, time_limit=TIME_LIMIT):
    """The outcome of deriving a formula, its potential or error as text, and the seconds it took."""
    began = time.perf_counter()
    try:
        derivation = ib.derive(formula, time_limit=time_limit)
        outcome = "closed form" if derivation.closed_form else "numerical"
        found = str(derivation.potential)
    except (ib.FormulaError, ib.UnsupportedError, ib.NotCommutingError) as error:
        outcome, found = type(error).__name__, str(error)
    except Exception as error:  # a bug, which the campaign counts
        outcome, found = f"{type(error).__name__}: {error} in {formula!r}", ""
    return outcome, found, time.perf_counter() - began


def in_turn_and_in_threads(count, threads=THREADS, seed=SEED):
    """The formulas whose outcome or potential differs when threads derive them at once."""
    asked = formulas(count, seed + 1)
    found = []
    for workers in (1, threads):
        template.stop()
        worker.forget()
        with ThreadPoolExecutor(workers) as pool:
            found.append([result[:2] for result in pool.map(lambda f: derived(f, 20.0), asked)])
    return [formula for formula, one, other in zip(asked, *found, strict=True) if one != other]


def run(count=COUNT, seed=SEED):
    """Derive formulas in turn; return how often each outcome came, and how many took longer than their limit."""
    derived("m*w")  # starts the worker, whose start is not counted
    found = [derived(formula) for formula in formulas(count, seed)]
    outcomes = Counter(outcome for outcome, *_ in found)
    known = {name: outcomes.pop(name, 0) for name in ("closed form", "numerical", "FormulaError", "UnsupportedError")}
    times = [seconds for *_, seconds in found]
    return {
        "derivations": count,
        "seed": seed,
        **known,
        "other outcomes": len(outcomes),
        "examples of others": list(outcomes)[:20],
        "time limit": TIME_LIMIT,
        "longest seconds": round(max(times), 3),
        "beyond the limit by more than 1 second": sum(seconds > TIME_LIMIT + GRACE for seconds in times),
    }


def main(arguments=None):
    """Run the campaign and write its record; 1 after a bug, a late derivation or one that differs on threads."""
    counts = [int(argument) for argument in (sys.argv[1:] if arguments is None else arguments)] or [COUNT, IN_THREADS]
    entries = run(counts[0])
    different = []
    if len(counts) > 1:
        different = in_turn_and_in_threads(counts[1])
        entries |= {"derived on 8 threads": counts[1], "different from in turn": different}
    print(entries)
    records.write("derivations", "Random derivations", entries)
    return int(
        entries["other outcomes"] > 0 or entries["beyond the limit by more than 1 second"] > 0 or different != []
    )


if __name__ == "__main__":
    sys.exit(main())
