"""The one module that makes HTTP requests: retries, time-outs, and answers turned into data or typed errors."""

from __future__ import annotations

import json
import logging
import os
import random
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

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

LONGEST_TIMEOUT = 1e6
"""Seconds. Beyond about this a socket's time-out may overflow."""

logger = logging.getLogger(__name__)


class TokenAuth(AuthBase):
    """Signs requests to one origin with a token, and shows the token to nobody."""

    def __init__(self, token: str, base_url: str) -> None:
        self._token = token
        self._origin = urlsplit(base_url)[:2]

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if urlsplit(request.url or "")[:2] == self._origin:
            request.headers["Authorization"] = f"Token {self._token}"
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

    def __init__(self, base_url: str, token: str, timeout: float, retries: int, pool_size: int) -> None:
        self.base_url = base_url
        self.timeout = min(timeout, LONGEST_TIMEOUT)
        self.backoff = Backoff(retries)
        self.server_version: int | None = None
        self.session = requests.Session()
        # Through `auth`, so that no netrc file overrides it. Its origin: as requests spells it.
        prepared = requests.Request("GET", base_url).prepare().url or base_url
        self.auth = TokenAuth(token, prepared)
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
    ) -> Any:
        """Make a request and give the JSON of its answer.

        Args:
            method: The HTTP method, in capitals.
            path: Below the base URL.
            params: The query, as text.
            body: What to send as JSON; None sends nothing.
            expected: The status of success.
            timeout: Seconds, if fewer than the client's.

        Raises:
            BadHttpRequestError: It failed, tries and all.
            ValueError, TypeError: The body cannot be told in JSON.
        """
        deadline = time.monotonic() + (self.timeout if timeout is None else min(timeout, self.timeout))
        prepared = self._prepare(method, path, list(params), body)
        for failures in range(1, self.backoff.retries + 2):
            error: exceptions.BadHttpRequestError
            cause: Exception | None = None
            try:
                answer = self._send(prepared, max(deadline - time.monotonic(), 0.001))
            except (requests.RequestException, HTTPError, ValueError) as caught:
                cause = caught
                error = transport_error(caught, method, prepared.url or path)
                again = (method == "GET" or never_sent(caught)) and not is_hopeless(caught)
                wait = self.backoff.wait(failures)
            else:
                if answer.status_code == expected:
                    return self._data(answer, method)
                error = self._error(answer, method)
                again = answer.status_code == 429 or (method == "GET" and answer.status_code in (502, 503, 504))
                asked = retry_after(answer.headers.get("Retry-After")) if again else None
                wait = self.backoff.wait(failures) if asked is None else asked
                if isinstance(error, exceptions.RateLimited):
                    error.retry_after = asked
            if not again or failures > self.backoff.retries or time.monotonic() + wait >= deadline:
                _strip(prepared)
                raise error from cause
            logger.debug("%s; trying again in %.2f s", error, wait)
            time.sleep(wait)
        raise AssertionError("the last try returns or raises")  # pragma: no cover

    def close(self) -> None:
        """Close the connections."""
        self.session.close()

    def _prepare(self, method: str, path: str, params: list[tuple[str, str]], body: object) -> requests.PreparedRequest:
        data, headers = None, {}
        if body is not None:
            data = json.dumps(body, allow_nan=False).encode()
            headers["Content-Type"] = "application/json"
        url = self.base_url + path
        request = requests.Request(method, url, headers=headers, data=data, params=params)
        try:
            return self.session.prepare_request(request)
        except requests.RequestException as caught:
            raise transport_error(caught, method, url) from caught

    def _send(self, prepared: requests.PreparedRequest, timeout: float) -> requests.Response:
        session = self.session
        if self._pid != os.getpid():
            # After a fork: connections shared with the parent would mix up answers.
            session.close()
            self._pid = os.getpid()
        started = time.monotonic()
        trusted = session.trust_env
        answer = session.send(
            prepared,
            timeout=timeout,
            allow_redirects=False,
            proxies={**session.proxies, **self._env_proxies} if trusted else dict(session.proxies),
            verify=self._env_bundle if session.verify is True and trusted and self._env_bundle else session.verify,
            cert=session.cert,
            stream=False,
        )
        if logger.isEnabledFor(logging.DEBUG):
            took = (time.monotonic() - started) * 1000
            logger.debug("%s %s: %d in %.1f ms", prepared.method, prepared.url, answer.status_code, took)
        return answer

    def _data(self, answer: requests.Response, method: str) -> Any:
        version = answer.headers.get("Saltant-Version", "1")
        self.server_version = int(version) if version.isdecimal() else 1
        try:
            return json.loads(answer.content)
        except (ValueError, RecursionError):
            what = summary(self._text(answer)) or "nothing"
            _strip(answer.request)
            raise unexpected(answer, method, f"{what} where JSON was expected. {BASE_URL_HINT}") from None

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
