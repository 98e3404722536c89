import json
import logging
import sys
from typing import Any

import pytest

from saltant import logs
from saltant.config import Settings

UUID = "0e1f6a52-7d2a-4d0f-9a6a-3b1b8a5f1c11"
KEY = "saltant_" + "k3Y-_" * 8
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyX2lkIjoxfQ.c2lnbmF0dXJl"


def record(message: str, *args: Any, **extra: Any) -> logging.LogRecord:
    return logging.getLogger("saltant.test").makeRecord(
        "saltant.test", logging.WARNING, "file.py", 1, message, args, None, extra=extra
    )


def people(event: logging.LogRecord) -> str:
    return logs.PeopleFormatter().format(event)


def as_json(event: logging.LogRecord) -> dict[str, Any]:
    (line,) = logs.JSONFormatter().format(event).splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def test_fields_stand_in_both_forms() -> None:
    event = record("The disk is %s", "full", free=0, uuid=UUID)
    assert people(event).endswith(f"WARNING saltant.test: The disk is full free=0 uuid={UUID}")
    told = as_json(event)
    assert list(told)[:4] == ["time", "level", "logger", "message"]
    assert (told["level"], told["message"], told["free"], told["uuid"]) == ("warning", "The disk is full", 0, UUID)


def test_the_instance_is_found_in_the_message() -> None:
    event = record("%s: its end came too late", UUID)
    assert as_json(event)["uuid"] == UUID
    assert people(event).count(UUID) == 1


def test_the_request_is_told_by_its_id_alone() -> None:
    token = logs.request_id.set("abc12345")
    try:
        event = record("Failed", request=object())
        assert as_json(event)["request"] == "abc12345"
        assert "request=abc12345" in people(event)
    finally:
        logs.request_id.reset(token)
    assert "request" not in as_json(record("Failed", request=object()))


@pytest.mark.parametrize("render", [people, lambda event: json.dumps(as_json(event))])
@pytest.mark.parametrize(
    ("secret", "text"),
    [
        (KEY, "key {} was used"),
        (KEY, "Authorization: Token {}"),
        ("0123456789abcdef0123456789abcdef01234567", "Authorization: Token {}"),
        (JWT, "Bearer {}"),
        (JWT, '{{"access": "{}"}}'),
        ("hunter2", "username=ada&password={}&x=1"),
        ("hunter2", '{{"username": "ada", "password": "{}"}}'),
        ("hunter2", "{{'username': 'ada', 'password': '{}'}}"),
    ],
)
def test_no_secret_gets_out(render: Any, secret: str, text: str) -> None:
    for event in (
        record(text.format(secret)),
        record("%s", text.format(secret)),
        record("x", body=text.format(secret)),
    ):
        assert secret not in render(event)
        assert logs.HIDDEN in render(event)


def test_no_secret_gets_out_by_a_traceback_or_a_nested_field() -> None:
    try:
        raise ValueError(KEY)
    except ValueError:
        event = record("Failed", said={"password": "hunter2", "key": KEY})
        event.exc_info = sys.exc_info()
    for text in (people(event), json.dumps(as_json(event))):
        assert KEY not in text
        assert "hunter2" not in text
        assert "ValueError" in text


def test_nothing_can_look_like_a_line_of_ours() -> None:
    event = record("no such path: %s", "/x\n2026-01-01 00:00:00.000Z ERROR saltant: all is lost\x1b[2J")
    assert len(people(event).splitlines()) == 1
    assert "\x1b" not in people(event)


def test_the_process_is_set_up_by_the_settings(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        logs.configure(Settings.from_env({"SALTANT_LOG_FORMAT": "json", "SALTANT_LOG_LEVEL": "warning"}))
        logging.getLogger("saltant.test").info("quiet")
        logging.getLogger("saltant.test").warning("loud")
        assert json.loads(capsys.readouterr().err)["message"] == "loud"
    finally:
        root.handlers[:], root.level = before
