"""Who is let in, and what everybody else is told."""

from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from saltant.server.accounts.models import Token, User
from saltant.server.accounts.tokens import PREFIX, create_token, digest_of, revoke
from tests.integration.conftest import Cast, Client, World

PATH = "/api/users/"
MISSING = b'{"detail":"Authentication credentials were not provided."}'
INVALID = b'{"detail":"Invalid token."}'


@pytest.mark.parametrize("path", [PATH, "/api/users", "/api/taskqueues/x/", "/api/token/../users"])
def test_nothing_is_readable_without_credentials(db: None, path: str) -> None:
    answer = Client().get(path)
    if ".." in path:
        assert answer.status_code == 404
        return
    assert (answer.status_code, answer.content) == (401, MISSING)
    assert answer["WWW-Authenticate"] == "Token"


@pytest.mark.parametrize("header", ["", "Basic abc", "Nonsense"])
def test_other_schemes_are_no_credentials(db: None, header: str) -> None:
    answer = APIClient().get(PATH, HTTP_AUTHORIZATION=header)
    assert (answer.status_code, answer.content) == (401, MISSING)


@pytest.mark.parametrize(
    "header",
    ["Token", "Token ", "Token x", "Token x y", "token \xff\xfe", "Bearer", "Bearer ", "Bearer x.y.z", "Bearer \xff"],
)
def test_wrong_keys_are_all_told_the_same(db: None, header: str) -> None:
    answer = APIClient().get(PATH, HTTP_AUTHORIZATION=header)
    assert (answer.status_code, answer.content) == (401, INVALID)
    assert "WWW-Authenticate" in answer


def test_a_key_is_kept_as_a_digest_only(world: World) -> None:
    token, key = create_token(world.users["owner"], name="laptop")
    assert key.startswith(PREFIX)
    assert len(key) > 40
    token.refresh_from_db()
    assert token.digest == digest_of(key)
    assert key not in str(vars(token))
    assert Client(key).get(PATH).status_code == 200
    assert APIClient().get(PATH, HTTP_AUTHORIZATION=f"tOKEN {key}").status_code == 200


def test_revoked_and_expired_tokens_and_those_of_inactive_users_open_nothing(world: World) -> None:
    user, now = world.users["owner"], timezone.now()
    revoked, revoked_key = create_token(user)
    revoke(revoked)
    first = revoked.datetime_revoked
    revoke(revoked)
    assert revoked.datetime_revoked == first
    _, expired_key = create_token(user, expires=now - timedelta(seconds=1))
    _, good_key = create_token(user, expires=now + timedelta(hours=1))
    assert [Client(key).get(PATH).status_code for key in (revoked_key, expired_key, good_key)] == [401, 401, 200]
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert Client(good_key).get(PATH).content == INVALID


def test_jwt(world: World) -> None:
    user = world.users["owner"]
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {AccessToken.for_user(user)}")
    assert client.get(PATH).status_code == 200
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {RefreshToken.for_user(user)}")
    assert client.get(PATH).content == INVALID, "a refresh token is no access token"
    old = AccessToken.for_user(user)
    old.set_exp(lifetime=timedelta(seconds=-1))
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {old}")
    assert client.get(PATH).content == INVALID
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {AccessToken.for_user(user)}")
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert client.get(PATH).content == INVALID
    User.objects.filter(pk=user.pk).delete()
    assert client.get(PATH).content == INVALID


def test_a_new_password_ends_jwts(world: World) -> None:
    user = world.users["owner"]
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {AccessToken.for_user(user)}")
    user.set_password("another good one")
    user.save()
    assert client.get(PATH).content == INVALID


def test_a_session_needs_a_csrf_token_to_change_anything(world: World) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(world.users["owner"])
    assert client.get(PATH).status_code == 200
    body = {"name": "mine"}
    refused = client.post("/api/taskwhitelists/", body, format="json")
    assert refused.status_code == 403
    assert refused.json()["detail"].startswith("CSRF Failed")
    page = client.get("/")
    token = page.cookies["csrftoken"].value
    assert client.post("/api/taskwhitelists/", body, format="json", HTTP_X_CSRFTOKEN=token).status_code == 201
    form = client.generic(
        "POST", "/api/taskwhitelists/", "name=other", "application/x-www-form-urlencoded", HTTP_X_CSRFTOKEN=token
    )
    assert form.status_code == 201


@pytest.mark.parametrize(
    ("path", "status"),
    [(PATH, 200), ("/api/users/none/", 404), ("/api/none/", 404), ("/api/token/", 405), ("/api", 404), ("/api/", 404)],
)
def test_every_answer_says_what_server_it_is(cast: Cast, path: str, status: int) -> None:
    answer = cast.owner.get(path)
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/json"
    assert answer["Saltant-Version"] == "2"
    assert answer["Vary"] == "Accept, Authorization, Cookie"
    assert answer["Cache-Control"] == "private, no-store"
    if status != 200:
        assert list(answer.json()) == ["detail"]


def test_the_token_query_gives_whole_objects(world: World) -> None:
    from saltant.server.accounts.authentication import find_token

    token, key = create_token(world.users["admin"])
    found = find_token(key)
    assert isinstance(found, Token)
    assert found == token
    assert found.datetime_created == token.datetime_created
    assert found.user.is_admin
    assert found.user.date_joined == world.users["admin"].date_joined
    assert found.queues.count() == 0
    assert find_token("none") is None
