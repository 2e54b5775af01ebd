"""A paper with its claims."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import wraps
from typing import Any

from implicit_bias.claims.claim import Claim, corrected, refuse_strings, takes_used
from implicit_bias.claims.saved import saved_field
from implicit_bias.claims.statement import Statement
from implicit_bias.claims.verdict import Verdict
from implicit_bias.errors import InputError


@dataclass(frozen=True)
class Paper:
    """A paper, or another work, whose claims are checked.

    Attributes:
        key: A short name, which begins the ids of its claims.
        title: Its title.
        authors: Who wrote it; a work without authors is cited by its title.
        arxiv: Its number on arXiv, such as ``2408.09966``.
        version: The version on arXiv whose statements are judged.
        year: The year in which it appeared.
        note: What a reader of its verdicts should know, such as which parts could not be read.

    Raises:
        InputError: If the key is empty or contains a slash.

    >>> import sympy as sp
    >>> from implicit_bias import Statement
    >>> from implicit_bias.claims import judge
    >>> euclid, a, b = Paper("euclid", "Elements", "Euclid"), *sp.symbols("a b", positive=True)
    >>> @euclid.claim("ii-4", statement=Statement("(a + b)^2 = ", a**2 + 2*a*b + b**2), source="book II, proposition 4")
    ... def square_on_the_whole(statement):
    ...     return judge.prove("Expanded.", stated=(statement.formula, (a + b) ** 2))
    >>> square_on_the_whole.id, square_on_the_whole.source
    ('euclid/ii-4', 'Euclid, "Elements", book II, proposition 4')
    >>> square_on_the_whole.verdict().outcome.value
    'PROVED'
    """

    key: str
    title: str
    authors: str
    arxiv: str | None = None
    version: int | None = None
    year: int | None = None
    note: str = field(default="", repr=False)
    _claims: dict[str, Claim] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.key or "/" in self.key:
            raise InputError(f"Paper: expected a key without a slash, got {self.key!r}.")

    @property
    def claims(self) -> tuple[Claim, ...]:
        """Its claims, in the order in which they were defined."""
        return tuple(self._claims.values())

    @property
    def citation(self) -> str:
        """The paper as its claims cite it."""
        if self.arxiv is not None:
            return f"arXiv:{self.arxiv}" + ("" if self.version is None else f"v{self.version}")
        if not self.authors:
            return self.title
        return f'{self.authors}, "{self.title}"' + ("" if self.year is None else f", {self.year}")

    def place(self, claim: Claim) -> str:
        """Where one of its claims is printed, without the citation of the paper."""
        if not claim.source.startswith(self.citation):
            return claim.source
        return claim.source.removeprefix(self.citation).removeprefix(", ")

    def claim(
        self,
        id: str,  # noqa: A002 - what Claim calls it
        *,
        statement: str,
        source: str = "",
        hypotheses: Sequence[str] = (),
        uses: Sequence[str] = (),
        figure: str | None = None,
        observation: bool = False,
    ) -> Callable[[Callable[..., Verdict]], Claim]:
        """Turn a check into a claim of this paper.

        The check takes the statement first if that is a :class:`Statement`. Then, or instead, it may take a mapping
        from each id in ``uses``, spelled as there, to the verdict on that claim; for ``corrected(id)`` to the verdict
        on its correction.

        Args:
            id: Its name inside the paper.
            statement: What is claimed, in LaTeX; a :class:`Statement` holds the formulas that it prints.
            source: The place in the paper; the citation of the paper is put in front. The page of a ledger counts
                a place once, up to its first comma or semicolon, and apart from the others what is printed nowhere:
                claims without a place, and those whose place begins with ``corollary of``.
            hypotheses: What it assumes, in LaTeX or words.
            uses: Ids of the claims it rests on: short ones of this paper, full ones (``key/id``) of others.
            figure: A picture that shows it, as a path from the root of the repository.
            observation: Whether it was observed by its authors, and is judged on other data: then a refutation is no
                erratum.

        Returns:
            A decorator that turns the check into the claim.

        Raises:
            InputError: If the paper already has a claim of this name, or for anything that :class:`Claim` refuses.
        """
        refuse_strings(id, hypotheses=hypotheses, uses=uses)
        full = {each: self._full(each) for each in uses}
        before = int(isinstance(statement, Statement))  # how many arguments come before the verdicts

        def register(check: Callable[..., Verdict]) -> Claim:
            if id in self._claims:
                raise InputError(f"Paper {self.key}: two claims are called {id!r}.")
            if "/" in id:
                raise InputError(f"Paper {self.key}: expected an id without a slash, got {id!r}.")
            self._claims[id] = Claim(
                f"{self.key}/{id}",
                statement,
                f"{self.citation}, {source}" if source else self.citation,
                tuple(hypotheses),
                tuple(full.values()),
                figure,
                check=_with_ids_as_written(check, full) if takes_used(check, before) else check,
                observation=observation,
            )
            return self._claims[id]

        return register

    def describe(self) -> dict[str, object]:
        """Everything but the claims, as JSON, for :meth:`read`."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.init}

    @classmethod
    def read(cls, saved: object) -> Paper:
        """The paper that :meth:`describe` wrote down; it comes without its claims, which a ledger holds.

        Raises:
            InputError: If a field is missing, or not as :meth:`describe` writes it.
        """
        return cls(
            saved_field(saved, "key", str),
            saved_field(saved, "title", str),
            saved_field(saved, "authors", str),
            saved_field(saved, "arxiv", str, None),
            saved_field(saved, "version", int, None),
            saved_field(saved, "year", int, None),
            saved_field(saved, "note", str, ""),
        )

    def _full(self, used: str) -> str:
        full = used if "/" in used else f"{self.key}/{used}"
        return corrected(full) if isinstance(used, corrected) else full


def _with_ids_as_written(check: Callable[..., Verdict], full: Mapping[str, str]) -> Callable[..., Verdict]:
    """The check as a function of the verdicts by full id."""

    @wraps(check)
    def checked(*arguments: Any) -> Verdict:
        *before, used = arguments
        return check(*before, {written: used[each] for written, each in full.items()})

    return checked
