"""Signing in and out with a browser, and the health check."""

from typing import Any

import pytest
from django.test import Client

from saltant.server.accounts.models import User

GOOD = {"username": "alice", "password": "correct horse"}


@pytest.fixture
def browser(db: None, settings: Any) -> Client:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    User.objects.create_user(**GOOD)
    return Client(enforce_csrf_checks=True)


def sign_in(browser: Client, path: str = "/login/", **change: str) -> Any:
    """Fill the form in."""
    token = browser.get(path).cookies["csrftoken"].value
    return browser.post(path, GOOD | change | {"csrfmiddlewaretoken": token})


@pytest.mark.parametrize("path", ["/login/", "/login"])
def test_in_and_out(browser: Client, path: str) -> None:
    assert browser.get("/")["Location"] == "/login?next=/"
    answer = sign_in(browser, path)
    assert (answer.status_code, answer["Location"]) == (302, "/")
    page = browser.get("/")
    assert "alice" in page.content.decode()
    assert "http://testserver/api/" in page.content.decode()
    assert browser.get("/api/users/").json()["count"] == 1
    token = browser.cookies["csrftoken"].value
    assert browser.get("/logout/").status_code == 405
    assert browser.post("/logout/").status_code == 403
    assert browser.post("/logout/", {"csrfmiddlewaretoken": token}).status_code == 302
    assert browser.get("/api/users/").status_code == 401


def test_without_a_csrf_token_nobody_signs_in(browser: Client) -> None:
    assert browser.post("/login/", GOOD).status_code == 403


def test_a_wrong_password(browser: Client) -> None:
    page = sign_in(browser, password="x", username='"><script>')
    assert page.status_code == 200
    text = page.content.decode()
    assert 'role="alert"' in text
    assert "<script>" not in text
    assert "style=" not in text
    assert 'value="&quot;&gt;&lt;script&gt;"' in text


@pytest.mark.parametrize("where", ["https://evil.example.org/", "//evil.example.org", "javascript:alert(1)"])
def test_nobody_is_sent_elsewhere(browser: Client, where: str) -> None:
    assert sign_in(browser, f"/login/?next={where}")["Location"] == "/"


def test_every_field_has_a_label(browser: Client) -> None:
    text = browser.get("/login/").content.decode()
    for name in ("username", "password"):
        assert f'<label for="id_{name}">' in text
        assert f'id="id_{name}" name="{name}"' in text


def test_pages_that_are_none_are_html(browser: Client) -> None:
    answer = browser.get("/none")
    assert answer.status_code == 404
    assert answer["Content-Type"].startswith("text/html")


def test_health_asks_nothing_and_nobody(django_assert_num_queries: Any, db: None) -> None:
    with django_assert_num_queries(0):
        answer = Client().get("/healthz", HTTP_HOST="anything")
    assert (answer.status_code, answer.content) == (200, b'{"status":"ok"}')
    assert answer["Content-Type"] == "application/json"
