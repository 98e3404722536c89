"""The client of a saltant server."""

from __future__ import annotations

import math
import os
import warnings
from types import TracebackType
from typing import ClassVar, Self
from urllib.parse import urlsplit, urlunsplit

import requests

from saltant import _config
from saltant._http import Transport
from saltant._http_errors import BASE_URL_HINT, without_userinfo
from saltant.constants import DEFAULT_TIMEOUT_SECONDS
from saltant.exceptions import AuthenticationError, BadConfigError, BadEnvironmentError, NotFound, PermissionDenied
from saltant.models.container_task_instance import ContainerTaskInstanceManager
from saltant.models.container_task_type import ContainerTaskTypeManager
from saltant.models.executable_task_instance import ExecutableTaskInstanceManager
from saltant.models.executable_task_type import ExecutableTaskTypeManager
from saltant.models.schedule import ScheduleManager
from saltant.models.task_queue import TaskQueueManager
from saltant.models.task_whitelist import TaskWhitelistManager
from saltant.models.user import UserManager
from saltant.models.worker import WorkerManager


def parse_base_url(url: str) -> str:
    """The base URL with a slash at its end and without white space around it.

    A user name or password in it is dropped: the token alone signs in.

    Raises:
        ValueError: It is no http or https URL.

    >>> parse_base_url(" https://example.org/api ")
    'https://example.org/api/'
    """
    text = url.strip() if isinstance(url, str) else ""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # such as a port that is no number
        usable = False
    if not usable or any(character.isspace() for character in text):
        shown = without_userinfo(text) if usable else text.rpartition("@")[2]
        raise ValueError(f"The base URL {shown!r} is no http:// or https:// URL, such as https://example.org/api/")
    if parts.query or parts.fragment:
        raise ValueError("The base URL may have no query and no fragment: it looks like https://example.org/api/")
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/") + "/", "", ""))


def parse_token(token: str) -> str:
    """The token without white space around it.

    Raises:
        ValueError: It is empty or has characters that no token has. The message does not show it.
    """
    text = token.strip() if isinstance(token, str) else ""
    if not text:
        raise ValueError("The token is empty.")
    # Anything else would surface in an exception of the HTTP libraries, value and all.
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise ValueError("The token has white space or other characters within that no token has.")
    return text


