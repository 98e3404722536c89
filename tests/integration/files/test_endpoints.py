"""worker/logs, worker/results/offer and worker/results/data: what workers send over HTTP."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from saltant import file_protocol
from saltant.files import MOST_BYTES, NO_MORE, LogChunk, RefusedFile, ResultOffer
from saltant.jobs import Attempt
from saltant.protocol import LONGEST_LIST, Malformed, attempt_to_json
from saltant.server.files.models import LogFile, RefusedResult, ResultFile
from saltant.server.tasks.models import Worker
from tests.integration.conftest import ROLES, Cast, Client, World
from tests.integration.files.conftest import WORKER, Run, Use

BYTES = "application/octet-stream"


@pytest.fixture(autouse=True)
def announced(world: World) -> None:
    """The worker, announced with a token of the admin's."""
    Worker.objects.create(name=WORKER, slots=1, datetime_heartbeat=timezone.now(), user=world.users["admin"])


def ship(client: Client, body: bytes) -> Any:
    """The answer to a request with logs."""
    return client.generic("POST", "/api/worker/logs/", body, BYTES)


def offer(client: Client, run: Run, *files: ResultOffer, refused: Any = (), worker: str = WORKER) -> Any:
    """The answer to an offer."""
    said = file_protocol.offer_to_json(worker, run.attempt, files, refused)
    return client.json("POST", "/api/worker/results/offer/", said)


def put(client: Client, run: Run, name: str, offset: Any, data: bytes, **more: Any) -> Any:
    """The answer to a part of a file."""
    query = {"worker": WORKER, "uuid": run.attempt.uuid, "number": run.attempt.number, "name": name, "offset": offset}
    return client.generic("PUT", f"/api/worker/results/data?{urlencode(query | more)}", data, BYTES)


def test_logs(cast: Cast, in_folder: Path, run: Run) -> None:
    chunks = [LogChunk(run.attempt, "stdout", 0, b"a\n\0\xff"), LogChunk(run.attempt, "stderr", 7, b"gap")]
    answer = ship(cast.worker, file_protocol.logs_to_body(WORKER, chunks))
    assert (answer.status_code, answer.json()) == (200, {"offsets": [4, 0]})
    assert run.log() == b"a\n\0\xff"


def test_results(cast: Cast, in_folder: Path, run: Run) -> None:
    data = bytes(range(256))
    said = ResultOffer("a ü&=?#/b%2Fc", len(data), sha256(data).hexdigest())
    answer = offer(cast.worker, run, said, ResultOffer("../x", 1, "0" * 64), refused=[RefusedFile("link", "why")])
    assert (answer.status_code, answer.json()) == (200, {"offsets": [0, NO_MORE]})
    assert put(cast.worker, run, said.name, 0, data[:100]).json() == {"offset": 100}
    assert put(cast.worker, run, said.name, 100, data[100:]).json() == {"offset": 256}
    assert run.result(said.name) == data
    assert set(RefusedResult.objects.values_list("name", flat=True)) == {"link", "../x"}


@pytest.mark.parametrize("role", [role for role in ROLES if "worker" not in role])
def test_people_send_nothing(cast: Cast, in_folder: Path, run: Run, role: str) -> None:
    status = 401 if role == "nobody" else 403
    body = file_protocol.logs_to_body(WORKER, [LogChunk(run.attempt, "stdout", 0, b"x")])
    assert ship(cast[role], body).status_code == status
    assert offer(cast[role], run, ResultOffer("a", 1, "0" * 64)).status_code == status
    assert put(cast[role], run, "a", 0, b"x").status_code == status
    assert not LogFile.objects.exists()
    assert not ResultFile.objects.exists()


def test_a_worker_of_another_owner(cast: Cast, world: World, in_folder: Path, run: Run) -> None:
    Worker.objects.update(user=world.users["stranger"])
    body = file_protocol.logs_to_body(WORKER, [LogChunk(run.attempt, "stdout", 0, b"x")])
    assert ship(cast.worker, body).status_code == 403
    assert offer(cast.worker, run, ResultOffer("a", 1, "0" * 64)).status_code == 403
    assert put(cast.worker, run, "a", 0, b"x").status_code == 403
    assert not LogFile.objects.exists()


def test_a_worker_that_was_not_announced(cast: Cast, run: Run) -> None:
    Worker.objects.all().delete()
    assert ship(cast.worker, file_protocol.logs_to_body(WORKER, [])).status_code == 409


def test_other_methods(cast: Cast) -> None:
    for path, method in [("logs", "GET"), ("logs", "PUT"), ("results/offer", "GET"), ("results/data", "POST")]:
        assert cast.worker.generic(method, f"/api/worker/{path}/", b"", BYTES).status_code == 405, path


