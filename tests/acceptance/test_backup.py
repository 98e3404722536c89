"""`saltant backup` under load, `saltant restore` elsewhere, and archives that are not whole."""

import gzip
import io
import json
import os
import signal
import sqlite3
import stat
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.system import SALTANT, Up, wait_until


def saltant(*words: str | Path, fails: bool = False) -> str:
    """Run the command; returns what it says on stderr."""
    done = subprocess.run([*SALTANT, *map(str, words)], capture_output=True, text=True, timeout=120)
    assert (done.returncode != 0) is fails, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Up, Path]]:
    """An `up` with one instance that has ended, and a backup of it."""
    place = tmp_path_factory.mktemp("backup")
    with Up(place / "data") as up:
        script = "/bin/sh -c 'echo hello; cd \"$JOB_RESULTS_DIRECTORY\" 2>/dev/null; echo done'"
        up.run(up.executable(script, name="hello"))
        saltant("backup", place / "good.tar.gz", "--data-dir", up.data_dir)
        yield up, place / "good.tar.gz"


def test_a_copy_taken_under_load_holds_every_instance(tmp_path: Path) -> None:
    archive, copied = tmp_path / "backup.tar.gz", tmp_path / "copy"
    stop, made, broken = threading.Event(), [], []
    with Up(tmp_path / "data") as up:
        task_type = up.executable("/bin/echo")
        queue = up.client.task_queues.get(name="default").id

        def submit() -> None:
            try:
                while not stop.is_set():
                    made.append(up.client.executable_task_instances.create(task_type.id, queue, {"n": 1}).uuid)
            except Exception as error:
                broken.append(error)

        thread = threading.Thread(target=submit)
        thread.start()
        try:
            wait_until(lambda: len(made) >= 50, "some are submitted")
            before = list(made)
            saltant("backup", archive, "--data-dir", up.data_dir)
            count = len(made)
            wait_until(lambda: len(made) > count, "it goes on")
        finally:
            stop.set()
            thread.join()
        assert not broken
        assert len(made) > len(before)
        key = up.token
        up.stop()

    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    saltant("restore", archive, "--data-dir", copied)
    for name in ("saltant.sqlite3", "secret-key", "admin-token"):
        assert stat.S_IMODE((copied / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(copied.stat().st_mode) == 0o700
    with Up(copied) as copy:
        assert copy.token == key
        for each in copy.client.executable_task_instances.list():
            each.wait_until_finished(0.05, timeout=60)
        ended = {each.uuid: each for each in copy.client.executable_task_instances.list()}
        assert set(before) <= set(ended)
        assert set(ended) <= set(made)
        # What ran while the copy was taken was lost; all else was not.
        assert {(each.state, each.reason) for each in ended.values()} <= {("successful", "exited"), ("failed", "lost")}
        for uuid in before:
            if ended[uuid].state == "successful":
                assert copy.log(ended[uuid]) == '{"n": 1}\n'


def test_logs_and_results_come_along_or_not(made: tuple[Up, Path], tmp_path: Path) -> None:
    up, _ = made
    uuid = up.client.executable_task_instances.list()[0].uuid
    results = up.data_dir / "results" / uuid
    (results / "deep" / "er").mkdir(parents=True)
    (results / "deep" / "er" / "odd\nname \udcff").write_text("x")
    (results / "program").write_text("#!/bin/sh")
    (results / "program").chmod(0o750)
    (results / "twice").hardlink_to(results / "program")
    (results / "link").symlink_to("program")
    (results / "escape").symlink_to("/etc/passwd")
    os.mkfifo(results / "pipe")
    said = saltant("backup", tmp_path / "all.tar.gz", "--data-dir", up.data_dir)
    assert "escape" in said
    assert "pipe" in said
    saltant("restore", tmp_path / "all.tar.gz", "--data-dir", tmp_path / "all")
    copied = tmp_path / "all" / "results" / uuid
    assert {path.name for path in copied.iterdir()} == {"deep", "program", "twice", "link"}
    assert (copied / "deep" / "er" / "odd\nname \udcff").read_text() == "x"
    assert stat.S_IMODE((copied / "program").stat().st_mode) == 0o750
    assert (copied / "twice").read_text() == "#!/bin/sh"
    assert (copied / "link").readlink() == Path("program")
    log = f"logs/{uuid}/{uuid}-stdout.txt"
    assert (tmp_path / "all" / log).read_text() == (up.data_dir / log).read_text()

    saltant("backup", tmp_path / "few.tar.gz", "--data-dir", up.data_dir, "--without-files")
    saltant("restore", tmp_path / "few.tar.gz", "--data-dir", tmp_path / "few")
    assert sorted(path.name for path in (tmp_path / "few").iterdir()) == [
        "admin-token",
        "saltant.sqlite3",
        "secret-key",
    ]


def test_nothing_is_written_over_unless_asked(made: tuple[Up, Path], tmp_path: Path) -> None:
    up, archive = made
    target = tmp_path / "kept"
    target.write_text("precious")
    assert "--force" in saltant("backup", target, "--data-dir", up.data_dir, fails=True)
    assert target.read_text() == "precious"
    saltant("backup", target, "--data-dir", up.data_dir, "--force")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    for words in ([up.data_dir / "inside.tar.gz"], [tmp_path / "none" / "x"], ["/proc/x"]):
        assert "Error" in saltant("backup", *words, "--data-dir", up.data_dir, fails=True)
    assert "not a saltant folder" in saltant("backup", tmp_path / "x", "--data-dir", tmp_path / "none", fails=True)

    assert "is using" in saltant("restore", archive, "--data-dir", up.data_dir, fails=True)
    full = tmp_path / "full"
    full.mkdir()
    (full / "thesis.txt").write_text("")
    assert "not empty" in saltant("restore", archive, "--data-dir", full, fails=True)
    assert [path.name for path in full.iterdir()] == ["thesis.txt"]


def test_an_interrupted_backup_leaves_nothing(made: tuple[Up, Path], tmp_path: Path) -> None:
    up, _ = made
    uuid = up.client.executable_task_instances.list()[0].uuid
    with (up.data_dir / "results" / uuid / "big").open("wb") as file:
        file.write(os.urandom(1024 * 1024) * 200)
    process = subprocess.Popen([*SALTANT, "backup", tmp_path / "x", "--data-dir", up.data_dir], stderr=subprocess.PIPE)
    try:
        wait_until(lambda: any(tmp_path.iterdir()), "it has begun")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) != 0
        assert list(tmp_path.iterdir()) == []
    finally:
        process.kill()
        process.communicate()
        (up.data_dir / "results" / uuid / "big").unlink()


def repack(change: Callable[[dict[str, bytes]], None]) -> Callable[[bytes], bytes]:
    """Another archive, of changed members."""

    def packed(archive: bytes) -> bytes:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            members = {each.name: tar.extractfile(each) for each in tar if each.isreg()}
            content = {name: source.read() for name, source in members.items() if source is not None}
        change(content)
        target = io.BytesIO()
        with tarfile.open(fileobj=target, mode="w:gz") as tar:
            for name, data in content.items():
                member = tarfile.TarInfo(name)
                member.size, member.mode = len(data), 0o600
                tar.addfile(member, io.BytesIO(data))
        return target.getvalue()

    return packed


def flipped(archive: bytes) -> bytes:
    """One bit of the database is another, and gzip's own checksum is right."""
    data = bytearray(gzip.decompress(archive))
    data[data.index(b"SQLite format 3") + 5000] ^= 1
    return gzip.compress(bytes(data))


def escape(content: dict[str, bytes]) -> None:
    """A member outside, which the manifest knows."""
    import hashlib

    manifest = json.loads(content.pop("manifest.json"))
    content["logs/../../evil"] = b"x"
    entry = {"kind": "file", "mode": 0o600, "size": 1, "sha256": hashlib.sha256(b"x").hexdigest()}
    manifest["entries"] = {name: each for name, each in manifest["entries"].items() if each["kind"] == "file"}
    manifest["entries"]["logs/../../evil"] = entry
    content["manifest.json"] = json.dumps(manifest).encode()


def linked(target: str) -> Callable[[bytes], bytes]:
    """An archive with one more member: a link."""

    def packed(archive: bytes) -> bytes:
        data = io.BytesIO()
        with tarfile.open(fileobj=io.BytesIO(archive)) as old, tarfile.open(fileobj=data, mode="w:gz") as new:
            link = tarfile.TarInfo("logs/link")
            link.type, link.linkname = tarfile.SYMTYPE, target
            new.addfile(link)
            for member in old:
                new.addfile(member, old.extractfile(member) if member.isreg() else None)
        return data.getvalue()

    return packed


def newer(content: dict[str, bytes]) -> None:
    content["manifest.json"] = b'{"format": 99, "entries": {}}'


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda archive: archive[: len(archive) // 2], "cannot be read to its end"),
        (lambda archive: archive[:-1], "cannot be read to its end"),
        (lambda archive: b"", "not a whole backup"),
        (lambda archive: b"no archive at all", "backup"),
        (lambda archive: gzip.compress(b"no archive at all"), "backup"),
        (flipped, "not as its manifest says, such as 'saltant.sqlite3'"),
        (repack(lambda content: content.clear()), "no manifest"),
        (repack(lambda content: content.update({"logs/extra": b""})), "more than its manifest says"),
        (repack(lambda content: content.update(extra=b"")), "which no backup of saltant's does"),
        (repack(lambda content: content.__delitem__("secret-key")), "not as its manifest says"),
        (repack(escape), "which no backup of saltant's does"),
        (repack(newer), "later saltant"),
        (linked("/etc"), "harmless link"),
        (linked("../secret-key"), "harmless link"),
        (linked("x"), "not as its manifest says"),
    ],
)
def test_an_archive_that_is_not_whole_restores_nothing(
    made: tuple[Up, Path], tmp_path: Path, spoil: Callable[[bytes], bytes], said: str
) -> None:
    spoiled = tmp_path / "spoiled.tar.gz"
    spoiled.write_bytes(spoil(made[1].read_bytes()))
    assert said in saltant("restore", spoiled, "--data-dir", tmp_path / "new", fails=True)
    assert [path.name for path in tmp_path.iterdir()] == ["spoiled.tar.gz"]


def test_a_missing_archive_is_named(tmp_path: Path) -> None:
    assert "No such file" in saltant("restore", tmp_path / "none", "--data-dir", tmp_path / "new", fails=True)


def test_a_damaged_database_is_not_backed_up(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Up(data) as up:
        up.stop()
    with closing(sqlite3.connect(data / "saltant.sqlite3")) as database:
        # What a quick stop left in the log would be read from there.
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with (data / "saltant.sqlite3").open("r+b") as file:
        file.seek(8192)
        file.write(os.urandom(40960))
    assert "database" in saltant("backup", tmp_path / "x.tar.gz", "--data-dir", data, fails=True)
    assert not (tmp_path / "x.tar.gz").exists()
