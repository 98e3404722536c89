"""Group commit: calls that come while a request is under way go together in the next one."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")

LARGEST = 100
"""How many calls go in one request."""


class _Call(Generic[Item, Answer]):
    def __init__(self, item: Item) -> None:
        self.item = item
        self.answer: Answer | Exception | None = None
        self.batch: list[_Call[Item, Answer]] = []  # what its thread is to send, this call among it
        self.woken = threading.Event()


class Batches(Generic[Item, Answer]):
    """Gathers the calls of many threads. The threads themselves send: an idle one's call goes out at once.

    Args:
        send: sends some items; returns the answer, or the error, of each, in order.
    """

    def __init__(self, send: Callable[[list[Item]], Sequence[Answer | Exception]]) -> None:
        self._send = send
        self._lock = threading.Lock()
        self._waiting: deque[_Call[Item, Answer]] = deque()
        self._is_sending = False

    def call(self, item: Item) -> Answer:
        """Send an item, alone or with others; returns its answer, or raises its error."""
        call: _Call[Item, Answer] = _Call(item)
        with self._lock:
            if self._is_sending:
                self._waiting.append(call)
            else:
                self._is_sending = True
                call.batch = [call]
        if not call.batch:
            call.woken.wait()
        if call.batch:
            self._send_batch(call.batch)
        if isinstance(call.answer, Exception):
            raise call.answer
        return call.answer  # type: ignore[return-value]  # set by whoever sent it

    def _send_batch(self, batch: list[_Call[Item, Answer]]) -> None:
        answers: Sequence[Answer | Exception] = [RuntimeError("It was not sent.")] * len(batch)
        try:
            answers = self._send([call.item for call in batch])
        except Exception as error:
            answers = [error] * len(batch)
        finally:
            for call, answer in zip(batch, answers, strict=True):
                call.answer = answer
            with self._lock:
                following = [self._waiting.popleft() for _ in range(min(LARGEST, len(self._waiting)))]
                self._is_sending = bool(following)
            if following:
                following[0].batch = following
                following[0].woken.set()
            for call in batch:
                call.woken.set()
