"""GET and POST tokens/, DELETE tokens/{id}/: a person's own tokens, and nobody else's."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from saltant.server.accounts.models import Role, Token, User
from saltant.server.accounts.tokens import create_token, revoke
from saltant.server.audit.models import AuditEntry
from saltant.server.tasks.models import KeptAnswer
from tests.integration.conftest import ROLES, Cast, Client, World

PATH = "/api/tokens/"


@pytest.fixture
def alice(world: World, settings: Any) -> User:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    return User.objects.create_user("alice", password="correct horse")


@pytest.fixture
def signed_in(alice: User) -> Client:
    """With a JWT, as `saltant login` does it."""
    answer = Client().json("POST", "/api/token/", {"username": "alice", "password": "correct horse"})
    client = Client()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {answer.json()['access']}")
    return client


def test_a_token_from_birth_to_end(alice: User, signed_in: Client) -> None:
    ends = (timezone.now() + timedelta(days=3)).isoformat()
    answer = signed_in.json("POST", PATH, {"name": "laptop", "datetime_expires": ends})
    assert answer.status_code == 201
    made = answer.json()
    assert list(made) == ["id", "name", "datetime_created", "datetime_expires", "current", "key"]
    token = Token.objects.get(user=alice)
    assert (token.role, token.name, made["name"], made["current"]) == (Role.USER, "laptop", "laptop", False)
    assert token.datetime_expires is not None
    assert token.datetime_expires.isoformat() == ends

    by_token = Client(made["key"])
    (listed,) = by_token.get(PATH).json()
    assert listed == {name: value for name, value in made.items() if name != "key"} | {"current": True}
    assert by_token.delete(f"{PATH}{made['id']}/").status_code == 204
    assert by_token.get(PATH).status_code == 401
    assert signed_in.get(PATH).json() == []
    assert signed_in.delete(f"{PATH}{made['id']}/").status_code == 404
    written = AuditEntry.objects.filter(object_kind="token", object_id=str(made["id"])).order_by("id")
    assert [(each.actor, each.action) for each in written] == [("alice", "create"), ("alice", "revoke")]
    assert made["key"] not in str([each.details for each in written])


def test_who_has_a_token_makes_no_other(cast: Cast) -> None:
    got = {role: cast[role].json("POST", PATH, {"name": "more"}).status_code for role in ROLES}
    assert got == dict.fromkeys(ROLES, 403) | {"nobody": 401}
    assert "user name and password" in cast.admin.json("POST", PATH, {}).json()["detail"]


def test_nobody_reaches_the_tokens_of_others_or_of_workers(cast: Cast, world: World) -> None:
    own = Token.objects.get(user=world.users["owner"])
    workers = Token.objects.filter(role=Role.WORKER).first()
    assert workers is not None
    for role in ROLES:
        expected = 200 if role in world.users else 401 if role == "nobody" else 403
        answer = cast[role].get(PATH)
        assert answer.status_code == expected
        if expected == 200:
            assert [each["id"] for each in answer.json()] == [world.users[role].tokens.get(role=Role.USER).pk]
    for token in (own, workers):
        got = {role: cast[role].delete(f"{PATH}{token.pk}/").status_code for role in ROLES if role != "owner"}
        assert got == dict.fromkeys(got, 404) | {"nobody": 401, "worker": 403, "other_worker": 403}
        token.refresh_from_db()
        assert token.datetime_revoked is None


def test_what_is_revoked_is_not_listed_and_no_key_is_kept(alice: User, signed_in: Client) -> None:
    revoke(create_token(alice)[0])
    answer = signed_in.json("POST", PATH, {}, HTTP_IDEMPOTENCY_KEY="k")
    assert answer.json()["name"] == ""
    assert answer.json()["datetime_expires"] is None
    assert [each["id"] for each in signed_in.get(PATH).json()] == [answer.json()["id"]]
    assert not KeptAnswer.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x" * 101},
        {"name": 5},
        {"name": "a\0"},
        {"datetime_expires": "2001-01-01T00:00:00Z"},
        {"datetime_expires": "soon"},
        {"datetime_expires": 5},
        [],
    ],
)
def test_what_makes_no_sense_is_refused(signed_in: Client, body: Any) -> None:
    answer = signed_in.json("POST", PATH, body)
    assert answer.status_code == 400
    assert Token.objects.filter(user__username="alice").count() == 0


@pytest.mark.parametrize("name", ["0", "x", "9" * 30, "9223372036854775808", "-1", "²"])
def test_an_id_that_is_none(signed_in: Client, name: str) -> None:
    assert signed_in.delete(f"{PATH}{name}/").status_code == 404


def test_a_session_needs_its_csrf_token(alice: User) -> None:
    browser = Client()
    browser.handler.enforce_csrf_checks = True
    browser.force_login(alice)
    assert browser.json("POST", PATH, {}).status_code == 403
    token = browser.get("/").cookies["csrftoken"].value
    assert browser.json("POST", PATH, {}, HTTP_X_CSRFTOKEN=token).status_code == 201
