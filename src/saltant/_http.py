"""The one module that makes HTTP requests: retries, time-outs, and answers turned into data or typed errors."""

from __future__ import annotations

import json
import logging
import os
import random
import time
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError

from saltant import exceptions
from saltant._http_errors import (
    BASE_URL_HINT,
    error_for_answer,
    is_hopeless,
    never_sent,
    redirect_error,
    retry_after,
    summary,
    transport_error,
    unexpected,
)
from saltant.constants import HTTP_200_OK

ACCEPT = "application/json; version=2"
"""What the client asks for. A server that knows only version 1 answers with that."""

HTTP_204_NO_CONTENT = 204

LONGEST_TIMEOUT = 1e6
"""Seconds. Beyond about this a socket's time-out may overflow."""

logger = logging.getLogger(__name__)

T = TypeVar("T")


class TokenAuth(AuthBase):
    """Signs requests to one origin with a token, and shows the token to nobody.

    Without a scheme it signs nothing: the "token" is a password, which is told in a body.
    """

    def __init__(self, token: str, base_url: str, scheme: str = "Token") -> None:
        self._token = token
        self._scheme = scheme
        self._origin = urlsplit(base_url)[:2]

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._scheme and urlsplit(request.url or "")[:2] == self._origin:
            request.headers["Authorization"] = f"{self._scheme} {self._token}"
        return request

    def __repr__(self) -> str:
        return "TokenAuth(…)"

    def hide(self, text: str) -> str:
        """The text without the token: a debug page may echo the request's headers."""
        # A token this short would turn half of the text into dots, and is none.
        return text.replace(self._token, "…") if len(self._token) > 3 else text


@dataclass(frozen=True)
class Backoff:
    """How often to try again, and how long to wait before: longer each time, and not in step with other clients."""

    retries: int = 5
    first: float = 0.1
    longest: float = 10.0

    def wait(self, failures: int) -> float:
        """The seconds to wait after so many failures, 1 at least."""
        return min(self.first * 2.0 ** min(failures - 1, 30), self.longest) * random.uniform(0.75, 1.0)  # noqa: S311


