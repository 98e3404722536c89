"""How containers are run, as container task types say it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from saltant.models._limits import Limits, require_version_2

if TYPE_CHECKING:
    from saltant.client import Client


class ContainerOptions(Limits, total=False):
    """Keyword arguments of `create` and `put` of container task types, for servers of version 2, beside `Limits`.

    Attributes:
        pull_policy: When the image is pulled: `if_missing` on the worker's machine, which is usual, `always` before it
            runs, or `never`.
        network: What the container reaches: what its engine gives (`default`), nothing (`none`), or the `host`'s own
            network.
        container_user: The user it runs as: a name in its image, `uid` or `uid:gid`; "" is the image's own. Docker
            only.
        read_only_root: Whether it can write nowhere but to its logs, its results and its `/tmp`.
        shm_size: The bytes of its `/dev/shm`; None is the engine's own choice. Docker only.
    """

    pull_policy: str
    network: str
    container_user: str
    read_only_root: bool
    shm_size: int | None


OPTIONS = tuple(name for name in ContainerOptions.__annotations__ if name not in Limits.__annotations__)


class Contained:
    """How a type's containers are run. None: as its engine likes, or a server of version 1."""

    pull_policy: str | None = None
    network: str | None = None
    container_user: str | None = None
    read_only_root: bool | None = None
    shm_size: int | None = None

    def _take_options(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Take these out of the fields of an answer; returns the others."""
        for name in OPTIONS:
            setattr(self, name, fields.get(name))
        return {name: value for name, value in fields.items() if name not in OPTIONS}

    def _options(self) -> Any:
        """These as keyword arguments: all that the server told, or that was set since."""
        values = {name: getattr(self, name) for name in OPTIONS}
        is_told = self.pull_policy is not None
        return {name: value for name, value in values.items() if value is not None or (is_told and name == "shm_size")}


def check_options(options: Mapping[str, Any], client: Client) -> dict[str, Any]:
    """How a container is run as fields of a request, without the limits that stand among `options`.

    Raises:
        UnsupportedByServer: The server knows nothing of these.
    """
    given = {name: options[name] for name in OPTIONS if name in options}
    if given:
        require_version_2(client, f"{', '.join(given)} of containers")
    return given


def limits_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """The limits that stand among `options`.

    Raises:
        TypeError: A name is none of either.
    """
    for name in options:
        if name not in ContainerOptions.__annotations__:
            raise TypeError(f"{name!r} is no argument: there are {', '.join(ContainerOptions.__annotations__)}")
    return {name: value for name, value in options.items() if name not in OPTIONS}
