"""Gutted checks of claims: what is taken out of a check or its hypotheses, a test has to notice.

    python -m tests.campaigns.checks [--sample N] [--seed S] [--record] [PAPER ...]

In each check, and in each function of the derivations that it calls, one identity is left out, one comparison always
holds, one tolerance is a million times as large, one condition or the signs that symbols declare are dropped; and of
each claim one hypothesis is left out. The changed code runs in place of the function's own. A change is noticed if the
judge refuses it or comes to another verdict; if a check no longer asks for the claims that it rests on; if a false
statement holds; or if claim or verdict are not as ``figures/ledger.json`` keeps them. Tests ask all of this of the code
as it is. A change that needs no notice stands in ``equal_checks.toml`` with its reason.
"""

from __future__ import annotations

import argparse
import ast
import random
import re
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from inspect import getsource, unwrap
from os.path import commonprefix
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import sympy as sp

import derivations
from implicit_bias import Claim, Ledger, Outcome, Statement, Verdict
from implicit_bias.claims import Equation
from implicit_bias.claims.claim import takes_used
from tests.campaigns import records, statements
from tests.campaigns.changes import Mutant, mutants

EQUAL = Path(__file__).with_name("equal_checks.toml")
TOLD = {"argue", "prove", "prove_alone", "refute"}  # judges of identities that are told first what follows from them
JUDGES = TOLD | {"judge", "contradicted"}
DROPPED = {"stated", "conditions", "deviation", "refuted_above"}  # arguments that demand more of a claim
SIGNS = {"positive", "negative", "nonnegative", "nonpositive", "nonzero"}
WEAKLY = ast.parse("__import__('tests.campaigns.checks', fromlist=['weakly']).weakly", mode="eval").body
CHANGED_STATEMENTS = 2  # tried of a claim for each change of its check
NUMBER = re.compile(r"[-−]?\d+([.,]\d+)*(e[-+]?\d+)?")


class NoSignsError(BaseException):
    """Raised into a check whose symbols declare no signs; no check catches it."""


def weakly(judged: Callable[..., Verdict]) -> Callable[..., Verdict]:
    """A judge of identities in symbols that declare no sign."""
    signed: set[sp.Symbol] = set()

    def real(given: Any) -> Any:
        if isinstance(given, sp.Basic):
            found = {s for s in given.free_symbols if any(s.assumptions0.get(sign) for sign in SIGNS)}
            signed.update(found)
            return given.xreplace({s: sp.Symbol(s.name, real=True, integer=s.is_integer) for s in found})
        if isinstance(given, Equation):
            sides = {name: real(getattr(given, name)) for name in ("stated", "derived", "conditions")}
            return replace(given, **sides)
        return tuple(map(real, given)) if isinstance(given, tuple) else given

    def judge(*args: Any, **named: Any) -> Verdict:
        args, named = tuple(map(real, args)), {name: real(each) for name, each in named.items()}
        if not signed:
            raise NoSignsError
        return judged(*args, **named)

    return judge


def name_of(call: ast.AST) -> str:
    function = getattr(call, "func", None)
    return getattr(function, "attr", None) or getattr(function, "id", "")


def is_tolerance(node: ast.AST) -> bool:
    name = getattr(node, "id", "")
    value = node.operand if isinstance(node, ast.UnaryOp) else node
    return name.endswith(("TOLERANCE", "ABOVE", "BELOW")) or (
        isinstance(value, ast.Constant) and isinstance(value.value, float) and 0 < value.value < 0.1
    )


def _without(items: list, dropped: ast.AST) -> list:
    return [each for each in items if each is not dropped]


def _loose(node: ast.expr) -> ast.expr:
    return ast.BinOp(node, ast.Mult(), ast.Constant(1e6))