UUID = "00000000-0000-0000-0000-000000000001"
CHUNK = {"uuid": UUID, "number": 1, "name": "stdout", "offset": 0, "length": 1}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"\n",
        b"[]\n",
        b"{\n",
        b'{"worker":"node7"}\n',
        b'{"worker":"node7","chunks":[]}\nx',
        b'{"worker":"node7","chunks":[NaN]}\n',
        b"\xff\n",
        *(
            json.dumps({"worker": "node7", "chunks": [CHUNK | change]}).encode() + b"\nx"
            for change in (
                {"length": 2},
                {"length": 0},
                {"length": -1},
                {"length": 2**63},
                {"length": 10**400},
                {"length": True},
                {"length": "1"},
                {"offset": -1},
                {"offset": 2**63},
                {"offset": 1.0},
                {"offset": None},
                {"name": None},
                {"name": 7},
                {"uuid": "x"},
                {"number": 0},
                {"number": 2**31},
            )
        ),
        json.dumps({"worker": "node7", "chunks": [CHUNK | {"length": 0}] * (LONGEST_LIST + 1)}).encode() + b"\n",
    ],
)
def test_logs_that_are_of_no_form(cast: Cast, in_folder: Path, run: Run, body: bytes) -> None:
    answer = ship(cast.worker, body)
    assert answer.status_code == 400
    assert answer.json()["detail"]
    assert not LogFile.objects.exists()


def test_requests_that_are_too_large(cast: Cast, in_folder: Path, run: Run) -> None:
    body = file_protocol.logs_to_body(WORKER, [LogChunk(run.attempt, "stdout", 0, b"x" * MOST_BYTES)])
    assert ship(cast.worker, body).json() == {"offsets": [MOST_BYTES]}
    assert ship(cast.worker, body + b"x").status_code == 400
    assert ship(cast.worker, body + b"x" * 5 * 1024 * 1024).status_code == 413
    offer(cast.worker, run, ResultOffer("a", 2**40, "0" * 64))
    assert put(cast.worker, run, "a", 0, b"x" * (MOST_BYTES + 1)).status_code == 413


@pytest.mark.parametrize(
    "change", [{"size": -1}, {"size": 2**63}, {"size": "1"}, {"sha256": "x"}, {"sha256": "A" * 64}]
)
def test_offers_of_no_form(cast: Cast, run: Run, change: Any) -> None:
    file = {"name": "a", "size": 1, "sha256": "0" * 64} | change
    said = {"worker": WORKER, **attempt_to_json(run.attempt), "files": [file]}
    assert cast.worker.json("POST", "/api/worker/results/offer/", said).status_code == 400


@pytest.mark.parametrize(
    "change",
    [
        {"offset": "-1"},
        {"offset": str(2**63)},
        {"offset": "9" * 5000},
        {"offset": "\N{FULLWIDTH DIGIT ONE}"},
        {"offset": ""},
        {"number": "0"},
        {"number": "x"},
        {"uuid": "x"},
        {"worker": "a/b"},
    ],
)
def test_parts_of_no_form(cast: Cast, run: Run, change: Any) -> None:
    assert put(cast.worker, run, "a", change.pop("offset", 0), b"x", **change).status_code == 400


@pytest.mark.parametrize("name", ["../x", "a\0b", "/etc/passwd", "x" * 5000, ""])
def test_parts_of_bad_names(cast: Cast, in_folder: Path, run: Run, name: str) -> None:
    assert put(cast.worker, run, name, 0, b"x").json() == {"offset": NO_MORE}
    assert not in_folder.exists()


def test_a_store_that_fails(cast: Cast, use: Use, tmp_path: Path, run: Run) -> None:
    (tmp_path / "file").touch()
    use(files_dir=str(tmp_path / "file"))
    answer = ship(cast.worker, file_protocol.logs_to_body(WORKER, [LogChunk(run.attempt, "stdout", 0, b"x")]))
    assert answer.status_code == 503
    assert "cannot be used" in answer.json()["detail"]
    assert answer.headers["Retry-After"] == "5"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from([UUID, WORKER, "0" * 64]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*CHUNK, "chunks", "worker"]), inner),
    max_leaves=10,
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(JSON, st.binary(max_size=10))
def test_no_body_is_a_fault_of_ours(cast: Cast, in_folder: Path, run: Run, said: Any, more: bytes) -> None:
    body = json.dumps(said).encode() + b"\n" + more
    assert ship(cast.worker, body).status_code < 500
    assert cast.worker.generic("POST", "/api/worker/results/offer", body, BYTES).status_code < 500


@given(
    st.lists(
        st.builds(
            LogChunk,
            st.builds(Attempt, st.uuids(), st.integers(1, 2**31 - 1)),
            st.text(),
            st.integers(0, 2**63 - 1),
            st.binary(),
        ),
        max_size=5,
    )
)
def test_logs_are_read_as_they_were_written(chunks: list[LogChunk]) -> None:
    assert file_protocol.logs_from_body(file_protocol.logs_to_body("w", chunks)) == ("w", chunks)


def test_offsets_of_no_form() -> None:
    assert file_protocol.offsets_from_json({"offsets": [-1, 0, 2**63 - 1]}, 3) == [-1, 0, 2**63 - 1]
    for said in (None, {}, {"offsets": [1]}, {"offsets": [1, "2"]}, {"offsets": [1, -2]}, {"offsets": [1, 2**63]}):
        with pytest.raises(Malformed):
            file_protocol.offsets_from_json(said, 2)
