"""POSTs that are sent again: only to servers that know them again."""

from typing import Any
from uuid import UUID

import pytest

from saltant import Client, exceptions
from tests.unit.sdk.conftest import Answer, Scripted, instance, queue

TROUBLES = [
    Answer({}, fault="reset"),
    Answer({}, fault="cut"),
    Answer("busy", 502),
    Answer("busy", 503),
    Answer("busy", 504),
]


def create(client: Client) -> Any:
    return client.executable_task_instances.create(1, 1)


def keys(server: Scripted) -> list[str | None]:
    return [request.headers.get("idempotency-key") for request in server.requests]


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_post_whose_answer_is_lost_is_sent_again_with_its_key(
    server: Scripted, client_2: Client, trouble: Answer
) -> None:
    server.script = [trouble, trouble, Answer(instance(), 201, {"Saltant-Version": "2"})]
    create(client_2)
    first, *others = keys(server)
    assert UUID(first).version == 4
    assert others == [first, first]
    assert len({str(request.body) for request in server.requests}) == 1


def test_each_post_has_its_own_key(server: Scripted, client_2: Client) -> None:
    server.say(instance(), 201, Saltant_Version="2")
    for _ in range(3):
        create(client_2)
    server.script = [Answer(instance(), 202, {"Saltant-Version": "2"})]
    client_2.executable_task_instances.terminate("x")
    assert len({*keys(server)}) == 4
    assert None not in keys(server)


def test_what_the_server_did_wrong_is_not_sent_again(server: Scripted, client_2: Client) -> None:
    server.say("crash", 500)
    with pytest.raises(exceptions.ServerError):
        create(client_2)
    assert len(server.requests) == 1


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_server_of_version_1_gets_no_key_and_no_second_post(
    server: Scripted, client: Client, trouble: Answer
) -> None:
    server.say({"count": 0, "next": None, "previous": None, "results": []})
    client.test_authentication()
    server.script = [trouble]
    with pytest.raises(exceptions.BadHttpRequestError):
        create(client)
    assert keys(server) == [None, None]


def test_other_methods_have_no_key(server: Scripted, client_2: Client) -> None:
    server.say(queue(), Saltant_Version="2")
    client_2.task_queues.get(1)
    client_2.task_queues.patch(1, name="q")
    assert keys(server) == [None, None]
    server.script = [Answer({}, fault="reset")]
    with pytest.raises(exceptions.ConnectionFailed):
        client_2.task_queues.patch(1, name="q")
    assert len(server.requests) == 3
