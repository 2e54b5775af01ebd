"""A sample of every campaign in which one string, or one derivation, is enough to show a fault."""

from tests.campaigns import derivations, strings


def test_strings_are_read_or_refused():
    entries = strings.run(300, seed=1)
    assert entries["examples of others"] == []
    assert entries["largest process, MiB"] < 1024


def test_derivations_end_in_time_and_with_no_bug():
    """The time itself is asserted with the room that a busy machine needs; the record has it to the second."""
    entries = derivations.run(20, seed=1)
    assert entries["examples of others"] == []
    assert entries["longest seconds"] < 10 * derivations.TIME_LIMIT


def test_threads_find_what_is_found_in_turn():
    assert derivations.in_turn_and_in_threads(6, threads=3) == []
