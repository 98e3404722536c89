"""A browser, and a saltant with something on it."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.system import Up
from tests.pages.browsing import Visitors
from tests.pages.world import PASSWORD, World, make_world, saltant
from tests.services.chromium import Chromium
from tests.services.fixtures import obtain


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A saltant for all tests of pages; `world` fills it."""
    with Up(tmp_path_factory.mktemp("pages") / "data", "--concurrency", "4") as up:
        saltant(up, "user", "password", "admin", "--password-file", "-", stdin=PASSWORD)
        yield up


@pytest.fixture(scope="module")
def untouched_site(lab: Up, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """The same before it was filled; another one if that has been."""
    if not lab.client.task_queues.list({"name": "paused"}):
        yield lab
        return
    with Up(tmp_path_factory.mktemp("untouched") / "data", "--concurrency", "1") as up:
        saltant(up, "user", "password", "admin", "--password-file", "-", stdin=PASSWORD)
        yield up


@pytest.fixture(scope="session")
def world(lab: Up, tmp_path_factory: pytest.TempPathFactory) -> World:
    """What there is on it; tests that change something make their own instances."""
    return make_world(lab, tmp_path_factory.mktemp("world"))


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
    with Visitors(browser, world.root, world.sessions) as found:
        yield found


@pytest.fixture(scope="module")
def empty_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A saltant on which nothing was done yet, but that its admin has a password."""
    with Up(tmp_path_factory.mktemp("empty") / "data", "--concurrency", "1") as site:
        saltant(site, "user", "password", "admin", "--password-file", "-", stdin=PASSWORD)
        yield site
