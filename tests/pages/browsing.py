"""Windows of a browser, and what is asked of every page in one."""

from collections.abc import Mapping
from typing import Any, Self

import requests

from tests.acceptance.system import wait_until
from tests.pages.all_pages import Case

WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 360, "height": 760}
LOOKS: Mapping[str, Mapping[str, Any]] = {
    "light": {"viewport": WIDE, "color_scheme": "light"},
    "dark": {"viewport": WIDE, "color_scheme": "dark"},
    "narrow": {"viewport": NARROW, "color_scheme": "light", "has_touch": True},
}
"""How pages are looked at."""


def open_window(browser: Any, root: str, session: requests.Session, look: str = "light", **options: Any) -> Any:
    """A window that is signed in as a session is. What goes wrong in its console is kept in `complaints`."""
    context = browser.new_context(base_url=root, reduced_motion="reduce", **{**LOOKS[look], **options})
    cookies = [{"name": each.name, "value": each.value, "url": root} for each in session.cookies]
    if cookies:
        context.add_cookies(cookies)
    page = context.new_page()
    page.tools = context.new_cdp_session(page)
    page.complaints = []
    page.on("console", lambda said: page.complaints.append(said.text) if is_complaint(said) else None)
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    return page


def is_complaint(said: Any) -> bool:
    """Whether a line of the console is one. htmx says, too, what requests ended because their page or list was left."""
    ended = ("htmx:afterRequest", "htmx:sendAbort", "htmx:sendError")
    return said.type == "error" and not said.text.startswith(ended)


def dress(page: Any, look: str) -> None:
    """Have a window look another way, without loading its page again."""
    wanted = LOOKS[look]
    page.emulate_media(color_scheme=wanted["color_scheme"])
    by_touch = wanted.get("has_touch", False)
    page.tools.send("Emulation.setTouchEmulationEnabled", {"enabled": by_touch})
    page.set_viewport_size(wanted["viewport"])
    is_by_touch = "matchMedia('(pointer: coarse)').matches"
    wait_until(lambda: page.evaluate(is_by_touch) == by_touch, "fingers in the place of a mouse")


def visit(page: Any, case: Case, names: Mapping[str, Any]) -> Any:
    """Go to a page; one that answers a form is got by sending one."""
    data = case.data_in(names)
    if data is None:
        return page.goto(case.path_in(names), wait_until="load")
    if not page.locator('meta[name="csrf-token"]').count():
        page.goto("/instances", wait_until="load")
    with page.expect_navigation(wait_until="load") as navigation:
        page.evaluate(
            """([path, data]) => {
                const form = document.createElement("form");
                form.method = "post";
                form.action = path;
                const token = document.querySelector('meta[name="csrf-token"]').content;
                for (const [name, value] of Object.entries({ ...data, csrfmiddlewaretoken: token })) {
                    const field = document.createElement("input");
                    Object.assign(field, { name, value });
                    form.append(field);
                }
                document.body.append(form);
                HTMLFormElement.prototype.submit.call(form);
            }""",
            [case.path_in(names), data],
        )
    return navigation.value


class Visitors:
    """Windows by who looks through them and how, opened when they are asked for first."""

    def __init__(self, browser: Any, root: str, sessions: Mapping[str, requests.Session]) -> None:
        self.browser = browser
        self.root = root
        self.sessions = sessions
        self._open: dict[tuple[str, str, bool], Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for page in self._open.values():
            page.context.close()

    def page(self, role: str, look: str = "light", *, script: bool = True) -> Any:
        """The window of a role."""
        key = (role, look, script)
        if key not in self._open:
            options = {} if script else {"java_script_enabled": False}
            self._open[key] = open_window(self.browser, self.root, self.sessions[role], look, **options)
        page = self._open[key]
        page.complaints.clear()
        return page
