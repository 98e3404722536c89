"""…/logs/ and …/logs/NAME: who reads what of a log, and how much."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from saltant.server.files import tails
from saltant.server.files.stores import Store
from saltant.server.tasks.models import TaskAttempt, TaskInstance, TaskQueue
from tests.integration.conftest import V2, Cast, Client, World
from tests.integration.files.conftest import Run, claimed

LINES = b"one\ntwo\nthree\n"


def path_of(instance: TaskInstance, name: str = "", *, kind: str = "logs") -> str:
    return f"/api/{instance.task_class}taskinstances/{instance.uuid}/{kind}/{quote(name)}"


def whole(answer: Any) -> bytes:
    """The bytes of an answer."""
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


@pytest.fixture
def log(world: World, owner: Client) -> Any:
    """Reads a log of the world's instance."""

    def read(
        name: str = "stdout", *, client: Client = owner, method: str = "GET", query: str = "", **headers: str
    ) -> Any:
        said = {f"HTTP_{key.upper()}": value for key, value in headers.items()}
        return client.generic(method, f"{path_of(world.instance, name)}{query}", **said)

    return read


def test_which_logs_there_are(owner: Client, world: World, in_folder: Path, run: Run) -> None:
    path = path_of(world.instance)
    assert owner.get2(path).json() == []
    run.ship(0, LINES)
    run.ship(0, b"x", name="deep/log ü.txt")
    assert owner.get2(path).json() == [
        {"attempt": 1, "name": "deep/log ü.txt", "size": 1, "is_cut": False},
        {"attempt": 1, "name": "stdout", "size": 14, "is_cut": False},
    ]
    claimed(world, number=2)
    assert owner.get2(path).json() == []
    assert len(owner.get2(f"{path}?attempt=1").json()) == 2


def test_a_log(log: Any, kept: Store, run: Run) -> None:
    run.ship(0, LINES + b"\xff\0<script>")
    for name in ("stdout", "stdout/"):
        answer = log(name)
        assert (answer.status_code, whole(answer)) == (200, LINES + b"\xff\0<script>")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Length"] == answer.headers["Saltant-Log-Size"] == "24"
    assert (answer.headers["Saltant-Attempt"], answer.headers["Saltant-Finished"]) == ("1", "false")
    assert answer.headers["Cache-Control"] == "private, no-store"


def test_a_name_with_everything(log: Any, in_folder: Path, run: Run) -> None:
    name = "deep/ly/a b ü?&#%2F.txt"
    run.ship(0, b"x", name=name)
    assert whole(log(name)) == b"x"


@pytest.mark.parametrize("accept", ["text/plain", "text/html", "*/*", V2, "application/json", "image/png"])
def test_any_accept_header_will_do(log: Any, in_folder: Path, run: Run, accept: str) -> None:
    run.ship(0, b"x")
    assert whole(log(accept=accept)) == b"x"


def test_whether_the_attempt_has_ended(log: Any, world: World, in_folder: Path) -> None:
    def is_finished(query: str = "") -> str:
        answer = log(query=query)
        assert (answer.status_code, whole(answer)) == (200, b"")
        return str(answer.headers["Saltant-Finished"])

    assert is_finished() == "false"
    claimed(world)
    assert is_finished() == "false"
    TaskAttempt.objects.update(lease_expires=None, datetime_finished=timezone.now())
    assert is_finished() == "true"
    TaskInstance.objects.filter(pk=world.instance.pk).update(attempt=2, state="published")
    assert (is_finished(), is_finished("?attempt=1")) == ("false", "true")
    TaskInstance.objects.filter(pk=world.instance.pk).update(state="terminated")
    assert is_finished() == "true"


def test_what_is_not_there(log: Any, owner: Client, world: World, in_folder: Path, run: Run) -> None:
    names = ["other", "../stdout", "stdout/..", "%00", "a\\b", "x" * 3000]
    assert [log(name).status_code for name in names] == [404] * len(names)
    assert log(query="?attempt=2").status_code == 404
    assert [log(query=f"?attempt={number}").status_code for number in ("0", "x", "-1", "9" * 50)] == [400] * 4
    assert owner.get(f"/api/containertaskinstances/{world.instance.uuid}/logs/stdout").status_code == 404
    assert owner.get("/api/executabletaskinstances/x/logs/stdout").status_code == 404


