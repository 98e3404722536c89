"""What was read before somebody else's change does not undo it."""

from typing import Any

import pytest
from django.contrib import admin
from django.test import RequestFactory

from saltant.server.admin_tasks import TaskQueueAdmin
from saltant.server.tasks import services
from saltant.server.tasks.models import TaskQueue, TaskType
from tests.integration.tasks.conftest import Lab


def test_a_changed_type_keeps_what_others_changed(lab: Lab) -> None:
    stale = TaskType.objects.get(pk=lab.task_type.pk)
    services.update_type(lab.task_type, {"command_to_run": "/bin/sh", "timeout": 5.0}, lab.user)
    services.update_type(stale, {"description": "new"}, lab.user)
    stored = TaskType.objects.get(pk=stale.pk)
    assert (stored.command_to_run, stored.timeout, stored.description) == ("/bin/sh", 5.0, "new")
    assert stale.command_to_run == "/bin/sh", "it tells what is stored"


@pytest.mark.parametrize("also", [{}, {"name": "renamed"}])
def test_a_queues_form_keeps_it_paused(lab: Lab, also: dict[str, Any]) -> None:
    request = RequestFactory().post("/")
    lab.user.is_superuser = True
    request.user = lab.user
    page = TaskQueueAdmin(TaskQueue, admin.site)
    stale = TaskQueue.objects.get(pk=lab.queue.pk)
    said = {"name": "queue", "user": lab.user.pk, "active": "on", "whitelists": [lab.whitelist.pk], "description": "d"}
    form = page.get_form(request, stale, change=True)(said | also, instance=stale)
    assert form.is_valid(), form.errors
    services.set_paused(lab.queue, True, lab.user)
    page.save_model(request, form.save(commit=False), form, True)
    stored = TaskQueue.objects.get(pk=stale.pk)
    assert (stored.paused, stored.description, stored.name) == (True, "d", also.get("name", "queue"))
