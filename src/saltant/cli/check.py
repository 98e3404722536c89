"""`saltant check`."""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import click

from saltant.checks import Check
from saltant.cli.database import lacks, open_database, use_postgresql
from saltant.config import Settings, SettingsError, variable_of


@click.command(epilog="Example: saltant check --json")
@click.option("--data-dir", type=click.Path(path_type=Path), help="The folder of the `saltant up` that is meant.")
@click.option("--json", "as_json", is_flag=True, help="A JSON list of objects: part, ok, says, advice.")
def check(data_dir: Path | None, as_json: bool) -> None:
    """Look whether each part is reachable and right, whether saltant runs or not.

    It looks at what the settings describe: with SALTANT_DATABASE_URL the server of many machines, with
    SALTANT_WORKER_TOKEN a worker, else, or with --data-dir, the folder of a `saltant up`.
    Exit code 1 if something is wrong; then the table says what to do.
    """
    found: list[Check] = []
    try:
        settings = Settings.from_env(data_dir=data_dir)
        found.append(Check("settings", True, "all can be used"))
    except SettingsError as error:
        found.append(Check("settings", False, str(error), "Correct that variable."))
    else:
        found += _checks(settings, data_dir)
    if as_json:
        click.echo(json.dumps([asdict(each) for each in found], indent=2))
    else:
        width = max(len(each.part) for each in found)
        for each in found:
            click.echo(f"{each.part:{width}}  {'ok  ' if each.ok else 'FAIL'}  {each.says}")
            if each.advice:
                click.echo(f"{'':{width}}        {each.advice}")
    if not all(each.ok for each in found):
        raise click.exceptions.Exit(1)


def _checks(settings: Settings, data_dir: Path | None) -> Iterator[Check]:
    """Those of everything that the settings describe."""
    is_worker = bool(settings.worker_token or (settings.server_url and not settings.database_url))
    # Who has set a broker, and nothing that a worker needs, is about to set up a server.
    is_server = bool(settings.database_url or (settings.broker_url and not is_worker))
    if data_dir is not None or not (is_server or is_worker):
        yield from _folder_checks(settings)
        return
    if is_server:
        yield from _server_checks(settings)
    if is_worker:
        yield from _worker_checks(settings)


def _folder_checks(settings: Settings) -> Iterator[Check]:
    with lacks("server"):
        from saltant.up.checks import run_checks
    with suppress(click.ClickException):  # the checks say it
        open_database(settings.data_dir)
    yield from run_checks(settings)


def _server_checks(settings: Settings) -> Iterator[Check]:
    with lacks("server"):
        from saltant.serving.checks import run_checks
    with suppress(click.ClickException):  # the checks say it
        use_postgresql(settings)
    yield from run_checks(settings)


def _worker_checks(settings: Settings) -> Iterator[Check]:
    with lacks("worker"):
        from saltant.worker.checks import run_checks
        from saltant.worker.home import default_folder
    is_named = bool(os.environ.get(variable_of("data_dir"), "").strip())
    yield from run_checks(settings, settings.data_dir if is_named else default_folder())
