"""Where the last lines of a log begin, found from its end."""

from typing import Final

from saltant.server.files.stores import Key, store

STEP: Final = 256 * 1024


def start_of_tail(key: Key, size: int, lines: int) -> int:
    """The offset at which the last `lines` lines of a file of `size` bytes begin.

    The last one may lack its line break.
    """
    if lines <= 0:
        return size
    end, left = size, lines
    while end > 0:
        # From one step of the file to the next: the parts are those in which a store may keep it.
        start = (end - 1) // STEP * STEP
        part = b"".join(store().read(key, start, end))
        at = len(part)
        if end == size and part.endswith(b"\n"):
            at -= 1  # it ends the last line, and begins none
        while (at := part.rfind(b"\n", 0, at)) >= 0:
            left -= 1
            if left == 0:
                return start + at + 1
        end = start
    return 0
