"""Everything that can go wrong between client and server."""

import email.utils
import socket
import time
from typing import Any

import pytest

from saltant import Client, exceptions
from saltant._http import Backoff
from saltant._http_errors import retry_after
from tests.unit.sdk.conftest import TOKEN, Scripted, instance, queue, quick_client

SIGN_IN = "<!DOCTYPE html><html><head><title>Sign in\n &amp; go</title></head></html>"


def get(client: Client) -> Any:
    return client.task_queues.get(1)


def post(client: Client) -> Any:
    return client.task_queues.create("q")


def put(client: Client) -> Any:
    return client.task_queues.put(1, "q", "", False, True, True, True, True, [])


def patch(client: Client) -> Any:
    return client.task_queues.patch(1, name="q")


def failure(client: Client, act: Any = get) -> exceptions.BadHttpRequestError:
    with pytest.raises(exceptions.BadHttpRequestError) as caught:
        act(client)
    return caught.value


@pytest.mark.parametrize("act", [get, post])
def test_connection_refused(deaf_url: str, act: Any) -> None:
    error = failure(quick_client(deaf_url), act)
    assert type(error) is exceptions.ConnectionFailed
    assert "refused" in str(error)
    assert "is running" in str(error)
    assert deaf_url in error.url
    assert (error.method, error.status_code, error.response) == (act.__name__.upper(), None, None)
    assert TOKEN not in repr(error.__cause__.request.headers)  # type: ignore[union-attr]


def test_unknown_host() -> None:
    error = failure(quick_client("http://saltant.invalid/api/"))
    assert type(error) is exceptions.ConnectionFailed
    assert "name of the server" in str(error)


def test_a_wrong_proxy(monkeypatch: pytest.MonkeyPatch, deaf_url: str) -> None:
    monkeypatch.setenv("http_proxy", deaf_url.replace("//", "//me:secret@"))
    error = failure(quick_client("http://saltant.invalid/api/"))
    assert type(error) is exceptions.ConnectionFailed
    assert "HTTP_PROXY" in str(error)
    assert "secret" not in str(error)


def test_https_to_a_server_without(server: Scripted) -> None:
    error = failure(quick_client(server.url.replace("http:", "https:")))
    assert type(error) is exceptions.ConnectionFailed
    assert "secure" in str(error)


@pytest.mark.parametrize("fault", ["hang", "stall"])
@pytest.mark.parametrize("act", [get, post])
def test_a_silent_server(server: Scripted, act: Any, fault: str) -> None:
    server.say({}, 201 if act is post else 200, fault=fault)
    error = failure(quick_client(server.url, default_timeout=0.05), act)
    assert type(error) is exceptions.RequestTimeout
    assert isinstance(error, TimeoutError)
    assert len(server.requests) == 1, "the time is over: no more tries"


def test_the_first_request_has_the_timeout(server: Scripted) -> None:
    server.say(fault="hang")
    with pytest.raises(exceptions.RequestTimeout):
        Client(server.url, "secret-token", default_timeout=0.05)


@pytest.mark.parametrize("fault", ["reset", "cut"])
def test_a_get_survives_a_broken_connection(server: Scripted, client: Client, fault: str) -> None:
    server.say({}, fault=fault)
    server.say(queue())
    assert get(client).id == 1
    assert len(server.requests) == 2


@pytest.mark.parametrize("fault", ["reset", "cut"])
@pytest.mark.parametrize("act", [post, put, patch])
def test_others_do_not_try_again_after_one(server: Scripted, client: Client, act: Any, fault: str) -> None:
    server.say({}, fault=fault)
    error = failure(client, act)
    assert type(error) is exceptions.ConnectionFailed
    assert "not known" in str(error)
    assert len(server.requests) == 1


def test_a_post_tries_again_where_no_connection_was_made(monkeypatch: pytest.MonkeyPatch, server: Scripted) -> None:
    server.say(queue(), 201)
    connect = socket.socket.connect
    refusals = [ConnectionRefusedError(111, "Connection refused")] * 2

    def refuse_twice(self: socket.socket, address: Any) -> None:
        if refusals:
            raise refusals.pop()
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", refuse_twice)
    assert post(quick_client(server.url)).id == 1


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_get_survives(server: Scripted, client: Client, status: int) -> None:
    server.say("busy", status)
    server.say("busy", status, Retry_After="0")
    server.say(queue())
    assert get(client).id == 1
    assert [request.headers["authorization"] for request in server.requests] == [f"Token {TOKEN}"] * 3


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("act", [post, put, patch])
def test_others_do_not_try_again_when_the_server_failed(
    server: Scripted, client: Client, act: Any, status: int
) -> None:
    server.say("busy", status)
    error = failure(client, act)
    assert type(error) is exceptions.ServerError
    assert (error.status_code, error.method) == (status, act.__name__.upper())
    assert len(server.requests) == 1


def test_a_get_does_not_try_again_after_500(server: Scripted, client: Client) -> None:
    server.say("busy", 500)
    assert type(failure(client)) is exceptions.ServerError
    assert len(server.requests) == 1


@pytest.mark.parametrize("act", [get, post, put, patch])
def test_429_is_tried_again_by_all(server: Scripted, client: Client, act: Any) -> None:
    server.say({"detail": "Too many."}, 429, Retry_After="0")
    server.say(queue(), 201 if act is post else 200)
    assert act(client).id == 1


def test_tries_come_to_an_end(server: Scripted) -> None:
    server.say("busy", 503)
    failure(quick_client(server.url, max_retries=3))
    assert len(server.requests) == 4
    server.requests.clear()
    failure(Client(server.url, "secret-token", test_if_authenticated=False, max_retries=0))
    assert len(server.requests) == 1


