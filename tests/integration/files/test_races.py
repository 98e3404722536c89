"""Several at once: server processes, and threads of one, that get the same chunks."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from saltant.server.files.models import LogFile, ResultFile
from saltant.server.files.stores import Store
from tests.integration.files.conftest import Run

shared = pytest.mark.skipif(connection.vendor == "sqlite", reason="tests' SQLite is in memory: it locks otherwise")
THREADS = 4
DATA = bytes(range(256)) * 400


pytestmark = pytest.mark.django_db(transaction=True)  # other connections must see what there is


def at_once(act: Callable[[int], Any]) -> list[Any]:
    """What several threads get, each with a connection of its own, that start together."""
    barrier = threading.Barrier(THREADS)

    def one(number: int) -> Any:
        try:
            barrier.wait(30)
            return act(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(one, range(THREADS)))


@shared
def test_the_same_chunks_at_once(kept: Store, run: Run) -> None:
    def ship_all(number: int) -> int:
        offset, step = 0, 1500 + 700 * number
        while offset < len(DATA):
            offset = run.ship(offset, DATA[offset : offset + step])
        return offset

    assert at_once(ship_all) == [len(DATA)] * THREADS
    assert run.log() == DATA
    assert LogFile.objects.count() == 1


@shared
def test_the_same_parts_of_a_result_at_once(kept: Store, run: Run) -> None:
    def put_all(number: int) -> int:
        offset, step = run.offer("a", DATA), 1500 + 700 * number
        while offset < len(DATA):
            offset = run.put("a", offset, DATA[offset : offset + step])
        return offset

    assert at_once(put_all) == [len(DATA)] * THREADS
    assert run.result("a") == DATA
    assert ResultFile.objects.count() == 1


@shared
def test_the_same_log_cut_at_once(in_folder: Path, run: Run, use: Any) -> None:
    use(log_limit=1000)
    at_once(lambda number: [run.ship(offset, DATA[offset : offset + 600]) for offset in (0, 600)])
    assert run.log().startswith(DATA[:1000])
    assert run.log().count(b"cut here") == 1


PROCESS = """
import sys, django
django.setup()
from uuid import UUID
from saltant.files import LogChunk
from saltant.jobs import Attempt
from saltant.server.files import services
attempt, size, step = Attempt(UUID(sys.argv[1]), 1), int(sys.argv[2]), int(sys.argv[3])
data = (bytes(range(256)) * (size // 256 + 1))[:size]
sys.stdout.write("ready\\n"); sys.stdout.flush(); sys.stdin.readline()
offset = 0
while offset < size:
    [offset] = services.append_logs("node7", [LogChunk(attempt, "stdout", offset, data[offset:offset + step])])
print(offset)
"""


@pytest.mark.skipif(connection.vendor == "sqlite", reason="one process serves a folder of `saltant up`")
def test_two_server_processes_that_get_the_same_chunks(kept: Store, run: Run) -> None:
    environ = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "saltant.server.settings",
        "SALTANT_DATABASE_URL": url_of_the_test_database(),
        "SALTANT_DATA_DIR": str(settings.SALTANT.data_dir),
        "SALTANT_FILES_DIR": settings.SALTANT.files_dir,
    }
    for name in ("bucket", "endpoint", "region", "prefix", "access_key", "secret_key"):
        environ[f"SALTANT_S3_{name.upper()}"] = getattr(settings.SALTANT, f"s3_{name}")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(run.attempt.uuid), str(len(DATA)), step],
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for step in ("3000", "2100")
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        outputs = at_once_of(processes)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert outputs == [f"{len(DATA)}\n"] * 2
    assert sha256(run.log()).digest() == sha256(DATA).digest()


def at_once_of(processes: list[Any]) -> list[str]:
    """Let processes begin, and return what they print."""
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    return [process.communicate(timeout=60)[0] for process in processes]


def url_of_the_test_database() -> str:
    """The database that the tests are in, as a URL."""
    said = connection.settings_dict
    return f"postgresql://{said['USER']}:{said['PASSWORD']}@{said['HOST']}:{said['PORT']}/{said['NAME']}"


THREADED = """
import threading, django
django.setup()
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
call_command("migrate", verbosity=0)
from saltant.files import LogChunk
from saltant.jobs import Attempt
from saltant.server.files import services
from saltant.server.files.keys import log_key
from saltant.server.files.models import LogFile
from saltant.server.files.stores import store
from saltant.server.tasks.models import TaskAttempt, TaskInstance, TaskQueue, TaskType
row = TaskInstance.objects.create(
    task_class="executable", kind="executable", snapshot={}, task_queue=TaskQueue.objects.create(name="q"),
    task_type=TaskType.objects.create(task_class="executable", name="t", command_to_run="true"))
TaskAttempt.objects.create(instance=row, number=1, worker="node7", datetime_claimed=timezone.now())
attempt, data = Attempt(row.uuid, 1), bytes(range(256)) * 200
barrier = threading.Barrier(4)
def ship(step):
    barrier.wait(30)
    offset = 0
    while offset < len(data):
        [offset] = services.append_logs("node7", [LogChunk(attempt, "stdout", offset, data[offset:offset + step])])
    connection.close()
threads = [threading.Thread(target=ship, args=(1500 + 700 * number,)) for number in range(4)]
[each.start() for each in threads], [each.join() for each in threads]
log = LogFile.objects.get()
print(b"".join(store().read(log_key(row.uuid, 1, log.pk), 0, log.size)) == data)
"""


@pytest.mark.skipif(connection.vendor != "sqlite", reason="it is about SQLite")
def test_threads_over_the_database_of_a_folder(tmp_path: Path) -> None:
    environ = {"DJANGO_SETTINGS_MODULE": "saltant.server.settings", "SALTANT_DATA_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", THREADED], env=environ, capture_output=True, text=True, timeout=100)
    assert (done.stdout, done.stderr) == ("True\n", "")
