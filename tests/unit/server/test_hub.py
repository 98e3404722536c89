"""The hub, as a client meets it, with a small application in Django's place."""

import asyncio
import base64
import json
import threading
from collections.abc import Callable, Coroutine, Iterable, Sequence
from functools import wraps
from typing import Any

import pytest

from saltant.server.bridge import Bridge
from saltant.server.hub import app, sse
from saltant.server.hub.app import Hub
from saltant.server.hub.board import WATCH, Board
from saltant.server.tasks.changes import Change

UUID = "a" * 32
INSTANCE = f"/api/executabletaskinstances/{UUID}/"
LOG = f"{INSTANCE}logs/stdout/"
BOUND = 30.0


def in_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """A test that runs in an event loop of its own."""

    @wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), BOUND))

    return run


class Django:
    """What stands behind the hub: one instance, its log, and a stream of changes."""

    def __init__(self) -> None:
        self.state = "running"
        self.log = b""
        self.status = 200
        self.looks = 0
        self.told: list[bytes] = []
        self.answers = 0
        self.makes_answers = False
        self.shown = 0
        self.hold = threading.Event()  # until it is set, `show` takes its time
        self.hold.set()

    def answer(self) -> str | None:
        """What a view leaves to be asked for without itself."""
        self.answers += 1
        if self.status != 200:
            raise OSError
        return None if self.state == "running" else json.dumps({"state": self.state, "made": "anew"})

    def show(self, uuids: Sequence[str]) -> dict[str, str]:
        """The same, for several at once, however they are."""
        self.shown += 1
        self.hold.wait(30)
        if self.status != 200:
            raise OSError
        return {uuid: json.dumps({"state": self.state, "shown": len(uuids)}) for uuid in uuids}

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.looks += 1
        watch, path = environ.get(WATCH), environ["PATH_INFO"]
        headers: dict[str, str] = {}
        body = json.dumps({"state": self.state}).encode()
        status = self.status
        if path == "/api/events/" and watch is not None:
            watch.on_anything()
            body, self.told = b"".join(self.told), []
        elif path == LOG:
            start = int(environ["HTTP_RANGE"].split("=")[1].split("-")[0])
            end = int(environ["HTTP_RANGE"].split("-")[1]) + 1
            body = self.log[start:end]
            status = 416 if not body and status == 200 else 206 if status == 200 else status
            finished = str(self.state != "running").lower()
            headers = {"Saltant-Log-Size": str(len(self.log)), "Saltant-Finished": finished, "Saltant-Attempt": "1"}
        elif watch is not None and self.state == "running":
            watch.on_end([UUID])
            watch.seconds = float(environ["QUERY_STRING"].partition("=")[2])
            watch.answer, watch.show = (self.answer, self.show) if self.makes_answers else (None, None)
        start_response(f"{status} X", [*headers.items(), ("Content-Length", str(len(body)))])
        return [body]


class Client:
    """One client of the hub."""

    def __init__(self, hub: Hub, path: str, query: str = "", headers: dict[str, str] | None = None) -> None:
        self.said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.left = asyncio.Event()
        self.begun = False
        self.headers: dict[bytes, bytes] = {}
        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "http_version": "1.1",
            "headers": [(name.encode(), value.encode()) for name, value in (headers or {}).items()],
        }
        serve = hub.find(scope)
        assert serve is not None
        self.task = asyncio.ensure_future(serve(scope, self._receive, self.said.put))

    async def _receive(self) -> dict[str, Any]:
        if not self.begun:
            self.begun = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def status(self) -> int:
        """How the answer begins."""
        message = await self.said.get()
        self.headers = dict(message["headers"])
        return int(message["status"])

    async def part(self) -> bytes:
        """A part of the answer; b"" is its end."""
        message = await self.said.get()
        body: bytes = message["body"]
        return body

    async def event(self) -> dict[str, str]:
        """The next event; nothing at the end of the stream."""
        while (part := await self.part()).startswith(b":"):
            pass
        return dict(line.split(": ", 1) for line in part.decode().split("\n") if line)


@pytest.fixture
def django() -> Django:
    """The application."""
    return Django()


