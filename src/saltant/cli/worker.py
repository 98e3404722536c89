"""`saltant worker`."""

import math
import os
import re
import socket
from pathlib import Path
from typing import Any

import click

from saltant.config import Settings, SettingsError, variable_of

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", re.IGNORECASE)


class Size(click.ParamType):  # type: ignore[type-arg]  # generic in newer releases of click only
    """Bytes, as people write them."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The bytes."""
        match = _SIZE.fullmatch(value.strip())
        size = int(float(match[1]) * _UNITS[match[2].upper()]) if match and len(value) < 30 else 0
        if not 1 <= size < 1 << 63:
            self.fail(f"{value!r} is no size: write it like 64GiB, 512M, or a number of bytes.", param, ctx)
        return size


@click.command(epilog="Example: saltant worker --queue default --concurrency 8 --server https://saltant.example.org")
@click.option("--queue", "queues", multiple=True, metavar="NAME", help="Serve this queue; may be repeated.")
@click.option(
    "--concurrency",
    type=click.IntRange(min=1, max=1000),
    help="How many jobs run at once. As many as there are processors by default.",
)
@click.option("--server", metavar="URL", help="Where its server is; SALTANT_SERVER_URL by default.")
@click.option("--name", help="Its name, unique among the workers of the server. The host's by default.")
@click.option(
    "--token-file", type=click.Path(path_type=Path), help="A file with its token; or set SALTANT_WORKER_TOKEN."
)
@click.option("--data-dir", type=click.Path(path_type=Path), help="The folder for what it keeps, its own alone.")
@click.option(
    "--cpus",
    type=click.FloatRange(0.01, 1e6),
    help="Processors that its jobs may ask for together. Those of the machine by default.",
)
@click.option("--memory", type=Size(), help="Memory that its jobs may ask for together. The machine's by default.")
@click.option("--run-as", metavar="USER", help="The user that executables run as; only root can choose one.")
@click.option(
    "--grace",
    type=click.FloatRange(0, 86400),
    help="Seconds between SIGTERM and SIGKILL for what runs when it is stopped. SALTANT_KILL_GRACE by default.",
)
@click.option("--drain", is_flag=True, help="Tell the worker of the folder to drain, and wait until it is gone.")
def worker(
    queues: tuple[str, ...],
    concurrency: int | None,
    server: str | None,
    name: str | None,
    token_file: Path | None,
    data_dir: Path | None,
    cpus: float | None,
    memory: int | None,
    run_as: str | None,
    grace: float | None,
    drain: bool,
) -> None:
    """Run jobs of some queues, on a machine of its own.

    It needs its server, the broker (SALTANT_BROKER_URL) and a worker's token (SALTANT_WORKER_TOKEN).
    SIGTERM or Ctrl-C drains it: it takes nothing new and finishes what runs. A second one ends that.
    """
    for number, option in ((cpus, "--cpus"), (grace, "--grace")):
        if number is not None and math.isnan(number):
            raise click.BadParameter("it must be a number.", param_hint=option)
    folder = data_dir or _folder_of_environment()
    if drain:
        _drain(folder)
        return
    try:
        settings = Settings.from_env(_environment(token_file), run_as=run_as, server_url=server)
        _check(settings, queues)
        _run(
            settings,
            name=_name(name),
            queues=list(dict.fromkeys(queues)),
            slots=concurrency or len(os.sched_getaffinity(0)),
            folder=folder,
            cpus=cpus,
            memory=memory,
            grace=settings.kill_grace if grace is None else grace,
        )
    except SettingsError as error:
        raise click.ClickException(str(error)) from None


def _run(settings: Settings, **plan: Any) -> None:
    try:
        from saltant.worker.home import CannotWork
        from saltant.worker.service import Plan, Service
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "saltant"):
            raise
        raise click.ClickException(
            f"A worker needs {package}, which is not installed: pip install 'saltant-py[worker]'"
        ) from None
    try:
        Service(settings, Plan(**plan)).run()
    except CannotWork as error:
        raise click.ClickException(str(error)) from None


def _drain(folder: Path) -> None:
    from saltant.worker.home import CannotWork, WorkerHome

    try:
        WorkerHome(folder).drain(click.echo)
    except CannotWork as error:
        raise click.ClickException(str(error)) from None
    click.echo("The worker is gone.")


def _folder_of_environment() -> Path:
    from saltant.worker.home import default_folder

    named = os.environ.get(variable_of("data_dir"), "").strip()
    return Path(named) if named else default_folder()


def _environment(token_file: Path | None) -> dict[str, str]:
    environ = dict(os.environ)
    if token_file is not None:
        environ.pop(variable_of("worker_token"), None)
        environ[f"{variable_of('worker_token')}_FILE"] = str(token_file)
    return environ


def _check(settings: Settings, queues: tuple[str, ...]) -> None:
    """Say what is missing before anything is made.

    Raises:
        SettingsError: with a sentence that says what to set.
    """
    if not queues or not all(queues):
        raise SettingsError("A worker must be told which queues it serves: --queue NAME, for each of them.")
    if not settings.server_url:
        raise SettingsError("A worker must know its server: --server URL, or SALTANT_SERVER_URL.")
    if not settings.worker_token:
        raise SettingsError(
            "A worker needs a token: SALTANT_WORKER_TOKEN, or --token-file FILE. On the server,"
            f" `saltant token create NAME --role worker --queue {queues[0]}` makes one."
        )
    if not (settings.worker_token.isascii() and settings.worker_token.isprintable()) or " " in settings.worker_token:
        raise SettingsError("SALTANT_WORKER_TOKEN holds characters that no token has: copy it again.")
    if not settings.broker_url:
        raise SettingsError("A worker must know its broker: SALTANT_BROKER_URL, the same as its server's.")
    from saltant.worker.control.http import base_url

    try:
        base_url(settings.server_url)
    except ValueError as error:
        raise SettingsError(str(error)) from None
    if settings.server_ca and not Path(settings.server_ca).is_file():
        raise SettingsError(f"SALTANT_SERVER_CA names {settings.server_ca}, which is no file.")


def _name(name: str | None) -> str:
    name = (socket.gethostname() if name is None else name).strip()
    if not name or len(name) > 200 or "/" in name or name in (".", "..") or not name.isprintable():
        raise SettingsError("A worker's name must have 1 to 200 printable characters and no slash: choose a --name.")
    return name
