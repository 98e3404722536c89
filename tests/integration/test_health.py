"""Whether a server is ready."""

import json
from typing import Any

import pytest
from django.db import connection
from django.test import RequestFactory

from saltant.engine import EngineUnavailable
from saltant.engine.embedded import EmbeddedEngine
from saltant.server import health
from saltant.server.tasks import dispatch


@pytest.fixture(autouse=True)
def engine(monkeypatch: pytest.MonkeyPatch) -> EmbeddedEngine:
    engine = EmbeddedEngine()
    monkeypatch.setattr(dispatch, "_engine", engine)
    monkeypatch.setattr(health, "_migrated", False)
    return engine


def ask() -> tuple[int, dict[str, Any]]:
    answer = health.readyz(RequestFactory().get("/readyz"))
    assert answer["Cache-Control"] == "no-store"
    return answer.status_code, json.loads(answer.content)


def test_ready(db: None) -> None:
    parts = {"database": "ok", "disk": "ok", "migrations": "ok", "engine": "ok"}
    for _ in range(2):
        assert ask() == (200, {"status": "ok", "parts": parts})


def test_an_engine_that_does_not_answer(
    db: None, engine: EmbeddedEngine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise EngineUnavailable("amqp://guest:guest@broker refused")

    monkeypatch.setattr(engine, "ping", fail)
    status, body = ask()
    assert status == 503
    assert body["parts"]["database"] == "ok"
    assert "broker" not in json.dumps(body)
    assert "broker refused" in caplog.text
    monkeypatch.undo()


def test_no_engine(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "_engine", None)
    assert ask()[0] == 503


def test_missing_migrations(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'audit'")
    status, body = ask()
    assert status == 503
    remedy = "`saltant up`" if connection.vendor == "sqlite" else "`saltant migrate`"
    assert remedy in body["parts"]["migrations"]
    assert body["parts"]["engine"] == "ok"


def test_no_database() -> None:
    # pytest-django lets nobody reach it here.
    status, body = ask()
    assert status == 503
    assert body["parts"]["database"] != "ok"
    assert body["parts"]["engine"] == "ok"
