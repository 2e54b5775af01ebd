"""Campaign: no statement of the ledger may hold, PROVED, ARGUED or SUPPORTED, after a small change makes it false.

    python -m tests.campaigns.statements [--sample N] [--seed S] [PAPER ...]

We double, halve and negate every constant of every formula that a claim states, change every exponent by one, and give
the changed statement to the check. ``true_mutants.toml`` lists changes that leave a statement true, with the reasons.
"""

import argparse
import random
import signal
import sys
import tomllib
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import derivations
from implicit_bias import Outcome, Statement
from implicit_bias.claims import corrected
from tests.campaigns import records

HELD = (Outcome.PROVED, Outcome.ARGUED, Outcome.SUPPORTED)
SECONDS = 20.0  # of computing, for the check of one changed statement, which SymPy may never finish
TRUE_MUTANTS = Path(__file__).with_name("true_mutants.toml")


class TakesTooLongError(BaseException):
    """Raised into a check from an alarm; no check catches it."""


@contextmanager
def limit(seconds):
    def ring(*_):
        raise TakesTooLongError

    before = signal.signal(signal.SIGVTALRM, ring)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def changed(ledger, name):
    """All changes of the statement of a claim; none if it has no formula."""
    statement = ledger[name].statement
    return list(statement.mutants()) if isinstance(statement, Statement) else []


def used(ledger, name):
    """The verdicts and claims that the check of a claim is given of those that it uses."""
    return {
        each: ledger.verdicts[each].correction.verdict if isinstance(each, corrected) else ledger.verdicts[each]
        for each in ledger[name].uses
    }


def outcome(ledger, name, mutant):
    """The outcome of a claim whose statement was changed."""
    try:
        with limit(SECONDS):
            return ledger[name].verdict(used(ledger, name), statement=mutant).outcome.value
    except TakesTooLongError:
        return "not decided in time"
    except Exception as error:  # a check may refuse a statement that makes no sense
        return f"refused ({type(error).__name__})"


def known():
    """The changes that leave a statement true, with their reasons, by claim."""
    return tomllib.loads(TRUE_MUTANTS.read_text("utf-8"))


def run(ledger, sample=None, seed=0):
    """Try changes of all claims that hold; return how often each outcome came, and the changes that went unnoticed."""
    held = [name for name, verdict in ledger.verdicts.items() if verdict.outcome in HELD]
    tasks = [(name, change, mutant) for name in held for change, mutant in changed(ledger, name)]
    possible, in_words = len(tasks), [name for name in held if not changed(ledger, name)]
    if sample is not None:
        tasks = random.Random(seed).sample(tasks, min(sample, possible))  # noqa: S311
    outcomes, unnoticed, true = Counter(), [], known()
    for name, change, mutant in tasks:
        found = outcome(ledger, name, mutant)
        is_true = change in true.get(name, {})
        outcomes["true, as listed" if is_true else found] += 1
        if not is_true and found in {each.value for each in HELD}:
            unnoticed.append(f"{name}: {change}: {found}: {mutant}")
    return {
        "claims that hold": len(held),
        "claims without a formula": ", ".join(in_words) or "none",
        "changes possible": possible,
        "changes tried": len(tasks),
        **outcomes,
        "unnoticed": unnoticed,
    }


def main(arguments=None):
    """Run the campaign and write its record; 1 if a changed statement still holds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("papers", nargs="*")
    parser.add_argument("--sample", type=int)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args(sys.argv[1:] if arguments is None else arguments)
    ledger = derivations.ledger()
    wanted = [name for name in ledger if not asked.papers or name.partition("/")[0] in asked.papers]
    entries = run(ledger.run(wanted), asked.sample, asked.seed)
    print(entries)
    if not asked.papers and asked.sample is None:
        records.write("statements", "Changed statements", entries)
    return int(bool(entries["unnoticed"]))


if __name__ == "__main__":
    sys.exit(main())
