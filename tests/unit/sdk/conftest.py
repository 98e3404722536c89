"""A small HTTP server on a real socket that answers as a test tells it, well or badly."""

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from saltant import Client

TOKEN = "p0gch4mp101fy451do9uod1s1x9i4a"


@dataclass
class Request:
    """What a client said."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any
    peer: int
    """The client's port: one for each connection."""


@dataclass
class Answer:
    """What to say to it. `fault` instead breaks the connection ("reset", "cut") or falls silent ("hang", "stall").

    With `pieces` they are the body, each sent as it comes; a fault is then what follows the last of them.
    """

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    fault: str = ""
    pieces: Iterable[bytes] | None = None


class Scripted(ThreadingHTTPServer):
    """Answers as it was told, one answer a request; the last one again and again."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[Request] = []
        self.script: list[Answer] = []
        self.decide: Callable[[Request], Answer] | None = None
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/api/"

    def say(self, body: Any = None, status: int = 200, *, fault: str = "", **headers: str) -> None:
        """Add an answer. Underscores in the names of headers stand for hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.script.append(Answer(body, status, named, fault))

    def answer(self, request: Request) -> Answer:
        self.requests.append(request)
        if self.decide is not None:
            return self.decide(request)
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are no news."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Scripted

    def respond(self) -> None:
        parts = urlsplit(self.path)
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = json.loads(sent) if sent else None
        answer = self.server.answer(Request(self.command, parts.path, query, headers, body, self.client_address[1]))
        if answer.fault == "hang":
            self.server.released.wait()
        if answer.pieces is not None:
            self.stream(answer)
            return
        if answer.fault in ("reset", "hang"):
            self.reset()
            return
        text = isinstance(answer.body, (str, bytes))
        data = answer.body if text else json.dumps(answer.body)
        data = data.encode() if isinstance(data, str) else data
        self.send_response(answer.status)
        kind = {"Content-Type": "text/html" if text else "application/json"}
        for name, value in (kind | answer.headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data) + (10 if answer.fault in ("cut", "stall") else 0)))
        self.end_headers()
        self.wfile.write(data)
        if answer.fault == "stall":
            self.server.released.wait()
        self.close_connection = answer.fault in ("cut", "stall")

    def reset(self) -> None:
        """Break the connection."""
        # Closing with a linger time of zero sends a reset.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def stream(self, answer: Answer) -> None:
        """Send pieces as they come."""
        self.send_response(answer.status)
        for name, value in {"Saltant-Version": "2", "Transfer-Encoding": "chunked", **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        for piece in answer.pieces or ():
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        if answer.fault == "reset":
            self.reset()
        elif answer.fault == "cut":
            self.close_connection = True
        else:
            self.wfile.write(b"0\r\n\r\n")

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = respond  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """Tests look at `requests` instead."""


@pytest.fixture
def server() -> Iterator[Scripted]:
    scripted = Scripted()
    thread = threading.Thread(target=scripted.serve_forever, kwargs={"poll_interval": 0.005})
    thread.start()
    yield scripted
    scripted.released.set()
    scripted.shutdown()
    thread.join()
    scripted.server_close()


@pytest.fixture
def client(server: Scripted) -> Iterator[Client]:
    """A client of the scripted server. Nothing was sent yet."""
    with quick_client(server.url) as made:
        yield made


def quick_client(url: str, **options: Any) -> Client:
    """A client that tries again without much waiting."""
    made = Client(url, TOKEN, test_if_authenticated=False, **options)
    made._transport.backoff = replace(made._transport.backoff, first=0.001, longest=0.002)
    return made


@pytest.fixture
def client_2(server: Scripted, client: Client) -> Client:
    """One that knows already that the server speaks version 2. Nothing was sent yet, as far as `requests` tells."""
    server.say(page(), Saltant_Version="2")
    client.users.list({"page_size": 1})
    server.script.clear()
    server.requests.clear()
    return client


@pytest.fixture
def deaf_url() -> Iterator[str]:
    """The URL of a port where nobody listens, nor can anybody begin to."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/api/"


def instance(**fields: Any) -> dict[str, Any]:
    """The body of a task instance of version 1."""
    return {
        "uuid": "0b0c84f5-3d7d-4a8d-9f2a-1f2b3c4d5e6f",
        "user": "ada",
        "name": "",
        "state": "running",
        "datetime_created": "2024-05-06T07:08:09.123456Z",
        "datetime_finished": None,
        "arguments": {},
        "task_queue": 1,
        "task_type": 2,
        **fields,
    }


def queue(**fields: Any) -> dict[str, Any]:
    """The body of a task queue."""
    return {
        "id": 1,
        "user": "ada",
        "name": "default",
        "description": "",
        "private": False,
        "runs_executable_tasks": True,
        "runs_docker_container_tasks": True,
        "runs_singularity_container_tasks": True,
        "active": True,
        "whitelists": [1],
        **fields,
    }


def executable_type(**fields: Any) -> dict[str, Any]:
    """The body of an executable task type."""
    return {
        "id": 3,
        "user": "ada",
        "name": "greet",
        "description": "",
        "datetime_created": "2024-05-06T07:08:09.123456Z",
        "command_to_run": "echo",
        "environment_variables": [],
        "required_arguments": ["who"],
        "required_arguments_default_values": {},
        "json_file_option": None,
        **fields,
    }


def page(*results: Any, next: str | None = None, count: int = 0) -> dict[str, Any]:
    """The body of a page."""
    return {"count": count or len(results), "next": next, "previous": None, "results": list(results)}
