"""Waiting for instances, and acting on many."""

import logging
import math
import pickle
from typing import Any
from uuid import UUID

import pytest

from saltant import Client, _patience, exceptions
from saltant.models import _waiting, _waiting_many
from tests.unit.sdk.conftest import Answer, Request, Scripted, instance, page, quick_client

TICK = 0.001


def test_a_wait_ends_with_the_instance(server: Scripted, client: Client) -> None:
    for state in ("created", "published", "running", "successful"):
        server.say(instance(state=state))
    assert client.executable_task_instances.wait_until_finished("x", TICK).state == "successful"
    assert len(server.requests) == 4


def test_a_model_waits_in_place(server: Scripted, client: Client) -> None:
    server.say(instance())
    server.say(instance(state="failed"))
    found = client.executable_task_instances.get("x")
    assert found.wait_until_finished() is found
    assert found.state == "failed"


def test_a_wait_gives_up(server: Scripted, client: Client) -> None:
    server.say(instance(state="published", waiting="No worker is there."))
    found = client.executable_task_instances.get("x")
    with pytest.raises(exceptions.WaitTimeout, match="still published") as caught:
        found.wait_until_finished(TICK, timeout=0.01)
    assert caught.value.instance is found
    with pytest.raises(exceptions.WaitTimeout) as caught:
        client.executable_task_instances.wait_until_finished("x", 1000, timeout=0.01)
    assert caught.value.instance == found
    assert pickle.loads(pickle.dumps(caught.value)).instance == found  # noqa: S301


def test_a_timeout_of_nothing_looks_once(server: Scripted, client: Client) -> None:
    server.say(instance())
    with pytest.raises(TimeoutError):
        client.executable_task_instances.wait_until_finished("x", timeout=0)
    assert len(server.requests) == 1


@pytest.mark.parametrize("seconds", [0, -1, math.nan, math.inf])
def test_useless_numbers(client: Client, seconds: float) -> None:
    with pytest.raises(ValueError, match="refresh_period"):
        client.executable_task_instances.wait_until_finished("x", seconds)
    for timeout in (-1, math.nan):
        with pytest.raises(ValueError, match="timeout"):
            client.executable_task_instances.wait_until_finished("x", timeout=timeout)


@pytest.mark.parametrize("trouble", [Answer(fault="reset"), Answer("busy", 503), Answer("crash", 500), Answer({}, 429)])
def test_a_wait_bears_with_a_server_in_trouble(
    server: Scripted, trouble: Answer, caplog: pytest.LogCaptureFixture
) -> None:
    calm = Answer(instance())
    server.script = [calm, *[trouble] * 20, calm, Answer(instance(state="successful"))]
    caplog.set_level(logging.WARNING)
    found = quick_client(server.url).executable_task_instances.wait_until_finished("x", TICK)
    assert found.state == "successful"
    assert len([record for record in caplog.records if "Still waiting" in record.getMessage()]) == 1


def test_patience_has_an_end(server: Scripted, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_patience, "PATIENCE_SECONDS", 0)
    server.script = [Answer(instance()), Answer("busy", 503)]
    with pytest.raises(exceptions.ServerError):
        client.executable_task_instances.wait_until_finished("x", TICK)


def test_with_a_timeout_trouble_is_borne_until_then(
    server: Scripted, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_patience, "PATIENCE_SECONDS", 0)
    server.script = [Answer(instance()), Answer("busy", 503)]
    with pytest.raises(exceptions.WaitTimeout, match="The last look at it failed: GET") as caught:
        client.executable_task_instances.wait_until_finished("x", TICK, timeout=0.05)
    assert caught.value.instance is not None


@pytest.mark.parametrize(
    ("status", "kind"), [(401, exceptions.AuthenticationError), (404, exceptions.NotFound), (403, Exception)]
)
def test_what_will_not_get_better_is_raised_at_once(
    server: Scripted, client: Client, status: int, kind: type[Exception]
) -> None:
    server.script = [Answer(instance()), Answer({"detail": "No."}, status)]
    with pytest.raises(kind, match="No"):
        client.executable_task_instances.wait_until_finished("x", TICK)
    assert len(server.requests) == 2


