"""Draw the pictures of the manual anew, from real runs on the embedded sample.

    python docs/pictures/draw.py

Two runs are trained in a temporary folder, the pages are made by the commands that the manual
names, and headless Chromium takes pictures of them. It needs `chromium` on the path and the
packages of `pip install ".[dev]"`, and takes two minutes on a free core.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
WIDTH, HEIGHT = 1180, 760  # of the window, in pixels
SETS = (
    "folds.count=3", "image.size=16", "augment.recipe=light", "model.name=test_resnet",
    "model.pretrained=false", "train.epochs=4", "train.workers=0", "folds.plan=digits",
)  # fmt: skip
RUNS = {"digits": ("train.lr=1e-2",), "slower": ("train.lr=3e-3",)}

Page = Any  # of Playwright


def options(name: str) -> list[str]:
    """The options of one of the runs."""
    return [word for text in (f"name={name}", *SETS, *RUNS[name]) for word in ("--set", text)]


def comp(*words: str) -> None:
    """Run a command of comp to its end."""
    subprocess.run([sys.executable, "-m", "comp", *words], check=True)


def top(page: Page, path: Path) -> None:
    """The first window of a page."""
    page.screenshot(path=path)


def at(part: str) -> Callable[[Page, Path], None]:
    """What draws the window that begins with a part of a page."""

    def draw(page: Page, path: Path) -> None:
        page.locator(f"#{part}").evaluate("place => place.scrollIntoView()")
        page.screenshot(path=path)

    return draw


# File -> the page of the workspace that it shows, and which part
PICTURES: dict[str, tuple[str, Callable[[Page, Path], None]]] = {
    "report.png": ("runs/digits/report.html", top),
    "confusions.png": ("runs/digits/report.html", at("confusions")),
    "images.png": ("runs/digits/report.html", at("images")),
    "versus.png": ("runs/digits/against_slower.html", top),
    "watch.png": ("watch", top),
    "terminal.png": ("terminal.html", top),
}


@contextmanager
def window() -> Iterator[Callable[[str], Page]]:
    """`open(address)` gives a page in a window of its own."""
    from playwright.sync_api import sync_playwright

    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        raise SystemExit("no chromium on the path")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])

        def open_page(address: str) -> Page:
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            page.goto(address)
            return page

        yield open_page
        browser.close()


def draw_terminal(root: Path, name: str, path: Path) -> None:
    """What `comp watch --terminal` shows of a run, as a page with the colours of a terminal."""
    from rich.console import Console

    from comp.report.live.terminal import picture
    from comp.stages.watching.reading import RunReader

    console = Console(record=True, width=112, file=io.StringIO(), force_terminal=True)
    console.print(picture([RunReader(root, name).read()], 112))
    frame = (
        '<!doctype html><meta charset="utf-8"><body style="margin:0;background:#14181c;'
        'color:#e6e9ec"><pre style="font:15px/1.5 monospace;padding:20px">{code}</pre>'
    )
    path.write_text(console.export_html(inline_styles=True, code_format=frame), encoding="utf-8")


def draw_training(root: Path, open_page: Callable[[str], Page]) -> None:
    """Pictures of a training while it runs: the page of `comp watch` and the terminal."""
    training = [sys.executable, "-m", "comp", "train", *options("digits")]
    watching = [sys.executable, "-m", "comp", "watch", "digits"]
    with (
        subprocess.Popen(training, cwd=root) as train,
        subprocess.Popen(watching, cwd=root, stdout=subprocess.PIPE, text=True) as watch,
    ):
        try:
            assert watch.stdout is not None
            page = open_page(watch.stdout.readline().strip())
            row = page.locator("#run-0-folds tbody tr").nth(1)
            while train.poll() is None and "2 of 4, step" not in row.inner_text(timeout=120_000):
                time.sleep(0.2)
            page.screenshot(path=FOLDER / "watch.png")
            draw_terminal(root, "digits", root / "terminal.html")
        finally:
            watch.terminate()
        if train.wait():
            raise SystemExit("the training failed")


def draw(root: Path) -> None:
    """All pictures, from runs in the folder `root`."""
    os.chdir(root)
    comp("folds", "make", *options("digits"))
    with window() as open_page:
        draw_training(root, open_page)
        comp("train", *options("slower"))
        comp("report", *options("digits"))
        comp("report", "digits", "slower", *options("digits"))
        for name, (where, how) in PICTURES.items():
            if where == "watch":
                continue
            page = open_page((root / where).as_uri())
            if where == "terminal.html":
                page.set_viewport_size({"width": WIDTH, "height": 190})
            how(page, FOLDER / name)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        draw(Path(folder))
