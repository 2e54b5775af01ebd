"""The time limit on symbolic work: it interrupts, in any thread, and nothing arrives after it has returned."""

import gc
import random
import subprocess
import sys
import threading
import time
import weakref

import mpmath
import pytest
import torch

import implicit_bias as ib
from implicit_bias.symbolic import time_limit
from implicit_bias.symbolic.time_limit import Deadline, TimeLimitExceeded, within


def _endless():
    while True:
        try:
            abs(-1)
        except Exception:  # noqa: S112 - as SymPy does
            continue


def _measured(work=_endless):
    """The processor time of work whose limit is 0.1 seconds."""
    began = time.thread_time()
    with pytest.raises(TimeLimitExceeded):
        within(0.1, work)
    return time.thread_time() - began


def test_endless_work_is_interrupted():
    assert 0.1 <= _measured() < 5


@pytest.mark.skipif(not hasattr(time, "pthread_getcpuclockid"), reason="no clock of another thread's computing")
def test_waiting_does_not_count():
    """What a busy machine does meanwhile must not decide which formulas are found."""
    assert within(0.1, lambda: time.sleep(0.5) or "done") == "done"
    deadline = Deadline(0.1)
    assert deadline.run("waiting", lambda: time.sleep(0.5) or "done") == "done"
    assert deadline.remaining > 0


def test_it_works_in_a_thread():
    times = []
    thread = threading.Thread(target=lambda: times.append(_measured()))
    thread.start()
    thread.join(timeout=20)
    assert times


def test_quick_work_returns_its_value():
    assert within(60, sum, range(10)) == 45
    assert within(float("inf"), sum, range(10)) == 45
    with pytest.raises(ZeroDivisionError):
        within(60, lambda: 1 / 0)


def test_an_interruption_that_is_swallowed_comes_again():
    """As in finalizers, where the interpreter prints every exception and goes on."""
    swallowed = []

    def stubborn():
        try:
            _endless()
        except TimeLimitExceeded:
            swallowed.append(time.perf_counter())
        _endless()

    assert _measured(stubborn) < 5
    assert len(swallowed) == 1


def test_an_inner_limit_neither_takes_nor_gives_the_outer_one():
    def inner():
        with pytest.raises(TimeLimitExceeded):
            within(0.05, _endless)
        return "done"

    assert within(60, inner) == "done"

    def swallowing():
        with pytest.raises(TimeLimitExceeded):
            within(60, _endless)  # which the outer limit ends
        _endless()

    assert _measured(swallowing) < 5


def test_nothing_is_raised_after_the_work_has_ended():
    """Work that ends just when its time is over: the exception comes from ``within``, or not at all."""
    generator = random.Random(1)  # noqa: S311
    outcomes = []
    for _ in range(300):
        until = time.perf_counter() + generator.uniform(0.0005, 0.004)

        def work(until=until):
            while time.perf_counter() < until:
                pass
            return "ended"

        try:
            outcomes.append(within(0.001, work))
        except TimeLimitExceeded:
            outcomes.append("interrupted")
        for _ in range(200):  # where a late exception would strike
            abs(-1)
    assert set(outcomes) == {"ended", "interrupted"}
    assert len(outcomes) == 300
    assert not [thread for thread in threading.enumerate() if "_watch" in thread.name]


def test_the_precision_of_mpmath_is_restored():
    def work():
        mpmath.mp.prec = 1000
        _endless()

    before = mpmath.mp.prec
    _measured(work)
    assert mpmath.mp.prec == before


def test_a_deadline_is_shared_and_names_the_step():
    deadline = Deadline(0.2)
    assert deadline.run("adding", sum, [1, 2]) == 3
    with pytest.raises(ib.UnsupportedError, match=r"waiting took too long for a time limit of 0\.2 seconds"):
        deadline.run("waiting", _endless)
    assert deadline.remaining < 0
    with pytest.raises(ib.UnsupportedError, match="another step"):
        deadline.run("another step", sum, [1, 2])


@pytest.mark.parametrize("work", ["lambda: 1", "endless"])
def test_a_debugger_runs_on_afterwards(work):
    """CPython 3.11 once was left with a signal that nobody answered: the first traced call never returned."""
    script = (
        "import contextlib, sys\n"
        "from implicit_bias.symbolic.time_limit import TimeLimitExceeded, within\n"
        "def endless():\n"
        "    while True: abs(-1)\n"
        f"with contextlib.suppress(TimeLimitExceeded): within(0.2, {work})\n"
        "sys.settrace(lambda *event: None)\n"
        "(lambda: 1)()\n"
        "sys.settrace(None)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=30)


def test_finalizers_are_spared():
    """An exception inside one is printed and lost; pytest would report it."""
    finalized = []

    def busy():
        end = time.perf_counter() + 0.005
        while time.perf_counter() < end:
            abs(-1)

    class Slow:
        def __del__(self):
            busy()
            finalized.append(True)

    def work():
        while True:
            Slow()
            busy()

    for _ in range(10):
        assert _measured(work) < 5
    assert len(finalized) >= 20


def test_what_a_weak_reference_calls_back_is_not_interrupted():
    """The interpreter would print the exception and go on, so it waits until the callback has returned."""

    class Thing:
        pass

    ended = []

    def callback(reference):
        until = time.perf_counter() + 0.3
        while time.perf_counter() < until:
            abs(-1)
        ended.append(reference)

    def work():
        thing = Thing()
        reference = weakref.ref(thing, callback)
        del thing
        assert ended == [reference]
        _endless()

    assert _measured(work) < 5
    assert len(ended) == 1


def _cycles_of_lists():
    for _ in range(20):
        cycle = []
        cycle.append(cycle)


def _cycles_of_tensors():
    for _ in range(2000):
        cycle = [torch.zeros(3)]  # which lets other threads run while it is freed
        cycle.append(cycle)


@pytest.mark.parametrize(("litter", "threshold"), [(_cycles_of_lists, 1), (_cycles_of_tensors, 20_000)])
def test_what_the_garbage_collector_calls_is_not_interrupted(monkeypatch, litter, threshold):
    """The exception arrives when a function begins; in one of these it would be printed and lost."""
    look, lost = time_limit._is_finalizing, []
    monkeypatch.setattr(sys, "unraisablehook", lost.append)

    def slow_look(thread):
        """Long enough for the collector to begin afterwards, as on a busy machine."""
        found = look(thread)
        time.sleep(0.01)
        return found

    def callback(phase, info):
        return None

    def littering():
        while True:
            litter()

    monkeypatch.setattr(time_limit, "_is_finalizing", slow_look)
    thresholds = gc.get_threshold()
    gc.callbacks.append(callback)
    gc.set_threshold(threshold, 1, 1)
    try:
        for _ in range(20):
            assert _measured(littering) < 5
    finally:
        gc.set_threshold(*thresholds)
        gc.callbacks.remove(callback)
    assert lost == []
    assert gc.isenabled()
