"""The client of a saltant server for programs with an event loop."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from saltant.aio import models
from saltant.aio._transport import AsyncTransport
from saltant.aio._twins import TWINS
from saltant.constants import DEFAULT_TIMEOUT_SECONDS
from saltant.models.resource import ModelManager

POOL_SIZE = 1000


class AsyncClient(models.Client):
    """A client of a saltant server whose methods are awaited.

    It has the managers and methods of `saltant.Client`, runs their very code, and raises the same errors. Making one
    sends nothing; `async with` makes the first request, which tells whether URL and token are good, and closes its
    connections at the end. It takes an asyncio loop, that of asyncio itself or uvloop.

    Args:
        base_api_url: The URL of the saltant API, with or without the slash at its end.
        auth_token: The token of a user of that server.
        default_timeout: The most seconds that a request may take, with its retries; see `saltant.Client`.
        test_if_authenticated: Whether `async with` makes that first request.
        max_retries: How often a request is tried again; see `saltant.Client`.
        pool_size: How many connections are kept open.

    Raises:
        ValueError: The URL, token or a number makes no sense.

    >>> async with AsyncClient("https://example.org/api", token) as client:  # doctest: +SKIP
    ...     job = await client.executable_task_instances.create(1, 1, {"who": "world"})
    ...     await job.wait_until_finished()
    """

    base_api_url: str

    _transport_class = AsyncTransport

    def __init__(
        self,
        base_api_url: str,
        auth_token: str,
        default_timeout: float | None = DEFAULT_TIMEOUT_SECONDS,
        test_if_authenticated: bool = True,
        *,
        max_retries: int = 5,
        pool_size: int = POOL_SIZE,
    ) -> None:
        super().__init__(
            base_api_url,
            auth_token,
            default_timeout,
            test_if_authenticated=False,
            max_retries=max_retries,
            pool_size=pool_size,
        )
        self._is_to_be_tested = test_if_authenticated
        for name, manager in vars(self).items():
            if isinstance(manager, ModelManager):
                setattr(self, name, TWINS[type(manager)](self))

    @classmethod
    def from_config(
        cls,
        profile: str | None = None,
        default_timeout: float | None = DEFAULT_TIMEOUT_SECONDS,
        *,
        test_if_authenticated: bool = True,
    ) -> Self:
        """Make a client from a profile of the configuration file: see `saltant.Client.from_config`."""
        client = super().from_config(profile, default_timeout, test_if_authenticated=False)
        client._is_to_be_tested = test_if_authenticated
        return client

    def __enter__(self) -> Self:
        raise TypeError("An AsyncClient is entered by `async with`, not by `with`.")

    async def __aenter__(self) -> Self:
        if self._is_to_be_tested:
            try:
                await self.test_authentication()
            except BaseException:
                await self.close()
                raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()


def from_env(default_timeout: float | None = DEFAULT_TIMEOUT_SECONDS) -> AsyncClient:
    """Make a client from the environment: see `saltant.Client.from_env`. It sends nothing."""
    return AsyncClient.from_env(default_timeout)


def from_config(profile: str | None = None, default_timeout: float | None = DEFAULT_TIMEOUT_SECONDS) -> AsyncClient:
    """Make a client from the configuration file: see `saltant.Client.from_config`. It sends nothing."""
    return AsyncClient.from_config(profile, default_timeout)
