"""`saltant config`: which servers the configuration file knows."""

from __future__ import annotations

from pathlib import Path

import click

from saltant import _config
from saltant.cli import complete
from saltant.cli.common import Context, client_command
from saltant.cli.output import Column
from saltant.exceptions import BadEnvironmentError

COLUMNS = [
    Column("profile"),
    Column("used", keep=3),
    Column("url"),
    Column("token", keep=4),
    Column("ca", keep=1),
    Column("queue", keep=2),
]


@click.group()
def config() -> None:
    """Servers that this machine knows, as profiles of one file.

    What goes first: --profile; SALTANT_API_URL with SALTANT_AUTH_TOKEN; SALTANT_PROFILE; the file's default.
    """


@client_command(without=(), epilog="Example: saltant config show --json")
def show(context: Context) -> None:
    """List profiles, and say which server is used. Tokens are not shown."""
    profiles = _config.read(_config.config_path())
    try:
        server = _config.find(context.profile)
        used, words = server.profile, f"Used is {server.source}: {server.url}"
        if server.warning:
            context.output.hint(f"Warning: {server.warning}")
    except BadEnvironmentError as error:
        used, words = None, str(error)
    rows = (
        (name, name == used, each.get("url", ""), _token(each), each.get("ca", ""), each.get("queue", ""))
        for name, each in profiles.profiles.items()
    )
    context.output.table(COLUMNS, rows, ids="profile")
    context.output.hint(words)


@client_command(without=("profile", "json", "quiet"), epilog="Example: $EDITOR $(saltant config path)")
def path(context: Context) -> None:
    """Print where the configuration file is, or would be."""
    context.output.line(str(_config.config_path()))


@client_command(without=("profile", "json", "quiet"), epilog="Example: saltant config use lab")
@click.argument("name", metavar="PROFILE", shell_complete=complete.profiles)
def use(context: Context, name: str) -> None:
    """Make a profile the default one."""
    from saltant.cli import config_file

    file: Path = _config.config_path()
    _config.read(file).get(name)
    config_file.change(file, default=name)
    context.output.line(f"The default profile is {name!r} now.")


def _token(profile: object) -> str:
    said = profile if isinstance(profile, dict) else {}
    if said.get("token"):
        return "(hidden)"
    return f"in {said['token_file']}" if said.get("token_file") else ""


for _command in (show, path, use):
    config.add_command(_command)
