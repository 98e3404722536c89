"""What somebody does with a new saltant in a browser, from signing in to draining its worker, in one go.

Short of that without a script, on a narrow screen and by keyboard alone.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from saltant import Client
from tests.acceptance.system import Up, wait_until
from tests.pages import screenshots
from tests.pages.browsing import LOOKS, is_complaint
from tests.pages.test_all_pages import faults_of
from tests.pages.test_instances import SECONDS, expect_text
from tests.pages.world import PASSWORD, root_of, saltant

JOB = r"""
import json, os, pathlib, sys, time
print("begun", flush=True)
gate = pathlib.Path(json.loads(sys.argv[1])["gate"])
while not gate.exists():
    time.sleep(0.02)
print("opened", flush=True)
(pathlib.Path(os.environ["JOB_RESULTS_DIRECTORY"]) / "answer.txt").write_text("42\n")
"""
"""Ends when there is a file."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the jobs' script is."""
    made = tmp_path_factory.mktemp("flow")
    (made / "job.py").write_text(JOB)
    return made


@pytest.fixture(scope="module")
def site(folder: Path) -> Iterator[Up]:
    """A saltant for this file alone: in the end its worker leaves."""
    with Up(folder / "data", "--concurrency", "2") as up:
        saltant(up, "user", "password", "admin", "--password-file", "-", stdin=PASSWORD)
        yield up


@pytest.fixture
def window(browser: Any, site: Up) -> Iterator[Any]:
    """Opens windows in which nobody is signed in."""
    opened = []

    def opens(look: str = "light", **options: Any) -> Any:
        context = browser.new_context(base_url=root_of(site), reduced_motion="reduce", **{**LOOKS[look], **options})
        opened.append(context)
        page = context.new_page()
        page.complaints = []
        page.on("console", lambda said: page.complaints.append(said.text) if is_complaint(said) else None)
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        return page

    yield opens
    for context in opened:
        context.close()


def look_at(page: Any, name: str) -> None:
    """Look at a page that is shown once."""
    screenshots.take(page, screenshots.folder(), name, "light")
    assert faults_of(page, "light") == []


def sign_in(page: Any, name: str = "admin", password: str = PASSWORD) -> None:
    """By the form."""
    page.goto("/")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.locator("details.menu > summary").wait_for(timeout=SECONDS)


def make_type(page: Any, folder: Path, name: str) -> None:
    """Make a type, and let the default queue run it; ends on its page."""
    page.goto("/types")
    page.get_by_role("link", name="New type").click()
    page.get_by_label("Name", exact=False).first.fill(name)
    page.get_by_label("Command").fill(f"/usr/bin/python3 {folder / 'job.py'}")
    page.get_by_label("Required arguments").fill("gate")
    page.get_by_role("button", name="Make it").click()
    expect_text(page, ".notice.success", f"The task type {name} is there.")
    page.get_by_label("Put it on").select_option("default")
    page.get_by_role("button", name="Add").click()
    expect_text(page, ".notice.success", "It is on the whitelist default now.")


def run(page: Any, gate: Path, name: str) -> str:
    """Fill in the form of a type that is being looked at, or of an instance; returns the UUID."""
    page.get_by_label("Queue").select_option("default")
    page.get_by_label("gate", exact=True).fill(str(gate))
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url("**/instances/*-*")
    return str(page.url).rpartition("/")[2]


def terminate(page: Any) -> None:
    """End the instance that is being looked at."""
    page.get_by_role("button", name="Terminate…").click()
    page.get_by_role("button", name="Terminate").click()
    expect_text(page, ".notice.success", "1 instance is being terminated.")


@pytest.mark.parametrize(("look", "script"), [("light", False), ("narrow", True)])
def test_run_and_terminate(window: Any, site: Up, folder: Path, look: str, script: bool) -> None:
    page = window(look, java_script_enabled=script)
    sign_in(page)
    make_type(page, folder, f"{look}-{script}")
    page.get_by_role("link", name="Run this").click()
    uuid = run(page, folder / "never", f"{look}-{script}")
    instance = site.client.executable_task_instances.get(uuid)
    wait_until(lambda: "begun" in instance.logs(), "the log of what runs")
    page.goto("/instances")
    page.get_by_role("link", name=f"{look}-{script}").first.click()
    expect_text(page, ".log pre", "begun")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    terminate(page)
    assert instance.wait_until_finished(0.02, timeout=60).state == "terminated"
    page.goto(f"/instances/{uuid}")
    expect_text(page, ".page-head .state", "terminated")


