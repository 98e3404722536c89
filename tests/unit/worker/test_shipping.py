"""What a worker ships of its jobs, to a server in memory."""

import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from saltant.exceptions import BadHttpRequestError, ConnectionFailed
from saltant.files import NO_MORE, LogChunk, RefusedFile, ResultOffer
from saltant.jobs import Attempt, End
from saltant.reasons import Reason
from saltant.worker.folders import WorkerFolders
from saltant.worker.removal import remove_tree
from saltant.worker.run_as import RunAs
from saltant.worker.shipping import Shipping
from saltant.worker.shipping.copies import remove_old
from saltant.worker.shipping.ledger import Ledger
from saltant.worker.spool import Spool
from tests.unit.worker.rig import PYTHON, Rig, Server, until

MIB = 1024 * 1024


class FileServer(Server):
    """The rig's server, with files.

    Attributes:
        calls: the calls about files.
        limit: how much of a log it takes.
        error: what every call about files raises instead, or None.
    """

    def __init__(self) -> None:
        super().__init__()
        self.logs: dict[tuple[Attempt, str], bytearray] = {}
        self.results: dict[tuple[Attempt, str], bytearray] = {}
        self.offers: dict[tuple[Attempt, str], ResultOffer] = {}
        self.refused: dict[str, str] = {}
        self.calls: list[str] = []
        self.limit = 1 << 40
        self.most = 1 << 40
        self.error: Exception | None = None
        self.asked: set[str] = set()
        self.largest = 0
        self.gate = threading.Event()
        self.gate.set()
        self.at_end: dict[Attempt, bytes] = {}

    def call(self, name: str, size: int = 0) -> None:
        self.calls.append(name)
        self.largest = max(self.largest, size)
        self.trouble(name)
        if self.error is not None:
            raise self.error
        if size > self.most:
            raise BadHttpRequestError("too large", status_code=413)
        assert self.gate.wait(30)

    def ship(self, worker: str, chunks: Sequence[LogChunk]) -> list[int]:
        self.call("ship", sum(len(chunk.data) for chunk in chunks))
        offsets = []
        for chunk in chunks:
            log = self.logs.setdefault((chunk.attempt, chunk.name), bytearray())
            if not chunk.data:
                self.asked.add(chunk.name)
            if chunk.offset <= len(log):
                log += chunk.data[len(log) - chunk.offset :]
            offsets.append(NO_MORE if len(log) > self.limit else len(log))
        with self.changed:
            self.changed.notify_all()
        return offsets

    def offer(
        self, attempt: Attempt, worker: str, files: Sequence[ResultOffer], refused: Sequence[RefusedFile]
    ) -> list[int]:
        self.call("offer")
        self.refused |= {each.name: each.why for each in refused}
        for each in files:
            if self.offers.get((attempt, each.name)) != each:
                self.offers[attempt, each.name] = each
                self.results[attempt, each.name] = bytearray()
        return [len(self.results[attempt, each.name]) for each in files]

    def upload(self, attempt: Attempt, worker: str, name: str, offset: int, data: bytes) -> int:
        self.call("upload", len(data))
        file, offer = self.results[attempt, name], self.offers[attempt, name]
        if offset <= len(file):
            file[offset:] = data
        if len(file) == offer.size and hashlib.sha256(file).hexdigest() != offer.sha256:
            file.clear()
        return len(file)

    def finish(self, attempt: Attempt, worker: str, end: End) -> bool:
        self.at_end[attempt] = self.log(attempt)
        return super().finish(attempt, worker, end)

    def log(self, attempt: Attempt, name: str = "stdout") -> bytes:
        return bytes(self.logs.get((attempt, name), b""))

    def result(self, attempt: Attempt, name: str) -> bytes:
        return bytes(self.results[attempt, name])

    def names(self, attempt: Attempt) -> set[str]:
        return {name for of, name in self.results if of == attempt}


class ShippingRig(Rig):
    """A worker that ships."""

    server: FileServer

    def __init__(self, data: Path, *, server: FileServer | None = None, **options: Any) -> None:
        server = server or FileServer()
        folders = WorkerFolders(data, options.get("run_as"))
        more = {name: options.pop(name) for name in ("keep_days", "patience") if name in options}
        self.shipping = Shipping(server, "rig", folders, held=options.get("held", ()), **more)
        super().__init__(data, control=server, shipping=self.shipping, start=False, **options)
        self.server = server
        self.worker._slots._source = server
        self.worker.start()


