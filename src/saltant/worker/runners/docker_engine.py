"""The Docker engine that a worker uses: how it is reached, what it can do, and its errors in plain words."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import requests
import urllib3

if TYPE_CHECKING:  # docker-py takes long to load: what runs no container does without
    from docker import APIClient

DEFAULT_HOST = "unix:///var/run/docker.sock"

_CALL = 120.0  # seconds that one call may take: a busy disk makes a container slowly
_SHORT = 3.0  # seconds that an engine has to say that it is there
_CONNECTIONS = 64  # that are kept for the next call


class EngineAway(Exception):
    """The engine did not answer, or the connection to it broke. The message is a sentence."""


class EngineSlow(EngineAway):
    """A call took longer than it was given; the engine may be well."""


class EngineRefused(Exception):
    """The engine said no. The message is its words.

    Attributes:
        status: the HTTP status of its answer.
    """

    def __init__(self, words: str, status: int) -> None:
        super().__init__(words)
        self.status = status


@dataclass(frozen=True, slots=True)
class Facts:
    """What an engine is and can do.

    Attributes:
        is_podman: whether it is Podman behind Docker's interface.
        has_init: whether it has a small init for its containers.
        cpus: how many processors it has.
        limits_memory: whether it can limit memory.
        limits_cpus: whether it can limit processor time.
    """

    is_podman: bool = False
    has_init: bool = True
    cpus: int | None = None
    limits_memory: bool = True
    limits_cpus: bool = True


class Engine:
    """One engine. Every call may be made from any thread.

    Args:
        host: where it is, as DOCKER_HOST says it; empty: what DOCKER_HOST says, or the usual socket.
    """

    def __init__(self, host: str = "") -> None:
        self.host = host or os.environ.get("DOCKER_HOST", "") or DEFAULT_HOST
        self._lock = threading.Lock()
        self._client: APIClient | None = None
        self._facts: Facts | None = None

    @contextmanager
    def asked(self, client: "APIClient | None" = None) -> Iterator["APIClient"]:
        """What to ask it with: `client`, or one that all share. Raises EngineAway and EngineRefused, and only these."""
        with self._translated():
            yield client or self._shared()

    def new_client(self, timeout: float | None = _CALL) -> "APIClient":
        """A connection of its own; `timeout` in seconds."""
        with self._translated():
            return self._connect(timeout)

    def facts(self) -> Facts:
        """What it can do; asked once, and again when `why_not` was asked. Raises EngineAway and EngineRefused."""
        facts = self._facts
        if facts is None:
            with self.asked() as client:
                facts = self._facts = _facts(client.version(api_version=False), client.info())
        return facts

    def why_not(self) -> str:
        """Why it cannot be used now, in a sentence; empty: it can."""
        try:
            client = self.new_client(_SHORT)
            with self.asked(client):
                client.ping()
                self._facts = _facts(client.version(api_version=False), client.info())
            client.close()
        except EngineAway as error:
            return str(error)
        except EngineRefused as error:
            return f"The Docker engine at {self.host} refused: {error}"
        return ""

    def close(self) -> None:
        """Let go of the connections."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _shared(self) -> "APIClient":
        with self._lock:
            if self._client is None:
                self._client = self._connect(_CALL)
            return self._client

    def _connect(self, timeout: float | None) -> "APIClient":
        from docker import APIClient
        from docker.utils import kwargs_from_env

        options = dict[str, Any](kwargs_from_env(environment={**os.environ, "DOCKER_HOST": self.host}))
        return APIClient(version="auto", timeout=timeout, max_pool_size=_CONNECTIONS, **options)  # type: ignore[arg-type]

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            from docker.errors import APIError, DockerException
        except ImportError:
            raise EngineAway("The Python package docker is not installed: pip install 'saltant-py[worker]'.") from None
        try:
            yield
        except APIError as error:
            raise EngineRefused(str(error.explanation or error).strip(), error.status_code or 500) from None
        except (requests.Timeout, TimeoutError, urllib3.exceptions.TimeoutError) as error:
            raise EngineSlow(self._explain(error)) from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, DockerException, OSError) as error:
            is_late = isinstance(_find(error, urllib3.exceptions.ReadTimeoutError), BaseException)
            raise (EngineSlow if is_late else EngineAway)(self._explain(error)) from None
        except ValueError as error:  # no JSON: that is no engine
            raise EngineAway(f"What answers at {self.host} is no Docker engine: {error}") from None

    def _explain(self, error: BaseException) -> str:
        cause = _find(error, OSError)
        if isinstance(cause, FileNotFoundError):
            return f"There is no Docker engine at {self.host}: start one, or say with DOCKER_HOST where it is."
        if isinstance(cause, PermissionError):
            return (
                f"This user may not use the Docker engine at {self.host}: add them to the group docker"
                " (usermod -aG docker USER) and start the worker again, or use a rootless engine of theirs."
            )
        if isinstance(cause, ConnectionRefusedError):
            return f"Nothing listens at {self.host}: the Docker engine is not running."
        if isinstance(error, (requests.Timeout, TimeoutError)) or isinstance(cause, TimeoutError):
            return f"The Docker engine at {self.host} does not answer in time."
        return f"The Docker engine at {self.host} does not answer: {cause or error}"


def _find(error: BaseException, kind: type[BaseException]) -> BaseException | None:
    """The innermost error of a kind among those that libraries wrapped it in."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    found = None
    while waiting:
        each = waiting.pop()
        if not isinstance(each, BaseException) or id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, kind) and not isinstance(each, requests.RequestException):
            found = each
        waiting += [*each.args, each.__cause__, each.__context__]
    return found


def _facts(version: dict[str, Any], info: dict[str, Any]) -> Facts:
    components = {str(part.get("Name", "")): str(part.get("Version", "")) for part in version.get("Components") or ()}
    is_podman = any("podman" in name.lower() for name in components)
    return Facts(
        is_podman=is_podman,
        # Docker tells the version of its init where it has found it. Podman does not: it is tried.
        has_init=is_podman or components.get("docker-init", "") not in ("", "N/A"),
        cpus=info.get("NCPU") or None,
        limits_memory=bool(info.get("MemoryLimit", True)),
        limits_cpus=bool(info.get("CpuCfsQuota", info.get("CPUCfsQuota", True))),
    )
