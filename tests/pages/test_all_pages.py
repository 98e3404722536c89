"""What holds of every page: `all_pages` lists them."""

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from django.urls import resolve

from saltant.server.web.urls import urlpatterns
from tests.acceptance.system import Up
from tests.pages import screenshots
from tests.pages.all_pages import PAGES, Case
from tests.pages.browsing import LOOKS, Visitors, open_window, visit
from tests.pages.world import PASSWORD, ROLES, World, root_of, saltant, session_of

LARGEST = 150_000
"""Bytes of a first page, with all that it loads."""
AXE: dict[str, list[str]] = {
    "light": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "dark": ["color-contrast", "link-in-text-block"],
    "narrow": ["target-size", "color-contrast", "scrollable-region-focusable", "aria-hidden-focus", "region"],
}
"""What axe looks for. What the words and roles of a page are it learns from one look; colours and sizes are of each."""
NO_PAGES = {"logout", "result-image", "schedule-times-part"}
"""Paths that are answered with no page of their own."""
each_page = pytest.mark.parametrize("case", PAGES, ids=lambda case: case.name)


def faults_of(page: Any, look: str) -> list[str]:
    """What axe says is wrong with a page."""
    found = Axe().run(page, options={"runOnly": AXE[look], "resultTypes": ["violations"]}).response["violations"]
    return [f"{each['id']}: {node['html'][:200]}" for each in found for node in each["nodes"]]


def overflow_of(page: Any) -> int:
    """By how many pixels a page is wider than its window."""
    width: int = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return width


def test_every_path_has_a_case() -> None:
    """A path that no case leads to would be tested by nothing."""
    names: dict[str, Any] = dict.fromkeys(re.findall(r"{(\w+)}", " ".join(case.path for case in PAGES)), 1)
    found = {resolve(urlsplit(case.path_in(names)).path).url_name for case in PAGES if case.name != "not-found"}
    assert {each.name for each in urlpatterns} - found == NO_PAGES


@each_page
@pytest.mark.parametrize("look", LOOKS)
def test_everybody_can_use_it(case: Case, look: str, visitors: Visitors) -> None:
    page = visitors.page(case.by, look)
    answer = visit(page, case, visitors.world.names)
    screenshots.take(page, screenshots.folder(), case.name, look)
    assert faults_of(page, look) == []
    assert overflow_of(page) <= 0
    # Chromium complains of answers that say what is wrong, too.
    status = answer.status
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


@each_page
def test_without_a_script(case: Case, visitors: Visitors) -> None:
    if case.data is not None:
        pytest.skip("its form is sent by the flows without a script")
    page = visitors.page(case.by, script=False)
    answer = page.goto(case.path_in(visitors.world.names))
    assert answer.status == case.status[case.by]
    assert page.locator("h1").count() == 1
    assert page.locator(".only-scripted:visible").count() == 0


@pytest.mark.parametrize(
    "case", [case for case in PAGES if case.name in ("home", "instances")], ids=lambda case: case.name
)
def test_a_first_page_is_small(case: Case, visitors: Visitors) -> None:
    page = visitors.page("stranger")
    page.goto(case.path_in(visitors.world.names), wait_until="load")
    every = "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
    sizes = page.evaluate(f"{every}.map((each) => each.decodedBodySize)")
    assert len(sizes) > 5
    assert 0 < sum(sizes) <= LARGEST


def test_a_site_on_which_nothing_was_done(empty_site: Up, browser: Any) -> None:
    saltant(empty_site, "user", "password", "admin", "--password-file", "-", stdin=PASSWORD)
    session = session_of(empty_site, "admin")
    for look in LOOKS:
        for case in PAGES:
            if not case.is_empty:
                continue
            signed_in = requests.Session() if case.by == "nobody" else session
            page = open_window(browser, root_of(empty_site), signed_in, look)
            answer = page.goto(case.path)
            screenshots.take(page, screenshots.folder(), f"{case.name}-empty", look)
            assert (answer.status, faults_of(page, look), page.complaints, max(0, overflow_of(page))) == (
                200,
                [],
                [],
                0,
            )
            page.context.close()


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
