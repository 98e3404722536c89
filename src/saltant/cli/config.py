"""`saltant config`: which servers the configuration file knows."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from saltant import _config, _sign_in
from saltant.cli import complete
from saltant.cli.common import Context, client_command
from saltant.cli.failures import NOT_FOUND, Failure
from saltant.cli.output import Column
from saltant.exceptions import AuthenticationError, BadEnvironmentError, NotFound, UnsupportedByServer

COLUMNS = [
    Column("profile"),
    Column("used", keep=3),
    Column("url"),
    Column("token", keep=4),
    Column("ca", keep=1),
    Column("queue", keep=2),
]
TOKENS = [
    Column("id", right=True),
    Column("name"),
    Column("datetime_created", "created", keep=2),
    Column("datetime_expires", "expires", keep=1),
    Column("current", keep=3),
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


@client_command(epilog="Example: saltant config tokens --revoke 7")
@click.option("--revoke", type=click.IntRange(min=1), metavar="ID", help="Have this one open nothing any more, first.")
def tokens(context: Context, revoke: int | None) -> None:
    """List your tokens on the server that is used: which are valid, and which one this is. Keys are not shown."""
    request = context.client._transport.request
    if revoke is not None:
        try:
            request("DELETE", f"{_sign_in.TOKENS}{revoke}/", expected=204)
        except NotFound:
            raise Failure(f"You have no token {revoke}: saltant config tokens lists yours.", NOT_FOUND) from None
        context.output.hint(f"Token {revoke} is revoked.")
    try:
        listed = request("GET", _sign_in.TOKENS)
    except AuthenticationError:
        if revoke is None:
            raise
        listed = []  # it was the one that is used
    except NotFound:
        raise UnsupportedByServer(f"The server at {context.client.base_api_url} does not list tokens.") from None
    context.output.table(TOKENS, ([_moment(each, column.name) for column in TOKENS] for each in listed), ids="id")


def _moment(token: dict[str, Any], key: str) -> object:
    value = token.get(key)
    return datetime.fromisoformat(value) if value and key.startswith("datetime_") else value


@client_command(without=("profile", "quiet"), epilog="Example: $EDITOR $(saltant config path)")
def path(context: Context) -> None:
    """Print where the configuration file is, or would be."""
    if context.output.json:
        context.output.one({"path": str(_config.config_path())}, ids="path")
    context.output.line(str(_config.config_path()))


@client_command(without=("profile", "quiet"), epilog="Example: saltant config use lab")
@click.argument("name", metavar="PROFILE", shell_complete=complete.profiles)
def use(context: Context, name: str) -> None:
    """Make a profile the default one."""
    from saltant.cli import config_file

    file: Path = _config.config_path()
    _config.read(file).get(name)
    config_file.change(file, default=name)
    if context.output.json:
        context.output.one({"default": name}, ids="default")
    context.output.line(f"The default profile is {name!r} now.")


def _token(profile: object) -> str:
    said = profile if isinstance(profile, dict) else {}
    if said.get("token"):
        return "(hidden)"
    return f"in {said['token_file']}" if said.get("token_file") else ""


for _command in (show, path, use, tokens):
    config.add_command(_command)
