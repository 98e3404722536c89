"""A `saltant up` that people reach by HTTPS, through a proxy."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.acceptance.system import Up
from tests.acceptance.test_people import PASSWORD, saltant

FAR = {"X-Forwarded-For": "192.0.2.1"}
PLAIN = {**FAR, "X-Forwarded-Proto": "http"}
SECURE = {**FAR, "X-Forwarded-Proto": "https"}


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """Its proxy is this machine."""
    environ = {"SALTANT_HTTPS": "yes", "SALTANT_TRUSTED_PROXIES": "127.0.0.1"}
    with Up(tmp_path_factory.mktemp("https") / "data", environ=environ) as system:
        yield system


def root(up: Up) -> str:
    return up.url.removesuffix("/api/")


def test_a_browser_is_sent_to_https_and_a_program_refused(proxied: Up) -> None:
    page = requests.get(f"{root(proxied)}/login?next=/", headers=PLAIN, allow_redirects=False, timeout=60)
    assert page.status_code == 301
    assert page.headers["Location"] == f"https{root(proxied).removeprefix('http')}/login?next=/"
    for method, path in (("GET", "/api/users/"), ("POST", "/api/token/"), ("POST", "/login")):
        answer = requests.request(method, root(proxied) + path, headers=PLAIN, timeout=60)
        assert answer.status_code == 403
        assert "https://" in answer.json()["detail"]
    assert requests.get(f"{root(proxied)}/healthz", headers=PLAIN, timeout=60).status_code == 200


def test_cookies_are_secure_and_browsers_stay(proxied: Up) -> None:
    assert saltant(proxied, "user", "create", "ada", "--password-file", "-", stdin=PASSWORD + "\n").returncode == 0
    page = requests.get(f"{root(proxied)}/login", headers=SECURE, timeout=60)
    assert page.headers["Strict-Transport-Security"] == "max-age=86400"
    token = page.cookies["csrftoken"]
    form = {"username": "ada", "password": PASSWORD, "csrfmiddlewaretoken": token}
    headers = {**SECURE, "Cookie": f"csrftoken={token}", "Referer": f"{root(proxied).replace('http', 'https')}/login"}
    signed = requests.post(f"{root(proxied)}/login", form, headers=headers, allow_redirects=False, timeout=60)
    assert signed.status_code == 302
    assert all(cookie.secure for cookie in [*page.cookies, *signed.cookies])
    assert {cookie.name for cookie in signed.cookies} >= {"sessionid"}


def test_this_machine_may_speak_plainly(proxied: Up) -> None:
    assert proxied.client.users.get("admin").username == "admin"
    assert saltant(proxied, "check").returncode == 0


def test_nobody_is_believed_who_is_not_trusted(tmp_path: Path) -> None:
    with Up(tmp_path / "data", environ={"SALTANT_HTTPS": "yes"}) as up:
        # Were it believed, this would come from afar.
        page = requests.get(f"{root(up)}/login", headers=PLAIN, allow_redirects=False, timeout=60)
        assert page.status_code == 200
        assert "Strict-Transport-Security" not in requests.get(f"{root(up)}/login", headers=SECURE, timeout=60).headers
