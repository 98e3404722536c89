"""Group commit: calls that come while a request is under way, or soon after it, go together in the next one."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")

log = logging.getLogger("saltant.worker")

LARGEST = 100
"""How many calls go in one request."""
PAUSE = 0.005
"""Seconds after a request in which the next one waits for more calls, where more can come."""


class Batches(Generic[Item, Answer]):
    """Gathers the calls of many threads. One thread of its own sends: an idle one's call goes out at once.

    Args:
        send: sends some items; returns the answer, or the error, of each, in order.
        company: how many calls are worth a request; one that comes soon after a request waits for so many.
    """

    def __init__(
        self, send: Callable[[list[Item]], Sequence[Answer | Exception]], company: Callable[[], int] = lambda: 1
    ) -> None:
        self._send = send
        self._company = company
        self._changed = threading.Condition()
        self._waiting: deque[tuple[Item, Callable[[Answer | Exception], None]]] = deque()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def call(self, item: Item) -> Answer:
        """Send an item, alone or with others; returns its answer, or raises its error."""
        answers: list[Answer | Exception] = []
        answered = threading.Event()

        def take(answer: Answer | Exception) -> None:
            answers.append(answer)
            answered.set()

        self.post(item, take)
        answered.wait()
        if isinstance(answers[0], Exception):
            raise answers[0]
        return answers[0]

    def post(self, item: Item, on_answer: Callable[[Answer | Exception], None]) -> None:
        """Have an item sent; its answer, or its error, is told to `on_answer`, which must not take long."""
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="saltant-turns", daemon=True)
                self._thread.start()
            self._waiting.append((item, on_answer))
            self._changed.notify()

    def close(self) -> None:
        """End the thread, once all that waits was sent."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()

    def _run(self) -> None:
        sent = 0.0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._is_closed)
                self._changed.wait_for(self._is_worth_it, sent + PAUSE - time.monotonic())
                batch = [self._waiting.popleft() for _ in range(min(LARGEST, len(self._waiting)))]
            if not batch:
                return
            answers: Sequence[Answer | Exception]
            try:
                answers = self._send([item for item, _ in batch])
            except Exception as error:
                answers = [error] * len(batch)
            sent = time.monotonic()
            for (_, on_answer), answer in zip(batch, answers, strict=True):
                try:
                    on_answer(answer)
                except Exception:
                    log.exception("What the server answered could not be used.")

    def _is_worth_it(self) -> bool:
        return len(self._waiting) >= self._company() or self._is_closed
