"""POST token/ and token/refresh/."""

from typing import Any

import pytest

from saltant.server.accounts.models import User
from tests.integration.conftest import Client

GOOD = {"username": "alice", "password": "correct horse"}


@pytest.fixture
def alice(db: None, settings: Any) -> User:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    return User.objects.create_user(**GOOD)


@pytest.mark.parametrize("path", ["/api/token/", "/api/token"])
@pytest.mark.parametrize("send", ["form", "json"])
def test_a_password_gives_tokens(alice: User, path: str, send: str) -> None:
    answer = getattr(Client(), send)("POST", path, GOOD)
    assert answer.status_code == 200
    assert list(answer.json()) == ["refresh", "access"]
    client = Client()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {answer.json()['access']}")
    assert client.get("/api/users/alice/").status_code == 200
    again = getattr(Client(), send)(
        "POST", path.replace("token", "token/refresh"), {"refresh": answer.json()["refresh"]}
    )
    assert again.status_code == 200
    assert list(again.json()) == ["access"]


def test_a_wrong_password_does_not(alice: User) -> None:
    answer = Client().form("POST", "/api/token/", GOOD | {"password": "x"})
    assert answer.status_code == 401
    assert list(answer.json()) == ["detail"]
    assert answer["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "body", [{}, {"username": "alice"}, {"username": "", "password": ""}, {"username": "\0", "password": "\0"}]
)
@pytest.mark.parametrize("send", ["form", "json"])
def test_what_is_missing_is_named(alice: User, body: dict[str, str], send: str) -> None:
    answer = getattr(Client(), send)("POST", "/api/token/", body)
    assert answer.status_code == 400
    assert "password" in answer.json()


def test_inactive_users_get_none_and_cannot_refresh(alice: User) -> None:
    refresh = Client().json("POST", "/api/token/", GOOD).json()["refresh"]
    User.objects.update(is_active=False)
    assert Client().json("POST", "/api/token/", GOOD).status_code == 401
    assert Client().json("POST", "/api/token/refresh/", {"refresh": refresh}).status_code == 401
    User.objects.all().delete()
    answer = Client().json("POST", "/api/token/refresh/", {"refresh": refresh})
    assert (answer.status_code, answer.content) == (401, b'{"detail":"Invalid token."}')


@pytest.mark.parametrize("refresh", ["x", "a.b.c", "\ud800", 5])
def test_refreshing_with_nonsense(db: None, refresh: Any) -> None:
    answer = Client().json("POST", "/api/token/refresh/", {"refresh": refresh})
    assert answer.status_code == (400 if refresh == "\ud800" else 401)


def test_a_new_password_ends_refreshing(alice: User) -> None:
    refresh = Client().json("POST", "/api/token/", GOOD).json()["refresh"]
    alice.set_password("another one")
    alice.save()
    assert Client().json("POST", "/api/token/refresh/", {"refresh": refresh}).status_code == 401


def test_only_post(db: None) -> None:
    answer = Client().get("/api/token/")
    assert (answer.status_code, answer.json()) == (405, {"detail": 'Method "GET" not allowed.'})