def weaker(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that may replace a node of a check, each of which demands less, or the condition of an if."""
    match node:
        case ast.List(elts) | ast.Tuple(elts) if any(name_of(each) == "Equation" for each in elts):
            yield from (type(node)(_without(elts, each), ast.Load()) for each in elts)
        case ast.Call(func, args, keywords):
            name = name_of(node)
            identities = args[name in TOLD :] if name in JUDGES else []
            yield from (ast.Call(func, _without(args, each), keywords) for each in identities)
            yield from (ast.Call(func, args, _without(keywords, each)) for each in keywords if each.arg in DROPPED)
            if name in JUDGES:
                yield ast.Call(ast.Call(WEAKLY, [func], []), args, keywords)
            if name in {"Symbol", "symbols"} and SIGNS & {each.arg for each in keywords}:
                yield ast.Call(func, args, [ast.keyword("real", ast.Constant(True))])
            if name == "from_residual":
                yield ast.Call(func, [ast.Constant(0.0), *args[1:]], keywords)
                yield ast.Call(func, [args[0], _loose(args[1]), *args[2:]], keywords)
            if name == "agreed":
                yield args[0]
                yield ast.Call(func, [*args[:2], _loose(args[2]), *args[3:]], keywords)
        case ast.Compare(left, ops, right) if any(map(is_tolerance, right)):
            yield ast.Compare(left, ops, [_loose(each) if is_tolerance(each) else each for each in right])
        case ast.If(_, [ast.Return()], []):
            yield ast.Constant(False)
        case ast.Return(ast.Compare() | ast.BoolOp() | ast.Call(ast.Name("all" | "any"))):
            yield ast.Return(ast.Constant(True))


@dataclass(frozen=True)
class Change:
    """One change of a function of the derivations."""

    function: FunctionType
    mutant: Mutant
    code: CodeType

    @property
    def place(self) -> str:
        return f"{self.function.__module__}.{self.function.__name__}"

    @property
    def text(self) -> str:
        """The old and the new code, without what both begin and end with."""
        new = self.mutant.new.removeprefix("(").removesuffix(")") if self.mutant.new[:1] == "(" else self.mutant.new
        sides = [self.mutant.change.removesuffix(f" → {new}"), new]
        for _ in range(2):
            common = len(commonprefix(sides))  # noqa: RUF071 - of letters
            sides = [side[common:][::-1] for side in sides]
        return " → ".join(" ".join(side.split())[:120] or "nothing" for side in sides)

    @contextmanager
    def made(self, callers: set[FunctionType]) -> Iterator[None]:
        """The changed code in place of the function's own, for callers that then remember nothing of it."""
        before = self.function.__code__
        try:
            self.function.__code__ = self.code
            forget(callers)
            yield
        finally:
            self.function.__code__ = before
            forget(callers)


def forget(functions: set[FunctionType]) -> None:
    for function in functions:
        remembering = vars(sys.modules[function.__module__]).get(function.__name__)
        if hasattr(remembering, "cache_clear"):
            remembering.cache_clear()


def plain(value: object) -> FunctionType | None:
    """The function that somebody wrote, of a claim or of one that remembers."""
    found = unwrap(value.check) if isinstance(value, Claim) else unwrap(value) if callable(value) else None
    return found if isinstance(found, FunctionType) else None


@cache
def called(function: FunctionType) -> frozenset[FunctionType]:
    """All functions of the derivations that a function runs, itself included."""
    found, waiting = set(), [function]
    while waiting:
        each = waiting.pop()
        if each is None or each in found or not is_ours(each):
            continue
        found.add(each)
        names = [node.id for node in ast.walk(ast.parse(getsource(each))) if isinstance(node, ast.Name)]
        waiting += [plain(each.__globals__.get(name)) for name in names]
    return frozenset(found)


def is_ours(function: FunctionType) -> bool:
    return (function.__module__ or "").startswith("derivations")


def changes(module: ModuleType) -> list[Change]:
    """The changes of all functions of a module."""
    source = Path(str(module.__file__)).read_text("utf-8")
    functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    found = []
    for mutant in mutants(source, weaker):
        for node in functions:
            function = plain(vars(module).get(node.name))
            # Elsewhere an if or a comparison computes something.
            compares = ast.unparse(node.returns or ast.Constant(None)) in ("Verdict", "bool")
            compares |= any(f"{name}(" in mutant.change for name in ("Equation", "Symbol", "symbols"))
            if function and compares and node.lineno <= mutant.line <= int(node.end_lineno or 0):
                found.append(Change(function, mutant, _compiled(mutant.applied(source), node.name, module)))
    return found


def _compiled(source: str, name: str, module: ModuleType) -> CodeType:
    (node,) = [each for each in ast.parse(source).body if getattr(each, "name", "") == name]
    node.decorator_list = []
    tree = ast.Module([ast.ImportFrom("__future__", [ast.alias("annotations")], 0), node], [])
    namespace = dict(vars(module))
    exec(compile(ast.fix_missing_locations(tree), str(module.__file__), "exec"), namespace)  # noqa: S102
    return namespace[name].__code__


def unlike(claim: Claim, verdict: Verdict, kept: Claim, kept_verdict: Verdict) -> list[str]:
    """What of a claim and its verdict is not as a ledger keeps it, up to numbers that rounding moves."""
    now, then = {**claim.describe(), **_words(verdict)}, {**kept.describe(), **_words(kept_verdict)}
    return [name for name in now if now[name] != then[name]]


def _words(verdict: Verdict) -> dict[str, object]:
    corrected = verdict.correction.verdict if verdict.correction else None
    return {
        "outcome": verdict.outcome,
        "evidence": NUMBER.sub("#", verdict.evidence),
        "tolerance": verdict.tolerance,
        "numbers": sorted(verdict.counterexample),
        "identities": [
            (each.says, each.describe()["symbols"], [*map(str, each.conditions)]) for each in verdict.identities
        ],
        "correction": corrected and _words(corrected),
    }


OPEN = Verdict(Outcome.INCONCLUSIVE, "Not established.")


def unused(ledger: Ledger, name: str) -> list[str]:
    """The claims whose verdicts a check is given, and without which it holds all the same."""
    claim, used = ledger[name], statements.used(ledger, name)
    if not takes_used(claim.check, int(isinstance(claim.statement, Statement))):
        return []
    return [each for each in used if claim.verdict({**used, each: OPEN}).outcome in statements.HELD]


def noticed(ledger: Ledger, kept: Ledger, name: str) -> str:
    """How tests notice that the check of a claim is not what it was; empty if they do not."""
    try:
        with statements.limit(statements.SECONDS):
            verdict = ledger.judged(name, ledger.verdicts)
            if verdict.outcome is not kept.verdicts[name].outcome:
                return "another verdict"
            if unlike(ledger[name], verdict, kept[name], kept.verdicts[name]):
                return "not as kept"
            if unused(ledger, name):
                return "holds without claims it rests on"
    except statements.TakesTooLongError:
        return "not decided in time"
    except NoSignsError:
        return "no signs to drop"
    true = statements.known().get(name, {})
    false = [mutant for change, mutant in statements.changed(ledger, name) if change not in true]
    false = false if verdict.outcome in statements.HELD else []
    for mutant in random.Random(name).sample(false, min(CHANGED_STATEMENTS, len(false))):  # noqa: S311
        if statements.outcome(ledger, name, mutant) in {each.value for each in statements.HELD}:
            return "a false statement holds"
    return ""


class Campaign:
    """The checks of the claims of some papers.

    Args:
        ledger: All claims with their checks.
        kept: The same claims with the verdicts that the repository keeps.
    """

    def __init__(self, ledger: Ledger, kept: Ledger) -> None:
        self._ledger, self._kept = Ledger(ledger.values(), kept.verdicts, papers=ledger.papers), kept
        self._intact: set[str] = set()  # claims of which nothing is noticed without a change

    def way(self, change: Change, names: list[str]) -> str:
        """How a change is noticed by one of the claims that run the function; empty if by none.

        Raises:
            RuntimeError: If tests would notice something without any change.
        """
        runs = {each for name in names for each in called(plain(self._ledger[name]))}
        callers = {each for each in runs if change.function in called(each)}
        for name in names:
            if name not in self._intact and (found := noticed(self._ledger, self._kept, name)):
                raise RuntimeError(f"checks: without any change, of {name}: {found}.")
            self._intact.add(name)
            with change.made(callers):
                if way := noticed(self._ledger, self._kept, name):
                    return way
        return ""

    def hypothesis(self, name: str, place: int) -> str:
        """How it is noticed that a claim has lost a hypothesis."""
        claim = self._ledger[name]
        less = replace(claim, hypotheses=claim.hypotheses[:place] + claim.hypotheses[place + 1 :])
        verdict = self._kept.verdicts[name]
        return "not as kept" if unlike(less, verdict, self._kept[name], verdict) else ""


def known() -> dict[str, dict[str, str]]:
    """The changes that leave a check as strong as it was, by function: each with its reason."""
    return tomllib.loads(EQUAL.read_text("utf-8"))


def run(ledger: Ledger, kept: Ledger, papers: Sequence[str], sample: int | None = None, seed: int = 0) -> dict:
    """Try the changes of the checks of some papers: how often each was noticed in which way, and what was not."""
    campaign, equal = Campaign(ledger, kept), known()
    names = [name for name in ledger if name.partition("/")[0] in papers]
    modules = sorted({str(ledger[name].module).rpartition(".")[0] for name in names})
    runs = {name: called(plain(claim)) for name, claim in ledger.items()}
    tasks: list[tuple[str, int] | tuple[Change, list[str]]] = []
    tasks += [(name, place) for name in names for place in range(len(ledger[name].hypotheses))]
    for module in [each for key, each in sorted(sys.modules.items()) if key.rpartition(".")[0] in modules]:
        found = [(change, [name for name in runs if change.function in runs[name]]) for change in changes(module)]
        tasks += [(change, users) for change, users in found if users]
    possible = len(tasks)
    if sample is not None:
        tasks = random.Random(seed).sample(tasks, min(sample, possible))  # noqa: S311
    ways, unnoticed = Counter(), []
    for what, where in tasks:
        if isinstance(what, str):
            place, text, way = what, f"hypothesis {where + 1}", campaign.hypothesis(what, where)
        else:
            place, text, way = what.place, what.text, campaign.way(what, where)
        way = way or ("equal, as listed" if text in equal.get(place, {}) else "")
        ways[way or "unnoticed"] += 1
        if not way:
            unnoticed.append(f"{place}: {text}")
            print(unnoticed[-1], flush=True)
    return {
        "claims": len(names),
        "changes possible": possible,
        "changes tried": len(tasks),
        **ways,
        "not noticed": unnoticed,
    }


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
    return int(bool(entries["not noticed"]))


if __name__ == "__main__":
    sys.exit(main())
