"""A log's last lines as text, for pages without a script."""

import re

from saltant.files import CannotKeep
from saltant.server.files.keys import log_key
from saltant.server.files.models import LogFile
from saltant.server.files.stores import Missing, store
from saltant.server.files.tails import start_of_tail
from saltant.server.tasks.models import TaskInstance

LINES = 200
MOST = 64 * 1024
"""Bytes of a log that stand in a page."""
STEERING = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_]|[\x00-\x08\x0b-\x1f\x7f]"
)


def last_lines(instance: TaskInstance, log: LogFile) -> str:
    """The last lines of a log, without colours."""
    key = log_key(instance.uuid, instance.attempt, log.pk)
    try:
        start = max(start_of_tail(key, log.size, LINES), log.size - MOST)
        data = b"".join(store().read(key, start, log.size)) if start < log.size else b""
    except (Missing, CannotKeep):
        return "The server cannot read this log now."
    return plain(data.decode("utf-8", "replace"))


def plain(text: str) -> str:
    """A text without what steers a terminal.

    >>> plain("\\x1b[1;31mred\\x1b[0m\\tand\\x07 plain\\r\\n")
    'red\\tand plain\\n'
    """
    return STEERING.sub("", text)
