"""A user name and a password for a lasting token, and the end of such a token."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from saltant._http import HTTP_204_NO_CONTENT, Transport
from saltant.constants import HTTP_201_CREATED
from saltant.exceptions import AuthenticationError, NotFound, UnexpectedResponse, UnsupportedByServer

TOKENS = "tokens/"


def make_token(
    base_url: str,
    username: str,
    password: str,
    *,
    name: str = "",
    expires: str | None = None,
    ca: str | None = None,
    timeout: float = 30.0,
) -> str:
    """Sign in, and make a token of the user's.

    Args:
        base_url: The API's, as `parse_base_url` gives it.
        name: What the token is for.
        expires: When it ends, in ISO 8601; None: never.
        ca: The path of the certificates to trust; None: the usual ones.

    Raises:
        AuthenticationError: User name or password is wrong.
        RateLimited: There were too many wrong ones.
        UnsupportedByServer: The server gives out no tokens.
        BadHttpRequestError: A request failed otherwise.
    """
    said = {"username": username, "password": password}
    with _transport(base_url, password, "", ca, timeout) as transport:
        try:
            access = transport.request("POST", "token/", body=said, repeatable=True)["access"]
        except AuthenticationError as error:
            raise AuthenticationError(
                f"The server does not know this user name with this password: {error.detail}",
                status_code=error.status_code,
                url=error.url,
                method=error.method,
                detail=error.detail,
            ) from None
        except (KeyError, TypeError):
            raise UnexpectedResponse(f"{base_url} answers, but not as a saltant API does: check the URL.") from None
    # With connections of their own, whose requests carry no key by which they would be sent twice.
    with _transport(base_url, str(access), "Bearer", ca, timeout) as transport:
        body = {"name": name, "datetime_expires": expires}
        try:
            made: Any = transport.request("POST", TOKENS, body=body, expected=HTTP_201_CREATED)
        except NotFound:
            raise UnsupportedByServer(
                f"The server at {base_url} gives out no tokens. Have its admin make one (`saltant token create NAME`),"
                " and store it: saltant login --token-stdin"
            ) from None
    key = made.get("key") if isinstance(made, dict) else None
    if not isinstance(key, str):
        raise UnexpectedResponse(f"{base_url} answers, but not as a saltant API does: check the URL.")
    return key


def revoke_token(
    base_url: str, token: str, *, named: str | None = None, ca: str | None = None, timeout: float = 30.0
) -> bool:
    """Have a token open nothing any more; returns whether that was done.

    Args:
        base_url: The API's, as `parse_base_url` gives it.
        named: Only if the token has this name on the server.
        ca: The path of the certificates to trust; None: the usual ones.

    Raises:
        AuthenticationError: It opens nothing now.
        BadHttpRequestError: A request failed otherwise.
    """
    with _transport(base_url, token, "Token", ca, timeout) as transport:
        try:
            listed = transport.request("GET", TOKENS)
        except NotFound:
            return False
        found = [each["id"] for each in listed if each.get("current") and named in (None, each.get("name"))]
        for id_ in found:
            transport.request("DELETE", f"{TOKENS}{id_}/", expected=HTTP_204_NO_CONTENT)
    return bool(found)


@contextmanager
def _transport(base_url: str, secret: str, scheme: str, ca: str | None, timeout: float) -> Iterator[Transport]:
    transport = Transport(base_url, secret, timeout, retries=2, pool_size=1, scheme=scheme)
    if ca is not None:
        transport.session.verify = ca
    try:
        yield transport
    finally:
        transport.close()
