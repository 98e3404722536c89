"""Ends that the server has not taken yet, kept on disk: a file each."""

import json
import logging
import os
from contextlib import suppress
from pathlib import Path

from saltant.folders import write_private
from saltant.jobs import Attempt, End
from saltant.protocol import Malformed, attempt_from_json, attempt_to_json, end_from_json, end_to_json

log = logging.getLogger("saltant.worker")

_ASIDE = ".unreadable"


class Spool:
    """The folder of those ends. Every call may be made from any thread, but of one attempt from one at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def open(self) -> dict[Attempt, End]:
        """Make the folder if it is missing; returns what an earlier life left. Raises OSError.

        What cannot be read is moved aside and logged.
        """
        self.folder.mkdir(mode=0o700, exist_ok=True)
        ends: dict[Attempt, End] = {}
        for path in sorted(self.folder.iterdir()):
            if path.suffix == ".part":
                path.unlink(missing_ok=True)  # a write that was cut short: its worker still had the end in memory
            elif path.suffix == ".json":
                try:
                    said = json.loads(path.read_text(encoding="utf-8"))
                    attempt, end = attempt_from_json(said), end_from_json(said.get("end"))
                    if self._path(attempt) != path:
                        raise Malformed("it is named for another attempt")
                    ends[attempt] = end
                except (OSError, ValueError, RecursionError) as error:
                    self._put_aside(path, error)
        return ends

    def put(self, attempt: Attempt, end: End) -> None:
        """Keep an end, whole or not at all. Raises OSError."""
        path = self._path(attempt)
        try:
            write_private(path, json.dumps(attempt_to_json(attempt) | {"end": end_to_json(end)}))
            _sync_folder(self.folder)
        except OSError:
            with suppress(OSError):
                path.with_name(path.name + ".part").unlink(missing_ok=True)
            raise

    def drop(self, attempt: Attempt) -> None:
        """Forget an end. A file that cannot be removed is logged: its end is then told again, which does no harm."""
        try:
            self._path(attempt).unlink(missing_ok=True)
        except OSError as error:
            log.warning("%s: the file of its reported end could not be removed: %s", attempt.uuid, error)

    def _path(self, attempt: Attempt) -> Path:
        return self.folder / f"{attempt.uuid}.{attempt.number}.json"

    def _put_aside(self, path: Path, error: Exception) -> None:
        log.error("%s holds an end that cannot be read (%s); it is put aside as %s%s", path, error, path.name, _ASIDE)
        try:
            path.rename(path.with_name(path.name + _ASIDE))
        except OSError as failed:
            log.error("%s cannot be put aside: %s", path, failed)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
