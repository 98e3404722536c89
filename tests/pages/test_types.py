"""Types and whitelists in a browser: made, put on a whitelist, run, changed and taken back, without script too."""

from typing import Any

import pytest

from tests.pages.browsing import Visitors
from tests.pages.test_instances import expect_text
from tests.pages.world import World


@pytest.mark.parametrize(("look", "script"), [("light", True), ("narrow", False)])
def test_a_type_from_form_to_end(visitors: Visitors, world: World, look: str, script: bool) -> None:
    page, name = visitors.page("admin", look, script=script), f"made-{look}"
    page.goto("/types")
    page.get_by_role("link", name="New type").click()
    assert page.get_by_label("Image", exact=True).is_visible() is not script
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Command", exact=True).fill("/bin/echo")
    page.get_by_label("Required arguments").fill("word\ncount")
    defaults = page.get_by_label("Default values")
    defaults.fill('{"count": 3,')
    if script:
        expect_text(page, "#required_arguments_default_values-error", "This is no JSON yet.")
        assert defaults.get_attribute("aria-invalid") == "true"
        page.get_by_label("It runs").select_option("docker")
        assert page.get_by_label("Image", exact=True).is_visible()
        page.get_by_label("It runs").select_option("executable")
    page.get_by_role("button", name="Make it").click()
    expect_text(page, "#required_arguments_default_values-error", "Value must be valid JSON.")
    assert page.get_by_label("Name", exact=True).input_value() == name
    defaults.fill('{"count": 3}')
    page.get_by_role("button", name="Make it").click()
    expect_text(page, ".notice.success", f"The task type {name} is there.")
    expect_text(page, ".panel", "No queue runs it yet")
    page.get_by_label("Put it on").select_option("default")
    page.get_by_role("button", name="Add").click()
    expect_text(page, ".notice.success", "It is on the whitelist default now.")
    page.get_by_role("link", name="Run this").click()
    page.get_by_label("Queue", exact=True).select_option("default")
    page.get_by_label("count", exact=True).fill("four")
    page.get_by_label("word", exact=True).fill("5")
    page.get_by_label("Kind of word").select_option("number")
    page.get_by_role("button", name="Run", exact=True).click()
    expect_text(page, "#argument-2-error", "This is no number")
    page.get_by_label("count", exact=True).fill("4")
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url("**/instances/*-*")
    uuid = page.url.rpartition("/")[2]
    done = world.site.client.executable_task_instances.get(uuid).wait_until_finished(0.02, timeout=60)
    assert (done.state, done.arguments) == ("successful", {"word": 5, "count": 4})
    page.get_by_role("link", name=name).first.click()
    page.locator("svg.bars rect.successful").wait_for(state="attached")  # one, once the page is there
    change_and_take_back(page, name)


def change_and_take_back(page: Any, name: str) -> None:
    """Edit a type, look at what that changed, and have it go back."""
    page.get_by_role("link", name="Edit", exact=True).click()
    page.get_by_label("Command", exact=True).fill("/bin/echo again")
    page.get_by_role("button", name="Save").click()
    expect_text(page, ".notice.success", "Saved as revision 2.")
    page.get_by_role("link", name="Revision 2").click()
    assert page.locator(".diff del").inner_text().endswith("/bin/echo")
    assert page.locator(".diff ins").inner_text().endswith("/bin/echo again")
    page.get_by_role("link", name="History").click()
    page.get_by_role("link", name="Revision 1").click()
    page.get_by_role("button", name="Go back to this…").click()
    assert page.locator("h1").inner_text() == f"Have {name} go back to revision 1?"
    page.get_by_role("button", name="Go back").click()
    expect_text(page, ".notice.success", "as revision 3.")
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("button", name="Delete").click()
    expect_text(page, ".notice.error", "cannot be deleted")
    page.get_by_role("button", name="Archive it instead").click()
    expect_text(page, ".notice.success", "is archived")
    page.get_by_role("button", name="Take it back").click()
    expect_text(page, ".notice.success", "is in use again")
    assert all("status of 400" in each for each in page.complaints)


def test_a_change_that_takes_a_type_off_whitelists_is_asked_about(visitors: Visitors, world: World) -> None:
    page = visitors.page("owner")
    made = world.owner.executable_task_types.create("watched", "/bin/true")
    whitelist = world.site.client.task_whitelists.create("watching", whitelisted_executable_task_types=[made.id])
    page.goto(f"/types/{made.id}/edit")
    page.get_by_label("Command", exact=True).fill("/bin/false")
    page.get_by_role("button", name="Save").click()
    expect_text(page, ".notice.warning", "watching of admin")
    page.get_by_role("button", name="Save, and take it off").first.click()
    expect_text(page, ".notice.success", "It was taken off watching.")
    assert made.id not in whitelist.sync().whitelisted_executable_task_types


@pytest.mark.parametrize("script", [True, False])
def test_a_whitelist_by_keyboard(visitors: Visitors, world: World, script: bool) -> None:
    page, name = visitors.page("owner", "narrow", script=script), f"by-keys-{script}"
    page.goto("/whitelists/new")
    page.get_by_label("Name").focus()
    page.keyboard.type(name)
    page.keyboard.press("Enter")
    expect_text(page, ".notice.success", f"The whitelist {name} is there.")
    page.get_by_label("Search").focus()
    page.keyboard.type("align-reads")
    page.keyboard.press("Enter")
    page.wait_for_url("**?find=align-reads*")
    page.locator("input[name=type]").focus()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Add those picked").focus()
    page.keyboard.press("Enter")
    expect_text(page, ".notice.success", "1 type is on it now.")
    pin = page.get_by_label("Revision of align-reads")
    pin.focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("1")
    page.get_by_role("button", name="Pin align-reads").focus()
    page.keyboard.press("Enter")
    expect_text(page, ".notice.success", "pinned to revision 1")
    page.get_by_role("button", name="Unpin align-reads").focus()
    page.keyboard.press("Enter")
    expect_text(page, ".notice.success", "pinned no more")
