"""Gutted checks of claims: what is taken out of a check or its hypotheses, a test has to notice.

    python -m tests.campaigns.checks [--sample N] [--seed S] [--record] [PAPER ...]

In each check, and in each function of the derivations that it runs, one identity is left out, one comparison always
holds, one tolerance is a million times as large, one condition or the signs that symbols declare are dropped; and of
each claim one hypothesis is left out. The changed code runs in place of the function's own. A change is noticed if the
judge refuses it or comes to another verdict; if claim or verdict are not as ``figures/ledger.json`` keeps them; if the
check holds without the claims that it rests on; or if it lets a false statement pass. Tests and the campaign of changed
statements ask all of this of the code as it is.

Some changes need not be noticed. A step whose two sides SymPy writes alike shows nothing, and a verdict does not keep
it: a change that takes such steps alone is counted apart. So is one of a check that is refuted by the same numbers as
before, if no further changed statement holds. Other changes that leave a check as strong as it was stand in
``equal_checks.toml`` with their reasons; entries that excuse nothing are reported. What is not decided in time, and
signs that no symbol declares, are counted as such.
"""

from __future__ import annotations

import argparse
import ast
import random
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from inspect import getsource, unwrap
from os.path import commonprefix
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

import pytest

import derivations
from implicit_bias import Claim, Ledger
from implicit_bias.claims import judge
from tests.campaigns import records, statements
from tests.campaigns.changes import Mutant, mutants
from tests.campaigns.kept import unlike, unused
from tests.campaigns.weaker import JUDGES, NoSignsError, name_of, weaker

EQUAL = Path(__file__).with_name("equal_checks.toml")
COMPARING = ("Verdict", "bool")  # what functions return whose conditions decide on a claim


EVIDENT = "takes a step that is evident"
REFUTED_ALL_THE_SAME = "refuted by the same numbers"


@dataclass(frozen=True)
class Change:
    """One change of a function of the derivations, with the changed source of its module."""

    function: FunctionType
    mutant: Mutant
    source: str

    @property
    def place(self) -> str:
        return f"{self.function.__module__}.{self.function.__name__}"

    @property
    def text(self) -> str:
        """The old and the new code, without the words that both begin and end with."""
        sides = [*self._sides()]
        for _ in range(2):
            common = commonprefix(sides).rfind(" ") + 1  # noqa: RUF071 - of letters
            sides = [side[common:][::-1] for side in sides]
        return " → ".join(" ".join(side.split())[:120] or "nothing" for side in sides)

    @property
    def takes_a_step(self) -> bool:
        """Whether the new code is the old call of a judge, or the old list of steps, without one of them."""
        old, new = (ast.parse(side, mode="eval").body for side in self._sides())
        match old, new:
            case ast.Call(args=steps), ast.Call(args=rest) if name_of(old) in JUDGES:
                as_before = ast.dump(ast.Call(new.func, steps, new.keywords)) == ast.dump(old)
            case (ast.Tuple(elts=steps), ast.Tuple(elts=rest)) | (ast.List(elts=steps), ast.List(elts=rest)):
                as_before = True
            case _:
                return False
        return as_before and len(rest) == len(steps) - 1

    def _sides(self) -> tuple[str, str]:
        """The old and the new code."""
        new = self.mutant.new[1:-1] if self.mutant.new.startswith("(") else self.mutant.new
        return self.mutant.change.removesuffix(f" → {new}"), new

    @contextmanager
    def made(self, runs: Iterable[FunctionType]) -> Iterator[None]:
        """The changed code in place of the function's own; no caller remembers anything from before or after."""
        before = self.function.__code__
        callers = [each for each in runs if self.function in called(each)]
        try:
            self._run(self._code(), callers)
            yield
        finally:
            self._run(before, callers)

    def _run(self, code: CodeType, callers: Iterable[FunctionType]) -> None:
        self.function.__code__ = code
        for each in callers:
            getattr(vars(sys.modules[each.__module__]).get(each.__name__), "cache_clear", bool)()

    def _code(self) -> CodeType:
        name, module = self.function.__name__, sys.modules[self.function.__module__]
        (node,) = [each for each in ast.parse(self.source).body if getattr(each, "name", "") == name]
        node.decorator_list = []
        tree = ast.Module([ast.ImportFrom("__future__", [ast.alias("annotations")], 0), node], [])
        namespace = dict(vars(module))
        exec(compile(ast.fix_missing_locations(tree), str(module.__file__), "exec"), namespace)  # noqa: S102
        return namespace[name].__code__


