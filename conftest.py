"""Settings of all tests and doctests, with the profiles of Hypothesis (`--hypothesis-profile=thorough` tries more)."""

import gc
import json
import re
import shutil
from collections import defaultdict
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, Phase, settings

MISSING = re.compile(r"could not import|is not installed|no Chromium")  # in the reason of a skip
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

DURATIONS = Path(__file__).parent / "tests" / "durations.json"
MOST_SECONDS = 0.2  # that a test may take to belong to the fast ones
MOST_SECONDS_OF_A_SETUP = 1.0  # in a file whose tests all belong to the fast ones, as they may share it

# Deadlines measure the machine, not the code; deterministic examples make a red run reproducible.
# A few for every run: a law that is wrong fails soon, and rare counterexamples are what the thorough profile looks for.
settings.register_profile("default", derandomize=True, deadline=None, max_examples=25)
settings.register_profile("thorough", deadline=None, max_examples=2000, suppress_health_check=[HealthCheck.too_slow])
# For the mutants, where a counterexample is enough and the smallest one takes long.
settings.register_profile(
    "first-failure", derandomize=True, deadline=None, max_examples=50, phases=[Phase.explicit, Phase.generate]
)
settings.load_profile("default")


def pytest_addoption(parser):
    """With ``--complete``, which CI gives, nothing may be skipped because a program or a package is missing."""
    parser.addoption("--complete", action="store_true", help="fail where a program or a package is missing")
    parser.addoption("--fast", action="store_true", help=f"leave out what took long, by {DURATIONS.name}")
    parser.addoption("--record-durations", action="store_true", help=f"write {DURATIONS.name}")


def pytest_configure(config):
    """Durations are recorded once, where the reports of all workers arrive."""
    if config.getoption("record_durations") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Durations())


class _Durations:
    def __init__(self):
        self.seconds, self.files = defaultdict(float), set()

    def pytest_runtest_logreport(self, report):
        self.seconds[report.nodeid] += report.duration
        if report.when == "setup" and report.duration > MOST_SECONDS_OF_A_SETUP:
            self.files.add(report.nodeid.partition("::")[0])

    def pytest_sessionfinish(self):
        long = {name: round(each, 1) for name, each in sorted(self.seconds.items()) if each > MOST_SECONDS}
        saved = {"files": sorted(self.files), "seconds": long}
        DURATIONS.write_text(json.dumps(saved, indent=0, ensure_ascii=False) + "\n", "utf-8")


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """Of a module, which may skip as a whole."""
    return _complete(collector.config, (yield))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """Of a test."""
    return _complete(item.config, (yield))


def _complete(config, report):
    if report.skipped and config.getoption("complete") and MISSING.search(str(report.longrepr)):
        report.outcome, report.longrepr = "failed", f"--complete skips nothing: {report.longrepr[-1]}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Collect without the cyclic garbage collector, and keep it away from the modules that stay to the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(config, items):
    """Tests of CUDA are skipped where there is no device, and with ``--fast`` those that took long are left out."""
    if config.getoption("fast"):
        saved = json.loads(DURATIONS.read_text("utf-8"))
        long = {*saved["files"], *saved["seconds"]}
        left_out = [item for item in items if {item.nodeid, item.nodeid.partition("::")[0]} & long]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("cuda"):
                item.add_marker(pytest.mark.skip(reason="no CUDA device"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Doctests run without the cyclic garbage collector.

    Each of them begins with linecache.checkcache(), which up to Python 3.12 raises KeyError where an entry disappears
    while it looks at others, and SymPy removes the entry of a lambdified function when the collector frees it.
    """
    collects = gc.isenabled() and isinstance(item, pytest.DoctestItem)
    if collects:
        gc.disable()
    try:
        return (yield)
    finally:
        if collects:
            gc.enable()


@pytest.fixture(scope="module")
def browser():
    """The Chromium of this machine: one for each module, as Playwright's event loop runs on in this thread."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"no Chromium on PATH (looked for {', '.join(BROWSERS)})")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()
