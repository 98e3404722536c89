"""Answers that come bit by bit: bytes as they arrive, and the server-sent events among them."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass

import requests
from urllib3.exceptions import HTTPError

from saltant._http import Transport
from saltant._http_errors import without_userinfo
from saltant._patience import Patience, Trouble
from saltant.exceptions import ConnectionFailed

PIECE = 65536
SILENCE_SECONDS = 60.0
"""A stream of events whose server is well is never silent for a quarter of this."""

LIVELY_SECONDS = 5.0
"""A stream that lasts so long is well, though it has nothing to tell."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream."""

    kind: str
    data: str
    id: str


class Lines:
    """Parts pieces of bytes into lines, which keep their ends."""

    def __init__(self) -> None:
        self.rest = bytearray()

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The lines that are whole with this piece."""
        # The beginning of a long line is not searched again.
        start, searched = 0, len(self.rest)
        self.rest += piece
        while (end := self.rest.find(b"\n", max(start, searched)) + 1) > 0:
            yield bytes(self.rest[start:end])
            start = end
        del self.rest[:start]


class Events:
    """Reads server-sent events out of pieces of bytes."""

    def __init__(self) -> None:
        self._lines = Lines()
        self._kind = ""
        self._data: list[str] = []
        self._id = ""

    def feed(self, piece: bytes) -> Iterator[Event]:
        """The events that are whole with this piece."""
        for line in self._lines.feed(piece):
            said = line.decode("utf-8", "replace").rstrip("\r\n")
            if said:
                self._take(said)
            else:
                if self._data:
                    yield Event(self._kind or "message", "\n".join(self._data), self._id)
                self._kind, self._data = "", []

    def _take(self, line: str) -> None:
        name, _, value = line.partition(":")  # a comment has no name
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._kind = value
        elif name == "id":
            self._id = value


def pieces(transport: Transport, answer: requests.Response) -> Iterator[bytes]:
    """The bytes of an answer as they arrive.

    Raises:
        TransportError: It broke off.
    """
    raw = answer.raw
    try:
        if getattr(raw, "chunked", False) or not hasattr(raw, "read1"):
            # Without read1, which old urllib3 lacks, what has no chunks could only be read by the byte.
            yield from answer.iter_content(None if getattr(raw, "chunked", False) else 1)
            return
        while piece := raw.read1(PIECE):
            yield piece
    except (requests.RequestException, HTTPError, OSError, ValueError) as caught:
        raise transport.failure(caught, answer) from caught


def open_events(
    transport: Transport, path: str, params: Iterable[tuple[str, str]], headers: Mapping[str, str] | None = None
) -> requests.Response:
    """Begin to read a stream of events.

    Raises:
        BadHttpRequestError: There is none.
    """
    answer = transport.open(path, params=params, headers=headers, silence=SILENCE_SECONDS)
    if not answer.headers.get("Content-Type", "").startswith("text/event-stream"):
        answer.close()
        raise transport.odd(answer, "no stream of events")
    return answer


def read_events(transport: Transport, answer: requests.Response, patience: Patience) -> Iterator[Event]:
    """The events of one connection, whose end is no end of the stream: only an event can tell that.

    Raises:
        TransportError: It broke off, or ended before it told anything.
    """
    reader = Events()
    began = time.monotonic()
    lives = False
    for piece in pieces(transport, answer):
        found = [*reader.feed(piece)]
        if found or time.monotonic() - began > LIVELY_SECONDS:
            lives = True
            patience.well()
        yield from found
    if not lives:
        url = without_userinfo(answer.url)
        raise ConnectionFailed(f"GET {url} failed: the stream ended before it told anything.", url=url, method="GET")


def pause(transport: Transport, patience: Patience, error: Trouble | None) -> None:
    """Wait before a stream is taken up again after it ended, maybe with an error.

    Raises:
        BadHttpRequestError: The errors have lasted too long.
    """
    asked = 0.0 if error is None else patience.bear(error)
    transport.sleep(max(asked, transport.backoff.wait(max(patience.failures, 1))))


def lines(chunks: Iterable[bytes]) -> Generator[bytes, None, None]:
    """The lines of chunks of bytes, with their ends; the last one may have none.

    >>> list(lines([b"a", b"b\\nc\\n", b"d"]))
    [b'ab\\n', b'c\\n', b'd']
    """
    parted = Lines()
    for chunk in chunks:
        yield from parted.feed(chunk)
    if parted.rest:
        yield bytes(parted.rest)
