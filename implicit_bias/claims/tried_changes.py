"""Whether a check notices small changes of its statement: it is asked again in copies of this process."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection

from implicit_bias.claims.changes import Changes
from implicit_bias.claims.claim import Claim
from implicit_bias.claims.statement import Statement
from implicit_bias.claims.verdict import Verdict
from implicit_bias.errors import UnsupportedError

CHANGES_AT_LEAST = 5  # of a statement are tried, even if the check takes too long with each of them


def changed_statements(claim: Claim) -> list[tuple[str, Statement]]:
    """The changes of the statement of a claim, each once; none if it has no formula that can be changed."""
    if not isinstance(claim.statement, Statement):
        return []
    try:
        # Of two names of one change the last is kept: 7 → 14 rather than "all × 2".
        return list({str(mutant): (change, mutant) for change, mutant in claim.statement.mutants()}.values())
    except UnsupportedError:  # it holds a function that no identity may hold
        return []


def tried(
    claim: Claim,
    verdict: Verdict,
    mutants: list[tuple[str, Statement]],
    used: Mapping[str, Verdict],
    seconds: float,
    changing: float,
    begins: Callable[[], None],
) -> Changes:
    """What the check of a claim says of changes of the statement.

    Args:
        claim: The claim.
        verdict: What its check says of the statement itself.
        mutants: The changed statements.
        used: The verdicts that the check is given.
        seconds: How long one check may take.
        changing: How long all changes together may take.
        begins: Called before each change.
    """
    passed: list[tuple[str, str]] = []
    undecided = 0
    each, end = min(seconds, changing / CHANGES_AT_LEAST), time.monotonic() + changing
    for change, mutant in mutants:
        begins()
        answer = _passes_within(min(each, end - time.monotonic()), claim, verdict, used, mutant)
        passed += [(change, str(mutant))] if answer else []
        undecided += answer is None
    return Changes(len(mutants), tuple(passed), undecided)


def _passes_within(
    seconds: float, claim: Claim, verdict: Verdict, used: Mapping[str, Verdict], mutant: Statement
) -> bool | None:
    """Whether a check says the same of a changed statement; None if it does not say it in time.

    It runs in a copy of this process, which it may change or end.
    """
    if seconds <= 0:
        return None
    copies = multiprocessing.get_context("fork")
    answer, theirs = copies.Pipe(duplex=False)
    copy = copies.Process(target=_tell, args=(theirs, claim, verdict, used, mutant))
    copy.start()
    theirs.close()
    try:
        return answer.recv() if answer.poll(seconds) else None
    except EOFError:  # it ended without a verdict
        return False
    finally:
        copy.kill()
        copy.join()
        answer.close()


def _tell(answer: Connection, claim: Claim, verdict: Verdict, used: Mapping[str, Verdict], mutant: Statement) -> None:
    """Send whether the check says the same; one that raises anything does not say so. It prints nothing."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    try:
        passes = _is_same(verdict, claim.verdict(used, statement=mutant))
    except (Exception, SystemExit):
        passes = False
    answer.send(passes)


def _is_same(verdict: Verdict, other: Verdict) -> bool:
    """Whether both speak for the statement; or, as a changed false statement is false, too, refute it alike."""
    return other.holds if verdict.holds else other.describe() == verdict.describe()
