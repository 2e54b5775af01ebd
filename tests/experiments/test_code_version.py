"""The version of a task's code: another one whenever a result might be another one, the same where none can be."""

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
        "from . import schedule as schedule\nfrom .simulate import flow as flow\nfrom .claims import Claim as Claim"
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
    """Writes modules, and tells the version of a task among them as a program that starts now would."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(code, "LIBRARY", "toy_library")

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

        def version(self, name="task", module="toy_tasks"):
            forget()
            return code.code_version(module, name)

        def packages(self, name="task"):
            forget()
            return code.packages("toy_tasks", name)

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
        ("toy_tasks.py", "import numpy as np\n", "import numpy as np\nfrom matplotlib import pyplot as plt\n"),
        ("toy_tasks.py", ", draw_helper", ", draw_helper as other"),
        ("toy_tasks.py", '"red"', '"blue"'),
        ("toy_helpers/constants.py", "'red'", "'blue'"),
        ("toy_helpers/powers.py", "power(x, 3)", "power(x, 4)"),
        ("toy_helpers/drawing.py", "return x", "return -x"),
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
        ("toy_tasks.py", "CONSTANT = 2", "CONSTANT = 2\nCONSTANT += 1"),
        ("toy_tasks.py", "CONSTANT = 2", "if TABLE:\n    CONSTANT = 2\nelse:\n    CONSTANT = 3"),
        ("toy_tasks.py", "CONSTANT = 2", "CONSTANT = 2\nfor CONSTANT in range(3): pass"),
        ("toy_tasks.py", "class Base:", 'TABLE["a"] = 2\nclass Base:'),
        ("toy_tasks.py", "class Base:", "TABLE.update(a=2)\nclass Base:"),
        ("toy_tasks.py", "class Base:", "def fill(): TABLE.clear()\nfill()\nclass Base:"),
        ("toy_tasks.py", "class Base:", 'with open("x") as file:\n    def scale(x): return x\nclass Base:'),
        ("toy_tasks.py", "by=2", "by=3"),
        ("toy_tasks.py", "return by * x", "return x * by"),
        ("toy_tasks.py", "factor = 3", "factor = 4"),
        ("toy_tasks.py", "self.factor * x", "self.factor + x"),
        ("toy_tasks.py", "class Model(Base)", "class Model"),
        ("toy_tasks.py", "@cache\n", ""),
        ("toy_tasks.py", "def task(seed)", "def task(seed=1)"),
        ("toy_tasks.py", "import cache", "import lru_cache as cache"),
        ("toy_tasks.py", "import numpy as np", "import scipy as np"),
        ("toy_tasks.py", "import flow", "import Claim as flow"),
        ("toy_tasks.py", "square, draw_helper", "draw_helper as square, square as draw_helper"),
        ("toy_helpers/__init__.py", "import square", "import cube as square"),
        ("toy_helpers/constants.py", "SHIFT = 1", "SHIFT = 2"),
        ("toy_helpers/powers.py", "x**n", "n**x"),
        ("toy_library/__init__.pyi", "from .simulate import flow", "from .claims import Claim"),
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
    "from toy_helpers import constants as c\ndef task(): return getattr(c, 'SHI' + 'FT')",
    "from toy_helpers import constants as c\nd = c\ndef task(): return d.SHIFT",
    "from toy_helpers import constants as c\nclass A:\n    c = c\ndef task(): return A.c.SHIFT",
    "from toy_helpers import constants as c\nALL = {'c': c}\ndef task(): return ALL['c'].SHIFT",
    "from toy_helpers import constants as c\ndef task(x=c.SHIFT): return x",
    "from toy_helpers import constants as c\ndef task(): return vars(c)",
    "def task():\n    from toy_helpers.constants import SHIFT\n    return SHIFT",
    "def task():\n    import toy_helpers.constants as c\n    return c.SHIFT",
    "def task():\n    from toy_helpers import constants\n    def inner(): return constants.SHIFT\n    return inner()",
    "try:\n    from toy_helpers.constants import SHIFT\nexcept ImportError:\n    SHIFT = 0\ndef task(): return SHIFT",
    "if True:\n    from toy_helpers import constants as c\ndef task(): return c.SHIFT",
    "from functools import partial\nfrom toy_helpers.constants import SHIFT\n"
    "p = partial(max, SHIFT)\ndef task(): return p",
    "from toy_helpers.constants import SHIFT\nALL = []\ndef note(f):\n    ALL.append(f)\n    return f\n"
    "@note\ndef one(): return SHIFT\ndef task(): return ALL[0]()",
    "from toy_helpers.constants import SHIFT\nclass Base:\n    all = []\n"
    "    def __init_subclass__(cls): Base.all.append(cls)\n"
    "class A(Base):\n    x = SHIFT\ndef task(): return Base.all[0].x",
    "from toy_helpers.constants import SHIFT\nx, (y, *z) = 1, (2, SHIFT)\ndef task(): return z",
    "from toy_helpers.constants import SHIFT\nx = (y := SHIFT)\ndef task(): return y",
    "from toy_helpers.constants import SHIFT\nasync def other(): return SHIFT\ndef task(): return other()",
    "from toy_helpers.again import SHIFT\ndef task(): return SHIFT",
    "from toy_helpers import again\ndef task(): return again.SHIFT",
    "from toy_helpers import again\ndef task(): return again.constants.SHIFT",
    "from toy_helpers import again\ndef task(): return again.anything()",
    "import toy_library as ib\ndef task(): return ib.shifted.F",
    "from toy_library import shifted\ndef task(): return shifted.F",
    "from toy_library import *\nfrom toy_library.shifted import F\ndef task(): return F",
    "from toy_library.everything import F\ndef task(): return F",
]


@pytest.mark.parametrize("text", REACH)
def test_there_is_no_way_to_reach_something_unseen(source, text):
    source.write("toy_helpers/again.py", "from toy_helpers import constants\nfrom .constants import SHIFT")
    source.write("toy_library/shifted.py", "def F():\n    from toy_helpers.constants import SHIFT\n    return SHIFT")
    source.write("toy_library/everything.py", "from .shifted import *")
    source.write("toy_tasks.py", text)
    try:
        before = source.version()
    except ValueError as error:
        assert "import * from toy_library hides" in str(error)  # noqa: PT017
        return
    source.replace("toy_helpers/constants.py", "SHIFT = 1", "SHIFT = 2")
    assert source.version() != before


@pytest.mark.parametrize(
    "text",
    [
        "from toy_helpers.constants import *\ndef task(): return SHIFT",
        "from numpy import *\ndef task(): return ones(2)",
        "import importlib\ndef task(): return importlib.import_module('toy_helpers').x",
        "from importlib import import_module\ndef task(): return import_module('toy_helpers').x",
        "def task(): return __import__('toy_helpers').x",
        "def other(): ...",
    ],
)
def test_source_that_hides_what_it_reaches_is_refused(source, text):
    source.write("toy_tasks.py", text)
    with pytest.raises(InputError, match=r"hidden|hides|expected the name of a definition"):
        source.version()


def test_source_that_changes_while_the_program_runs_is_noticed(source):
    before = source.version()
    source.replace("toy_helpers/powers.py", "x**n", "n**x")
    assert code.code_version("toy_tasks", "task") == before  # so it was when it was loaded, and so it runs
    with pytest.raises(OtherCodeError, match=r"powers.py changed after this program started; start it again"):
        code.code_version("toy_tasks")


def test_versions_of_packages_count_where_they_are_used(source, monkeypatch):
    source.write(
        "toy_tasks.py", "import numpy as np\nimport rich\ndef task(): return np.ones(2)\ndef other(): return rich"
    )
    task, other = source.version("task"), source.version("other")
    assert source.packages() == ["numpy"]
    genuine = code.version
    monkeypatch.setattr(code, "version", lambda name: "9.9" if name == "numpy" else genuine(name))
    assert source.version("task") != task
    assert source.version("other") == other


def test_the_version_of_python_counts(source, monkeypatch):
    before = source.version()
    monkeypatch.setattr("platform.python_version", lambda: "3.99.0")
    assert source.version() != before


def test_versions_are_the_same_in_every_program(source, tmp_path):
    program = (
        "from experiments.engine import code_version as code\n"
        "code.LIBRARY = 'toy_library'; print(code.code_version('toy_tasks', 'task'))"
    )
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        printed = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, check=True
        ).stdout
        assert printed.decode().strip() == source.version()


def test_how_results_show_themselves_changes_no_result_but_a_figure_that_uses_it():
    def reached(module, name=None):
        return {part.module for part in code._reached(code._Part(module, name))}

    assert not any(module.startswith(code.DISPLAY) for module in reached("experiments.diagonal.theory", "flowed"))
    assert "implicit_bias.plotting" in reached("experiments.figure1a")