def plain(value: object) -> FunctionType | None:
    """The function of the derivations that was written down, of a claim or of one that remembers."""
    found = unwrap(value.check) if isinstance(value, Claim) else unwrap(value) if callable(value) else None
    is_ours = isinstance(found, FunctionType) and found.__module__.startswith(derivations.__name__)
    return found if is_ours else None


@cache
def called(function: FunctionType) -> frozenset[FunctionType]:
    """All functions of the derivations that a function runs, itself included."""
    found, waiting = set(), [function]
    while waiting:
        each = waiting.pop()
        if each not in found:
            found.add(each)
            names = {node.id for node in ast.walk(ast.parse(getsource(each))) if isinstance(node, ast.Name)}
            waiting += filter(None, (plain(each.__globals__.get(name)) for name in names))
    return frozenset(found)


def changes(module: ModuleType) -> Iterator[Change]:
    """The changes of all functions of a module."""
    source = Path(str(module.__file__)).read_text("utf-8")
    functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    for mutant in mutants(source, weaker):
        for node in functions:
            function = plain(vars(module).get(node.name))
            # In other functions a condition computes something.
            compares = ast.unparse(node.returns or ast.Constant(None)) in COMPARING
            compares |= any(f"{name}(" in mutant.change for name in ("Equation", "Symbol", "symbols"))
            if function and compares and node.lineno <= mutant.line <= int(node.end_lineno or 0):
                yield Change(function, mutant, mutant.applied(source))


def difference(ledger: Ledger, kept: Ledger, name: str) -> str:
    """How the verdict of a check differs from what is kept of it; empty if it does not."""
    verdict = ledger.judged(name, ledger.verdicts)
    if verdict.outcome is not kept.verdicts[name].outcome:
        return "another verdict"
    return "not as kept" if unlike(ledger[name], verdict, kept[name], kept.verdicts[name]) else ""


def noticed(ledger: Ledger, kept: Ledger, name: str, true: Collection[str]) -> str:
    """How tests notice that the check of a claim is not what it was; empty if they do not.

    Args:
        ledger: The claims with their checks.
        kept: The same claims with the verdicts that are kept.
        name: The claim.
        true: The changes of its statement that the check lets pass as it should.
    """
    try:
        with statements.limit(statements.SECONDS):
            if way := difference(ledger, kept, name):
                return way
            if unused(ledger, name):
                return "holds without claims that it rests on"
        passes = any(holding(ledger, name, true))
    except statements.TakesTooLongError:
        return "not decided in time"
    except NoSignsError:
        return "no signs to drop"
    return "a false statement holds" if passes else ""


def holding(ledger: Ledger, name: str, true: Collection[str] = ()) -> Iterator[str]:
    """The changes of the statement of a claim after which its check holds, without those that are known to be true."""
    held = {each.value for each in statements.HELD}
    for change, mutant in statements.changed(ledger, name):
        if change not in true and statements.outcome(ledger, name, mutant) in held:
            yield change


class Campaign:
    """Changes, of which claims show what tests notice.

    Args:
        ledger: All claims with their checks.
        kept: The same claims with the verdicts that the repository keeps.
    """

    def __init__(self, ledger: Ledger, kept: Ledger) -> None:
        self._ledger, self._kept = Ledger(ledger.values(), kept.verdicts, papers=ledger.papers), kept
        self._runs = {name: called(found) for name, claim in ledger.items() if (found := plain(claim))}
        self._true: dict[str, Collection[str]] = {}  # changes of statements that hold, of claims that are as kept

    def users(self, function: FunctionType) -> list[str]:
        """The claims whose checks run a function."""
        return [name for name, runs in self._runs.items() if function in runs]

    def way(self, change: Change) -> str:
        """How a change is noticed by one of the claims that run the function, or why it does no harm; else empty.

        Raises:
            RuntimeError: If tests would notice something without any change.
        """
        names = self.users(change.function)
        for name in names:
            true = self._intact(name)
            with change.made(self._runs[name]):
                if way := noticed(self._ledger, self._kept, name, true):
                    return way
        if change.takes_a_step and self._takes_evident_steps(change, names):
            return EVIDENT
        refuted = all(self._kept.verdicts[name].violation for name in names)
        return REFUTED_ALL_THE_SAME if refuted else ""

    def _intact(self, name: str) -> Collection[str]:
        """The changes of a statement after which it holds, by its check as it is, which has to be as kept."""
        if name not in self._true:
            if found := difference(self._ledger, self._kept, name):
                raise RuntimeError(f"checks: without any change, of {name}: {found}.")
            is_held = self._kept.verdicts[name].outcome in statements.HELD
            self._true[name] = statements.known().get(name, {}) if is_held else set(holding(self._ledger, name))
        return self._true[name]

    def _takes_evident_steps(self, change: Change, names: Iterable[str]) -> bool:
        """Whether the judges of claims are asked for fewer steps, and these are the same on both sides."""
        taken = Counter[bool]()
        for name in names:
            intact = self._steps(name)
            with change.made(self._runs[name]):
                left = self._steps(name)
            if left - intact:
                return False
            taken += intact - left
        return set(taken) == {True}

    def _steps(self, name: str) -> Counter[bool]:
        """How many steps the judges of a claim are asked for, by whether SymPy writes both sides alike."""
        found, is_trivial = Counter[bool](), judge._is_trivial

        def counted(step: judge.Step) -> bool:
            found[is_trivial(step)] += 1
            return is_trivial(step)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(judge, "_is_trivial", counted)
            self._ledger.judged(name, self._ledger.verdicts)
        return found

    def way_of_hypothesis(self, name: str, place: int) -> str:
        """How it is noticed that a claim has lost a hypothesis."""
        claim, verdict = self._ledger[name], self._kept.verdicts[name]
        less = replace(claim, hypotheses=claim.hypotheses[:place] + claim.hypotheses[place + 1 :])
        return "not as kept" if unlike(less, verdict, self._kept[name], verdict) else ""


