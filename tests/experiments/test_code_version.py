"""The version of a task's code changes whenever a result may change, and stays if no result can."""

import os
import subprocess
import sys
from textwrap import dedent

import pytest

from experiments.engine import OtherCodeError
from experiments.engine import code_version as code
from implicit_bias.errors import InputError

LIBRARY = {
    "__init__.py": "import lazy_loader as _lazy\n__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)",
    "__init__.pyi": (
        "from . import schedule as schedule\nfrom .flow import flow as flow\nfrom .claims import Claim as Claim"
    ),
    "claims.py": "class Claim: ...",
    "schedule.py": "from toy_library.constants import RATE",
    "constants.py": "RATE = 1",
    "flow/__init__.py": "from .steps import euler as flow",
    "flow/steps.py": "from .. import constants\nfrom . import tables\ndef euler(): return constants.RATE * tables.A",
    "flow/tables.py": "A = 1",
}
TASKS = '''
"""Tasks and their picture."""
from functools import cache

import numpy as np

from toy_library import flow
from toy_helpers import constants as helper, square, draw_helper
from implicit_bias.errors import InputError

CONSTANT = 2
TABLE = {"a": 1}

class Base:
    factor = 3

class Model(Base):
    """A model."""
    def value(self, x):
        return self.factor * x

def scale(x, by=2):
    """Scaled."""
    return by * x

@cache
def task(seed):
    """A result."""
    # by everything above
    return {"x": np.array(Model().value(scale(seed)) + CONSTANT + flow() + helper.SHIFT + square(seed) + TABLE["a"])}

def draw(data):
    return draw_helper(data["x"], "red")
'''
HELPERS = {
    "__init__.py": "from toy_helpers.drawing import draw_helper\nfrom toy_helpers.powers import square",
    "constants.py": "SHIFT = 1\nCOLOUR = 'red'",
    "powers.py": "def square(x): return power(x, 2)\ndef power(x, n): return x**n\ndef cube(x): return power(x, 3)",
    "drawing.py": "def draw_helper(x, colour): return x",
}


@pytest.fixture
def source(tmp_path, monkeypatch):
    """Writes modules, and gives the version of a task in them that a program would see which starts now."""
    monkeypatch.syspath_prepend(tmp_path)

    def forget():
        for each in vars(code).values():
            if hasattr(each, "cache_clear") and each is not code._distributions:
                each.cache_clear()

    class Source:
        def write(self, path, text):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(dedent(text))

        def replace(self, path, old, new):
            text = (tmp_path / path).read_text()
            assert text.count(old) == 1
            (tmp_path / path).write_text(text.replace(old, new))

        def version(self):
            forget()
            return code.code_version("toy_tasks")

    source = Source()
    for path, text in LIBRARY.items():
        source.write(f"toy_library/{path}", text)
    for path, text in HELPERS.items():
        source.write(f"toy_helpers/{path}", text)
    source.write("toy_tasks.py", TASKS)
    yield source
    forget()


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("toy_tasks.py", "# by everything above", "# by all of them,\n    # really"),
        ("toy_tasks.py", '"""A result."""', '"""Another text."""'),
        ("toy_tasks.py", '    """A model."""\n', ""),
        ("toy_tasks.py", '"""Tasks and their picture."""', ""),
        ("toy_tasks.py", "def scale(x, by=2):", "def scale(\n    x,\n    by=(2),\n):"),
        ("toy_library/claims.py", "...", "x = 1"),
        ("toy_library/schedule.py", "RATE", "RATE as R"),
        ("toy_library/flow/tables.py", "A = 1", "A = 1  # one"),
    ],
)
def test_what_no_result_depends_on_changes_nothing(source, path, old, new):
    before = source.version()
    source.replace(path, old, new)
    assert source.version() == before


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("toy_tasks.py", "CONSTANT = 2", "CONSTANT = 2.0"),
        ("toy_tasks.py", "self.factor * x", "self.factor + x"),
        ("toy_tasks.py", "@cache\n", ""),
        ("toy_tasks.py", "import cache", "import lru_cache as cache"),
        ("toy_tasks.py", "import numpy as np", "import scipy as np"),
        ("toy_tasks.py", "square, draw_helper", "draw_helper as square, square as draw_helper"),
        ("toy_helpers/__init__.py", "import square", "import cube as square"),
        ("toy_helpers/constants.py", "SHIFT = 1", "SHIFT = 2"),
        ("toy_helpers/powers.py", "x**n", "n**x"),
        ("toy_library/__init__.py", "(__name__, __file__)", "(__name__, '')"),
        ("toy_library/__init__.pyi", "from .flow import flow", "from .claims import Claim"),
        ("toy_library/flow/__init__.py", "euler as flow", "tables as flow"),
        ("toy_library/flow/steps.py", "constants.RATE *", "constants.RATE +"),
        ("toy_library/constants.py", "1", "2"),
        ("toy_library/flow/tables.py", "1", "2"),
    ],
)
def test_whatever_a_result_may_depend_on_changes_it(source, path, old, new):
    before = source.version()
    source.replace(path, old, new)
    assert source.version() != before


