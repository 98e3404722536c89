"""Ships the logs of all that runs: one thread, which looks for what is new a few times a second."""

import logging
import threading
import time
from collections.abc import Sequence

from saltant.files import MOST_BYTES, LogChunk
from saltant.jobs import Attempt
from saltant.worker.control import Control
from saltant.worker.rarely import Rarely
from saltant.worker.shipping.logs import JobLogs, Stream
from saltant.worker.shipping.verdicts import Verdict, is_too_large, verdict_on

log = logging.getLogger("saltant.worker")

PAUSE = 0.25
"""Seconds between two looks while something runs."""

_FOLDER_PAUSE = 1.0  # seconds between two looks into a folder where more logs may turn up
_IDLE = 5.0  # seconds without a job after which it sleeps: short jobs that follow each other do not wake it
_FIRST_DELAY, _LAST_DELAY = 0.1, 2.0  # seconds after a request that failed
_REQUEST = MOST_BYTES // 2  # bytes of logs in a request: they are in memory twice
_LEAST = 64 * 1024
_MOST_CHUNKS = 500

Batch = Sequence[tuple[Stream, LogChunk]]


class Hurried(Exception):
    """The worker stops: what is not shipped now is shipped after its next start."""


class _Entry:
    def __init__(self, logs: JobLogs) -> None:
        self.logs = logs
        self.is_flushed = False  # somebody waits until all of it is shipped
        self.error: Exception | None = None


