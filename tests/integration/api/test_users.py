"""users/ and users/{username}/."""

import pytest

from saltant.server.accounts.models import User
from tests.integration.conftest import Client


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
