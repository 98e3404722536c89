"""The settings of server and worker: typed, documented, each read from one environment variable.

`docs/settings.md` lists them; a test compares the two.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_type_hints


class SettingsError(Exception):
    """A setting has a value that cannot be used. The message names the variable and what it takes."""


def default_data_dir() -> Path:
    """Where `saltant up` keeps its folder unless told otherwise."""
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base).expanduser() / "saltant"


def setting(variable: str, help: str, default: Any = None, **kwargs: Any) -> Any:
    """A dataclass field that is read from `variable`."""
    if "default_factory" not in kwargs:
        kwargs["default"] = default
    return field(metadata={"variable": variable, "help": help}, **kwargs)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every setting. Durations are seconds."""

    data_dir: Path = setting(
        "SALTANT_DATA_DIR",
        "The folder of `saltant up`: database, secret key, admin token, logs and results. "
        "`$XDG_DATA_HOME/saltant` or `~/.local/share/saltant` by default.",
        default_factory=default_data_dir,
    )
    secret_key: str = setting(
        "SALTANT_SECRET_KEY", "Signs sessions and JWTs. By default made at the first start and kept in the folder.", ""
    )
    allowed_hosts: list[str] = setting(
        "SALTANT_ALLOWED_HOSTS",
        "Host names that requests may name, comma-separated. By default the loopback names, or, where the server "
        "listens elsewhere, any (`*`).",
        default_factory=list,
    )
    max_body: int = setting("SALTANT_MAX_BODY", "The largest request body, in bytes.", 32 * 1024 * 1024)
    filter_time: float = setting("SALTANT_FILTER_TIME", "How long the regular expressions of one request may run.", 2.0)
    lease: float = setting(
        "SALTANT_LEASE", "How long a worker may be silent before what it runs is given up as lost.", 60.0
    )
    claim_timeout: float = setting(
        "SALTANT_CLAIM_TIMEOUT",
        "After how long an instance that no worker has ever claimed fails, unless it has a `queue_timeout` of its own. "
        "0: it waits for ever.",
        0.0,
    )
    kill_grace: float = setting(
        "SALTANT_KILL_GRACE", "How long a job that is ended has between SIGTERM and SIGKILL.", 5.0
    )
    job_environment: list[str] = setting(
        "SALTANT_JOB_ENVIRONMENT",
        "Which of the worker's environment variables a task type may name, comma-separated, `*` and `?` allowed. "
        "`SALTANT_*` and broker and database settings are never given away.",
        default_factory=lambda: ["*"],
    )
    log_level: str = setting("SALTANT_LOG_LEVEL", "debug, info, warning or error.", "info")

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **overrides: Any) -> "Settings":
        """Read the settings from the environment; `overrides` that are not None win.

        Raises:
            SettingsError: a variable holds what its setting cannot take.
        """
        environ = os.environ if environ is None else environ
        hints = get_type_hints(cls)
        values = {name: value for name, value in overrides.items() if value is not None}
        for each in fields(cls):
            text = environ.get(each.metadata["variable"], "").strip()
            if text and each.name not in values:
                values[each.name] = _parse(each.metadata["variable"], hints[each.name], text)
        settings = cls(**values)
        settings._check()
        return settings

    def _check(self) -> None:
        for name in ("max_body", "filter_time", "lease"):
            if not getattr(self, name) > 0:
                raise SettingsError(f"{variable_of(name)} must be more than 0, not {getattr(self, name)}.")
        for name in ("kill_grace", "claim_timeout"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise SettingsError(f"{variable_of(name)} must be 0 or more seconds, not {getattr(self, name)}.")
        if self.log_level.lower() not in ("debug", "info", "warning", "error"):
            raise SettingsError(f"SALTANT_LOG_LEVEL must be debug, info, warning or error, not {self.log_level!r}.")


def variable_of(name: str) -> str:
    """The environment variable of the setting called `name`."""
    variable: str = next(each.metadata["variable"] for each in fields(Settings) if each.name == name)
    return variable


def _parse(variable: str, kind: Any, text: str) -> Any:
    try:
        if kind is Path:
            return Path(text).expanduser()
        if kind == list[str]:
            return [part.strip() for part in text.split(",") if part.strip()]
        return kind(text)
    except ValueError:
        names = {int: "a whole number", float: "a number"}
        raise SettingsError(f"{variable} must be {names.get(kind, 'text')}, not {text!r}.") from None
