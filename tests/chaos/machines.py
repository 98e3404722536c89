"""The server, the broker and the workers that are hurt, and how to find their processes."""

import select
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from saltant.worker import processes
from tests.acceptance.cluster import Cluster, Program
from tests.acceptance.ready import ready_database
from tests.acceptance.system import START
from tests.chaos.proxy import Network, Way
from tests.services import PostgreSQL, RabbitMQ

LEASE = 4.0
SETTINGS = {"SALTANT_LEASE": f"{LEASE:g}", "SALTANT_REPUBLISH": "1", "SALTANT_KILL_GRACE": "0.3"}
WORKERS = 3
SLOTS = 3


class Machine:
    """A worker, and its ways to server and broker."""

    def __init__(self, name: str, program: Program, ways: tuple[Way, ...], folder: Path) -> None:
        self.name = name
        self.program = program
        self.ways = ways
        self.folder = folder

    @property
    def launcher(self) -> int | None:
        """The process that starts its jobs, if there is one."""
        process = self.program.process
        mark = b"SALTANT_LAUNCHER=" + bytes(self.folder)
        for pid in [] if process is None else processes.children(process.pid):
            if mark in environ_of(pid):
                return pid
        return None

    @property
    def shims(self) -> list[int]:
        """The processes that watch over its jobs, and those that wait for one."""
        launcher = self.launcher
        return [] if launcher is None else processes.children(launcher)

    @property
    def busy_shims(self) -> list[int]:
        """The processes that watch over its jobs."""
        return [pid for pid in self.shims if processes.children(pid)]


class Machines:
    """All of them. Leaves nothing running at its end.

    Args:
        folder: for all that they keep.
        postgresql: where the server gets a database.
        rabbitmq: the broker, theirs alone.
        workers: how many there are.
        slots: how many jobs each of them runs at once.
    """

    def __init__(
        self, folder: Path, postgresql: PostgreSQL, rabbitmq: RabbitMQ, *, workers: int = WORKERS, slots: int = SLOTS
    ) -> None:
        self.folder = folder
        self.postgresql = postgresql
        self.rabbitmq = rabbitmq
        database = ready_database(postgresql)
        self.database_url = database.url
        self.cluster = Cluster(
            folder, database_url=database, broker_url=rabbitmq.url, environ=SETTINGS, concurrency=slots
        )
        self.network = Network()
        self.count = workers
        self.workers: list[Machine] = []

    def __enter__(self) -> "Machines":
        try:
            self.cluster.set_up()
            self.cluster.start_server()
            self.cluster.fill()
            port = int(self.cluster.url.split(":")[2].split("/")[0])
            for number in range(1, self.count + 1):
                self._add(f"worker-{number}", port)
            for worker in self.workers:
                worker.program.start(wait=False)
            for worker in self.workers:
                wait_ready(worker.program)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.cluster.kill()
        self.network.close()

    def _add(self, name: str, server_port: int) -> None:
        server, broker = self.network.way_to(server_port), self.network.way_to(self.rabbitmq.port)
        environ = {
            "SALTANT_SERVER_URL": f"http://127.0.0.1:{server.port}",
            "SALTANT_BROKER_URL": self.rabbitmq.url.replace(f":{self.rabbitmq.port}/", f":{broker.port}/"),
        }
        program = self.cluster.worker(name=name, environ=environ)
        self.workers.append(Machine(name, program, (server, broker), self.folder / name))

    def start_server(self) -> None:
        """Start the server again on its port, which the processes of the one before may still hold."""
        server = self.cluster.server
        end = time.monotonic() + START
        while True:
            server.start(wait=False)
            if wait_ready(server, may_end=time.monotonic() < end):
                return
            server.kill()
            time.sleep(0.2)

    @property
    def outputs(self) -> dict[str, str]:
        """What server and workers printed."""
        return {path.stem: path.read_text(errors="replace") for path in self.folder.glob("*.txt")}


def wait_ready(program: Program, *, may_end: bool = False) -> bool:
    """Wait until a program says that it is ready; returns False if it ended, where it may."""
    process = program.process
    assert process is not None
    assert process.stdout is not None
    said = select.select([process.stdout], [], [], START)[0] and process.stdout.readline()
    if not said and may_end and process.wait(START) is not None:
        return False
    assert "ready" in (said or ""), f"not ready within {START} s: {program.words}\n{program.output.read_text()[-5000:]}"
    return True


def environ_of(pid: int) -> list[bytes]:
    """The environment of a process; empty if it has gone."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return []


def alive(is_meant: Callable[[bytes], bool]) -> list[int]:
    """The processes with a variable in their environment that is meant."""
    return [pid for pid in processes.all_pids() if any(map(is_meant, environ_of(pid)))]
