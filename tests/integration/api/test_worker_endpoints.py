"""worker/announce, claim, heartbeat, finish and leave: what workers say over HTTP."""

import json
import logging
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from saltant import protocol
from saltant.jobs import Attempt, End, Kind, Ticket
from saltant.reasons import Reason
from saltant.server.accounts.models import Role
from saltant.server.accounts.tokens import create_token, revoke
from saltant.server.api import worker_rights
from saltant.server.tasks import services
from saltant.server.tasks.models import TaskAttempt, TaskInstance, Worker
from saltant.workers import PROTOCOL, Announcement
from tests.integration.conftest import Cast, Client, World

NAME = "node7"
NOW = "2026-01-01T00:00:00Z"


def say(client: Client, act: str, said: Any) -> Any:
    """The answer to what a worker says."""
    return client.json("POST", f"/api/worker/{act}/", said)


def announcement(**more: Any) -> dict[str, Any]:
    """What a worker of the world's queue says of itself."""
    queues = more.pop("queues", ["queue"])
    said = Announcement(worker=NAME, identity="a" * 32, queues=queues, kinds=list(Kind), slots=2, version="1.2")
    return {**protocol.announcement_to_json(said), "holding": [], "time": timezone.now().isoformat(), **more}


def announced(client: Client, **more: Any) -> Client:
    """The client of a worker that was announced."""
    answer = say(client, "announce", announcement(**more))
    assert answer.status_code == 200, answer.content
    return client


def ticket(instance: TaskInstance, number: int = 1, **more: Any) -> dict[str, Any]:
    """A ticket of an instance."""
    made = Ticket(Attempt(instance.uuid, number), instance.task_queue.name, Kind(instance.kind))
    return protocol.ticket_to_json(made) | more


def make(world: World, **values: Any) -> TaskInstance:
    """An instance that can be claimed."""
    snapshot = {"command_to_run": "true", "environment_variables": [], "json_file_option": None}
    snapshot |= {"container_image": None, "logs_path": None, "results_path": None}
    return world.make(state="published", snapshot=snapshot, arguments={"text": "ü"}, **values)


def test_a_job_from_its_claim_to_its_end(cast: Cast, world: World) -> None:
    said = say(cast.worker, "announce", announcement(cpus=4, memory=2**33, gpus=["A100"]))
    assert said.status_code == 200
    answer = said.json()
    assert set(answer) == {"time", "lease", "version", "server", "lanes"}
    assert (answer["server"], answer["lanes"]) == (services.server_identity(), ["queue"])
    assert (answer["lease"], answer["version"]) == (60.0, worker_rights.version())
    assert abs(datetime.fromisoformat(answer["time"]) - timezone.now()) < timedelta(seconds=60)
    worker = Worker.objects.get(name=NAME)
    assert (worker.queues, worker.slots, worker.gpus, worker.cpus) == (["queue"], 2, ["A100"], 4.0)
    assert worker.user == world.users["admin"]

    one, two = make(world), make(world)
    tickets = [ticket(one), ticket(two, 2), ticket(two), ticket(one)]
    jobs = say(cast.worker, "claim", {"worker": NAME, "tickets": tickets}).json()["jobs"]
    assert [job and job["attempt"]["uuid"] for job in jobs] == [str(one.uuid), None, str(two.uuid), None]
    job = protocol.job_from_json(jobs[0])
    assert (job.command_to_run, job.arguments, job.lease) == ("true", {"text": "ü"}, 60.0)

    started = timezone.now()
    running = protocol.running_to_json({Attempt(one.uuid, 1): started, Attempt(two.uuid, 2): None})
    beat = say(cast.worker, "heartbeat", {"worker": NAME, "running": running, "time": NOW}).json()
    assert set(beat) == {"to_end", "drain", "announce", "time"}
    orders = protocol.orders_from_json(beat)
    assert (set(orders.to_end), orders.drain, orders.announce) == ({Attempt(two.uuid, 2)}, False, False)
    assert TaskAttempt.objects.get(instance=one).datetime_started == started

    end = protocol.end_to_json(End(Reason.EXITED, exit_code=0, started=started, finished=started))
    ends = [protocol.attempt_to_json(Attempt(each.uuid, 1)) | {"end": end} for each in (one, one)]
    assert say(cast.worker, "finish", {"worker": NAME, "ends": ends}).json() == {"accepted": [True, False]}
    assert TaskInstance.objects.get(pk=one.pk).state == "successful"
    assert say(cast.worker, "leave", {"worker": NAME, "draining": True}).json() == {}
    assert Worker.objects.get(name=NAME).draining
    assert say(cast.worker, "leave", {"worker": NAME, "draining": False}).json() == {}
    assert Worker.objects.get(name=NAME).datetime_left is not None


