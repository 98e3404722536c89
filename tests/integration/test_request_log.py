"""The id of a request, and what is written of it."""

import json
import logging
from typing import Any

import pytest
from django.test import Client

from saltant.logs import JSONFormatter
from saltant.server.api import views
from tests.integration.conftest import Cast


@pytest.mark.parametrize("given", ["abcdef-0123.4_5", "a" * 64])
def test_a_sane_id_is_taken(db: None, given: str) -> None:
    for path in ("/api/users/", "/login", "/no/such/path"):
        assert Client().get(path, HTTP_X_REQUEST_ID=given)["X-Request-Id"] == given


@pytest.mark.parametrize("given", ["", "short", "a" * 65, "with space", "a\nb: c567", "ä" * 9, "saltant:key;"])
def test_another_is_replaced(db: None, given: str) -> None:
    made = [Client().get("/api/users/", HTTP_X_REQUEST_ID=given)["X-Request-Id"] for _ in range(2)]
    assert given not in made
    assert made[0] != made[1]


def test_one_line_a_request_names_who_and_how_but_no_query(cast: Cast, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "saltant.requests"):
        cast.owner.get("/api/users/?username=secret")
        cast.nobody.get("/api/users/")
    known, unknown = [record for record in caplog.records if record.name == "saltant.requests"]
    told = json.loads(JSONFormatter().format(known))
    assert (told["message"], told["status"], told["user"], told["level"]) == ("GET /api/users/", 200, "owner", "debug")
    assert "secret" not in str(told)
    told = json.loads(JSONFormatter().format(unknown))
    assert told["status"] == 401
    assert "user" not in told


def test_a_fault_is_a_warning_and_its_events_share_an_id(
    cast: Cast, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("broken")

    lines: list[dict[str, Any]] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(json.loads(JSONFormatter().format(record)))

    monkeypatch.setattr(views.DetailView, "get", fail)
    keep = Keep()
    logging.getLogger().addHandler(keep)
    try:
        answer = cast.owner.get("/api/users/owner/", HTTP_X_REQUEST_ID="abcdef0123")
    finally:
        logging.getLogger().removeHandler(keep)
    assert (answer.status_code, answer["X-Request-Id"]) == (500, "abcdef0123")
    told = {line["logger"]: line for line in lines}
    assert told["saltant.requests"]["level"] == "warning"
    assert "RuntimeError: broken" in told["django.request"]["exception"]
    assert {line["request"] for line in lines} == {"abcdef0123"}
