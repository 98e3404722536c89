"""Limits of task types and instances: how long, how often and with how much something may run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypedDict

from saltant.exceptions import UnsupportedByServer

if TYPE_CHECKING:
    from saltant.client import Client


class Keep:
    """What an argument is that was not given, where None says something."""

    def __repr__(self) -> str:
        return "KEEP"


KEEP = Keep()


class Limits(TypedDict, total=False):
    """Keyword arguments of `create` and `put`, for servers of version 2. None takes a limit away.

    Attributes:
        timeout: How long an attempt may run, in seconds.
        queue_timeout: How long an instance may wait for its first worker, in seconds.
        max_attempts: How often it is tried, 1 at least.
        retry_on: Which ends are tried again: `lost` (its worker was lost), or `failed` (failures too).
        retry_delay: The seconds before the second attempt; doubled before each one after it.
        memory: The most memory of all its processes, in bytes.
        cpus: How many processors it may use.
        priority: How soon it runs among those that wait: 9 first, 0 last. 5 is usual.
        gpus: How many GPUs it gets for itself.
    """

    timeout: float | None
    queue_timeout: float | None
    max_attempts: int
    retry_on: str
    retry_delay: float
    memory: int | None
    cpus: float | None
    priority: int
    gpus: int | None


OPTIONS = ("labels", "after", "after_any", "revision", *Limits.__annotations__)
"""What a task instance may have beside its task type, its queue, its arguments and its name."""


class Limited:
    """The limits of a model. None: no limit, or a server of version 1."""

    timeout: float | None = None
    queue_timeout: float | None = None
    max_attempts: int | None = None
    retry_on: str | None = None
    retry_delay: float | None = None
    memory: int | None = None
    cpus: float | None = None
    priority: int | None = None
    gpus: int | None = None

    def _take_limits(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Take the limits out of the fields of an answer; returns the others."""
        for name in Limits.__annotations__:
            setattr(self, name, fields.get(name))
        return {name: value for name, value in fields.items() if name not in Limits.__annotations__}

    def _limits(self, client: Client) -> Any:
        """The limits as keyword arguments: all that the server knows of, or has to refuse."""
        known = (client.server_version or 1) >= 2
        values = {name: getattr(self, name) for name in Limits.__annotations__}
        return {name: value for name, value in values.items() if known or value is not None}


def check_limits(limits: Mapping[str, Any], client: Client, known: Iterable[str] = ()) -> dict[str, Any]:
    """Limits as fields of a request.

    Args:
        known: What an error says may be given, where that is more than limits.

    Raises:
        TypeError: A name is none of a limit.
        UnsupportedByServer: The server knows no limits.
    """
    for name in limits:
        if name not in Limits.__annotations__:
            said = f"these are {', '.join(known)}" if known else f"the limits are {', '.join(Limits.__annotations__)}"
            raise TypeError(f"{name!r} is no argument: {said}")
    if limits:
        require_version_2(client, f"limits ({', '.join(limits)})")
    return dict(limits)


def require_version_2(client: Client, what: str) -> None:
    """Refuse what a server of version 1 would silently leave out.

    Raises:
        UnsupportedByServer: The server is of version 1.
    """
    if client.server_version is None:
        client.test_authentication()  # its first answer tells
    if (client.server_version or 1) < 2:
        raise UnsupportedByServer(f"The server at {client.base_api_url} speaks version 1, which has no {what}.")