def test_run_and_terminate_by_keyboard_alone(window: Any, site: Up, folder: Path) -> None:
    page = window()
    page.goto("/")
    page.keyboard.type("admin")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.locator("details.menu > summary").wait_for(timeout=SECONDS)
    task_type = site.executable(f"/usr/bin/python3 {folder / 'job.py'}", name="typed", required_arguments=["gate"])
    page.goto(f"/types/{task_type.id}")
    press(page, "Run this")
    page.wait_for_url("**/instances/run*")
    tab_to(page, "Queue")
    page.keyboard.type("default")
    tab_to(page, "gate")
    page.keyboard.type(str(folder / "never"))
    press(page, "Run")
    page.wait_for_url("**/instances/*-*")
    instance = site.client.executable_task_instances.get(str(page.url).rpartition("/")[2])
    expect_text(page, ".log pre", "begun")
    press(page, "Terminate…")
    expect_text(page, "h1", "Terminate 1 instance?")
    press(page, "Terminate")
    expect_text(page, ".notice.success", "1 instance is being terminated.")
    assert instance.wait_until_finished(0.02, timeout=60).state == "terminated"
    assert page.complaints == []


def test_a_colleague(window: Any) -> None:
    page, theirs, elsewhere = window(), window(), window(java_script_enabled=False)
    sign_in(page)
    page.get_by_role("link", name="Users").click()
    expect_text(page, "h2", "You are alone here")
    page.get_by_role("link", name="New user").click()
    page.get_by_label("Username").fill("ada")
    page.get_by_role("button", name="Make it").click()
    password = page.locator("#password").inner_text()
    look_at(page, "user-password-shown")
    sign_in(theirs, "ada", password)
    sign_in(elsewhere, "ada", password)
    theirs.goto("/profile")
    theirs.get_by_label("Time zone").select_option("Asia/Tokyo")
    theirs.get_by_role("button", name="Save").click()
    expect_text(theirs, ".facts time[data-zoned]", "JST")
    theirs.get_by_role("link", name="Change password").click()
    theirs.get_by_label("Password now").fill(password)
    theirs.get_by_label("New password", exact=True).fill(PASSWORD)
    theirs.get_by_label("New password, once more").fill(PASSWORD)
    theirs.get_by_role("button", name="Change it").click()
    expect_text(theirs, ".notice.success", "Your password is changed.")
    elsewhere.goto("/profile")
    expect_text(elsewhere, "h1", "Sign in")
    page.get_by_role("link", name="I have it").click()
    page.get_by_role("link", name="what was changed about them").click()
    assert page.locator("td[data-label=Did]").all_inner_texts() == ["set password", "update", "create"]
    page.locator("summary", has_text="time zone").click()
    expect_text(page, ".diff ins", "Asia/Tokyo")
    look_at(page, "audit-open")
    page.go_back()
    page.get_by_role("button", name="Deactivate…").click()
    page.get_by_role("button", name="Deactivate").click()
    expect_text(page, ".notice.success", "ada is let in no more.")
    theirs.goto("/profile")
    expect_text(theirs, "h1", "Sign in")


FOCUSED = """() => {
    const each = document.activeElement;
    const label = each.labels?.[0] ?? each;
    const box = each.getBoundingClientRect();
    return [label.textContent.trim().replace(/ optional$/, ""), box.width > 0, getComputedStyle(each).outlineStyle];
}"""


def tab_to(page: Any, name: str) -> None:
    """Press Tab until what has that name has the focus, and shows it."""
    seen = []
    for _ in range(120):
        page.keyboard.press("Tab")
        text, is_there, outline = page.evaluate(FOCUSED)
        if text == name:
            assert is_there
            assert outline != "none"
            return
        seen.append(text[:30])
    raise AssertionError(f"Tab does not lead to {name}: {seen}")


