"""`saltant env`."""

import shlex
from pathlib import Path

import click

from saltant.cli.database import refuse_postgresql
from saltant.config import Settings, SettingsError
from saltant.up.folder import DataFolder


@click.command(short_help="Print what clients need to find it.", epilog='Example: eval "$(saltant env)"')
@click.option("--data-dir", type=click.Path(path_type=Path), help="The folder of the `saltant up` that is meant.")
def env(data_dir: Path | None) -> None:
    """Print the shell lines that let clients find the running `saltant up`."""
    try:
        settings = Settings.from_env(data_dir=data_dir)
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    refuse_postgresql(
        settings,
        data_dir,
        instead="for a `saltant server`, set SALTANT_API_URL, and SALTANT_AUTH_TOKEN by `saltant token create`.",
    )
    folder = DataFolder(settings.data_dir)
    address = folder.running()
    if address is None:
        raise click.ClickException(f"No `saltant up` is running on {folder.path}. Start one, or name its --data-dir.")
    try:
        token = folder.admin_token.read_text().strip()
    except OSError as error:
        raise click.ClickException(f"The token in {folder.admin_token} cannot be read: {error.strerror}.") from None
    click.echo(f"export SALTANT_API_URL={shlex.quote(address.api_url)}")
    click.echo(f"export SALTANT_AUTH_TOKEN={shlex.quote(token)}")
