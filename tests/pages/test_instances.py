"""Instances in a browser: run, watched, filtered, looked into, labelled, cloned and terminated, without script too."""

from typing import Any

import pytest

from tests.acceptance.system import wait_until
from tests.pages.browsing import Visitors
from tests.pages.world import PASSWORD, World

SECONDS = 20_000
"""Milliseconds that a page may take to show something. Only a bound."""


def expect_text(page: Any, selector: str, text: str) -> None:
    """Wait until something says a text."""
    page.locator(selector, has_text=text).first.wait_for(timeout=SECONDS)


def test_in_and_out_by_keyboard_alone(browser: Any, world: World) -> None:
    context = browser.new_context(base_url=world.root)
    page = context.new_page()
    page.goto("/instances?state=failed")
    assert page.evaluate("document.activeElement.name") == "username"
    page.keyboard.type("owner")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/instances?state=failed")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    menu = page.locator("details.menu > summary")
    menu.focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Dark").focus()
    page.keyboard.press("Enter")
    assert (
        page.evaluate("getComputedStyle(document.body).colorScheme || document.documentElement.dataset.theme") == "dark"
    )
    page.keyboard.press("Escape")
    assert menu.evaluate("each => each === document.activeElement && !each.parentElement.open")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Sign out").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/login")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    context.close()


def test_the_list_is_live_and_its_filters_are_in_the_address(visitors: Visitors, world: World) -> None:
    page = visitors.page("owner")
    page.goto("/instances")
    expect_text(page, ".live[data-live=on]", "Live")
    page.evaluate("window.untouched = true")
    page.get_by_label("State").select_option("failed")
    page.wait_for_url("**/instances?state=failed")
    expect_text(page, "#list", "a failure")
    assert page.locator("#list", has_text="first count").count() == 0
    page.get_by_label("Search").fill("count-words")
    page.wait_for_url("**/instances?q=count-words&state=failed")
    expect_text(page, "#list", "No instance is like that")
    page.get_by_label("State").select_option("")
    page.wait_for_url("**/instances?q=count-words")
    expect_text(page, "#list", "first count")
    page.get_by_label("Search").fill("made-while-one-looks")
    expect_text(page, "#list", "No instance is like that")
    instance = world.owner.executable_task_instances.create(
        world.names["type"], world.names["queue"], {"text": "x"}, name="made-while-one-looks"
    )
    expect_text(page, "#list tr", "successful")
    assert page.evaluate("window.untouched") is True
    page.go_back()
    page.locator(f"#to-{instance.uuid}").wait_for(timeout=SECONDS)
    assert page.complaints == []


def test_a_run_from_form_to_result(visitors: Visitors, world: World) -> None:
    page = visitors.page("stranger")
    page.goto("/instances")
    page.get_by_role("link", name="Run something").click()
    page.get_by_label("Task type").select_option("count-words")
    page.get_by_role("button", name="Go on").click()
    page.get_by_label("Queue").select_option("default")
    page.get_by_label("text", exact=True).fill("from a form")
    page.get_by_label("Name").fill("by hand")
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url("**/instances/*-*")
    expect_text(page, ".page-head .state", "successful")
    expect_text(page, ".log pre", "line 39")
    assert page.locator(".log pre .b.f2").inner_text() == "ready"
    page.get_by_label("Search in the log").fill("line 7")
    expect_text(page, "[data-log-said]", "1 of 1")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download notes.txt").click()
    assert download.value.path().read_text() == "Two words.\n"
    page.get_by_role("link", name="Look at plot.png").click()
    assert page.locator(".preview img").evaluate("each => each.decode().then(() => each.naturalWidth)") == 10
    page.go_back()
    page.get_by_role("link", name="Edit and run again").click()
    assert page.get_by_label("text", exact=True).input_value() == "from a form"
    assert page.complaints == []


