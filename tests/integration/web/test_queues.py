"""Queues, as pages."""

import re
from datetime import timedelta
from typing import Any

from django.utils import timezone

from saltant.server.audit.models import AuditEntry
from saltant.server.tasks.models import TaskQueue, Worker
from tests.integration.conftest import World
from tests.integration.web.conftest import Pages


def text_of(answer: Any) -> str:
    """The page, with one space for each gap."""
    return " ".join(answer.content.decode().split())


def form_of(world: World, **changes: Any) -> dict[str, Any]:
    """What the form sends if nothing is changed in it."""
    form = {"name": "gpu", "whitelists": [world.whitelist.pk], "runs_executable_tasks": "true"}
    return form | {"runs_docker_container_tasks": "true", "max_running": "4"} | changes


def test_made_changed_and_listed(pages: Pages, world: World) -> None:
    answer = pages.stranger.post("/queues/new", form_of(world))
    queue = TaskQueue.objects.get(name="gpu")
    assert answer["Location"] == f"/queues/{queue.pk}"
    assert (queue.user, queue.max_running, queue.private) == (world.users["stranger"], 4, False)
    assert [queue.runs_executable_tasks, queue.runs_singularity_container_tasks] == [True, False]
    assert list(queue.whitelists.all()) == [world.whitelist]
    edit = f"/queues/{queue.pk}/edit"
    assert 'value="4"' in text_of(pages.stranger.get(edit))
    for path in (edit, f"/queues/{queue.pk}"):
        assert pages.owner.post(path, form_of(world, do="pause")).status_code == 403
    for field, wrong in (
        ("name", "no spaces"),
        ("name", ""),
        ("name", "queue"),
        ("max_running", "0"),
        ("max_running", "many"),
        ("whitelists", ["999999"]),
    ):
        refused = pages.stranger.post(edit, form_of(world) | {field: wrong})
        assert refused.status_code == 400, (field, wrong)
        assert re.search(rf'id="{field}-error"> ?<p class="error">', refused.content.decode()), (field, wrong)
    changed = {"name": "renamed", "max_running": "", "whitelists": [], "private": "true"}
    assert pages.stranger.post(edit, form_of(world) | changed).status_code == 302
    queue.refresh_from_db()
    assert (queue.name, queue.lane, queue.max_running, queue.private) == ("renamed", "gpu", None, True)
    assert "none: it runs nothing" in text_of(pages.owner.get("/queues"))
    assert pages.owner.get("/queues?nonsense=1").status_code == 400
    assert ">renamed<" not in text_of(pages.owner.get("/queues?q=list"))


def test_paused_closed_and_archived(pages: Pages, world: World) -> None:
    world.make(state="published")
    world.make(state="running")
    there = f"/queues/{world.queue.pk}"
    for deed, field, value in (
        ("pause", "paused", True),
        ("resume", "paused", False),
        ("close", "active", False),
        ("open", "active", True),
    ):
        assert pages.stranger.post(there, {"do": deed}).status_code == 403
        assert pages.queue_owner.post(there, {"do": deed}).status_code == 302
        assert getattr(TaskQueue.objects.get(pk=world.queue.pk), field) is value
    assert [each.action for each in AuditEntry.objects.filter(action__in=("pause", "resume")).order_by("id")] == [
        "pause",
        "resume",
    ]
    shown = text_of(pages.owner.get(there))
    assert "No worker serves it now" in shown
    assert 'name="do"' not in shown
    assert pages.queue_owner.post(there, {"do": "explode"}).status_code == 404
    assert pages.queue_owner.post(f"{there}/keep", {"do": "delete"}).status_code == 200
    refused = pages.queue_owner.post(f"{there}/keep", {"do": "delete", "confirmed": "1"})
    assert (refused.status_code, "cannot be deleted" in text_of(refused)) == (400, True)
    assert pages.queue_owner.post(f"{there}/keep", {"do": "archive"}).status_code == 302
    assert ">queue<" not in text_of(pages.owner.get("/queues"))
    for wrong in ("0", "x", "99999999999999999999"):
        assert pages.owner.get(f"/queues/{wrong}").status_code == 404


def test_workers_are_shown_where_they_serve(pages: Pages, world: World) -> None:
    now = timezone.now()
    common = {"slots": 3, "datetime_heartbeat": now, "kinds": ["executable"]}
    Worker.objects.create(name="mine", queues=["queue"], **common)
    Worker.objects.create(name="another", queues=["other"], **common)
    Worker.objects.create(name="silent", queues=["queue"], **common | {"datetime_heartbeat": now - timedelta(days=1)})
    shown = text_of(pages.owner.get(f"/queues/{world.queue.pk}"))
    assert (">mine<" in shown, ">another<" in shown, ">silent<" in shown) == (True, False, False)
    assert "1 worker, 3 slots" in text_of(pages.owner.get("/queues"))


def test_a_worker_is_drained(pages: Pages, world: World) -> None:
    now = timezone.now()
    owner, admin = pages.stranger, pages.admin
    worker = Worker.objects.create(
        name="box 1", user=world.users["stranger"], slots=70, queues=None, datetime_heartbeat=now
    )
    Worker.objects.create(name="gone", slots=1, datetime_heartbeat=now, datetime_left=now)
    listed = text_of(owner.get("/workers"))
    assert "0 of 70 slots busy" in listed
    assert ">gone<" not in listed
    assert ">gone<" in text_of(owner.get("/workers?state=stopped"))
    assert owner.get("/workers?state=asleep").status_code == 400
    there = "/workers/box%201"
    assert "Drain…" in text_of(owner.get(there))
    assert "Drain…" not in text_of(pages.owner.get(there))
    assert pages.owner.post(f"{there}/drain", {"confirmed": "1"}).status_code == 403
    assert "Drain box 1?" in text_of(owner.post(f"{there}/drain"))
    assert not Worker.objects.get(pk=worker.pk).drain
    assert owner.post(f"{there}/drain", {"confirmed": "1"}).status_code == 302
    assert Worker.objects.get(pk=worker.pk).drain
    assert "draining" in text_of(owner.get(there))
    assert AuditEntry.objects.filter(action="drain").count() == 1
    stopped = admin.post("/workers/gone/drain", {"confirmed": "1"}, follow=True)
    assert "has stopped already" in text_of(stopped)
    assert owner.get("/workers/none").status_code == 404
