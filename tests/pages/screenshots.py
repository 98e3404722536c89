"""Pictures of every page, light, dark and narrow: python -m tests.pages.screenshots FOLDER [NAME|NAME-LOOK...]

The tests keep theirs in the folder that SALTANT_SCREENSHOTS names, or in build/screenshots.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.acceptance.system import Up
from tests.pages.all_pages import PAGES
from tests.pages.browsing import LOOKS, Visitors, dress, visit
from tests.pages.world import PASSWORD, make_world, saltant
from tests.services.chromium import Chromium

TALLEST = 4000
"""Pixels of a picture."""
PLACE = Path(__file__).parents[2] / "build" / "screenshots"


def folder() -> Path:
    """Where the tests keep pictures."""
    found = Path(os.environ.get("SALTANT_SCREENSHOTS", PLACE))
    found.mkdir(parents=True, exist_ok=True)
    return found


def take(page: Any, place: Path, name: str, look: str) -> None:
    """Keep a picture of a page as it is."""
    # Of a window that is as tall as its page: a picture of more than the window would end the emulation of fingers.
    size = page.viewport_size
    height = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({**size, "height": min(height, TALLEST)})
    page.screenshot(path=str(place / f"{name}-{look}.png"), animations="disabled")
    page.set_viewport_size(size)


def main() -> None:
    """Start a saltant, fill it, and take the pictures."""
    from playwright.sync_api import sync_playwright

    place, wanted = Path(sys.argv[1]), sys.argv[2:]
    place.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix="saltant-pages-"))
    with Up(made / "data", "--concurrency", "4") as site, sync_playwright() as playwright:
        saltant(site, "user", "password", "admin", "--password-file", "-", stdin=PASSWORD)
        world = make_world(site, made)
        chromium = Chromium()
        browser = playwright.chromium.launch(executable_path=chromium.program, args=chromium.arguments)
        with Visitors(browser, world.root, world.sessions) as visitors:
            for case in PAGES:
                looks = [each for each in LOOKS if not wanted or {case.name, f"{case.name}-{each}"} & set(wanted)]
                if not looks:
                    continue
                page = visitors.page(case.by)
                visit(page, case, world.names)
                page.wait_for_timeout(400)
                for look in looks:
                    dress(page, look)
                    take(page, place, case.name, look)
                dress(page, "light")
    shutil.rmtree(made)


if __name__ == "__main__":
    main()
