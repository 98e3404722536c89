"""How commands that work on a folder reach its database."""

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
    """Give a command the option --data-dir, and set Django up over that folder before it runs."""

    @click.option("--data-dir", type=click.Path(path_type=Path), help="The folder of the `saltant up` that is meant.")
    @wraps(command)
    def wrapped(*args: Any, data_dir: Path | None, **kwargs: Any) -> Any:
        open_database(data_dir)
        return command(*args, **kwargs)

    return wrapped


def open_database(data_dir: Path | None) -> None:
    """Set Django up over the folder, whether an `up` is running there or not."""
    try:
        folder = DataFolder(Settings.from_env(data_dir=data_dir).data_dir)
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    if not folder.database.exists():
        raise click.ClickException(
            f"{folder.path} is not a saltant folder yet. Run `saltant up` once, or name its folder."
        )
    if not os.access(folder.database, os.R_OK | os.W_OK):
        raise click.ClickException(
            f"{folder.database} cannot be written: run this as who started `saltant up`, on a disk that takes writes."
        )
    os.umask(0o077)
    os.environ[variable_of("data_dir")] = str(folder.path)
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
