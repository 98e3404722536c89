"""Where changes meet those who wait for them."""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Any

from saltant.server.tasks.changes import Change

WATCH = "saltant.watch"
"""Where a request's environment has its watch."""

Show = Callable[[Sequence[str]], Mapping[str, str]]
"""Makes the bodies of instances, by their UUIDs."""


class Watch:
    """What one client waits for. Views fill it in, in their threads; the hub waits on it.

    Attributes:
        seconds: how long the view says that the client may be kept; None: not at all.
        answer: makes the body of the answer when there is news, or None if it is nothing to answer with. The view has
            checked who asks shortly before. None: the view itself is asked again.
        show: makes the bodies of several instances as they are, for all who are let go at once as the server stops.
            None: what the view answered is a body for that; else it says nothing.
        is_last: whether the view is to answer with what is, because the time is over.
        state: what the view keeps from one look to the next.
        has_more: whether there is more to tell at once.
        has_news: whether something happened since the last look.
        uuids: the instances that it is about; none: all.
    """

    __slots__ = (
        *("_board", "_future", "_heard", "_pending"),
        *("answer", "has_more", "has_news", "is_last", "kind", "seconds", "show", "state", "uuids"),
    )

    def __init__(self, board: "Board") -> None:
        self._board = board
        self._pending: set[str] | None = None
        self._heard: list[str] | None = None
        self._future: asyncio.Future[None] | None = None
        self.kind: Change | None = None
        self.uuids: Collection[str] = ()
        self.seconds: float | None = None
        self.answer: Callable[[], str | None] | None = None
        self.show: Show | None = None
        self.is_last = False
        self.state: Any = None
        self.has_more = False
        self.has_news = False

    @property
    def is_of_all(self) -> bool:
        """Whether there is news only when all have ended."""
        return self._pending is not None

    def on_end(self, uuids: Collection[str], *, of_all: bool = False) -> None:
        """Have news when one of the instances has ended, or when all have that `still_pending` will name."""
        with self._board.lock:
            if of_all:
                self._heard = []
            self._board.add(self, Change.ENDED, uuids)

    def still_pending(self, uuids: Iterable[str]) -> None:
        """These have not ended as far as the view saw: there is news when they all have."""
        with self._board.lock:
            # What ended while the view looked may be among those that it saw unfinished.
            self._pending = set(uuids).difference(self._heard or ())
            self._heard = None
            self.has_news = self.has_news or not self._pending

    def on_log(self, uuid: str) -> None:
        """Have news when a log of the instance grows, or its state changes."""
        with self._board.lock:
            self._board.add(self, Change.LOGGED, [uuid])

    def on_anything(self) -> None:
        """Have news when any state changes."""
        with self._board.lock:
            self._board.add(self, Change.MOVED, ())

    def hear(self, change: Change, uuid: str = "") -> None:
        """Something happened. For the board, in the loop and under its lock."""
        if change is Change.ENDED and self._heard is not None:
            self._heard.append(uuid)
            return
        if change is Change.ENDED and self._pending is not None:
            self._pending.discard(uuid)
            if self._pending:
                return
        self.wake()

    def wake(self) -> None:
        """Have whoever waits look again. To be called in the loop."""
        self.has_news = True
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    async def wait(self, seconds: float) -> None:
        """Until there is news, or `seconds` went by."""
        if self.has_news or seconds <= 0:
            return
        loop = asyncio.get_running_loop()
        self._future = loop.create_future()
        timer = loop.call_later(seconds, _resolve, self._future)
        try:
            await self._future
        finally:
            timer.cancel()
            self._future = None


class Board:
    """The watches of one process. Changes may be posted from any thread."""

    def __init__(self) -> None:
        self.lock = Lock()
        self._ended: dict[str, list[Watch]] = {}
        self._logged: dict[str, list[Watch]] = {}
        self._anything: set[Watch] = set()
        self._watches: set[Watch] = set()
        self._posted: deque[tuple[Change, Sequence[str]]] = deque()
        self._is_called = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self.is_closed = False

    @property
    def streams(self) -> int:
        """How many watches are about every change."""
        return len(self._anything)

    def __len__(self) -> int:
        return len(self._watches)

    def __iter__(self) -> Iterator[Watch]:
        return iter(self._watches)

    @contextmanager
    def watch(self) -> Iterator[Watch]:
        """A watch, as long as somebody waits. To be used in the loop."""
        self._loop = asyncio.get_running_loop()
        watch = Watch(self)
        watch.has_news = self.is_closed  # who comes as the server stops is let go at once, as the others were
        self._watches.add(watch)
        try:
            yield watch
        finally:
            self._watches.discard(watch)
            with self.lock:
                self._remove(watch)

    def open(self) -> None:
        """Let clients wait."""
        self.is_closed = False

    def close(self) -> None:
        """Let nobody wait any more. To be called in the loop."""
        self.is_closed = True
        for watch in list(self._watches):
            watch.wake()

    def post(self, change: Change, uuids: Sequence[str]) -> None:
        """Say what happened. What nobody watches costs next to nothing."""
        # Whoever subscribes after these looks, looks at the database after the commit.
        if not self._watches:
            return
        if change is not Change.UNKNOWN and not (self._anything and change is not Change.LOGGED):
            uuids = [uuid for uuid in uuids if uuid in self._logged or uuid in self._ended]
            if not uuids:
                return
        with self.lock:
            self._posted.append((change, uuids))
            called, self._is_called = self._is_called, True
        if not called and self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._deliver)

    def add(self, watch: Watch, change: Change, uuids: Collection[str]) -> None:
        """Have `watch` hear of a change, if it does not yet. Under the lock."""
        if watch.kind is not None:
            return
        watch.kind, watch.uuids = change, uuids
        if change is Change.MOVED:
            self._anything.add(watch)
        for uuid in uuids:
            self._of(change).setdefault(uuid, []).append(watch)

    def _of(self, change: Change) -> dict[str, list[Watch]]:
        return self._logged if change is Change.LOGGED else self._ended

    def _remove(self, watch: Watch) -> None:
        self._anything.discard(watch)
        if watch.kind is None:
            return
        of = self._of(watch.kind)
        for uuid in watch.uuids:
            found = of[uuid]
            found.remove(watch)
            if not found:
                del of[uuid]

    def _deliver(self) -> None:
        """Wake those who wait for what was posted since the last time."""
        with self.lock:
            posted = list(self._posted)
            self._posted.clear()
            self._is_called = False
            for change, uuids in posted:
                if change is Change.UNKNOWN:
                    for watch in self._watches:
                        watch.hear(change)
                    continue
                if change is not Change.LOGGED:
                    for watch in self._anything:
                        watch.hear(change)
                for uuid in uuids:
                    for watch in self._logged.get(uuid, ()):
                        watch.hear(change, uuid)
                    if change is Change.ENDED:
                        for watch in self._ended.get(uuid, ()):
                            watch.hear(change, uuid)


def _resolve(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