def test_a_first_look_that_fails_is_an_error(client: Client, server: Scripted, deaf_url: str) -> None:
    with pytest.raises(exceptions.ConnectionFailed):
        quick_client(deaf_url).executable_task_instances.wait_until_finished("x")


@pytest.mark.parametrize("action", ["clone", "terminate"])
def test_many_go_on_past_a_failure(server: Scripted, client: Client, action: str) -> None:
    def decide(request: Request) -> Answer:
        if request.method == "GET":
            return Answer(page())
        uuid = request.path.split("/")[3]
        if uuid == "b":
            return Answer({"detail": "Not found."}, 404)
        return Answer(fault="reset") if uuid == "c" else Answer(instance(uuid=uuid), 201 if action == "clone" else 202)

    server.decide = decide
    many: Any = getattr(client.executable_task_instances, f"{action}_many")
    assert [each.uuid for each in many(iter(["a", "d"]))] == ["a", "d"]
    with pytest.raises(exceptions.PartialFailure, match="3 of 5 task instances failed") as caught:
        many(["a", "b", "c", "", "d"])
    assert [each.uuid for each in caught.value.succeeded] == ["a", "d"]
    kinds = {uuid: type(error) for uuid, error in caught.value.failed.items()}
    assert kinds == {"b": exceptions.NotFound, "c": exceptions.ConnectionFailed, "": ValueError}
    assert list(pickle.loads(pickle.dumps(caught.value)).failed) == ["b", "c", ""]  # noqa: S301
    assert many([]) == []
    with pytest.raises(TypeError, match="a list"):
        many("a")


V2 = {"Saltant-Version": "2"}


def held(request: Request) -> float:
    """The seconds for which a request lets the server hold its answer back."""
    said = request.query.get("wait") or (request.body or {}).get("wait") or 0
    return float(said)


def test_a_server_that_can_holds_its_answer_back(server: Scripted, client_2: Client) -> None:
    states = iter(["running", "running", "successful"])
    server.decide = lambda request: Answer(instance(state=next(states)), headers=V2)
    found = client_2.executable_task_instances.wait_until_finished("x", 1000)
    assert found.state == "successful"
    assert [held(request) for request in server.requests] == [0, 30, 30], "first it looks whether there is one"


def test_a_model_is_waited_for_at_once(server: Scripted, client_2: Client) -> None:
    found = client_2.executable_task_instances.response_data_to_model_instance(instance())
    server.say(instance(state="failed"), Saltant_Version="2")
    assert found.wait_until_finished(1000) is found
    assert found.state == "failed"
    assert [held(request) for request in server.requests] == [30]


@pytest.mark.parametrize(("seconds", "hold"), [(90, 30), (20, 10), (2, 1), (1, 0), (math.inf, 30)])
def test_half_of_the_time_of_a_request_at_most(server: Scripted, seconds: float, hold: float) -> None:
    client = quick_client(server.url, default_timeout=seconds)
    server.script = [Answer(instance(), headers=V2), Answer(instance(state="successful"), headers=V2)]
    client.executable_task_instances.wait_until_finished("x", TICK)
    assert [held(request) for request in server.requests] == [0, hold]


def test_no_longer_than_is_left(server: Scripted, client_2: Client) -> None:
    server.say(instance(), Saltant_Version="2")
    with pytest.raises(exceptions.WaitTimeout, match=r"still running after 0\.5 seconds"):
        client_2.executable_task_instances.wait_until_finished("x", TICK, timeout=0.5)
    assert all(held(request) <= 0.5 for request in server.requests)
    assert held(server.requests[1]) > 0


