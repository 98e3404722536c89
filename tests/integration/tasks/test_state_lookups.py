"""Indexes of a few states among many: whether queries find them, and what they find."""

from typing import Any

import pytest
from django.db import connection
from django.db.models import F, QuerySet
from django.http import QueryDict

from saltant.server.api.resources import INSTANCES
from saltant.server.tasks.models import TaskClass, TaskInstance
from saltant.server.tasks.services import due
from saltant.server.tasks.services.statements import FAIL_UNCLAIMED
from saltant.server.tasks.state_lookups import ENDED_BADLY, UNFINISHED_STATES, written
from saltant.states import FINISHED, WAITING, State

pytestmark = pytest.mark.django_db
plans = pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL plans by what a table holds")
ROWS = TaskInstance.objects.order_by()
TABLE = TaskInstance._meta.db_table
MOMENT = "2030-01-01"


def plan_of(sql: str, **parameters: Any) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)
        return "\n".join(row[3] for row in cursor.fetchall())


@plans
def test_a_sweep_reads_nothing_that_has_ended() -> None:
    times = {"now": MOMENT, "horizon": MOMENT, "unsent_since": MOMENT}
    plan = plan_of(due.LOOK._sql, **times)
    assert plan.count(f"SEARCH {TABLE} USING INDEX instance_unfinished (state=?)") == 3
    assert f"SCAN {TABLE} USING INDEX instance_held_back" in plan
    assert plan.count(TABLE) == 4
    plan = plan_of(FAIL_UNCLAIMED._sql, now=MOMENT, has_no_time=True, reason="", message="")
    assert f"SEARCH {TABLE} USING INDEX instance_unfinished (state=?)" in plan


@plans
@pytest.mark.parametrize(
    ("rows", "index"),
    [
        (ROWS.filter(state="published"), "instance_unfinished"),
        (ROWS.filter(state=State.RUNNING, task_class="executable").order_by("-id")[:50], "instance_unfinished"),
        (ROWS.filter(state__in=WAITING), "instance_unfinished"),
        (ROWS.filter(state__in={"failed", "terminated"}), "instance_ended_badly"),
        (ROWS.filter(state="failed").order_by("-id")[:50], "instance_ended_badly"),
        (ROWS.filter(schedule=1, state__in=WAITING), "unfinished_of_schedule"),
    ],
)
def test_queries_find_their_index(rows: "QuerySet[TaskInstance]", index: str) -> None:
    assert f"USING INDEX {index}" in rows.explain()


@plans
@pytest.mark.parametrize("asked", ["created,published,running", "running", "failed,terminated", "terminated,failed"])
def test_lists_of_some_states_do_not_walk_through_the_others(asked: str) -> None:
    said = QueryDict(mutable=True)
    said["state__in"] = asked
    executables = INSTANCES[TaskClass.EXECUTABLE]
    plan = (
        executables.filters(said, executables.all(), strict=True, also=frozenset()).result().order_by("-id").explain()
    )
    assert "INDEX instance_unfinished (state=?)" in plan or "INDEX instance_ended_badly (state=?)" in plan
    assert "instance_class_newest (task_class=?)" not in plan


@pytest.mark.parametrize(
    "rows",
    [
        ROWS.filter(state="successful"),
        ROWS.filter(state__in=FINISHED),
        ROWS.filter(state__in=["created", "failed"]),
        ROWS.filter(state=F("cancelled_by")),
        ROWS.filter(state__in=ROWS.values("reason")),
    ],
)
def test_what_no_index_holds_is_asked_for_as_ever(rows: "QuerySet[TaskInstance]") -> None:
    assert "'" not in str(rows.query).partition("WHERE")[2]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (ROWS.filter(state="running"), UNFINISHED_STATES),
        (ROWS.filter(state__in=WAITING), UNFINISHED_STATES),
        (ROWS.filter(state__in=["failed"]), ENDED_BADLY),
    ],
)
def test_what_an_index_holds_is_written_out(rows: "QuerySet[TaskInstance]", said: tuple[str, ...]) -> None:
    assert written(f'"{TABLE}"."state"', said) in str(rows.query)


@pytest.mark.parametrize("states", [WAITING, FINISHED, ("failed",), ("running", "terminated"), tuple(State)])
def test_they_find_what_is_there(states: tuple[str, ...], world: Any) -> None:
    uuid = world.instance.uuid
    for state in State:
        TaskInstance.objects.filter(uuid=uuid).update(state=state)
        assert ROWS.filter(uuid=uuid, state__in=states).exists() is (state in states)
        assert ROWS.filter(uuid=uuid).exclude(state__in=states).exists() is (state not in states)
        assert ROWS.filter(uuid=uuid, state=state).exists()
