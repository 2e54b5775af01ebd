"""Options such as ``--init m=1``, which may be given several times."""

from __future__ import annotations

from collections.abc import Iterable

from implicit_bias.errors import InputError


def named_numbers(option: str, given: Iterable[str]) -> dict[str, float]:
    """Numbers by name.

    Args:
        option: The option that gives them, for errors.
        given: Words such as ``m=1``.

    Raises:
        InputError: If a word is of another form, or a name is given twice.
    """
    numbers: dict[str, float] = {}
    for word in given:
        name, _, value = (part.strip() for part in word.partition("="))
        if name in numbers:
            raise InputError(
                f"{option}: expected one number for {name}, got {numbers[name]:g} and {value}; leave one out."
            )
        try:
            numbers[name] = float(value)
        except ValueError:
            raise InputError(f"{option}: expected NAME=NUMBER, got {word!r}.") from None
    return numbers
