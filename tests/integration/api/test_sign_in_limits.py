"""Failing to sign in too often: 429, by username and by address, at the token endpoints and at the page."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.test import Client as Browser

from saltant.server.accounts import sign_in_limits
from saltant.server.accounts.models import User
from saltant.server.accounts.sign_in_limits import Tries
from tests.integration.conftest import Client

GOOD = {"username": "alice", "password": "correct horse"}
BAD = GOOD | {"password": "x"}


@pytest.fixture(autouse=True)
def alice(db: None, settings: Any) -> User:
    """She may fail three times, and her address five times."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.SALTANT = dataclasses.replace(settings.SALTANT, sign_in_tries=3, sign_in_tries_per_address=5)
    return User.objects.create_user(**GOOD)


def sign_in(body: dict[str, str], address: str = "192.0.2.1", path: str = "/api/token/") -> Any:
    """The answer to a try from an address."""
    return Client().form("POST", path, body, REMOTE_ADDR=address)


def test_one_username_from_many_addresses(settings: Any) -> None:
    statuses = [sign_in(BAD, f"192.0.2.{number}").status_code for number in range(5)]
    assert statuses == [401, 401, 401, 429, 429]
    answer = sign_in(GOOD, "192.0.2.9")
    assert answer.status_code == 429, "not with the right password, either"
    wait = int(answer["Retry-After"])
    assert 0 < wait <= settings.SALTANT.sign_in_window
    assert answer.json() == {"detail": f"There were too many failed tries to sign in. Try again in {wait} seconds."}
    assert answer["Saltant-Version"] == "2"
    assert sign_in(BAD | {"username": "bob"}, "192.0.2.9").status_code == 401, "others are not held up"


@pytest.mark.parametrize("path", ["/api/token/", "/login/"])
def test_another_spelling_is_the_same_user(settings: Any, path: str) -> None:
    settings.SALTANT = dataclasses.replace(settings.SALTANT, sign_in_tries_per_address=0)
    for spelling in ("alice ", "\talice", " " * 200 + "alice"):
        assert sign_in(BAD | {"username": spelling}, path=path).status_code in (200, 401)
    for spelling in ("alice", "alice\n", "\uff41lice", "\u00a0alice", "alice" + " " * 200):
        assert sign_in(GOOD | {"username": spelling}, path=path).status_code == 429


@pytest.mark.parametrize("numbers", [(1815, "1815"), (18.5, "18.5")])
def test_numbers_are_names(numbers: tuple[float, str]) -> None:
    number, name = numbers
    User.objects.create_user(name, password="correct horse")

    def try_with(username: object, password: str) -> int:
        said = {"username": username, "password": password}
        status: int = Client().json("POST", "/api/token/", said).status_code
        return status

    assert try_with(number, "correct horse") == 200
    assert [try_with(number, "x"), try_with(name, "x"), try_with(number, "x")] == [401] * 3
    assert [try_with(number, "correct horse"), try_with(name, "correct horse")] == [429] * 2


def test_many_usernames_from_one_address() -> None:
    statuses = [sign_in({"username": f"u{number}", "password": "x"}).status_code for number in range(6)]
    assert statuses == [401] * 5 + [429]
    assert sign_in(GOOD).status_code == 429
    assert sign_in(GOOD, "192.0.2.2").status_code == 200
    ipv6 = [sign_in({"username": f"v{number}", "password": "x"}, f"2001:db8::{number}") for number in range(6)]
    assert [answer.status_code for answer in ipv6] == [401] * 5 + [429], "a /64 is one address"


def test_refreshing_counts_by_address() -> None:
    refresh = sign_in(GOOD).json()["refresh"]
    path = "/api/token/refresh/"
    assert [sign_in({"refresh": "x"}, path=path).status_code for _ in range(6)] == [401] * 5 + [429]
    assert sign_in({"refresh": refresh}, path=path).status_code == 429
    assert sign_in({"refresh": refresh}, "192.0.2.2", path).status_code == 200


def test_what_is_no_failed_try_does_not_count() -> None:
    assert {sign_in(GOOD).status_code for _ in range(10)} == {200}
    assert {sign_in({"username": "alice"}).status_code for _ in range(10)} == {400}
    assert {Client().json("POST", "/api/token/", [1]).status_code for _ in range(10)} == {400}


def test_the_page() -> None:
    browser = Browser(enforce_csrf_checks=True)

    def post(body: dict[str, str]) -> Any:
        token = browser.get("/login/").cookies["csrftoken"].value
        return browser.post("/login/", body | {"csrfmiddlewaretoken": token})

    assert [post(BAD).status_code for _ in range(4)] == [200, 200, 200, 429]
    answer = post(GOOD)
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) > 0
    assert "too many failed tries" in answer.content.decode()
    assert 'value="alice"' in answer.content.decode()
    assert sign_in(GOOD, "192.0.2.2").status_code == 429, "it is one count for both doors"
    sign_in_limits.tries.clear()
    assert post(GOOD).status_code == 302


def test_no_limits(settings: Any) -> None:
    settings.SALTANT = dataclasses.replace(settings.SALTANT, sign_in_tries=0, sign_in_tries_per_address=0)
    assert {sign_in(BAD).status_code for _ in range(10)} == {401}


class TestTries:
    def test_a_window_ends(self, monkeypatch: pytest.MonkeyPatch) -> None:
        now = 1000.0
        monkeypatch.setattr("time.monotonic", lambda: now)
        tries = Tries()
        assert [tries.take({"a": 2}, 60) for _ in range(3)] == [0, 0, 60]
        now = 1059.5
        assert tries.take({"a": 2}, 60) == 1
        now = 1060.0
        assert tries.take({"a": 2}, 60) == 0

    def test_refused_tries_cost_others_nothing(self) -> None:
        tries = Tries()
        assert tries.take({"a": 1, "b": 2}, 60) == 0
        assert tries.take({"a": 1, "b": 2}, 60) > 0
        assert tries.take({"b": 2}, 60) == 0

    def test_many_at_once_get_no_more(self) -> None:
        tries = Tries()
        with ThreadPoolExecutor(8) as pool:
            waits = list(pool.map(lambda _: tries.take({"a": 10}, 60), range(200)))
        assert waits.count(0) == 10

    def test_memory_is_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sign_in_limits, "MAX_KEYS", 10)
        tries = Tries()
        for number in range(100):
            tries.take({f"u{number}": 1}, 60)
        assert len(tries._windows) == 10
        assert tries.take({"u99": 1}, 60) > 0
