"""Removes the local copies of what the server has, some days later."""

import logging
import os
from datetime import UTC, date, datetime, timedelta

from saltant.jobs import Attempt
from saltant.worker.folders import WorkerFolders
from saltant.worker.removal import remove_tree
from saltant.worker.shipping.ledger import Ledger, Shipped

log = logging.getLogger("saltant.worker")

_SLACK = 60.0  # seconds after a day within which something shipped on it may have been written


def inodes_of(folders: WorkerFolders, attempt: Attempt) -> frozenset[int]:
    """What its folders are known by, whatever becomes of their names."""
    found = []
    for parent in (folders.logs, folders.results):
        path = f"{parent}/{attempt.uuid}"
        for each in (f"{path}.{attempt.number}", path):  # the first, where it was moved aside
            try:
                found.append(os.lstat(each).st_ino)
                break
            except OSError:
                continue
    return frozenset(found)


def remove_old(folders: WorkerFolders, ledger: Ledger, days: int, today: date | None = None) -> int:
    """Remove what the server has had for more than so many days; returns of how many attempts. Raises OSError."""
    last = (today or datetime.now(UTC).date()) - timedelta(days=days + 1)
    removed = 0
    for day in ledger.days():
        if day > last:
            break
        until = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
        for shipped in ledger.shipped_on(day):
            removed += _remove(folders, shipped, until.timestamp() + _SLACK)
        ledger.forget_day(day)
    return removed


def _remove(folders: WorkerFolders, shipped: Shipped, until: float) -> bool:
    attempt, removed = shipped.attempt, False
    # What a later attempt moved aside is filed under the number before that one's.
    names = [str(attempt.uuid), *(f"{attempt.uuid}.{number}" for number in range(attempt.number, attempt.number + 20))]
    for parent in (folders.logs, folders.results):
        for name in names:
            folder = parent / name
            try:
                status = folder.lstat()
                # Something that was written to later is something else, or somebody's who looks after it.
                if status.st_ino in shipped.inodes and status.st_mtime < until:
                    remove_tree(folder)
                    removed = True
            except FileNotFoundError:
                continue
            except OSError as error:
                log.warning("%s, which the server has, could not be removed: %s", folder, error)
    return removed