def known() -> dict[str, dict[str, str]]:
    """The changes that leave a check as strong as it was, by function: each with its reason."""
    return tomllib.loads(EQUAL.read_text("utf-8"))


def run(ledger: Ledger, kept: Ledger, papers: Sequence[str], sample: int | None = None, seed: int = 0) -> dict:
    """Try the changes of the checks of some papers: how often each was noticed in which way, and what was not."""
    campaign, equal = Campaign(ledger, kept), known()
    names = [name for name in ledger if name.partition("/")[0] in papers]
    packages = {str(ledger[name].module).rpartition(".")[0] for name in names}
    tasks: list[tuple[str, int] | Change]
    tasks = [(name, place) for name in names for place in range(len(ledger[name].hypotheses))]
    for module in [module for name, module in sorted(sys.modules.items()) if name.rpartition(".")[0] in packages]:
        tasks += [change for change in changes(module) if campaign.users(change.function)]
    possible = len(tasks)
    if sample is not None:
        tasks = random.Random(seed).sample(tasks, min(sample, possible))  # noqa: S311
    ways, unnoticed = Counter(), []
    for task in tasks:
        if isinstance(task, Change):
            place, text, way = task.place, task.text, campaign.way(task)
        else:
            place, text, way = task[0], f"hypothesis {task[1] + 1}", campaign.way_of_hypothesis(*task)
        if not way:
            way = "as strong, as listed" if text in equal.get(place, {}) else "unnoticed"
            equal.get(place, {}).pop(text, None)
        ways[way] += 1
        if way == "unnoticed":
            unnoticed.append(f"{place}: {text}")
            print(unnoticed[-1], flush=True)
    counts = {"claims": len(names), "changes possible": possible, "changes tried": len(tasks)}
    found = {**counts, **ways, "not noticed": unnoticed}
    if sample is not None:
        return found
    here = [place for place in equal if any(place.startswith(f"{package}.") for package in packages)]
    return {**found, "listed in vain": [f"{place}: {text}" for place in here for text in equal[place]]}


def main(arguments: list[str] | None = None) -> int:
    """Try changes, print what no test notices, and return 1 if there is any; of all papers the record is kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns.checks")
    parser.add_argument("papers", nargs="*", metavar="PAPER", help="keys of papers; all by default")
    parser.add_argument("--sample", type=int, help="changes to try; all by default")
    parser.add_argument("--seed", type=int, default=0, help="which sample")
    parser.add_argument("--record", action="store_true", help="write what was found to the record")
    asked = parser.parse_args(arguments)
    ledger, began = derivations.ledger(), time.process_time()
    papers = asked.papers or [paper.key for paper in ledger.papers]
    entries = {"papers": " ".join(asked.papers) or "all", "sample": asked.sample or "all", "seed": asked.seed}
    entries |= run(ledger, Ledger.load(derivations.SAVED), papers, asked.sample, asked.seed)
    entries["seconds of computing"] = round(time.process_time() - began)
    print(entries)
    if asked.record or (not asked.papers and asked.sample is None):
        records.write("checks", "Gutted checks", entries)
    return int(bool(entries["not noticed"] or entries.get("listed in vain")))


if __name__ == "__main__":
    sys.exit(main())