MakeRig = Callable[..., ShippingRig]


@pytest.fixture
def make_rig(tmp_path: Path) -> Iterator[MakeRig]:
    rigs = []

    def make(data: Path | None = None, **options: Any) -> ShippingRig:
        rigs.append(ShippingRig(data or tmp_path / "data", **options))
        return rigs[-1]

    yield make
    for each in rigs:
        each.close()


@pytest.fixture
def rig(make_rig: MakeRig) -> ShippingRig:
    return make_rig()


def python(script: Callable[..., str], text: str) -> str:
    return f"{PYTHON} {script(text, uuid4().hex)}"


def pending(rig: ShippingRig) -> list[Attempt]:
    return Ledger(rig.folders.shipping).pending()


def test_a_job_that_leaves_nothing_costs_no_request(rig: ShippingRig) -> None:
    for attempt in [rig.submit("/bin/true") for _ in range(20)]:
        assert rig.end_of(attempt).exit_code == 0
    assert rig.server.calls == []
    until(lambda: not pending(rig))


def test_output_arrives_while_the_job_runs(rig: ShippingRig) -> None:
    attempt = rig.submit("/bin/sh -c 'echo first; echo wrong >&2; sleep 1000'")
    until(lambda: rig.server.log(attempt) == b"first\n" and rig.server.log(attempt, "stderr") == b"wrong\n")
    assert attempt not in rig.server.ends
    rig.cancel(attempt)
    assert rig.end_of(attempt).reason is Reason.CANCELLED


def test_whoever_sees_the_end_finds_everything(make_rig: MakeRig, script: Callable[..., str]) -> None:
    rig = make_rig(slots=4)
    command = python(
        script,
        "import os\n"
        "os.write(1, b'x' * 3_000_001)\n"
        "open(os.environ['JOB_RESULTS_DIRECTORY'] + '/r', 'w').write('done')\n",
    )
    attempts = [rig.submit(command) for _ in range(8)]
    for attempt in attempts:
        assert rig.end_of(attempt).exit_code == 0
        assert rig.server.at_end[attempt] == b"x" * 3_000_001
        assert rig.server.result(attempt, "r") == b"done"
    assert rig.server.largest <= 4 * MIB
    until(lambda: not pending(rig))


def test_many_streams_share_a_request(make_rig: MakeRig) -> None:
    rig = make_rig(slots=8)
    attempts = [rig.submit("/bin/sh -c 'read x; echo never' ") for _ in range(2)]
    for attempt in attempts:
        rig.end_of(attempt)
    rig.server.calls.clear()
    rig.server.gate.clear()
    first = rig.submit("/bin/echo 1")
    until(lambda: rig.server.calls == ["ship"])
    others = [rig.submit("/bin/echo 2") for _ in range(7)]
    for attempt in others:
        until(lambda attempt=attempt: rig.folders.of(attempt).stdout.exists())
        until(lambda attempt=attempt: rig.folders.of(attempt).stdout.read_bytes() == b"2\n")
    rig.server.gate.set()
    for attempt in [first, *others]:
        rig.end_of(attempt)
    assert len(rig.server.calls) < 8


