"""The worker process stops work at its limits, is replaced, serves threads and forks, and ends with its owner."""

import math
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sympy as sp

import implicit_bias as ib
from implicit_bias.symbolic import formulas, template, worker
from implicit_bias.symbolic.time_limit import StoppedError, stop_after

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no worker process on this system")

X = sp.Symbol("x", real=True)


@pytest.fixture(autouse=True, scope="module")
def _a_template_that_sees_these_tests():
    """Children find the functions below by the name of this module, so the template needs a path that has it."""
    template.stop()
    sys.path.insert(0, str(Path(__file__).parents[2]))
    yield
    sys.path.pop(0)
    template.stop()


# The worker imports this module and is asked to run these functions.


def endless():
    """Python code that catches every exception, as SymPy does."""
    while True:
        try:
            abs(-1)
        except Exception:  # noqa: S112
            continue


def endless_in_c():
    """One operation that takes hours and looks at no signal."""
    return 9 ** (10**10) % 7


def greedy():
    return len([b"x" * 2**20 for _ in range(4000)])  # memory counts only once it is written to


def one_then_endless():
    yield "first"
    endless()


def failing():
    raise KeyError("a bug of ours")


def crashing():
    os.kill(os.getpid(), signal.SIGSEGV)


def slow_to_read(*_):
    time.sleep(600)


def state():
    return os.getpid(), os.getppid()


def nested():
    from implicit_bias.symbolic.time_limit import each_within, within

    answers = each_within(0.2, _work_or_not, [("work",), ("not",), ("work",)])
    with pytest.raises(StoppedError):
        within(0.2, endless_in_c)
    with pytest.raises(KeyError, match="a bug of ours"):
        within(1.0, failing)
    return [isinstance(answer, StoppedError) or answer for answer in answers]


def _work_or_not(what):
    return what if what == "work" else endless()


def nested_without_end():
    from implicit_bias.symbolic.time_limit import within

    for _ in range(100):
        try:
            within(0.4, endless)
        except StoppedError:
            continue


@pytest.mark.parametrize("work", [endless, endless_in_c, nested_without_end])
def test_work_is_stopped_wherever_it_is(work, monkeypatch):
    """A child stops at its own limit of time whatever it runs, long before the owner loses patience."""
    monkeypatch.setattr(worker, "_PATIENCE_SECONDS", 60.0)
    began = time.monotonic()
    with pytest.raises(StoppedError, match="took too long"):
        worker.call(0.5, work)
    assert time.monotonic() - began < 50
    assert worker.call(5.0, math.sqrt, 4.0) == 2.0


def test_memory_is_limited():
    with pytest.raises(StoppedError, match="memory"):
        worker.call(20.0, greedy)


def test_waiting_does_not_count():
    assert worker.call(0.2, time.sleep, 0.6) is None


def test_a_child_that_does_nothing_is_stopped_at_last(monkeypatch):
    monkeypatch.setattr(worker, "_PATIENCE_SECONDS", 0.5)
    began = time.monotonic()
    with pytest.raises(StoppedError):
        worker.call(0.1, time.sleep, 600)
    assert time.monotonic() - began < 20


def test_who_has_no_patience_is_answered_by_the_clock():
    began = time.monotonic()
    with pytest.raises(StoppedError, match="took too long"):
        worker.call(20.0, time.sleep, 600, patience=0.3)
    assert 0.3 <= time.monotonic() - began < 5


def test_a_formula_is_answered_by_the_clock(monkeypatch):
    """Parsing is stopped by the clock, also if the child only waits, which costs no processor time."""
    worker.call(5.0, math.sqrt, 1.0)
    monkeypatch.setattr(formulas, "PARSING_PATIENCE_SECONDS", 0.3)
    monkeypatch.setattr(formulas, "_parsed", slow_to_read)
    began = time.monotonic()
    with pytest.raises(ib.FormulaError, match="took too long"):
        ib.Parameterization("m*w + 12345")
    assert 0.3 <= time.monotonic() - began < 5


def test_a_crash_is_told():
    with pytest.raises(StoppedError, match="crash"):
        worker.call(5.0, crashing)


def test_what_was_found_in_time_is_kept():
    found = worker.answers(0.3, one_then_endless)
    assert next(found) == "first"
    with pytest.raises(StoppedError):
        next(found)


