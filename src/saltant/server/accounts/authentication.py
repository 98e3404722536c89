"""How a request says who it comes from: a token or a JWT in its `Authorization` header.

Sessions are Django REST framework's own. Whatever is wrong with a key, the answer is the same.
"""

from typing import Any

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Model
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework_simplejwt import authentication as jwt
from rest_framework_simplejwt.exceptions import TokenError

from saltant.server.accounts.models import Token, User
from saltant.server.accounts.tokens import digest_of
from saltant.server.prepared import Prepared

INVALID = "Invalid token."


def credentials(request: Request, scheme: str) -> str | None:
    """What follows `scheme` in the request's `Authorization` header, or None if the header is of another scheme."""
    header: str = request.META.get("HTTP_AUTHORIZATION", "")
    given, _, key = header.partition(" ")
    return key.strip() if given.lower() == scheme else None


def _fields(model: type[Model], prefix: str = "") -> list[str]:
    return [prefix + field.attname for field in model._meta.concrete_fields]


TOKEN_FIELDS, USER_FIELDS = _fields(Token), _fields(User)
_find = Prepared(
    lambda digest: Token.objects.filter(digest=digest).order_by().values_list(*TOKEN_FIELDS, *_fields(User, "user__")),
    Token._meta.get_field("digest"),
    "sample",
)


def find_token(key: str) -> Token | None:
    """The token of `key`, with its user. Every request does this: hence the prepared query."""
    rows = _find.rows(digest_of(key))
    if not rows:
        return None
    row = list(rows[0])
    token = Token.from_db(DEFAULT_DB_ALIAS, TOKEN_FIELDS, row[: len(TOKEN_FIELDS)])
    token.user = User.from_db(DEFAULT_DB_ALIAS, USER_FIELDS, row[len(TOKEN_FIELDS) :])
    return token


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Token <key>`."""

    def authenticate(self, request: Request) -> tuple[User, Token] | None:
        key = credentials(request, "token")
        if key is None:
            return None
        token = find_token(key)
        if token is None or not token.is_valid(timezone.now()) or not token.user.is_active:
            raise AuthenticationFailed(INVALID)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return "Token"


class JWTAuthentication(jwt.JWTAuthentication):
    """`Authorization: Bearer <JWT access token>`."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        raw = credentials(request, "bearer")
        if raw is None:
            return None
        try:
            token = self.get_validated_token(raw.encode())
            return self.get_user(token), token
        except (AuthenticationFailed, TokenError, ValueError):
            raise AuthenticationFailed(INVALID) from None