def test_a_server_that_does_not_hold_back_is_asked_again_and_again(
    server: Scripted, client_2: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(_waiting.time, "sleep", pauses.append)
    server.script = [*[Answer(instance(), headers=V2)] * 9, Answer(instance(state="successful"), headers=V2)]
    client_2.executable_task_instances.wait_until_finished("x", 5)
    assert pauses == pytest.approx([0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5])


@pytest.mark.parametrize(("state", "word"), [("failed", "failed"), ("terminated", "was terminated")])
def test_a_failure_is_an_error_if_asked(server: Scripted, client_2: Client, state: str, word: str) -> None:
    ended = instance(state=state, reason="exited", message="Its program exited with code 3.")

    def decide(request: Request) -> Answer:
        if request.path.endswith("/logs/stderr/"):
            return Answer("", headers=V2)
        if request.path.endswith("/logs/stdout/"):
            assert request.query == {"tail": "20"}
            return Answer("almost\n", headers=V2)
        return Answer(ended, headers=V2)

    server.decide = decide
    found = client_2.executable_task_instances.get("x")
    with pytest.raises(exceptions.TaskFailed) as caught:
        found.wait_until_finished(raise_on_failure=True)
    error = caught.value
    assert error.instance is found
    assert (error.reason, error.message, error.log_tail) == ("exited", ended["message"], "almost\n")
    assert str(error) == (
        f"The task instance {found.uuid} {word}: Its program exited with code 3. The end of its log:\nalmost"
    )
    assert pickle.loads(pickle.dumps(error)).log_tail == "almost\n"  # noqa: S301
    assert found.wait_until_finished().state == state


def test_a_failure_without_a_log(server: Scripted, client: Client) -> None:
    server.say(instance(state="failed"))
    with pytest.raises(exceptions.TaskFailed) as caught:
        client.executable_task_instances.wait_until_finished("x", raise_on_failure=True)
    assert (caught.value.reason, caught.value.message, caught.value.log_tail) == (None, "", "")
    server.script = [Answer(instance(state="successful"))]
    client.executable_task_instances.wait_until_finished("x", raise_on_failure=True)


UUIDS = [f"0b0c84f5-3d7d-4a8d-9f2a-{number:012}" for number in range(5)]


class Ends:
    """A server whose instances end in turn, `step` of them a request; `wait/` tells of them as it should."""

    def __init__(self, step: int = 1, *, lacks_wait: bool = False, version: str = "2") -> None:
        self.step = step
        self.ended: list[str] = []
        self.lacks_wait = lacks_wait
        self.version = version
        self.troubles: list[Answer] = []
        self.known = [*UUIDS]

    def __call__(self, request: Request) -> Answer:
        headers = {"Saltant-Version": self.version}
        if self.troubles:
            return self.troubles.pop(0)
        if request.method == "GET":
            uuid = request.path.split("/")[3]
            if uuid not in self.known:
                return Answer({"detail": "Not found."}, 404)
            self.go_on()
            return Answer(instance(uuid=uuid, state="failed" if uuid in self.ended else "running"), headers=headers)
        if self.lacks_wait:
            return Answer({"detail": "Not found."}, 404)
        self.go_on()
        asked = [uuid for uuid in request.body["uuids"] if uuid in self.known]
        finished = [uuid for uuid in self.ended if uuid in asked]
        return Answer(
            {
                "finished": [instance(uuid=uuid, state="failed", task_class="executable") for uuid in finished],
                "unfinished": len(asked) - len(finished),
                "more": 0,
                "unknown": [uuid for uuid in request.body["uuids"] if uuid not in self.known],
            },
            headers=headers,
        )

    def go_on(self) -> None:
        left = [uuid for uuid in reversed(self.known) if uuid not in self.ended]
        self.ended += left[: self.step]


@pytest.fixture
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_waiting_many, "DEFAULT_TASK_INSTANCE_WAIT_REFRESH_PERIOD", TICK)


