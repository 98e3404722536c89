"""Results: listed, read and downloaded, whole and unharmed."""

import hashlib
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from saltant import Client, _patience, exceptions
from saltant.models._downloads import is_there
from tests.unit.sdk.conftest import Answer, Request, Scripted, instance

UUID = "0b0c84f5-3d7d-4a8d-9f2a-1f2b3c4d5e6f"
RESULTS = f"/api/executabletaskinstances/{UUID}/results/"
FILES = {"model.bin": random.Random(1).randbytes(200_000), "plots/ü 1.png": b"png", "empty": b""}  # noqa: S311


def described(name: str, data: bytes, **fields: Any) -> dict[str, Any]:
    """A result as the server lists it."""
    return {"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest(), "attempt": 1, **fields}


class Store:
    """A server with results, which breaks off as it is told."""

    def __init__(self, files: dict[str, bytes], extra: list[dict[str, Any]]) -> None:
        self.listed = [*(described(name, data) for name, data in files.items()), *extra]
        self.files = dict(files)
        self.ranges: list[str] = []
        self.breaks = 0
        self.takes_ranges = True

    def __call__(self, request: Request) -> Answer:
        if request.path == RESULTS:
            return Answer(self.listed, headers={"Saltant-Version": "2"})
        data = self.files.get(unquote(request.path.removeprefix(RESULTS)))
        if data is None:
            return Answer({"detail": "Not found."}, 404)
        wanted = request.headers.get("range", "")
        self.ranges.append(wanted)
        headers = {"Content-Type": "application/octet-stream"}
        status, start = 200, 0
        if wanted and self.takes_ranges:
            status, start = 206, int(wanted.removeprefix("bytes=").rstrip("-"))
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        if self.breaks:
            self.breaks -= 1
            part = data[start : start + max(len(data) // 3, 1)]
            return Answer(status=status, headers=headers, pieces=[part], fault=("cut", "reset")[self.breaks % 2])
        return Answer(data[start:], status, {"Saltant-Version": "2", **headers})


@pytest.fixture
def store(server: Scripted, job: Any) -> Store:
    refused = {"name": "../evil", "size": None, "sha256": None, "attempt": 1, "why": "It leaves the folder."}
    server.decide = made = Store(FILES, [refused])
    return made


@pytest.fixture
def job(client_2: Client) -> Any:
    return client_2.executable_task_instances.response_data_to_model_instance(instance())


def test_the_list(store: Store, job: Any) -> None:
    results = job.results()
    assert [(each.name, each.size, each.why) for each in results] == [
        ("model.bin", 200_000, None),
        ("plots/ü 1.png", 3, None),
        ("empty", 0, None),
        ("../evil", 0, "It leaves the folder."),
    ]
    assert results[0].sha256 == hashlib.sha256(FILES["model.bin"]).hexdigest()


@pytest.mark.parametrize("breaks", [0, 1, 4])
@pytest.mark.parametrize("takes_ranges", [True, False])
def test_reading(store: Store, job: Any, breaks: int, takes_ranges: bool) -> None:
    store.takes_ranges = takes_ranges
    model, plot, empty, _ = job.results()
    store.breaks = breaks if takes_ranges else min(breaks, 1)
    assert model.read() == FILES["model.bin"]
    assert store.ranges[0] == ""
    assert all(wanted.startswith("bytes=") for wanted in store.ranges[1:])
    assert (plot.read(), empty.read()) == (b"png", b"")
    with model.open() as file:
        assert file.read(5) + file.read() == FILES["model.bin"]


def test_what_was_refused_cannot_be_had(store: Store, job: Any, tmp_path: Path) -> None:
    evil = job.results()[-1]
    acts: list[Callable[[], object]] = [evil.read, evil.open, lambda: evil.download(tmp_path)]
    for act in acts:
        with pytest.raises(exceptions.ResultRefused, match="leaves the folder"):
            act()


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil", "a\\evil", "a\0b", "..", "", "a//b", "x\n"])
def test_a_server_that_names_a_way_out_is_not_believed(store: Store, job: Any, tmp_path: Path, name: str) -> None:
    store.files[name] = b"evil"
    store.listed = [described(name, b"evil")]
    assert job.results()[0].why
    folder = tmp_path / "in" / "here"
    assert job.download_results(folder) == []
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_link_that_leads_out_of_the_folder(store: Store, job: Any, tmp_path: Path) -> None:
    folder, outside = tmp_path / "folder", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (folder / "plots").symlink_to(outside)
    with pytest.raises(ValueError, match="outside"):
        job.download_results(folder)
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("breaks", [0, 5])
def test_all_of_them(store: Store, job: Any, tmp_path: Path, breaks: int) -> None:
    store.breaks = breaks
    told: list[tuple[int, int, str]] = []
    paths = job.download_results(tmp_path / "out", lambda *said: told.append(said))
    assert {str(path.relative_to(tmp_path / "out")): path.read_bytes() for path in paths} == FILES
    assert sorted(path for path in (tmp_path / "out").rglob("*") if path.is_file()) == sorted(paths), "no part is left"
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)
    assert (told[-1][:2], {total for _, total, _ in told}) == ((200_003, 200_003), {200_003})
    assert {name for _, _, name in told} == set(FILES)

    asked = len(store.ranges)
    paths[0].write_bytes(b"changed")
    job.download_results(tmp_path / "out")
    assert len(store.ranges) == asked + 1, "what is there is not fetched again"
    assert paths[0].read_bytes() == FILES["model.bin"]


def test_a_download_that_was_stopped_goes_on(store: Store, job: Any, tmp_path: Path) -> None:
    model = job.results()[0]

    def stop(done: int, total: int, name: str) -> None:
        if done > total // 2:
            raise KeyboardInterrupt

    target = tmp_path / "new" / "model"
    with pytest.raises(KeyboardInterrupt):
        model.download(target, progress=stop)
    assert not target.exists()
    (part,) = target.parent.iterdir()
    size = part.stat().st_size
    assert part.suffix == ".part"
    assert size > 100_000
    assert model.download(target) == target
    assert store.ranges[-1] == f"bytes={size}-"
    assert target.read_bytes() == FILES["model.bin"]
    assert model.download(tmp_path) == tmp_path / "model.bin"


def test_a_part_that_is_damaged_is_begun_again(store: Store, job: Any, tmp_path: Path) -> None:
    model = job.results()[0]

    def stop(*said: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.download(tmp_path / "model", progress=stop)
    (part,) = tmp_path.iterdir()
    for damage in (b"x" * 5, b"x" * 200_000, b"x" * 300_000):
        part.write_bytes(damage)
        assert model.download(tmp_path / "model").read_bytes() == FILES["model.bin"]
        assert is_there(model, tmp_path / "model")


def test_what_comes_otherwise_is_never_left_there(store: Store, job: Any, tmp_path: Path) -> None:
    model = job.results()[0]
    store.files["model.bin"] = b"x" * 200_000
    with pytest.raises(exceptions.ChecksumMismatch):
        model.read()
    with pytest.raises(exceptions.ChecksumMismatch, match="2 times"):
        model.download(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_what_is_gone(store: Store, job: Any, tmp_path: Path) -> None:
    model = job.results()[0]
    del store.files["model.bin"]
    for act in (model.read, lambda: model.download(tmp_path / "model")):
        with pytest.raises(exceptions.NotFound):
            act()
    assert not (tmp_path / "model").exists()


def test_another_range_than_was_asked_for(server: Scripted, store: Store, job: Any) -> None:
    model = job.results()[0]
    store.breaks = 1
    decide = store.__call__

    def other(request: Request) -> Answer:
        answer = decide(request)
        if "Content-Range" in answer.headers:
            answer.headers["Content-Range"] = "bytes 7-9/200000"
        return answer

    server.decide = other
    with pytest.raises(exceptions.UnexpectedResponse, match="range"):
        model.read()


def test_a_server_that_begins_again_and_never_comes_to_the_end(
    store: Store, job: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_patience, "PATIENCE_SECONDS", 0.02)
    store.takes_ranges, store.breaks = False, 10**9
    with pytest.raises(exceptions.ConnectionFailed):
        job.results()[0].read()
