"""`saltant server`: bad starts, and what becomes of its processes."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.acceptance.cluster import Cluster, Program
from tests.acceptance.system import SALTANT, START, wait_until
from tests.services import PostgreSQL, Redis

WRONG = "wr0ng-password"


@pytest.fixture(scope="module")
def migrated(postgresql: Any, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    """A server that can be started, without a broker: every test sets its own."""
    cluster = Cluster(
        tmp_path_factory.mktemp("server") / "data",
        database_url=postgresql.new_database(),
        broker_url="redis://127.0.0.1:1/0",
    )
    cluster.set_up()
    return cluster


@pytest.fixture
def running(migrated: Cluster, redis_server: Any, tmp_path: Path) -> Iterator[Program]:
    """A server of two processes, both of them there."""
    program = program_of(migrated, tmp_path, SALTANT_BROKER_URL=redis_server.new_url())
    program.start()
    try:
        wait_until(lambda: len(children(program)) == 2, "both processes are there")
        yield program
    finally:
        program.kill()


def program_of(cluster: Cluster, folder: Path, **environ: str) -> Program:
    """A server on a free port that is not started yet."""
    words = ("server", "--port", "0", "--processes", "2")
    return Program(*words, environ=cluster.server_environ | environ, output=folder / "server.txt")


def refused(cluster: Cluster, *words: str, **environ: str) -> str:
    """What a server says that does not start, a line without a secret."""
    done = subprocess.run(
        [*SALTANT, "server", *words],
        env={name: value for name, value in (cluster.server_environ | environ).items() if value},
        capture_output=True,
        text=True,
        timeout=START,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    assert WRONG not in done.stderr
    return done.stderr


def url_of(program: Program) -> str:
    return next(word for word in program.said.split() if word.startswith("http")).removesuffix("api/")


def children(program: Program) -> set[int]:
    """The processes that serve."""
    assert program.process is not None
    return children_of(program.process.pid)


def children_of(parent: int) -> set[int]:
    found = set()
    for task in Path(f"/proc/{parent}/task").iterdir():
        found |= {int(pid) for pid in (task / "children").read_text().split() if serves(int(pid))}
    return found


def serves(pid: int) -> bool:
    """Whether a process is there, is alive, and is one that serves."""
    try:
        dead = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        return not dead and b"saltant.serving.process" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"SALTANT_DATABASE_URL": ""}, "Set SALTANT_DATABASE_URL"),
        ({"SALTANT_BROKER_URL": ""}, "Set SALTANT_BROKER_URL"),
        ({"SALTANT_SECRET_KEY": ""}, "Set SALTANT_SECRET_KEY"),
        ({"SALTANT_SECRET_KEY": "short"}, "at least 32 characters"),
        ({"SALTANT_DATABASE_URL": f"mysql://u:{WRONG}@127.0.0.1/x"}, "must begin with postgresql://"),
        ({"SALTANT_DATABASE_URL": f"postgresql://u:/{WRONG}@127.0.0.1/x"}, "write / as %2F"),
        ({"SALTANT_DATABASE_URL": f"postgresql://u:1#{WRONG}@127.0.0.1/x"}, "# as %23"),
        ({"SALTANT_DATABASE_URL": f"postgresql://u:{WRONG}@127.0.0.1"}, "names no database"),
        ({"SALTANT_BROKER_URL": f"mongodb://u:{WRONG}@127.0.0.1/x"}, "must begin with amqp://"),
    ],
)
def test_settings_that_are_not_enough(migrated: Cluster, environ: dict[str, str], says: str) -> None:
    said = refused(migrated, **environ)
    assert says in said
    assert said.count("\n") == 1


def test_a_database_without_tables(migrated: Cluster, postgresql: Any) -> None:
    said = refused(migrated, "--port", "0", SALTANT_DATABASE_URL=postgresql.new_database())
    assert "run `saltant migrate`" in said


def test_a_port_that_is_taken(migrated: Cluster) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        said = refused(migrated, "--port", str(port))
    assert f"Cannot listen on 127.0.0.1 port {port}" in said


def test_a_wrong_password_is_tried_again_and_not_shown(migrated: Cluster, postgresql: Any, tmp_path: Path) -> None:
    url = migrated.server_environ["SALTANT_DATABASE_URL"].replace("database-secret", WRONG)
    program = program_of(migrated, tmp_path, SALTANT_DATABASE_URL=url)
    program.start(wait=False)
    try:
        wait_until(lambda: program.output.read_text().count("Trying again") >= 2, "it tries more than once")
        said = program.output.read_text()
        assert "password authentication failed" in said
        assert WRONG not in said
        assert "Traceback" not in said
        assert program.stop() == -signal.SIGTERM
    finally:
        program.kill()


def test_a_database_that_comes_later(migrated: Cluster, postgresql: Any, tmp_path: Path) -> None:
    url = postgresql.url_of(f"later_{os.getpid()}")
    program = program_of(migrated, tmp_path, SALTANT_DATABASE_URL=url)
    program.start(wait=False)
    try:
        wait_until(lambda: "Trying again" in program.output.read_text(), "it says that the database is missing")
        assert "does not exist" in program.output.read_text()
        # Made elsewhere and renamed, so that it is never there without its tables.
        made = postgresql.new_database()
        subprocess.run([*SALTANT, "migrate"], env=program.environ | {"SALTANT_DATABASE_URL": made}, check=True)
        postgresql.execute(f'ALTER DATABASE "{made.rpartition("/")[2]}" RENAME TO later_{os.getpid()}')
        program.wait_until_ready()
        assert requests.get(f"{url_of(program)}readyz", timeout=START).json()["parts"]["database"] == "ok"
    finally:
        program.kill()


def test_a_broker_that_comes_later(postgresql: Any, tmp_path: Path) -> None:
    redis = Redis()
    cluster = Cluster(tmp_path / "data", database_url=postgresql.new_database(), broker_url=redis.url)
    try:
        cluster.set_up()
        cluster.start_server()
        assert "nothing listens there. Tickets are sent when it is back." in cluster.output.read_text()
        ready = requests.get(f"{cluster.url.removesuffix('api/')}readyz", timeout=START)
        assert ready.status_code == 503
        assert {name for name, said in ready.json()["parts"].items() if said != "ok"} == {"engine"}
        cluster.fill()
        instance = cluster.submit(cluster.executable("echo came"))
        assert instance.state in ("created", "published")
        redis.start()
        cluster.start_worker("--concurrency", "1")
        assert instance.wait_until_finished(0.02, timeout=START).state == "successful"
        assert cluster.log(instance) == "came\n"
        wait_until(
            lambda: requests.get(f"{cluster.url.removesuffix('api/')}readyz", timeout=START).status_code == 200,
            "it is ready",
        )
    finally:
        cluster.kill()
        redis.stop()


def test_a_killed_process_is_started_anew(running: Program) -> None:
    for _ in range(2):
        before = children(running)
        killed = min(before)
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda before=before: len(children(running) - before) == 1, "another process is there")
        assert killed not in children(running)
        assert requests.get(f"{url_of(running)}readyz", timeout=START).status_code == 200
    assert "signal SIGKILL" in running.output.read_text()


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_ends_all(running: Program, sig: signal.Signals) -> None:
    served = children(running)
    assert running.stop(sig) == 0
    assert not any(serves(pid) for pid in served)
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{url_of(running)}healthz", timeout=START)
    assert "Traceback" not in running.output.read_text()
    assert "is killed" not in running.output.read_text()


def test_a_process_that_hangs_is_killed_after_the_grace(migrated: Cluster, tmp_path: Path) -> None:
    program = program_of(migrated, tmp_path)
    program.words = (*program.words, "--grace", "0.5")
    program.start()
    try:
        wait_until(lambda: len(children(program)) == 2, "both processes are there")
        served = children(program)
        os.kill(min(served), signal.SIGSTOP)
        assert program.stop() == 0
        assert not any(serves(pid) for pid in served)
        assert f"{min(served)} is killed" in program.output.read_text()
    finally:
        program.kill()


def test_nothing_outlives_a_killed_supervisor(running: Program) -> None:
    served = children(running)
    running.kill()
    wait_until(lambda: not any(serves(pid) for pid in served), "no process serves any more")


def test_a_database_that_is_killed_and_comes_back(redis_server: Any, tmp_path: Path) -> None:
    with PostgreSQL() as database:
        cluster = Cluster(tmp_path / "data", database_url=database.url, broker_url=redis_server.new_url())
        try:
            cluster.set_up()
            cluster.start_server()
            served = children(cluster.server)
            url = f"{cluster.url.removesuffix('api/')}readyz"
            database.kill()
            assert requests.get(url, timeout=START).json()["parts"]["database"] != "ok"
            database.start()
            wait_until(lambda: requests.get(url, timeout=START).status_code == 200, "it is ready again")
            assert served <= children(cluster.server)
            assert cluster.client.users.list()[0].username == "admin"
        finally:
            cluster.kill()
