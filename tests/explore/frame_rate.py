"""How often the explorer draws while a finger moves: `python -m tests.explore.frame_rate`.

Chromium runs without a screen, as in the tests, and moves its mouse along a circle while it holds a handle or a slider. A
frame is a picture that Python computed and the page drew; the latency is the time from a change to its picture.
"""

import math
import shutil
import statistics
import subprocess
import sys
import time

SECONDS = 3.0
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def started(folder=None):
    """An explorer in a process of its own, and its address."""
    command = [sys.executable, "-m", "implicit_bias.cli", "explore", "--port", "0", "--no-browser"]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    line = process.stderr.readline()
    return process, line[line.index("http") :].split()[0]


def while_dragged(page, selector, seconds=SECONDS):
    """Frames a second and the median latency in milliseconds while a handle is moved along a small circle."""
    pictures, box = page.locator("#pictures"), page.locator(selector).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    latencies, began, frames = [], time.perf_counter(), int(pictures.get_attribute("data-drawn"))
    while (passed := time.perf_counter() - began) < seconds:
        page.mouse.move(x + 25 * math.sin(4 * passed), y + 25 * (1 - math.cos(4 * passed)))
        latencies.append(float(pictures.get_attribute("data-milliseconds")))
    frames = int(pictures.get_attribute("data-drawn")) - frames
    page.mouse.up()
    return frames / passed, statistics.median(latencies)


def main():
    """Print the numbers for the two handles, a slider, and a potential without a closed form."""
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, BROWSERS)))
    process, address = started()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            for title, entry, selector in (
                ("mask with decay, start", 0, "#hold-start"),
                ("mask with decay, line", 0, "#hold-end0"),
                ("mask with decay, slider", 0, "#scale"),
                ("three layers, start", 5, "#hold-start"),
                ("three layers, line", 5, "#hold-end0"),
            ):
                page.goto(address)
                page.wait_for_selector("#pictures[data-state=resting]")
                page.select_option("#atlas", str(entry))
                page.wait_for_timeout(1000)
                page.wait_for_selector("#pictures[data-state=resting]")
                rate, latency = while_dragged(page, selector)
                print(f"{title}: {rate:.0f} frames a second, {latency:.0f} ms from a change to its picture")
            browser.close()
    finally:
        process.terminate()
        process.communicate()


if __name__ == "__main__":
    main()
