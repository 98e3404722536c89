"""A complaint that repeats itself, logged when it is new and then once a minute."""

import logging
import time

_PAUSE = 60.0


class Rarely:
    """Warns of one kind of trouble."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._text: str | None = None
        self._again = 0.0

    def warn(self, text: str) -> None:
        """Say it, unless it was just said."""
        now = time.monotonic()
        if text != self._text or now >= self._again:
            self._text, self._again = text, now + _PAUSE
            self._log.warning("%s", text)

    def over(self, text: str) -> None:
        """Say that the trouble is over, if there was any."""
        if self._text is not None:
            self._text = None
            self._log.info("%s", text)
