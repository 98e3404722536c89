"""GET /api/worker/: what a server says to who holds a worker's token."""

from datetime import UTC, datetime
from importlib import metadata

import pytest

from saltant.workers import PROTOCOL
from tests.integration.conftest import ROLES, Cast, World


def test_a_worker_is_told_what_its_token_is_for(cast: Cast, world: World) -> None:
    for path in ("/api/worker/", "/api/worker"):
        answer = cast.worker.get(path)
        assert answer.status_code == 200
        said = answer.json()
        assert abs(datetime.fromisoformat(said.pop("time")) - datetime.now(UTC)).total_seconds() < 60
        assert said == {"version": metadata.version("saltant-py"), "protocol": PROTOCOL, "queues": ["queue"]}


def test_the_queues_are_those_of_the_token(cast: Cast, world: World) -> None:
    world.queue.name = "renamed"
    world.queue.save()
    assert cast.worker.get("/api/worker/").json()["queues"] == ["renamed"]


@pytest.mark.parametrize("role", [role for role in ROLES if "worker" not in role])
def test_nobody_else_is(cast: Cast, role: str) -> None:
    assert cast[role].get("/api/worker/").status_code == (401 if role == "nobody" else 403)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_it_changes_nothing(cast: Cast, method: str) -> None:
    answer = cast.worker.json(method, "/api/worker/", {})
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET")
