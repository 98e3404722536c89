"""From ASGI to Django's WSGI, so that a slow client holds no thread.

A thread is taken when a request is whole, given back when there is something to send, and taken again for each further
chunk of a long answer. Whoever sends or reads slowly costs memory and a connection, no more; a request that breaks off
half-way reaches nobody.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import IO, Any, TypeVar
from urllib.parse import unquote_to_bytes

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
T = TypeVar("T")
WSGI = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

IN_MEMORY = 2**20
"""Bytes of a body that are kept in memory; a larger one goes to a temporary file."""


class Gone(Exception):
    """The client went away, or was silent for too long, before its request was whole."""


@dataclass
class Answer:
    """How an answer begins; `rest` makes what follows the first part, if there is more."""

    status: int
    headers: list[tuple[bytes, bytes]]
    first: bytes
    rest: Iterator[bytes] | None
    close: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def header(self, name: bytes) -> str | None:
        """The value of a header, by its name in small letters."""
        return next((value.decode("latin-1") for given, value in self.headers if given == name), None)

    def with_body(self, body: bytes) -> "Reply":
        """The same with another body."""
        headers = [(name, b"%d" % len(body) if name == b"content-length" else value) for name, value in self.headers]
        return Reply(self.status, headers, body)

    async def send_to(self, send: Send) -> None:
        """Answer a client with it."""
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body})


class Bridge:
    """Runs a WSGI application in threads.

    Args:
        max_body: bytes; of a larger body no more is read, and the application is told of its length alone.
        patience: seconds that a client may be silent before its request is whole.
    """

    def __init__(self, app: WSGI, *, threads: int, max_body: int, patience: float) -> None:
        self._app = app
        self._max_body = max_body
        self._patience = patience
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="http")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        environ = make_environ(scope)
        try:
            environ["wsgi.input"] = body = await self.read(environ, receive)
        except Gone:
            await send_408(send)
            return
        try:
            await self._answer(environ, receive, send)
        finally:
            body.close()

    async def ask(self, environ: Mapping[str, Any], body: bytes = b"") -> Reply:
        """The whole answer to a request whose body is known: for who has something to do with it before it is sent."""
        asked = {**environ, "wsgi.input": BytesIO(body)}
        return await self.run(partial(self._reply, asked))

    async def run(self, act: Callable[[], T]) -> T:
        """What `act` returns, in one of the threads."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, act)

    def _reply(self, environ: dict[str, Any]) -> Reply:
        answer = self._begin(environ)
        try:
            return Reply(answer.status, answer.headers, b"".join((answer.first, *(answer.rest or ()))))
        finally:
            if answer.rest is not None:
                answer.close()

    async def _answer(self, environ: dict[str, Any], receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        answer = await loop.run_in_executor(self._pool, self._begin, environ)
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        more = answer.rest is not None
        await send({"type": "http.response.body", "body": answer.first, "more_body": more})
        if answer.rest is None:
            return
        gone = asyncio.ensure_future(disconnect(receive))
        try:
            while more and not gone.done():
                chunk = await loop.run_in_executor(self._pool, next, answer.rest, None)
                more = chunk is not None
                await send({"type": "http.response.body", "body": chunk or b"", "more_body": more})
        finally:
            gone.cancel()
            await loop.run_in_executor(self._pool, answer.close)

    async def read(self, environ: dict[str, Any], receive: Receive) -> IO[bytes]:
        """The request's body, whole: then its length is known, however it was sent.

        Raises:
            Gone: it did not come.
        """
        length = environ.get("CONTENT_LENGTH", "")
        chunked = environ.pop("HTTP_TRANSFER_ENCODING", None) is not None
        if not chunked and (length in ("", "0") or int(length) > self._max_body):
            return BytesIO()
        is_small = not chunked and int(length) <= IN_MEMORY
        body: Any = BytesIO() if is_small else SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115
        try:
            size, more = 0, True
            while more and size <= self._max_body:
                async with asyncio.timeout(self._patience):
                    message = await receive()
                if message["type"] == "http.disconnect":
                    raise Gone
                part = message.get("body", b"")
                size, more = size + len(part), message.get("more_body", False)
                body.write(part)
        except TimeoutError:
            body.close()
            raise Gone from None
        except BaseException:
            body.close()
            raise
        body.seek(0)
        environ["CONTENT_LENGTH"] = str(size)
        return body  # type: ignore[no-any-return]

    def _begin(self, environ: dict[str, Any]) -> Answer:
        """Run the application until there is something to send: all of it, if its length is known and it is no file."""
        started: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
            started[:] = [status, headers]

        answer: Any = self._app(environ, start_response)
        close = getattr(answer, "close", _nothing)
        try:
            status, headers = started
            parts = iter(answer)
            whole = any(name.lower() == "content-length" for name, _ in headers)
            whole = whole and not getattr(answer, "streaming", False)  # Django's: a file, that may be of any size
            first = b"".join(parts) if whole else next(parts, b"")
        except BaseException:
            close()
            raise
        if whole:
            close()
        encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        return Answer(int(status[:3]), encoded, first, None if whole else parts, close)


def make_environ(scope: Mapping[str, Any]) -> dict[str, Any]:
    """What WSGI calls a request, without its body."""
    host, port = scope.get("server") or ("localhost", 80)
    client = scope.get("client") or ("", 0)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        # The bytes of the path, whatever they are: what they say is the application's to find out.
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": host,
        "SERVER_PORT": str(port or 0),
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": str(client[1]),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if "_" in name:
            continue  # It would be taken for the header with a dash in that place.
        key = name.upper().replace("-", "_")
        if key not in ("CONTENT_LENGTH", "CONTENT_TYPE"):
            key = f"HTTP_{key}"
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    return environ


async def disconnect(receive: Receive) -> None:
    """Wait until the client has gone, or has been told everything."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def send_408(send: Send) -> None:
    """Tell a client, if it still listens, that its request took too long to come."""
    body = b'{"detail":"The request did not arrive in time."}'
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 408, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _nothing() -> None:
    pass
