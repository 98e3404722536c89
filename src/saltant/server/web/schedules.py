"""Schedules as pages list, ask for and show them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db.models import Q

from saltant.schedules import Overlap
from saltant.server.api import views as api
from saltant.server.api.resources import SCHEDULES
from saltant.server.tasks import services
from saltant.server.tasks.cron import UnknownZone, zone_of
from saltant.server.tasks.models import TaskInstance, TaskQueue, TaskType
from saltant.server.tasks.schedule_models import Schedule
from saltant.server.web import forms
from saltant.server.web.members import ids
from saltant.server.web.views.run import labels_in

OVERLAPS = {
    Overlap.SKIP: "this time is skipped",
    Overlap.ALLOW: "both run",
    Overlap.REPLACE: "it is terminated, and the new one starts",
    Overlap.WAIT: "the new one waits until it has ended",
}
"""What happens if the last one still runs, in words."""
TIMES = (
    forms.Entry("cron", "When", required=True, example="30 2 * * *", help="Minute, hour, day, month and day of week."),
    forms.Entry("timezone", "Time zone", required=True, example="Europe/Berlin", help="Such as Europe/Berlin, or UTC."),
)
CHOICES = [(each.value, words) for each, words in OVERLAPS.items()]
OVERLAP = forms.Entry("overlap", "If the last one still runs", "choice", choices=CHOICES, required=True)
ABOUT = (
    forms.Entry("name", "Name", required=True, example="nightly", help="Unique; at most 200 characters."),
    forms.Entry("description", "Description", "area", "What it is for."),
)
TYPE = forms.Entry("task_type", "Task type", "choice", required=True)
QUEUE = forms.Entry("task_queue", "Queue", "choice", required=True, help="A whitelist of it has to hold the type.")
ARGUMENTS = forms.Entry(
    "arguments", "Arguments", "json", "JSON: what the type requires and has no default for.", example='{"seed": 1}'
)
MORE = (
    forms.Entry("instance_name", "Name of its instances"),
    forms.Entry("labels", "Labels of its instances", "area", "One a line: key=value."),
    forms.Entry("limits", "Limits", "json", "JSON: those that win over the type's.", example='{"timeout": 3600}'),
)
EVERY = (*ABOUT, TYPE, QUEUE, ARGUMENTS, *TIMES, OVERLAP, *MORE)
MOST_CHOICES = 1000
SHOWN = 5
"""Upcoming times that are shown."""
LONGEST = 100
EMPTY = {each.name: "" for each in EVERY} | {"timezone": "UTC", "overlap": Overlap.SKIP.value}


@dataclass(frozen=True)
class Upcoming:
    """The next times of a schedule: in its own time zone, and as moments; or what is wrong with `field`."""

    times: tuple[tuple[str, datetime], ...] = ()
    field: str = ""
    error: str = ""


def upcoming(cron: str, timezone: str, schedule: Schedule | None = None) -> Upcoming:
    """The next times of a schedule, or of one that would have this expression and time zone."""
    text = " ".join(cron.split())
    if schedule is None and not text:
        return Upcoming()
    if len(text) > LONGEST:
        return Upcoming(field="cron", error=f"Ensure this field has no more than {LONGEST} characters.")
    made = schedule or Schedule(cron=text, timezone=timezone.strip())
    try:
        zone = zone_of(made.timezone)
        moments = services.upcoming_times(made, SHOWN)
    except UnknownZone as error:
        return Upcoming(field="timezone", error=str(error))
    except ValueError as error:
        return Upcoming(field="cron", error=str(error))
    if not moments:
        return Upcoming(field="cron", error="This time never comes.")
    return Upcoming(tuple((f"{each.astimezone(zone):%a %d %b %Y %H:%M}", each) for each in moments))


def dressed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with their types and queues, and how the last instance of each is."""
    types = TaskType.objects.only("name", "task_class").in_bulk({row["task_type"] for row in rows})
    queues = TaskQueue.objects.only("name").in_bulk({row["task_queue"] for row in rows})
    last = {row["last_instance"] for row in rows if row["last_instance"]}
    states = {
        str(uuid): state for uuid, state in TaskInstance.objects.filter(uuid__in=last).values_list("uuid", "state")
    }
    return [
        row
        | {
            "type": types.get(row["task_type"]),
            "queue": queues.get(row["task_queue"]),
            "last_state": states.get(row["last_instance"] or "", ""),
        }
        for row in rows
    ]


def with_choices(entries: Iterable[forms.Entry], user: Any, values: Mapping[str, str]) -> list[forms.Entry]:
    """The entries, with the types and queues that there are to be chosen from."""
    chosen = {name: pk for name in ("task_type", "task_queue") for pk in ids([values.get(name, "")])}
    in_use = Q(datetime_archived=None)
    types = TaskType.objects.filter(in_use | Q(pk=chosen.get("task_type"))).order_by("name", "task_class")
    usable = Q(pk__in=services.usable_queues(user).values("pk")) & in_use
    queues = TaskQueue.objects.filter(usable | Q(pk=chosen.get("task_queue"))).order_by("name")
    words = {
        "task_type": [(str(each.pk), type_words(each)) for each in types[:MOST_CHOICES]],
        "task_queue": [(str(each.pk), each.name) for each in queues[:MOST_CHOICES]],
    }
    return [
        replace(each, choices=[("", "choose one"), *words[each.name]]) if each.name in words else each
        for each in entries
    ]


def type_words(task_type: TaskType) -> str:
    """A type, told from one of the other class that has its name."""
    return f"{task_type.name} (container)" if task_type.task_class == "container" else task_type.name


def values_of(schedule: Schedule) -> dict[str, str]:
    """A schedule as its form shows it."""
    values = {each.name: forms.shown(each, getattr(schedule, each.name)) for each in EVERY if each.name != "labels"}
    labels: Mapping[str, str] = schedule.labels
    lines = "\n".join(f"{key}={value}" for key, value in labels.items())
    chosen = {"task_type": str(schedule.task_type_id), "task_queue": str(schedule.task_queue_id)}
    return values | chosen | {"labels": lines}


def save_schedule(request: Any, schedule: Schedule | None, values: Mapping[str, str]) -> Schedule:
    """Make or change a schedule as the API does.

    Raises:
        ValidationError: something is wrong.
    """
    is_old = schedule is not None
    serializer = SCHEDULES.serializer("2")(schedule, data={}, context={"user": request.user}, partial=is_old)
    data = forms.read(EVERY, values, serializer) | {"labels": labels_in(values["labels"])}
    # What was not chosen is missing, in words that say so.
    chosen = {name: data.pop(name) for name in ("task_type", "task_queue")}
    serializer.initial_data = data | {name: value or None for name, value in chosen.items()}
    saved: Schedule = (api.ChangeView() if is_old else api.ListCreateView()).save(request, serializer)
    return saved
