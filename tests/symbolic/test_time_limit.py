"""The time limit on symbolic work: it interrupts, in any thread, and leaves no trace."""

import sys
import threading
import time

import pytest

from implicit_bias.symbolic.time_limit import TimeLimitExceeded, time_limit


def _endless():
    while True:
        try:
            abs(-1)
        except Exception:  # noqa: S112 - as SymPy does
            continue


def _measured():
    began = time.perf_counter()
    with pytest.raises(TimeLimitExceeded), time_limit(0.1):
        _endless()
    return time.perf_counter() - began


def test_endless_work_is_interrupted():
    assert 0.1 <= _measured() < 5


def test_it_works_in_a_thread():
    times = []
    thread = threading.Thread(target=lambda: times.append(_measured()))
    thread.start()
    thread.join(timeout=20)
    assert times


def test_quick_work_is_not_disturbed_and_the_profiler_comes_back():
    def profiler(*_):
        return None

    before = sys.getprofile()
    sys.setprofile(profiler)
    try:
        with time_limit(60):
            result = sum(range(10))
        after = sys.getprofile()
    finally:
        sys.setprofile(before)
    assert result == 45
    assert after is profiler
