"""How far jobs are: what workers tell, and what is kept and shown of it."""

import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from saltant.jobs import Attempt, End
from saltant.progress import Progress
from saltant.reasons import Reason
from saltant.server.tasks import changes, services
from saltant.server.tasks.models import TaskAttempt, TaskInstance
from tests.integration.api.test_events import Stream
from tests.integration.api.test_worker_endpoints import NAME, announced, make, say, ticket
from tests.integration.conftest import V2, Cast, World
from tests.integration.tasks.conftest import Lab

HALF = Progress(50.0, "reading", 1, 2)


def attempt_of(instance: TaskInstance) -> Attempt:
    return Attempt(instance.uuid, instance.attempt)


def kept(instance: TaskInstance) -> Any:
    return instance.attempts.get(number=instance.attempt).progress


def test_a_heartbeat_keeps_it_and_an_end_keeps_the_last_of_it(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(changes, "_outlet", lambda change, uuids: told.extend(uuids))
    one, silent, foreign = lab.claim(), lab.claim(), lab.claim("w2")
    mine = {attempt_of(each): None for each in (one, silent)}
    told.clear()
    services.heartbeat("w1", mine, {attempt_of(one): HALF, attempt_of(foreign): HALF})
    assert told == [one.uuid.hex]
    assert kept(one) | {"datetime": ""} == {
        "percent": 50.0,
        "message": "reading",
        "done": 1,
        "total": 2,
        "datetime": "",
    }
    assert (kept(silent), kept(foreign)) == (None, None)
    assert services.finish(attempt_of(one), "w1", End(Reason.EXITED, exit_code=0, progress=Progress(100.0)))
    assert kept(one)["percent"] == 100.0
    # What comes late changes nothing.
    services.heartbeat("w1", mine, {attempt_of(one): HALF})
    assert kept(one)["percent"] == 100.0
    assert services.finish(attempt_of(silent), "w1", End(Reason.EXITED, exit_code=1))
    assert kept(silent) is None


def test_it_costs_nothing_where_there_is_none(lab: Lab) -> None:
    counts = []
    for progress in (None, HALF):
        instance = lab.claim()
        with CaptureQueriesContext(
            connection,
        ) as queries:
            services.heartbeat("w1", {attempt_of(instance): None})
            services.finish(attempt_of(instance), "w1", End(Reason.EXITED, exit_code=0, progress=progress))
        counts.append(len(queries))
    assert counts[1] == counts[0] + 1


def test_another_attempt_begins_anew(lab: Lab) -> None:
    instance = lab.claim()
    TaskInstance.objects.filter(pk=instance.pk).update(max_attempts=2, retry_on="failed", retry_delay=0.0)
    services.finish(attempt_of(instance), "w1", End(Reason.EXITED, exit_code=1, progress=HALF))
    instance.refresh_from_db()
    assert instance.attempt == 2
    assert instance.attempts.get().progress["percent"] == 50.0


def test_from_the_worker_to_the_api(cast: Cast, world: World) -> None:
    instance = make(world)
    worker = announced(cast.worker)
    assert say(worker, "claim", {"worker": NAME, "tickets": [ticket(instance)]}).json()["jobs"] != [None]
    path = f"/api/executabletaskinstances/{instance.uuid}/"
    assert cast.owner.get2(path).json()["progress"] is None
    stream = Stream(cast.owner)
    stream.look()

    def beat(progress: Any) -> Any:
        running = [{"uuid": str(instance.uuid), "number": 1, "started": None, "progress": progress}]
        answer = say(worker, "heartbeat", {"worker": NAME, "running": running, "time": timezone.now().isoformat()})
        assert answer.status_code == 200, answer.content
        return cast.owner.get2(path).json()["progress"]

    first = beat({"done": 1, "total": 4, "message": "x" * 300})
    assert list(first) == ["percent", "message", "done", "total", "datetime"]
    assert (first["percent"], first["done"], first["total"], len(first["message"])) == (25.0, 1, 4, 200)
    [told] = stream.look()
    assert (told["uuid"], told["state"], told["progress"]) == (str(instance.uuid), "running", first)
    assert stream.look() == []
    for wrong in (None, 4, "x", [], {}, {"percent": -1}, {"percent": 10**400}, {"message": 3}, {"done": True}):
        assert beat(wrong) == first
    assert stream.look() == []
    assert beat({"percent": 99.5})["message"] == ""
    assert [each["progress"]["percent"] for each in stream.look()] == [99.5]
    assert Stream(cast.owner, "?state=failed").look() == []

    end = {"reason": "exited", "exit_code": 0, "progress": {"percent": 100}}
    said = {"worker": NAME, "ends": [{"uuid": str(instance.uuid), "number": 1, "end": end}]}
    assert say(worker, "finish", said).json() == {"accepted": [True]}
    assert [(each["state"], each["progress"]["percent"]) for each in stream.look()] == [("successful", 100.0)]
    assert stream.look() == []
    listed = cast.owner.get("/api/executabletaskinstances/", {"state": "successful"}, HTTP_ACCEPT=V2).json()["results"]
    assert [each["progress"]["percent"] for each in listed] == [100.0]
    assert "progress" not in cast.owner.get(path).json()
    row = TaskAttempt.objects.get(instance=instance)
    assert json.loads(json.dumps(row.progress)) == listed[0]["progress"]