def test_results_of_all_kinds(rig: ShippingRig, script: Callable[..., str], tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    secret_folder = tmp_path / "elsewhere"
    secret_folder.mkdir()
    (secret_folder / "x").write_text("secret")
    command = python(
        script,
        "import os, socket\n"
        "os.chdir(os.environ['JOB_RESULTS_DIRECTORY'])\n"
        "os.makedirs('a/b/c')\n"
        "open('a/b/c/deep.txt', 'w').write('deep')\n"
        "open('Übung ☃.txt', 'w').write('snow')\n"
        "open('empty', 'w')\n"
        "open('large', 'wb').write(os.urandom(1 << 20) * 20)\n"
        f"os.symlink({str(secret)!r}, 'a/link')\n"
        f"os.symlink({str(secret_folder)!r}, 'folder')\n"
        "os.symlink('empty', 'inner')\n"
        "os.mkfifo('pipe')\n"
        "socket.socket(socket.AF_UNIX).bind('socket')\n"
        "open(b'bad\\xff', 'w').write('bad')\n"
        "open('line\\nbreak', 'w').write('bad')\n"
        "open('back\\\\slash', 'w').write('bad')\n",
    )
    attempt = rig.submit(command)
    assert rig.end_of(attempt).exit_code == 0
    assert rig.server.names(attempt) == {"a/b/c/deep.txt", "Übung ☃.txt", "empty", "large"}
    assert rig.server.result(attempt, "a/b/c/deep.txt") == b"deep"
    assert rig.server.result(attempt, "empty") == b""
    assert rig.server.result(attempt, "large") == (rig.folders.of(attempt).results / "large").read_bytes()
    refused = rig.server.refused
    assert refused.keys() == {
        "a/link", "folder", "inner", "pipe", "socket", "bad\ufffd", "line\ufffdbreak", "back\\slash"
    }  # fmt: skip
    assert (refused["a/link"], refused["pipe"], refused["socket"]) == (
        "It is a link.",
        "It is a pipe.",
        "It is a socket.",
    )
    until(lambda: not pending(rig))


def test_folders_without_end(rig: ShippingRig, script: Callable[..., str]) -> None:
    command = python(
        script,
        "import os\n"
        "os.chdir(os.environ['JOB_RESULTS_DIRECTORY'])\n"
        "for _ in range(3000):\n"
        "    os.mkdir('d'); os.chdir('d')\n"
        "open('x', 'w').write('x')\n",
    )
    attempt = rig.submit(command)
    assert rig.end_of(attempt).exit_code == 0
    assert rig.server.names(attempt) == set()
    assert len(rig.server.refused) == 1
    remove_tree(rig.folders.of(attempt).results)  # pytest could not


def test_a_job_that_replaces_its_log_by_a_link(rig: ShippingRig, script: Callable[..., str], tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret" * 10_000)
    command = python(
        script,
        "import os, time\n"
        "print('before', flush=True)\n"
        "logs, uuid = os.environ['JOB_LOGS_DIRECTORY'], os.environ['JOB_UUID']\n"
        "path = f'{logs}/{uuid}-stdout.txt'\n"
        "os.unlink(path)\n"
        f"os.symlink({str(secret)!r}, path)\n"
        "print('after', flush=True)\n",
    )
    attempt = rig.submit(command)
    assert rig.end_of(attempt).exit_code == 0
    assert rig.server.log(attempt) == b"before\nafter\n"


def test_a_job_that_makes_its_log_shorter(
    rig: ShippingRig, script: Callable[..., str], caplog: pytest.LogCaptureFixture
) -> None:
    command = python(
        script,
        "import os, sys, time\n"
        "os.write(1, b'0123456789')\n"
        "while not os.path.exists(os.environ['JOB_RESULTS_DIRECTORY'] + '/go'): time.sleep(0.01)\n"
        "os.truncate('/proc/self/fd/1', 3)\n",
    )
    attempt = rig.submit(command)
    until(lambda: rig.server.log(attempt) == b"0123456789")
    (rig.folders.of(attempt).results / "go").touch()
    assert rig.end_of(attempt).exit_code == 0
    assert rig.server.log(attempt) == b"0123456789"
    assert "shorter" in caplog.text


def test_the_server_wants_no_more(make_rig: MakeRig, script: Callable[..., str]) -> None:
    rig = make_rig()
    rig.server.limit = 1000
    attempt = rig.submit(python(script, "import os\nfor _ in range(64): os.write(1, b'x' * 1_000_000)\n"))
    assert rig.end_of(attempt).exit_code == 0
    assert len(rig.server.log(attempt)) < 64_000_000
    # What the server did not take is not removed here.
    until(lambda: not pending(rig))
    assert not list(rig.folders.shipping.glob("shipped-*"))


def test_memory_stays_flat(rig: ShippingRig, script: Callable[..., str]) -> None:
    def peak() -> int:
        return int(
            next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line).split()[1]
        )

    size = 100_000_000
    command = python(script, f"import os\nfor _ in range({size} // 1_000_000): os.write(1, b'0123456789' * 100_000)\n")
    kept = hashlib.sha256()

    def ship(worker: str, chunks: Sequence[LogChunk]) -> list[int]:
        for chunk in chunks:
            kept.update(chunk.data)
        return [chunk.offset + len(chunk.data) for chunk in chunks]

    rig.server.ship = ship  # type: ignore[method-assign]
    Path("/proc/self/clear_refs").write_text("5")  # counts the peak anew
    before = peak()
    attempt = rig.submit(command)
    assert rig.end_of(attempt).exit_code == 0
    assert peak() - before < 30_000  # kB
    expected = hashlib.sha256()
    for _ in range(size // 1_000_000):
        expected.update(b"0123456789" * 100_000)
    assert kept.hexdigest() == expected.hexdigest()


def test_the_end_waits_for_a_server_that_is_away(make_rig: MakeRig, tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    spool.open()
    rig = make_rig(spool=spool)
    rig.server.error = ConnectionFailed("it is away")
    attempt = rig.submit("/bin/sh -c 'echo out; echo result > $JOB_RESULTS_DIRECTORY/r'".replace("$", "$"))
    until(lambda: list(spool.folder.iterdir()))
    assert attempt not in rig.server.ends
    rig.server.error = None
    rig.end_of(attempt)
    assert rig.server.at_end[attempt] == b"out\n"


def test_a_new_life_delivers_what_the_old_one_could_not(
    make_rig: MakeRig, tmp_path: Path, script: Callable[..., str]
) -> None:
    spool = Spool(tmp_path / "spool")
    spool.open()
    rig = make_rig(spool=spool)
    rig.server.error, rig.server.troubles["finish"] = ConnectionFailed("it is away"), 1_000_000
    command = python(
        script,
        "import os\nprint('out')\nopen(os.environ['JOB_RESULTS_DIRECTORY'] + '/r', 'w').write('x' * 10_000_000)\n",
    )
    attempt = rig.submit(command)
    until(lambda: list(spool.folder.iterdir()))
    rig.close()
    assert pending(rig) == [attempt]
    server = FileServer()
    # The server has some of both already.
    server.logs[attempt, "stdout"] = bytearray(b"ou")
    rig = make_rig(server=server, spool=spool, held=spool.open())
    rig.end_of(attempt)
    assert server.at_end[attempt] == b"out\n"
    assert server.asked == {"stdout"}
    assert server.result(attempt, "r") == b"x" * 10_000_000
    until(lambda: not pending(rig))


def test_an_upload_goes_on_where_it_broke_off(make_rig: MakeRig, script: Callable[..., str]) -> None:
    rig = make_rig()
    original, seen = rig.server.upload, list[int]()

    def upload(attempt: Attempt, worker: str, name: str, offset: int, data: bytes) -> int:
        seen.append(offset)
        if len(seen) == 3:
            raise ConnectionFailed("it broke off")
        return original(attempt, worker, name, offset, data)

    rig.server.upload = upload  # type: ignore[method-assign]
    command = python(
        script, "import os\nopen(os.environ['JOB_RESULTS_DIRECTORY'] + '/r', 'wb').write(os.urandom(17_000_000))\n"
    )
    attempt = rig.submit(command)
    rig.end_of(attempt)
    assert seen == [0, 4 * MIB, 8 * MIB, 8 * MIB, 12 * MIB, 16 * MIB]
    assert rig.server.result(attempt, "r") == (rig.folders.of(attempt).results / "r").read_bytes()


def test_a_file_that_changes_is_hashed_again(make_rig: MakeRig, script: Callable[..., str]) -> None:
    rig = make_rig()
    original = rig.server.upload
    command = python(
        script, "import os\nopen(os.environ['JOB_RESULTS_DIRECTORY'] + '/r', 'wb').write(b'0' * 9_000_000)\n"
    )
    changes = [8_900_000, 8_999_999]  # where, each after the file was hashed and before that place is read

    def upload(attempt: Attempt, worker: str, name: str, offset: int, data: bytes) -> int:
        if changes and not offset:
            with (rig.folders.of(attempt).results / "r").open("r+b") as file:
                file.seek(changes.pop(0))
                file.write(b"11")
        return original(attempt, worker, name, offset, data)

    rig.server.upload = upload  # type: ignore[method-assign]
    attempt = rig.submit(command)
    rig.end_of(attempt)
    assert rig.server.result(attempt, "r") == b"0" * 8_900_000 + b"11" + b"0" * 99_997 + b"11"
    assert rig.server.offers[attempt, "r"].size == 9_000_001

    def always(attempt: Attempt, worker: str, name: str, offset: int, data: bytes) -> int:
        with (rig.folders.of(attempt).results / "r").open("ab") as file:
            file.write(b"more")
        return original(attempt, worker, name, offset, data)

    rig.server.upload = always  # type: ignore[method-assign]
    rig.server.refused.clear()
    rig.end_of(rig.submit(command))
    assert rig.server.refused == {"r": "It changed while it was uploaded."}


def test_an_end_is_reported_though_the_server_takes_no_files(
    make_rig: MakeRig, caplog: pytest.LogCaptureFixture
) -> None:
    rig = make_rig(patience=0.5)
    rig.server.error = BadHttpRequestError("its disk is full", status_code=507)
    attempt = rig.submit("/bin/echo out")
    rig.end_of(attempt)
    assert "its disk is full" in caplog.text
    until(lambda: pending(rig) == [attempt])
    rig.close()
    # It is sent later.
    rig.server.error, rig.server.closed = None, False
    rig = make_rig(server=rig.server)
    until(lambda: rig.server.log(attempt) == b"out\n")
    until(lambda: not pending(rig))


@pytest.mark.parametrize("status", [400, 404])
def test_a_server_that_refuses_for_good(make_rig: MakeRig, status: int) -> None:
    rig = make_rig()
    rig.server.error = BadHttpRequestError("no", status_code=status)
    attempt = rig.submit("/bin/sh -c 'echo out; echo result > $JOB_RESULTS_DIRECTORY/r'")
    rig.end_of(attempt)
    until(lambda: not pending(rig))
    assert rig.folders.of(attempt).stdout.read_bytes() == b"out\n"


def test_a_proxy_that_takes_no_large_requests(make_rig: MakeRig, script: Callable[..., str]) -> None:
    rig = make_rig()
    rig.server.most = MIB
    command = python(
        script,
        "import os\n"
        "os.write(1, b'x' * 5_000_000)\n"
        "open(os.environ['JOB_RESULTS_DIRECTORY'] + '/r', 'wb').write(os.urandom(5_000_000))\n",
    )
    attempt = rig.submit(command)
    rig.end_of(attempt)
    assert rig.server.at_end[attempt] == b"x" * 5_000_000
    assert len(rig.server.result(attempt, "r")) == 5_000_000


def test_logs_that_a_crash_cut_are_shipped(make_rig: MakeRig, tmp_path: Path) -> None:
    # As a worker that was killed leaves them.
    data, attempt = tmp_path / "data", Attempt(uuid4(), 2)
    folders = WorkerFolders(data)
    folders.make()
    ledger = Ledger(folders.shipping)
    known = folders.prepare(attempt)
    known.stdout.write_bytes(b"some of it")
    (known.results / "half").write_text("half of a result")
    known.stderr.symlink_to("/etc/passwd")
    ledger.begin(Attempt(uuid4(), 1))  # whose folders were never made
    folders.sweep()
    rig = make_rig(data)
    until(lambda: rig.server.log(attempt) == b"some of it")
    until(lambda: not pending(rig))
    assert rig.server.names(attempt) == set()
    assert (attempt, "stderr") not in rig.server.logs


def test_what_was_not_shipped_is_found_after_the_next_attempt(make_rig: MakeRig, tmp_path: Path) -> None:
    data, uuid = tmp_path / "data", uuid4()
    folders = WorkerFolders(data)
    folders.make()
    ledger = Ledger(folders.shipping)
    for number in (1, 3):  # the second ran elsewhere
        attempt = Attempt(uuid, number)
        ledger.begin(attempt)
        folders.prepare(attempt).stdout.write_text(f"attempt {number}")
    rig = make_rig(data)
    until(lambda: not pending(rig))
    assert [rig.server.log(Attempt(uuid, number)) for number in (1, 3)] == [b"attempt 1", b"attempt 3"]


def test_text_files_of_a_logs_folder(make_rig: MakeRig, tmp_path: Path) -> None:
    rig = make_rig()
    secret = tmp_path / "secret"
    secret.write_text("secret")
    attempt = Attempt(uuid4(), 1)
    files = rig.shipping.begin(attempt)
    folders = rig.folders.prepare(attempt)
    folders.stdout.write_text("not this way")
    files.watch([folders.stdout.name])
    (folders.logs / "sub").mkdir()
    (folders.logs / "sub" / "app.log").write_text("one\n")
    (folders.logs / "binary").write_bytes(b"\0\1\2")
    (folders.logs / "link").symlink_to(secret)
    os.mkfifo(folders.logs / "pipe")
    until(lambda: rig.server.log(attempt, "sub/app.log") == b"one\n")
    with (folders.logs / "sub" / "app.log").open("a") as file:
        file.write("two\n")
    until(lambda: rig.server.log(attempt, "sub/app.log") == b"one\ntwo\n")
    # Its name is taken by something else.
    (folders.logs / "sub" / "app.log").unlink()
    (folders.logs / "sub" / "app.log").symlink_to(secret)
    (folders.logs / "last.log").write_text("last\n")
    rig.shipping.deliver(attempt)
    rig.shipping.release(attempt)
    assert {name: bytes(data) for (_, name), data in rig.server.logs.items()} == {
        "sub/app.log": b"one\ntwo\n",
        "last.log": b"last\n",
    }


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs jobs as another user")
def test_what_another_user_owns_is_not_shipped_by_another_name(make_rig: MakeRig, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    for folder in tmp_path.parents:
        if folder.owner() == "root" and folder != Path("/") and "pytest" in str(folder):
            folder.chmod(0o755)
    rig = make_rig(run_as=RunAs.named("nobody"))
    attempt = Attempt(uuid4(), 1)
    rig.shipping.begin(attempt)
    folders = rig.folders.prepare(attempt)
    secret = tmp_path / "secret"
    secret.write_text("secret")
    # As a kernel without protected_hardlinks lets anybody do.
    os.link(secret, folders.results / "mine")
    rig.shipping.deliver(attempt)
    rig.shipping.release(attempt)
    assert rig.server.names(attempt) == set()
    assert rig.server.refused == {"mine": "It is another user's."}


def test_an_upload_is_left_for_later_when_the_worker_stops(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.server.error = BadHttpRequestError("busy", status_code=503)
    attempt = rig.submit("/bin/echo out")
    until(lambda: rig.server.calls.count("ship") > 2)
    rig.worker.stop(0)
    assert attempt in rig.server.ends
    assert pending(rig) == [attempt]


def test_copies_of_what_the_server_has_are_removed(make_rig: MakeRig, tmp_path: Path) -> None:
    rig = make_rig()
    attempts = [rig.submit("/bin/echo out") for _ in range(3)]
    for attempt in attempts:
        rig.end_of(attempt)
    until(lambda: not pending(rig))
    rig.close()
    touched, unknown = rig.folders.of(attempts[1]), rig.folders.of(Attempt(uuid4(), 1))
    unknown.logs.mkdir()
    today = datetime.now(UTC)
    os.utime(touched.logs, (0, (today + timedelta(days=3)).timestamp()))
    ledger = Ledger(rig.folders.shipping)
    assert remove_old(rig.folders, ledger, 7, (today + timedelta(days=7)).date()) == 0
    assert rig.folders.of(attempts[0]).stdout.exists()
    assert remove_old(rig.folders, ledger, 7, (today + timedelta(days=9)).date()) == 3
    left = {path.name for path in (*rig.folders.logs.iterdir(), *rig.folders.results.iterdir())}
    assert left == {touched.logs.name, unknown.logs.name}
    assert ledger.days() == []


def test_a_later_attempt_is_not_taken_for_the_one_that_was_shipped(tmp_path: Path) -> None:
    folders = WorkerFolders(tmp_path)
    folders.make()
    ledger, first = Ledger(folders.shipping), Attempt(uuid4(), 1)
    known = folders.prepare(first)
    inodes = frozenset({known.logs.stat().st_ino, known.results.stat().st_ino})
    ledger.begin(first)
    ledger.shipped(first, inodes)
    second = folders.prepare(Attempt(first.uuid, 2))
    assert remove_old(folders, ledger, 1, (datetime.now(UTC) + timedelta(days=3)).date()) == 1
    assert second.logs.exists()
    assert not (folders.logs / f"{first.uuid}.1").exists()


def test_a_new_worker_forgets_nothing_of_a_cut_line(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    attempt = Attempt(uuid4(), 1)
    ledger.shipped(attempt, frozenset({5, 6}))
    (day,) = ledger.days()
    with (tmp_path / f"shipped-{day}").open("a") as file:
        file.write("0b7a\n")
    assert [(each.attempt, each.inodes) for each in ledger.shipped_on(day)] == [(attempt, frozenset({5, 6}))]
