"""Following what a task instance prints, to its end."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Semaphore, Thread
from typing import TYPE_CHECKING, Any

from saltant.models._limits import require_version_2
from saltant.models._logs import Log

if TYPE_CHECKING:
    from saltant.models.base_task_instance import BaseTaskInstance

STREAMS = ("stdout", "stderr")
WAITING_PIECES = 64
"""So many pieces wait to be printed, then reading waits."""
CTRL_C = "Ctrl-C"
"""Comes in place of a stream's name."""
PAUSE = 0.2
"""Seconds between two looks at an attempt that has ended, for what follows it."""

Take = Callable[[str, bytes], None]
"""Takes what came of a stream."""


def follow(
    instance: BaseTaskInstance,
    take: Take,
    *,
    streams: Sequence[str] = STREAMS,
    attempt: int | None = None,
    tail: int | None = None,
    interrupted: Callable[[], None] | None = None,
    again: Callable[[int], None] | None = None,
) -> BaseTaskInstance:
    """Take what an instance prints as it comes, as the very bytes; through all attempts unless one is named.

    Args:
        instance: It need not have started.
        take: Called in this thread.
        streams: The names of logs.
        attempt: The number of an attempt.
        tail: How many lines to begin before the end.
        interrupted: Called when Ctrl-C is pressed; unless it raises, this goes on.
        again: Called with the number of each attempt after the first that is followed.

    Returns:
        The instance as it is then.
    """
    manager = instance.manager
    require_version_2(manager._client, "logs")
    number = attempt or instance.attempt or 1
    came: SimpleQueue[tuple[str, Any]] = SimpleQueue()
    with _noticing_ctrl_c(came, interrupted) as asked:
        while True:
            _follow_attempt(instance, take, came, streams, number, tail, asked)
            latest: BaseTaskInstance = manager.get(instance.uuid)
            if latest.is_finished or attempt is not None:
                return latest
            if (latest.attempt or 1) > number:
                number, tail = latest.attempt or 1, None
                if again is not None:
                    again(number)
            else:
                time.sleep(PAUSE)


@contextmanager
def _noticing_ctrl_c(
    came: SimpleQueue[tuple[str, Any]], interrupted: Callable[[], None] | None
) -> Iterator[Callable[[], None]]:
    """Have Ctrl-C come as one of the pieces, so that none is torn; twice at once it comes as ever."""
    before = signal.getsignal(signal.SIGINT)
    if interrupted is None or before != signal.default_int_handler:
        yield lambda: None
        return
    pressed = 0

    def press(number: int, frame: Any) -> None:
        nonlocal pressed
        pressed += 1
        if pressed > 1:
            raise KeyboardInterrupt
        came.put((CTRL_C, None))

    def ask() -> None:
        nonlocal pressed
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            interrupted()
        finally:
            pressed = 0
            signal.signal(signal.SIGINT, press)

    signal.signal(signal.SIGINT, press)
    try:
        yield ask
    finally:
        signal.signal(signal.SIGINT, before)


def _follow_attempt(
    instance: BaseTaskInstance,
    take: Take,
    came: SimpleQueue[tuple[str, Any]],
    streams: Sequence[str],
    attempt: int,
    tail: int | None,
    asked: Callable[[], None],
) -> None:
    room = Semaphore(WAITING_PIECES)
    transport, folder = instance.manager._client._transport, instance.manager._folder(instance.uuid, "logs")

    def read(stream: str) -> None:
        try:
            for piece in Log(transport, folder, stream, attempt).follow(tail):
                room.acquire()
                came.put((stream, piece))
        except BaseException as error:
            came.put((stream, error))
        else:
            came.put((stream, None))

    for stream in streams:
        Thread(target=read, args=[stream], daemon=True).start()
    unfinished = len(streams)
    while unfinished:
        stream, piece = came.get()
        if stream == CTRL_C:
            asked()
        elif isinstance(piece, BaseException):
            raise piece
        elif piece is None:
            unfinished -= 1
        else:
            room.release()
            take(stream, piece)


def print_bytes(stream: str, piece: bytes) -> None:
    """Print what came of a job's stream to the matching one of ours."""
    out = (sys.stderr if stream == "stderr" else sys.stdout).buffer
    out.write(piece)
    out.flush()
