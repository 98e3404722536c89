"""Logs: all at once, and followed through everything that breaks."""

import base64
import json
import random
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from saltant import Client, UnsupportedByServer, _patience, exceptions
from saltant.models.log_file import LogFile
from tests.unit.sdk.conftest import TOKEN, Answer, Request, Scripted, instance, quick_client

UUID = "0b0c84f5-3d7d-4a8d-9f2a-1f2b3c4d5e6f"
LOGS = f"/api/executabletaskinstances/{UUID}/logs/"
STREAM = {"Content-Type": "text/event-stream", "Saltant-Attempt": "2"}
ROUNDS = 30


def piece(offset: int, data: bytes) -> bytes:
    """An event with a piece of a log."""
    said = {"offset": offset, "data": base64.b64encode(data).decode()}
    return f"id: {offset + len(data)}\ndata: {json.dumps(said)}\n\n".encode()


def end(size: int) -> bytes:
    """The event that ends a log."""
    return f"event: end\ndata: {json.dumps({'size': size, 'state': 'successful'})}\n\n".encode()


@pytest.fixture
def job(server: Scripted, client_2: Client) -> Any:
    return client_2.executable_task_instances.response_data_to_model_instance(instance())


@pytest.mark.parametrize(
    ("options", "query"),
    [
        ({}, {}),
        ({"tail": 3}, {"tail": "3"}),
        ({"tail": 0}, {"tail": "0"}),
        ({"attempt": 2, "tail": 1}, {"attempt": "2", "tail": "1"}),
    ],
)
def test_a_log_at_once(server: Scripted, job: Any, options: dict[str, Any], query: dict[str, str]) -> None:
    server.say("eins\nzwei é\n", Saltant_Version="2", Content_Type="text/plain")
    assert job.logs(**options) == "eins\nzwei é\n"
    assert server.requests[-1].path == f"{LOGS}stdout/"
    assert server.requests[-1].query == query


def test_what_is_no_text(server: Scripted, job: Any) -> None:
    server.say(b"caf\xc3\xa9 \xff\xc3\n", Saltant_Version="2")
    assert job.logs("stderr") == "café \ufffd\ufffd\n"
    assert job.logs("stderr", as_bytes=True) == b"caf\xc3\xa9 \xff\xc3\n"


def test_names_of_logs(server: Scripted, job: Any) -> None:
    server.say("x", Saltant_Version="2")
    job.logs("run 1/ü?.txt")
    assert server.requests[-1].path == f"{LOGS}run%201/%C3%BC%3F.txt/"
    sent = len(server.requests)
    for name in ("", "../x", "/x", "a//b", "a\\b", "a\nb", "x" * 2000):
        with pytest.raises(ValueError, match="name"):
            job.logs(name)
    for options in ({"tail": -1}, {"attempt": 0}):
        with pytest.raises(ValueError, match="at least"):
            job.logs(**options)
    assert len(server.requests) == sent


def test_the_list_of_logs(server: Scripted, job: Any) -> None:
    server.say([{"attempt": 1, "name": "stdout", "size": 5, "is_cut": True, "colour": "red"}], Saltant_Version="2")
    assert job.log_files() == [LogFile(1, "stdout", 5, is_cut=True)]
    assert server.requests[-1].path == LOGS
    job.log_files(attempt=3)
    assert server.requests[-1].query == {"attempt": "3"}
    server.script.clear()
    for odd in ({}, [5], [{"name": "stdout"}], None):
        server.script = [Answer(odd, headers={"Saltant-Version": "2"})]
        if odd != {}:
            with pytest.raises(exceptions.UnexpectedResponse, match="logs"):
                job.log_files()


def test_a_server_of_version_1_has_none(server: Scripted, client: Client) -> None:
    server.say({"count": 0, "next": None, "previous": None, "results": []})
    manager = client.executable_task_instances
    for act in (
        lambda: manager.logs(UUID),
        lambda: manager.logs(UUID, follow=True),
        lambda: manager.log_files(UUID),
        lambda: manager.results(UUID),
        lambda: manager.download_results(UUID, "x"),
        lambda: manager.watch(),
    ):
        with pytest.raises(UnsupportedByServer, match="speaks version 1, which has no"):
            act()
    assert len(server.requests) == 1


class Breaking:
    """Sends a log as events, and breaks off again and again, in the midst of events too."""

    def __init__(self, data: bytes, seed: int) -> None:
        self.data = data
        self.rng = random.Random(seed)  # noqa: S311
        self.attempts: list[str | None] = []

    def __call__(self, request: Request) -> Answer:
        offset = int(request.query["offset"])
        self.attempts.append(request.query.get("attempt"))
        kind = self.rng.choice(["reset", "cut", "end", "early", "busy", "nothing"])
        if kind == "busy":
            return Answer("busy", 503)
        if kind == "nothing":
            return Answer(fault="reset")
        return Answer(headers=STREAM, pieces=self.pieces(offset, kind), fault=kind)

    def pieces(self, offset: int, kind: str) -> Iterator[bytes]:
        yield b": saltant\n\n"
        start = max(offset - self.rng.randrange(3), 0)  # some of it comes twice
        for _ in range(self.rng.randrange(4)):
            stop = min(start + self.rng.randrange(1, 50), len(self.data))
            event = piece(start, self.data[start:stop])
            cut = self.rng.randrange(len(event))
            yield event[:cut] or b": x\n"
            yield event[cut:]
            start = stop
        if start >= len(self.data):
            yield end(len(self.data))
        elif kind == "early":
            yield end(len(self.data))  # before all was told: this is no end
        else:
            yield piece(start, self.data[start : start + 9])[:-3]


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_no_byte_is_lost_or_comes_twice(server: Scripted, job: Any, seed: int) -> None:
    data = random.Random(seed).randbytes(400) + "zwölf\n".encode()  # noqa: S311
    server.decide = breaking = Breaking(data, seed)
    assert b"".join(job.logs(follow=True, as_bytes=True)) == data
    assert breaking.attempts[0] is None
    seen = breaking.attempts.index("2") if "2" in breaking.attempts else len(breaking.attempts)
    assert set(breaking.attempts[seen:]) <= {"2"}, "it stays with the attempt that it began with"


