"""`saltant check` of a server and of workers, over real databases and brokers, and with what can be wrong."""

import json
import os
import secrets
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.acceptance.cluster import Cluster
from tests.acceptance.ready import ready_database
from tests.acceptance.system import SALTANT, START

SERVER = [
    *("settings", "https", "database", "connections", "migrations", "admin", "workers", "clock", "broker"),
    *("files", "versions", "server"),
]
WORKER = ["settings", "server", "token", "clock", "broker", "folder", "disk", "run-as", "launcher", "limits"]
WORKER += ["docker", "singularity"]


@pytest.fixture(scope="module")
def cluster(postgresql: Any, redis_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A server with a worker, the queue `default` and an admin."""
    with Cluster(
        tmp_path_factory.mktemp("check") / "data",
        database_url=ready_database(postgresql),
        broker_url=redis_server.new_url(),
        processes=1,
    ) as made:
        yield made


@pytest.fixture(scope="module")
def silent() -> Iterator[int]:
    """A port that takes connections and never says anything."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield listener.getsockname()[1]


def check(environ: dict[str, str], **more: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Exit code, and what was found by part. Passwords are never shown."""
    environ = {name: value for name, value in (environ | more).items() if value}
    done = subprocess.run(
        [*SALTANT, "check", "--json"], env=environ, capture_output=True, text=True, timeout=START, check=False
    )
    assert "Traceback" not in done.stderr
    for name in ("SALTANT_DATABASE_URL", "SALTANT_BROKER_URL"):
        try:
            password = urlsplit(environ.get(name, "")).password
        except ValueError:
            continue
        assert not password or password not in done.stdout + done.stderr
    return done.returncode, {each["part"]: each for each in json.loads(done.stdout)}


def failures(found: dict[str, dict[str, Any]]) -> list[str]:
    for each in found.values():
        assert bool(each["advice"]) is not each["ok"]
    return [part for part, each in found.items() if not each["ok"]]


def parts(*groups: tuple[str, list[str]]) -> list[str]:
    return ["settings", *(f"{group}/{name}" for group, names in groups for name in names)]


def worker_environ(cluster: Cluster) -> dict[str, str]:
    return cluster.workers[0].environ | {"SALTANT_DATA_DIR": str(cluster.data_dir)}


def test_all_is_well(cluster: Cluster) -> None:
    code, found = check(cluster.server_environ, SALTANT_SERVER_URL=cluster.url)
    assert (code, list(found), failures(found)) == (0, parts(("server", SERVER)), [])
    assert found["server/workers"]["says"] == "1 online, every queue is served"
    assert "ready" in found["server/server"]["says"]
    code, found = check(worker_environ(cluster))
    assert (code, list(found), failures(found)) == (0, parts(("worker", WORKER)), [])
    assert "default" in found["worker/token"]["says"]
    code, found = check(cluster.server_environ | worker_environ(cluster))
    assert (code, list(found), failures(found)) == (0, parts(("server", SERVER), ("worker", WORKER)), [])


def test_rabbitmq_carries_a_message_and_keeps_nothing(cluster: Cluster, rabbitmq: Any) -> None:
    url = rabbitmq.new_url()
    code, found = check(cluster.server_environ, SALTANT_BROKER_URL=url)
    assert code == 0
    assert "there and back" in found["server/broker"]["says"]
    vhost = url.rpartition("/")[2]
    assert "saltant.check" not in rabbitmq.control("list_queues", "-p", vhost, "name")


def test_a_named_folder_goes_before_all(cluster: Cluster, tmp_path: Path) -> None:
    done = subprocess.run(
        [*SALTANT, "check", "--json", "--data-dir", str(tmp_path / "none")],
        env=cluster.server_environ,
        capture_output=True,
        text=True,
        timeout=START,
        check=False,
    )
    assert [each["part"] for each in json.loads(done.stdout) if not each["ok"]] == ["folder"]


@pytest.mark.parametrize(
    ("variable", "value", "part", "says"),
    [
        ("SALTANT_SECRET_KEY", "", "settings", "Set SALTANT_SECRET_KEY"),
        ("SALTANT_SECRET_KEY", "short", "settings", "at least 32 characters"),
        ("SALTANT_HTTPS", "yes", "https", "No proxy is trusted"),
        ("SALTANT_BROKER_URL", "amqp://u:hushhush@127.0.0.1:1/x", "broker", "nothing listens there"),
        ("SALTANT_BROKER_URL", "amqp://u:hushhush@127.0.0.1:{silent}/x", "broker", "did not answer"),
        ("SALTANT_BROKER_URL", "kafka://u:hushhush@127.0.0.1/x", "broker", "must begin with"),
        ("SALTANT_DATABASE_URL", "postgresql://u:hushhush@127.0.0.1:1/x", "database", "refused"),
        ("SALTANT_DATABASE_URL", "postgresql://u:hushhush@127.0.0.1:{silent}/x", "database", "timeout"),
        ("SALTANT_FILES_DIR", "/dev/null/files", "files", "takes no writes"),
        ("SALTANT_SERVER_URL", "http://127.0.0.1:1", "server", "does not answer"),
        ("SALTANT_SERVER_URL", "http://127.0.0.1:{silent}", "server", "does not answer"),
    ],
)
def test_what_is_wrong_with_a_server(
    cluster: Cluster, silent: int, variable: str, value: str, part: str, says: str
) -> None:
    code, found = check(cluster.server_environ, **{variable: value.format(silent=silent)})
    assert (code, failures(found)) == (1, [f"server/{part}"])
    assert says in found[f"server/{part}"]["says"]


def test_a_database_without_tables_and_then_without_an_admin(cluster: Cluster, postgresql: Any) -> None:
    environ = cluster.server_environ | {"SALTANT_DATABASE_URL": postgresql.new_database()}
    code, found = check(environ)
    assert (code, failures(found)) == (1, ["server/migrations"])
    assert subprocess.run([*SALTANT, "migrate"], env=environ, capture_output=True).returncode == 0
    code, found = check(environ)
    assert (code, failures(found)) == (1, ["server/admin"])
    assert found["server/workers"]["says"] == "0 online; there is no queue yet"


def test_a_user_of_the_database_who_may_not_do_all(cluster: Cluster, postgresql: Any) -> None:
    name = f"guest_{os.getpid()}"
    password = secrets.token_hex(8)
    postgresql.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
    url = cluster.server_environ["SALTANT_DATABASE_URL"].replace("saltant:database-secret", f"{name}:{password}")
    code, found = check(cluster.server_environ, SALTANT_DATABASE_URL=url)
    assert (code, failures(found)) == (1, ["server/database"])
    assert f"{name} may not make tables" in found["server/database"]["says"]
    postgresql.execute(f"ALTER ROLE {name} SET default_transaction_read_only = on")
    assert "takes no writes" in check(cluster.server_environ, SALTANT_DATABASE_URL=url)[1]["server/database"]["says"]
    postgresql.execute(f"ALTER ROLE {name} RESET default_transaction_read_only")
    postgresql.execute(f"GRANT saltant TO {name}")
    postgresql.execute(f"ALTER ROLE {name} CONNECTION LIMIT 5")
    code, found = check(cluster.server_environ, SALTANT_DATABASE_URL=url)
    assert (code, failures(found)) == (1, ["server/connections"])
    assert "5 allowed" in found["server/connections"]["says"]


def test_a_queue_that_nobody_serves(cluster: Cluster) -> None:
    whitelist = cluster.client.task_whitelists.get(name="default")
    queue = cluster.client.task_queues.create("nobody", whitelists=[whitelist.id])
    code, found = check(cluster.server_environ)
    assert (code, found["server/workers"]["says"]) == (0, "1 online; nobody serves nobody")
    made = cluster.client.executable_task_instances.create(cluster.executable("true").id, queue.id)
    code, found = check(cluster.server_environ)
    assert (code, failures(found)) == (1, ["server/workers"])
    assert "--queue nobody" in found["server/workers"]["advice"]
    cluster.client.executable_task_instances.terminate(made.uuid)


@pytest.mark.parametrize(
    ("variable", "value", "failing", "says"),
    [
        ("SALTANT_WORKER_TOKEN", "nonsense", "token", "does not accept the token"),
        ("SALTANT_WORKER_TOKEN", "{admin}", "token", "not a worker's"),
        ("SALTANT_BROKER_URL", "", "settings", "lacks SALTANT_BROKER_URL"),
        ("SALTANT_SERVER_URL", "", "settings", "lacks SALTANT_SERVER_URL"),
        ("SALTANT_SERVER_URL", "ftp://127.0.0.1/", "server", "must be like https://"),
        ("SALTANT_SERVER_URL", "http://127.0.0.1:1", "server", "refused"),
        ("SALTANT_SERVER_URL", "http://127.0.0.1:{silent}", "server", "did not answer in time"),
        ("SALTANT_RUN_AS", "nosuchuser", "run-as", "nosuchuser"),
        ("SALTANT_DATA_DIR", "/etc", "folder", "not saltant's"),
        ("SALTANT_DATA_DIR", "/etc/passwd", "folder", "cannot be read"),
    ],
)
def test_what_is_wrong_with_a_worker(
    cluster: Cluster, silent: int, variable: str, value: str, failing: str, says: str
) -> None:
    value = value.format(silent=silent, admin=cluster.token)
    code, found = check(worker_environ(cluster), **{variable: value})
    assert (code, failures(found)) == (1, [f"worker/{failing}"])
    assert says in found[f"worker/{failing}"]["says"]


@pytest.mark.parametrize("words", [["backup", "x.tar.gz"], ["restore", "x.tar.gz"], ["env"]])
def test_what_is_for_folders_alone(cluster: Cluster, tmp_path: Path, words: list[str]) -> None:
    def run(*more: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*SALTANT, *words, *more],
            env=cluster.server_environ,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=START,
        )

    done = run()
    assert done.returncode == 1
    assert done.stderr.startswith("Error: SALTANT_DATABASE_URL is set, and this is for the folder")
    done = run("--data-dir", str(tmp_path / "none"))
    assert done.returncode == 1
    assert "SALTANT_DATABASE_URL" not in done.stderr
