"""One instance."""

import json
import shlex
from typing import Any

from django.http import HttpRequest
from rest_framework.exceptions import PermissionDenied

from saltant.server.api.after_views import AFTER, DEPENDENTS
from saltant.server.api.instance_views import ATTEMPTS
from saltant.server.api.permissions import check_may_end, check_may_read, check_owner
from saltant.server.api.result_views import results_of
from saltant.server.files.models import LogFile
from saltant.server.tasks.models import LIMITS, TaskAttempt, TaskClass, TaskDependency, TaskInstance
from saltant.server.web import copies, life, previews
from saltant.server.web.instances import EITHER, one
from saltant.server.web.log_text import last_lines
from saltant.server.web.views.base import Page
from saltant.states import State

STREAMS = ("stdout", "stderr")
MOST = 50
"""How many others that it waits for, or that wait for it, are shown."""
LIMIT_WORDS = {
    "timeout": "Timeout",
    "queue_timeout": "Waits at most",
    "max_attempts": "Attempts",
    "retry_on": "Tried again after",
    "retry_delay": "Delay before that",
    "memory": "Memory",
    "cpus": "Processors",
    "priority": "Priority",
    "gpus": "GPUs",
}


def allowed(check: Any, request: HttpRequest, instance: TaskInstance) -> bool:
    """Whether a check of the API lets a request through."""
    try:
        check(request, instance)
    except PermissionDenied:
        return False
    return True


class InstanceView(Page):
    """All about one instance."""

    template_name = "web/instances/one.html"
    part_name = "web/instances/one_part.html"
    place = "instances"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        body = one(kwargs["name"])
        instance: TaskInstance = EITHER.get(kwargs["name"])
        attempts = [
            json.loads(each)
            for each in ATTEMPTS.encode(ATTEMPTS.rows(TaskAttempt.objects.filter(instance=instance.pk)))
        ]
        depends = TaskDependency.objects.all()
        may_read = allowed(check_may_read, self.request, instance)
        state = State(body["state"])
        api = f"/api/{body['task_class']}taskinstances/{body['uuid']}"
        return super().get_context_data(
            body=body,
            is_finished=state.is_finished,
            why=life.why(body) if state.is_finished else "",
            after=[json.loads(each) for each in AFTER.encode(AFTER.rows(depends.filter(instance=instance.pk))[:MOST])],
            dependents=[
                json.loads(each) for each in DEPENDENTS.encode(DEPENDENTS.rows(depends.filter(on=instance.pk))[:MOST])
            ],
            timeline=life.timeline(instance, body, attempts),
            attempts=attempts,
            used=life.used(body),
            limits=[(LIMIT_WORDS[name], name, body[name]) for name in LIMITS if body[name] is not None],
            snapshot=snapshot_of(instance),
            command=shlex.join(body["command"]) if body["command"] else "",
            live=f"uuid__startswith={body['uuid']}",
            api=api,
            may_end=not state.is_finished and allowed(check_may_end, self.request, instance),
            may_label=allowed(check_owner, self.request, instance),
            may_read=may_read,
            **(self.files(instance, body) if may_read else {}),
            copies=[
                ("python", "Python", copies.python(body)),
                ("curl", "curl", copies.curl(body, f"{self.request.scheme}://{self.request.get_host()}")),
                ("command-line", "a command line", copies.command_line(body)),
            ],
            **kwargs,
        )

    def files(self, instance: TaskInstance, body: dict[str, Any]) -> dict[str, Any]:
        """Its logs and results."""
        attempt = TaskAttempt.objects.filter(instance=instance.pk, number=instance.attempt).first()
        found = {row.name: row for row in LogFile.objects.filter(attempt=attempt)} if attempt else {}
        names = [*STREAMS, *sorted(name for name in found if name not in STREAMS)]
        asked = self.request.GET.get("log", "")
        name = asked if asked in names else "stdout"
        if asked not in names and "stdout" not in found and "stderr" in found:
            name = "stderr"
        row = found.get(name)
        results = results_of(instance.attempt, attempt) if attempt else []
        return {
            "logs": [(each, found[each].size if each in found else 0) for each in names],
            "log": name,
            "log_row": row,
            "log_text": last_lines(instance, row) if row else "",
            "results": [each | {"preview": previews.kind_of(each["name"])} for each in results],
            "has_results": any(each["why"] is None for each in results),
        }


def snapshot_of(instance: TaskInstance) -> list[tuple[str, str]]:
    """What it runs, as it was when it was made, without what says nothing."""
    snapshot: dict[str, Any] = instance.snapshot
    said = {name: value for name, value in snapshot.items() if value not in (None, "", [], {}, False)}
    if instance.task_class == TaskClass.EXECUTABLE:
        said = {name: value for name, value in said.items() if name not in ("pull_policy", "network")}
    return [
        (name.replace("_", " "), ", ".join(map(str, value)) if isinstance(value, list) else str(value))
        for name, value in said.items()
    ]
