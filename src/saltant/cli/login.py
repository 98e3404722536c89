"""`saltant login` and `saltant logout`: a token for this machine, in the configuration file."""

from __future__ import annotations

import os
import socket
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from saltant import _config
from saltant.cli import complete
from saltant.cli.common import Context, client_command
from saltant.cli.failures import AUTHENTICATION, USAGE, Failure, sentence
from saltant.exceptions import AuthenticationError, BadConfigError, SaltantError

if TYPE_CHECKING:
    from collections.abc import Mapping


@client_command(
    without=("quiet",), epilog="Example: saltant login https://saltant.example.org/api/ --profile lab --username ada"
)
@click.argument("url", required=False)
@click.option("--username", metavar="NAME", help="Your user name; asked for by default.")
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of stdin.")
@click.option("--token-stdin", is_flag=True, help="Store a token that you have, read from stdin.")
@click.option(
    "--expires",
    type=click.FloatRange(min=0, min_open=True),
    metavar="DAYS",
    help="When the token ends; never by default.",
)
@click.option(
    "--ca", type=click.Path(exists=True), metavar="FILE", help="Certificates to trust, of an authority of your own."
)
@click.option("--queue", metavar="NAME", help="The queue that commands use unless told otherwise.")
def login(
    context: Context,
    url: str | None,
    username: str | None,
    password_stdin: bool,
    token_stdin: bool,
    expires: float | None,
    ca: str | None,
    queue: str | None,
) -> None:
    """Sign in, and keep a token for this machine.

    User name and password make a token of yours, which is stored in a profile of the configuration file; the
    password is not kept. Without URL it is that of the profile. The first profile is the default one.
    """
    from saltant.cli import config_file
    from saltant.client import Client, parse_token

    if token_stdin and (password_stdin or username or expires):
        raise click.UsageError("--token-stdin stores a token as it is: leave out user name, password and --expires.")
    path = _config.config_path()
    profiles = _config.read(path)
    base_url = _base_url(url, context.profile, profiles)
    name = context.profile or (_name_for(base_url, profiles) if url else profiles.name_of(_variable()))
    name = name or _name_for(base_url, profiles)
    said: Mapping[str, str] = profiles.profiles.get(name, {})
    trusted = os.path.abspath(ca) if ca else said.get("ca") and str(path.parent / said["ca"])  # noqa: PTH100
    if token_stdin:
        token = parse_token(sys.stdin.read())
    else:
        token = _token_by_password(base_url, username, password_stdin, expires, trusted, context.timeout)
    client = Client(base_url, token, context.timeout, test_if_authenticated=False)
    if trusted:
        client.session.verify = trusted
    client.test_authentication()
    values: dict[str, str | None] = {"url": base_url, "token": token, "token_file": None}
    values |= {key: value for key, value in (("ca", ca and trusted), ("queue", queue)) if value}
    config_file.change(path, name, values, default=None if profiles.default else name)
    _revoke_former(context, said, base_url, token, trusted)
    if context.output.json:
        context.output.one({"profile": name, "url": base_url, "path": str(path)}, ids="profile")
    context.output.line(f"Signed in to {base_url}: profile {name!r} in {path}.")
    if _config.URL in os.environ:
        context.output.hint(
            f"{_config.URL} is set here and goes first: unset it and {_config.TOKEN} to use the profile."
        )
    elif profiles.default not in (None, name):
        context.output.hint(f"The default profile is {profiles.default!r}: saltant config use {name}")


def _revoke_former(context: Context, said: Mapping[str, str], base_url: str, token: str, ca: str | None) -> None:
    """Revoke the token that an earlier `saltant login` here made for the profile. One from elsewhere may be in use."""
    from saltant import _sign_in

    former = said.get("token")
    if not former or former == token or said.get("url", "").rstrip("/") != base_url.rstrip("/"):
        return
    try:
        if _sign_in.revoke_token(base_url, former, named=_token_name(), ca=ca, timeout=context.timeout):
            context.output.hint("The profile's former token is revoked.")
    except AuthenticationError:
        return  # it opened nothing any more
    except SaltantError as error:
        context.output.hint(f"The profile's former token could not be revoked. {sentence(error)}")


