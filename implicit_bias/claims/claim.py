"""A statement with its check."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from inspect import Parameter, iscoroutine, isgenerator, signature

from implicit_bias.claims.saved import saved_field
from implicit_bias.claims.statement import Statement
from implicit_bias.claims.verdict import Verdict
from implicit_bias.errors import InputError
from implicit_bias.shown import Shown

BY_PLACE = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
CORRECTION = "/correction"  # ends the id under which the outcome of a correction is recorded


class corrected(str):  # noqa: N801 - it reads as a word in uses=("a", corrected("b"))
    """The id of a refuted claim, in the ``uses`` of a claim that rests on what holds instead."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"corrected({super().__repr__()})"


@dataclass(frozen=True)
class Claim(Shown):
    """A statement with a check.

    Attributes:
        id: A name, unique in a ledger. For a claim of a paper it begins with the key: ``mask-in-the-mirror/thm-2.1``.
        statement: What is claimed, in LaTeX; a :class:`Statement` holds the formulas that it prints.
        source: Where it is claimed.
        hypotheses: What it assumes, in LaTeX or words.
        uses: Ids of the claims it rests on; ``corrected(id)`` for a refuted one.
        check: Computes the verdict. It takes the statement first if that is a :class:`Statement`, and then, or
            instead, a mapping from the ids in ``uses`` to their verdicts if it wants it.
        figure: A picture that shows it, as a path from the root of the repository that holds the claim.
        module: The module with the check, by default that of ``check``.
        observation: Whether it reports what the literature says, rather than what theory demands.

    Raises:
        InputError: If the id or the statement is empty, a tuple is a string, or ``check`` cannot be called.

    >>> import sympy as sp
    >>> from implicit_bias.claims import judge
    >>> x = sp.Symbol("x", real=True)
    >>> square = lambda: judge.prove("Expanded.", stated=((x + 1) ** 2, x**2 + 2 * x + 1))
    >>> claim = Claim("square", "(x + 1)^2 = x^2 + 2x + 1", "algebra", check=square)
    >>> claim.verdict().outcome.value
    'PROVED'
    """

    id: str
    statement: str
    source: str
    hypotheses: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    check: Callable[..., Verdict] = field(kw_only=True, compare=False, repr=False)
    figure: str | None = None
    module: str | None = None
    observation: bool = False

    def __post_init__(self) -> None:
        if not self.id or not self.statement:
            raise InputError("Claim: expected a non-empty id and statement.")
        if self.id.endswith(CORRECTION):
            raise InputError(
                f"Claim {self.id}: ids that end with {CORRECTION} are for corrections; choose another one."
            )
        refuse_strings(self.id, hypotheses=self.hypotheses, uses=self.uses)
        if not callable(self.check):
            raise InputError(f"Claim {self.id}: expected check= to be a function that returns a Verdict.")
        if isinstance(self.statement, Statement) and not _takes_statement(self.check):
            raise InputError(
                f"Claim {self.id}: its statement holds formulas, so its check is given the statement first; write "
                "def check(statement): and use statement.formula."
            )
        if self.module is None:
            object.__setattr__(self, "module", self.check.__module__)

    def verdict(self, used: Mapping[str, Verdict] | None = None, *, statement: Statement | None = None) -> Verdict:
        """Run the check.

        Args:
            used: The verdicts on the claims in ``uses``, by id, if the check takes them; ``Ledger.run`` finds them.
            statement: What the check is given instead of the statement, such as one of its
                :meth:`~Statement.mutants`.

        Raises:
            InputError: If the check needs a verdict that is missing.
            TypeError: If the check returns anything but a Verdict.
        """
        arguments: list[object] = []
        if isinstance(self.statement, Statement):
            arguments.append(self.statement if statement is None else statement)
        if takes_used(self.check, len(arguments)):
            missing = [name for name in self.uses if name not in (used or {})]
            if missing:
                raise InputError(
                    f"Claim {self.id}: its check takes the verdicts on {', '.join(missing)}; let a ledger run it: "
                    f"Ledger(claims).run([{self.id!r}])."
                )
            arguments.append(used or {})
        result = self.check(*arguments)
        if not isinstance(result, Verdict):
            raise TypeError(f"Claim {self.id}: its check returned {_in_words(result)}")
        return result

    def describe(self) -> dict[str, object]:
        """Everything but the id and the check, as JSON, for :meth:`read`."""
        return {
            "statement": str(self.statement),
            "source": self.source,
            "hypotheses": list(self.hypotheses),
            "uses": [f"{name}{CORRECTION}" if isinstance(name, corrected) else name for name in self.uses],
            "module": self.module,
            "figure": self.figure,
            "observation": self.observation,
        }

    @classmethod
    def read(cls, name: str, saved: object) -> Claim:
        """The claim that :meth:`describe` wrote down. It cannot be checked: that takes the code that defines it.

        Raises:
            InputError: If a field is missing, or not as :meth:`describe` writes it.
        """

        def unknown() -> Verdict:
            raise InputError(f"Claim {name} was read from a file, which holds no check; run the code that defines it.")

        uses = [str(each) for each in saved_field(saved, "uses", list, [])]
        return cls(
            name,
            saved_field(saved, "statement", str),
            saved_field(saved, "source", str),
            tuple(map(str, saved_field(saved, "hypotheses", list, []))),
            tuple(corrected(each.removesuffix(CORRECTION)) if each.endswith(CORRECTION) else each for each in uses),
            saved_field(saved, "figure", str, None),
            saved_field(saved, "module", str, ""),
            saved_field(saved, "observation", bool, False),
            check=unknown,
        )


def refuse_strings(claim: str, **given: object) -> None:
    """Raise an InputError where a string stands for a tuple of strings: it would be read letter by letter."""
    for name, value in given.items():
        if isinstance(value, str):
            raise InputError(f"Claim {claim}: expected {name}= to be a tuple of strings, got a string.")


def _takes_statement(check: Callable[..., Verdict]) -> bool:
    return any(each.kind in (*BY_PLACE, Parameter.VAR_POSITIONAL) for each in _parameters(check))


def takes_used(check: Callable[..., Verdict], before: int) -> bool:
    """Whether a check has a parameter for the verdicts on the claims in ``uses``, after some others."""
    wanted = [each for each in _parameters(check) if each.kind in BY_PLACE]
    return sum(each.default is Parameter.empty for each in wanted) > before


def _parameters(check: Callable[..., Verdict]) -> list[Parameter]:
    try:
        return list(signature(check).parameters.values())
    except ValueError:  # as of classes that are written in C
        raise InputError(f"Claim: the parameters of {check!r} are unknown; wrap it in your own function.") from None


def _in_words(result: object) -> str:
    """What a check returned instead of a verdict, and why that may be."""
    kind = type(result).__name__
    if result is None:
        return f"{kind}, expected a Verdict; is a return missing?"
    if isgenerator(result):
        return f"a {kind}, expected a Verdict; it has a yield, so it needs a return instead."
    if iscoroutine(result):
        result.close()  # so that Python does not warn that nobody waited for it
        return f"a {kind}, expected a Verdict; write def instead of async def."
    return f"{kind}, expected a Verdict."
