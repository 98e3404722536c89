"""The folder of `saltant up`: who may use it, and what lies where."""

import json
import os
import secrets
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from saltant.folders import LOCK, FolderLock, write_private

MARKS = ("secret-key", "saltant.sqlite3")
"""What the folder of an earlier start holds, if that came far enough to hold anything but the lock."""


class UpError(Exception):
    """`saltant up` cannot go on. The message says why, and what to do."""


@dataclass(frozen=True)
class Address:
    """Where the `up` of a folder listens."""

    pid: int
    api_url: str


class DataFolder:
    """One folder, used by one `up` at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.database = self.path / "saltant.sqlite3"
        self.secret_key = self.path / "secret-key"
        self.admin_token = self.path / "admin-token"
        self._address = self.path / "address.json"
        self._lock = FolderLock(self.path)

    def open(self) -> None:
        """Make the folder if it is missing, readable by nobody else, and take it for this process.

        Raises:
            UpError: it is somebody else's, in use, or cannot be written.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            names = [entry.name for entry in self.path.iterdir()]
            if set(names) - {LOCK} and not any(name in names for name in MARKS):
                raise UpError(
                    f"{self.path} holds files that are not saltant's. Choose an empty or a new folder with --data-dir."
                )
            if not self._lock.take():
                address = self.read_address()
                who = f" (process {address.pid}, {address.api_url})" if address else ""
                raise UpError(f"Another `saltant up`{who} is using {self.path}. Stop it, or choose another --data-dir.")
            self.path.chmod(0o700)
            self._address.unlink(missing_ok=True)
            if not self.secret_key.exists():
                write_private(self.secret_key, secrets.token_urlsafe(48))
        except OSError as error:
            raise UpError(
                f"The folder {self.path} cannot be used: {error.strerror}. Choose another --data-dir."
            ) from None

    def publish_address(self, api_url: str) -> None:
        """Let `saltant env` find this `up`."""
        write_private(self._address, json.dumps(asdict(Address(os.getpid(), api_url))))

    def read_address(self) -> Address | None:
        """What the last `up` of this folder wrote."""
        try:
            return Address(**json.loads(self._address.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def running(self) -> Address | None:
        """Where the `up` that uses this folder now listens; None if none does, or if it is not ready yet."""
        with suppress(OSError):
            return self.read_address() if self._lock.is_held() else None
        return None

    def close(self) -> None:
        """Leave the folder to the next."""
        self._address.unlink(missing_ok=True)
        self._lock.release()
