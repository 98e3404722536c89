"""Workers' clocks. Workers correct what they tell by the server's, but one that is wrong is worth knowing of."""

import logging
from datetime import datetime

from django.utils import timezone

log = logging.getLogger("saltant.workers")

TOLERATED = 5.0
"""Seconds that a worker's clock may differ from the server's, the request's way included."""
MOST = 1000


class Clocks:
    """Says once of each worker that its clock is wrong, and once that it is right again."""

    def __init__(self) -> None:
        self._wrong: set[str] = set()

    def compare(self, worker: str, time: datetime) -> None:
        """Compare `time`, which `worker` has just said, with ours."""
        ahead = (time - timezone.now()).total_seconds()
        if abs(ahead) <= TOLERATED:
            if worker in self._wrong:
                self._wrong.discard(worker)
                log.info("The clock of the worker %s agrees with the server's again.", worker)
        elif worker not in self._wrong:
            if len(self._wrong) >= MOST:
                self._wrong.clear()
            self._wrong.add(worker)
            log.warning(
                "The clock of the worker %s is %.0f s %s the server's: set both by NTP.",
                worker,
                abs(ahead),
                "ahead of" if ahead > 0 else "behind",
            )


clocks = Clocks()
