"""Starts and stops the parts of `saltant up` in the right order."""

import logging
import os
import shlex
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from threading import Event, Thread
from types import FrameType
from typing import TYPE_CHECKING

import django

from saltant import logs
from saltant.config import Settings, default_data_dir, variable_of
from saltant.engine.embedded import EmbeddedEngine
from saltant.serving.http import HttpServer, base_url, is_loopback, listen
from saltant.up.folder import DataFolder, UpError
from saltant.worker.assembly import identity_of, make_tools
from saltant.worker.loop import Worker
from saltant.worker.machine import this_machine
from saltant.worker.runners import make_runners
from saltant.worker.shipping import Shipping

if TYPE_CHECKING:
    from saltant.server.tasks.sweeper import Sweeper
    from saltant.up.control import LocalControl

log = logging.getLogger("saltant.up")

SWEEP_INTERVAL = 1.0
HTTP_STOP = 1.0
"""Seconds of the grace kept for the HTTP server, which serves until the last job's end is recorded."""


class System:
    """Server, worker and sweeper over one folder."""

    def __init__(
        self, settings: Settings, *, host: str, port: int, slots: int, queues: Sequence[str], grace: float
    ) -> None:
        self._settings = settings
        self._host = host
        self._port = port
        self._slots = slots
        self._queues = list(queues) or None
        self._grace = grace
        self._stop_asked = Event()
        self._hurry_asked = Event()

    def run(self) -> None:
        """Serve until SIGTERM, SIGINT or SIGHUP.

        Raises:
            UpError: it cannot start.
        """
        os.umask(0o077)
        logs.configure(self._settings)
        folder = DataFolder(self._settings.data_dir)
        folder.open()
        try:
            with listen(self._host, self._port) as sock:
                signal.signal(signal.SIGTERM, self._on_signal)
                signal.signal(signal.SIGINT, self._on_signal)
                if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup ignores it
                    signal.signal(signal.SIGHUP, self._on_signal)
                self._configure_django(folder.path)
                self._serve(folder, sock)
        finally:
            folder.close()

    def _configure_django(self, data_dir: Path) -> None:
        os.environ[variable_of("data_dir")] = str(data_dir)
        if not self._settings.allowed_hosts and not is_loopback(self._host):
            os.environ[variable_of("allowed_hosts")] = "*"
        os.environ["DJANGO_SETTINGS_MODULE"] = "saltant.server.settings"
        django.setup()

    def _serve(self, folder: DataFolder, sock: socket.socket) -> None:
        # These need Django's settings, which need the folder.
        from saltant.server.hub import board
        from saltant.server.tasks import changes, dispatch, services
        from saltant.server.tasks.models import TaskQueue
        from saltant.server.tasks.sweeper import Sweeper
        from saltant.up.control import LocalControl
        from saltant.up.first_start import prepare

        # Jobs' threads and requests share the interpreter: at the default 5 ms they wait too long for each other.
        sys.setswitchinterval(0.001)
        prepare(folder)
        engine = EmbeddedEngine()
        dispatch.use(engine)
        changes.send_to(board.post)
        worker = self._make_worker(folder.path, engine, LocalControl(engine))
        engine.worker, engine.on_cancel = worker.name, lambda uuid: worker.look()
        lost, waiting = services.recover(), dispatch.publish_waiting()
        if lost or waiting:
            log.info("%d instances wait; %d were running when saltant was stopped hard", waiting, lost)

        for queue in sorted(set(self._queues or ()) - set(TaskQueue.objects.values_list("name", flat=True))):
            log.warning("There is no queue named %r yet: nothing of it runs until somebody makes it.", queue)

        def ready() -> None:
            folder.publish_address(f"{base_url(sock)}/api/")
            named = "" if folder.path == default_data_dir() else f" --data-dir {shlex.quote(str(folder.path))}"
            print(
                f'saltant is ready at {base_url(sock)}/api/  In another terminal: eval "$(saltant env{named})"',
                flush=True,
            )

        server = HttpServer(sock, ready, self._settings.trusted_proxies)
        sweeper = Sweeper(interval=SWEEP_INTERVAL, lease=self._settings.lease)
        worker.start()
        sweeper.start()
        Thread(target=self._stop_when_asked, args=(worker, sweeper, server), name="stop", daemon=True).start()
        server.serve_until_told()

    def _make_worker(self, data_dir: Path, engine: EmbeddedEngine, control: "LocalControl") -> Worker:
        try:
            machine, name = this_machine(), socket.gethostname()
            tools = make_tools(data_dir, self._settings, worker=name, server=lambda: control.server, gpus=machine.gpus)
            runners = make_runners(tools)
            said = machine.announce(
                name,
                identity=identity_of(data_dir),
                queues=self._queues,
                slots=self._slots,
                kinds=list(runners),
            )
        except (OSError, ValueError) as error:
            raise UpError(str(error)) from None
        return Worker(
            said=said,
            control=control,
            source=engine,
            runners=runners,
            heartbeat_seconds=self._settings.lease / 4,
            kill_grace=self._settings.kill_grace,
            engines_seconds=self._settings.engines_every,
            shipping=Shipping(control, name, tools.folders, keep_days=self._settings.keep_local),
            exchange=control.exchange,
        )

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        # Handlers run between two lines of the main thread: they only leave a mark.
        (self._hurry_asked if self._stop_asked.is_set() else self._stop_asked).set()

    def _stop_when_asked(self, worker: Worker, sweeper: "Sweeper", server: HttpServer) -> None:
        self._stop_asked.wait()
        log.info("Stopping: what runs has until %g seconds from now. Another signal ends it at once.", self._grace)
        Thread(target=self._hurry_when_asked, args=(worker,), name="hurry", daemon=True).start()
        sweeper.stop()
        worker.stop(max(0.0, self._grace - HTTP_STOP))
        server.stop()

    def _hurry_when_asked(self, worker: Worker) -> None:
        self._hurry_asked.wait()
        worker.stop(0)
