"""The control of a worker on a machine of its own: its server over HTTP."""

import io
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from saltant._http import Transport
from saltant._http_errors import without_userinfo
from saltant.exceptions import BadHttpRequestError
from saltant.file_protocol import logs_to_body, offer_to_json, offsets_from_json
from saltant.files import NO_MORE, LogChunk, RefusedFile, ResultOffer
from saltant.jobs import Attempt, End, Job, Ticket
from saltant.progress import Progress
from saltant.protocol import (
    JSON,
    LONGEST_LIST,
    Malformed,
    announcement_to_json,
    attempt_to_json,
    attempts_from_json,
    attempts_to_json,
    end_to_json,
    job_from_json,
    lanes_from_json,
    list_of,
    orders_from_json,
    running_to_json,
    ticket_to_json,
)
from saltant.worker.control.batches import Batches
from saltant.worker.control.clock import ServerClock
from saltant.workers import Announcement, Orders, Refused

CONNECT, READ = 5.0, 30.0
"""Seconds that the server may take to take a connection, and to answer."""

_DEFAULT_LEASE = 60.0  # seconds, until the server has told its own
_TOO_MUCH = (400, 413)  # answers that may be meant for one item of many

_HOW = "`saltant token create NAME --role worker --queue QUEUE` on the server makes one"
_ADVICE = {
    400: "Give worker and server the same version of saltant.",
    401: f"Set SALTANT_WORKER_TOKEN to a key that is valid: {_HOW}.",
    403: f"Give it a worker's token for all of its queues: {_HOW}.",
    409: "Stop that worker, or give this one another --name.",
    426: "",  # the server says which of the two to upgrade
}


