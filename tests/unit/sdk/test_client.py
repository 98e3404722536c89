"""Making a client, and keeping its token to itself."""

import copy
import logging
import math
import multiprocessing
import pickle
import threading
import traceback
from pathlib import Path
from typing import Any

import pytest
import requests

from saltant import Client, exceptions, from_env
from tests.unit.sdk.conftest import TOKEN, Scripted, page, queue, quick_client


def test_url_with_and_without_slash(server: Scripted) -> None:
    server.say(page())
    for url in (server.url, server.url.rstrip("/"), f" {server.url}\n"):
        assert Client(url, TOKEN).base_api_url == server.url
    assert {request.path for request in server.requests} == {"/api/users/"}


@pytest.mark.parametrize(
    "url",
    ["", "example.org/api/", "localhost:8000/api/", "ftp://example.org/", "http://", "http://[::1/", "http://h:x/",
     "http://ex ample.org/", "https://example.org/api/?a=1", "https://example.org/api/#a", None],
)  # fmt: skip
def test_a_useless_url_is_refused_at_once(url: Any) -> None:
    with pytest.raises(ValueError, match="base URL"):
        Client(url, TOKEN)


@pytest.mark.parametrize("token", ["", "  \n", "secret\nsecret", "sec ret", "sécret", "secret\x00", None])
def test_a_useless_token_is_refused_and_not_shown(token: Any) -> None:
    with pytest.raises(ValueError, match=r"^The token") as caught:
        Client("http://127.0.0.1/", token)
    assert "cret" not in "".join(traceback.format_exception(caught.value)).rpartition("ValueError")[2]


@pytest.mark.parametrize("timeout", [0, -1, math.nan])
def test_a_useless_timeout_is_refused(timeout: float) -> None:
    with pytest.raises(ValueError, match="default_timeout"):
        Client("http://127.0.0.1/", TOKEN, timeout)


