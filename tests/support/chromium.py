"""Chromium for browser tests, from the system's packages or named by POLYSIM_CHROMIUM."""

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP *.local 127.0.0.1, MAP *.localhost 127.0.0.1",
]
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


def find_program() -> str | None:
    """The path of a Chromium on this machine, or None."""
    named = os.environ.get("POLYSIM_CHROMIUM")
    if named:
        return named
    return next((path for path in map(shutil.which, PROGRAMS) if path), None)


def launch() -> Iterator[Any]:
    """A browser until the generator is closed; skips the test where there is none."""
    program = find_program()
    if program is None:
        pytest.skip("browser test skipped: no Chromium found (install it or set POLYSIM_CHROMIUM)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


def open_page(browser: Any, *, width: int, height: int) -> Iterator[Any]:
    """A page of its own context; an uncaught script error fails the test at its end."""
    context = browser.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert errors == [], f"script errors in the page: {errors}"
