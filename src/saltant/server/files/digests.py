"""SHA-256 of results while they come in, so that a large one need not be read again at its end."""

import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from threading import Lock
from typing import Any, Final

MOST: Final = 256
"""How many are kept. Of one that was dropped, or began at another process, the file is read once."""


class Digests:
    """By file: how far it has been hashed, and the hash so far."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: OrderedDict[int, tuple[int, Any]] = OrderedDict()

    def add(self, file: int, offset: int, data: bytes) -> None:
        """`data` was written at `offset`."""
        with self._lock:
            known, digest = self._known.pop(file, (0, None))
        if offset == 0:  # a file may begin anew
            digest = hashlib.sha256()
        elif digest is None or offset != known:
            return
        digest.update(data)
        with self._lock:
            self._known[file] = offset + len(data), digest
            while len(self._known) > MOST:
                self._known.popitem(last=False)

    def take(self, file: int, size: int, parts: Iterable[bytes]) -> str:
        """The digest of a file that has all its bytes; `parts` are these, in case they have to be read."""
        with self._lock:
            known, digest = self._known.pop(file, (0, None))
        if digest is None or known != size:
            digest = hashlib.sha256()
            for part in parts:
                digest.update(part)
        return str(digest.hexdigest())


digests = Digests()
