"""The GPUs of a machine, handed out so that no two jobs share one."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class NoGpuFree(Exception):
    """More GPUs are asked for than are free. The message is a sentence."""


class GpuPool:
    """Hands out the numbers under which the driver knows GPUs. Every call may be made from any thread.

    A server gives a worker no more jobs than it has GPUs for: where none is free something else is wrong, and nobody
    waits for it.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._free = set(range(count))
        self._lock = threading.Lock()

    @contextmanager
    def take(self, count: int) -> Iterator[list[int]]:
        """The numbers of `count` GPUs that are nobody else's meanwhile. Raises NoGpuFree."""
        with self._lock:
            if count > len(self._free):
                raise NoGpuFree(
                    f"It asks for {count} GPUs, and of the worker's {self._count} only {len(self._free)} are free."
                )
            taken = sorted(self._free)[:count]
            self._free.difference_update(taken)
        try:
            yield taken
        finally:
            with self._lock:
                self._free.update(taken)
