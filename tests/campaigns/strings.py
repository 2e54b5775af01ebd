"""Formulas as nobody would write them: each is read or refused with a FormulaError, soon and in little memory."""

import os
import random
import resource
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import implicit_bias as ib
from implicit_bias.symbolic import template
from implicit_bias.symbolic.formulas import FUNCTIONS
from tests.campaigns import records

COUNT = 50_000
SEED = 20261128
NAMES = ("m", "w", "u", "x", "e", "z")
HUGE = ("2**64", "10**9", "10**6", "1e300", "10**30", "9**9**9", "1e-300", "2**4000", "64**64", "1e309", "0", "1/3")
THREADS = os.cpu_count()  # with more of them, one formula's time would be the others'
SECONDS_TO_END = 0.5  # in which the template waits for the last of its children, whose memory then counts
GARBAGE = "()*+-/^.,;:'\"\\[]{}=<>!?@#$%&|~ \t\nmwexz0123456789_λm"


def formulas(count, seed=SEED):
    """Some formulas, always the same: most are built from the grammar, some of towers or huge numbers, some damaged."""
    generator = random.Random(seed)  # noqa: S311
    return [_formula(generator) for _ in range(count)]


def _formula(generator):
    kind = generator.random()
    if kind < 0.4:
        return _expression(generator, generator.randint(1, 5), huge=0.02)
    if kind < 0.6:
        return _expression(generator, generator.randint(1, 4), huge=0.6)
    if kind < 0.8:
        inside = _expression(generator, 1, huge=0.7)
        for _ in range(generator.randint(1, 6)):
            inside = f"{generator.choice(list(FUNCTIONS))}({inside}{generator.choice(['', '-1', '+w', '**2', '*2'])})"
        return f"{generator.choice(NAMES)}{generator.choice('*+-/')}{inside}"
    text = list(_expression(generator, generator.randint(1, 4), huge=0.2))
    for _ in range(generator.randint(1, 6)):
        text.insert(generator.randint(0, len(text)), generator.choice(GARBAGE))
    if kind > 0.98:
        text = text * generator.randint(2, 200)
    return "".join(text)


def _expression(generator, depth, huge):
    if depth == 0 or generator.random() < 0.1:
        leaf = generator.random()
        if leaf < huge:
            return generator.choice(HUGE)
        return generator.choice(NAMES) if leaf < 0.8 else str(generator.choice([1, 2, 3, 0.5, 7, "pi"]))
    kind = generator.random()
    if kind < 0.5:
        left, right = (_expression(generator, depth - 1, huge) for _ in range(2))
        return f"({left}{generator.choice(['+', '-', '*', '/', '*', '+'])}{right})"
    if kind < 0.7:
        power = generator.choice(["2", "3", "-1", "(1/2)", "(5/3)", "0.5", "64", "-7", "m"])
        return f"({_expression(generator, depth - 1, huge)})**{power}"
    return f"{generator.choice(list(FUNCTIONS))}({_expression(generator, depth - 1, huge)})"


def read(formula):
    """What becomes of a formula, and the seconds it takes."""
    began = time.perf_counter()
    try:
        ib.Parameterization(formula)
        outcome = "read"
    except ib.FormulaError as error:
        outcome = "stopped" if "reading it took" in str(error) else "refused"
    except Exception as error:  # what must not be
        outcome = f"{type(error).__name__}: {error} in {formula[:200]!r}"
    return outcome, time.perf_counter() - began


def run(count=COUNT, threads=THREADS, seed=SEED):
    """Read formulas on some threads: how often each outcome came, the times, and the memory of the largest process.

    The seconds are those by the clock, which other processes lengthen; the processor time is that of all processes.
    """
    template.stop()
    began = _used()
    template.running()  # is started, which is no formula's time
    with ThreadPoolExecutor(threads) as pool:
        found = list(pool.map(read, formulas(count, seed), chunksize=1))
    time.sleep(SECONDS_TO_END)
    template.stop()
    times = [seconds for _, seconds in found]
    outcomes = Counter(outcome for outcome, _ in found)
    known = {name: outcomes.pop(name, 0) for name in ("read", "refused", "stopped")}
    return {
        "formulas": count,
        "seed": seed,
        **known,
        "other outcomes": len(outcomes),
        "examples of others": list(outcomes)[:20],
        "median seconds": round(median(times), 4),
        "longest seconds": round(max(times), 3),
        "beyond 2 seconds": sum(seconds > 2 for seconds in times),
        "processor seconds for each": round((_used() - began) / count, 4),
        # Of this process's children and of theirs that they have waited for.
        "largest process, MiB": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024),
        "threads": threads,
        "load of the machine": round(os.getloadavg()[0], 1),
        "processors": os.cpu_count(),
    }


def _used():
    """The processor seconds of this process and of its children that have ended, and of theirs."""
    return sum(os.times()[:4])


def main(arguments=None):
    """Run all of it and keep the record; 1 if anything else than a FormulaError came out, or not in time."""
    given = sys.argv[1:] if arguments is None else arguments
    entries = run(int(given[0]) if given else COUNT)
    print(entries)
    records.write("strings", "Fuzzed formulas", entries)
    return int(entries["other outcomes"] > 0 or entries["beyond 2 seconds"] > 0)


if __name__ == "__main__":
    sys.exit(main())
