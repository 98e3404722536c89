"""`saltant worker`: what it says of settings, folders and tokens that cannot be used; and its drain."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from saltant.folders import FolderLock
from tests.unit.worker.rig import until
from tests.unit.worker.web import TOKEN, Web

SALTANT = [sys.executable, "-m", "saltant", "worker"]
BROKER = "redis://127.0.0.1:1/0"  # nobody listens there
SECONDS = 60
BARE = """
import sys
sys.modules.update(dict.fromkeys(("django", "rest_framework", "psycopg", "sqlite3", "uvicorn")))  # not to be imported
from saltant.cli import main
try:
    main()
finally:
    print(sorted(name for name in sys.modules if name.startswith(("saltant.server", "saltant.up"))))
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SALTANT_")}
    return kept | {
        "XDG_DATA_HOME": str(tmp_path / "share"),
        "SALTANT_SERVER_URL": "http://127.0.0.1:1",
        "SALTANT_WORKER_TOKEN": TOKEN,
        "SALTANT_BROKER_URL": BROKER,
    }


@pytest.fixture
def web() -> Iterator[Web]:
    web = Web()
    yield web
    web.close()


def fails(environ: dict[str, str], *words: str) -> str:
    """What it says as it fails: one sentence."""
    run = subprocess.run([*SALTANT, *words], env=environ, capture_output=True, text=True, timeout=SECONDS)
    assert run.returncode == 1, run.stderr
    assert "Traceback" not in run.stderr
    assert run.stdout == ""
    (line,) = [line for line in run.stderr.splitlines() if line.startswith("Error: ")]
    return line


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        ("SALTANT_SERVER_URL", "--server URL, or SALTANT_SERVER_URL"),
        ("SALTANT_WORKER_TOKEN", "SALTANT_WORKER_TOKEN, or --token-file"),
        ("SALTANT_BROKER_URL", "SALTANT_BROKER_URL"),
    ],
)
def test_what_is_missing_is_named_with_what_to_set(environ: dict[str, str], missing: str, told: str) -> None:
    assert told in fails({name: value for name, value in environ.items() if name != missing}, "--queue", "q")


def test_it_must_be_told_its_queues(environ: dict[str, str]) -> None:
    assert "--queue NAME" in fails(environ)


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("SALTANT_SERVER_URL", "saltant.example.org", "https://saltant.example.org"),
        ("SALTANT_WORKER_TOKEN", "two words", "copy it again"),
        ("SALTANT_BROKER_URL", "http://:hush@host/", "SALTANT_BROKER_URL must begin with amqp://"),
        ("SALTANT_SERVER_CA", "/no/such/file", "SALTANT_SERVER_CA names /no/such/file"),
        ("SALTANT_WORKER_TOKEN_FILE", "/no/such/file", "both set"),
        ("SALTANT_RUN_AS", "nobody-of-that-name", "There is no user named 'nobody-of-that-name'"),
    ],
)
def test_what_cannot_be_used_is_told_without_secrets(
    environ: dict[str, str], variable: str, value: str, told: str
) -> None:
    said = fails(environ | {variable: value}, "--queue", "q")
    assert told in said
    assert "hush" not in said
    assert TOKEN not in said


@pytest.mark.parametrize("name", ["a/b", "..", "", "x" * 201])
def test_a_name_that_is_none_is_told(environ: dict[str, str], name: str) -> None:
    assert "--name" in fails(environ, "--queue", "q", "--name", name)


@pytest.mark.parametrize("words", [["--memory", "much"], ["--cpus", "nan"], ["--grace", "nan"], ["--memory", "0"]])
def test_what_is_no_number_is_told(environ: dict[str, str], words: list[str]) -> None:
    run = subprocess.run([*SALTANT, "--queue", "q", *words], env=environ, capture_output=True, text=True, timeout=60)
    assert run.returncode == 2
    assert words[0] in run.stderr


def test_a_token_file_that_cannot_be_read_is_named(environ: dict[str, str], tmp_path: Path) -> None:
    assert "/no/such/token" in fails(environ, "--queue", "q", "--token-file", "/no/such/token")
    empty = tmp_path / "token"
    empty.touch()
    assert "is empty" in fails(environ, "--queue", "q", "--token-file", str(empty))