@client_command(without=("quiet",), epilog="Example: saltant logout --profile lab")
@click.argument("profile_name", metavar="[PROFILE]", required=False, shell_complete=complete.profiles)
@click.option("--local", is_flag=True, help="Forget the token here, and leave it as it is on the server.")
def logout(context: Context, profile_name: str | None, local: bool) -> None:
    """Revoke a profile's token, and forget it. The profile's other keys stay."""
    from saltant import _sign_in
    from saltant.cli import config_file
    from saltant.client import parse_base_url

    profiles = _config.read(_config.config_path())
    name = profiles.name_of(profile_name or context.profile or _variable())
    if name is None:
        raise BadConfigError(f"{profiles.path} has no profile to sign out from.")
    said = profiles.get(name)
    if not said.get("token") and not said.get("token_file"):
        raise BadConfigError(f"Profile {name!r} in {profiles.path} has no token: you are not signed in.")
    done = "forgotten"
    if not local:
        server = _config.server_of(profiles, name)
        try:
            revoked = _sign_in.revoke_token(
                parse_base_url(server.url), server.token, ca=server.ca, timeout=context.timeout
            )
            done = "revoked and forgotten" if revoked else "forgotten; the server cannot revoke it for you"
        except AuthenticationError:
            done = "forgotten; it opened nothing any more"
    config_file.change(profiles.path, name, {"token": None, "token_file": None})
    if context.output.json:
        context.output.one({"profile": name, "token": done}, ids="profile")
    context.output.line(f"Signed out: the token of profile {name!r} is {done}.")


def _variable() -> str | None:
    return os.environ.get(_config.PROFILE, "").strip() or None


def _base_url(url: str | None, profile: str | None, profiles: _config.Profiles) -> str:
    """The API's URL: the one that was given, or the profile's."""
    from saltant.client import parse_base_url

    if url is None:
        name = profiles.name_of(profile or _variable())
        url = profiles.profiles.get(name or "", {}).get("url") or os.environ.get(_config.URL)
        if not url:
            raise click.UsageError("Name the server: saltant login https://saltant.example.org/api/")
    elif "://" not in url:
        raise click.UsageError(f"A URL begins with https:// or http://, as in https://{url}")
    parsed = parse_base_url(url)
    return f"{parsed}api/" if urlsplit(parsed).path == "/" else parsed


def _name_for(base_url: str, profiles: _config.Profiles) -> str:
    """The name of the profile of a URL: one that has it, or the host's."""
    for name, profile in profiles.profiles.items():
        if profile.get("url", "").rstrip("/") == base_url.rstrip("/"):
            return name
    parts = urlsplit(base_url)
    host = parts.hostname or "server"
    name = f"{host}-{parts.port}" if parts.port else host
    return name if name not in profiles.profiles else base_url


def _token_name() -> str:
    """What a token that is made here is called on the server."""
    return f"saltant login on {socket.gethostname()}"[:100]


def _token_by_password(
    base_url: str, username: str | None, from_stdin: bool, expires: float | None, ca: str | None, timeout: float
) -> str:
    from saltant import _sign_in

    if not from_stdin and not sys.stdin.isatty():
        raise click.UsageError("There is no terminal to type a password: use --password-stdin, or --token-stdin.")
    if username is None:
        if from_stdin:
            raise click.UsageError("With --password-stdin, name --username too.")
        username = click.prompt("User name", err=True)
    password = (
        sys.stdin.readline().rstrip("\r\n") if from_stdin else click.prompt("Password", hide_input=True, err=True)
    )
    if not password:
        raise click.UsageError("The password is empty.")
    try:
        ends = None if expires is None else (datetime.now(UTC) + timedelta(days=expires)).isoformat()
    except OverflowError:
        raise click.BadParameter("no date is that many days ahead.", param_hint="--expires") from None
    try:
        return _sign_in.make_token(
            base_url, str(username), password, name=_token_name(), expires=ends, ca=ca, timeout=timeout
        )
    except AuthenticationError:
        raise Failure(f"{base_url} does not know this user name with this password.", AUTHENTICATION) from None
    except UnicodeError:
        raise Failure("The password is not text in UTF-8.", USAGE) from None
