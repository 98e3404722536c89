"""users/ and users/{username}/."""

from typing import Any

import pytest

from saltant.server.accounts.models import User
from saltant.server.audit.models import AuditEntry
from tests.integration.conftest import V2, Cast, Client, World


def test_list_by_username(owner: Client) -> None:
    User.objects.create_user("b.o+b@x-y", "bob@example.org")
    answer = owner.get("/api/users/")
    assert answer.content == (
        b'{"count":5,"next":null,"previous":null,"results":['
        b'{"username":"admin","email":""},{"username":"b.o+b@x-y","email":"bob@example.org"},'
        b'{"username":"owner","email":""},{"username":"queue_owner","email":""},{"username":"stranger","email":""}]}'
    )


@pytest.mark.parametrize("path", ["/api/users/owner/", "/api/users/owner"])
def test_one(owner: Client, path: str) -> None:
    assert owner.get(path).content == b'{"username":"owner","email":""}'


def test_unicode_names(owner: Client) -> None:
    User.objects.create_user("Ärger")
    assert owner.get("/api/users/%C3%84rger/").json() == {"username": "Ärger", "email": ""}


@pytest.mark.parametrize("name", ["none", "Owner", "%00", "%FF", "x" * 5000, "owner%20", "%E2%98%85"])
def test_none(owner: Client, name: str) -> None:
    answer = owner.get(f"/api/users/{name}/")
    assert (answer.status_code, answer.content) == (404, b'{"detail":"Not found."}')


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_users_are_only_read(owner: Client, method: str) -> None:
    for path in ("/api/users/", "/api/users/owner/"):
        answer = owner.json(method, path, {"username": "x"})
        assert (answer.status_code, answer.json()) == (405, {"detail": f'Method "{method}" not allowed.'})


@pytest.mark.parametrize("send", ["form", "json"])
def test_admins_limit_what_a_user_runs(cast: Cast, send: str) -> None:
    path = "/api/users/owner/"
    assert cast.stranger.get2(path).content == b'{"username":"owner","email":"","max_running":null}'
    for value, kept in ((3, 3), ("" if send == "form" else None, None), (2**31 - 1, 2**31 - 1)):
        answer = getattr(cast.admin, send)("PATCH", path, {"max_running": value}, HTTP_ACCEPT=V2)
        assert (answer.status_code, answer.json()["max_running"]) == (200, kept)
    said = {"username": "x", "email": "x@example.org"}
    answer = getattr(cast.admin, send)("PATCH", path, said, HTTP_ACCEPT=V2)
    assert answer.json() == {"username": "owner", "email": "", "max_running": 2**31 - 1}
    assert cast.owner.json("PATCH", path, {"max_running": None}, HTTP_ACCEPT=V2).status_code == 403
    assert cast.admin.json("PATCH", path, {"max_running": 1}).status_code == 405, "version 1 only reads users"
    entries = [
        entry.details["max_running"] for entry in AuditEntry.objects.filter(action="update", object_name="owner")
    ]
    assert entries[::-1] == [[None, 3], [3, None], [None, 2**31 - 1]]


@pytest.mark.parametrize("value", [0, -1, 2**31, 10**50, 1.5, "many", True, [], {}])
@pytest.mark.parametrize(("client", "path"), [("admin", "/api/users/owner/"), ("queue_owner", "/api/taskqueues/{}/")])
def test_limits_that_cannot_be(cast: Cast, world: World, client: str, path: str, value: Any) -> None:
    path = path.format(world.queue.id)
    answer = cast[client].json("PATCH", path, {"max_running": value}, HTTP_ACCEPT=V2)
    assert (answer.status_code, list(answer.json())) == (400, ["max_running"])
    assert cast[client].get2(path).json()["max_running"] is None


def test_who_asks(cast: Cast) -> None:
    assert cast.stranger.get("/api/me/").content == b'{"username":"stranger","email":""}'
    assert cast.owner.get2("/api/me").json() == {"username": "owner", "email": "", "max_running": None}
    for name, status in (("nobody", 401), ("worker", 403)):
        assert cast[name].get("/api/me/").status_code == status
    assert cast.owner.json("PATCH", "/api/me/", {"max_running": 1}, HTTP_ACCEPT=V2).status_code == 405
