"""Queues, workers, schedules and the home page's pictures in a browser, without script too."""

from typing import Any

import pytest

from tests.acceptance.system import Up
from tests.pages.browsing import Visitors, open_window
from tests.pages.test_instances import SECONDS, expect_text
from tests.pages.world import PASSWORD, World, root_of, saltant, session_of


@pytest.mark.parametrize(("look", "script"), [("light", True), ("narrow", False)])
def test_a_queue_from_form_to_archive(visitors: Visitors, world: World, look: str, script: bool) -> None:
    page, name = visitors.page("owner", look, script=script), f"made-{look}"
    page.goto("/queues")
    page.get_by_role("link", name="New queue").click()
    page.get_by_label("Name", exact=True).fill("no spaces")
    page.get_by_label("genetics").check()
    page.get_by_role("button", name="Make it").click()
    expect_text(page, "#name-error", "Enter a valid value")
    assert page.get_by_label("genetics").is_checked()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Runs at most").fill("3")
    page.get_by_role("button", name="Make it").click()
    expect_text(page, ".notice.success", f"The queue {name} is there.")
    expect_text(page, ".tiles", "/ 3")
    page.get_by_role("button", name="Pause").click()
    expect_text(page, ".page-head", "paused")
    count = world.owner.executable_task_types.get(name="align-reads")
    queue = world.owner.task_queues.get(name=name)
    waiting = world.owner.executable_task_instances.create(
        count.id, queue.id, {"reads": "x", "options": {}}, name="put-on-it", revision=1
    )
    if not script:
        page.reload()
    expect_text(page, "#now", "put-on-it")
    waiting.terminate()
    page.get_by_role("button", name="Resume").click()
    expect_text(page, ".notice.success", "goes on.")
    page.get_by_role("link", name="Edit", exact=True).click()
    page.get_by_label("Name", exact=True).fill(f"{name}-2")
    page.get_by_role("button", name="Save").click()
    expect_text(page, "h1", f"{name}-2")
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("button", name="Delete").click()
    expect_text(page, ".notice.error", "cannot be deleted")
    page.get_by_role("button", name="Archive it instead").click()
    expect_text(page, ".notice.success", "is archived")


@pytest.mark.parametrize(("look", "script"), [("light", True), ("narrow", False)])
def test_a_schedule_and_its_next_times(visitors: Visitors, world: World, look: str, script: bool) -> None:
    page, name = visitors.page("owner", look, script=script), f"clock-{look}"

    def look_at_times() -> None:
        if not script:
            page.get_by_role("button", name="Show the next times").click()

    page.goto("/schedules")
    page.get_by_role("link", name="New schedule").click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Task type").select_option("count-words")
    page.get_by_label("Queue").select_option("default")
    page.get_by_label("Arguments").fill('{"text": "by the clock"}')
    page.get_by_label("When", exact=True).fill("0 6 30 2 *")
    look_at_times()
    expect_text(page, "#times", "never comes")
    page.get_by_label("When", exact=True).fill("15 6 * * *")
    look_at_times()
    expect_text(page, "#times li", "06:15")
    assert page.locator("#times li").count() == 5
    page.get_by_label("Time zone").fill("Mars")
    look_at_times()
    expect_text(page, "#times", "There is no time zone 'Mars'")
    page.get_by_label("Time zone").fill("Asia/Tokyo")
    page.get_by_role("button", name="Make it").click()
    expect_text(page, ".notice.success", f"The schedule {name} is there.")
    assert page.locator("ol.times li").count() == 5
    page.get_by_role("button", name="Run now").click()
    page.wait_for_url("**/instances/*-*")
    made = world.owner.executable_task_instances.get(page.url.rpartition("/")[2])
    assert made.wait_until_finished(0.02, timeout=60).state == "successful"
    page.goto("/schedules")
    page.get_by_role("link", name=name, exact=True).click()
    expect_text(page, "#now", "successful")
    page.get_by_role("button", name="Pause").click()
    expect_text(page, ".notice.warning", "It is paused")
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("button", name="Delete").click()
    expect_text(page, ".notice.success", "The instances that it made stay.")


def test_a_worker_is_drained_while_one_looks(empty_site: Up, browser: Any) -> None:
    saltant(empty_site, "user", "password", "admin", "--password-file", "-", stdin=PASSWORD)
    page = open_window(browser, root_of(empty_site), session_of(empty_site, "admin"))
    sleeps = empty_site.executable("/bin/sleep 600", name="sleeps")
    queue = empty_site.client.task_queues.get(name="default")
    page.goto("/workers")
    expect_text(page, ".live[data-live=on]", "Live")
    expect_text(page, "#list", "0 of 1 slot busy")
    job = empty_site.client.executable_task_instances.create(sleeps.id, queue.id, name="a long one")
    expect_text(page, "#list", "1 of 1 slot busy")
    expect_text(page, "#list", "a long one")
    page.locator("#list th a").click()
    page.get_by_role("button", name="Drain…").click()
    expect_text(page, "form", "nothing runs here until that is started again")
    page.get_by_role("button", name="Drain", exact=True).click()
    expect_text(page, ".notice.success", "takes nothing new")
    expect_text(page, "#now", "draining")
    assert page.get_by_role("button", name="Drain…").count() == 0
    job.terminate()
    expect_text(page, "#now", "Nothing now.")
    page.context.close()


def test_pictures_of_the_home_page(visitors: Visitors, world: World) -> None:
    page = visitors.page("owner")
    page.goto("/")
    chart = page.get_by_role("img", name="Instances that ended")
    assert chart.locator("rect.successful").count() >= 1
    page.get_by_role("link", name="Month").click()
    page.wait_for_url("**/?span=month")
    page.locator("#fold-ended").focus()
    page.keyboard.press("Enter")
    row = page.locator("#table-ended tbody tr").last
    row.wait_for(timeout=SECONDS)
    # It stays unfolded when the server draws it anew.
    with page.expect_response("**/?span=month"):
        page.evaluate("htmx.ajax('GET', '?span=month', {target: '#charts', swap: 'outerHTML'})")
    row.wait_for(timeout=SECONDS)
    assert int(row.locator("td").first.inner_text()) >= 1
    page.locator("#charts .ranges a", has_text="count-words").first.wait_for(timeout=SECONDS)
    assert page.complaints == []