def test_ends_and_claims_in_one_request(cast: Cast, world: World) -> None:
    say(cast.worker, "announce", announcement())
    one, two = make(world), make(world)
    say(cast.worker, "claim", {"worker": NAME, "tickets": [ticket(one)]})
    end = protocol.end_to_json(End(Reason.EXITED, exit_code=0))
    ends = [protocol.attempt_to_json(Attempt(one.uuid, 1)) | {"end": end}]
    answer = say(cast.worker, "exchange", {"worker": NAME, "ends": ends, "tickets": [ticket(two)]}).json()
    assert answer["accepted"] == [True]
    assert [job["attempt"]["uuid"] for job in answer["jobs"]] == [str(two.uuid)]


def test_what_is_live(cast: Cast, world: World) -> None:
    """Asked for what was found on a machine, whichever worker's it was."""
    announced(cast.worker)
    running, waiting = make(world), make(world)
    assert say(cast.worker, "claim", {"worker": NAME, "tickets": [ticket(running)]}).json()["jobs"] != [None]
    asked = [Attempt(running.uuid, 1), Attempt(running.uuid, 2), Attempt(waiting.uuid, 1), Attempt(uuid4(), 1)]
    answer = say(cast.worker, "live", protocol.attempts_to_json(asked))
    assert protocol.attempts_from_json(answer.json()) == [Attempt(running.uuid, 1)]
    services.finish(Attempt(running.uuid, 1), NAME, End(Reason.EXITED, exit_code=0))
    assert say(cast.worker, "live", protocol.attempts_to_json(asked)).json() == {"attempts": []}
    assert say(cast.owner, "live", protocol.attempts_to_json(asked)).status_code == 403


def test_a_restart_tells_what_is_held(cast: Cast, world: World) -> None:
    announced(cast.worker)
    kept, lost = make(world), make(world)
    say(cast.worker, "claim", {"worker": NAME, "tickets": [ticket(kept), ticket(lost)]})
    announced(cast.worker, holding=None)
    assert TaskAttempt.objects.filter(lease_expires__isnull=False).count() == 2
    announced(cast.worker, holding=[protocol.attempt_to_json(Attempt(kept.uuid, 1))])
    assert TaskInstance.objects.get(pk=kept.pk).state == "running"
    assert TaskInstance.objects.get(pk=lost.pk).reason == "lost"


def test_jobs_of_other_queues_are_nobodys(cast: Cast, world: World, caplog: pytest.LogCaptureFixture) -> None:
    announced(cast.worker)
    foreign, ours = make(world, task_queue=world.other_queue), make(world)
    honest, lying = ticket(foreign), ticket(foreign, queue="queue")
    answer = say(cast.worker, "claim", {"worker": NAME, "tickets": [honest, lying, ticket(ours)]}).json()
    assert [job and job["attempt"]["uuid"] for job in answer["jobs"]] == [None, None, str(ours.uuid)]
    assert TaskInstance.objects.get(pk=foreign.pk).state == "published"
    assert f"The worker {NAME} asked for a job of the queue 'other'" in caplog.text


@pytest.mark.parametrize(
    ("queues", "words"),
    [
        (["queue", "other"], "not for the queue 'other'."),
        (["nowhere"], "`saltant token create admin --role worker --queue nowhere`"),
        (None, "not for every queue: say which of them the worker serves: --queue queue."),
    ],
)
def test_a_token_is_for_its_queues(cast: Cast, queues: Any, words: str) -> None:
    answer = say(cast.worker, "announce", announcement(queues=queues))
    assert (answer.status_code, Worker.objects.count()) == (403, 0)
    assert words in answer.json()["detail"]


