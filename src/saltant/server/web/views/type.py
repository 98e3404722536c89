"""One task type."""

import json
from typing import Any

from saltant.server.api.permissions import check_owner
from saltant.server.tasks import services
from saltant.server.tasks.models import LIMITS, TaskInstance, TaskQueue, TaskType, TaskWhitelist, WhitelistPin
from saltant.server.web import copies
from saltant.server.web.instances import EITHER as INSTANCES
from saltant.server.web.instances import dressed
from saltant.server.web.run_times import run_times
from saltant.server.web.type_entries import entries_of, title_of
from saltant.server.web.type_resource import EITHER, kind_of, one, pinned_on, whitelists_of
from saltant.server.web.views.base import Page
from saltant.server.web.views.instance import LIMIT_WORDS, allowed
from saltant.server.web.views.type_history import latest_revisions

LATEST = 10
ELSEWHERE = ("name", "description", "required_arguments", "required_arguments_default_values", *LIMITS)
"""What the page does not show among what a type runs with."""


class TypeView(Page):
    """All about one task type."""

    template_name = "web/types/one.html"
    place = "types"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        body = one(kwargs["name"])
        task_type: TaskType = EITHER.get(kwargs["name"])
        latest = TaskInstance.objects.filter(task_type=task_type.pk).order_by("-pk")
        shown = INSTANCES.representation("2")
        ids = list(latest.values_list("pk", flat=True)[:LATEST])
        rows = shown.encode(shown.rows(TaskInstance.objects.filter(pk__in=ids)))
        held = list(whitelists_of(task_type))
        pins = dict(WhitelistPin.objects.filter(task_type=task_type.pk).values_list("whitelist", "to_revision"))
        defaults: Any = task_type.required_arguments_default_values
        queues, pinned = queues_of(held), pinned_on(task_type)
        return super().get_context_data(
            body=body,
            task_type=task_type,
            kind=kind_of(body),
            facts=[(title_of(each.name), each.name, body[each.name]) for each in facts_of(task_type, body)],
            limits=[(LIMIT_WORDS[name], name, body[name]) for name in LIMITS if body[name] is not None],
            required=[(name, name in defaults, defaults.get(name)) for name in body["required_arguments"]],
            whitelists=[(each, pins.get(each.pk)) for each in held],
            queues=[(each, each.accepts(task_type.kind), pinned.get(each.pk, [])) for each in queues],
            own_whitelists=self.whitelists_to_add(task_type),
            latest=dressed([json.loads(each) for each in rows]),
            times=run_times(task_type),
            revisions=latest_revisions(task_type, 5),
            may_change=allowed(check_owner, self.request, task_type),  # type: ignore[arg-type]
            copies=self.copies(body, task_type, queues),
            **kwargs,
        )

    def whitelists_to_add(self, task_type: TaskType) -> list[TaskWhitelist]:
        """The whitelists to which whoever looks may add it."""
        if task_type.datetime_archived:
            return []
        rows = TaskWhitelist.objects.filter(datetime_archived__isnull=True).exclude(task_types=task_type.pk)
        mine = rows if self.user.is_admin else rows.filter(user=self.user)
        return list(mine.order_by("name")[:200])

    def copies(self, body: dict[str, Any], task_type: TaskType, queues: list[TaskQueue]) -> list[tuple[str, str, str]]:
        """How it is run from elsewhere."""
        usable = services.usable_queues(self.user).filter(pk__in=[each.pk for each in queues])
        queue = usable.order_by("name").first() or TaskQueue(pk=0, name="my-queue")
        defaults = body["required_arguments_default_values"]
        instance = {
            "task_class": body["task_class"],
            "task_type": task_type.pk,
            "task_queue": queue.pk,
            "type": task_type,
            "queue": queue,
            "arguments": {name: defaults.get(name, "…") for name in body["required_arguments"]},
            "name": "",
            "labels": {},
        }
        root = f"{self.request.scheme}://{self.request.get_host()}"
        return [
            ("python", "Python", copies.python(instance)),
            ("curl", "curl", copies.curl(instance, root)),
            ("command-line", "a command line", copies.command_line(instance)),
        ]


def facts_of(task_type: TaskType, body: dict[str, Any]) -> list[Any]:
    """Of what it runs with, what it says."""
    entries = [each for each in entries_of(task_type.kind) if each.name not in ELSEWHERE]
    return [each for each in entries if body[each.name] not in (None, "", [], {})]


def queues_of(whitelists: list[TaskWhitelist]) -> list[TaskQueue]:
    """The queues that hold whitelists which are in use."""
    used = [each.pk for each in whitelists if each.datetime_archived is None]
    rows = TaskQueue.objects.filter(datetime_archived__isnull=True, whitelists__in=used)
    return list(rows.distinct().order_by("name"))