class Client:
    """A client of a saltant server.

    It may be used by several threads, and after a fork. As a context manager it closes its connections at the end.

    Args:
        base_api_url: The URL of the saltant API, with or without the slash at its end.
        auth_token: The token of a user of that server.
        default_timeout: The most seconds that a request may take, with its retries. A server that keeps
            sending is heard out. None, or infinity: no limit.
        test_if_authenticated: Whether to make a first request at once, which tells whether URL and token are good.
        max_retries: How often a request is tried again: a GET after broken connections and after 429, 502, 503
            and 504; so is a POST once the server is known to be of version 2, which takes two of it for one;
            anything else if no connection was made and after 429. A `Retry-After` is honoured.
        pool_size: How many connections are kept open for threads.

    Attributes:
        base_api_url (str): The URL of the saltant API, with the slash at its end.
        session (requests.Session): What makes the requests. Proxies and certificates of the environment are
            looked up once, when the client is made.
        container_task_instances (ContainerTaskInstanceManager): Acts on container task instances.
        container_task_types (ContainerTaskTypeManager): Acts on container task types.
        executable_task_instances (ExecutableTaskInstanceManager): Acts on executable task instances.
        executable_task_types (ExecutableTaskTypeManager): Acts on executable task types.
        schedules (ScheduleManager): Acts on schedules.
        task_queues (TaskQueueManager): Acts on task queues.
        task_whitelists (TaskWhitelistManager): Acts on task whitelists.
        users (UserManager): Looks up users.
        workers (WorkerManager): Looks up workers, and drains them.

    Raises:
        ValueError: The URL, token or a number makes no sense. Nothing was sent.
        AuthenticationError: The server does not accept the token.
        BadHttpRequestError: The first request failed otherwise.

    >>> client = Client("https://example.org/api", "p0gch4mp101fy451do9uod1s1x9i4a", test_if_authenticated=False)
    >>> client
    <Client https://example.org/api/>
    """

    _transport_class: ClassVar[type[Transport]] = Transport

    def __init__(
        self,
        base_api_url: str,
        auth_token: str,
        default_timeout: float | None = DEFAULT_TIMEOUT_SECONDS,
        test_if_authenticated: bool = True,
        *,
        max_retries: int = 5,
        pool_size: int = 32,
    ) -> None:
        self.base_api_url = parse_base_url(base_api_url)
        timeout = math.inf if default_timeout is None else default_timeout
        if not timeout > 0:  # NaN is not, either
            raise ValueError(f"default_timeout must be more than 0 seconds, not {default_timeout!r}")
        if max_retries < 0 or pool_size < 1:
            raise ValueError("max_retries must be at least 0, and pool_size at least 1")
        self._transport = self._transport_class(
            self.base_api_url, parse_token(auth_token), timeout, max_retries, pool_size
        )
        self.container_task_instances = ContainerTaskInstanceManager(self)
        self.container_task_types = ContainerTaskTypeManager(self)
        self.executable_task_instances = ExecutableTaskInstanceManager(self)
        self.executable_task_types = ExecutableTaskTypeManager(self)
        self.schedules = ScheduleManager(self)
        self.task_queues = TaskQueueManager(self)
        self.task_whitelists = TaskWhitelistManager(self)
        self.users = UserManager(self)
        self.workers = WorkerManager(self)
        if test_if_authenticated:
            self.test_authentication()

    @classmethod
    def from_env(cls, default_timeout: float | None = DEFAULT_TIMEOUT_SECONDS) -> Self:
        """Make a client from the environment variables SALTANT_API_URL and SALTANT_AUTH_TOKEN.

        Args:
            default_timeout: The most seconds that a request may take.

        Raises:
            BadEnvironmentError: One of them is missing, empty or makes no sense.
            AuthenticationError: The server does not accept the token.
            BadHttpRequestError: The first request failed otherwise.

        >>> client = Client.from_env()  # doctest: +SKIP
        """
        values = []
        for name, parse in (("SALTANT_API_URL", parse_base_url), ("SALTANT_AUTH_TOKEN", parse_token)):
            value = os.environ.get(name, "")
            if not value.strip():
                problem = "is empty" if name in os.environ else "is not set"
                raise BadEnvironmentError(f"The environment variable {name} {problem}.")
            try:
                values.append(parse(value))
            except ValueError as error:
                raise BadEnvironmentError(f"The environment variable {name} makes no sense: {error}") from None
        return cls(base_api_url=values[0], auth_token=values[1], default_timeout=default_timeout)

    @classmethod
    def from_config(
        cls,
        profile: str | None = None,
        default_timeout: float | None = DEFAULT_TIMEOUT_SECONDS,
        *,
        test_if_authenticated: bool = True,
    ) -> Self:
        """Make a client from a profile of the configuration file that the command line uses too.

        Without a profile's name the environment goes first (SALTANT_API_URL and SALTANT_AUTH_TOKEN), then the
        profile that SALTANT_PROFILE names, then the file's default. `saltant login` writes the file, which is
        `saltant/config.toml` below XDG_CONFIG_HOME or `~/.config`, or what SALTANT_CONFIG names.

        Args:
            profile: The name of a profile.
            default_timeout: The most seconds that a request may take.
            test_if_authenticated: Whether to make a first request at once.

        Raises:
            BadConfigError: There is no such profile, or the file or something in it is missing or makes no sense.
            BadEnvironmentError: Of the environment variables one is missing or makes no sense.
            AuthenticationError: The server does not accept the token.
            BadHttpRequestError: The first request failed otherwise.

        >>> client = Client.from_config("lab")  # doctest: +SKIP
        """
        server = _config.find(profile)
        if server.profile is None:
            kind, where = BadEnvironmentError, "The environment variable {} makes no sense"
            names = (_config.URL, _config.TOKEN)
        else:
            kind, where = BadConfigError, f"The {{}} of {server.source} makes no sense"
            names = ("url", "token")
        values = []
        for name, parse, value in zip(names, (parse_base_url, parse_token), (server.url, server.token), strict=True):
            try:
                values.append(parse(value))
            except ValueError as error:
                raise kind(f"{where.format(name)}: {error}") from None
        if server.warning is not None:
            warnings.warn(server.warning, stacklevel=2)
        client = cls(values[0], values[1], default_timeout, test_if_authenticated=False)
        if server.ca is not None:
            client.session.verify = server.ca
        if test_if_authenticated:
            client.test_authentication()
        return client

    @property
    def session(self) -> requests.Session:
        """What makes the requests."""
        return self._transport.session

    @property
    def server_version(self) -> int | None:
        """The version of the API that the server speaks; None before its first answer."""
        return self._transport.server_version

    def test_authentication(self) -> None:
        """Test that the server is there and accepts the token.

        Raises:
            AuthenticationError: It does not accept the token.
            PermissionDenied: It accepts the token, but not for people's work, as one of a worker.
            BadHttpRequestError: The request failed otherwise.
        """
        try:
            self.users.list({"page_size": 1})
        except (PermissionDenied, NotFound) as error:
            # Servers of version 1 say 403 of a wrong token.
            wrong_token = isinstance(error, PermissionDenied) and _version_of(error.response) < 2
            if isinstance(error, PermissionDenied) and not wrong_token:
                raise
            hint = "" if wrong_token or BASE_URL_HINT in str(error) else f" {BASE_URL_HINT}"
            raise (AuthenticationError if wrong_token else NotFound)(
                f"{error}{hint}",
                status_code=error.status_code,
                url=error.url,
                method=error.method,
                detail=error.detail,
                response=error.response,
            ) from error

    def close(self) -> None:
        """Close the connections. The next request opens new ones."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.base_api_url}>"


def _version_of(response: requests.Response | None) -> int:
    text = "" if response is None else response.headers.get("Saltant-Version", "")
    return int(text) if text.isdecimal() else 1


def from_env(default_timeout: float | None = DEFAULT_TIMEOUT_SECONDS) -> Client:
    """Make a client from the environment: see `Client.from_env`.

    >>> from saltant import from_env
    >>> client = from_env()  # doctest: +SKIP
    """
    return Client.from_env(default_timeout=default_timeout)


def from_config(profile: str | None = None, default_timeout: float | None = DEFAULT_TIMEOUT_SECONDS) -> Client:
    """Make a client from the configuration file: see `Client.from_config`.

    >>> from saltant import from_config
    >>> client = from_config()  # doctest: +SKIP
    """
    return Client.from_config(profile, default_timeout=default_timeout)