def test_a_bug_keeps_its_type_and_its_traceback():
    with pytest.raises(KeyError, match="a bug of ours") as caught:
        worker.call(5.0, failing)
    assert "in failing" in str(caught.value.__cause__)


def test_limits_within_limits():
    assert worker.call(20.0, nested) == ["work", True, "work"]


def test_a_broken_helper_is_no_missing_closed_form():
    """If a function of the library is broken, ``derive`` raises its error and does not report a missing closed form."""
    script = """
        import implicit_bias as ib
        from implicit_bias.symbolic import inversion, template, by_flow
        template._why_in_place = "of a test"
        by_flow.invert = lambda *_: None.missing
        try:
            ib.derive("m*w")
        except AttributeError as error:
            print("seen", error)
    """
    assert "seen 'NoneType' object has no attribute 'missing'" in _run(script)


def test_without_a_process_the_work_is_done_and_the_result_says_so():
    script = """
        import sys
        sys.executable = ""
        import implicit_bias as ib
        print(*ib.derive("u", time_limit=5).notes)
        print(ib.derive("u", time_limit=float("inf")).notes)
    """
    lines = _run(script).splitlines()
    assert "No limit of time or memory held" in lines[0]
    assert lines[1] == "()"


def test_it_loads_while_its_owner_does_and_holds_up_no_end():
    """The template starts before its owner imports SymPy, and an owner that ends meanwhile need not wait for it."""
    script = """
        import sys, time
        import implicit_bias as ib
        from implicit_bias.symbolic import template
        assert template._template is None
        start = template.start
        def noted():
            print("sympy" in sys.modules)
            return start()
        template.start = noted
        ib.derive
        began = time.monotonic()
        template.Template().close()
        print(time.monotonic() - began < 0.5)
    """
    assert _run(script).split() == ["False", "True"]


def test_a_repeated_derivation_is_not_derived_again():
    times = []
    for _ in range(6):
        began = time.perf_counter()
        ib.derive("m*w", "m**2 + w**2")
        times.append(time.perf_counter() - began)
    assert min(times) < 0.02


def test_a_template_that_was_killed_is_replaced():
    _, killed = worker.call(5.0, state)
    template._template._process.kill()
    worker.forget()
    assert worker.call(5.0, state)[1] != killed


def test_threads_share_it_and_one_that_is_stuck_holds_up_nobody():
    began = threading.Event()

    def stuck():
        began.set()
        with pytest.raises(StoppedError):
            worker.call(3.0, endless)

    thread = threading.Thread(target=stuck)
    thread.start()
    began.wait()
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda k: worker.call(5.0, math.sqrt, float(k)), range(8))) == [
            math.sqrt(k) for k in range(8)
        ]
    assert thread.is_alive()
    thread.join()


def test_a_logarithm_on_four_threads_keeps_its_closed_form():
    """Derivations asked for by four threads all find the closed form of log(u) − log(v)."""
    worker.forget()

    def potential(name):
        return str(ib.derive(f"log({name}) - log(v)", time_limit=60).potential).replace(name, "u")

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(potential, ["u", "p", "q", "r"]))
    assert "None" not in found


def test_a_fork_of_the_owner_starts_its_own():
    """A fork of the owner starts a template of its own, also if another thread held the locks at the fork."""
    script = """
        import os
        import implicit_bias as ib
        from implicit_bias.symbolic import template, worker
        ib.Parameterization("m*w")
        first = template._template._process.pid
        worker._lock.acquire(), template._lock.acquire()
        forked = os.fork()
        if forked:
            worker._lock.release(), template._lock.release()
        else:
            ib.Parameterization("m*w + 1")
            assert template._template._process.pid != first
            print("own", flush=True)
            os._exit(0)
        os.wait()
        ib.Parameterization("m*w + 2")
        assert template._template._process.pid == first
        print("same")
    """
    assert _run(script).split() == ["own", "same"]


