"""…/results/, …/results/NAME and the archives: what was uploaded, as it was."""

import io
import tarfile
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from saltant.files import RefusedFile
from saltant.server.files import archives, services
from saltant.server.files.stores import Key, Missing, Store, store
from saltant.server.tasks.models import TaskQueue
from tests.integration.conftest import Cast, Client, World
from tests.integration.files.conftest import WORKER, Run, claimed
from tests.integration.files.test_reading_logs import path_of, whole

DATA = bytes(range(256)) * 40
FILES = {"a.txt": b"a", "deep/ly/b ü.bin": DATA, "empty": b"", "n" * 300: b"long", "\N{GRINNING FACE}": b"smile"}


@pytest.fixture
def results(run: Run) -> dict[str, bytes]:
    """What the attempt left."""
    for name, data in FILES.items():
        run.leave(name, data)
    return FILES


def test_which_results_there_are(owner: Client, world: World, in_folder: Path, run: Run) -> None:
    path = path_of(world.instance, kind="results")
    assert owner.get2(path).json() == []
    run.leave("b", DATA)
    run.offer("a", DATA)
    run.put("a", 0, DATA[:10])
    services.offer_results(WORKER, run.attempt, [], [RefusedFile("link", "It leads out of the folder.")])
    digest = sha256(DATA).hexdigest()
    assert owner.get2(path).json() == [
        {
            "name": "a",
            "size": 10240,
            "sha256": digest,
            "attempt": 1,
            "why": "10 of its 10240 bytes have arrived so far.",
        },
        {"name": "b", "size": 10240, "sha256": digest, "attempt": 1, "why": None},
        {"name": "link", "size": None, "sha256": None, "attempt": 1, "why": "It leads out of the folder."},
    ]
    assert owner.get(path_of(world.instance, "a", kind="results")).status_code == 404
    claimed(world, number=2)
    assert owner.get2(path).json() == []
    assert len(owner.get2(f"{path}?attempt=1").json()) == 3


def test_one_result(owner: Client, world: World, kept: Store, results: dict[str, bytes]) -> None:
    for name, data in results.items():
        answer = owner.get(path_of(world.instance, name, kind="results"))
        assert (answer.status_code, whole(answer)) == (200, data)
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Disposition"].startswith("attachment; filename")
        assert answer.headers["ETag"] == f'"{sha256(data).hexdigest()}"'


def test_ranges(owner: Client, world: World, kept: Store, results: dict[str, bytes]) -> None:
    path = path_of(world.instance, "deep/ly/b ü.bin", kind="results")
    answer = owner.get(path, HTTP_RANGE="bytes=5000-6999")
    assert (answer.status_code, whole(answer)) == (206, DATA[5000:7000])
    assert answer.headers["Content-Range"] == "bytes 5000-6999/10240"
    assert owner.get(path, HTTP_RANGE="bytes=10240-").status_code == 416
    same, other = f'"{sha256(DATA).hexdigest()}"', '"other"'
    assert owner.get(path, HTTP_RANGE="bytes=5000-", HTTP_IF_RANGE=same).status_code == 206
    assert whole(owner.get(path, HTTP_RANGE="bytes=5000-", HTTP_IF_RANGE=other)) == DATA


def test_a_name_makes_no_header(owner: Client, world: World, in_folder: Path, run: Run) -> None:
    name = 'a"; filename="evil.exe'
    run.leave(name, b"x")
    said = owner.get(path_of(world.instance, name, kind="results")).headers["Content-Disposition"]
    assert said == 'attachment; filename="a\\"; filename=\\"evil.exe"'


def test_a_zip(owner: Client, world: World, kept: Store, results: dict[str, bytes], tmp_path: Path) -> None:
    answer = owner.get(path_of(world.instance, kind="results").rstrip("/") + ".zip")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/zip"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="results-{world.instance.uuid}.zip"'
    with zipfile.ZipFile(io.BytesIO(whole(answer))) as archive:
        assert archive.testzip() is None
        assert {info.filename: archive.read(info) for info in archive.infolist()} == results


