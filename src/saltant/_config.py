"""Where a client's server is written down: in the environment, or as profiles in one TOML file.

default = "lab"

[profiles.lab]
url = "https://saltant.example.org/api/"
token = "saltant_…"                       # or token_file = "lab-token"
ca = "/etc/ssl/lab.pem"                   # a certificate authority of one's own
queue = "gpu"                             # what `saltant run` uses unless told otherwise
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from saltant.exceptions import BadConfigError, BadEnvironmentError

URL, TOKEN, PROFILE, CONFIG = "SALTANT_API_URL", "SALTANT_AUTH_TOKEN", "SALTANT_PROFILE", "SALTANT_CONFIG"
KEYS = ("url", "token", "token_file", "ca", "queue")
HOW = f"Run `saltant login URL`, or set {URL} and {TOKEN}."


@dataclass(frozen=True)
class Server:
    """A server, and what opens it.

    Attributes:
        url: of its API.
        token: a user's.
        ca: the path of the certificates to trust; None: the usual ones.
        queue: the name of the queue that commands use unless told otherwise.
        profile: the name of the profile that says so; None: the environment does.
        source: in words, where it is written down.
        warning: what its owner should know.
    """

    url: str
    token: str = field(repr=False)
    ca: str | None = None
    queue: str | None = None
    profile: str | None = None
    source: str = ""
    warning: str | None = None


@dataclass(frozen=True)
class Profiles:
    """What a configuration file says."""

    path: Path
    default: str | None = None
    profiles: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)

    def name_of(self, wanted: str | None) -> str | None:
        """The profile that is meant: the wanted one, or the default, or the only one."""
        only = next(iter(self.profiles)) if len(self.profiles) == 1 else None
        return wanted or self.default or only

    def get(self, name: str) -> Mapping[str, str]:
        """A profile.

        Raises:
            BadConfigError: there is none of that name, or it has a key that no profile has.
        """
        if name not in self.profiles:
            there = ", ".join(sorted(self.profiles)) or "none"
            raise BadConfigError(f"There is no profile {name!r} in {self.path}. Profiles there: {there}.")
        found = self.profiles[name]
        for key in found:
            if key not in KEYS:
                raise BadConfigError(
                    f"Profile {name!r} in {self.path} has the key {key!r}. Keys are: {', '.join(KEYS)}."
                )
        return found


def config_path() -> Path:
    """Where the configuration file is: SALTANT_CONFIG, or below XDG_CONFIG_HOME, or below ~/.config."""
    named = os.environ.get(CONFIG, "")
    if named:
        return Path(named)
    home = os.environ.get("XDG_CONFIG_HOME", "")
    # The specification has relative ones ignored.
    folder = Path(home) if home.startswith("/") else _expanded("~/.config")
    return folder / "saltant" / "config.toml"


def read(path: Path) -> Profiles:
    """What a configuration file says; one that is not there says nothing.

    Raises:
        BadConfigError: it cannot be read, or makes no sense.
    """
    import tomllib  # only who has a file needs it

    try:
        data: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Profiles(path)
    except OSError as error:
        raise BadConfigError(f"The configuration file {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise BadConfigError(f"The configuration file {path} is not text in UTF-8.") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadConfigError(f"The configuration file {path} is not TOML: {error}.") from None
    profiles, default = data.get("profiles", {}), data.get("default")
    if default is not None and not isinstance(default, str):
        raise BadConfigError(f'In {path}, default must be the name of a profile in quotes: default = "NAME".')
    if not isinstance(profiles, dict) or not all(isinstance(each, dict) for each in profiles.values()):
        raise BadConfigError(f"In {path}, profiles must be tables: [profiles.NAME].")
    for name, profile in profiles.items():
        for key, value in profile.items():
            if key in KEYS and not isinstance(value, str):
                raise BadConfigError(f"In {path}, {key} of profile {name!r} must be text in quotes.")
    return Profiles(path, default or None, profiles)


def find(profile: str | None = None) -> Server:
    """The server that is meant: that of `profile`, or the environment's, or SALTANT_PROFILE's, or the default.

    Raises:
        BadEnvironmentError: one of the environment's two variables is set, but not the other.
        BadConfigError: no server is named, or the file makes no sense.
    """
    if profile is None and (server := _from_environment()) is not None:
        return server
    profiles = read(config_path())
    from_variable = os.environ.get(PROFILE, "").strip() or None
    name = profiles.name_of(profile or from_variable)
    if name is None:
        missing = "has several profiles and no default" if profiles.profiles else "names none"
        why = f"The configuration file {profiles.path} {missing}" if profiles.path.exists() else "No server is known"
        hint = "Choose one by `saltant config use NAME`, --profile or SALTANT_PROFILE." if profiles.profiles else HOW
        raise BadConfigError(f"{why}. {hint}")
    if not profiles.path.exists():
        raise BadConfigError(f"There is no profile {name!r}: the configuration file {profiles.path} is missing. {HOW}")
    return server_of(profiles, name)


def server_of(profiles: Profiles, name: str) -> Server:
    """The server of a profile.

    Raises:
        BadConfigError: something is missing in it, or cannot be used.
    """
    said = profiles.get(name)
    where = f"Profile {name!r} in {profiles.path}"
    folder = profiles.path.parent
    url, ca = said.get("url", "").strip(), said.get("ca")
    if not url:
        raise BadConfigError(f"{where} has no url.")
    token, holder = _token(said, where, folder)
    if ca is not None:
        ca = str(folder / _expanded(ca))
        if not Path(ca).exists():
            raise BadConfigError(f"{where} names as its ca {ca}, which is not there.")
    warning = exposed(profiles.path if holder is None else holder)
    return Server(url, token, ca, said.get("queue") or None, name, f"profile {name!r} in {profiles.path}", warning)


def exposed(path: Path) -> str | None:
    """What to say if others can read a file with a token."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return None
    if stat.S_ISREG(mode) and mode & 0o077:
        return f"Others may read {path}, which holds a token: chmod 600 {path}"
    return None


def _expanded(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:  # there is no such user, or no home
        return Path(text)


def _from_environment() -> Server | None:
    values = {name: os.environ.get(name, "").strip() for name in (URL, TOKEN)}
    if not any(values.values()):
        return None
    for name, value in values.items():
        if not value:
            other = URL if name == TOKEN else TOKEN
            problem = "is empty" if name in os.environ else "is not set"
            raise BadEnvironmentError(
                f"The environment variable {name} {problem}, but {other} is set. Set both, or none."
            )
    return Server(values[URL], values[TOKEN], source=f"the environment ({URL})")


def _token(said: Mapping[str, str], where: str, folder: Path) -> tuple[str, Path | None]:
    """The token of a profile, and the file that holds it if that is another one."""
    token, named = said.get("token", "").strip(), said.get("token_file", "")
    if token and named:
        raise BadConfigError(f"{where} has a token and a token_file: keep one.")
    if token:
        return token, None
    if not named:
        raise BadConfigError(f"{where} has no token. Run `saltant login --profile NAME`, or name a token_file.")
    path = folder / _expanded(named)
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not text in UTF-8"
        raise BadConfigError(f"{where} names as its token_file {path}, which cannot be read: {why}.") from None
    if not token:
        raise BadConfigError(f"{where} names as its token_file {path}, which is empty.")
    return token, path