def test_retry_after_is_waited_for(server: Scripted, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    server.say("busy", 503, Retry_After="7")
    server.say("busy", 429, Retry_After=email.utils.formatdate(time.time() + 30, usegmt=True))
    server.say(queue())
    get(client)
    assert waits[0] == 7
    assert 25 < waits[1] <= 30


def test_a_retry_after_beyond_the_timeout_is_not_waited_for(server: Scripted, client: Client) -> None:
    server.say({"detail": "Too many."}, 429, Retry_After="3600")
    error = failure(client)
    assert isinstance(error, exceptions.RateLimited)
    assert error.retry_after == 3600
    assert len(server.requests) == 1


@pytest.mark.parametrize("value", [None, "", "soon", "-1", "1.5", "٣", "Thu, 99 Jan 1970 00:00:00 GMT"])
def test_a_useless_retry_after(value: str | None) -> None:
    assert retry_after(value) is None


def test_backoff_grows_up_to_a_bound() -> None:
    backoff = Backoff(first=0.1, longest=10)
    assert 0.07 < backoff.wait(1) <= 0.1 < 0.15 <= backoff.wait(2) <= 0.2
    assert backoff.wait(10_000) <= 10


@pytest.mark.parametrize("body", [SIGN_IN, "", "fine", b"\xff\xfe\x00"])
def test_a_body_that_is_no_json(server: Scripted, client: Client, body: Any) -> None:
    server.say(body)
    error = failure(client)
    assert type(error) is exceptions.UnexpectedResponse
    assert "where JSON was expected" in str(error)
    assert "/api/" in str(error)
    assert error.status_code == 200


def test_an_html_page_is_told_by_its_title(server: Scripted, client: Client) -> None:
    server.say(SIGN_IN)
    assert 'an HTML page, "Sign in & go"' in str(failure(client))
    server.script.clear()
    server.say(SIGN_IN.replace("Sign in", "Bad gateway"), 502)
    error = failure(client)
    assert type(error) is exceptions.ServerError
    assert "Bad gateway & go" in str(error)
    assert "answered 502" in str(error)


def test_404_of_something_that_is_no_saltant(server: Scripted, client: Client) -> None:
    server.say("<title>404</title>", 404)
    error = failure(client)
    assert type(error) is exceptions.NotFound
    assert "base URL" in str(error)


@pytest.mark.parametrize(
    ("location", "hint"),
    [
        ("/login/?next=/api/", "sign-in page"),
        ("https://sso.example.org/start?state=secret", "sign-in page"),
        ("https://127.0.0.1/api/taskqueues/1/", "Use https://"),
        ("/v2/taskqueues/1/", "base URL"),
        ("http://[", "base URL"),
        ("", "does not say where"),
    ],
)
@pytest.mark.parametrize("act", [get, post])
def test_a_redirect_is_not_followed(server: Scripted, client: Client, act: Any, location: str, hint: str) -> None:
    server.say("", 302, **({"Location": location} if location else {}))
    error = failure(client, act)
    assert isinstance(error, exceptions.BadHttpRequestError)
    assert hint in str(error)
    assert "secret" not in str(error)
    if location not in ("", "http://["):
        assert isinstance(error, exceptions.UnexpectedRedirect)
        assert location.partition("?")[0] in error.location
        assert len(server.requests) == 1


def test_another_success_than_expected(server: Scripted, client: Client) -> None:
    server.say(queue(), 200)
    error = failure(client, post)
    assert type(error) is exceptions.UnexpectedResponse
    assert error.status_code == 200


def test_field_errors(server: Scripted, client: Client) -> None:
    server.say({"name": ["Too long.", "Too odd."], "whitelists": "Bad.", "arguments": [{"a": 1}]}, 400)
    error = failure(client, post)
    assert type(error) is exceptions.BadRequest
    assert error.field_errors == {
        "name": ["Too long.", "Too odd."],
        "whitelists": ["Bad."],
        "arguments": ['{"a": 1}'],
    }
    assert "name: Too long. Too odd.; whitelists: Bad." in str(error)
    assert error.response is not None
    assert error.response.json()["whitelists"] == "Bad."


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"non_field_errors": ["It may not."]}, "answered 400: It may not."),
        ({"detail": "JSON parse error"}, "answered 400: JSON parse error"),
        ("<title>Bad Request</title>", 'answered 400: an HTML page, "Bad Request"'),
        (["This is", "wrong."], "answered 400: This is wrong."),
        (None, "answered 400"),
        (7, "answered 400: 7"),
    ],
)
def test_other_bodies_of_400(server: Scripted, client: Client, body: Any, told: str) -> None:
    server.say(body, 400)
    assert told in str(failure(client, post))


def test_a_conflict_tells_the_state(server: Scripted, client: Client) -> None:
    server.say({"detail": "It runs.", "state": "running"}, 409)
    error = failure(client, patch)
    assert isinstance(error, exceptions.Conflict)
    assert error.state == "running"


def test_what_json_cannot_tell_is_not_sent(server: Scripted, client: Client) -> None:
    server.say(instance(), 201)
    for arguments in ({"a": float("nan")}, {"a": float("inf")}):
        with pytest.raises(ValueError, match="JSON"):
            client.executable_task_instances.create(1, 1, arguments)
    with pytest.raises(TypeError):
        client.executable_task_instances.create(1, 1, {"a": object()})
    assert not server.requests


def test_an_error_while_another_is_handled_tells_its_own_story(server: Scripted, deaf_url: str) -> None:
    server.say(fault="reset")
    try:
        failure(quick_client(deaf_url))
        raise ConnectionRefusedError
    except ConnectionRefusedError:
        assert "broke" in str(failure(quick_client(server.url)))
