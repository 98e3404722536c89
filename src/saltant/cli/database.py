"""How commands that work on a database reach it: PostgreSQL where it is set, or that of a folder."""

import os
import pwd
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import click

from saltant.config import Settings, SettingsError, variable_of
from saltant.up.folder import DataFolder


def on_database(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option --data-dir, and set Django up over that folder, or PostgreSQL, before it runs."""

    @click.option(
        "--data-dir",
        type=click.Path(path_type=Path),
        help="The folder of the `saltant up` that is meant, whatever SALTANT_DATABASE_URL is.",
    )
    @wraps(command)
    def wrapped(*args: Any, data_dir: Path | None, **kwargs: Any) -> Any:
        open_database(data_dir)
        from django.db import DatabaseError

        try:
            return command(*args, **kwargs)
        except DatabaseError as error:
            said = str(error).strip().partition("\n")[0].rstrip(".")
            raise click.ClickException(f"The database failed: {said}. `saltant check` looks into it.") from None

    return wrapped


def open_database(data_dir: Path | None) -> None:
    """Set Django up over the database that is meant, whether a server is running there or not.

    `data_dir` is one that was named; without, SALTANT_DATABASE_URL goes before the usual folder.
    """
    try:
        settings = Settings.from_env(data_dir=data_dir)
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    if settings.database_url and data_dir is None:
        _open_postgresql(settings)
        return
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


def use_postgresql(settings: Settings) -> None:
    """Set Django up over the database of the settings, which need not answer.

    Raises:
        ClickException: its URL cannot be one.
    """
    from saltant.serving.database import parameters

    try:
        parameters(settings)
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    _set_up_django()


def _open_postgresql(settings: Settings) -> None:
    from saltant.serving.database import problem

    use_postgresql(settings)
    why = problem(settings)
    if why is not None:
        raise click.ClickException(why)
    from django.db import DatabaseError

    from saltant.server.health import missing_migrations

    try:
        missing = missing_migrations()
    except DatabaseError as error:
        raise click.ClickException(f"The database failed: {str(error).strip().partition(chr(10))[0]}") from None
    if missing:
        raise click.ClickException("The database lacks migrations: run `saltant migrate`.")


def refuse_postgresql(settings: Settings, data_dir: Path | None, *, instead: str) -> None:
    """Refuse a command that is for folders alone where a server's database is set and no folder is named.

    Raises:
        ClickException: it is so.
    """
    if settings.database_url and data_dir is None:
        raise click.ClickException(
            f"SALTANT_DATABASE_URL is set, and this is for the folder of a `saltant up`: {instead}"
            " For such a folder, name it with --data-dir."
        )


@contextmanager
def lacks(extra: str) -> Iterator[None]:
    """Say which extra is missing where an import fails.

    Raises:
        ClickException: it does.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "saltant"):
            raise
        raise click.ClickException(
            f"This needs {package}, which is not installed: pip install 'saltant-py[{extra}]'"
        ) from None


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
