"""Bodies and headers that nobody should send: a clear refusal, never a crash."""

import dataclasses
import io
from typing import Any

import pytest

from saltant.server.api import json_input
from saltant.server.api.middleware import ApiHeaders
from saltant.server.tasks.models import TaskQueue
from tests.integration.conftest import V2, Client, World

PATHS = [
    ("POST", "/api/executabletasktypes/"),
    ("POST", "/api/containertasktypes/"),
    ("PUT", "/api/executabletasktypes/{type}/"),
    ("POST", "/api/taskqueues/"),
    ("POST", "/api/taskwhitelists/"),
    ("PATCH", "/api/taskwhitelists/{whitelist}/"),
    ("POST", "/api/taskwhitelists/{whitelist}/add/"),
    ("POST", "/api/taskwhitelists/{whitelist}/remove/"),
    ("PATCH", "/api/taskqueues/{queue}/"),
    ("POST", "/api/executabletaskinstances/"),
    ("POST", "/api/containertaskinstances/"),
    ("PATCH", "/api/updatetaskinstancestatus/{uuid}/"),
    ("POST", "/api/token/"),
    ("POST", "/api/token/refresh/"),
]


@pytest.fixture(params=PATHS, ids=" ".join)
def target(request: pytest.FixtureRequest, world: World) -> tuple[str, str]:
    """Every endpoint that reads a body."""
    method, path = request.param
    TaskQueue.objects.update(user=world.users["owner"])
    values = {"type": world.executable.id, "whitelist": world.whitelist.id, "queue": world.queue.id}
    values["uuid"] = world.instance.uuid
    return method, path.format(**values)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "JSON parse error"),
        (b"\xef\xbb\xbf{}", "JSON parse error"),
        (b'{"name": NaN}', "NaN is not JSON"),
        (b'{"name": -Infinity}', "-Infinity is not JSON"),
        (b'{"name": 1e999}', "too large a number"),
        (b'{"name": %s}' % (b"9" * 5000), "4300"),
        (b'{"name": %s1%s}' % (b"[" * 150, b"]" * 150), "100 levels"),
        (b'{"name": %s}' % (b'{"a":' * 100_000), "JSON parse error"),
        (b"[" * 1_000_000, "JSON parse error"),
        (b'{"name": "\xff"}', "not UTF-8"),
        (b'{"name": "\xed\xa0\x80"}', "not UTF-8"),
        (b'{"name": "\0"}', "JSON parse error"),
    ],
    ids=range(12),
)
def test_json_that_is_none(owner: Client, target: tuple[str, str], body: bytes, words: str) -> None:
    for accept in ("", V2):
        answer = owner.generic(*target, body, "application/json", HTTP_ACCEPT=accept)
        assert answer.status_code == 400
        assert words in answer.json()["detail"]


@pytest.mark.parametrize("body", [b"[]", b"1", b"null", b'"x"', b"[{}]", b"true"])
def test_json_that_is_no_object(owner: Client, target: tuple[str, str], body: bytes) -> None:
    answer = owner.generic(*target, body, "application/json")
    assert answer.status_code == 400
    assert list(answer.json()) == ["non_field_errors"]


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "nonsense", "x" * 1000, "application/jsonx"])
def test_content_types_that_are_not_read(owner: Client, target: tuple[str, str], content_type: str) -> None:
    answer = owner.generic(*target, b"{}", content_type)
    assert answer.status_code == 415
    assert list(answer.json()) == ["detail"]


def test_charsets(owner: Client, target: tuple[str, str]) -> None:
    for charset in ("latin-1", "utf-16", "bz2_codec"):
        answer = owner.generic(*target, b"name=%e9", f"application/x-www-form-urlencoded; charset={charset}")
        assert answer.status_code == 400
        assert "charset" in answer.json()["detail"]
    assert owner.generic(*target, b"{}", "application/json; charset=UTF-8").status_code in (200, 400)


