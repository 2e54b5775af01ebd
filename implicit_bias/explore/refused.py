"""The explorer's answer when it cannot draw: one sentence, beside the field that it is about."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from implicit_bias.errors import DomainError, InputError
from implicit_bias.status import SolverError

_MOST_CHARACTERS = 300  # of a sentence; a formula inside it may be far longer


class RefusedError(InputError):
    """There is no picture of this setting.

    Attributes:
        field: ``"formula"``, ``"regularizer"`` or ``"picture"``: where the sentence belongs.
        alternatives: Regularizers that would do, as they are typed.
    """

    def __init__(self, field: str, sentence: str, alternatives: tuple[str, ...] = ()) -> None:
        super().__init__(sentence)
        self.field, self.alternatives = field, alternatives


@contextmanager
def refusals(field: str) -> Iterator[None]:
    """Turn what the library raises on bad input into a sentence about a field."""
    try:
        yield
    except RefusedError:
        raise
    except DomainError as error:
        raise RefusedError("picture", first_sentence(str(error))) from error
    except SolverError as error:
        raise RefusedError("picture", "No solution was found in double precision: choose other numbers.") from error
    except InputError as error:
        raise RefusedError(field, first_sentence(str(error)) or type(error).__name__) from error


def first_sentence(text: str) -> str:
    """The first sentence of a message, shortened if it is very long."""
    sentence = re.split(r"(?<=[.!?])\s+(?=[A-Z])", " ".join(text.split()), maxsplit=1)[0]
    return sentence if len(sentence) <= _MOST_CHARACTERS else sentence[:_MOST_CHARACTERS] + " …"