def hub_of(django: Django) -> Hub:
    """A hub before it."""
    return Hub(Board(), Bridge(django, threads=2, max_body=2**20, patience=BOUND))


async def until(condition: Callable[[], object]) -> None:
    """Wait for a condition; the test as a whole has a bound."""
    while not condition():
        await asyncio.sleep(0.001)


def is_empty(hub: Hub) -> bool:
    """Whether nothing of any client is kept."""
    board = hub.board
    return not (len(board) or board._ended or board._logged or board._anything)


@in_a_loop
async def test_an_end_is_told_at_once(django: Django) -> None:
    hub = hub_of(django)
    client = Client(hub, INSTANCE, "wait=300")
    await until(lambda: django.looks == 1)
    django.state = "failed"
    hub.board.post(Change.ENDED, [UUID])
    assert await client.status() == 200
    assert json.loads(await client.part()) == {"state": "failed"}
    await client.task
    assert django.looks == 2
    assert is_empty(hub)


@in_a_loop
async def test_news_is_answered_without_asking_the_view_again(django: Django) -> None:
    django.makes_answers = True
    hub = hub_of(django)
    client = Client(hub, INSTANCE, "wait=300")
    await until(lambda: django.looks == 1)
    hub.board.post(Change.UNKNOWN, [])  # nothing has ended: it goes on waiting
    await until(lambda: django.answers == 1)
    django.state = "failed"
    hub.board.post(Change.ENDED, [UUID])
    assert await client.status() == 200
    assert json.loads(await client.part()) == {"state": "failed", "made": "anew"}
    await client.task
    assert (django.looks, django.answers) == (1, 2)
    assert is_empty(hub)


@in_a_loop
async def test_an_answer_that_cannot_be_made_is_the_views_to_give(django: Django) -> None:
    django.makes_answers = True
    hub = hub_of(django)
    client = Client(hub, INSTANCE, "wait=300")
    await until(lambda: django.looks == 1)
    django.state, django.status = "failed", 404
    hub.board.post(Change.ENDED, [UUID])
    assert await client.status() == 404
    await client.task
    assert is_empty(hub)


@in_a_loop
async def test_a_time_that_is_over(django: Django) -> None:
    hub = hub_of(django)
    client = Client(hub, INSTANCE, "wait=0.01")
    assert await client.status() == 200
    assert json.loads(await client.part()) == {"state": "running"}
    await client.task
    assert is_empty(hub)


@in_a_loop
async def test_who_leaves_is_forgotten(django: Django) -> None:
    hub = hub_of(django)
    paths = ((INSTANCE, "wait=300"), ("/api/events/", ""), (LOG, "follow=true"))
    clients = [Client(hub, *path) for path in paths]
    await until(lambda: django.looks >= len(paths))
    for client in clients:
        client.left.set()
        await client.task
    assert is_empty(hub)


@in_a_loop
async def test_a_server_that_stops_lets_everybody_go(django: Django) -> None:
    hub = hub_of(django)
    poll, events, log = (
        Client(hub, *path) for path in ((INSTANCE, "wait=300"), ("/api/events/", ""), (LOG, "follow=true"))
    )
    await until(lambda: len(hub.board) == 3 and django.looks == 3)
    hub.board.close()
    assert await poll.status() == 200
    assert json.loads(await poll.part()) == {"state": "running"}
    for stream in (events, log):
        assert await stream.status() == 200
        assert await stream.event() == {}  # without `end`
    await asyncio.gather(poll.task, events.task, log.task)
    late = Client(hub, INSTANCE, "wait=300")
    assert await late.status() == 200
    assert is_empty(hub)


@pytest.fixture
def forever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks again by themselves."""
    monkeypatch.setattr(app, "LOOK_AGAIN", 1000.0)


@pytest.mark.usefixtures("forever")
@in_a_loop
async def test_who_comes_as_the_server_stops_is_let_go_at_once(django: Django) -> None:
    hub = hub_of(django)
    hub.board.close()
    for path, query in ((INSTANCE, "wait=300"), ("/api/events/", ""), (LOG, "follow=true")):
        late = Client(hub, path, query)
        assert await late.status() == 200
        await late.task
    assert is_empty(hub)


@pytest.mark.usefixtures("forever")
@in_a_loop
async def test_a_server_that_stops_shows_all_their_instances_at_once(django: Django) -> None:
    django.makes_answers = True
    hub = hub_of(django)
    clients = [Client(hub, INSTANCE, "wait=300") for _ in range(300)]
    await until(lambda: django.looks == 300)
    hub.board.close()
    for client in clients:
        assert await client.status() == 200
        assert json.loads(await client.part()) == {"state": "running", "shown": 300}
    late = Client(hub, INSTANCE, "wait=300")
    assert await late.status() == 200
    await asyncio.gather(*(client.task for client in (*clients, late)))
    assert django.shown == 1
    assert is_empty(hub)


@pytest.mark.usefixtures("forever")
@pytest.mark.parametrize("trouble", ["slow", "failing"])
@in_a_loop
async def test_a_server_that_stops_without_its_database_says_so(django: Django, trouble: str) -> None:
    django.makes_answers = True
    hub = hub_of(django)
    clients = [Client(hub, INSTANCE, "wait=300") for _ in range(3)]
    await until(lambda: django.looks == 3)
    if trouble == "slow":
        django.hold.clear()
    else:
        django.status = 503
    hub.board.close()
    for client in clients:
        assert await client.status() == 503
        assert client.headers[b"retry-after"] == b"1"
        assert json.loads(await client.part()) == {"detail": "The server stops. Ask again."}
        await client.task
    django.hold.set()


@in_a_loop
async def test_an_answer_after_a_look_that_failed_is_a_success(django: Django) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "LOOK_AGAIN", 0.01)
        django.makes_answers = True
        hub = hub_of(django)
        client = Client(hub, INSTANCE, "wait=300")
        await until(lambda: django.looks == 1)
        django.status = 503
        await until(lambda: django.looks == 2)
        django.status, django.state = 200, "failed"
        hub.board.post(Change.ENDED, [UUID])
        assert await client.status() == 200
        assert json.loads(await client.part()) == {"state": "failed", "made": "anew"}
        await client.task


@in_a_loop
async def test_a_missed_change_is_found(django: Django) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "LOOK_AGAIN", 0.01)
        client = Client(hub_of(django), INSTANCE, "wait=300")
        await until(lambda: django.looks > 2)
        django.state = "failed"
        assert await client.status() == 200
        assert json.loads(await client.part()) == {"state": "failed"}


@in_a_loop
async def test_a_key_that_is_revoked(django: Django) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for module in (app, sse):
            patch.setattr(module, "LOOK_AGAIN", 0.01)
        hub = hub_of(django)
        poll, events, log = (
            Client(hub, *path) for path in ((INSTANCE, "wait=300"), ("/api/events/", ""), (LOG, "follow=true"))
        )
        await until(lambda: django.looks > 6)
        django.told = [b"event: change\ndata: secret\n\n"]
        django.status = 401
        assert await events.status() == 200
        assert await log.status() == 200
        await asyncio.gather(poll.task, events.task, log.task)
        assert is_empty(hub)


@in_a_loop
async def test_a_database_that_is_away_for_a_while_is_borne_with(django: Django) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for module in (app, sse):
            patch.setattr(module, "LOOK_AGAIN", 0.01)
            patch.setattr(module, "AFTER_FAILURE", 0.01)
        hub = hub_of(django)
        poll, events = (Client(hub, *path) for path in ((INSTANCE, "wait=300"), ("/api/events/", "")))
        await until(lambda: django.looks > 2)
        django.status = 503
        looks = django.looks
        await until(lambda: django.looks > looks + 5)
        assert not poll.task.done()
        assert not events.task.done()
        django.told = [b"event: change\ndata: 1\n\n"]
        django.status, django.state = 200, "failed"
        assert await poll.status() == 200
        assert json.loads(await poll.part()) == {"state": "failed"}
        assert await events.status() == 200
        assert await events.event() == {"event": "change", "data": "1"}
        events.left.set()
        await events.task


@in_a_loop
async def test_heartbeats(django: Django) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sse, "HEARTBEAT", 0.01)
        client = Client(hub_of(django), "/api/events/")
        assert await client.status() == 200
        assert [await client.part() for _ in range(3)] == [b": saltant\n\n", b": still here\n\n", b": still here\n\n"]
        client.left.set()
        await client.task
        assert django.looks == 1


@in_a_loop
async def test_a_storm_is_a_few_looks(django: Django) -> None:
    hub = hub_of(django)
    client = Client(hub, "/api/events/")
    assert await client.status() == 200
    await until(lambda: hub.board.streams == 1)
    for number in range(1000):
        hub.board.post(Change.MOVED, [f"{number:032x}"])
        if number % 100 == 0:
            await asyncio.sleep(0)
    django.told = [b"data: last\n\n"]
    assert (await client.event())["data"] == "last"
    assert django.looks <= 3
    client.left.set()
    await client.task


@in_a_loop
async def test_a_log_is_followed_to_its_end(django: Django) -> None:
    hub = hub_of(django)
    django.log = b"one\n"
    client = Client(hub, LOG, "follow=true")
    assert await client.status() == 200
    got = b""
    for more in (b"", b"\xff\x00two\n", b"x" * 600_000):
        django.log += more
        hub.board.post(Change.LOGGED, [UUID])
        while len(got) < len(django.log):
            event = await client.event()
            said = json.loads(event["data"])
            assert said["offset"] == len(got)
            got += base64.b64decode(said["data"])
            assert event["id"] == str(len(got))
    assert got == django.log
    django.state = "successful"
    hub.board.post(Change.ENDED, [UUID])
    end = await client.event()
    assert end["event"] == "end"
    assert json.loads(end["data"]) == {"size": len(got), "state": "successful", "attempt": 1}
    assert await client.event() == {}
    await client.task
    assert is_empty(hub)


@pytest.mark.parametrize(
    ("query", "headers", "rest"),
    [
        ("follow=true&offset=2", {}, b"cd"),
        ("follow=true&offset=1", {"last-event-id": "3"}, b"d"),
        ("follow=1", {"last-event-id": "0", "if-range": "x"}, b"abcd"),
    ],
)
@in_a_loop
async def test_a_follower_goes_on_where_it_was(
    django: Django, query: str, headers: dict[str, str], rest: bytes
) -> None:
    django.log, django.state = b"abcd", "failed"
    client = Client(hub_of(django), LOG, query, headers)
    assert await client.status() == 200
    assert base64.b64decode(json.loads((await client.event())["data"])["data"]) == rest
    assert (await client.event())["event"] == "end"


@pytest.mark.parametrize("offset", ["x", "-1", "1e3", "9" * 19])
@in_a_loop
async def test_an_offset_that_is_none(django: Django, offset: str) -> None:
    client = Client(hub_of(django), LOG, f"follow=true&offset={offset}")
    assert await client.status() == 400
    assert json.loads(await client.part()) == {"offset": ["Must be a number of bytes."]}


@in_a_loop
async def test_who_may_not_read_a_log_hears_nothing_of_it(django: Django) -> None:
    django.status = 403
    client = Client(hub_of(django), LOG, "follow=true&offset=x")
    assert await client.status() == 403


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("HEAD", INSTANCE, "wait=5"),
        ("PUT", INSTANCE, "wait=5"),
        ("GET", INSTANCE, ""),
        ("GET", "/api/executabletaskinstances/", "wait=5"),
        ("GET", f"{INSTANCE}attempts/", "wait=5"),
        ("GET", LOG, ""),
        ("HEAD", LOG, "follow=true"),
        ("POST", "/api/events/", ""),
        ("GET", "/api/eventsx", ""),
        ("GET", "/api/wait/", ""),
        ("POST", "/api/waiting/", ""),
    ],
)
@in_a_loop
async def test_other_requests_are_not_the_hubs(django: Django, method: str, path: str, query: str) -> None:
    scope = {"method": method, "path": path, "query_string": query.encode()}
    assert hub_of(django).find(scope) is None
