"""Waiting without polling, over every system: ends, changes, and keys of requests that come again."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from tests.acceptance.cluster import Cluster
from tests.acceptance.system import START, Site, Up, wait_until

pytestmark = pytest.mark.everywhere
V2 = "application/json; version=2"


class Caller:
    """Asks the API as a program without the SDK does; each request on a connection of its own."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.pool = ThreadPoolExecutor(16)
        self.headers = {"Authorization": f"Token {site.token}", "Accept": V2}

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        """The answer to one request."""
        headers = self.headers | more.pop("headers", {})
        return requests.request(method, f"{self.site.url}{path}", headers=headers, timeout=START, **more)

    def later(self, method: str, path: str, **more: Any) -> "Future[requests.Response]":
        """The same, in a thread."""
        return self.pool.submit(self.ask, method, path, **more)

    def make(self, queue: Any, task_type: Any) -> str:
        """A new instance's UUID."""
        answer = self.ask("POST", "executabletaskinstances/", json={"task_queue": queue.id, "task_type": task_type.id})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["uuid"])

    def end(self, uuid: str) -> None:
        """Have an instance that waits ended."""
        path = f"executabletaskinstances/{uuid}/terminate/"
        assert self.ask("POST", path).status_code == 202


@pytest.fixture
def caller(up: Site) -> Iterator[Caller]:
    """The caller."""
    made = Caller(up)
    yield made
    made.pool.shutdown()


@pytest.fixture
def paused(up: Site, caller: Caller) -> Callable[[], str]:
    """Makes instances that nothing starts."""
    whitelist = up.client.task_whitelists.get(name="default")
    queue = up.client.task_queues.create(f"paused-{threading.get_ident()}-{id(caller)}", whitelists=[whitelist.id])
    up.client.task_queues.patch(queue.id, paused=True)
    task_type = up.executable("/bin/true")
    return lambda: caller.make(queue, task_type)


@contextmanager
def changes(caller: Caller, query: str = "", **headers: str) -> Iterator[Iterator[dict[str, Any]]]:
    """The stream of changes, from the moment on at which it stands."""
    url = f"{caller.site.url}events/{query}"
    with requests.get(url, headers=caller.headers | headers, stream=True, timeout=START) as answer:
        assert answer.status_code == 200, answer.text
        lines = answer.iter_lines()
        assert next(lines) == b": saltant"
        yield events(lines)


def events(lines: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    """The data of events, each with its id."""
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.decode().partition(": ")
        if name:
            fields[name] = value
        elif "data" in fields:
            yield {**json.loads(fields["data"]), "id": fields["id"]}
            fields = {}


def is_waiting(future: "Future[requests.Response]") -> bool:
    """Whether there is no answer yet."""
    return not future.done()


def test_a_job_is_waited_for(up: Site, caller: Caller) -> None:
    queue = up.client.task_queues.get(name="default")
    uuid = caller.make(queue, up.executable("/bin/sh -c 'exit 3'"))
    answer = caller.ask("GET", f"executabletaskinstances/{uuid}/?wait=60")
    assert (answer.json()["state"], answer.json()["exit_code"]) == ("failed", 3)


def test_many_clients_and_processes(caller: Caller, paused: Callable[[], str]) -> None:
    uuids = [paused() for _ in range(8)]
    waiting = [caller.later("GET", f"executabletaskinstances/{uuid}/?wait=60") for uuid in uuids]
    for uuid, future in zip(uuids, waiting, strict=True):
        assert is_waiting(future)
        caller.end(uuid)
        assert future.result(START).json()["state"] == "terminated"


def test_a_time_that_is_over(caller: Caller, paused: Callable[[], str]) -> None:
    answer = caller.ask("GET", f"executabletaskinstances/{paused()}/?wait=0.2")
    assert (answer.status_code, answer.json()["state"] in ("created", "published")) == (200, True)


def test_one_request_for_many(caller: Caller, paused: Callable[[], str]) -> None:
    uuids = [paused() for _ in range(3)]
    body = {"uuids": uuids, "wait": 60}
    any_, all_ = (caller.later("POST", "wait/", json=body | {"for": kind}) for kind in ("any", "all"))
    caller.end(uuids[1])
    told = any_.result(START).json()
    assert ([each["uuid"] for each in told["finished"]], told["unfinished"]) == ([uuids[1]], 2)
    caller.end(uuids[0])
    assert is_waiting(all_)
    caller.end(uuids[2])
    told = all_.result(START).json()
    assert ([each["uuid"] for each in told["finished"]], told["unfinished"]) == ([uuids[1], uuids[0], uuids[2]], 0)


def test_changes_are_told_as_they_come(up: Site, caller: Caller) -> None:
    queue, task_type = up.client.task_queues.get(name="default"), up.executable("/bin/true")
    query = f"?task_class=executable&task_type={task_type.id}"
    with changes(caller, query) as found:
        uuids = [caller.make(queue, task_type) for _ in range(3)]
        seen: list[tuple[str, str]] = []
        ids = []
        while sum(state == "successful" for _, state in seen) < len(uuids):
            change = next(found)
            seen.append((change["uuid"], change["state"]))
            ids.append(change["id"])
    assert len(seen) == len(set(seen))
    assert {uuid for uuid, _ in seen} == set(uuids)
    assert ids == sorted(ids)
    with changes(caller, query, **{"Last-Event-ID": ids[0]}) as found:
        last = {uuid for uuid, _ in zip(uuids, range(3), strict=True)}
        while last:
            change = next(found)
            if change["state"] == "successful":
                last.discard(change["uuid"])


def test_a_request_that_comes_again(up: Site, caller: Caller) -> None:
    queue, task_type = up.client.task_queues.get(name="default"), up.executable("/bin/true")
    body, key = {"task_queue": queue.id, "task_type": task_type.id}, {"Idempotency-Key": f"key-{task_type.name}"}
    at_once = [caller.later("POST", "executabletaskinstances/", json=body, headers=key) for _ in range(8)]
    answers = [future.result(START) for future in at_once]
    assert [answer.status_code for answer in answers] == [201] * 8
    assert len({answer.text for answer in answers}) == 1
    listed = caller.ask("GET", f"executabletaskinstances/?task_type={task_type.id}").json()
    assert listed["count"] == 1
    other = caller.ask("POST", "executabletaskinstances/", json=body | {"name": "x"}, headers=key)
    assert other.status_code == 422


def test_a_server_that_stops_lets_those_who_wait_go(
    request: pytest.FixtureRequest, up: Site, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from tests.acceptance.conftest import make_site

    system = request.node.callspec.params["up"]
    with make_site(system, request, tmp_path_factory.mktemp("stops") / "data") as site:
        caller = Caller(site)
        queue, task_type = site.client.task_queues.get(name="default"), site.executable("/bin/true")
        site.client.task_queues.patch(queue.id, paused=True)
        uuid = caller.make(queue, task_type)
        waiting = [caller.later("GET", f"executabletaskinstances/{uuid}/?wait=200") for _ in range(4)]
        with changes(caller) as found:
            wait_until(lambda: caller.ask("GET", "users/").ok, "the server answers")
            stopped = site.stop() if isinstance(site, Up) else stop(site)
            assert stopped == 0
            assert next(found, None) is None
        answers = [future.result(START) for future in waiting]
        assert {(answer.status_code, answer.json()["uuid"]) for answer in answers} == {(200, uuid)}


def stop(site: Cluster) -> int:
    """Stop a cluster's server."""
    return site.server.stop()
