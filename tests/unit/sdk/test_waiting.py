"""Waiting for instances, and acting on many."""

import logging
import math
import pickle
from typing import Any

import pytest

from saltant import Client, exceptions
from saltant.models import _waiting
from tests.unit.sdk.conftest import Answer, Request, Scripted, instance, quick_client

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
    monkeypatch.setattr(_waiting, "PATIENCE_SECONDS", 0)
    server.script = [Answer(instance()), Answer("busy", 503)]
    with pytest.raises(exceptions.ServerError):
        client.executable_task_instances.wait_until_finished("x", TICK)


def test_with_a_timeout_trouble_is_borne_until_then(
    server: Scripted, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_waiting, "PATIENCE_SECONDS", 0)
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