@pytest.mark.parametrize(
    "first",
    ["template.start()", "select.select([template.start()._control], [], [])", "ib.Parameterization('m*w')"],
    ids=["while it loads", "when it is ready", "when it was asked"],
)
def test_an_owner_that_ends_leaves_nothing_and_says_nothing(first):
    """A template ends quietly if its owner ends without closing it, though a fork of the owner lives on."""
    script = f"""
        import os, select, time
        import implicit_bias as ib
        from implicit_bias.symbolic import template
        {first}
        forked = os.fork()
        if not forked:
            os.close(1), os.close(2)
            time.sleep(60)
            os._exit(0)
        print(template._template._process.pid, forked, flush=True)
        os._exit(0)
    """
    owner = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=120, check=False
    )
    pid, forked = map(int, owner.stdout.split())
    try:
        end = time.monotonic() + 40
        while _is_running(pid) and time.monotonic() < end:
            time.sleep(0.05)
        assert not _is_running(pid)
        assert _is_running(forked)
        assert owner.stderr == ""
    finally:
        os.kill(forked, signal.SIGKILL)


def test_it_works_in_a_script_without_a_guard_and_in_processes_of_joblib(tmp_path):
    pytest.importorskip("joblib")
    path = tmp_path / "script.py"
    path.write_text(
        textwrap.dedent("""
        import joblib
        import implicit_bias as ib
        def work(k):
            return str(ib.derive("u", time_limit=30).metric)
        print(work(0), *joblib.Parallel(2)(joblib.delayed(work)(k) for k in range(2)))
        """),
        "utf-8",
    )
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == ["1", "1", "1"]


@pytest.mark.parametrize("how", ["it ends", "it is killed"])
def test_it_dies_with_its_owner(how):
    """A busy child and its template end with their owner, also if that is killed."""
    script = """
        import sys, threading, time
        from implicit_bias.symbolic import worker
        sys.path.insert(0, ".")
        from tests.symbolic.test_worker import endless, state
        print(*worker.call(5.0, state), flush=True)
        threading.Thread(target=worker.call, args=(float("inf"), endless), daemon=True).start()
        time.sleep(1)
        print("busy", flush=True)
        sys.stdin.read()
    """
    owner = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    _, forked = map(int, owner.stdout.readline().split())
    assert owner.stdout.readline() == "busy\n"
    if how == "it is killed":
        owner.kill()
    owner.communicate()
    end = time.monotonic() + 20
    while _is_running(forked) and time.monotonic() < end:
        time.sleep(0.05)
    assert not _is_running(forked)


def test_answers_are_remembered_up_to_a_number(monkeypatch):
    monkeypatch.setattr(worker, "REMEMBERED", 2)
    worker.forget()
    first = worker.call(5.0, state)
    assert worker.call(5.0, state) == first
    worker.call(5.0, math.sqrt, 1.0)
    worker.call(5.0, math.sqrt, 2.0)
    assert len(worker._remembered) == 2
    assert worker.call(5.0, state) != first


STUCK = [
    "m*sign(sin(exp(2**64)))",
    "m*log(sin(exp(10**9)))",
    "m*sign(exp(exp(exp(60)))-1)",
    "acosh(exp(exp(2**64)))+w",
    "sin(cosh((m-w)/log(m/0)))",
    "w*cosh(2**64)",
    "w+1e300*1e300*w",
    "m*sin(exp(10**6))+m**2*w",
]


@pytest.mark.parametrize("formula", STUCK)
def test_a_formula_that_cannot_be_decided_is_one_sentence(formula):
    worker.call(5.0, math.sqrt, 1.0)
    began = time.perf_counter()
    with pytest.raises(ib.FormulaError) as caught:
        ib.derive(formula, time_limit=2)
    assert time.perf_counter() - began < 5  # parsing may take one second, and the machine may be busy
    assert str(caught.value).count(". ") == 0


def test_an_absolute_value_of_what_is_not_real_everywhere_has_its_interval():
    """The domain of cos |atanh w| is (−1, 1), where it is smooth, though SymPy's derivative has real parts in it."""
    assert ib.derive("cos(abs(atanh(w)))").at({"w": 0.3}).domain == (-1.0, 1.0)


def _run(script):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout


def _is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        return file.read().rsplit(")", 1)[1].split()[0] != "Z"


@pytest.mark.parametrize("seconds", [0.0, -1.0, -math.inf])
def test_no_time_left_ends_a_process_at_once(seconds):
    """A short timer instead, which every copy that ends sets anew, might never run out."""
    copy = os.fork()
    if not copy:
        stop_after(seconds)
        os._exit(0)
    _, status = os.waitpid(copy, 0)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGPROF
