"""What a container prints, on its way from the engine into the job's log files."""

import os
from collections.abc import Sequence

from saltant.worker.runners.docker_plan import LOG_SIZE

_HEADER = 8  # bytes: the stream's number, three of nothing, the length of what follows
_HEAD = 2048  # bytes
_ENTRY = 64  # bytes that an engine's log holds beside a line, at most
_PART = 16 << 10  # bytes of a line after which an engine's log begins a new entry


class Output:
    """Takes an engine's stream apart, and writes it to open files.

    Args:
        fds: where standard output and standard error go. They are closed by `close`.
    """

    def __init__(self, fds: Sequence[int]) -> None:
        self.heads = {1: b"", 2: b""}
        self.failure: OSError | None = None
        self.has_gap = False
        self._fds = dict(enumerate(fds, start=1))
        self._counts = dict.fromkeys(self._fds, 0)
        self._skips = dict.fromkeys(self._fds, 0)
        self._kept = 0  # bytes that the engine's log takes for it, at most
        self._header = b""
        self._left = 0
        self._stream = 1

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream, cut anywhere."""
        view = memoryview(data)
        while view:
            if not self._left:
                wanted = _HEADER - len(self._header)
                self._header += bytes(view[:wanted])
                view = view[wanted:]
                if len(self._header) == _HEADER:
                    self._stream = self._header[0]
                    self._left = int.from_bytes(self._header[4:], "big")
                    self._header = b""
                continue
            part = view[: self._left]
            self._left -= len(part)
            view = view[len(part) :]
            self._take(self._stream, part)

    def begin_again(self) -> bool:
        """A stream broke: the next begins with all that was ever printed, if the engine surely has it all still.

        Returns False if it may not: then the next must hold only what is new, and something may be missing.
        """
        self._header, self._left = b"", 0
        if not self.is_in_log:
            self.has_gap = True
            return False
        self._skips = dict(self._counts)
        return True

    @property
    def is_in_log(self) -> bool:
        """Whether the engine surely has all of it still."""
        return self._kept < LOG_SIZE

    def close(self) -> None:
        """Close the files."""
        for fd in self._fds.values():
            os.close(fd)
        self._fds = {}

    def _take(self, stream: int, part: memoryview) -> None:
        fd = self._fds.get(stream)
        if fd is None:
            return
        skipped = min(self._skips[stream], len(part))
        self._skips[stream] -= skipped
        part = part[skipped:]
        if not part:
            return
        self._counts[stream] += len(part)
        self._kept += len(part)
        if self._kept < LOG_SIZE:
            self._kept += _ENTRY * (bytes(part).count(b"\n") + len(part) // _PART + 1)
        if len(self.heads[stream]) < _HEAD:
            self.heads[stream] += bytes(part[:_HEAD])
        try:
            while part:
                part = part[os.write(fd, part) :]
        except OSError as error:  # a full disk, mostly: the program is not to hang for it
            self.failure = error