@pytest.mark.parametrize("body", [b"name=\xff", b"name=%FF", b"name=%ED%A0%80", b"%FF=1"])
def test_forms_that_are_not_utf_8(owner: Client, target: tuple[str, str], body: bytes) -> None:
    answer = owner.generic(*target, body, "application/x-www-form-urlencoded")
    assert answer.status_code == 400
    assert "not UTF-8" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"x", "multipart/form-data"),
        (b"x", "multipart/form-data; boundary="),
        (
            b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\n\xff\r\n--b--\r\n',
            "multipart/form-data; boundary=b",
        ),
    ],
)
def test_multipart_that_is_none(owner: Client, target: tuple[str, str], body: bytes, content_type: str) -> None:
    answer = owner.generic(*target, body, content_type)
    assert answer.status_code == 400


def test_a_file_where_text_is_expected(owner: Client) -> None:
    file = io.BytesIO(b"x")
    file.name = "x.txt"
    sent = {"name": file, "command_to_run": "x", "required_arguments": io.BytesIO(b"[]")}
    answer = owner.post("/api/executabletasktypes/", sent)
    assert answer.status_code == 400
    assert answer.json() == {"name": ["Not a valid string."], "required_arguments": ["Value must be valid JSON."]}


def test_very_many_fields(owner: Client, target: tuple[str, str]) -> None:
    body = "&".join(f"f{number}=1" for number in range(100_002))
    answer = owner.generic(*target, body, "application/x-www-form-urlencoded")
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/json"


def test_bodies_that_are_too_large(owner: Client, target: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ApiHeaders, "refuse_body", limited(100))
    for content_type in ("application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b"):
        answer = owner.generic(*target, b"x" * 101, content_type)
        assert answer.status_code == 413
        assert answer.json() == {"detail": "The body is larger than 100 bytes."}
        assert answer["Saltant-Version"] == "2"


def limited(size: int) -> Any:
    """The middleware's check, with another limit."""
    check = ApiHeaders.refuse_body

    def refuse_body(self: ApiHeaders, request: Any) -> Any:
        self.max_body = size
        return check(self, request)

    return refuse_body


@pytest.mark.parametrize("length", ["9" * 30, str(33 * 1024 * 1024)])
def test_lengths_that_are_only_told(owner: Client, length: str) -> None:
    answer = owner.generic("POST", "/api/taskqueues/", b"{}", "application/json", CONTENT_LENGTH=length)
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/json; version=1", 200),
        ("application/json; version=2", 200),
        ("application/json;version=2", 200),
        ("application/json; version=2, */*", 200),
        ("text/html, */*;q=0.8", 200),
        ("", 200),
        ("application/json; version=3", 406),
        ("application/json; version=x\xff", 406),
        ("text/html", 406),
        (",;,;=", 406),
    ],
)
def test_accept(owner: Client, world: World, accept: str, status: int) -> None:
    answer = owner.get(f"/api/executabletaskinstances/{world.instance.uuid}/", HTTP_ACCEPT=accept)
    assert answer.status_code == status
    assert answer["Content-Type"].startswith("application/json")
    assert ("waiting" in answer.json()) == ("version=2" in accept)


@pytest.mark.parametrize(
    "path", ["/api/none", "/api/users/a/b/", "/api//users/", "/api/%FF/", "/api/taskqueues/1/x", "/apix"]
)
def test_paths_that_are_none(owner: Client, path: str) -> None:
    answer = owner.get(path)
    assert answer.status_code == 404
    if path.startswith("/api/"):
        assert answer.content == b'{"detail":"Not found."}'


def test_a_host_that_is_none(owner: Client) -> None:
    answer = owner.get("/api/users/", HTTP_HOST="evil.example.org")
    message = "This server does not answer to the name 'evil.example.org'. SALTANT_ALLOWED_HOSTS lists its names."
    assert (answer.status_code, answer.json()) == (400, {"detail": message})


def test_depth() -> None:
    assert json_input.loads("[" * 100 + "]" * 100)
    for text in ("[" * 101 + "]" * 101, '{"a":' * 101 + "1" + "}" * 101):
        with pytest.raises(json_input.InvalidJSON, match="100 levels"):
            json_input.loads(text)
    assert len(json_input.loads("[" + ",".join(["[[]]"] * 1000) + "]")) == 1000, "wide is not deep"


def test_settings_can_be_replaced(settings: Any) -> None:
    settings.SALTANT = dataclasses.replace(settings.SALTANT, max_body=5)
    assert ApiHeaders(lambda request: None).max_body == 5  # type: ignore[arg-type,return-value]
