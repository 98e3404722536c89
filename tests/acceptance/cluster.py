"""Starts a `saltant server` and workers, each in processes of their own, over a database and a broker."""

import os
import secrets
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from saltant import Client
from tests.acceptance.ready import SPARES, Ready
from tests.acceptance.system import SALTANT, START, Site


class Program:
    """One `saltant` command that goes on, and what it prints."""

    def __init__(self, *words: str, environ: Mapping[str, str], output: Path) -> None:
        self.words = words
        self.environ = dict(environ)
        self.output = output
        self.process: subprocess.Popen[str] | None = None
        self.said = ""

    def start(self, *, wait: bool = True) -> None:
        """Start it; with `wait`, until it says that it is ready."""
        with self.output.open("a") as stderr:
            self.process = subprocess.Popen(
                [*SALTANT, *self.words],
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                env=self.environ,
                start_new_session=True,
            )
        if wait:
            self.wait_until_ready()

    def wait_until_ready(self) -> str:
        """The line that says that it is ready."""
        assert self.process is not None
        assert self.process.stdout is not None
        self.said = self.process.stdout.readline()
        assert "ready" in self.said, f"{self.words}: {self.said}{self.output.read_text()}"
        return self.said

    def stop(self, sig: signal.Signals = signal.SIGTERM, timeout: float = START) -> int:
        """Stop it politely; returns its exit code."""
        assert self.process is not None
        self.process.send_signal(sig)
        return self.process.wait(timeout)

    def kill(self) -> None:
        """Kill it as a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            if self.process.stdout is not None:
                self.process.stdout.close()

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self.process is not None and self.process.poll() is None


class Cluster(Site):
    """A server, and workers on the queue `default`, over PostgreSQL and a broker.

    Args:
        folder: for all that it keeps.
        database_url: an empty database, or one that is ready.
        broker_url: a broker, or a part of one, that nobody else uses.
        environ: more settings, of server and workers.
        concurrency: how many jobs its first worker runs at once.
        processes: how many processes serve.
        host: the address that the server listens on.
    """

    def __init__(
        self,
        folder: Path,
        *,
        database_url: str | Ready,
        broker_url: str,
        environ: Mapping[str, str] | None = None,
        concurrency: int = 4,
        processes: int = 2,
        host: str = "127.0.0.1",
    ) -> None:
        self.folder = folder
        self.host = host
        self.concurrency = concurrency
        self.processes = processes
        self.ready = database_url if isinstance(database_url, Ready) else None
        base = {name: value for name, value in os.environ.items() if not name.startswith("SALTANT_")}
        self.environ = base | {"SALTANT_BROKER_URL": broker_url} | dict(environ or {})
        self.server_environ = self.environ | {
            "SALTANT_DATABASE_URL": self.ready.url if self.ready else str(database_url),
            "SALTANT_SECRET_KEY": secrets.token_urlsafe(48),
        }
        self.output = folder / "output.txt"
        self.server = self._server_on(0)
        self.workers: list[Program] = []
        self.token = ""
        self.worker_token = ""
        self.spare: list[Any] = []

    def _server_on(self, port: int) -> Program:
        words = ("server", "--host", self.host, "--port", str(port), "--processes", str(self.processes))
        return Program(*words, environ=self.server_environ, output=self.output)

    def __enter__(self) -> "Cluster":
        try:
            self.set_up()
            self.start_server()
            self.fill()
            self.start_worker()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def set_up(self) -> None:
        """Make the tables and an admin, unless they are there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.ready:
            self.token = self.ready.token
            return
        self.saltant("migrate")
        self.saltant("user", "create", "admin", "--admin", "--no-password")
        self.token = self.saltant("token", "create", "admin").strip()

    def saltant(self, *words: str) -> str:
        """Run a `saltant` command of the server's; returns what it prints."""
        done = subprocess.run(
            [*SALTANT, *words], env=self.server_environ, capture_output=True, text=True, timeout=START, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start_server(self) -> None:
        """Start the server; the next time on the same port."""
        self.server.start()
        self.url = next(word for word in self.server.said.split() if word.startswith("http"))
        self.server.words = self._server_on(int(self.url.split(":")[2].split("/")[0])).words
        self.__dict__.pop("client", None)

    def fill(self) -> None:
        """Make the queues and a whitelist, unless they are there."""
        client: Client = self.client
        if self.ready:
            known = {queue.name: queue for queue in client.task_queues.list()}
            self.spare = [known[name] for name in SPARES]
            self.worker_token = self.ready.worker_token
            return
        whitelist = client.task_whitelists.create("default")
        client.task_queues.create("default", whitelists=[whitelist.id])
        self.spare = [client.task_queues.create(name, whitelists=[whitelist.id]) for name in SPARES]
        names = ["default", *(queue.name for queue in self.spare)]
        options = [word for name in names for word in ("--queue", name)]
        self.worker_token = self.saltant("token", "create", "admin", "--role", "worker", *options).strip()

    def worker(self, *options: str, name: str | None = None, environ: Mapping[str, str] | None = None) -> Program:
        """A worker that is not started yet."""
        name = name or f"worker-{len(self.workers) + 1}"
        queues = ["default", *(queue.name for queue in self.spare)]
        words = [word for queue in queues for word in ("--queue", queue)] if "--queue" not in options else []
        if "--concurrency" not in options:
            words += ["--concurrency", str(self.concurrency)]
        program = Program(
            "worker",
            *words,
            *("--name", name, "--data-dir", str(self.folder / name)),
            *options,
            environ=self.environ
            | {"SALTANT_SERVER_URL": self.url.removesuffix("api/"), "SALTANT_WORKER_TOKEN": self.worker_token}
            | dict(environ or {}),
            output=self.folder / f"{name}.txt",
        )
        self.workers.append(program)
        return program

    def start_worker(self, *options: str, **more: Any) -> Program:
        """One more worker."""
        program = self.worker(*options, **more)
        program.start()
        return program

    def kill(self) -> None:
        """Kill everything as a crash would."""
        for program in (*self.workers, self.server):
            program.kill()

    def kill_server(self) -> None:
        """Kill every process of the server at once."""
        assert self.server.process is not None
        self.server.process.send_signal(signal.SIGSTOP)  # it could start others meanwhile, and they could say goodbye
        for pid in self.server_processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.server.kill()

    def server_processes(self) -> list[int]:
        """The processes that serve."""
        assert self.server.process is not None
        tasks = Path(f"/proc/{self.server.process.pid}/task").iterdir()
        return [int(pid) for task in tasks for pid in (task / "children").read_text().split()]

    def printed(self) -> str:
        """All that server and workers logged."""
        files = (self.output, *(worker.output for worker in self.workers))
        return "".join(path.read_text() for path in files if path.exists())

    def check_printed(self) -> None:
        """No traceback, password or token is in what they logged."""
        printed = self.printed()
        assert "Traceback" not in printed, printed
        urls = (self.server_environ["SALTANT_DATABASE_URL"], self.server_environ["SALTANT_BROKER_URL"])
        secret = {urlsplit(url).password for url in urls} | {self.token, self.worker_token}
        for word in secret | {self.server_environ["SALTANT_SECRET_KEY"]}:
            assert word, "nothing is looked for"
            assert word not in printed, f"{word} is in: {printed}"

    @property
    def data_dir(self) -> Path:
        """The first worker's folder."""
        return self.folder / "worker-1"

    def own_queue(self) -> Any:
        """A queue that nobody else uses and a worker serves."""
        assert self.spare, "all are given out: the cluster needs more of them"
        return self.spare.pop()
