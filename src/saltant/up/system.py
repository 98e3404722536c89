"""Starts and stops the parts of `saltant up` in the right order."""

import logging
import os
import signal
import socket
from collections.abc import Sequence
from pathlib import Path
from threading import Event, Thread
from types import FrameType
from typing import TYPE_CHECKING

import django

from saltant.config import Settings, variable_of
from saltant.engine.embedded import EmbeddedEngine
from saltant.up.folder import DataFolder
from saltant.up.http import HttpServer, base_url, is_loopback, listen

if TYPE_CHECKING:
    from saltant.worker.loop import Worker

log = logging.getLogger("saltant.up")

SWEEP_INTERVAL = 5.0
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
        """Serve until SIGTERM or SIGINT.

        Raises:
            UpError: it cannot start.
        """
        os.umask(0o077)
        folder = DataFolder(self._settings.data_dir)
        folder.open()
        try:
            with listen(self._host, self._port) as sock:
                signal.signal(signal.SIGTERM, self._on_signal)
                signal.signal(signal.SIGINT, self._on_signal)
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
        from saltant.server.tasks import dispatch, services
        from saltant.server.tasks.sweeper import Sweeper
        from saltant.up.first_start import prepare

        prepare(folder)
        engine = EmbeddedEngine()
        dispatch.use(engine)
        worker = self._make_worker(folder, engine)
        engine.on_cancel = lambda uuid: worker.look()
        lost = services.recover(worker.name)
        waiting = dispatch.publish_waiting()
        log.info("Found %d instances that wait and %d that were running when it was stopped hard", waiting, lost)

        def ready() -> None:
            folder.publish_address(f"{base_url(sock)}/api/")
            print(f'saltant is ready at {base_url(sock)}/api/  In another shell: eval "$({env_command})"', flush=True)

        server = HttpServer(sock, ready)
        sweeper = Sweeper(interval=SWEEP_INTERVAL, lease=self._settings.lease)
        worker.start()
        sweeper.start()
        Thread(target=self._stop_when_asked, args=(worker, engine, sweeper, server), name="stop", daemon=True).start()
        server.serve_until_told()
