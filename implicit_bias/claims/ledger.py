"""Claims, each after those that it rests on, and the verdicts on them."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import MappingProxyType
from typing import Any

from implicit_bias.claims.broken import raised
from implicit_bias.claims.claim import CORRECTION, Claim, corrected
from implicit_bias.claims.paper import Paper
from implicit_bias.claims.saved import saved_field
from implicit_bias.claims.verdict import Outcome, Verdict
from implicit_bias.errors import InputError, MissingPackageError, did_you_mean
from implicit_bias.files import write_whole
from implicit_bias.shown import Shown

PACKAGES = (
    "implicit-bias",
    "mpmath",
    "numpy",
    "python-flint",
    "scipy",
    "sympy",
    "torch",
)  # whose versions a verdict may depend on

# Fields of claims, verdicts and identities that may be missing where a ledger was saved.
OPTIONAL = {
    *("hypotheses", "uses", "module", "figure", "observation", "residual", "tolerance", "tolerance_reason"),
    *("counterexample", "correction", "identities", "violation", "traceback", "says", "conditions"),
    *("changes", "is_broken"),
}


class Ledger(Shown, Mapping[str, Claim]):
    """Claims by id, each after those that it rests on, with the verdicts found so far.

    Args:
        claims: The claims, in any order.
        verdicts: The verdicts on some of them, by id.
        date: The day on which these were found.
        versions: Versions of Python and of packages they were found with.
        papers: The papers of the claims, in the order in which a page shows them; their keys begin the ids. Claims
            of a paper that is not among them are shown under its key.

    Attributes:
        verdicts: As given; :meth:`run` returns a ledger with verdicts.
        date: As given.
        versions: As given.
        papers: As given.

    Raises:
        InputError: If two claims share an id or two papers a key, a claim uses an unknown one, or some use each other
            in a circle.
    """

    def __init__(
        self,
        claims: Iterable[Claim],
        verdicts: Mapping[str, Verdict] = MappingProxyType({}),
        date: str = "",
        versions: Mapping[str, str] = MappingProxyType({}),
        papers: Iterable[Paper] = (),
    ) -> None:
        given: dict[str, Claim] = {}
        for claim in claims:
            if claim.id in given:
                raise InputError(f"Ledger: two claims are called {claim.id!r}.")
            given[claim.id] = claim
        self._claims: dict[str, Claim] = {}
        for name in given:
            self._add(name, given, ())
        self.verdicts, self.date, self.versions = verdicts, date, versions
        self.papers = tuple(papers)
        keys = [paper.key for paper in self.papers]
        if len(set(keys)) < len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise InputError(f"Ledger: two papers have the key {twice!r}.")

    def _add(self, name: str, given: Mapping[str, Claim], path: tuple[str, ...]) -> None:
        if name in path:
            raise InputError(f"Ledger: these claims use each other in a circle: {' -> '.join((*path, name))}.")
        if name not in given:
            raise InputError(f"Ledger: {path[-1]!r} uses {name!r}, which is not in the ledger.")
        if name not in self._claims:
            for used in given[name].uses:
                self._add(used, given, (*path, name))
            self._claims[given[name].id] = given[name]

    def __getitem__(self, name: str) -> Claim:
        return self._claims[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._claims)

    def __len__(self) -> int:
        return len(self._claims)

    def full_id(self, name: str) -> str:
        """The full id of a claim, from the full id or, where only one paper has such a claim, the id without the key.

        Raises:
            InputError: If there is no such claim, or several papers have one.
        """
        found = [each for each in self if each == name] or [each for each in self if each.partition("/")[2] == name]
        if len(found) != 1:
            known = f"it may be {' or '.join(found)}" if found else f"known: {', '.join(self)}"
            hint = "" if found else did_you_mean(name, self)
            raise InputError(f"{'Several claims are' if found else 'No claim is'} called {name!r}{hint}; {known}.")
        return found[0]

    def place(self, name: str) -> str:
        """Where a claim is printed; without the citation, where the ledger knows its paper."""
        papers = {paper.key: paper for paper in self.papers}
        paper = papers.get(name.rpartition("/")[0])
        return paper.place(self[name]) if paper else self[name].source

    def run(
        self,
        ids: Iterable[str] | None = None,
        *,
        progress: Callable[[Sequence[str]], Iterable[str]] = iter,
    ) -> Ledger:
        """Check claims, each once and after those that it uses; its check is given their verdicts.

        A check that raises an error makes its claim INCONCLUSIVE, with the traceback in the verdict, and the others go
        on. If the error is a fault of the check, and not of a solver that was at its end, the check counts as
        :attr:`broken`.

        Args:
            ids: The claims to check, together with all that they use; by default every claim.
            progress: Iterates over the list of claims and may show how far it is, like ``tqdm``.

        Returns:
            A ledger of the same claims with the verdicts found.

        Raises:
            MissingPackageError: If a check needs a package that is not installed.
            InputError: If a claim uses a refuted one without ``corrected``, or uses ``corrected`` for one that is not
                refuted or has no correction.
        """
        wanted = set(self)
        if ids is not None:
            wanted, waiting = set(), [self.full_id(name) for name in ids]
            while waiting:
                name = waiting.pop()
                wanted.add(name)
                waiting += self[name].uses
        found: dict[str, Verdict] = {}
        for name in progress([name for name in self if name in wanted]):
            found[name] = self.judged(name, found)
        return Ledger(self.values(), found, papers=self.papers).dated()

    def dated(self) -> Ledger:
        """The same ledger with today's date and the versions of the packages that are installed."""
        return Ledger(self.values(), self.verdicts, date.today().isoformat(), _versions(), self.papers)

    def judged(self, name: str, found: Mapping[str, Verdict]) -> Verdict:
        """The verdict on one claim, given those on the claims that it uses.

        Raises:
            InputError: As for :meth:`run`.
        """
        claim = self[name]
        used = self.verdicts_for(name, found)
        try:
            return claim.verdict(used)
        except MissingPackageError:  # says nothing about the claim
            raise
        except (Exception, SystemExit) as error:
            return raised(error, claim.check)

    def verdicts_for(self, name: str, found: Mapping[str, Verdict]) -> dict[str, Verdict]:
        """The verdicts that the check of a claim is given, of those on all claims that it uses.

        Raises:
            InputError: As for :meth:`run`.
        """
        return {each: _flowing(name, each, found[each]) for each in self[name].uses}

    @property
    def broken(self) -> tuple[str, ...]:
        """The claims on which there is no verdict as the code of their check has a fault."""
        return tuple(name for name, verdict in self.verdicts.items() if verdict.is_broken)

    def save(self, path: str | Path) -> None:
        """Write all papers, and all claims with their verdicts, as JSON.

        Raises:
            InputError: If a claim has no verdict yet.
            OSError: If the file cannot be written; an older one then stays as it was.
        """
        saved = {
            "date": self.date,
            "versions": dict(self.versions),
            "papers": [paper.describe() for paper in self.papers],
            "claims": {
                name: _without_empty({**claim.describe(), **verdict.describe()})
                for name, claim, verdict in self._judged()
            },
        }
        write_whole(path, _a_line_for_each_claim(saved))

    @classmethod
    def load(cls, path: str | Path) -> Ledger:
        """The ledger that :meth:`save` wrote; its claims come without their checks.

        Raises:
            InputError: If the file is not a saved ledger.
            OSError: If it cannot be read.
        """
        try:
            saved = json.loads(Path(path).read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError(f"{path}: expected a ledger in JSON, got {error}.") from error
        described = saved_field(saved, "claims", dict)
        return cls(
            [Claim.read(name, each) for name, each in described.items()],
            {name: Verdict.read(each) for name, each in described.items()},
            saved_field(saved, "date", str),
            {name: str(number) for name, number in saved_field(saved, "versions", dict).items()},
            map(Paper.read, saved_field(saved, "papers", list, [])),
        )

    def to_html(self, root: str | None = None) -> str:
        """All claims with their verdicts as one HTML page, paper by paper, which loads nothing else.

        Args:
            root: The path from the page to the repository that holds modules and figures of the claims; without it
                the page names them, but does not link to them.

        Raises:
            InputError: If a claim has no verdict yet.
            MissingPackageError: If Jinja is not installed.
        """
        from implicit_bias.display.ledger_page import page

        self._judged()
        return page(self, root)

    def save_pages(self, path: str | Path, root: str | None = None) -> list[Path]:
        """Write a page with all claims in a line each, and beside it a folder with a page of evidence for each paper.

        Args:
            path: The page; the folder has its name without the ending.
            root: The path from the page to the repository, as for :meth:`to_html`.

        Returns:
            The files.

        Raises:
            InputError: If a claim has no verdict yet.
            MissingPackageError: If Jinja is not installed.
            OSError: If a file cannot be written.
        """
        from implicit_bias.display.ledger_page import contents, page_of, sections

        self._judged()
        main = Path(path)
        folder = main.with_suffix("")
        folder.mkdir(exist_ok=True)
        written = [main]
        write_whole(main, contents(self, folder.name))
        for section in sections(self):
            written.append(folder / f"{section.key}.html")
            below = None if root is None else f"../{root}"
            write_whole(written[-1], page_of(self, section.key, below, f"../{main.name}"))
        return written

    def _judged(self) -> list[tuple[str, Claim, Verdict]]:
        open_claims = [name for name in self if name not in self.verdicts]
        if open_claims:
            raise InputError(
                f"Ledger: there is no verdict on {', '.join(open_claims)}; run() returns a ledger with all of them."
            )
        return [(name, claim, self.verdicts[name]) for name, claim in self.items()]

    def outcomes(self) -> dict[str, str]:
        """The outcomes found, by id, and those of corrections under ``id/correction``, as a repository records them."""
        table: dict[str, str] = {}
        for name, verdict in self.verdicts.items():
            table[name] = verdict.outcome.value
            if verdict.correction is not None:
                table[f"{name}{CORRECTION}"] = verdict.correction.verdict.outcome.value
        return table

    def differences(self, recorded: Mapping[str, str]) -> list[str]:
        """A sentence for each outcome that differs from the recorded one, and for each record without a claim.

        Args:
            recorded: Outcomes by id, as :meth:`outcomes` gives them.
        """
        found = self.outcomes()
        sentences = [
            f"{name}: recorded {recorded.get(name, 'nothing')}, found {outcome}"
            for name, outcome in found.items()
            if recorded.get(name) != outcome
        ]
        sentences += [
            f"{name}: recorded {outcome}, but there is no such claim"
            for name, outcome in recorded.items()
            if name.removesuffix(CORRECTION) not in self
            or (name.removesuffix(CORRECTION) in self.verdicts and name not in found)
        ]
        return sentences

    def __repr__(self) -> str:
        names = list(self)
        return f"Ledger({len(names)} claims: {', '.join([*names[:5], *(['…'] if len(names) > 5 else [])])})"


def _without_empty(saved: Any) -> Any:
    """Leave out the entries that :meth:`Ledger.load` takes for empty where they are missing."""
    if isinstance(saved, dict):
        kept = {name: _without_empty(value) for name, value in saved.items()}
        return {name: value for name, value in kept.items() if name not in OPTIONAL or not _is_empty(value)}
    return list(map(_without_empty, saved)) if isinstance(saved, list) else saved


def _is_empty(value: object) -> bool:
    return value is None or value is False or value in ("", [], {})  # a residual of 0 is a number


def _a_line_for_each_claim(saved: dict[str, object]) -> str:
    """JSON that is short, and in which a changed claim is a changed line."""

    def text(value: object) -> str:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    parts = []
    for name, value in saved.items():
        if isinstance(value, dict) and name == "claims":
            lines = ",\n".join(f"{text(each)}:{text(claim)}" for each, claim in value.items())
            parts.append(f"{text(name)}:{{\n{lines}\n}}")
        else:
            parts.append(f"{text(name)}:{text(value)}")
    return "{" + ",\n".join(parts) + "}\n"


def _flowing(name: str, used: str, verdict: Verdict) -> Verdict:
    """The verdict that a claim is given on another one that it uses."""
    if not isinstance(used, corrected):
        if verdict.outcome is Outcome.REFUTED:
            raise InputError(f"Ledger: {name!r} uses {used!r}, which is REFUTED; say corrected({used!r}) in uses=.")
        return verdict
    if verdict.outcome is not Outcome.REFUTED or verdict.correction is None:
        raise InputError(
            f"Ledger: {name!r} uses {str(used)!r} as corrected, but it is {verdict.outcome.value}"
            + (" and has no correction." if verdict.outcome is Outcome.REFUTED else ": use it as it is.")
        )
    return verdict.correction.verdict


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # torch is an extra
            continue
    return found
