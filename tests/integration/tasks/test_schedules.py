"""What becomes of the times of schedules, by a clock of the tests' own."""

import threading
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import pytest
from django.db import connection

from saltant.jobs import Kind
from saltant.reasons import Reason
from saltant.server.audit.models import AuditEntry
from saltant.server.tasks import dispatch, services
from saltant.server.tasks.cron import BadCron, UnknownZone, next_time, times, zone_of
from saltant.server.tasks.models import TaskInstance
from saltant.server.tasks.schedule_models import Schedule
from saltant.server.tasks.services import schedules
from saltant.server.tasks.sweeper import Sweeper
from tests.integration.tasks.conftest import Lab

START = datetime(2027, 1, 4, 12, 0, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BOUND = 30.0


def at(minute: float, day: int = 4) -> datetime:
    """A moment so many minutes after noon."""
    return datetime(2027, 1, day, 12, tzinfo=UTC) + minute * MINUTE


def made(lab: Lab, now: datetime = START, **values: Any) -> Schedule:
    """A schedule of every minute."""
    fields = {"name": "s", "user": lab.user, "task_type": lab.task_type, "task_queue": lab.queue, "cron": "* * * * *"}
    schedule = Schedule(**fields | values)
    services.plan(schedule, now)
    schedule.save()
    return schedule


def states(schedule: Schedule) -> list[str]:
    """The states of its instances, the oldest first."""
    return list(TaskInstance.objects.filter(schedule=schedule).order_by("pk").values_list("state", flat=True))


def claimed(lab: Lab) -> TaskInstance:
    """The oldest instance that waits, once a worker has claimed it."""
    ticket = lab.engine.take(None, list(Kind), timeout=0)
    assert ticket is not None
    assert services.claim(ticket, "w1") is not None
    return TaskInstance.objects.get(uuid=ticket.attempt.uuid)


def end(instance: TaskInstance) -> None:
    """Have it end, as its worker says."""
    from saltant.jobs import Attempt, End

    assert services.finish(Attempt(instance.uuid, 1), "w1", End(Reason.EXITED, "", exit_code=0))


def skips() -> list[dict[str, Any]]:
    """What the audit log says of times that made none."""
    return [entry.details for entry in AuditEntry.objects.filter(action="skip").order_by("pk")]


def first_local(cron: str, zone: str, after: str, count: int) -> list[str]:
    """Times as a clock in the zone shows them."""
    found = islice(times(cron, zone_of(zone), datetime.fromisoformat(after)), count)
    return [f"{each.astimezone(zone_of(zone)):%m-%d %H:%M %Z}" for each in found]


@pytest.mark.parametrize(
    ("cron", "after", "wanted"),
    [
        # Put forward: 02:00 to 03:00 is not there.
        ("30 2 * * *", "2027-03-27T12:00Z", ["03-28 03:00 CEST", "03-29 02:30 CEST"]),
        ("0,30 2 * * *", "2027-03-27T12:00Z", ["03-28 03:00 CEST", "03-29 02:00 CEST"]),
        ("0 * * * *", "2027-03-28T00:30Z", ["03-28 03:00 CEST", "03-28 04:00 CEST"]),
        # Put back: 02:00 to 03:00 is there twice.
        ("30 2 * * *", "2027-10-30T12:00Z", ["10-31 02:30 CEST", "11-01 02:30 CET"]),
        ("30 2 * * *", "2027-10-31T01:10Z", ["11-01 02:30 CET"]),
        ("0 * * * *", "2027-10-30T23:30Z", ["10-31 02:00 CEST", "10-31 02:00 CET", "10-31 03:00 CET"]),
    ],
)
def test_clocks_that_are_put_forward_and_back(cron: str, after: str, wanted: list[str]) -> None:
    assert first_local(cron, "Europe/Berlin", after, len(wanted)) == wanted


@pytest.mark.parametrize(
    ("cron", "said"),
    [
        ("0 0 30 2 *", "never comes"),
        ("0 0 31 4,6 *", "never comes"),
        ("* * * * * *", "no seconds"),
        ("61 * * * *", "bad minute"),
        ("* * * * 1#9", "bad day-of-week"),
        ("@daily", "wrong number of fields"),
        ("", "five fields"),
    ],
)
def test_what_is_no_cron_expression(cron: str, said: str) -> None:
    with pytest.raises(BadCron, match=said):
        next_time(cron, UTC, START)


@pytest.mark.parametrize(
    "name", ["", "Mars/Olympus", "../UTC", "/etc/passwd", "America", "localtime", "a\0", "x" * 9999]
)
def test_what_is_no_time_zone(name: str) -> None:
    with pytest.raises(UnknownZone):
        zone_of(name)


def test_a_time_makes_one_instance_of_its_owner(lab: Lab) -> None:
    schedule = made(lab, arguments={"a": 1}, instance_name="n", labels={"k": "v"}, limits={"timeout": 7.0})
    assert services.run_schedules(at(0.9)) is None
    assert services.run_schedules(at(0.9), horizon=MINUTE) == at(1)
    assert states(schedule) == []
    services.run_schedules(at(1))
    services.run_schedules(at(1.5))
    assert states(schedule) == ["published"]
    instance = TaskInstance.objects.get(schedule=schedule)
    assert (instance.user, instance.name, instance.arguments) == (lab.user, "n", {"a": 1})
    assert (instance.labels, instance.timeout) == ({"k": "v"}, 7.0)
    assert lab.ticket() is not None
    schedule.refresh_from_db()
    assert (schedule.last_time, schedule.next_time, schedule.last_instance) == (at(1), at(2), instance)
    assert (schedule.message, skips()) == ("", [])


def test_times_that_came_while_no_server_ran_make_one(lab: Lab) -> None:
    schedule = made(lab)
    services.run_schedules(at(90.5))
    services.run_schedules(at(90.9))
    assert len(states(schedule)) == 1
    schedule.refresh_from_db()
    assert (schedule.last_time, schedule.next_time) == (at(90), at(91))
    assert schedule.message.startswith("90 times came while no server ran, from 2027-01-04 12:01 UTC on")
    assert [entry["times"] for entry in skips()] == [89]
    Schedule.objects.update(overlap="allow")
    services.run_schedules(at(0, day=20))
    schedule.refresh_from_db()
    assert schedule.message.startswith("More than 1000 times")
    assert (len(states(schedule)), schedule.next_time) == (2, at(1, day=20))


def test_a_clock_that_is_put_back_brings_no_time_again(lab: Lab) -> None:
    schedule = made(lab, overlap="allow")
    services.run_schedules(at(10))
    for minute in (5, 9, 10):
        services.run_schedules(at(minute))
    assert len(states(schedule)) == 1
    schedule.refresh_from_db()
    services.plan(schedule, at(5))
    assert schedule.next_time == at(11), "nor does a change of the schedule"
    schedule.last_time = at(0, day=30)
    services.plan(schedule, at(5))
    assert schedule.next_time == at(6), "a clock that was weeks ahead stops nothing"


def test_allow(lab: Lab) -> None:
    schedule = made(lab, overlap="allow")
    for minute in (1, 2):
        services.run_schedules(at(minute))
    assert states(schedule) == ["published", "published"]


def test_skip(lab: Lab) -> None:
    schedule = made(lab, overlap="skip")
    services.run_schedules(at(1))
    first = claimed(lab)
    for minute in (2, 3):
        services.run_schedules(at(minute))
    schedule.refresh_from_db()
    assert schedule.message == f"Instance {first.uuid} had not ended: this time was skipped."
    assert skips() == [{"why": schedule.message}], "once for each reason"
    assert schedule.last_time == at(3)
    end(first)
    services.run_schedules(at(4))
    assert states(schedule) == ["successful", "published"]
    schedule.refresh_from_db()
    assert schedule.message == ""


def test_wait(lab: Lab) -> None:
    schedule = made(lab, overlap="wait")
    services.run_schedules(at(1))
    first = claimed(lab)
    for minute in (2, 2.5, 3):
        services.run_schedules(at(minute))
    schedule.refresh_from_db()
    assert (states(schedule), schedule.waiting_since) == (["running"], at(2))
    why = f"Instance {first.uuid} had not ended, and an instance waits for that already: this time was skipped."
    assert schedule.message == why
    end(first)
    services.run_schedules(at(3.1))
    services.run_schedules(at(3.2))
    assert states(schedule) == ["successful", "published"]
    schedule.refresh_from_db()
    assert (schedule.waiting_since, schedule.message) == (None, "")
    schedule.waiting_since = at(3)
    schedule.active = False
    services.plan(schedule, at(3.3))
    assert (schedule.waiting_since, schedule.next_time) == (None, None), "of one that is paused nothing waits"


def test_replace(lab: Lab) -> None:
    schedule = made(lab, overlap="replace")
    services.run_schedules(at(1))
    services.run_schedules(at(2))
    assert states(schedule) == ["terminated", "published"], "what waits is replaced at once"
    lab.engine.take(None, list(Kind), timeout=0)
    second = claimed(lab)
    services.run_schedules(at(3))
    assert states(schedule) == ["terminated", "running"], "what runs is to be gone first"
    second.refresh_from_db()
    assert second.datetime_cancelled is not None
    end(second)
    services.run_schedules(at(3.1))
    assert states(schedule)[2:] == ["published"]


def test_what_is_refused_is_said_and_the_schedule_goes_on(lab: Lab) -> None:
    schedule = made(lab, overlap="replace")
    services.run_schedules(at(1))
    refusals = []
    changes: list[tuple[Any, dict[str, Any]]] = [
        (lab.queue, {"active": False}),
        (lab.queue, {"active": True, "runs_executable_tasks": False}),
        (lab.queue, {"runs_executable_tasks": True}),
        (lab.user, {"is_active": False}),
    ]
    for minute, (thing, values) in enumerate(changes, 2):
        type(thing).objects.filter(pk=thing.pk).update(**values)
        if minute == 4:
            lab.whitelist.task_types.clear()
        services.run_schedules(at(minute))
        schedule.refresh_from_db()
        assert schedule.next_time == at(minute + 1)
        refusals.append(schedule.message)
    assert states(schedule) == ["published"], "nothing was terminated in vain"
    for sentence, words in zip(
        refusals, ["is inactive", "does not run", "No whitelist", "is deactivated"], strict=True
    ):
        assert words in sentence
    assert skips() == [{"why": each} for each in refusals]
    lab.user.delete()
    services.run_schedules(at(7))
    schedule.refresh_from_db()
    assert "was deleted" in schedule.message


def test_of_a_pinned_type_it_runs_what_is_pinned(lab: Lab) -> None:
    schedule = made(lab, overlap="allow")
    command, first = lab.task_type.command_to_run, lab.task_type.revision
    services.pin(lab.whitelist, {lab.task_type.pk: first})
    services.update_type(lab.task_type, {"command_to_run": "/bin/false"}, lab.user)
    services.run_schedules(at(1))
    services.pin(lab.whitelist, {lab.task_type.pk: lab.task_type.revision})
    services.check_schedule(schedule)
    services.run_schedules(at(2))
    runs = TaskInstance.objects.filter(schedule=schedule).order_by("pk")
    told = [(each.revision, each.snapshot["command_to_run"]) for each in runs]
    assert told == [(first, command), (lab.task_type.revision, "/bin/false")]


def test_one_that_fails_stops_no_other(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, sound = made(lab), made(lab, name="sound")
    submit = schedules.submit

    def fail(**values: Any) -> TaskInstance:
        if values["schedule"].pk == broken.pk:
            raise RuntimeError("a fault")
        return submit(**values)

    monkeypatch.setattr(schedules, "submit", fail)
    services.run_schedules(at(1))
    broken.refresh_from_db()
    assert (states(broken), states(sound)) == ([], ["published"])
    assert (broken.next_time, broken.message) == (at(2), schedules.FAILED)


def test_a_run_by_hand_asks_no_clock(lab: Lab) -> None:
    schedule = made(lab, active=False)
    first = services.run_schedule(schedule=schedule, by=lab.user)
    second = services.run_schedule(schedule=schedule, by=lab.user)
    assert states(schedule) == ["published", "published"]
    schedule.refresh_from_db()
    assert (schedule.last_time, schedule.last_instance) == (None, second)
    assert AuditEntry.objects.filter(action="run", object_id=schedule.pk).count() == 2
    TaskInstance.objects.filter(pk=second.pk).delete()
    schedule.refresh_from_db()
    assert schedule.last_instance is None
    schedule.delete()
    first.refresh_from_db()
    assert first.schedule is None


def test_two_servers_that_both_think_they_lead_make_one(lab: Lab) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one process")
    schedule = made(lab, overlap="allow")
    together = threading.Barrier(4)
    failures: list[Exception] = []

    def lead() -> None:
        try:
            connection.ensure_connection()
            together.wait(BOUND)
            services.run_schedules(at(1))
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=lead) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(BOUND)
    assert (failures, len(states(schedule))) == ([], 1)


class Pauses(threading.Event):
    """Tells how long somebody means to wait for it, and lets them wait for a moment."""

    def __init__(self) -> None:
        super().__init__()
        self.meant: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.meant.append(timeout or 0.0)
        if len(self.meant) == 3:
            self.set()
        return super().wait(0.001)


def test_the_sweeper_sleeps_until_the_next_time(lab: Lab) -> None:
    upcoming = datetime.now(UTC) + timedelta(minutes=5)
    made(lab, next_time=None)
    Schedule.objects.update(next_time=upcoming)
    sweeper = Sweeper(interval=3600.0, lease=3600.0)
    sweeper._stop = pauses = Pauses()
    sweeper.start()
    sweeper._thread.join(BOUND)
    assert pauses.meant[0] == 3600.0
    assert 0 < pauses.meant[1] <= 300.0
    assert pauses.meant[2] <= pauses.meant[1]


def test_replacing_hurries_the_worker_once_it_is_committed(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    made(lab, overlap="replace")
    services.run_schedules(at(1))
    running = claimed(lab)
    hurried: list[tuple[Any, bool]] = []
    monkeypatch.setattr(dispatch, "cancel", lambda each: hurried.append((each.pk, connection.in_atomic_block)))
    services.run_schedules(at(2))
    assert hurried == [(running.pk, False)]