class Transport:
    """Makes a client's requests.

    A request has one time-out for all: its tries, the waits between them, and each silence of the server.
    """

    def __init__(
        self, base_url: str, token: str, timeout: float, retries: int, pool_size: int, scheme: str = "Token"
    ) -> None:
        self.base_url = base_url
        self.timeout = min(timeout, LONGEST_TIMEOUT)
        self.backoff = Backoff(retries)
        self.server_version: int | None = None
        self.session = requests.Session()
        # Through `auth`, so that no netrc file overrides it. Its origin: as requests spells it.
        prepared = requests.Request("GET", base_url).prepare().url or base_url
        self.auth = TokenAuth(token, prepared, scheme)
        self.session.auth = self.auth
        self.session.headers.update(
            {"Accept": ACCEPT, "User-Agent": f"saltant-py {requests.utils.default_user_agent()}"}
        )
        adapter = HTTPAdapter(pool_connections=4, pool_maxsize=pool_size, max_retries=0)
        self.session.mount("http://", adapter)
        self.session.mount("https://", adapter)
        # Looking these up takes a quarter of the time of a short request; so they are taken once.
        self._env_proxies = dict(requests.utils.get_environ_proxies(prepared, no_proxy=None))
        self._env_bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
        self._pid = os.getpid()

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Iterable[tuple[str, str]] = (),
        body: object = None,
        expected: int = HTTP_200_OK,
        timeout: float | None = None,
        repeatable: bool = False,
        key: str = "",
    ) -> Any:
        """Make a request and give the JSON of its answer.

        A POST to a server of version 2 carries a key, by which the server knows it again: so it can be repeated.

        Args:
            method: The HTTP method, in capitals.
            path: Below the base URL.
            params: The query, as text.
            body: What to send as JSON; None sends nothing.
            expected: The status of success.
            timeout: Seconds, if fewer than the client's.
            repeatable: Whether a request that is no GET changes nothing, so that it needs no key.
            key: The key of a POST to a server of version 2, if the same one may come again from another process.

        Raises:
            BadHttpRequestError: It failed, tries and all.
            ValueError, TypeError: The body cannot be told in JSON.
        """
        keyed = method == "POST" and not repeatable and (self.server_version or 1) >= 2
        headers = {"Idempotency-Key": key or str(uuid4())} if keyed else {}
        prepared = self._prepare(method, path, list(params), body, headers)
        again = method == "GET" or repeatable or keyed
        answer = self._exchange(prepared, (expected,), self._deadline(timeout), again)
        return self._data(answer, method)

    def read(self, path: str, params: Iterable[tuple[str, str]] = ()) -> requests.Response:
        """Read something that is no JSON.

        Raises:
            BadHttpRequestError: It failed, tries and all.
        """
        prepared = self._prepare("GET", path, list(params), None, {})
        answer = self._exchange(prepared, (HTTP_200_OK,), self._deadline(None), True)
        self._note_version(answer)
        return answer

    def open(
        self,
        path: str,
        *,
        params: Iterable[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        expected: Container[int] = (HTTP_200_OK,),
        silence: float | None = None,
    ) -> requests.Response:
        """Begin to read something that is no JSON. Its body is read from the answer, which must be closed.

        Args:
            path: Below the base URL.
            params: The query, as text.
            headers: More headers.
            expected: The statuses of success.
            silence: The most seconds between two pieces of the body; the client's time-out if None.

        Raises:
            BadHttpRequestError: It failed, tries and all.
        """
        # Bytes are counted here: a proxy must not pack them.
        prepared = self._prepare("GET", path, list(params), None, {"Accept-Encoding": "identity", **(headers or {})})
        answer = self._exchange(prepared, expected, self._deadline(None), True, silence or self.timeout)
        self._note_version(answer)
        return answer

    def failure(self, caught: Exception, answer: requests.Response) -> exceptions.TransportError:
        """The error of an answer that broke off while it was read."""
        _strip(answer.request)
        return transport_error(caught, "GET", answer.url)

    def odd(self, answer: requests.Response, problem: str) -> exceptions.UnexpectedResponse:
        """The error of a success that is none of a saltant API's."""
        _strip(answer.request)
        return unexpected(answer, answer.request.method or "", f"{problem}. {BASE_URL_HINT}")

    def _deadline(self, timeout: float | None) -> float:
        return time.monotonic() + (self.timeout if timeout is None else min(timeout, self.timeout))

    def _exchange(
        self,
        prepared: requests.PreparedRequest,
        expected: Container[int],
        deadline: float,
        again_after_loss: bool,
        silence: float | None = None,
    ) -> requests.Response:
        """Send a request until there is an answer to keep. With `silence` the answer's body is not read."""
        method = prepared.method or ""
        for failures in range(1, self.backoff.retries + 2):
            error: exceptions.BadHttpRequestError
            cause: Exception | None = None
            try:
                answer = self._send(prepared, max(deadline - time.monotonic(), 0.001), silence)
                if answer.status_code in expected:
                    return answer
                error = self._error(answer, method)
                answer.close()
            except (requests.RequestException, HTTPError, ValueError) as caught:
                cause = caught
                error = transport_error(caught, method, prepared.url or "")
                again = (again_after_loss or never_sent(caught)) and not is_hopeless(caught)
                wait = self.backoff.wait(failures)
            else:
                again = answer.status_code == 429 or (again_after_loss and answer.status_code in (502, 503, 504))
                asked = retry_after(answer.headers.get("Retry-After")) if again else None
                wait = self.backoff.wait(failures) if asked is None else asked
                if isinstance(error, exceptions.RateLimited):
                    error.retry_after = asked
            if not again or failures > self.backoff.retries or time.monotonic() + wait >= deadline:
                _strip(prepared)
                raise error from cause
            logger.debug("%s; trying again in %.2f s", error, wait)
            self.sleep(wait)
        raise AssertionError("the last try returns or raises")  # pragma: no cover

    def sleep(self, seconds: float) -> None:
        """Wait. All waits of the SDK but those for answers are made here, so that an event loop can do them instead."""
        time.sleep(seconds)

    def aside(self, act: Callable[..., T], *args: Any) -> T:
        """Do what may keep the disk or the processor busy for long."""
        return act(*args)

    def close(self) -> None:
        """Close the connections."""
        self.session.close()

    def _prepare(
        self, method: str, path: str, params: list[tuple[str, str]], body: object, headers: dict[str, str]
    ) -> requests.PreparedRequest:
        data = None
        if body is not None:
            data = json.dumps(body, allow_nan=False).encode()
            headers = {**headers, "Content-Type": "application/json"}
        url = self.base_url + path
        request = requests.Request(method, url, headers=headers, data=data, params=params)
        try:
            return self.session.prepare_request(request)
        except requests.RequestException as caught:
            raise transport_error(caught, method, url) from caught

    def _send(
        self, prepared: requests.PreparedRequest, timeout: float, silence: float | None = None
    ) -> requests.Response:
        session = self.session
        if self._pid != os.getpid():
            # After a fork: connections shared with the parent would mix up answers.
            session.close()
            self._pid = os.getpid()
        started = time.monotonic()
        trusted = session.trust_env
        answer = session.send(
            prepared,
            timeout=timeout if silence is None else (timeout, silence),
            allow_redirects=False,
            proxies={**session.proxies, **self._env_proxies} if trusted else dict(session.proxies),
            verify=self._env_bundle if session.verify is True and trusted and self._env_bundle else session.verify,
            cert=session.cert,
            stream=silence is not None,
        )
        if logger.isEnabledFor(logging.DEBUG):
            took = (time.monotonic() - started) * 1000
            logger.debug("%s %s: %d in %.1f ms", prepared.method, prepared.url, answer.status_code, took)
        return answer

    def _data(self, answer: requests.Response, method: str) -> Any:
        self._note_version(answer)
        if answer.status_code == HTTP_204_NO_CONTENT:
            return None
        try:
            return json.loads(answer.content)
        except (ValueError, RecursionError):
            what = summary(self._text(answer)) or "nothing"
            raise self.odd(answer, f"{what} where JSON was expected") from None

    def _note_version(self, answer: requests.Response) -> None:
        version = answer.headers.get("Saltant-Version", "1")
        self.server_version = int(version) if version.isdecimal() else 1

    def _error(self, answer: requests.Response, method: str) -> exceptions.BadHttpRequestError:
        if 300 <= answer.status_code < 400:
            return redirect_error(answer, method)
        if answer.ok:
            return unexpected(answer, method, f"another kind of success than this request has. {BASE_URL_HINT}")
        return error_for_answer(answer.status_code, self._text(answer), answer.url, method, answer)

    def _text(self, answer: requests.Response) -> str:
        # Not `answer.text`, which guesses the encoding of a page, and takes seconds for a long one.
        return self.auth.hide(answer.content.decode("utf-8", "replace"))


def _strip(request: requests.PreparedRequest) -> None:
    """Take the token out of a request that errors will carry: through the answer, and through their cause."""
    if "Authorization" in request.headers:
        request.headers["Authorization"] = "Token ..."
