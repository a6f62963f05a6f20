"""Pages in a real browser: headless Chromium, where there is one."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

WIDTHS = (360, 820, 1280)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Headless Chromium; a test that asks for it is skipped where there is none."""
    found = (
        shutil.which("chromium")
        or shutil.which("chromium-browser")
        or shutil.which("google-chrome")
    )
    if found is None:
        pytest.skip("no Chromium on the path")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[..., Any]]:
    """`opened(page, width)`: a page, a file or an address, in a window of that width. At the end no
    page may have said anything on its console, but those that were opened with `silent=False`."""
    with contextlib.ExitStack() as stack:
        said: list[str] = []

        def open_page(
            page_of: Path | str,
            width: int = 1280,
            scheme: str = "light",
            *,
            silent: bool = True,
            **over: Any,
        ) -> Any:
            context = browser.new_context(
                viewport={"width": width, "height": 800}, color_scheme=scheme, **over
            )
            stack.callback(context.close)
            page = context.new_page()
            if silent:
                page.on("console", lambda message: said.append(message.text))
                page.on("pageerror", lambda problem: said.append(str(problem)))
            page.goto(page_of if isinstance(page_of, str) else page_of.resolve().as_uri())
            return page

        yield open_page
        assert said == []


@pytest.fixture
def audited(opened: Callable[..., Any]) -> Callable[[Path | str], list[str]]:
    """`audited(path)`: what axe-core finds on a page at the smallest and the largest width, light
    and dark: the rule and the element."""
    from axe_playwright_python.sync_playwright import Axe

    def audit(page_of: Path | str) -> list[str]:
        found = []
        for width, scheme in ((WIDTHS[0], "dark"), (WIDTHS[-1], "light")):
            page = opened(page_of, width, scheme, bypass_csp=True)
            for rule in Axe().run(page).response["violations"]:
                found += [f"{rule['id']}: {node['html'][:120]}" for node in rule["nodes"]]
        return found

    return audit
