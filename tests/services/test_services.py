"""The services themselves: they start, bear a kill, keep what they should, and leave nothing behind."""

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import kombu
import psycopg
import pytest
import redis

from tests.services import PostgreSQL, RabbitMQ, Redis, Service
from tests.services.fixtures import obtain
from tests.services.install import put_in_place

ROOT = Path(__file__).parents[2]
SERVICES = [PostgreSQL, RabbitMQ, Redis]


def processes_in(folder: Path) -> list[int]:
    """The processes that work in a folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "cwd").readlink().is_relative_to(folder):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def wait_until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def ports(service: Service) -> list[int]:
    more = [service.epmd_port, service.distribution_port] if isinstance(service, RabbitMQ) else []
    return [service.port, *more]


@pytest.fixture(params=SERVICES, ids=lambda make: make.name)
def service(request: pytest.FixtureRequest) -> Iterator[Service]:
    made: Service = obtain(request.param, **({"persistent": True} if request.param is Redis else {}))
    try:
        yield made.start()
    finally:
        made.stop()


def store(service: Service) -> None:
    if isinstance(service, PostgreSQL):
        service.execute("CREATE TABLE kept (word text)")
        service.execute("INSERT INTO kept VALUES ('word')")
    elif isinstance(service, Redis):
        redis.Redis.from_url(service.url).set("kept", "word")
    else:
        with kombu.Connection(service.url, transport_options={"confirm_publish": True}) as connection:
            connection.SimpleQueue("kept").put("word")


def stored(service: Service) -> Any:
    if isinstance(service, PostgreSQL):
        with psycopg.connect(service.url) as connection:
            row = connection.execute("SELECT word FROM kept").fetchone()
            return row and row[0]
    if isinstance(service, Redis):
        return redis.Redis.from_url(service.url, decode_responses=True).get("kept")
    with kombu.Connection(service.url) as connection:
        return connection.SimpleQueue("kept").get(timeout=30).payload


def test_a_life(service: Service) -> None:
    store(service)
    folder, url = service.folder, service.url
    assert all(listens(port) for port in ports(service))
    service.kill()
    assert not any(listens(port) for port in ports(service))
    assert processes_in(folder) == []
    service.start()
    assert service.url == url
    assert stored(service) == "word"
    service.stop()
    assert processes_in(folder) == []
    assert not any(listens(port) for port in ports(service))
    assert not folder.exists()


@pytest.mark.parametrize("make", SERVICES, ids=lambda make: make.name)
def test_it_does_not_outlive_a_test_run_that_is_killed(make: type[Service]) -> None:
    obtain(make).stop()  # or skip
    program = (
        f"from tests.services import {make.__name__} as Make\n"
        "import os, time\n"
        "service = Make().start()\n"
        "print(service.folder, service.port, flush=True)\n"
        "time.sleep(600)\n"
    )
    environ = {name: value for name, value in os.environ.items() if name != "HOME"}
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, env=environ) as run:
        assert run.stdout is not None
        folder, port = run.stdout.readline().decode().split()
        assert listens(int(port))
        run.send_signal(signal.SIGKILL)
    wait_until(lambda: not Path(folder).exists())
    assert processes_in(Path(folder)) == []
    assert not listens(int(port))


def test_databases_are_separate(postgresql: PostgreSQL) -> None:
    urls = [postgresql.new_database() for _ in range(2)]
    for url in urls:
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE mine ()")
    assert len(set(urls)) == 2


def test_a_redis_that_keeps_nothing() -> None:
    with obtain(Redis) as service:
        store(service)
        service.kill()
        assert stored(service.start()) is None


def test_rabbitmq_speaks_tls() -> None:
    with obtain(RabbitMQ, tls=True) as service:
        assert service.url.startswith("amqps://")
        with kombu.Connection(service.url, ssl={"ca_certs": str(service.ca), "cert_reqs": ssl.CERT_REQUIRED}) as known:
            known.connect()
        unknown = kombu.Connection(service.url, ssl={"cert_reqs": ssl.CERT_REQUIRED})
        with unknown, pytest.raises(ssl.SSLCertVerificationError):
            unknown.connect()


def test_redis_speaks_tls() -> None:
    with obtain(Redis, tls=True) as service:
        assert service.url.startswith("rediss://")
        assert redis.Redis.from_url(service.url, ssl_ca_certs=str(service.ca)).ping()
        with pytest.raises(redis.ConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
            redis.Redis.from_url(service.url).ping()


def test_a_service_that_ends_at_once_says_why() -> None:
    service = obtain(PostgreSQL, options={"max_connections": "many"})
    try:
        with pytest.raises(AssertionError, match="max_connections"):
            service.start()
    finally:
        service.stop()


@pytest.mark.parametrize("before", [None, "text", "link"])
def test_a_policy_comes_back_as_it_was(tmp_path: Path, before: str | None) -> None:
    path = tmp_path / "folder" / "policy"
    if before is not None:
        path.parent.mkdir()
        other = tmp_path / "other"
        other.write_text("mine")
        path.symlink_to(other) if before == "link" else path.write_text("mine")
    with put_in_place(path, "exit 101", 0o755):
        assert path.read_text() == "exit 101"
        assert path.stat().st_mode & 0o777 == 0o755
    assert path.parent.exists() == (before is not None)
    if before is not None:
        assert path.read_text() == "mine"
        assert path.is_symlink() == (before == "link")
        assert list(path.parent.iterdir()) == [path]
