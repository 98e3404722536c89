"""Whitelists, as pages."""

import re
from typing import Any

import pytest

from saltant.server.audit.models import AuditEntry
from saltant.server.tasks import services
from saltant.server.tasks.models import TaskType, TaskWhitelist
from tests.integration.conftest import World
from tests.integration.web.conftest import Pages


def text_of(answer: Any) -> str:
    """The page, with one space for each gap."""
    return " ".join(answer.content.decode().split())


def test_made_changed_and_listed(pages: Pages, world: World) -> None:
    made = pages.stranger.post("/whitelists/new", {"name": "mine", "description": "For later."})
    whitelist = TaskWhitelist.objects.get(name="mine")
    assert made["Location"] == f"/whitelists/{whitelist.pk}"
    assert whitelist.user == world.users["stranger"]
    edit = f"/whitelists/{whitelist.pk}/edit"
    assert "For later." in text_of(pages.stranger.get(edit))
    assert pages.owner.get(edit).status_code == 403
    assert pages.owner.post(edit, {"name": "theirs"}).status_code == 403
    for wrong in ("", "list", "x" * 51):
        refused = pages.stranger.post(edit, {"name": wrong, "description": ""})
        assert refused.status_code == 400
        assert re.search(r'id="name-error"><p class="error">', refused.content.decode())
    assert pages.stranger.post(edit, {"name": "renamed", "description": ""}).status_code == 302
    listed = text_of(pages.owner.get("/whitelists"))
    assert listed.index(">list<") < listed.index(">renamed<")
    newest = text_of(pages.owner.get("/whitelists?ordering=-id"))
    assert newest.index(">renamed<") < newest.index(">list<")
    assert ">queue<" in listed
    services.set_archived(whitelist, True, by=world.users["stranger"])
    assert ">renamed<" not in text_of(pages.owner.get("/whitelists"))
    assert ">renamed<" in text_of(pages.owner.get("/whitelists?archived=true"))
    assert pages.owner.get("/whitelists?nonsense=1").status_code == 400


def test_types_are_added_and_taken_off(pages: Pages, world: World) -> None:
    path = f"/whitelists/{world.whitelist.pk}"
    more = TaskType.objects.create(name="more", task_class="executable", user=world.users["stranger"])
    assert "Add types" not in text_of(pages.stranger.get(path))
    assert ">more<" in text_of(pages.owner.get(path))
    assert ">more<" not in text_of(pages.owner.get(f"{path}?find=nothing"))
    assert pages.stranger.post(path, {"do": "add", "type": [more.pk]}).status_code == 403
    assert pages.owner.post(path, {"do": "add", "type": [more.pk, "x"]}).status_code == 302
    assert world.whitelist.task_types.filter(pk=more.pk).exists()
    assert pages.owner.post(path, {"do": "remove", "type": [world.container.pk]}).status_code == 302
    assert not world.whitelist.task_types.filter(pk=world.container.pk).exists()
    details = [each.details for each in AuditEntry.objects.filter(object_id=str(world.whitelist.pk)).order_by("id")]
    assert {"added": ["more"]} in details
    assert {"removed": ["count"]} in details
    for wrong in ({"do": "add"}, {"do": "remove", "type": ["x"]}):
        assert pages.owner.post(path, wrong).status_code == 400
    services.set_archived(world.container, True, by=world.users["owner"])
    refused = pages.owner.post(path, {"do": "add", "type": [world.container.pk]})
    assert refused.status_code == 400
    assert "is archived and cannot be put on a whitelist" in text_of(refused)
    assert pages.owner.post(path, {"do": "explode"}).status_code == 404


def test_a_type_is_pinned(pages: Pages, world: World) -> None:
    services.update_type(world.executable, {"command_to_run": "second"}, world.users["owner"])
    pk, path = world.executable.pk, f"/whitelists/{world.whitelist.pk}"
    assert pages.stranger.post(path, {"do": f"pin-{pk}", f"revision-{pk}": "1"}).status_code == 403
    assert pages.owner.post(path, {"do": f"pin-{pk}", f"revision-{pk}": "1"}).status_code == 302
    pin = world.whitelist.pins.get()
    assert (pin.task_type_id, pin.to_revision) == (pk, 1)
    shown = text_of(pages.owner.get(path))
    assert "<strong>revision 1</strong>" in shown
    assert "revision 1" in text_of(pages.stranger.get(f"/types/{pk}"))
    for number in ("9", "x", "", "0", "99999999999999999999"):
        refused = pages.owner.post(path, {"do": f"pin-{pk}", f"revision-{pk}": number})
        assert refused.status_code == 400, number
        assert 'role="alert"' in text_of(refused)
    assert pages.owner.post(path, {"do": "pin-9999", "revision-9999": "1"}).status_code == 400
    assert pages.owner.post(path, {"do": "pin-", "revision-": "1"}).status_code == 400
    assert pages.owner.post(path, {"do": f"unpin-{pk}"}).status_code == 302
    assert world.whitelist.pins.get().to_revision is None
    assert "from revision 2 on" in text_of(pages.owner.get(path))


@pytest.mark.parametrize(("held", "status"), [(True, 400), (False, 302)])
def test_only_what_no_queue_holds_is_deleted(pages: Pages, world: World, held: bool, status: int) -> None:
    if not held:
        world.queue.whitelists.clear()
    path = f"/whitelists/{world.whitelist.pk}/keep"
    assert pages.stranger.post(path, {"do": "delete", "confirmed": "1"}).status_code == 403
    assert pages.owner.post(path, {"do": "delete"}).status_code == 200
    assert pages.owner.post(path, {"do": "delete", "confirmed": "1"}).status_code == status
    assert TaskWhitelist.objects.filter(pk=world.whitelist.pk).exists() is held