def test_who_reads_a_log_keeps_their_place(visitors: Visitors, world: World) -> None:
    """Though the page around it is drawn anew; and the next attempt's log comes after the first one's."""
    script = "seq 300; test -e $JOB_RESULTS_DIRECTORY/../$JOB_UUID.1 || exit 1; echo the second; exec sleep 600"
    task_type = world.site.executable(f"/bin/sh -c '{script}'", max_attempts=2, retry_on="failed", retry_delay=2)
    manager = world.owner.executable_task_instances
    instance = manager.create(task_type.id, world.names["queue"])
    page = visitors.page("owner")
    page.goto(f"/instances/{instance.uuid}")
    expect_text(page, ".log pre", "300")
    page.get_by_role("button", name="Pause").click()
    log = page.locator(".log pre")
    log.evaluate("each => { each.scrollTop = 1000 }")
    with page.expect_response(lambda answer: answer.url.endswith(instance.uuid)):
        page.evaluate("document.body.dispatchEvent(new Event('saltant:changed'))")
    page.wait_for_function("document.querySelector('.log pre').scrollTop === 1000", timeout=SECONDS)
    wait_until(lambda: instance.sync().attempt == 2 and instance.state == "running", "the next attempt runs")
    expect_text(page, ".facts", "2 of 2")
    expect_text(page, ".log pre", "the second")
    instance.terminate()
    page.get_by_role("button", name="Follow").wait_for(state="hidden", timeout=SECONDS)
    assert page.complaints == []


@pytest.mark.parametrize("script", [True, False])
def test_a_log_is_followed_and_its_job_terminated(visitors: Visitors, world: World, script: bool) -> None:
    site = world.site
    talks = site.executable("/bin/sh -c 'echo one; sleep 2; echo two; exec sleep 600'")
    instance = world.owner.executable_task_instances.create(talks.id, world.names["queue"], name="talks")
    wait_until(lambda: instance.sync().state == "running", "it runs")
    page = visitors.page("owner", script=script)
    page.goto(f"/instances/{instance.uuid}")
    if script:
        page.evaluate("window.untouched = true")
        expect_text(page, ".log pre", "two")
        assert page.get_by_role("button", name="Pause").is_visible()
    page.get_by_role("button", name="Terminate…").click()
    assert page.locator("h1").inner_text() == "Terminate 1 instance?"
    page.get_by_role("button", name="Terminate").click()
    expect_text(page, ".notice.success", "1 instance is being terminated.")
    if script:
        expect_text(page, ".page-head .state", "terminated")
        # The stream says that it was all, and there is nothing to pause any more.
        page.get_by_role("button", name="Pause").wait_for(state="hidden", timeout=SECONDS)
        assert page.get_by_role("button", name="Terminate…").count() == 0
    instance.wait_until_finished(0.02, timeout=60)
    page.goto(f"/instances/{instance.uuid}")
    expect_text(page, ".notice.error", "Terminated by owner.")
    assert "one" in page.locator(".log pre").inner_text()


@pytest.mark.parametrize(("look", "script"), [("light", True), ("narrow", True), ("light", False)])
def test_many_are_picked_labelled_and_cloned(visitors: Visitors, world: World, look: str, script: bool) -> None:
    name = f"picked-{look}-{script}"
    create = world.owner.executable_task_instances.create
    made = [create(world.names["type"], world.names["queue"], {"text": "x"}, name=name) for _ in range(3)]
    world.owner.executable_task_instances.wait_many([each.uuid for each in made])
    page = visitors.page("owner", look, script=script)
    page.goto(f"/instances?name={name}")
    for each in made[:2]:
        page.locator(f"#pick-{each.uuid}").check()
    if script:
        expect_text(page, "[data-picked]", "2 picked")
        page.evaluate("document.body.dispatchEvent(new CustomEvent('saltant:changed'))")
        expect_text(page, "[data-picked]", "2 picked")
    page.get_by_role("button", name="Label…").click()
    page.get_by_label("Label").fill("kept=yes")
    page.get_by_role("button", name="Label all 2").click()
    expect_text(page, ".notice.success", "2 instances have got the label kept=yes.")
    assert page.locator(".chip", has_text="kept=yes").count() == 2
    page.locator(f"#pick-{made[2].uuid}").check()
    page.get_by_role("button", name="Clone…").click()
    page.get_by_role("button", name="Clone", exact=True).click()
    expect_text(page, ".notice.success", "1 clone was made")
    assert page.locator("th[scope=row] a", has_text=name).count() == 4


def test_a_private_queue_keeps_its_logs(visitors: Visitors, world: World) -> None:
    page = visitors.page("owner")
    page.goto(f"/instances/{world.names['hidden']}")
    expect_text(page, ".panel", "Its queue is private")
    assert page.locator("[data-log]").count() == 0
    for path in ("results/table.csv", "image/plot.png"):
        answer = world.sessions["owner"].get(f"{world.root}/instances/{world.names['hidden']}/{path}", timeout=30)
        assert answer.status_code == 403