@pytest.mark.parametrize(
    ("theirs", "advice"),
    [
        (PROTOCOL + 1, "upgrade the server first, then its workers."),
        (0, "upgrade this worker."),
    ],
)
def test_who_is_to_be_upgraded(cast: Cast, theirs: int, advice: str) -> None:
    # Of a form that is not known here nothing else can be read.
    answer = say(cast.worker, "announce", {"protocol": theirs, "version": "9.9", "worker": {"new": "form"}})
    assert answer.status_code == 426
    ours = f"this server protocol {PROTOCOL} of saltant {worker_rights.version()}"
    assert answer.json()["detail"] == f"This worker speaks protocol {theirs} of saltant 9.9, {ours}: {advice}"


def test_the_protocol_before_is_taken(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_rights, "PROTOCOL", PROTOCOL + 1)
    announced(cast.worker)
    monkeypatch.setattr(worker_rights, "PROTOCOL", PROTOCOL + 2)
    assert say(cast.worker, "announce", announcement()).status_code == 426


def test_another_at_work_under_the_name_is_a_conflict(cast: Cast) -> None:
    announced(cast.worker)
    answer = say(cast.worker, "announce", announcement(identity="b" * 32))
    assert answer.status_code == 409
    assert NAME in answer.json()["detail"]


def test_names_belong_to_the_tokens_owner(cast: Cast, world: World) -> None:
    announced(cast.worker)
    twin = Client(create_token(world.users["admin"], Role.WORKER, [world.queue])[1])
    thief = Client(create_token(world.users["stranger"], Role.WORKER, [world.queue])[1])
    job = make(world)
    attempt = protocol.attempt_to_json(Attempt(job.uuid, 1))
    say(cast.worker, "claim", {"worker": NAME, "tickets": [ticket(job)]})
    end = protocol.end_to_json(End(Reason.EXITED, exit_code=0))
    acts: dict[str, dict[str, Any]] = {
        "claim": {"tickets": []},
        "heartbeat": {"running": [attempt], "time": NOW},
        "leave": {"draining": False},
        "finish": {"ends": [attempt | {"end": end}]},
    }
    for act, said in acts.items():
        answer = say(thief, act, {"worker": NAME, **said})
        assert (act, answer.status_code) == (act, 403)
        assert NAME in answer.json()["detail"]
    taken = say(thief, "announce", announcement())
    assert (taken.status_code, Worker.objects.get(name=NAME).user) == (409, world.users["admin"])
    Worker.objects.update(datetime_heartbeat=timezone.now() - timedelta(days=1))
    assert say(thief, "announce", announcement()).status_code == 409, "a lost one may come back"
    assert TaskInstance.objects.get(pk=job.pk).state == "running"
    for act, said in acts.items():
        assert (act, say(twin, act, {"worker": NAME, **said}).status_code) == (act, 200)


def test_the_servers_own_worker_is_nobodys(cast: Cast, world: World) -> None:
    services.announce(Announcement(worker=NAME, slots=1), [])
    for act, said in (("claim", {"tickets": []}), ("leave", {"draining": False})):
        assert say(cast.worker, act, {"worker": NAME, **said}).status_code == 403
    for identity in ("", "a"):
        assert say(cast.worker, "announce", announcement(identity=identity)).status_code == 409
    assert Worker.objects.get(name=NAME).user is None
    services.leave(NAME)
    announced(cast.worker, identity="")
    assert Worker.objects.get(name=NAME).user == world.users["admin"]


def test_a_worker_that_is_not_known_is_asked_to_announce_itself(cast: Cast, world: World) -> None:
    instance = make(world)
    running = protocol.running_to_json({Attempt(instance.uuid, 1): None})
    beat = say(cast.worker, "heartbeat", {"worker": NAME, "running": running, "time": NOW})
    assert protocol.orders_from_json(beat.json()).announce
    assert say(cast.worker, "leave", {"worker": NAME, "draining": False}).json() == {}
    for act, said in (("claim", {"tickets": [ticket(instance)]}), ("finish", {"ends": []})):
        answer = say(cast.worker, act, {"worker": NAME, **said})
        assert (answer.status_code, NAME in answer.json()["detail"]) == (409, True)


def test_a_drain_comes_with_the_heartbeat(cast: Cast) -> None:
    announced(cast.worker)
    assert cast.admin.post(f"/api/workers/{NAME}/drain/").status_code == 202
    beat = say(cast.worker, "heartbeat", {"worker": NAME, "running": [], "time": NOW}).json()
    assert beat["drain"] is True


