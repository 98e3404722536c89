"""Schedules, as pages."""

import re
from typing import Any

import pytest

from saltant.server.audit.models import AuditEntry
from saltant.server.tasks.models import TaskInstance
from saltant.server.tasks.schedule_models import Schedule
from tests.integration.conftest import World
from tests.integration.web.conftest import Pages
from tests.integration.web.test_queues import text_of


def form_of(world: World, **changes: Any) -> dict[str, Any]:
    """What the form sends."""
    form = {
        "name": "nightly",
        "task_type": world.executable.pk,
        "task_queue": world.queue.pk,
        "arguments": '{"text": "a"}',
        "cron": "30  2 * * *",
        "timezone": "Europe/Berlin",
        "overlap": "wait",
        "labels": "by=clock\nurgent",
        "limits": '{"timeout": 60}',
    }
    return form | changes


@pytest.fixture
def nightly(pages: Pages, world: World) -> Schedule:
    """A schedule of the owner's."""
    assert pages.owner.post("/schedules/new", form_of(world)).status_code == 302
    return Schedule.objects.get(name="nightly")


def test_made_changed_and_listed(pages: Pages, world: World, nightly: Schedule) -> None:
    assert (nightly.user, nightly.cron, nightly.overlap) == (world.users["owner"], "30 2 * * *", "wait")
    assert nightly.labels == {"by": "clock", "urgent": ""}
    assert (nightly.limits, nightly.arguments) == ({"timeout": 60}, {"text": "a"})
    edit = f"/schedules/{nightly.pk}/edit"
    shown = text_of(pages.owner.get(edit))
    assert "It would run next" in shown
    assert "by=clock urgent" in shown
    assert pages.stranger.get(edit).status_code == 403
    assert pages.stranger.post(edit, form_of(world)).status_code == 403
    for field, wrong in (
        ("name", ""),
        ("cron", "every night"),
        ("cron", "0 0 30 2 *"),
        ("cron", "* " * 60),
        ("timezone", "Mars/Base"),
        ("task_type", ""),
        ("task_queue", "999999"),
        ("arguments", "{"),
        ("limits", '{"timeout": -1}'),
        ("overlap", "explode"),
    ):
        for path in (edit, "/schedules/new"):
            refused = pages.owner.post(path, form_of(world, name="other") | {field: wrong})
            assert refused.status_code == 400, (field, wrong)
            assert re.search(rf'id="{field}-error"><p class="error">', refused.content.decode()), (field, wrong)
    assert pages.owner.post(edit, form_of(world, cron="0 4 * * *", labels="", limits="")).status_code == 302
    nightly.refresh_from_db()
    assert (nightly.cron, nightly.labels, nightly.limits) == ("0 4 * * *", {}, {})
    listed = text_of(pages.stranger.get("/schedules"))
    assert "<code>0 4 * * *</code>" in listed
    assert "No schedule is like that" in text_of(pages.stranger.get("/schedules?q=weekly"))
    assert pages.stranger.get("/schedules?nonsense=1").status_code == 400
    assert pages.stranger.get("/schedules/999999").status_code == 404


def test_the_next_times_are_shown_without_saving(pages: Pages, world: World) -> None:
    part = pages.owner.get("/schedules/times", {"cron": "0 6 * * *", "timezone": "Asia/Tokyo"}).content.decode()
    assert part.count(" 06:00 ") == 5
    assert part.count("T21:00:00Z") == 5
    assert "There is no time zone" in text_of(pages.owner.get("/schedules/times?cron=0+6+*+*+*&timezone=x"))
    for wrong in ("x", "0 0 30 2 *", "0 6 * * *" * 90, "\0"):
        answer = pages.owner.get("/schedules/times", {"cron": wrong, "timezone": "UTC"})
        assert (answer.status_code, "<li>" in answer.content.decode()) == (200, False)
    looked = pages.owner.post("/schedules/new", form_of(world, look="1"))
    assert "It would run next" in text_of(looked)
    assert not Schedule.objects.exists()


def test_run_paused_resumed_and_deleted(pages: Pages, world: World, nightly: Schedule) -> None:
    there = f"/schedules/{nightly.pk}"
    for deed in ("run", "pause", "resume", "delete"):
        assert pages.stranger.post(there, {"do": deed, "confirmed": "1"}).status_code == 403
    made = pages.owner.post(there, {"do": "run"})
    instance = TaskInstance.objects.get(schedule=nightly.pk)
    assert made["Location"] == f"/instances/{instance.uuid}"
    assert str(instance.uuid) in pages.stranger.get(there).content.decode()
    assert pages.owner.post(there, {"do": "pause"}).status_code == 302
    nightly.refresh_from_db()
    assert (nightly.active, nightly.next_time) == (False, None)
    assert "If it were not paused" in text_of(pages.owner.get(there))
    assert pages.owner.post(there, {"do": "resume"}).status_code == 302
    world.whitelist.task_types.clear()
    refused = pages.owner.post(there, {"do": "run"})
    assert (refused.status_code, 'role="alert"' in refused.content.decode()) == (400, True)
    assert pages.owner.post(there, {"do": "explode"}).status_code == 404
    assert "Delete nightly?" in text_of(pages.owner.post(there, {"do": "delete"}))
    assert pages.owner.post(there, {"do": "delete", "confirmed": "1"})["Location"] == "/schedules"
    assert not Schedule.objects.exists()
    assert TaskInstance.objects.filter(pk=instance.pk).exists()
    assert AuditEntry.objects.filter(action="delete", object_name="nightly").count() == 1
