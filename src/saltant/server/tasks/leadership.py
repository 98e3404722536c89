"""Which of many server processes sweeps."""

from django.db import connection

KEY = 0x73616C74  # "salt": an advisory lock of the database that nobody else asks for


class Leadership:
    """Held by one process at a time, until it ends or loses the database. To be used by one thread."""

    def __init__(self) -> None:
        self._session: object = None

    def is_held(self) -> bool:
        """Whether this thread leads now; takes the lead if it is free.

        Raises:
            DatabaseError: the database cannot be asked.
        """
        if connection.vendor != "postgresql":  # SQLite's one process
            return True
        with connection.cursor() as cursor:
            # The lock lives and dies with the session in which it was taken.
            if self._session is not None and connection.connection is self._session:
                return True
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [KEY])
            [taken] = cursor.fetchone()
            self._session = connection.connection if taken else None
            return bool(taken)