def test_a_wrong_token_ends_it_with_a_sentence(environ: dict[str, str], web: Web, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("wrong\n")
    words = ["--queue", "q", "--server", web.url, "--token-file", str(tmp_path / "token")]
    assert "Invalid token. Set SALTANT_WORKER_TOKEN" in fails(environ, *words)


def test_a_folder_of_somebody_else_is_left_alone(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    words = ["--queue", "q", "--data-dir", str(tmp_path / "mine")]
    assert "not saltant's" in fails(environ, *words)
    (tmp_path / "mine" / "saltant.sqlite3").touch()
    assert "`saltant up`" in fails(environ, *words)
    assert sorted(path.name for path in (tmp_path / "mine").iterdir()) == ["saltant.sqlite3", "thesis.tex"]


def test_a_folder_that_cannot_be_made_is_told(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "Not a directory" in fails(environ, "--queue", "q", "--data-dir", str(tmp_path / "file" / "x"))


def test_without_celery_it_says_what_to_install(environ: dict[str, str]) -> None:
    block = "import sys; sys.modules['celery'] = None; from saltant.cli import main; main()"
    run = subprocess.run(
        [sys.executable, "-c", block, "worker", "--queue", "q"], env=environ, capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 1
    assert run.stderr == "Error: A worker needs celery, which is not installed: pip install 'saltant-py[worker]'\n"


class Started:
    """A worker in a process of its own, on its server."""

    def __init__(
        self, environ: dict[str, str], web: Web, folder: Path, command: Sequence[str] = tuple(SALTANT)
    ) -> None:
        self.web = web
        self.folder = folder
        self.environ = environ
        words = ["--queue", "q", "--name", "w", "--server", web.url, "--data-dir", str(folder), "--concurrency", "2"]
        self.errors = folder.with_name("stderr.txt")
        with self.errors.open("a") as stderr:
            self.process = subprocess.Popen(
                [*command, *words], env=environ, stdout=subprocess.PIPE, stderr=stderr, text=True
            )

    def read(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.errors.read_text()
        return line

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


@pytest.fixture
def started(environ: dict[str, str], web: Web, tmp_path: Path) -> Iterator[Started]:
    started = Started(environ, web, tmp_path / "worker")
    yield started
    started.close()


def test_it_says_when_it_is_ready_and_what_it_is(started: Started, web: Web) -> None:
    assert started.read() == f"saltant worker w is ready: 2 jobs at once of q, from {web.url}\n"
    (said,) = [body for path, body in web.requests if path.endswith("announce")]
    assert (said["worker"], said["queues"], said["slots"], said["holding"]) == ("w", ["q"], 2, [])
    assert said["identity"] == (started.folder / "worker-identity").read_text().strip()
    assert said["host"]
    assert said["version"]
    assert said["cpus"] > 0
    assert said["memory"] > 1 << 20
    assert started.folder.stat().st_mode & 0o777 == 0o700


def test_another_on_the_same_folder_is_told(started: Started, environ: dict[str, str]) -> None:
    started.read()
    assert "Another worker is using" in fails(environ, "--queue", "q", "--data-dir", str(started.folder))


def test_it_needs_no_database_and_no_django(environ: dict[str, str], web: Web, tmp_path: Path) -> None:
    """Where the server's parts cannot be imported it works all the same, and of ours it imports none of them."""
    started = Started(environ, web, tmp_path / "worker", [sys.executable, "-c", BARE, "worker"])
    try:
        assert "is ready" in started.read()
        started.process.send_signal(signal.SIGTERM)
        assert started.read() == "[]\n"
        assert started.process.wait(SECONDS) == 0
    finally:
        started.close()


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_one_signal_ends_an_idle_worker(started: Started, web: Web, signum: signal.Signals) -> None:
    started.read()
    started.process.send_signal(signum)
    assert started.process.wait(SECONDS) == 0
    assert web.server.left[-1] is False
    assert not FolderLock(started.folder).is_held()


def test_drain_waits_until_the_worker_is_gone(started: Started, environ: dict[str, str]) -> None:
    started.read()
    words = [*SALTANT, "--drain", "--data-dir", str(started.folder)]
    run = subprocess.run(words, env=environ, capture_output=True, text=True, timeout=SECONDS)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.endswith("The worker is gone.\n")
    assert started.process.wait(SECONDS) == 0


def test_drain_without_a_worker_is_told(environ: dict[str, str], tmp_path: Path) -> None:
    assert "No worker is using" in fails(environ, "--drain", "--data-dir", str(tmp_path / "none"))


def test_a_stored_number_alone_is_nobody_to_signal(environ: dict[str, str], tmp_path: Path) -> None:
    """The lock names a process that does not hold it."""
    lock = FolderLock(tmp_path)
    assert lock.take()
    other = subprocess.Popen(["/bin/sleep", "1000"])
    try:
        lock.path.write_text(f"{other.pid}\n")
        assert "cannot be found" in fails(environ, "--drain", "--data-dir", str(tmp_path))
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()
        lock.release()


def test_a_server_that_is_away_is_told_once_and_waited_for(environ: dict[str, str], tmp_path: Path) -> None:
    web = Web()
    url = web.url
    web.close()
    started = Started(environ | {"SALTANT_SERVER_URL": "unused"}, web, tmp_path / "worker")
    try:
        until(lambda: "cannot be reached" in started.errors.read_text())
        told = started.errors.read_text()
        assert f"{url}/api/worker/announce" in told
        assert "Traceback" not in told
        started.process.send_signal(signal.SIGTERM)
        assert started.process.wait(SECONDS) == 0
        assert started.errors.read_text().count("cannot be reached yet") == 1
    finally:
        started.close()