@pytest.mark.parametrize(
    ("said", "status", "expected"),
    [
        ("bytes=0-", 206, "0-13"),
        ("bytes=4-", 206, "4-13"),
        ("bytes=4-6", 206, "4-6"),
        ("bytes=4-4", 206, "4-4"),
        ("bytes=4-999", 206, "4-13"),
        ("bytes=-3", 206, "11-13"),
        ("bytes=-999", 206, "0-13"),
        ("bytes=13-13", 206, "13-13"),
        (f"bytes=0-{10**18}", 206, "0-13"),
        ("bytes=14-", 416, None),
        ("bytes=9999999999999999999-", 416, None),
        ("bytes=-0", 416, None),
        ("bytes=6-4", 200, None),
        ("bytes=-", 200, None),
        ("bytes=0-1,3-4", 200, None),
        ("bytes=99999999999999999999999-", 200, None),
        ("lines=0-1", 200, None),
        ("nonsense", 200, None),
        ("bytes=\N{FULLWIDTH DIGIT ONE}-", 200, None),
    ],
)
def test_ranges(log: Any, kept: Store, run: Run, said: str, status: int, expected: str | None) -> None:
    run.ship(0, LINES)
    answer = log(range=said)
    assert answer.status_code == status
    if status == 416:
        assert answer.headers["Content-Range"] == "bytes */14"
        assert answer.headers["Saltant-Finished"] == "false"
        return
    first, last = (int(part) for part in (expected or "0-13").split("-"))
    assert whole(answer) == LINES[first : last + 1]
    assert answer.headers.get("Content-Range") == (f"bytes {expected}/14" if expected else None)
    assert answer.headers["Content-Length"] == str(last + 1 - first)


def test_a_range_of_nothing(log: Any, in_folder: Path, run: Run) -> None:
    answer = log(range="bytes=0-")
    assert (answer.status_code, answer.headers["Content-Range"]) == (416, "bytes */0")


def test_head(log: Any, in_folder: Path, run: Run) -> None:
    run.ship(0, LINES)
    answer = log(method="HEAD")
    assert (answer.status_code, whole(answer), answer.headers["Content-Length"]) == (200, b"", "14")


@pytest.mark.parametrize(
    ("data", "lines", "expected"),
    [
        (LINES, 1, b"three\n"),
        (LINES, 2, b"two\nthree\n"),
        (LINES, 3, LINES),
        (LINES, 4, LINES),
        (LINES, 2**31 - 1, LINES),
        (LINES, 0, b""),
        (b"one\ntwo", 1, b"two"),
        (b"one\n\n", 1, b"\n"),
        (b"\n", 1, b"\n"),
        (b"no end", 1, b"no end"),
        (b"", 5, b""),
    ],
)
def test_the_last_lines(log: Any, kept: Store, run: Run, data: bytes, lines: int, expected: bytes) -> None:
    if data:
        run.ship(0, data)
    answer = log(query=f"?tail={lines}")
    assert (answer.status_code, whole(answer)) == (200, expected)
    assert answer.headers["Saltant-Log-Offset"] == str(len(data) - len(expected))
    assert answer.headers["Saltant-Log-Size"] == str(len(data))


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.text("ab\n", max_size=8)).map("\n".join), st.integers(0, 12), st.integers(1, 9))
def test_the_last_lines_of_any_text(
    monkeypatch: pytest.MonkeyPatch, in_folder: Path, text: str, lines: int, step: int
) -> None:
    from saltant.server.files.stores import Key, store

    monkeypatch.setattr(tails, "STEP", step)
    data, key = text.encode(), Key("t", 10)
    if data:
        store().write_at(key, 0, data)
    expected = b"".join(data.splitlines(keepends=True)[-lines:] if lines else [])
    assert data[tails.start_of_tail(key, len(data), lines) :] == expected


@pytest.mark.parametrize("lines", ["-1", "x", "", "1.5", "9" * 30])
def test_numbers_of_lines_that_are_none(log: Any, run: Run, lines: str) -> None:
    assert log(query=f"?tail={lines}").status_code == 400


def test_the_last_line_of_a_large_log_is_found_without_reading_it_all(
    log: Any, in_folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from saltant.server.files.folder_store import FolderStore

    for number in range(5):
        run.ship(number * 1_000_000, (b"x" * 99 + b"\n") * 10_000)
    read, real = [], FolderStore.read

    def counted(self: Any, key: Any, start: int, end: int) -> Iterator[bytes]:
        read.append(end - start)
        return real(self, key, start, end)

    monkeypatch.setattr(FolderStore, "read", counted)
    assert whole(log(query="?tail=3")) == (b"x" * 99 + b"\n") * 3
    assert sum(read) < 600_000


def test_who_reads_logs_of_a_private_queue(cast: Cast, log: Any, in_folder: Path, run: Run) -> None:
    run.ship(0, LINES)
    roles = {"nobody": 401, "owner": 200, "stranger": 200, "queue_owner": 200, "admin": 200, "worker": 403}
    assert {role: log(client=cast[role]).status_code for role in roles} == roles
    TaskQueue.objects.update(private=True)
    roles["stranger"] = 403
    assert {role: log(client=cast[role]).status_code for role in roles} == roles
    assert {role: log("", client=cast[role]).status_code for role in roles} == roles
    assert {role: log("other", client=cast[role]).status_code for role in roles} == {
        role: 404 if status == 200 else status for role, status in roles.items()
    }


def test_bytes_that_were_lost(log: Any, in_folder: Path, run: Run) -> None:
    run.ship(0, LINES)
    in_folder.rename(in_folder.with_name("elsewhere"))
    for query in ("", "?tail=1"):
        answer = log(query=query)
        assert answer.status_code == 404
        assert "lost this file" in answer.json()["detail"]
    in_folder.write_text("in its place")
    for query in ("", "?tail=1"):
        assert log(query=query).status_code == 503
