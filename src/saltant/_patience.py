"""How long the SDK bears with a server in trouble, while it waits, follows or downloads."""

from __future__ import annotations

import logging
import math
import time

from saltant.exceptions import RateLimited, ServerError, TransportError

PATIENCE_SECONDS = 600.0
"""How long a server that does not answer is borne with, as while it is started again."""

Trouble = TransportError | ServerError | RateLimited
"""What may pass by itself."""

logger = logging.getLogger(__name__)


class Patience:
    """Bears with trouble until it has lasted too long.

    Args:
        what: What goes on meanwhile, for the log: "Still waiting for …".
        seen: Whether the server has done its part once. Before that, trouble is an error.
        longest: How many seconds on end are borne; PATIENCE_SECONDS if None.
        quiet: How many failures on end are not worth a warning.
    """

    def __init__(self, what: str, *, seen: bool = False, longest: float | None = None, quiet: int = 0) -> None:
        self.trouble: Trouble | None = None
        self.failures = 0
        self._what = what
        self._seen = seen
        self._longest = longest
        self._quiet = quiet
        self._since = math.inf

    def meet(self) -> None:
        """The server is there, but has not done its part yet."""
        self._seen = True

    def well(self) -> None:
        """The server has done its part."""
        self.meet()
        self.trouble = None
        self.failures = 0

    def bear(self, error: Trouble) -> float:
        """Bear with a failure; returns the seconds that the server asks to wait.

        Raises:
            BadHttpRequestError: It was too much.
        """
        now = time.monotonic()
        if self.trouble is None:
            self._since = now
        longest = PATIENCE_SECONDS if self._longest is None else self._longest
        if not self._seen or now - self._since > longest:
            raise error
        if self.failures == self._quiet:
            logger.warning("%s: %s", self._what, error)
        self.trouble = error
        self.failures += 1
        return getattr(error, "retry_after", None) or 0.0