def test_a_tar(owner: Client, world: World, kept: Store, results: dict[str, bytes]) -> None:
    answer = owner.get(path_of(world.instance, kind="results").rstrip("/") + ".tar/")
    assert answer.headers["Content-Type"] == "application/x-tar"
    with tarfile.open(fileobj=io.BytesIO(whole(answer))) as archive:
        assert {each.name: archive.extractfile(each).read() for each in archive} == results  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_an_archive_of_nothing(owner: Client, world: World, in_folder: Path, kind: str) -> None:
    data = whole(owner.get(path_of(world.instance, kind="results").rstrip("/") + f".{kind}"))
    if kind == "zip":
        with zipfile.ZipFile(io.BytesIO(data)) as zipped:
            assert zipped.namelist() == []
    else:
        with tarfile.open(fileobj=io.BytesIO(data)) as tarred:
            assert tarred.getnames() == []


@pytest.mark.parametrize("make", [archives.as_zip, archives.as_tar])
def test_an_archive_keeps_nothing_in_memory(in_folder: Path, make: Any) -> None:
    from django.utils import timezone

    key = Key("x", 10)
    store().write_at(key, 0, bytes(3_000_000))
    members = [archives.Member(f"f{number}", key, 3_000_000, timezone.now()) for number in range(3)]
    assert max(len(part) for part in make(members)) < 300_000


@pytest.mark.parametrize("make", [archives.as_zip, archives.as_tar])
def test_more_than_a_zip_of_old_can_say(monkeypatch: pytest.MonkeyPatch, make: Any, tmp_path: Path) -> None:
    from django.utils import timezone

    class Zeros:
        def read(self, key: Key, start: int, end: int) -> Any:
            left = end - start
            while left:
                yield bytes(min(left, 2**24))
                left -= min(left, 2**24)

    monkeypatch.setattr(archives, "store", Zeros)
    size = 2**32 + 5
    member = archives.Member("large", Key("x", 1), size, timezone.now())
    with (tmp_path / "archive").open("wb") as file:
        for part in make([member, archives.Member("small", Key("x", 1), 3, timezone.now())]):
            if part.count(0) == len(part) and len(part) >= 4096:
                file.seek(len(part), 1)  # a hole: the disk need not hold four gigabytes
            else:
                file.write(part)
        file.truncate()
    if make is archives.as_zip:
        with zipfile.ZipFile(tmp_path / "archive") as zipped:
            assert [info.file_size for info in zipped.infolist()] == [size, 3]
            assert zipped.read("small") == bytes(3)
    else:
        with tarfile.open(tmp_path / "archive") as tarred:
            assert [each.size for each in tarred] == [size, 3]


def test_who_reads_results_of_a_private_queue(cast: Cast, world: World, in_folder: Path, results: Any) -> None:
    TaskQueue.objects.update(private=True)
    roles = {"nobody": 401, "owner": 200, "stranger": 403, "queue_owner": 200, "admin": 200, "worker": 403}
    base = path_of(world.instance, kind="results").rstrip("/")
    for end in ("", "/a.txt", ".zip", ".tar"):
        assert {role: cast[role].get(f"{base}{end}").status_code for role in roles} == roles, end


def test_bytes_that_were_lost(owner: Client, world: World, in_folder: Path, results: Any) -> None:
    base = path_of(world.instance, kind="results").rstrip("/")
    last = max((path for path in in_folder.rglob("*") if path.is_file()), key=lambda path: int(path.name))
    last.unlink()
    answer = owner.get(f"{base}/{quote(list(FILES)[-1])}")
    assert (answer.status_code, answer.json()["detail"][:31]) == (404, "The server has lost this file: ")
    for kind in ("zip", "tar"):
        answer = owner.get(f"{base}.{kind}")
        with pytest.raises(Missing):  # what has begun breaks off, and is never taken for whole
            whole(answer)
    in_folder.rename(in_folder.with_name("elsewhere"))
    assert owner.get(f"{base}.zip").status_code == 404
