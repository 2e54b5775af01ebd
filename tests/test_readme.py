"""Every Python block of the README runs, in order, as a reader would run them."""

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"


def test_the_readme_runs(tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 4
    code = "import matplotlib\nmatplotlib.use('Agg')\n" + "\n".join(blocks)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "potential.png").exists()
    assert done.stdout.startswith("(m0**2 - w0**2)*exp(-4*A)/2\n[m*w, m**2 + w**2]\n[a*b*c]\n")
    training, *transition, times, orders = done.stdout.splitlines()[-5:]
    distance, bound = map(float, training.split())
    assert distance < 1e-8
    assert bound < 1e-10
    assert max(map(float, transition)) < 1e-9
    assert [round(float(time)) for time in times.split()] == [276, 735]
    assert [round(float(error), 4) for error in orders.strip("[]").split()] == [0.0097, 0.0048, 0.0024]
