"""Home: what runs, what waits and why, what failed lately."""

import json
from collections.abc import Mapping
from datetime import UTC
from typing import Any

from django.db.models import Count
from django.utils import timezone

from saltant.server.tasks.models import TaskInstance, TaskQueue, TaskType, Worker
from saltant.server.tasks.worker_state import WorkerState, rows_in
from saltant.server.web import zones
from saltant.server.web.copies import TEACH
from saltant.server.web.instances import EITHER, dressed
from saltant.server.web.over_time import SPANS, ends_over, span_of, times_of_types
from saltant.server.web.views.base import Page
from saltant.server.web.workers import slots_of_workers
from saltant.states import UNFINISHED, State

FEW = 8
"""How many instances each list shows."""
LOOKED_AT = 100
"""For how many of those that wait it is found out why."""

Places = dict[int, dict[str, Any]]


class HomeView(Page):
    """What this saltant does now."""

    template_name = "web/home.html"
    part_name = "web/home_part.html"
    place = "home"

    @property
    def wanted(self) -> str:
        """The part that htmx fetches again; empty: the page."""
        request: Any = self.request
        return (request.htmx.target or "now") if request.htmx else ""

    def get_template_names(self) -> list[str]:
        return ["web/home_charts.html"] if self.wanted == "charts" else super().get_template_names()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        now = self.now() if self.wanted != "charts" else {}
        charts = self.charts() if self.wanted != "now" else {}
        return super().get_context_data(**now, **charts, **kwargs)

    def charts(self) -> dict[str, Any]:
        """The pictures. They are drawn anew once a minute at most."""
        span = span_of(self.request.GET.get("span", ""))
        now = timezone.localtime(timezone=zones.chosen() or UTC)
        return {
            "span": span,
            "spans": SPANS,
            "ended": ends_over(span, now),
            "zone": now.tzname(),
            "times": times_of_types(),
            "both": (("How long types run", "ran"), ("How long they wait", "waited")),
        }

    def now(self) -> dict[str, Any]:
        """What runs and waits now."""
        counted = by_place()
        waiting = shown(LOOKED_AT, State.PUBLISHED, State.CREATED)
        return {
            "counts": {
                "running": sum(each["running"] for each in counted["queues"]),
                "waiting": sum(each["waiting"] for each in counted["queues"]),
                "online": Worker.objects.filter(rows_in(WorkerState.ONLINE)).count(),
            },
            "by": [("Queue", "task_queue", counted["queues"]), ("Type", "task_type", counted["types"])],
            "running": dressed(shown(FEW, State.RUNNING)),
            "waiting": dressed(waiting[:FEW]),
            "why": reasons(waiting),
            "failed": dressed(shown(FEW, State.FAILED)),
            "is_new": not TaskInstance.objects.exists(),
            "teach": TEACH,
            "slots": slots_of_workers(),
        }


def shown(most: int, *states: State) -> list[dict[str, Any]]:
    """The newest instances in some states, as the API shows them: an index finds those of one state."""
    representation = EITHER.representation("2")
    found: list[dict[str, Any]] = []
    for state in states:
        rows = representation.rows(EITHER.all().filter(state=state), EITHER.ordered(""))[: most - len(found)]
        found += [json.loads(each) for each in representation.encode(rows)]
    return found


def reasons(waiting: list[dict[str, Any]]) -> list[tuple[str, int]]:
    """Why instances wait, and how many for each reason, the most frequent first."""
    found: dict[str, int] = {}
    for each in waiting:
        if each["waiting"]:
            found[each["waiting"]] = found.get(each["waiting"], 0) + 1
    return sorted(found.items(), key=lambda pair: -pair[1])


def by_place() -> dict[str, list[dict[str, Any]]]:
    """How many instances run and wait, for each queue and for each type. Those that have ended are not looked at."""
    rows = (
        TaskInstance.objects.filter(state__in=UNFINISHED)
        .order_by()
        .values_list("task_queue", "task_type", "state")
        .annotate(count=Count("pk"))
    )
    queues: Places = {}
    types: Places = {}
    for queue, task_type, state, count in rows:
        for pk, places in ((queue, queues), (task_type, types)):
            place = places.setdefault(pk, {"pk": pk, "running": 0, "waiting": 0})
            place["running" if state == State.RUNNING else "waiting"] += count
    return {
        "queues": named(queues, dict(TaskQueue.objects.filter(pk__in=queues).values_list("pk", "name"))),
        "types": named(types, dict(TaskType.objects.filter(pk__in=types).values_list("pk", "name"))),
    }


def named(places: Places, names: Mapping[int, str]) -> list[dict[str, Any]]:
    """Places with their names, those where most runs first."""
    found = [{**place, "name": names[pk]} for pk, place in places.items() if pk in names]
    return sorted(found, key=lambda each: (-each["running"], -each["waiting"], each["name"]))
