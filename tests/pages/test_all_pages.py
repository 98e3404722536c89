"""What holds of every page: `all_pages` lists them."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from axe_playwright_python.base import AXE_SCRIPT
from django.urls import resolve

from saltant.server.web.urls import urlpatterns
from tests.acceptance.system import Up
from tests.pages import screenshots
from tests.pages.all_pages import PAGES, Case
from tests.pages.browsing import LOOKS, Visitors, dress, visit
from tests.pages.world import ROLES, World, root_of, session_of

LARGEST = 150_000
"""Bytes of a first page, with all that it loads."""
AXE: dict[str, list[str]] = {
    "light": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "dark": ["color-contrast", "link-in-text-block"],
    "narrow": ["target-size", "scrollable-region-focusable"],
}
"""What axe looks for. What the words and roles of a page are it learns from one look; colours and sizes are of each."""
NO_PAGES = {"logout", "result-image", "schedule-times-part", "type-add"}
"""Paths that are answered with no page of their own."""
each_page = pytest.mark.parametrize("case", PAGES, ids=lambda case: case.name)


def faults_of(page: Any, look: str) -> list[str]:
    """What axe says is wrong with a page."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    options = {"runOnly": AXE[look], "resultTypes": ["violations"]}
    found = page.evaluate("(options) => axe.run(options).then((found) => found.violations)", options)
    return [f"{each['id']}: {node['html'][:200]}" for each in found for node in each["nodes"]]


def faults_in_every_look(page: Any, name: str, repeats: str = "") -> list[str]:
    """What is wrong with the page that a window shows, whatever it is looked at with; keeps its pictures."""
    found = []
    for look in LOOKS:
        dress(page, look)
        if repeats and look != "light":
            page.evaluate("(selector) => document.querySelectorAll(selector).forEach((each) => each.remove())", repeats)
        screenshots.take(page, screenshots.folder(), name, look)
        found += [f"{look}: {each}" for each in faults_of(page, look)]
        if (width := overflow_of(page)) > 0:
            found.append(f"{look}: {width} pixels wider than the window")
    dress(page, "light")
    return found


def overflow_of(page: Any) -> int:
    """By how many pixels a page is wider than its window."""
    width: int = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return width


def test_every_path_has_a_case() -> None:
    """A path that no case leads to would be tested by nothing."""
    names: dict[str, Any] = dict.fromkeys(re.findall(r"{(\w+)}", " ".join(case.path for case in PAGES)), 1)
    found = {resolve(urlsplit(case.path_in(names)).path).url_name for case in PAGES if case.name != "not-found"}
    assert {each.name for each in urlpatterns} - found == NO_PAGES


@pytest.fixture(scope="module")
def beginners(untouched_site: Up, browser: Any) -> Iterator[Visitors]:
    """Who looks at a site on which nothing was done yet. First of all: others fill it."""
    sessions = {"nobody": requests.Session(), "admin": session_of(untouched_site, "admin")}
    with Visitors(browser, root_of(untouched_site), sessions) as found:
        yield found


@pytest.mark.parametrize("case", [case for case in PAGES if case.is_empty], ids=lambda case: case.name)
def test_a_site_on_which_nothing_was_done(case: Case, beginners: Visitors) -> None:
    page = beginners.page("nobody" if case.by == "nobody" else "admin")
    assert page.goto(case.path).status == 200
    assert faults_in_every_look(page, f"{case.name}-empty") == []
    assert page.complaints == []


@each_page
def test_everybody_can_use_it(case: Case, visitors: Visitors, world: World) -> None:
    page = visitors.page(case.by)
    status = visit(page, case, world.names).status
    assert faults_in_every_look(page, case.name, case.repeats) == []
    # Chromium complains of answers that say what is wrong, too.
    assert [each for each in page.complaints if f"status of {status}" not in each or status < 400] == []


@each_page
def test_the_policy_and_who_may_see_it(case: Case, world: World) -> None:
    for role in ROLES:
        answer = send(world, world.sessions[role], case)
        assert answer.status_code == case.status[role], f"{role}: {answer.text[:500]}"
        if answer.headers["Content-Type"].startswith("text/html") and answer.status_code != 302:
            policy = answer.headers["Content-Security-Policy"]
            assert "unsafe" not in policy
            assert "default-src 'none'" in policy
            assert answer.headers["X-Frame-Options"] == "DENY"
            assert not [each for each in (" style=", "<style", " onclick", "javascript:") if each in answer.text]


@pytest.mark.parametrize("case", [case for case in PAGES if case.data is None], ids=lambda case: case.name)
def test_without_a_script(case: Case, visitors: Visitors, world: World) -> None:
    page = visitors.page(case.by, script=False)
    answer = page.goto(case.path_in(world.names))
    assert answer.status == case.status[case.by]
    assert page.locator("h1").count() == 1
    assert page.locator(".only-scripted:visible").count() == 0


@pytest.mark.parametrize(
    "case", [case for case in PAGES if case.name in ("home", "instances")], ids=lambda case: case.name
)
def test_a_first_page_is_small(case: Case, visitors: Visitors, world: World) -> None:
    page = visitors.page("stranger")
    page.goto(case.path_in(world.names), wait_until="load")
    every = "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
    sizes = page.evaluate(f"{every}.map((each) => each.decodedBodySize)")
    assert len(sizes) > 5
    assert 0 < sum(sizes) <= LARGEST


@pytest.fixture(scope="module")
def admin_of_empty_site(empty_site: Up) -> requests.Session:
    """Who looks at the pages of a site on which nothing was done."""
    return session_of(empty_site, "admin")


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("case", [case for case in PAGES if case.is_empty], ids=lambda case: case.name)
def send(world: World, session: requests.Session, case: Case) -> requests.Response:
    """What a page is answered with."""
    url = f"{world.root}{case.path_in(world.names)}"
    data = case.data_in(world.names)
    if data is None:
        return session.get(url, timeout=30, allow_redirects=False)
    if "csrftoken" not in session.cookies:
        session.get(f"{world.root}/login", timeout=30)
    data["csrfmiddlewaretoken"] = session.cookies["csrftoken"]
    return session.post(url, data, timeout=30, allow_redirects=False)
