"""The backend: Django imports `DatabaseWrapper` from here."""

import select

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """Asks the kernel whether a kept connection still stands, and the server only if something came in.

    Django sends a query before each request to find out. A server that goes away says goodbye, and while a connection
    rests there is nothing else to hear: looking costs no round trip.
    """

    def close_if_health_check_failed(self) -> None:
        """Close the connection if it died while it rested."""
        if self.connection is not None and self.health_check_enabled and not self.health_check_done:
            if _is_silent(self.connection):
                self.health_check_done = True
                return
        super().close_if_health_check_failed()


def _is_silent(connection: object) -> bool:
    try:
        poll = select.poll()
        poll.register(connection.fileno(), select.POLLIN)  # type: ignore[attr-defined]
        return not poll.poll(0)
    except Exception:
        return False  # closed on our side: let Django look
