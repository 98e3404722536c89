"""How far a worker's clock is from its server's."""

import logging
from datetime import datetime, timedelta

log = logging.getLogger("saltant.worker")

TOLERATED = 1.0
"""Seconds by which clocks may differ before times are corrected."""


class ServerClock:
    """Tells the server's time of what happened here.

    The correction changes only when the clocks are clearly elsewhere: so an event is told twice with the same time.
    """

    def __init__(self) -> None:
        self.ahead = 0.0  # seconds that the server's clock is ahead of ours, as far as that is corrected

    def measure(self, server: datetime, ours: datetime, took: float) -> None:
        """Take in that it was `server` there when a request came back after `took` seconds, at `ours`."""
        ahead = (server - ours).total_seconds() + took / 2
        off = ahead - self.ahead
        # What the way there and back may hide is not counted.
        if abs(off) <= max(TOLERATED, abs(self.ahead) / 100) + took / 2:
            return
        if abs(ahead) <= TOLERATED:
            self.ahead = 0.0
            log.info("The clock of this machine agrees with the server's again.")
            return
        self.ahead = ahead
        where = "behind" if ahead > 0 else "ahead of"
        log.warning(
            "The clock of this machine is %.1f s %s the server's: set it, by NTP. Until then the times that are"
            " reported are corrected by that.",
            abs(ahead),
            where,
        )

    def of(self, ours: datetime | None) -> datetime | None:
        """The server's time of a moment of ours."""
        return ours if ours is None or not self.ahead else ours + timedelta(seconds=self.ahead)
