"""Values in words, as pages show them."""

from collections.abc import Mapping

from saltant.states import State

MARKS: Mapping[str, str] = {
    State.CREATED: "·",
    State.PUBLISHED: "○",
    State.RUNNING: "●",
    State.SUCCESSFUL: "✓",
    State.FAILED: "✗",
    State.TERMINATED: "■",
    # Of workers and queues.
    "online": "●",
    "draining": "◐",
    "lost": "✗",
    "stopped": "■",
    "active": "●",
    "paused": "‖",
    "closed": "■",
}
"""The mark of each state: those of instances are the command line's."""
UNITS = (("d", 86400), ("h", 3600), ("min", 60))


def duration_text(seconds: float) -> str:
    """Seconds in words.

    >>> [duration_text(each) for each in (0.25, 7.26, 59.99, 61, 3600, 90061)]
    ['0.25 s', '7.3 s', '60 s', '1 min 1 s', '1 h', '1 d 1 h']
    """
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 1 else f"{round(seconds, 1):g} s"
    whole = round(seconds)
    smaller = [*UNITS[1:], ("s", 1)]
    for (name, size), (next_name, next_size) in zip(UNITS, smaller, strict=True):
        if whole >= size:
            rest = whole % size // next_size
            return f"{whole // size} {name} {rest} {next_name}" if rest else f"{whole // size} {name}"
    return f"{whole} s"


def bytes_text(number: float) -> str:
    """Bytes in words.

    >>> [bytes_text(each) for each in (0, 1023, 1536, 1020 * 1024, 5 * 2**30)]
    ['0 B', '1023 B', '1.5 KiB', '1020 KiB', '5 GiB']
    """
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:{'.0f' if number >= 999.5 or unit == 'B' else '.3g'}} {unit}"
        number /= 1024
    return f"{number:.3g} TiB"


def counted(count: int, one: str, many: str) -> str:
    """A number of things.

    >>> counted(1, "worker", "workers"), counted(1200, "worker", "workers")
    ('1 worker', '1,200 workers')
    """
    return f"{count:,} {one if count == 1 else many}"
