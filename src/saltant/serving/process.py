"""One of the processes of `saltant server`: `python -m saltant.serving.process SOCKET LINE`, both file descriptors.

It serves until LINE, which joins it to its supervisor, is closed: by a stop, or because the supervisor died.
"""

import logging
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from threading import Thread

import django
from django.db import DatabaseError

from saltant import logs
from saltant.config import Settings, SettingsError
from saltant.engine.celery import CeleryEngine
from saltant.serving.database import parameters, why
from saltant.serving.http import HttpServer
from saltant.serving.supervisor import READY, UNFIT

log = logging.getLogger("saltant.server")

SWEEP_INTERVAL = 1.0
ABANDONED = 30.0
"""Seconds after which a process whose supervisor was killed ends, whatever it still waits for."""


def main() -> int:
    """Serve; returns the exit code."""
    sock, line = (socket.socket(fileno=int(number)) for number in sys.argv[1:3])
    # The supervisor ends us: a Ctrl-C reaches it, too.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.umask(0o077)
    try:
        settings = Settings.from_env()
        logs.configure(settings)
        os.environ["DJANGO_SETTINGS_MODULE"] = "saltant.server.settings"
        django.setup()
        missing = _missing_migrations()
    except SettingsError as error:
        print(f"Error: {error}", file=sys.stderr)
        return UNFIT
    except DatabaseError as error:
        print(f"Error: The database cannot be used: {why(error)}.", file=sys.stderr)
        return 1
    if missing:
        print(
            f"Error: The database lacks {len(missing)} migrations, {missing[0]} first: run `saltant migrate`.",
            file=sys.stderr,
        )
        return UNFIT
    _serve(settings, sock, line)
    return 0


def _missing_migrations() -> list[str]:
    from django.db import connection

    from saltant.server.health import missing_migrations

    try:
        return missing_migrations()
    finally:
        connection.close()


def _serve(settings: Settings, sock: socket.socket, line: socket.socket) -> None:
    from saltant.server.hub import board
    from saltant.server.hub.line import Line
    from saltant.server.tasks import changes, dispatch
    from saltant.server.tasks.sweeper import Sweeper

    to_others = Line(board, parameters(settings))
    to_others.start()
    changes.send_to(to_others.tell)
    engine = CeleryEngine(settings.broker_url, ca=settings.broker_ca)
    dispatch.use(engine)
    sweeper = Sweeper(interval=SWEEP_INTERVAL, lease=settings.lease, republish=settings.republish)
    supervisor = os.getppid()

    def say_ready() -> None:
        with suppress(OSError):  # it was told to stop before it could start
            line.sendall(READY)

    server = HttpServer(sock, say_ready, settings.trusted_proxies)

    def stop_when_told() -> None:
        line.recv(1)
        server.stop()
        time.sleep(ABANDONED)
        if os.getppid() != supervisor:  # nobody is left to kill it
            os._exit(1)

    def stop_on_signal(signum: int, frame: object) -> None:
        server.stop()

    signal.signal(signal.SIGTERM, stop_on_signal)
    Thread(target=stop_when_told, name="line", daemon=True).start()
    sweeper.start()
    server.serve_until_told()
    sweeper.stop()
    dispatch.use(None)
    changes.send_to(None)
    to_others.stop()
    engine.close()


if __name__ == "__main__":
    sys.exit(main())
