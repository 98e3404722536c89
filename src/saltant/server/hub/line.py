"""The line between server processes: PostgreSQL's LISTEN and NOTIFY, on one connection of each process."""

import logging
import os
import secrets
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from math import ceil
from select import POLLIN, poll
from threading import Event, Lock, Thread
from typing import Any

import psycopg

from saltant.server.hub.board import Board
from saltant.server.tasks.changes import CHANNEL, Change, payloads

log = logging.getLogger("saltant.hub")

FIRST_DELAY, LAST_DELAY = 0.2, 2.0
"""Seconds between two tries to connect."""
MOST = 20_000
"""How many changes are kept while the database is away. Beyond that, all processes look at everything again."""
GATHER = 0.02
"""Seconds between two notifications of ends."""
LINGER = 0.05
"""Seconds that other changes wait for an end to go with: only followers of logs, and of all changes, hear of them."""
NEVER = float("inf")
PATIENCE = 2.0
"""Seconds that a stop waits for a database that may be away."""
ALIVE = {
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""A connection that died silently is noticed."""


class Line:
    """Tells other processes of this one's changes, and its board of theirs.

    Args:
        connect: what `psycopg.connect` is told.
    """

    def __init__(self, board: Board, connect: Mapping[str, Any]) -> None:
        self._board = board
        self._connect = ALIVE | dict(connect)
        self._name = secrets.token_hex(4)
        self._lock = Lock()
        self._outbox: dict[Change, dict[str, None]] = {}
        self._due = NEVER  # when it is to be sent, by time.monotonic()
        self._next_end = 0.0  # when the next end may be
        self._woken, self._waker = os.pipe()
        os.set_blocking(self._waker, False)
        self._stopping = Event()
        self._heard: list[str] = []
        self._thread = Thread(target=self._run, name="hub line", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for the end."""
        self._stopping.set()
        self._wake()
        self._thread.join(PATIENCE)

    def tell(self, change: Change, uuids: Sequence[str]) -> None:
        """Tell everybody who waits, in this process and in the others. It waits for nobody."""
        self._board.post(change, uuids)
        now = time.monotonic()
        with self._lock:
            due = self._next_end if change in (Change.ENDED, Change.UNKNOWN) else now + LINGER
            is_sooner, self._due = due < self._due, min(due, self._due)
            if sum(map(len, self._outbox.values())) > MOST:
                self._outbox = {Change.UNKNOWN: {"0" * 32: None}}
            else:
                self._outbox.setdefault(change, {}).update(dict.fromkeys(uuids))
        if is_sooner:
            self._wake()

    def _wake(self) -> None:
        with suppress(BlockingIOError):
            os.write(self._waker, b"!")

    def _run(self) -> None:
        delay, said = FIRST_DELAY, False
        while not self._stopping.is_set():
            try:
                with psycopg.connect(**self._connect, autocommit=True) as connection:
                    connection.add_notify_handler(lambda notify: self._heard.append(notify.payload))
                    # Notifying writes nothing that would have to be on the disk.
                    connection.execute("SET synchronous_commit = off")
                    connection.execute(f"LISTEN {CHANNEL}")
                    # What was told before is lost. At the first start nobody waits yet.
                    self._board.post(Change.UNKNOWN, ())
                    if said:
                        log.info("The server's processes hear of each other's changes again")
                    delay, said = FIRST_DELAY, False
                    self._serve(connection)
            except (psycopg.Error, OSError) as error:
                if not said and not self._stopping.is_set():
                    log.warning(
                        "The server's processes do not hear of each other's changes, so those who wait learn of them "
                        "later: %s",
                        str(error).strip().partition("\n")[0],
                    )
                said = True
                self._stopping.wait(delay)
                delay = min(delay * 2, LAST_DELAY)

    def _serve(self, connection: "psycopg.Connection[Any]") -> None:
        waiter = poll()  # not select: with many clients, descriptors have numbers that it does not take
        for descriptor in (self._woken, connection.fileno()):
            waiter.register(descriptor, POLLIN)
        while not self._stopping.is_set():
            self._deliver()
            left = self._due - time.monotonic()
            ready = [descriptor for descriptor, _ in waiter.poll(None if left == NEVER else max(0, ceil(left * 1000)))]
            connection.pgconn.consume_input()
            while (notify := connection.pgconn.notifies()) is not None:
                self._heard.append(notify.extra.decode())
            if self._woken in ready:
                os.read(self._woken, 4096)
            if time.monotonic() >= self._due:
                self._send(connection)

    def _send(self, connection: "psycopg.Connection[Any]") -> None:
        with self._lock:
            outbox, self._outbox = self._outbox, {}
            self._due = NEVER
            if Change.ENDED in outbox:
                self._next_end = time.monotonic() + GATHER
        said = [
            f"{self._name} {payload}" for change, uuids in outbox.items() for payload in payloads(change, list(uuids))
        ]
        try:
            if said:
                connection.execute("SELECT pg_notify(%s, said) FROM unnest(%s::text[]) AS said", [CHANNEL, said])
        except psycopg.Error:
            with self._lock:
                for change, uuids in outbox.items():
                    self._outbox[change] = uuids | self._outbox.get(change, {})
                self._due = 0.0
            raise

    def _deliver(self) -> None:
        heard, self._heard = self._heard, []
        for payload in heard:
            words = payload.split(" ")
            if words[0] == self._name:
                continue
            if words[0] not in list(Change):
                words = words[1:]
            if words and words[0] in list(Change):
                self._board.post(Change(words[0]), words[1:])