# Ways to reach SHIFT, which toy_helpers.constants holds.
REACH = [
    "import toy_helpers.constants\ndef task(): return toy_helpers.constants.SHIFT",
    "import toy_helpers.constants as c\ndef task(): return c.SHIFT",
    "import toy_helpers.powers\ndef task(): return toy_helpers.constants.SHIFT",
    "import toy_helpers\ndef task(): return toy_helpers.constants.SHIFT",
    "from toy_helpers.constants import SHIFT as s\ndef task(): return s",
    "from toy_helpers.constants import *\ndef task(): return SHIFT",
    "from toy_helpers import constants as c\ndef task(): return getattr(c, 'SHI' + 'FT')",
    "def task():\n    from toy_helpers.constants import SHIFT\n    return SHIFT",
    "def task():\n    import toy_helpers.constants as c\n    return c.SHIFT",
    "def task():\n    from toy_helpers import constants\n    def inner(): return constants.SHIFT\n    return inner()",
    "try:\n    from toy_helpers.constants import SHIFT\nexcept ImportError:\n    SHIFT = 0\ndef task(): return SHIFT",
    "if True:\n    from toy_helpers import constants as c\ndef task(): return c.SHIFT",
    "from toy_helpers.again import SHIFT\ndef task(): return SHIFT",
    "from toy_helpers import again\ndef task(): return again.constants.SHIFT",
    "import toy_library as ib\ndef task(): return ib.shifted.F",
    "from toy_library import shifted\ndef task(): return shifted.F",
    "from toy_library.everything import F\ndef task(): return F",
    "from toy_library import G\ndef task(): return G",
    "from toy_library import *\ndef task(): return G",
    "from toy_library.within import other\ndef task(): return other",  # the package imports it
]


@pytest.mark.parametrize("text", REACH)
def test_there_is_no_way_to_reach_something_unseen(source, text):
    source.write("toy_helpers/again.py", "from toy_helpers import constants\nfrom .constants import SHIFT")
    source.write("toy_library/shifted.py", "def F():\n    from toy_helpers.constants import SHIFT\n    return SHIFT")
    source.write("toy_library/everything.py", "from .shifted import *")
    source.write("toy_library/within/__init__.py", "from ..shifted import F")
    source.write("toy_library/within/other.py", "")
    source.write("toy_library/__init__.pyi", LIBRARY["__init__.pyi"] + "\nfrom .shifted import F as G")
    source.write("toy_tasks.py", text)
    before = source.version()
    source.replace("toy_helpers/constants.py", "SHIFT = 1", "SHIFT = 2")
    assert source.version() != before


@pytest.mark.parametrize(
    "text",
    [
        "import importlib\ndef task(): return importlib.import_module('toy_helpers').x",
        "from importlib import import_module\ndef task(): return import_module('toy_helpers').x",
        "def task(): return __import__('toy_helpers').x",
    ],
)
def test_source_that_hides_what_it_reaches_is_refused(source, text):
    source.write("toy_tasks.py", text)
    with pytest.raises(InputError, match="hidden"):
        source.version()


def test_source_that_changes_while_the_program_runs_is_noticed(source):
    before = source.version()
    source.replace("toy_helpers/powers.py", "x**n", "n**x")
    assert code.code_version("toy_tasks") == before  # the loaded code, which runs, is the old one
    with pytest.raises(OtherCodeError, match=r"powers.py changed after this program started; start it again"):
        code.code_version("toy_helpers.powers")


def test_versions_of_packages_count_where_they_are_used(source, monkeypatch):
    before = source.version()
    assert code.packages("toy_tasks") == ["lazy_loader", "numpy"]
    genuine = code.version
    monkeypatch.setattr(code, "version", lambda name: "9.9" if name == "rich" else genuine(name))
    assert source.version() == before
    monkeypatch.setattr(code, "version", lambda name: "9.9" if name == "numpy" else genuine(name))
    assert source.version() != before


def test_the_version_of_python_counts(source, monkeypatch):
    before = source.version()
    monkeypatch.setattr("platform.python_version", lambda: "3.99.0")
    assert source.version() != before


def test_versions_are_the_same_in_every_program(source, tmp_path):
    program = "from experiments.engine.code_version import code_version; print(code_version('toy_tasks'))"
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        printed = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, check=True
        ).stdout
        assert printed.decode().strip() == source.version()


def test_who_computes_and_how_results_show_themselves_changes_no_result():
    reached = code._reached("experiments.mask_in_the_mirror.figure1a")
    assert not [name for name in reached if f"{name}.".startswith(code.NO_PART_IN_RESULTS)]
    assert {
        "experiments",
        "experiments.mask_in_the_mirror.diagonal.theory",
        "implicit_bias.plotting",
        "implicit_bias.limit",
    } <= reached
