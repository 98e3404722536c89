"""Which of the worker's environment variables a job may have."""

import os
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

KEPT_BACK = (
    "SALTANT_*",
    "DJANGO_*",
    "SECRET_KEY",
    # broker
    "CELERY_*",
    "*BROKER_URL",
    "*RESULT_BACKEND",
    "AMQP_*",
    "*AMQP_URL",
    "RABBITMQ_*",
    "REDIS_*",
    "*REDIS_URL",
    # database
    "*DATABASE_URL",
    "POSTGRES_*",
    "PGDATABASE",
    "PGHOST",
    "PGHOSTADDR",
    "PGPASSFILE",
    "PGPASSWORD",
    "PGPORT",
    "PGSERVICE",
    "PGSERVICEFILE",
    "PGUSER",
)
"""Patterns of names, whatever their case, that no job gets: saltant's own, its broker's and its database's settings."""


class EnvironmentMissing(Exception):
    """The worker lacks, or keeps back, a variable that a job asks for."""


class Environment:
    """The variables of a worker, and which of them it gives to jobs.

    Args:
        values: the worker's own environment.
        allowed: patterns (fnmatch) of the names that jobs may have; KEPT_BACK comes first.
    """

    def __init__(self, values: Mapping[str, str] = os.environ, allowed: Sequence[str] = ("*",)) -> None:
        self._values = dict(values)
        self._allowed = tuple(allowed)

    @property
    def path(self) -> str:
        """Where commands are looked for."""
        return self._values.get("PATH", os.defpath)

    def admits(self, name: str) -> bool:
        """Whether a job may have this variable."""
        if any(fnmatchcase(name.upper(), pattern) for pattern in KEPT_BACK):
            return False
        return any(fnmatchcase(name, pattern) for pattern in self._allowed)

    def select(self, names: Iterable[str]) -> dict[str, str]:
        """The values of these variables. EnvironmentMissing if there is one that the worker lacks or keeps back."""
        selected = {}
        complaints = []
        for name in names:
            if not self.admits(name):
                complaints.append(f"{name} is kept back by the worker")  # whether it is set is not told either
            elif name not in self._values:
                complaints.append(f"{name} is not set on the worker")
            else:
                selected[name] = self._values[name]
        if complaints:
            raise EnvironmentMissing(f"Environment variable {', '.join(complaints)}.")
        return selected