def press(page: Any, name: str) -> None:
    """Go to a link or a button, and press it."""
    tab_to(page, name)
    page.keyboard.press("Enter")


def test_all_of_it(window: Any, site: Up, folder: Path) -> None:
    page, gate = window(), folder / "gate"
    sign_in(page)
    make_type(page, folder, "waits-for-a-file")
    page.get_by_role("link", name="Run this").click()
    uuid = run(page, gate, "the first")
    page.evaluate("window.untouched = true")
    expect_text(page, ".log pre", "begun")
    expect_text(page, ".page-head .state", "running")
    assert "opened" not in page.locator(".log pre").inner_text()
    gate.touch()
    expect_text(page, ".log pre", "opened")
    expect_text(page, ".page-head .state", "successful")
    assert page.evaluate("window.untouched") is True
    with page.expect_download() as download:
        page.get_by_role("link", name="Download answer.txt").click()
    assert download.value.path().read_text() == "42\n"
    page.get_by_role("button", name="Clone…").click()
    page.get_by_role("button", name="Clone", exact=True).click()
    expect_text(page, ".notice.success", "1 clone was made")
    page.goto(f"/instances/{uuid}")
    page.get_by_role("link", name="Edit and run again").click()
    assert page.get_by_label("gate", exact=True).input_value() == str(gate)
    run(page, folder / "never", "the last")
    expect_text(page, ".page-head .state", "running")
    terminate(page)
    expect_text(page, ".page-head .state", "terminated")
    filter_it(page)
    make_and_revoke_a_token(page, site)
    drain(page, site)
    assert page.complaints == []


def filter_it(page: Any) -> None:
    """Look for what was terminated, among what has that type."""
    page.get_by_role("link", name="Instances").first.click()
    page.get_by_label("Search").fill("waits-for-a-file")
    page.get_by_label("State").select_option("terminated")
    page.wait_for_url("**/instances?q=waits-for-a-file&state=terminated")
    expect_text(page, "#list th[scope=row]", "the last")
    assert page.locator("#list th[scope=row]").count() == 1
    page.get_by_label("State").select_option("successful")
    page.wait_for_url("**/instances?q=waits-for-a-file&state=successful")
    expect_text(page, "#list th[scope=row]", "the first")
    assert page.locator("#list th[scope=row]").count() == 2


def make_and_revoke_a_token(page: Any, site: Up) -> None:
    """A token opens the API until it is revoked."""
    page.locator("details.menu > summary").click()
    page.get_by_role("link", name="Tokens").click()
    page.get_by_role("link", name="New token").click()
    page.get_by_label("Name").fill("notebook")
    page.get_by_role("button", name="Make it").click()
    key = page.locator("#key").inner_text()
    look_at(page, "token-key")
    lines = dict(line.removeprefix("export ").split("=", 1) for line in page.locator("#how").inner_text().splitlines())
    client = Client(lines["SALTANT_API_URL"], lines["SALTANT_AUTH_TOKEN"])
    assert lines["SALTANT_AUTH_TOKEN"] == key
    assert client.task_queues.get(name="default").name == "default"
    page.get_by_role("link", name="I have it").click()
    page.get_by_role("link", name="Revoke notebook").click()
    page.get_by_role("button", name="Revoke").click()
    expect_text(page, ".notice.success", "The token notebook opens nothing any more.")
    headers = {"Authorization": f"Token {key}"}
    assert requests.get(f"{site.url}taskqueues/", headers=headers, timeout=30).status_code == 401


def drain(page: Any, site: Up) -> None:
    """The worker takes nothing new, and leaves."""
    page.get_by_role("link", name="Workers").click()
    page.locator("#list th[scope=row] a").click()
    page.get_by_role("button", name="Drain…").click()
    page.get_by_role("button", name="Drain").click()
    expect_text(page, ".notice.success", "takes nothing new from its next heartbeat on.")
    page.locator("#now .state.draining, #now .state.stopped").first.wait_for(timeout=SECONDS)
    wait_until(lambda: all(each.state != "online" for each in site.client.workers.list()), "no worker takes anything")