class _Patience(HTTPAdapter):
    """Does not wait for a connection for as long as for an answer."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        timeout = kwargs.get("timeout")
        return super().send(request, *args, **kwargs | {"timeout": (min(CONNECT, timeout or READ), timeout or READ)})


class _Transport(Transport):
    """Sends bytes as they are, beside JSON."""

    def _prepare(
        self, method: str, path: str, params: list[tuple[str, str]], body: object, headers: dict[str, str]
    ) -> requests.PreparedRequest:
        if not isinstance(body, bytes):
            return super()._prepare(method, path, params, body, headers)
        headers = {**headers, "Content-Type": "application/octet-stream"}
        # As a file it is sent block by block, and a slow network has its time-out for each.
        data = io.BytesIO(body)
        request = requests.Request(method, self.base_url + path, headers=headers, data=data, params=params)
        return self.session.prepare_request(request)


@dataclass(frozen=True, slots=True)
class _Turn:
    """What one thread has to say: a ticket that it wants to claim, or an end."""

    worker: str
    said: JSON
    is_end: bool = False


class HttpControl:
    """The server of one worker. Claims and ends of many threads share requests.

    Args:
        server: its base URL, with or without /api/.
        token: a worker's key.
        ca: a file with the certificates that the server's is signed with; "" for the usual ones.
    """

    def __init__(self, server: str, token: str, *, ca: str = "") -> None:
        self.url = base_url(server)
        self.lease = _DEFAULT_LEASE  # seconds, as the server told it last
        self.server = ""  # as it named itself last; one of an older version does not
        self.clock = ServerClock()
        self._transport = _Transport(f"{self.url}/api/worker/", token, READ, retries=0, pool_size=4)
        for scheme in ("http://", "https://"):
            self._transport.session.mount(scheme, _Patience(pool_connections=2, pool_maxsize=4))
        if ca:
            self._transport.session.verify = ca
        # One stream of both: each request costs the server more than another claim or end in it does.
        self._turns: Batches[_Turn, Any] = Batches(self._send, lambda: len(self._held) // 2)
        self._held: set[Attempt] = set()  # which this worker has claimed, and not told the ends of

    @property
    def shown_url(self) -> str:
        """The server's URL without a user's name and password."""
        return without_userinfo(self.url)

    @property
    def is_readable_by_others(self) -> bool:
        """Whether what is said goes through a network unencrypted."""
        parts = urlsplit(self.url)
        return parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1")

    def announce(self, said: Announcement, holding: Collection[Attempt] | None = None) -> Collection[str] | None:
        """Say what the worker is; returns the lanes of its queues. Raises Refused."""
        held = None if holding is None else [attempt_to_json(attempt) for attempt in holding]
        try:
            answer = self._timed("announce", announcement_to_json(said) | {"holding": held}, READ)
        except BadHttpRequestError as error:
            advice = _ADVICE.get(error.status_code or 0)
            if advice is None:
                raise
            detail = error.detail or str(error)
            stop = "" if detail.endswith((".", "!", "?")) else "."
            if "--" in detail:
                advice = ""  # the server has told which option to change
            raise Refused(f"{self.shown_url} refuses this worker: {detail}{stop} {advice}".strip()) from None
        lease = answer.get("lease")
        if isinstance(lease, (int, float)) and lease > 0:
            self.lease = float(lease)
        server = answer.get("server")
        self.server = server if isinstance(server, str) else ""
        # To a server of an older version a queue's name is its lane.
        return lanes_from_json(answer, said.queues)

    def claim(self, ticket: Ticket, worker: str) -> Job | None:
        """Take the attempt, or None."""
        job: Job | None = self._turns.call(_Turn(worker, ticket_to_json(ticket)))
        if job is None:
            self._held.discard(ticket.attempt)
        else:
            self._held.add(ticket.attempt)
            self.lease = job.lease or self.lease
        return job

    def heartbeat(
        self,
        worker: str,
        running: Mapping[Attempt, datetime | None],
        progress: Mapping[Attempt, Progress] | None = None,
    ) -> Orders:
        """Renew leases; returns what to do."""
        told = running_to_json({attempt: self.clock.of(started) for attempt, started in running.items()}, progress)
        # A server that does not answer is to be asked again while the lease lasts.
        patience = min(READ, max(1.0, self.lease / 3))
        return orders_from_json(self._timed("heartbeat", {"worker": worker, "running": told}, patience))

    def live(self, attempts: Collection[Attempt]) -> Collection[Attempt]:
        """Which of `attempts` hold a lease."""
        asked, found = list(attempts), set()
        for begin in range(0, len(asked), LONGEST_LIST):
            some = asked[begin : begin + LONGEST_LIST]
            found |= set(attempts_from_json(self._post("live", attempts_to_json(some))))
        return found

    def finish(self, attempt: Attempt, worker: str, end: End) -> bool:
        """Report an end."""
        accepted: bool = self._turns.call(self._end(attempt, worker, end))
        self._held.discard(attempt)
        return accepted

    def finish_soon(
        self, attempt: Attempt, worker: str, end: End, on_answer: Callable[[bool | Exception], None]
    ) -> None:
        """Report an end, without waiting for the answer."""

        def answered(answer: bool | Exception) -> None:
            self._held.discard(attempt)
            on_answer(answer)

        self._turns.post(self._end(attempt, worker, end), answered)

    def leave(self, worker: str, *, draining: bool = False) -> None:
        """Say that the worker takes nothing any more."""
        self._post("leave", {"worker": worker, "draining": draining})

    def ship(self, worker: str, chunks: Sequence[LogChunk]) -> list[int]:
        """Send pieces of logs."""
        return offsets_from_json(self._post("logs", logs_to_body(worker, chunks)), len(chunks))

    def offer(
        self, attempt: Attempt, worker: str, files: Sequence[ResultOffer], refused: Sequence[RefusedFile]
    ) -> list[int]:
        """Say what a job left."""
        answer = self._post("results/offer", offer_to_json(worker, attempt, files, refused))
        return offsets_from_json(answer, len(files))

    def upload(self, attempt: Attempt, worker: str, name: str, offset: int, data: bytes) -> int:
        """Send a piece of a file."""
        params = {**attempt_to_json(attempt), "worker": worker, "name": name, "offset": offset}
        query = [(key, str(value)) for key, value in params.items()]
        answer = self._transport.request("PUT", "results/data", params=query, body=data)
        if not isinstance(answer, dict) or not isinstance(answer.get("offset"), int) or answer["offset"] < NO_MORE:
            raise Malformed("The server did not say from where to go on.")
        return int(answer["offset"])

    def close(self) -> None:
        """Close the connections."""
        self._turns.close()
        self._transport.close()

    def _end(self, attempt: Attempt, worker: str, end: End) -> _Turn:
        shifted = replace(end, started=self.clock.of(end.started), finished=self.clock.of(end.finished))
        return _Turn(worker, attempt_to_json(attempt) | {"end": end_to_json(shifted)}, is_end=True)

    def _send(self, turns: list["_Turn"]) -> Sequence[Any]:
        """Send claims and ends; returns the answer to each, or its error."""
        tickets = [turn.said for turn in turns if not turn.is_end]
        ends = [turn.said for turn in turns if turn.is_end]
        path = "exchange" if tickets and ends else "finish" if ends else "claim"
        body = (
            {"worker": turns[0].worker} | ({"ends": ends} if ends else {}) | ({"tickets": tickets} if tickets else {})
        )
        try:
            answer = self._post(path, body)
            jobs = iter(_as_many(answer, "jobs", len(tickets)) if tickets else ())
            accepted = iter(_as_many(answer, "accepted", len(ends)) if ends else ())
            return [next(accepted) is True if turn.is_end else _job(next(jobs)) for turn in turns]
        except BadHttpRequestError as error:
            if len(turns) == 1 or error.status_code not in _TOO_MUCH:
                raise
            return [alone for turn in turns for alone in _one_by_one(self._send, turn)]

    def _timed(self, path: str, body: JSON, timeout: float) -> JSON:
        """A request that tells the time and is told it."""
        began = time.monotonic()
        answer = self._post(path, body | {"time": datetime.now(UTC).isoformat()}, timeout)
        took, ours = time.monotonic() - began, datetime.now(UTC)
        try:
            server = datetime.fromisoformat(answer["time"])
            self.clock.measure(server, ours, took)
        except (KeyError, TypeError, ValueError):
            raise Malformed(f"The server's answer to {path} does not tell the time.") from None
        return answer

    def _post(self, path: str, body: JSON | bytes, timeout: float = READ) -> JSON:
        answer = self._transport.request("POST", path, body=body, timeout=timeout)
        if not isinstance(answer, dict):
            raise Malformed(f"The server's answer to {path} is no object.")
        return answer


def base_url(server: str) -> str:
    """A server's URL as it is written, without the /api/ that clients write.

    Raises:
        ValueError: it is no URL of a server.

    >>> base_url("https://saltant.example.org/api/")
    'https://saltant.example.org'
    """
    try:
        parts = urlsplit(server.strip())
        is_whole = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        is_whole = False
    if not is_whole or parts.query or parts.fragment:
        shown = without_userinfo(server) if "@" in server and is_whole else "what was given"
        raise ValueError(f"The server's URL must be like https://saltant.example.org, and {shown} is not.")
    return server.strip().rstrip("/").removesuffix("/api").rstrip("/")


def _as_many(answer: JSON, name: str, count: int) -> list[Any]:
    said = list_of(answer.get(name))
    if len(said) != count:
        raise Malformed(f"The server answered {len(said)} {name} where {count} were asked for.")
    return said


def _job(said: Any) -> Job | Exception | None:
    try:
        return None if said is None else job_from_json(said)
    except Malformed as error:
        return error


def _one_by_one(send: Any, item: Any) -> Sequence[Any]:
    """Send one of many that were refused together: the others are not to suffer for it."""
    try:
        answers: Sequence[Any] = send([item])
        return answers
    except Exception as error:
        return [error]
