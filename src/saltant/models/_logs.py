"""Reading logs: at once, or while they are written."""

from __future__ import annotations

import base64
import json
from collections.abc import Generator
from contextlib import closing
from typing import Any
from urllib.parse import quote

from saltant._http import Transport
from saltant._http_errors import BASE_URL_HINT
from saltant._patience import Patience, Trouble
from saltant._streams import Event, open_events, pause, read_events
from saltant.exceptions import RateLimited, ServerError, TransportError, UnexpectedResponse
from saltant.files import check_name

Query = list[tuple[str, str]]


class Log:
    """A log on the server.

    Args:
        transport: What makes the requests.
        folder: Where the instance's logs are, below the base URL.
        name: Its name.
        attempt: The number of the attempt; None for the current one.

    Raises:
        ValueError: Such a name no log has.
    """

    def __init__(self, transport: Transport, folder: str, name: str, attempt: int | None) -> None:
        self._transport = transport
        self._path = f"{folder}{quote(check_name(name), safe='/')}/"
        self._attempt = attempt
        self._offset = 0

    def read(self, tail: int | None = None) -> bytes:
        """All of it by now, or its last lines.

        Raises:
            BadHttpRequestError: It failed.
        """
        answer = self._transport.read(self._path, self._query() + ([] if tail is None else [("tail", str(tail))]))
        self._settle(answer.headers.get("Saltant-Attempt"))
        size = answer.headers.get("Saltant-Log-Size", "")
        self._offset = int(size) if size.isdecimal() else len(answer.content)
        return answer.content

    def follow(self, tail: int | None = None) -> Generator[bytes, None, None]:
        """All of it, or its last lines, and what comes to it until its end, whatever becomes of the connection.

        Raises:
            BadHttpRequestError: It failed, or for too long.
        """
        if tail is not None:
            yield self.read(tail)
        patience = Patience(f"Still following {self._path}", quiet=1)
        while True:
            trouble: Trouble | None = None
            try:
                query = [*self._query(), ("follow", "true"), ("offset", str(self._offset))]
                with closing(open_events(self._transport, self._path, query)) as answer:
                    patience.meet()
                    self._settle(answer.headers.get("Saltant-Attempt"))
                    for event in read_events(self._transport, answer, patience):
                        if event.kind == "end" and self._is_end(event):
                            return
                        if piece := self._take(event):
                            yield piece
            except (TransportError, ServerError, RateLimited) as error:
                trouble = error
            pause(self._transport, patience, trouble)

    def _query(self) -> Query:
        return [] if self._attempt is None else [("attempt", str(self._attempt))]

    def _settle(self, attempt: str | None) -> None:
        # What was begun with one attempt does not go on with another.
        if self._attempt is None and attempt and attempt.isdecimal() and attempt != "0":
            self._attempt = int(attempt)

    def _is_end(self, event: Event) -> bool:
        size = self._read(event).get("size", self._offset)
        return isinstance(size, int) and size <= self._offset

    def _take(self, event: Event) -> bytes:
        """The bytes of an event that were not seen."""
        if event.kind != "message":
            return b""
        said = self._read(event)
        try:
            offset, data = said["offset"], base64.b64decode(said["data"], validate=True)
            new = data[max(self._offset - offset, 0) :]
        except (KeyError, TypeError, ValueError) as error:
            raise self._odd(error) from error
        if offset > self._offset:
            raise self._odd(f"it goes on at {offset} after {self._offset}")
        self._offset += len(new)
        return new

    def _read(self, event: Event) -> dict[str, Any]:
        try:
            said = json.loads(event.data)
        except (ValueError, RecursionError) as error:
            raise self._odd(error) from error
        if not isinstance(said, dict):
            raise self._odd("no object")
        return said

    @property
    def _url(self) -> str:
        return self._transport.base_url + self._path

    def _odd(self, problem: object) -> UnexpectedResponse:
        message = f"The stream of {self._url} is none of a log ({problem}). {BASE_URL_HINT}"
        return UnexpectedResponse(message, status_code=200, url=self._url, method="GET")