class Shipper:
    """Ships logs while they grow. Every call may be made from any thread.

    Args:
        control: the server.
        worker: the worker's name.
    """

    def __init__(self, control: Control, worker: str) -> None:
        self._control = control
        self._worker = worker
        self._changed = threading.Condition()
        self._entries: dict[Attempt, _Entry] = {}
        self._is_hurried = False
        self._is_closed = False
        self._is_idle = False
        self._used = 0.0  # when there was something to ship last, by time.monotonic()
        self._at_once = _REQUEST
        self._turn = 0
        self._refusals = Rarely(log)
        self._thread = threading.Thread(target=self._run, name="saltant-logs", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def add(self, logs: JobLogs) -> None:
        """Ship these from now on."""
        with self._changed:
            self._entries[logs.attempt] = _Entry(logs)
            if self._is_idle:
                self._changed.notify_all()

    def follow(self, logs: JobLogs, name: str, fd: int) -> None:
        """One more of its logs: an open file, closed with the rest."""
        with self._changed:
            logs.add(name, fd)

    def has_rest(self, logs: JobLogs) -> bool:
        """Whether the server lacks something of these."""
        with self._changed:
            logs.look()
            return logs.rest() > 0

    def flush(self, logs: JobLogs) -> None:
        """Wait until all is shipped that is there. Raises what the request raises, or Hurried."""
        with self._changed:
            entry = self._entries[logs.attempt]
            logs.look()
            if not logs.rest():
                return
            entry.error, entry.is_flushed = None, True
            self._changed.notify_all()
            while entry.is_flushed and not self._is_hurried:
                self._changed.wait()
            entry.is_flushed = False
            if entry.error is not None:
                raise entry.error
            if logs.rest():
                raise Hurried

    def drop(self, logs: JobLogs) -> None:
        """Ship no more of these, and close them."""
        with self._changed:
            self._entries.pop(logs.attempt, None)
            logs.close()

    def hurry(self) -> None:
        """Let nobody wait any more."""
        with self._changed:
            self._is_hurried = True
            self._changed.notify_all()

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._is_closed = self._is_hurried = True
            self._changed.notify_all()

    def _run(self) -> None:
        delay = 0.0
        while self._wait(delay):
            try:
                while self._ship_some():
                    delay = 0.0
            except Exception as error:
                delay = min(delay * 2 or _FIRST_DELAY, _LAST_DELAY)
                log.debug("Logs could not be shipped yet: %s", error)
                self._tell(error)
            else:
                delay = 0.0
                self._tell(None)

    def _wait(self, delay: float) -> bool:
        """Wait until it is time for another look; False if there is none."""
        with self._changed:
            if delay:
                self._changed.wait_for(lambda: self._is_closed, delay)
            if self._entries:
                self._used = time.monotonic()
            while not self._entries and not self._is_closed and time.monotonic() > self._used + _IDLE:
                self._is_idle = True
                self._changed.wait()
                self._is_idle = False
            self._changed.wait_for(
                lambda: self._is_closed or any(entry.is_flushed for entry in self._entries.values()), PAUSE
            )
            return not self._is_closed

    def _tell(self, error: Exception | None) -> None:
        """Tell those who wait for the last of their logs."""
        with self._changed:
            for entry in self._entries.values():
                if entry.is_flushed and (error is not None or not entry.logs.rest()):
                    entry.error, entry.is_flushed = error, False
            self._changed.notify_all()

    def _ship_some(self) -> bool:
        """Ship a request full of what is new; returns whether there may be more."""
        with self._changed:
            if self._is_closed:
                return False
            batch, is_all = self._gather()
        if not batch:
            return False
        before = self._at_once
        if not self._ship(batch):
            time.sleep(PAUSE)  # the server answers, and takes nothing
        self._tell(None)
        return not is_all or self._at_once != before

    def _gather(self) -> tuple[Batch, bool]:
        """What goes into the next request, and whether that is all there is."""
        now = time.monotonic()
        # Whoever waits goes first; then everybody in turn.
        entries = sorted(self._entries.values(), key=lambda entry: not entry.is_flushed)
        self._turn += 1
        waiting = []
        for entry in entries:
            if entry.logs.is_watched and now >= entry.logs.looked + _FOLDER_PAUSE:
                entry.logs.looked = now
                entry.logs.look()
            waiting += [(entry.is_flushed, stream) for stream in entry.logs.streams if stream.rest()]
        first = sum(is_flushed for is_flushed, _ in waiting)
        streams = [stream for _, stream in waiting]
        turn = first + self._turn % max(1, len(streams) - first)
        streams = streams[:first] + streams[turn:] + streams[first:turn]
        share = max(_LEAST, self._at_once // max(1, len(streams)))
        batch: list[tuple[Stream, LogChunk]] = []
        left, is_all = self._at_once, len(streams) <= _MOST_CHUNKS
        for stream in streams[:_MOST_CHUNKS]:
            rest, offset = stream.rest(), stream.sent
            data = stream.read(min(share, left, rest))
            is_all = is_all and offset is not None and len(data) >= rest
            if data or offset is None:
                batch.append((stream, LogChunk(stream.attempt, stream.name, offset or 0, data)))
            left -= len(data)
            if left <= 0:
                is_all = is_all and stream is streams[-1]
                break
        return batch, is_all

    def _ship(self, batch: Batch) -> bool:
        """Send a request; returns whether the server took anything."""
        try:
            offsets = self._control.ship(self._worker, [chunk for _, chunk in batch])
        except Exception as error:
            if verdict_on(error) is not Verdict.REFUSED:
                raise
            return self._ship_refused(batch, error)
        with self._changed:
            took = [
                stream.answered(offset, len(chunk.data)) for (stream, chunk), offset in zip(batch, offsets, strict=True)
            ]
        return any(took)

    def _ship_refused(self, batch: Batch, error: Exception) -> bool:
        if is_too_large(error) and self._at_once > _LEAST:
            self._at_once //= 2
            log.info("Logs are sent by %d KiB: larger requests are refused on the way.", self._at_once // 1024)
            return True
        if len(batch) > 1:  # the others are not to suffer for one
            took = [self._ship([each]) for each in batch]
            return any(took)
        self._refusals.warn(f"The server takes no logs: {error}")
        with self._changed:
            batch[0][0].stop("The server refuses it.")
        return True
