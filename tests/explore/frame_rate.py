"""How often the explorer draws while a finger moves: `python -m tests.explore.frame_rate`.

Chromium runs without a screen, as in the tests, and moves its mouse along a circle while it holds a handle or a slider.
A frame is a picture that Python computed and the page drew; the latency is the time from a change to its picture. Both
depend on what else the machine does; the processor time that a frame takes, of Python and of the browser, hardly does.
"""

import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from implicit_bias.explore.catalogue import CATALOGUE

SECONDS = 3.0
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def started(folder=None):
    """An explorer in a process of its own, and its address."""
    command = [sys.executable, "-m", "implicit_bias.cli", "explore", "--port", "0", "--no-browser"]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    line = process.stderr.readline()
    return process, line[line.index("http") :].split()[0]


@dataclass(frozen=True)
class Dragged:
    """What a drag showed: frames a second, the median latency in milliseconds, and how many frames."""

    rate: float
    latency: float
    frames: int


def while_dragged(page, selector, seconds=SECONDS):
    """Move a handle along a small circle."""
    pictures, box = page.locator("#pictures"), page.locator(selector).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    latencies, began, frames = [], time.perf_counter(), int(pictures.get_attribute("data-drawn"))
    while (passed := time.perf_counter() - began) < seconds:
        page.mouse.move(x + 25 * math.sin(4 * passed), y + 25 * (1 - math.cos(4 * passed)))
        latencies.append(float(pictures.get_attribute("data-milliseconds")))
        time.sleep(0.004)  # a finger moves 120 times a second, and a loop that never waits takes a processor
    frames = int(pictures.get_attribute("data-drawn")) - frames
    page.mouse.up()
    return Dragged(frames / passed, statistics.median(latencies), frames)


def processor_seconds(server):
    """Processor time so far of the server, and of all other descendants of this process, as Linux tells it."""
    parents, spent = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        own = int(stat.parent.name)
        parents[own], spent[own] = int(fields[1]), (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    others = 0.0
    for own in spent:
        above = own
        while above > 1 and above not in (os.getpid(), server):
            above = parents.get(above, 0)
        others += spent[own] if above == os.getpid() and own != os.getpid() else 0.0
    return spent.get(server, 0.0), others


def main():
    """Print the numbers for the handles, a slider, and potentials without a closed form."""
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, BROWSERS)))
    process, address = started()
    try:
        for entry in CATALOGUE:  # until the atlas has been derived, which takes a processor for some seconds
            data = json.dumps({"formula": entry.formula, "regularizer": entry.regularizer}).encode()
            urllib.request.urlopen(f"{address}/formulas", data=data).read()  # noqa: S310
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.set_default_timeout(120_000)
            page.goto(address)
            for title, entry, selector in (
                ("mask with decay, start", 0, "#hold-start"),
                ("mask with decay, line", 0, "#hold-end0"),
                ("mask with decay, slider", 0, "#scale"),
                ("three layers, start", 5, "#hold-start"),
                ("three layers, line", 5, "#hold-end0"),
            ):
                page.wait_for_selector("#pictures[data-state=resting]")
                page.select_option("#atlas", str(entry))
                page.wait_for_timeout(2000)
                page.wait_for_selector("#pictures[data-state=resting]")
                before = processor_seconds(process.pid)
                found = while_dragged(page, selector)
                python, chromium = (
                    1000 * (after - first) / max(found.frames, 1)
                    for first, after in zip(before, processor_seconds(process.pid), strict=True)
                )
                print(
                    f"{title}: {found.rate:.0f} frames a second, {found.latency:.0f} ms from a change to its picture; "
                    f"a frame takes {python:.0f} ms of Python and {chromium:.0f} ms of the browser's processes",
                    flush=True,
                )
            browser.close()
    finally:
        process.terminate()
        process.communicate()


if __name__ == "__main__":
    main()
