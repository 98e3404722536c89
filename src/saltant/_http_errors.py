"""What an answer that is no success, or a request without an answer, means: one typed error, in words for people."""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from html import unescape
from typing import Any
from urllib.parse import urljoin, urlsplit, urlunsplit

import requests
import urllib3.exceptions as urllib3

from saltant import exceptions

BASE_URL_HINT = "Check the base URL, which usually ends in /api/."

BY_STATUS: dict[int, type[exceptions.BadHttpRequestError]] = {
    400: exceptions.BadRequest,
    401: exceptions.AuthenticationError,
    403: exceptions.PermissionDenied,
    404: exceptions.NotFound,
    409: exceptions.Conflict,
    429: exceptions.RateLimited,
}

HINTS: dict[type[exceptions.BadHttpRequestError], str] = {
    exceptions.AuthenticationError: "Check the token: it may be mistyped, revoked, expired, or of another server.",
    exceptions.PermissionDenied: "The token's user may not do this.",
}


def without_userinfo(url: str) -> str:
    """The URL without a user name and password.

    >>> without_userinfo("http://me:secret@host:80/api/?page=2")
    'http://host:80/api/?page=2'
    """
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def error_for_answer(
    status_code: int, text: str, url: str, method: str = "", response: requests.Response | None = None
) -> exceptions.BadHttpRequestError:
    """The error that an answer means.

    >>> error = error_for_answer(400, '{"name": ["This field is required."]}', "http://host/api/taskqueues/", "POST")
    >>> print(error)
    POST http://host/api/taskqueues/ answered 400: name: This field is required.
    >>> error.field_errors
    {'name': ['This field is required.']}
    """
    kind = BY_STATUS.get(status_code)
    if kind is None:
        kind = exceptions.ServerError if status_code >= 500 else exceptions.UnexpectedResponse
    body, detail, field_errors = _read_body(text)
    told = detail or "; ".join(f"{field}: {' '.join(messages)}" for field, messages in field_errors.items())
    if field_errors.keys() == {"non_field_errors"}:
        told = " ".join(field_errors["non_field_errors"])
    url = without_userinfo(url)
    said = f"{method} {url} answered {status_code}".lstrip()
    hint = HINTS.get(kind, "")
    if body is None and kind in (exceptions.NotFound, exceptions.UnexpectedResponse):
        hint = f"No saltant API says it so. {BASE_URL_HINT}"
    message = f"{said}: {told}" if told else f"{said}."
    if hint and not message.endswith((".", "!", "?")):
        message += "."
    error = kind(
        f"{message} {hint}".rstrip(),
        status_code=status_code,
        url=url,
        method=method,
        detail=detail,
        field_errors=field_errors,
        response=response,
    )
    if isinstance(error, exceptions.Conflict) and isinstance(body, dict):
        state = body.get("state")
        error.state = state if isinstance(state, str) else None
    return error


def _read_body(text: str) -> tuple[Any, str, dict[str, list[str]]]:
    """The JSON of an error's body (None if it is none), what it says in one line, and what it says of each field."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return None, summary(text), {}
    if isinstance(body, dict):
        if "detail" in body:
            return body, _line(body["detail"]), {}
        errors = {
            str(field): [_line(message) for message in (told if isinstance(told, list) else [told])]
            for field, told in body.items()
        }
        return body, "", errors
    return body, " ".join(map(_line, body)) if isinstance(body, list) else _line(body), {}


def _line(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def summary(text: str) -> str:
    """A body that is no JSON, in a few words: the title of a page, or how the text begins.

    >>> summary("<html><head><title>502 Bad Gateway</title></head><body>…")
    'an HTML page, "502 Bad Gateway"'
    """
    start = text[:4000]
    if re.search(r"<!doctype html|<html|<title", start, re.IGNORECASE):
        title = re.search(r"<title[^>]*>([^<]*)", start, re.IGNORECASE)
        words = " ".join(unescape(title[1]).split()) if title else ""
        return f'an HTML page, "{words[:100]}"' if words else "an HTML page"
    words = " ".join(start.split())
    return words if len(words) <= 200 else f"{words[:200]}…"


def unexpected(
    answer: requests.Response,
    method: str,
    problem: str,
    kind: type[exceptions.UnexpectedResponse] = exceptions.UnexpectedResponse,
) -> exceptions.UnexpectedResponse:
    """The error of an answer that is none of a saltant API's."""
    url = without_userinfo(answer.url)
    message = f"{method} {url} answered {answer.status_code}: {problem}"
    return kind(message, status_code=answer.status_code, url=url, method=method, response=answer)


