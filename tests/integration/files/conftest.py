"""A worker that runs an attempt, over each kind of store."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from saltant.files import LogChunk, ResultOffer
from saltant.jobs import Attempt
from saltant.server.files import services
from saltant.server.files.models import LogFile, ResultFile
from saltant.server.files.stores import Store, store
from saltant.server.tasks.models import TaskAttempt
from tests.integration.conftest import World
from tests.services.fixtures import obtain
from tests.services.s3 import ACCESS_KEY, REGION, S3, SECRET_KEY

WORKER = "node7"


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    """An S3 server that all tests share: each has buckets of its own, and none kills it."""
    service = obtain(S3)
    try:
        yield service.start()
    finally:
        service.stop()


Use = Callable[..., None]


@pytest.fixture
def use(settings: Any) -> Use:
    """Changes settings of saltant's for the rest of the test."""

    def change(**values: Any) -> None:
        settings.SALTANT = replace(settings.SALTANT, **values)

    return change


def s3_settings(s3: S3) -> dict[str, str]:
    """The settings of a server with a bucket of its own."""
    return {
        "s3_bucket": s3.new_bucket(),
        "s3_endpoint": s3.url,
        "s3_region": REGION,
        "s3_prefix": "lab/a",
        "s3_access_key": ACCESS_KEY,
        "s3_secret_key": SECRET_KEY,
    }


@pytest.fixture
def in_folder(use: Use, tmp_path: Path) -> Path:
    """The files are in a folder: this one."""
    use(files_dir=str(tmp_path / "files"))
    return tmp_path / "files"


@pytest.fixture(params=["folder", "s3"])
def kept(request: pytest.FixtureRequest, use: Use, tmp_path: Path) -> Store:
    """The store: a test that asks for it runs over both kinds."""
    if request.param == "s3":
        use(**s3_settings(request.getfixturevalue("s3")))
    else:
        use(files_dir=str(tmp_path / "files"))
    return store()


@dataclass
class Run:
    """An attempt that the worker has claimed."""

    row: TaskAttempt
    attempt: Attempt

    def ship(self, offset: int, data: bytes, *, name: str = "stdout", worker: str = WORKER) -> int:
        """Send one chunk of a log."""
        [answer] = services.append_logs(worker, [LogChunk(self.attempt, name, offset, data)])
        return answer

    def log(self, name: str = "stdout") -> bytes:
        """A log, as the server has it."""
        from saltant.server.files.keys import log_key

        row = LogFile.objects.get(attempt=self.row, name=name)
        return b"".join(store().read(log_key(self.attempt.uuid, self.attempt.number, row.pk), 0, row.size))

    def offer(self, name: str, data: bytes, **more: Any) -> int:
        """Offer a file with these bytes."""
        said = {"size": len(data), "sha256": sha256(data).hexdigest()} | more
        [answer] = services.offer_results(WORKER, self.attempt, [ResultOffer(name, **said)])
        return answer

    def put(self, name: str, offset: int, data: bytes, *, worker: str = WORKER) -> int:
        """Send a part of a file."""
        return services.put_result(worker, self.attempt, name, offset, data)

    def result(self, name: str) -> bytes:
        """A result, as the server has it."""
        from saltant.server.files.keys import result_key

        row = ResultFile.objects.get(attempt=self.row, name=name)
        assert row.is_complete
        return b"".join(store().read(result_key(self.attempt.uuid, self.attempt.number, row.pk), 0, row.size))

    def leave(self, name: str, data: bytes) -> None:
        """Upload a whole file."""
        self.offer(name, data)
        if data:
            assert self.put(name, 0, data) == len(data)


def claimed(world: World, *, number: int = 1, instance: Any = None, worker: str = WORKER) -> Run:
    """An attempt of the world's instance, or of another."""
    instance = instance or world.instance
    type(instance).objects.filter(pk=instance.pk).update(state="running", attempt=number)
    now = timezone.now()
    row = TaskAttempt.objects.create(
        instance=instance, number=number, worker=worker, datetime_claimed=now, lease_expires=now
    )
    return Run(row, Attempt(instance.uuid, number))


@pytest.fixture
def run(world: World) -> Run:
    """The attempt."""
    return claimed(world)
