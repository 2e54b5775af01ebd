"""Each status has advice, and a failure raises, with the result, exactly if that was asked for."""

import pickle
from types import SimpleNamespace

import pytest

import implicit_bias as ib
from implicit_bias.status import settle


def test_every_status_has_advice_of_its_own():
    advice = {status.advice for status in ib.Status}
    assert len(advice) == len(ib.Status)
    assert all(sentence.endswith(".") for sentence in advice)


@pytest.mark.parametrize("throw", [True, False])
@pytest.mark.parametrize("status", ib.Status)
def test_a_failure_raises_where_that_was_asked_for(status, throw):
    result = SimpleNamespace(status=status)
    if throw and status is not ib.Status.CONVERGED:
        with pytest.raises(ib.SolverError) as caught:
            settle(result, throw, "the solver")
        assert caught.value.result is result
        assert str(caught.value) == f"the solver ended as {status.value}. {status.advice}"
    else:
        assert settle(result, throw, "the solver") is result


def test_an_error_survives_the_way_between_processes():
    """An error that is pickled, as by a pool of workers, keeps its message, result and notes."""
    error = ib.SolverError("it failed", ib.Status.STALLED)
    error.add_note("of run 3")
    got = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert type(got) is ib.SolverError
    assert (str(got), got.result, got.__notes__) == ("it failed", ib.Status.STALLED, ["of run 3"])