def test_many_are_waited_for_with_one_request(server: Scripted, client_2: Client) -> None:
    server.decide = Ends(step=5)
    found = client_2.executable_task_instances.wait_many([UUID(UUIDS[2]), UUIDS[0], UUIDS[2].upper()])
    assert [each.uuid for each in found] == [UUIDS[2], UUIDS[0], UUIDS[2]]
    assert all(each.is_finished for each in found)
    assert "task_class" not in found[0].extra
    (request,) = server.requests
    assert (request.path, request.body) == (
        "/api/wait/",
        {"uuids": [UUIDS[2], UUIDS[0]], "for": "all", "wait": 30},
    )
    assert "idempotency-key" not in request.headers


@pytest.mark.parametrize("server_is", [{}, {"lacks_wait": True}, {"version": "1"}])
def test_as_completed(server: Scripted, client: Client, quick_looks: None, server_is: dict[str, Any]) -> None:
    server.say(page(), Saltant_Version=server_is.get("version", "2"))
    client.test_authentication()
    server.decide = ends = Ends(**server_is)
    ends.troubles = [Answer(fault="reset"), Answer("busy", 503)]
    manager = client.executable_task_instances
    assert sorted(each.uuid for each in manager.as_completed(iter(UUIDS))) == UUIDS
    assert [each.uuid for each in manager.wait_many(UUIDS)] == UUIDS
    assert list(manager.as_completed([])) == manager.wait_many([]) == []


def test_they_come_in_the_order_of_their_ends(server: Scripted, client_2: Client) -> None:
    server.decide = Ends(step=2)
    assert [each.uuid for each in client_2.executable_task_instances.as_completed(UUIDS)] == UUIDS[::-1]
    bodies = [request.body["uuids"] for request in server.requests]
    assert [len(body) for body in bodies] == [5, 3, 1], "what has ended is not asked for again"


def test_those_that_are_not_there(server: Scripted, client_2: Client) -> None:
    missing = "0b0c84f5-3d7d-4a8d-9f2a-ffffffffffff"
    server.decide = Ends(step=5)
    manager = client_2.executable_task_instances
    with pytest.raises(exceptions.PartialFailure, match="2 of 4 task instances could not be had") as caught:
        manager.wait_many([UUIDS[0], missing, "no-uuid", UUIDS[1]])
    assert {each.uuid for each in caught.value.succeeded} == set(UUIDS[:2])
    assert {uuid: type(error) for uuid, error in caught.value.failed.items()} == {
        "no-uuid": exceptions.NotFound,
        missing: exceptions.NotFound,
    }
    completed = manager.as_completed([UUIDS[0], "no-uuid"])
    assert next(completed).uuid == UUIDS[0]
    with pytest.raises(exceptions.PartialFailure):
        next(completed)
    with pytest.raises(TypeError, match="a list"):
        manager.wait_many(UUIDS[0])
    with pytest.raises(exceptions.PartialFailure):  # they are of the other class
        client_2.container_task_instances.wait_many(UUIDS)


def test_many_give_up(server: Scripted, client_2: Client) -> None:
    server.decide = ends = Ends(step=0)
    ends.ended = [UUIDS[3]]
    with pytest.raises(exceptions.WaitTimeout, match="4 of 5 task instances had not finished") as caught:
        client_2.executable_task_instances.wait_many(UUIDS, timeout=0.05)
    assert [each.uuid for each in caught.value.finished] == [UUIDS[3]]
    assert sorted(caught.value.unfinished) == [uuid for uuid in UUIDS if uuid != UUIDS[3]]
    completed = client_2.executable_task_instances.as_completed(UUIDS, timeout=0.05)
    assert next(completed).uuid == UUIDS[3]
    with pytest.raises(TimeoutError):
        next(completed)
    with pytest.raises(ValueError, match="timeout"):
        client_2.executable_task_instances.as_completed(UUIDS, timeout=-1)


def test_more_than_one_request_can_ask_for(server: Scripted, client_2: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_waiting_many, "MOST_UUIDS", 2)
    server.decide = Ends()
    found = client_2.executable_task_instances.as_completed(UUIDS)
    assert sorted(each.uuid for each in found) == UUIDS
    assert all(len(request.body["uuids"]) <= 2 for request in server.requests)
    assert held(server.requests[0]) == 1, "the others have their turn soon"
