"""Oneself, tokens, users and the audit log, as pages."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from saltant.server.accounts import sign_in_limits, tokens
from saltant.server.accounts.models import Token, User
from saltant.server.audit.log import record
from saltant.server.audit.models import Action, AuditEntry
from tests.integration.conftest import World
from tests.integration.web.conftest import Pages

PASSWORD = "correct horse battery staple"
OTHER = "another long enough word"


def text_of(answer: Any) -> str:
    """The page, with one space for each gap."""
    return " ".join(answer.content.decode().split())


def test_moments_are_in_the_zone_that_one_chose(pages: Pages, world: World) -> None:
    world.instance.datetime_created = datetime(2026, 7, 1, 22, 30, tzinfo=UTC)
    world.instance.save()
    path = f"/instances/{world.instance.uuid}"
    assert "2026-07-01 22:30:00 UTC" in text_of(pages.owner.get(path))
    said = {"email": "o@example.org", "time_zone": "Europe/Berlin"}
    assert pages.owner.post("/profile", said).status_code == 302
    told = text_of(pages.owner.get(path))
    assert "data-zoned>2026-07-02 00:30:00 CEST" in told
    assert 'datetime="2026-07-01T22:30:00Z"' in told
    assert "2026-07-01 22:30:00 UTC" in text_of(pages.stranger.get(path))
    assert AuditEntry.objects.get(object_kind="user").details["time_zone"] == ["", "Europe/Berlin"]
    body = pages.owner.get(f"/api/executabletaskinstances/{world.instance.uuid}/").json()
    assert body["datetime_created"].startswith("2026-07-01T22:30:00")
    for wrong in ({"email": "no address"}, {"time_zone": "Mars/Olympus"}, {"time_zone": "localtime"}):
        assert pages.owner.post("/profile", said | wrong).status_code == 400, wrong
    User.objects.filter(username="owner").update(time_zone="Gone/Away")
    assert "2026-07-01 22:30:00 UTC" in text_of(pages.owner.get(path))
    assert "Gone/Away" in text_of(pages.owner.get("/profile"))


def test_a_new_password_ends_other_sessions(pages: Pages, world: World) -> None:
    sign_in_limits.tries.clear()
    user = world.users["owner"]
    user.set_password(PASSWORD)
    user.save()
    here, elsewhere = Client(), Client()
    for client in (here, elsewhere):
        assert client.login(username="owner", password=PASSWORD)
    said = {"old": PASSWORD, "new": OTHER, "again": OTHER}
    for wrong, error in (
        ({"old": "x"}, "This is not your password."),
        ({"again": "x"}, "This is not what you typed above."),
        ({"new": "short", "again": "short"}, "too short"),
    ):
        answer = here.post("/profile/password", said | wrong)
        assert answer.status_code == 400
        assert error in text_of(answer)
        assert PASSWORD not in text_of(answer)
    assert here.post("/profile/password", said)["Location"] == "/profile"
    assert here.get("/profile").status_code == 200
    assert elsewhere.get("/profile").status_code == 302
    assert AuditEntry.objects.filter(action=Action.SET_PASSWORD, actor="owner").count() == 1


def test_guesses_of_the_old_password_are_counted(pages: Pages, settings: Any) -> None:
    sign_in_limits.tries.clear()
    for _ in range(settings.SALTANT.sign_in_tries):
        assert pages.owner.post("/profile/password", {"old": "x", "new": OTHER, "again": OTHER}).status_code == 400
    answer = pages.owner.post("/profile/password", {"old": "x", "new": OTHER, "again": OTHER})
    assert answer.status_code == 429
    assert answer["Retry-After"]
    sign_in_limits.tries.clear()


def test_a_token_is_made_shown_once_and_revoked(pages: Pages, world: World) -> None:
    answer = pages.owner.post("/tokens/new", {"name": "laptop", "ends": "30", "role": "user"})
    key = re.search(r"saltant_[\w-]+", answer.content.decode())
    assert key
    assert f"export SALTANT_AUTH_TOKEN={key[0]}" in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    token = Token.objects.get(name="laptop")
    assert token.user == world.users["owner"]
    assert token.datetime_expires
    assert token.datetime_expires > timezone.now()
    header = {"HTTP_AUTHORIZATION": f"Token {key[0]}"}
    assert Client().get("/api/me/", **header).status_code == 200  # type: ignore[arg-type]
    assert key[0] not in pages.owner.get("/tokens").content.decode()
    assert pages.stranger.post(f"/tokens/{token.pk}/revoke").status_code == 404
    assert "Revoke laptop?" in text_of(pages.owner.get(f"/tokens/{token.pk}/revoke"))
    assert pages.owner.post(f"/tokens/{token.pk}/revoke")["Location"] == "/tokens"
    assert Client().get("/api/me/", **header).status_code == 401  # type: ignore[arg-type]
    assert "revoked" in text_of(pages.owner.get("/tokens"))


def test_a_token_ends_in_the_future(pages: Pages, world: World) -> None:
    User.objects.filter(username="owner").update(time_zone="Asia/Tokyo")
    said = {"name": "timed", "role": "user", "ends": "at"}
    for until in ("", "soon", "2020-01-01T00:00", "0001-01-01T00:00"):
        assert pages.owner.post("/tokens/new", said | {"until": until}).status_code == 400, until
    assert pages.owner.post("/tokens/new", said | {"ends": "12"}).status_code == 400
    assert pages.owner.post("/tokens/new", said | {"name": "x" * 101, "ends": ""}).status_code == 400
    assert pages.owner.post("/tokens/new", said | {"until": "2090-01-01T09:00"}).status_code == 200
    assert Token.objects.get(name="timed").datetime_expires == datetime(2090, 1, 1, tzinfo=UTC)


def test_only_admins_make_tokens_of_workers_and_of_others(pages: Pages, world: World) -> None:
    other, said = world.users["stranger"], {"name": "w", "ends": "", "role": "worker", "queue": str(world.queue.pk)}
    assert pages.owner.post("/tokens/new", said).status_code == 403
    assert pages.owner.post(f"/tokens/new?user={other.pk}", said | {"role": "user"}).status_code == 403
    assert pages.admin.post("/tokens/new", said | {"queue": "x"}).status_code == 400
    answer = pages.admin.post(f"/tokens/new?user={other.pk}", said)
    assert f"saltant worker --queue {world.queue.name} --server http" in text_of(answer)
    token = Token.objects.get(name="w")
    assert (token.user, token.role, list(token.queues.all())) == (other, "worker", [world.queue])
    assert pages.admin.get("/tokens/new?user=999").status_code == 404
    assert pages.admin.post(f"/tokens/{token.pk}/revoke")["Location"] == f"/users/{other.pk}"


def test_users_are_made_and_changed(pages: Pages, world: World) -> None:
    said = {"username": "ada", "email": "ada@example.org", "role": "", "kind": "made-up"}
    page = pages.admin.post("/users/new", said).content.decode()
    password = re.search(r'<code id="password">([^<]+)', page)
    assert password
    ada = User.objects.get(username="ada")
    assert ada.check_password(password[1])
    client = Client()
    client.force_login(ada)
    for wrong in ({"username": "ada"}, {"username": "a b"}, {"email": "x"}, {"kind": "typed", "password": "ada"}):
        assert pages.admin.post("/users/new", said | {"username": "bob"} | wrong).status_code == 400, wrong
    assert pages.admin.post("/users/new", said | {"username": "robot", "kind": "none"}).status_code == 302
    assert not User.objects.get(username="robot").has_usable_password()
    changes = {"email": "ada@lab.example.org", "role": "admin", "max_running": "3"}
    assert pages.admin.post(f"/users/{ada.pk}/edit", changes).status_code == 302
    ada.refresh_from_db()
    assert (ada.email, ada.is_superuser, ada.is_staff, ada.max_running) == ("ada@lab.example.org", True, True, 3)
    for wrong in ({"max_running": "0"}, {"max_running": "many"}, {"email": "x"}, {"max_running": "9" * 18}):
        assert pages.admin.post(f"/users/{ada.pk}/edit", changes | wrong).status_code == 400, wrong
    assert pages.admin.post(f"/users/{ada.pk}/password", {"kind": "typed", "password": OTHER}).status_code == 302
    assert client.get("/profile").status_code == 302
    asked = pages.admin.post(f"/users/{ada.pk}/keep", {"do": "deactivate"})
    assert "Deactivate ada?" in text_of(asked)
    assert User.objects.get(username="ada").is_active
    pages.admin.post(f"/users/{ada.pk}/keep", {"do": "deactivate", "confirmed": "1"})
    assert not User.objects.get(username="ada").is_active
    assert ">ada<" not in pages.admin.get("/users").content.decode()
    assert ">ada<" in pages.admin.get("/users?show=deactivated&q=LAB.").content.decode()
    pages.admin.post(f"/users/{ada.pk}/keep", {"do": "activate"})
    assert User.objects.get(username="ada").is_active
    log = AuditEntry.objects.filter(object_name="ada").order_by("id").values_list("action", flat=True)
    assert list(log) == ["create", "update", "update", "update", "set_password", "deactivate", "activate"]


def test_the_last_admin_stays_one(pages: Pages, world: World) -> None:
    admin = world.users["admin"]
    for path, said in (
        ("edit", {"role": "", "email": "new@example.org"}),
        ("keep", {"do": "deactivate", "confirmed": "1"}),
    ):
        answer = pages.admin.post(f"/users/{admin.pk}/{path}", said)
        assert answer.status_code == 400
        assert "no active admin would be left" in text_of(answer)
    admin.refresh_from_db()
    assert (admin.is_superuser, admin.is_active) == (True, True)
    assert admin.email != "new@example.org"


def test_the_audit_log_is_filtered(pages: Pages, world: World) -> None:
    by = world.users["owner"]
    record(by, Action.UPDATE, world.executable, {"name": ["<b>old</b>", "new"], "taken_off": ["a", "b"]})
    record("root (command line)", Action.TERMINATE, world.instance)
    made, _ = tokens.create_token(by, name="t", by=by)
    AuditEntry.objects.filter(action=Action.TERMINATE).update(datetime=datetime(2026, 1, 5, 12, tzinfo=UTC))

    def listed(query: str) -> list[str]:
        answer = pages.admin.get(f"/audit{query}")
        assert answer.status_code == 200, text_of(answer)
        return re.findall(r'data-label="Did">([^<]+)', answer.content.decode())

    assert listed("") == ["create", "update", "terminate"]
    assert listed("?actor=root+(command+line)&action=&kind=") == ["terminate"]
    assert listed("?kind=token") == ["create"]
    assert listed(f"?object={world.instance.uuid}") == ["terminate"]
    assert listed(f"?action=update&object={world.executable.name}") == ["update"]
    assert listed("?from=2026-01-05T12:00&before=2026-01-06") == ["terminate"]
    page = pages.admin.get("/audit").content.decode()
    assert f'href="/types/{world.executable.pk}"' in page
    assert f'href="/instances/{world.instance.uuid}"' in page
    assert f'href="/users/{by.pk}"' in page
    assert "<b>old" not in page
    assert "&lt;b&gt;old" in page
    made.delete()
    assert f'href="/users/{by.pk}"' not in pages.admin.get("/audit").content.decode()
    for wrong in (
        "?nonsense=1",
        "?action=x",
        "?kind=x",
        "?from=x",
        "?cursor=x",
        "?actor=%00",
        "?from=9999-12-31T23:59%2B00:00x",
    ):
        assert pages.admin.get(f"/audit{wrong}").status_code == 400, wrong


def test_the_audit_log_leads_on_and_back(pages: Pages, world: World) -> None:
    for number in range(120):
        record(f"actor-{number:03}", Action.DRAIN, world.queue)

    def listed(query: str) -> tuple[list[str], str, str]:
        text = pages.admin.get(f"/audit{query}").content.decode()
        found = {rel: re.search(rf'rel="{rel}" href="([^"]+)"', text) for rel in ("prev", "next")}
        links = [found[rel][1].replace("&amp;", "&") if found[rel] else "" for rel in ("prev", "next")]  # type: ignore[index]
        return re.findall(r'data-label="Who">actor-(\d+)', text), links[0], links[1]

    numbers = [f"{number:03}" for number in reversed(range(120))]
    first, before, after = listed("?kind=task+queue")
    assert (first, before) == (numbers[:50], "")
    second, before, after = listed(after)
    assert second == numbers[50:100]
    third, _, last = listed(after)
    assert (third, last) == (numbers[100:], "")
    again, before, _ = listed(before)
    assert (again, before) == (first, "")


@pytest.mark.parametrize("path", ["/users", "/users/new", "/users/1", "/users/1/edit", "/users/1/password", "/audit"])
def test_others_do_not_see_what_is_for_admins(pages: Pages, path: str) -> None:
    assert pages.owner.get(path).status_code == 403
    assert pages.owner.post(path).status_code in (403, 405)
