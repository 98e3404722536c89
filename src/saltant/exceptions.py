"""Everything that the SDK raises, beside ValueError and TypeError for a call that makes no sense.

    SaltantError
    ├── BadEnvironmentError         an environment variable is missing or useless (a ValueError too)
    │   └── BadConfigError          the configuration file is missing or useless
    ├── WaitTimeout                 a wait took too long (a TimeoutError too)
    ├── TaskFailed                  a task instance did not succeed, and that was to be an error
    ├── UnsupportedByServer         the server is too old for it; nothing was sent
    ├── ResultRefused               a result that was refused cannot be had
    ├── ChecksumMismatch            a result came other than its job left it
    └── BadHttpRequestError         a request failed
        ├── AuthenticationError     401, the token is not accepted
        ├── BadRequest              400, the server refuses what was sent
        ├── PermissionDenied        403
        ├── NotFound                404
        ├── Conflict                409, not in this state
        ├── RateLimited             429
        ├── ServerError             5xx
        ├── UnexpectedResponse      an answer, but not one of saltant's
        │   └── UnexpectedRedirect
        ├── TransportError          no whole answer
        │   ├── ConnectionFailed
        │   └── RequestTimeout      (a TimeoutError too)
        └── PartialFailure          some of many requests failed
            └── ManyFailed          some of many were not made, cloned or terminated

All of them can be pickled. None of them shows a token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import requests

    from saltant.models.base_task_instance import BaseTaskInstance


class SaltantError(Exception):
    """Something went wrong in saltant."""

    def __init__(self, message: str = "") -> None:
        # Docstrings are gone under `python -OO`.
        super().__init__(message or (type(self).__doc__ or type(self).__name__).partition("\n")[0])


class BadEnvironmentError(SaltantError, ValueError):
    """An environment variable that the client needs is missing or makes no sense."""


class BadConfigError(BadEnvironmentError):
    """The configuration file is missing, or something in it is, or makes no sense."""


class WaitTimeout(SaltantError, TimeoutError):
    """The task instance did not finish in time.

    Attributes:
        instance (BaseTaskInstance | None): The task instance as it was last seen, if one was waited for.
        finished (list[BaseTaskInstance]): Of many that were waited for, those that finished.
        unfinished (list[str]): Of many that were waited for, the UUIDs of the others.
    """

    def __init__(
        self,
        message: str = "",
        *,
        instance: BaseTaskInstance | None = None,
        finished: Sequence[BaseTaskInstance] = (),
        unfinished: Sequence[str] = (),
    ) -> None:
        super().__init__(message)
        self.instance = instance
        self.finished = list(finished)
        self.unfinished = list(unfinished)


class TaskFailed(SaltantError):
    """The task instance did not succeed.

    Attributes:
        instance (BaseTaskInstance | None): The task instance as it is when finished.
        reason (str | None): Why it ended, as one word of a fixed list; None from a server of version 1.
        message (str): Why it ended, for people.
        log_tail (str): The last lines of its stderr, or of its stdout if that is empty; "" if there are none.
    """

    def __init__(
        self,
        message: str = "",
        *,
        instance: BaseTaskInstance | None = None,
        reason: str | None = None,
        why: str = "",
        log_tail: str = "",
    ) -> None:
        super().__init__(message)
        self.instance = instance
        self.reason = reason
        self.message = why
        self.log_tail = log_tail


class UnsupportedByServer(SaltantError):
    """The server is of version 1 and cannot do it. Nothing was sent."""


class ResultRefused(SaltantError):
    """The result was refused, and cannot be had."""


class ChecksumMismatch(SaltantError):
    """The result came other than its job left it."""


class BadHttpRequestError(SaltantError):
    """The request failed.

    Attributes:
        status_code (int | None): The HTTP status of the answer; None if there is no answer.
        url (str): What was called, without user name or password.
        method (str): The HTTP method; "" if not known.
        detail (str): What the server says about it, in its own words.
        field_errors (dict[str, list[str]]): What it says about each field; rules over several fields are
            under `non_field_errors`.
        response (requests.Response | None): The answer, if there is one.
    """

    def __init__(
        self,
        message: str = "",
        *,
        status_code: int | None = None,
        url: str = "",
        method: str = "",
        detail: str = "",
        field_errors: dict[str, list[str]] | None = None,
        response: requests.Response | None = None,
    ) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.url = url
        self.method = method
        self.detail = detail
        self.field_errors = field_errors or {}
        self.response = response


class AuthenticationError(BadHttpRequestError):
    """The server does not accept the token.

    Check `auth_token` or SALTANT_AUTH_TOKEN: it may be mistyped, revoked, expired, or of another server.
    """


class BadRequest(BadHttpRequestError):
    """The server refuses what was sent; `field_errors` says why."""


class PermissionDenied(BadHttpRequestError):
    """The token is good, but its user may not do this."""


class NotFound(BadHttpRequestError):
    """There is no such thing on the server."""


class Conflict(BadHttpRequestError):
    """This cannot be done in the present state.

    Attributes:
        state (str | None): The present state, if the server tells it.
    """

    state: str | None = None


class RateLimited(BadHttpRequestError):
    """Too many requests.

    Attributes:
        retry_after (float | None): The seconds that the server asks to wait, if it tells them.
    """

    retry_after: float | None = None


class ServerError(BadHttpRequestError):
    """The server, or a proxy before it, could not answer."""


class UnexpectedResponse(BadHttpRequestError):
    """The answer is not one of a saltant API; check the base URL, which usually ends in /api/."""


class UnexpectedRedirect(UnexpectedResponse):
    """The server sends the request elsewhere, and the client does not follow.

    Attributes:
        location (str): Where to, without its query.
    """

    location: str = ""


class TransportError(BadHttpRequestError):
    """No whole answer came."""


class ConnectionFailed(TransportError):
    """No connection could be made, or it broke."""


class RequestTimeout(TransportError, TimeoutError):
    """The server did not answer in time."""


class PartialFailure(BadHttpRequestError):
    """Some of the requests failed.

    Attributes:
        succeeded (list): The task instances of the requests that succeeded, in their order.
        failed (dict[str, Exception]): The error of each UUID that failed.
    """

    def __init__(
        self,
        message: str = "",
        *,
        succeeded: Sequence[BaseTaskInstance] = (),
        failed: Mapping[str, Exception] | None = None,
    ) -> None:
        super().__init__(message)
        self.succeeded = list(succeeded)
        self.failed = dict(failed or {})


class ManyFailed(PartialFailure):
    """Some of many task instances could not be made, cloned or terminated. The others were, unless asked otherwise.

    Attributes:
        instances (list[BaseTaskInstance | None]): What came of each item, in their order; None where it failed.
        errors (dict[int, Exception]): The error of each item that failed, by its index, from 0.
        succeeded (list): Those of `instances` that are not None.
        failed (dict[str, Exception]): The same errors by UUID, or by the index as text where there is no UUID.

    >>> for index, error in failure.errors.items():  # doctest: +SKIP
    ...     print(jobs[index], error.field_errors)
    """

    def __init__(
        self,
        message: str = "",
        *,
        instances: Sequence[BaseTaskInstance | None] = (),
        errors: Mapping[int, Exception] | None = None,
        failed: Mapping[str, Exception] | None = None,
    ) -> None:
        super().__init__(message, succeeded=[each for each in instances if each is not None], failed=failed)
        self.instances = list(instances)
        self.errors = dict(errors or {})
