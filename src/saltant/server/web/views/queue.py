"""One queue: what runs and waits on it, who serves it, and what it may run."""

import json
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from rest_framework.exceptions import NotFound

from saltant.server.api import views as api
from saltant.server.api.permissions import check_owner
from saltant.server.api.resources import QUEUES
from saltant.server.tasks.models import TaskQueue, WhitelistPin
from saltant.server.tasks.waiting import live_workers
from saltant.server.web.copies import root_of, use_queue
from saltant.server.web.instances import EITHER
from saltant.server.web.instances import dressed as dressed_instances
from saltant.server.web.queues import loads, state_of_worker, state_word, workers_of
from saltant.server.web.views.base import Page
from saltant.server.web.views.instance import allowed
from saltant.server.web.workers import busy_slots
from saltant.states import State

FEW = 8
"""Instances that each list shows."""
DEEDS: dict[str, tuple[str, bool, str]] = {
    "pause": ("paused", True, "is paused: what is on it waits, what runs goes on."),
    "resume": ("paused", False, "goes on."),
    "close": ("active", False, "is closed: it takes nothing new, and what is on it is still run."),
    "open": ("active", True, "is open again."),
}
"""What is done with one press: the field, its new value, and what is said then."""


class QueueView(Page):
    """All about one queue. POST pauses or resumes it, closes or opens it."""

    template_name = "web/queues/one.html"
    part_name = "web/queues/one_part.html"
    place = "queues"

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Do it."""
        call: Any = request
        if request.POST.get("do") not in DEEDS:
            raise NotFound
        field, value, said = DEEDS[request.POST["do"]]
        with transaction.atomic():
            queue: TaskQueue = QUEUES.get(kwargs["name"], lock=True)
            check_owner(call, queue)
            serializer = QUEUES.serializer("2")(queue, data={field: value}, context={"user": self.user}, partial=True)
            api.ChangeView().save(call, serializer)
        messages.success(request, f"The queue {queue.name} {said}")
        return HttpResponseRedirect(reverse("queue", args=[queue.pk]))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(QUEUES.body("2", kwargs["name"]))
        queue: TaskQueue = QUEUES.get(kwargs["name"])
        workers, busy = workers_of(queue.name, live_workers()), busy_slots()
        pinned = set(WhitelistPin.objects.filter(whitelist__in=body["whitelists"]).values_list("whitelist", flat=True))
        return super().get_context_data(
            body=body,
            state=state_word(body),
            load=loads([queue.pk]).get(queue.pk, {"running": 0, "waiting": 0}),
            workers=[(each, state_of_worker(each), busy.get(each.name, 0)) for each in workers],
            whitelists=[(each, each.pk in pinned) for each in queue.whitelists.select_related("user").order_by("name")],
            runs=[
                word
                for word, field in (
                    ("executables", "runs_executable_tasks"),
                    ("Docker", "runs_docker_container_tasks"),
                    ("Singularity", "runs_singularity_container_tasks"),
                )
                if body[field]
            ],
            running=latest(queue, State.RUNNING),
            waiting=latest(queue, State.PUBLISHED, State.CREATED),
            may_change=allowed(check_owner, self.request, queue),  # type: ignore[arg-type]
            copies=use_queue(queue.name, root_of(self.request)),
            **kwargs,
        )


def latest(queue: TaskQueue, *states: State) -> list[dict[str, Any]]:
    """The newest instances of a queue in some states that have no end yet: an index has only these."""
    representation = EITHER.representation("2")
    rows = EITHER.all().filter(state__in=states, task_queue=queue.pk)
    found = representation.encode(representation.rows(rows, EITHER.ordered(""))[:FEW])
    return dressed_instances([json.loads(each) for each in found])