def test_a_wrong_clock_is_logged_once(cast: Cast, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    name = f"node-{uuid4()}"  # whose clock is wrong is kept in the process
    announced(cast.worker, worker=name)
    for off in (0, 4, 3600, 3600, 0, -3600):
        time = (timezone.now() + timedelta(seconds=off)).isoformat()
        assert say(cast.worker, "heartbeat", {"worker": name, "running": [], "time": time}).status_code == 200
    said = [record.getMessage() for record in caplog.records if name in record.getMessage()]
    assert [next(word for word in ("ahead of", "agrees", "behind") if word in each) for each in said] == [
        "ahead of",
        "agrees",
        "behind",
    ]


def test_keys_that_open_nothing(world: World) -> None:
    token, key = create_token(world.users["admin"], Role.WORKER, [world.queue])
    client = announced(Client(key))
    revoke(token)
    for wrong in (client, Client("nonsense"), Client()):
        answer = say(wrong, "claim", {"worker": NAME, "tickets": []})
        assert answer.status_code == 401
        assert answer["WWW-Authenticate"] == "Token"
    other = announced(Client(create_token(world.users["admin"], Role.WORKER, [world.queue])[1]))
    world.users["admin"].is_active = False
    world.users["admin"].save()
    assert say(other, "claim", {"worker": NAME, "tickets": []}).status_code == 401


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"NaN", b'{"worker": 1e999}', b"[" * 5000, b"null", b"[]", b'""'])
@pytest.mark.parametrize("act", ["announce", "claim", "heartbeat", "finish", "exchange", "leave", "live"])
def test_bodies_that_cannot_be_read(cast: Cast, act: str, body: bytes) -> None:
    answer = cast.worker.generic("POST", f"/api/worker/{act}", body, "application/json")
    assert answer.status_code == 400
    assert answer.json()["detail"]


def test_a_list_that_is_too_long(cast: Cast) -> None:
    announced(cast.worker)
    said = {"uuid": str(uuid4()), "number": 1, "queue": "queue", "kind": "docker"}
    assert say(cast.worker, "claim", {"worker": NAME, "tickets": [said] * 1000}).status_code == 200
    answer = say(cast.worker, "claim", {"worker": NAME, "tickets": [said] * 1001})
    assert (answer.status_code, answer.json()["detail"]) == (400, "A list may hold 1000 things, not 1001.")


def test_a_database_that_cannot_be_used(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    announced(cast.worker)

    def fail(*args: object) -> None:
        raise OperationalError("disk I/O error")

    monkeypatch.setattr(services, "finish_many", fail)
    answer = say(cast.worker, "finish", {"worker": NAME, "ends": []})
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_body_breaks_the_server(cast: Cast, world: World, data: st.DataObject) -> None:
    announced(cast.worker)
    instance = make(world)
    attempt = {"uuid": str(instance.uuid), "number": 1}
    end = protocol.end_to_json(End(Reason.EXITED, exit_code=0))
    whole: dict[str, dict[str, Any]] = {
        "announce": announcement(),
        "claim": {"worker": NAME, "tickets": [ticket(instance)]},
        "heartbeat": {"worker": NAME, "running": [attempt | {"started": NOW}], "time": NOW},
        "finish": {"worker": NAME, "ends": [attempt | {"end": end}]},
        "leave": {"worker": NAME, "draining": True},
        "live": {"attempts": [attempt]},
    }
    act = data.draw(st.sampled_from(sorted(whole)))
    said = json.loads(json.dumps(whole[act]))
    # Put something else into one place, however deep.
    place, key = said, data.draw(st.sampled_from(sorted(said)))
    while isinstance(place[key], (dict, list)) and place[key] and data.draw(st.booleans()):
        place = place[key]
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
    place[key] = data.draw(JSON)
    answer = say(cast.worker, act, said)
    assert answer.status_code in (200, 400, 403, 409, 426), (said, answer.content)
    assert isinstance(answer.json(), dict)


def test_few_queries(cast: Cast, world: World, django_assert_max_num_queries: Any) -> None:
    announced(cast.worker)
    one = make(world)
    tickets = [ticket(one), *({**ticket(one), "uuid": str(uuid4())} for _ in range(5))]
    with django_assert_max_num_queries(22):
        say(cast.worker, "claim", {"worker": NAME, "tickets": tickets})
    with django_assert_max_num_queries(2):
        say(cast.worker, "claim", {"worker": "somebody", "tickets": []})
