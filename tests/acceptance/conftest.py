"""A real saltant, as people start it: in one process, or spread over a database, a broker, a server and workers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.cluster import Cluster
from tests.acceptance.ready import ready_database
from tests.acceptance.system import Site, Up

SYSTEMS = {"embedded": None, "rabbitmq": "rabbitmq", "redis": "redis_server"}
"""The systems that the tests marked `everywhere` run on, and the fixture of each one's broker."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Have tests marked `everywhere` run on each system."""
    if "up" in metafunc.fixturenames and metafunc.definition.get_closest_marker("everywhere"):
        metafunc.parametrize("up", SYSTEMS, indirect=True, scope="session")


@pytest.fixture(scope="session")
def up(request: pytest.FixtureRequest) -> Site:
    """One saltant for all tests that leave it running: `saltant up`, unless a test is for `everywhere`."""
    site: Site = request.getfixturevalue(f"site_{getattr(request, 'param', 'embedded')}")
    return site


@pytest.fixture(scope="session")
def site_embedded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A `saltant up`. Each of these three is started by the first test that is for it, and runs till the last."""
    yield from _site("embedded", request, tmp_path_factory)


@pytest.fixture(scope="session")
def site_rabbitmq(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A cluster over RabbitMQ."""
    yield from _site("rabbitmq", request, tmp_path_factory)


@pytest.fixture(scope="session")
def site_redis(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A cluster over Redis."""
    yield from _site("redis", request, tmp_path_factory)


def _site(name: str, request: pytest.FixtureRequest, folders: pytest.TempPathFactory) -> Iterator[Site]:
    with make_site(name, request, folders.mktemp(name) / "data") as site:
        yield site


def make_site(
    name: str,
    request: pytest.FixtureRequest,
    folder: Path,
    *,
    concurrency: int = 4,
    environ: dict[str, str] | None = None,
) -> "Up | Cluster":
    """A site of one of `SYSTEMS`, not started yet."""
    broker = SYSTEMS[name]
    if broker is None:
        return Up(folder, "--concurrency", str(concurrency), environ=environ)
    database: Any = request.getfixturevalue("postgresql")
    return Cluster(
        folder,
        database_url=ready_database(database),
        broker_url=request.getfixturevalue(broker).new_url(),
        concurrency=concurrency,
        environ=environ,
    )


@pytest.fixture
def own_up(tmp_path: Path) -> Iterator[Up]:
    """A `saltant up` of the test's own, to be stopped, killed and started again."""
    with Up(tmp_path / "data", "--concurrency", "2") as system:
        yield system
