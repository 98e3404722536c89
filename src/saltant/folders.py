"""Folders that one process at a time uses, and files that only their owner reads."""

import fcntl
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

LOCK = "lock"
_LOOKERS = 1.0  # seconds that a taker waits for those who only look whether somebody holds the lock


class FolderLock:
    """The lock of a folder: held by one process, which dies with it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / LOCK
        self._fd = -1

    def take(self) -> bool:
        """Take it for this process; False if another holds it. Raises OSError."""
        self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        end = time.monotonic() + _LOOKERS
        while not _flock(self._fd, fcntl.LOCK_EX):
            if not _flock(self._fd, fcntl.LOCK_SH) or time.monotonic() > end:
                self.release()
                return False
            time.sleep(0.01)
        return True

    def sign(self) -> None:
        """Write this process's number into it, for `tell`. Raises OSError."""
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def is_held(self) -> bool:
        """Whether some process holds it now."""
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            # Shared, as all who only look: it is in the way of a taker but a moment, and of nobody else.
            return not _flock(fd, fcntl.LOCK_SH)
        finally:
            os.close(fd)

    def tell(self, signum: signal.Signals) -> int | None:
        """Send a signal to the process that holds it; returns its number, None if it cannot be found.

        Raises:
            PermissionError: it is another user's.
        """
        try:
            pid = int(self.path.read_text())
            process = os.pidfd_open(pid)
        except (ValueError, ProcessLookupError):
            return None
        try:
            # A number may be another process's by now; the lock's file is open in its holder alone, and in lookers.
            if not self._is_open_in(pid):
                return None
            signal.pidfd_send_signal(process, signum)
            return pid
        except ProcessLookupError:
            return None
        finally:
            os.close(process)

    def release(self) -> None:
        """Leave it to the next."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _is_open_in(self, pid: int) -> bool:
        own = self.path.stat()
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                if os.path.samestat(link.stat(), own):
                    return True
        return False


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner reads, whole or not at all."""
    part = path.with_name(path.name + ".part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)


def _flock(lock: int, kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