def test_useless_numbers_are_refused() -> None:
    for options in ({"max_retries": -1}, {"pool_size": 0}):
        with pytest.raises(ValueError, match="at least"):
            Client("http://127.0.0.1/", TOKEN, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("timeout", [None, math.inf, 1e12])
def test_no_timeout(server: Scripted, timeout: float | None) -> None:
    server.say(page())
    Client(server.url, TOKEN, timeout)


def test_what_a_request_says(server: Scripted, client: Client) -> None:
    server.say(page())
    client.test_authentication()
    (request,) = server.requests
    assert request.headers["authorization"] == f"Token {TOKEN}"
    assert request.headers["accept"] == "application/json; version=2"
    assert request.headers["user-agent"].startswith("saltant-py")


def test_white_space_around_the_token(server: Scripted) -> None:
    server.say(page())
    Client(server.url, f" {TOKEN}\n")
    assert server.requests[0].headers["authorization"] == f"Token {TOKEN}"


def test_no_request_without_the_test() -> None:
    Client("http://127.0.0.1:1/", TOKEN, test_if_authenticated=False)


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_token(server: Scripted, status: int) -> None:
    server.say({"detail": "Invalid token."}, status)
    with pytest.raises(exceptions.AuthenticationError, match=r"Invalid token\.") as caught:
        Client(server.url, TOKEN)
    assert isinstance(caught.value, exceptions.BadHttpRequestError)
    assert caught.value.status_code == status


def test_a_server_that_is_no_saltant(server: Scripted) -> None:
    server.say({"status": "fine"})
    with pytest.raises(exceptions.UnexpectedResponse, match="base URL"):
        Client(server.url, TOKEN)


def test_the_server_version(server: Scripted, client: Client) -> None:
    assert client.server_version is None
    server.say(page())
    server.say(page(), Saltant_Version="3")
    server.say(page(), Saltant_Version="x")
    for version in (1, 3, 1):
        client.test_authentication()
        assert client.server_version == version


def test_from_env(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALTANT_API_URL", server.url)
    monkeypatch.setenv("SALTANT_AUTH_TOKEN", TOKEN)
    server.say(page())
    assert from_env().base_api_url == Client.from_env(default_timeout=1).base_api_url == server.url


@pytest.mark.parametrize("name", ["SALTANT_API_URL", "SALTANT_AUTH_TOKEN"])
@pytest.mark.parametrize("value", [None, "", " ", "no\nsense"])
def test_from_env_names_the_bad_variable(name: str, value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALTANT_API_URL", "http://127.0.0.1:1/")
    monkeypatch.setenv("SALTANT_AUTH_TOKEN", TOKEN)
    if value is None:
        monkeypatch.delenv(name)
    else:
        monkeypatch.setenv(name, value)
    with pytest.raises(exceptions.BadEnvironmentError, match=name) as caught:
        from_env()
    assert TOKEN not in str(caught.value)


def test_the_session_is_one_of_requests(client: Client) -> None:
    assert isinstance(client.session, requests.Session)


def test_a_netrc_file_does_not_override_the_token(
    server: Scripted, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login ada password lovelace\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    server.say(page())
    Client(server.url, TOKEN)
    assert server.requests[0].headers["authorization"] == f"Token {TOKEN}"


def test_a_proxy_of_the_environment_is_used(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    server.say(page())
    Client("http://saltant.invalid/api/", TOKEN)
    assert server.requests[0].headers["host"] == "saltant.invalid"


def test_the_token_is_for_one_server_alone(server: Scripted, client: Client) -> None:
    server.say(page())
    client.session.get(server.url.replace("127.0.0.1", "localhost"), timeout=5)
    assert "authorization" not in server.requests[0].headers


def test_nothing_shows_the_token(server: Scripted, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client = quick_client(server.url.replace("//", f"//me:{TOKEN}@"))
    shown = [repr(client), repr(vars(client)), repr(vars(client._transport)), repr(client.session.auth)]
    for body in (f"<html>Token {TOKEN}", {"detail": f"Token {TOKEN}"}, {"name": [f"Token {TOKEN}"]}):
        server.script.clear()
        server.say(body, 400)
        with pytest.raises(exceptions.BadRequest) as caught:
            client.task_queues.get(1)
        error = caught.value
        shown += [repr(error), str(error), repr(vars(error)), *traceback.format_exception(error)]
        shown.append(repr(error.response.request.headers) if error.response is not None else "")
        shown.append(repr(pickle.loads(pickle.dumps(error)).response.request.headers))  # noqa: S301
    for status in (200, 302, 500, 503):
        server.script.clear()
        server.say(f"<html>Token {TOKEN}", status, Location=f"http://me:{TOKEN}@host/login?t={TOKEN}")
        with pytest.raises(exceptions.BadHttpRequestError) as failed:
            client.task_queues.get(1)
        shown += [repr(failed.value), repr(vars(failed.value)), *traceback.format_exception(failed.value)]
    shown += [record.getMessage() for record in caplog.records]
    assert any("/api/taskqueues/1/" in text for text in shown)
    assert not [text for text in shown if TOKEN in text]


def test_an_error_with_its_answer_can_be_pickled(server: Scripted, client: Client) -> None:
    server.say({"name": ["Too long."]}, 400)
    with pytest.raises(exceptions.BadRequest) as caught:
        client.task_queues.create("x" * 99)
    twin = pickle.loads(pickle.dumps(caught.value))  # noqa: S301
    assert (str(twin), twin.field_errors) == (str(caught.value), {"name": ["Too long."]})
    assert twin.response.json() == {"name": ["Too long."]}
    assert TOKEN.encode() not in pickle.dumps(caught.value)


def test_a_client_can_be_copied_and_pickled(server: Scripted, client: Client) -> None:
    server.say(queue())
    for twin in (pickle.loads(pickle.dumps(client)), copy.deepcopy(client)):  # noqa: S301
        assert twin.task_queues.get(1) == client.task_queues.get(1)


def test_a_closed_client_opens_again(server: Scripted) -> None:
    server.say(queue())
    with quick_client(server.url) as client:
        client.task_queues.get(1)
    assert client.task_queues.get(1).id == 1


def test_threads_share_a_client(server: Scripted, client: Client) -> None:
    server.decide = lambda request: server.script[0]
    server.say(queue())
    found = []
    threads = [threading.Thread(target=lambda: found.append(client.task_queues.get(1))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 20


def _get_queue(client: Client, results: Any) -> None:
    results.put(client.task_queues.get(1).name)


def test_a_fork_has_connections_of_its_own(server: Scripted, client: Client) -> None:
    server.say(queue())
    client.task_queues.get(1)
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    child = context.Process(target=_get_queue, args=(client, results))
    child.start()
    assert results.get(timeout=30) == "default"
    child.join()
    assert client.task_queues.get(1).name == "default"
    mine, childs, again = (request.peer for request in server.requests)
    assert mine == again != childs
