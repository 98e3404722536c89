"""The configuration file of `saltant-cli`, and which server its commands speak to."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from saltant.cli.common import Context
from saltant.cli.failures import USAGE, Failure
from saltant.exceptions import BadConfigError

if TYPE_CHECKING:
    from saltant.client import Client

URL, TOKEN = "saltant-api-url", "saltant-auth-token"


@dataclass(frozen=True)
class ConfigPath:
    """What --config-path names."""

    path: Path


class FormerContext(Context):
    """The context of a command of the old tree."""

    def make_client(self) -> Client:
        """A client of the server that is meant.

        That is the one of --config-path, else of --profile, else of the environment, else of `saltant-cli`'s own
        file, else of a profile.
        """
        from saltant.client import Client, parse_base_url, parse_token

        path = _path_to_read(self.profile)
        if path is None:
            try:
                return super().make_client()
            except BadConfigError as error:
                raise BadConfigError(f"{error} `saltant-cli --setup` asks for them, too.") from None
        url, token = read(path)
        for name, parse, value in ((URL, parse_base_url, url), (TOKEN, parse_token, token)):
            try:
                parse(value)
            except ValueError as error:
                raise Failure(f"{name} in {path} makes no sense: {error}", USAGE) from None
        return Client(url, token, self.timeout, test_if_authenticated=False)


def default_path() -> Path:
    """Where the file is unless told otherwise."""
    home = os.environ.get("XDG_CONFIG_HOME", "")
    folder = Path(home) if home else Path(os.path.expanduser("~/.config"))  # noqa: PTH111 - never fails
    return folder / "saltant-cli" / "config.yaml"


def _path_to_read(profile: str | None) -> Path | None:
    context = click.get_current_context(silent=True)
    named = context.find_object(ConfigPath) if context else None
    if named is not None:
        if profile is not None:
            raise click.UsageError("Give --config-path or --profile, not both.")
        return named.path
    in_environment = all(os.environ.get(name, "").strip() for name in ("SALTANT_API_URL", "SALTANT_AUTH_TOKEN"))
    chosen = profile is not None or in_environment or os.environ.get("SALTANT_PROFILE", "").strip()
    return default_path() if not chosen and default_path().exists() else None


def read(path: Path) -> tuple[str, str]:
    """The URL and the token of a file.

    Raises:
        BadConfigError: It cannot be read, or lacks one. The message does not show what is in it.
    """
    import yaml

    hint = "`saltant-cli --setup` writes one."
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadConfigError(f"The configuration file {path} cannot be read: {error.strerror}. {hint}") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", see line {mark.line + 1}" if mark else ""
        raise BadConfigError(f"The configuration file {path} is not YAML{where}. {hint}") from None
    values = data if isinstance(data, dict) else {}
    for name in (URL, TOKEN):
        if not isinstance(values.get(name), str) or not values[name].strip():
            raise BadConfigError(f"The configuration file {path} has no {name}. {hint}")
    return values[URL], values[TOKEN]


def write(path: Path, url: str, token: str) -> None:
    """Write a file that its owner alone may read; it is whole at any time."""
    import yaml

    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Made with mode 0600.
    number, name = tempfile.mkstemp(prefix=path.name, dir=path.parent)
    try:
        with os.fdopen(number, "w", encoding="utf-8") as file:
            yaml.safe_dump({URL: url, TOKEN: token}, file, default_flow_style=False)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def setup(path: Path) -> None:
    """Ask for URL and token, and write them down."""
    from saltant.client import parse_base_url, parse_token

    url = click.prompt("URL of the saltant API", value_proc=_usable(parse_base_url), err=True)
    token = click.prompt("Token", value_proc=_usable(parse_token), hide_input=sys.stdin.isatty(), err=True)
    write(path, url, token)
    click.echo(f"Wrote {path}.", err=True)


def _usable(parse: Callable[[str], str]) -> Callable[[str], str]:
    """For click, which asks again as long as an answer makes no sense."""

    def value(text: str) -> str:
        try:
            return parse(text)
        except ValueError as error:
            raise click.UsageError(str(error)) from None

    return value