def redirect_error(answer: requests.Response, method: str) -> exceptions.UnexpectedResponse:
    """The error of a redirect, which is never followed: it would lose a POST's body, or end on a sign-in page."""
    location = answer.headers.get("Location", "")
    if not location:
        return unexpected(answer, method, f"a redirect that does not say where to. {BASE_URL_HINT}")
    here, there = urlsplit(answer.url), urlsplit(urljoin(answer.url, location))
    # A query may hold secrets of a sign-in.
    shown = without_userinfo(urlunsplit((there.scheme, there.netloc, there.path, "", "")))
    if (here.scheme, there.scheme) == ("http", "https") and here.hostname == there.hostname:
        hint = "Use https:// in the base URL."
    elif here.hostname != there.hostname or re.search(r"log-?in|sign-?in|auth|sso", there.path, re.IGNORECASE):
        hint = f"That looks like a sign-in page of something that stands before the API. {BASE_URL_HINT}"
    else:
        hint = BASE_URL_HINT
    error = unexpected(answer, method, f"a redirect to {shown}. {hint}", exceptions.UnexpectedRedirect)
    if isinstance(error, exceptions.UnexpectedRedirect):
        error.location = shown
    return error


def transport_error(caught: Exception, method: str, url: str) -> exceptions.TransportError:
    """The error of a request that got no whole answer."""
    url = without_userinfo(url)
    kind: type[exceptions.TransportError] = exceptions.ConnectionFailed
    if isinstance(caught, requests.exceptions.ProxyError):
        problem = "the proxy failed. Check HTTP_PROXY, HTTPS_PROXY and NO_PROXY."
    elif find(caught, socket.gaierror):
        problem = "the name of the server is not known. Check the base URL, and the network."
    elif find(caught, ConnectionRefusedError):
        problem = "the connection was refused. Check that the server is running, and the base URL's host and port."
    elif isinstance(caught, requests.Timeout) or find(caught, TimeoutError):
        kind = exceptions.RequestTimeout
        problem = "the server did not answer in time. Check that it is well, or raise the client's default_timeout."
    elif (tls := find(caught, ssl.SSLError, urllib3.SSLError)) is not None:
        problem = f"no secure connection ({tls}). Check the server's certificate, and that it speaks https."
    elif find(caught, ConnectionError, http.client.HTTPException, urllib3.ProtocolError):
        problem = "the connection broke before the whole answer came."
        if method != "GET":
            problem += " Whether the server did it is not known."
    else:
        inner = find(caught, OSError)
        problem = (inner.strerror if isinstance(inner, OSError) else None) or type(caught).__name__
        problem = f"{problem}. Check the base URL, and that the server is running."
    return kind(f"{method} {url} failed: {problem}", url=url, method=method)


def find(caught: BaseException, *kinds: type[BaseException]) -> BaseException | None:
    """The first error of these kinds among an error and those that it wraps."""
    return next((error for error in _unwrap(caught) if isinstance(error, kinds)), None)


def _unwrap(caught: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    todo: list[object] = [caught]
    while todo:
        error = todo.pop(0)
        if isinstance(error, BaseException) and id(error) not in seen:
            seen.add(id(error))
            yield error
            # Not `__context__`: it may be an error that the caller is just handling.
            wrapped = (getattr(error, name, None) for name in ("reason", "original_error", "__cause__"))
            todo.extend([*error.args, *wrapped])


def never_sent(caught: Exception) -> bool:
    """Whether no connection was made, so that the server cannot have seen the request."""
    reason = getattr(caught.args[0] if caught.args else None, "reason", None)
    if isinstance(reason, urllib3.ProxyError):
        reason = reason.original_error
    return isinstance(reason, (urllib3.NewConnectionError, urllib3.ConnectTimeoutError))


def is_hopeless(caught: Exception) -> bool:
    """Whether trying again cannot help: a certificate does not get better."""
    return find(caught, ssl.SSLCertVerificationError) is not None


def retry_after(value: str | None) -> float | None:
    """The seconds that a Retry-After header asks for, which tells seconds or a date.

    >>> retry_after("7"), retry_after("Thu, 01 Jan 1970 00:00:00 GMT"), retry_after("soon")
    (7.0, 0.0, None)
    """
    text = (value or "").strip()
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    try:
        return max(parsedate_to_datetime(text).timestamp() - time.time(), 0.0)
    except (ValueError, OverflowError):
        return None
