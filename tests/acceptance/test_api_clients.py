"""Clients that are slow, or go away: they hold up nobody, and what they did not finish saying is not done."""

import http.client
import json
import socket
import sqlite3
from contextlib import ExitStack, closing
from urllib.parse import urlsplit

import pytest
import requests

from tests.acceptance.system import Site, Up, wait_until

pytestmark = pytest.mark.everywhere

STALLED = 40
ROWS = 2500
BOUND = 30.0
"""Seconds after which a request counts as starved."""


def connect(up: Site) -> socket.socket:
    """A connection of one's own."""
    url = urlsplit(up.url)
    return socket.create_connection((url.hostname, url.port), timeout=BOUND)


def head(up: Site, method: str, path: str, *headers: str) -> bytes:
    """The beginning of a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Authorization: Token {up.token}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def answer(sock: socket.socket) -> tuple[int, bytes]:
    """The status and the body of what comes back."""
    response = http.client.HTTPResponse(sock)
    response.begin()
    return response.status, response.read()


def names(up: Site) -> set[str]:
    """The names of all whitelists; reading them is everyday work."""
    listed = requests.get(
        f"{up.url}taskwhitelists/", headers={"Authorization": f"Token {up.token}"}, timeout=BOUND
    ).json()
    return {each["name"] for each in listed["results"]}


BODY = b'{"name": "stalled"}'
HALVES = {
    "header": lambda up: head(up, "POST", "/api/taskwhitelists/")[:60],
    "body": lambda up: (
        head(up, "POST", "/api/taskwhitelists/", "Content-Type: application/json", f"Content-Length: {len(BODY)}")
        + BODY[:8]
    ),
    "chunk": lambda up: (
        head(up, "POST", "/api/taskwhitelists/", "Content-Type: application/json", "Transfer-Encoding: chunked")
        + b"8\r\n"
        + BODY[:8]
        + b"\r\n"
    ),
}


@pytest.mark.parametrize("half", HALVES)
def test_half_requests_hold_up_nobody(up: Site, half: str) -> None:
    with ExitStack() as stack:
        for _ in range(STALLED):
            stack.enter_context(closing(connect(up))).sendall(HALVES[half](up))
        for _ in range(5):
            assert "default" in names(up)
        made = up.executable("/bin/true")
        assert up.run(made).state == "successful"
    assert "stalled" not in names(up)


@pytest.fixture
def many(own_up: Up) -> Up:
    """A server with a list too long for one part of an answer, and for the buffers of a connection."""
    rows = [(f"w{number}", "x" * 10_000) for number in range(ROWS)]
    with closing(sqlite3.connect(own_up.data_dir / "saltant.sqlite3", timeout=BOUND)) as database, database:
        database.executemany("INSERT INTO tasks_taskwhitelist (name, description) VALUES (?, ?)", rows)
    return own_up


def test_slow_readers_of_a_huge_list_hold_up_nobody(many: Up) -> None:
    huge = head(many, "GET", "/api/taskwhitelists/?page_size=9223372036854775807")
    with ExitStack() as stack:
        readers = [stack.enter_context(closing(connect(many))) for _ in range(10)]
        for reader in readers:
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            reader.sendall(huge)
            assert reader.recv(16, socket.MSG_WAITALL).startswith(b"HTTP/1.1 200")
        assert "default" in {queue.name for queue in many.client.task_queues.list()}
        listed = requests.get(
            f"{many.url}taskwhitelists/?page_size=9223372036854775807",
            headers={"Authorization": f"Token {many.token}"},
            timeout=BOUND,
        ).json()
        assert listed["count"] == len(listed["results"]) == ROWS + 1, "nor other readers of huge lists"
    assert many.stop() == 0


def test_a_chunked_body_over_the_limit_is_refused(own_up: Up) -> None:
    own_up.stop()
    own_up.environ["SALTANT_MAX_BODY"] = "100000"
    own_up.start()
    with closing(connect(own_up)) as sock:
        sock.sendall(
            head(own_up, "POST", "/api/taskwhitelists/", "Content-Type: application/json", "Transfer-Encoding: chunked")
        )
        for _ in range(20):
            sock.sendall(b"2710\r\n" + b" " * 10_000 + b"\r\n")
        status, body = answer(sock)
    assert (status, json.loads(body)) == (413, {"detail": "The body is larger than 100000 bytes."})
    with closing(connect(own_up)) as sock:
        sock.sendall(head(own_up, "POST", "/api/taskwhitelists/", "Content-Length: 100001", "Expect: 100-continue"))
        assert answer(sock)[0] == 413, "without having been sent"


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_ten_megabytes_is_read(up: Site, chunked: bool) -> None:
    text = json.dumps({"name": "x" * 10_000_000}).encode()
    parts = iter([text[:5_000_000], text[5_000_000:]]) if chunked else text
    answered = requests.post(
        f"{up.url}taskwhitelists/",
        data=parts,
        headers={"Authorization": f"Token {up.token}", "Content-Type": "application/json"},
        timeout=BOUND,
    )
    assert answered.status_code == 400
    assert answered.json() == {"name": ["Ensure this field has no more than 50 characters."]}


@pytest.mark.parametrize("encoding", ["length", "chunks"])
def test_a_request_that_breaks_off_is_not_done(up: Site, encoding: str) -> None:
    form = "Content-Type: application/x-www-form-urlencoded"
    name = f"broken-{encoding}"
    with closing(connect(up)) as sock:
        if encoding == "length":
            sock.sendall(
                head(up, "POST", "/api/taskwhitelists/", form, "Content-Length: 100") + f"name={name}".encode()
            )
        else:
            sent = f"name={name}".encode()
            begin = head(up, "POST", "/api/taskwhitelists/", form, "Transfer-Encoding: chunked")
            sock.sendall(begin + b"%x\r\n%s\r\n" % (len(sent), sent))
        assert "default" in names(up)
    with closing(connect(up)) as sock:
        # What was sent before the end of the other connection has been seen once this is answered.
        sock.sendall(head(up, "GET", "/api/users/", "Connection: close"))
        assert answer(sock)[0] == 200
    assert name not in names(up)


def test_an_answer_that_nobody_waits_for_harms_nothing(many: Up) -> None:
    huge = head(many, "GET", "/api/taskwhitelists/?page_size=9223372036854775807")
    for _ in range(20):
        with closing(connect(many)) as sock:
            sock.sendall(huge)
            sock.recv(16)
    wait_until(lambda: len(names(many)) == 100, "the first page", BOUND)
    assert many.stop() == 0
    assert "Traceback" not in many.output.read_text()
