"""How commands that work on a database reach it: PostgreSQL where it is set, or that of a folder."""

import os
import pwd
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from saltant.config import Settings, SettingsError, variable_of
from saltant.up.folder import DataFolder


def on_folder(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option --data-dir, and set Django up over that folder, or PostgreSQL, before it runs."""

    @click.option("--data-dir", type=click.Path(path_type=Path), help="The folder of the `saltant up` that is meant.")
    @wraps(command)
    def wrapped(*args: Any, data_dir: Path | None, **kwargs: Any) -> Any:
        open_database(data_dir)
        return command(*args, **kwargs)

    return wrapped


def open_database(data_dir: Path | None) -> None:
    """Set Django up over the database that is meant, whether a server is running there or not.

    `data_dir` is one that was named; without, SALTANT_DATABASE_URL goes before the usual folder.
    """
    try:
        settings = Settings.from_env(data_dir=data_dir)
        if settings.database_url and data_dir is None:
            _set_up_postgresql(settings)
            return
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    os.environ.pop(variable_of("database_url"), None)
    os.environ.pop(f"{variable_of('database_url')}_FILE", None)
    folder = DataFolder(settings.data_dir)
    if not folder.database.exists():
        raise click.ClickException(
            f"{folder.path} is not a saltant folder yet. Run `saltant up` once, or name its folder."
            " For the database of a `saltant server`, set SALTANT_DATABASE_URL."
        )
    if not os.access(folder.database, os.R_OK | os.W_OK):
        raise click.ClickException(
            f"{folder.database} cannot be written: run this as who started `saltant up`, on a disk that takes writes."
        )
    os.umask(0o077)
    os.environ[variable_of("data_dir")] = str(folder.path)
    _set_up_django()


def _set_up_postgresql(settings: Settings) -> None:
    from saltant.serving.database import problem

    why = problem(settings)
    if why is not None:
        raise click.ClickException(why)
    _set_up_django()
    from saltant.server.health import missing_migrations

    if missing_migrations():
        raise click.ClickException("The database lacks migrations: run `saltant migrate`.")


def _set_up_django() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "saltant.server.settings"
    import django

    django.setup()


def who() -> str:
    """Who runs this command, as the audit log names them."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a user without a name, as containers have
        name = f"user {os.getuid()}"
    return f"{name} (command line)"
