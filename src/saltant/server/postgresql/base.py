"""The backend: Django imports `DatabaseWrapper` from here."""

import select
from typing import Any

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """Asks the kernel whether a kept connection still stands, and the server only if something came in.

    Django sends a query before each request to find out. A server that goes away says goodbye, and while a connection
    rests there is nothing else to hear: looking costs no round trip.
    """

    def close_if_health_check_failed(self) -> None:
        """Close the connection if it died while it rested."""
        if self.connection is None or not _is_silent(self.connection):
            super().close_if_health_check_failed()


def _is_silent(connection: Any) -> bool:
    try:
        poll = select.poll()
        poll.register(connection.fileno(), select.POLLIN)
        return not poll.poll(0)
    except Exception:
        return False  # closed on our side: let Django look
