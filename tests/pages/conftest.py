"""A browser, and a saltant with something on it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.system import Up
from tests.pages.browsing import Visitors
from tests.pages.world import World, make_world
from tests.services.chromium import Chromium
from tests.services.fixtures import obtain


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A saltant for all tests of pages; those that change something make their own instances."""
    folder = tmp_path_factory.mktemp("pages")
    with Up(folder / "data", "--concurrency", "4") as site:
        yield make_world(site, folder)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's Chromium. Of one file at a time: while it runs, Django's ORM would refuse to work in this process."""
    chromium = obtain(Chromium)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium.program, args=chromium.arguments)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def visitors(browser: Any, world: World) -> Iterator[Visitors]:
    """Who looks at pages, each with a window of their own."""
    with Visitors(browser, world) as found:
        yield found


@pytest.fixture
def empty_site(tmp_path: Path) -> Iterator[Up]:
    """A saltant on which nothing was done yet."""
    with Up(tmp_path / "data", "--concurrency", "1") as site:
        yield site
