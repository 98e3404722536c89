"""Run scripts and containers on many machines, driven from Python.

>>> import saltant
>>> client = saltant.from_env()  # doctest: +SKIP

Names load when first used, so that programs which only need a part of the package start quickly.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from saltant import client, constants, exceptions, models
    from saltant._sweep import sweep
    from saltant.client import Client, from_config, from_env
    from saltant.exceptions import (
        AuthenticationError,
        BadConfigError,
        BadEnvironmentError,
        BadHttpRequestError,
        BadRequest,
        ChecksumMismatch,
        Conflict,
        ConnectionFailed,
        ManyFailed,
        NotFound,
        PartialFailure,
        PermissionDenied,
        RateLimited,
        RequestTimeout,
        ResultRefused,
        SaltantError,
        ServerError,
        TaskFailed,
        TransportError,
        UnexpectedRedirect,
        UnexpectedResponse,
        UnsupportedByServer,
        WaitTimeout,
    )
    from saltant.states import State

    __version__: str

_MODULES = ("client", "constants", "exceptions", "models")
_HOMES = {"Client": "client", "from_config": "client", "from_env": "client", "State": "states", "sweep": "_sweep"}

__all__ = [
    "AuthenticationError",
    "BadConfigError",
    "BadEnvironmentError",
    "BadHttpRequestError",
    "BadRequest",
    "ChecksumMismatch",
    "Client",
    "Conflict",
    "ConnectionFailed",
    "ManyFailed",
    "NotFound",
    "PartialFailure",
    "PermissionDenied",
    "RateLimited",
    "RequestTimeout",
    "ResultRefused",
    "SaltantError",
    "ServerError",
    "State",
    "TaskFailed",
    "TransportError",
    "UnexpectedRedirect",
    "UnexpectedResponse",
    "UnsupportedByServer",
    "WaitTimeout",
    "__version__",
    "client",
    "constants",
    "exceptions",
    "from_config",
    "from_env",
    "models",
    "sweep",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"saltant.{name}")
    if name == "__version__":
        from importlib.metadata import version

        return version("saltant-py")
    if name in __all__:
        value = getattr(import_module(f"saltant.{_HOMES.get(name, 'exceptions')}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'saltant' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