def test_lines_of_text(server: Scripted, job: Any) -> None:
    data = "eins\nzwölf\n".encode() + b"\xff\nlast"
    events = [piece(start, data[start : start + 1]) for start in range(len(data))]
    server.script = [Answer(headers=STREAM, pieces=[*events, end(len(data))])]
    assert list(job.logs(follow=True)) == ["eins\n", "zwölf\n", "\ufffd\n", "last"]


def test_the_last_lines_and_on(server: Scripted, job: Any) -> None:
    server.say(b"two\nthr", Saltant_Version="2", Saltant_Log_Size="11", Saltant_Attempt="2")
    server.script.append(Answer(headers=STREAM, pieces=[piece(11, b"ee\n"), end(14)]))
    assert list(job.logs(follow=True, tail=2)) == ["two\n", "three\n"]
    assert [request.query for request in server.requests] == [
        {"tail": "2"},
        {"attempt": "2", "follow": "true", "offset": "11"},
    ]


def test_a_key_that_holds_no_more_is_an_error(server: Scripted, job: Any) -> None:
    server.script = [Answer(headers=STREAM, pieces=[piece(0, b"a\n")]), Answer({"detail": "Invalid token."}, 401)]
    followed = job.logs(follow=True)
    assert next(followed) == "a\n"
    with pytest.raises(exceptions.AuthenticationError):
        next(followed)


@pytest.mark.parametrize(
    "trouble",
    [
        Answer(fault="reset"),
        Answer(headers=STREAM, pieces=[], fault="cut"),
        Answer(headers=STREAM, pieces=[b": x\n\n"]),
    ],
)
def test_patience_has_an_end(server: Scripted, job: Any, monkeypatch: pytest.MonkeyPatch, trouble: Answer) -> None:
    monkeypatch.setattr(_patience, "PATIENCE_SECONDS", 0.02)
    server.script = [Answer(headers=STREAM, pieces=[piece(0, b"a\n")]), trouble]
    followed = job.logs(follow=True)
    assert next(followed) == "a\n"
    with pytest.raises(exceptions.ConnectionFailed):
        next(followed)


def test_a_first_connection_that_fails_is_an_error(client_2: Client, deaf_url: str) -> None:
    deaf = quick_client(deaf_url)
    deaf._transport.server_version = 2
    with pytest.raises(exceptions.ConnectionFailed):
        list(deaf.executable_task_instances.logs(UUID, follow=True))


@pytest.mark.parametrize(
    "answer",
    [
        Answer("fine", headers={"Saltant-Version": "2"}),
        Answer(headers=STREAM, pieces=[b"data: nonsense\n\n"]),
        Answer(headers=STREAM, pieces=[b"data: []\n\n"]),
        Answer(headers=STREAM, pieces=[b'data: {"offset": 0, "data": "***"}\n\n']),
        Answer(headers=STREAM, pieces=[b'data: {"offset": "0", "data": ""}\n\n']),
        Answer(headers=STREAM, pieces=[piece(5, b"a gap")]),
    ],
)
def test_what_is_no_stream_of_a_log(server: Scripted, job: Any, answer: Answer) -> None:
    server.script = [answer]
    with pytest.raises(exceptions.UnexpectedResponse) as caught:
        list(job.logs(follow=True))
    assert caught.value.response is None or TOKEN not in str(caught.value.response.request.headers)
    assert len(server.requests) == 1


def test_closing_the_iterator_closes_the_connection(server: Scripted, job: Any) -> None:
    gone = threading.Event()

    def for_ever() -> Iterator[bytes]:
        yield piece(0, b"a\n")
        try:
            while not server.released.wait(0.005):
                yield b": still here\n\n" * 100
        except GeneratorExit:
            pass

    class Told:
        """Says when the connection is gone, which the handler learns from an error."""

        def __init__(self) -> None:
            self.pieces = for_ever()

        def __iter__(self) -> Iterator[bytes]:
            return self

        def __next__(self) -> bytes:
            return next(self.pieces)

        def __del__(self) -> None:
            gone.set()

    server.decide = lambda request: Answer(headers=STREAM, pieces=Told())
    followed = job.logs(follow=True)
    assert next(followed) == "a\n"
    followed.close()
    assert gone.wait(60), "the server's handler has ended, as nobody listens"
    assert not server.released.is_set()
