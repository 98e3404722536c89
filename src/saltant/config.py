"""The settings of server and worker: typed, documented, each read from one environment variable.

`docs/settings.md` lists them; a test compares the two.
"""

import ipaddress
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


def setting(variable: str, help: str, default: Any = None, *, secret: bool = False, **kwargs: Any) -> Any:
    """A dataclass field that is read from `variable`; a `secret` one also from the file that `variable`_FILE names."""
    if "default_factory" not in kwargs:
        kwargs["default"] = default
    return field(metadata={"variable": variable, "help": help, "secret": secret}, repr=not secret, **kwargs)


LONGEST = 10 * 365 * 86400
"""Seconds: ten years. What is longer is a mistake, and overflows dates."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every setting. Durations are seconds."""

    data_dir: Path = setting(
        "SALTANT_DATA_DIR",
        "The folder of `saltant up`: database, secret key, admin token, logs and results. "
        "`$XDG_DATA_HOME/saltant` or `~/.local/share/saltant` by default. That of `saltant worker`, by default "
        "`saltant-worker` beside it, has logs, results, and ends that its server does not know yet.",
        default_factory=default_data_dir,
    )
    secret_key: str = setting(
        "SALTANT_SECRET_KEY",
        "Signs sessions and JWTs. `saltant up` makes it at the first start and keeps it in the folder; "
        "`saltant server` must be given it, the same for every process on every host.",
        "",
        secret=True,
    )
    database_url: str = setting(
        "SALTANT_DATABASE_URL",
        "The database of `saltant server`: `postgresql://USER:PASSWORD@HOST:5432/NAME`, with `?sslmode=verify-full` "
        "and other options of libpq. `saltant up` has its own and takes none.",
        "",
        secret=True,
    )
    broker_url: str = setting(
        "SALTANT_BROKER_URL",
        "What carries tickets from `saltant server` to `saltant worker`: `amqp://USER:PASSWORD@HOST:5672/VHOST` "
        "(RabbitMQ; `amqps://` with TLS) or `redis://:PASSWORD@HOST:6379/0` (`rediss://` with TLS).",
        "",
        secret=True,
    )
    broker_ca: str = setting(
        "SALTANT_BROKER_CA",
        "A file with the certificates that the broker's is signed with, for TLS. The system's by default.",
        "",
    )
    server_url: str = setting(
        "SALTANT_SERVER_URL", "Where a worker finds its server: `https://saltant.example.org`. `--server` wins.", ""
    )
    worker_token: str = setting(
        "SALTANT_WORKER_TOKEN",
        "The key that lets a worker in: `saltant token create NAME --role worker --queue QUEUE` makes one.",
        "",
        secret=True,
    )
    server_ca: str = setting(
        "SALTANT_SERVER_CA",
        "A file with the certificates that the server's is signed with, for a worker. The usual ones by default.",
        "",
    )
    allowed_hosts: list[str] = setting(
        "SALTANT_ALLOWED_HOSTS",
        "Host names that requests may name, comma-separated. By default the loopback names, or, where the server "
        "listens elsewhere, any (`*`).",
        default_factory=list,
    )
    https: bool = setting(
        "SALTANT_HTTPS",
        "`yes`: people come over HTTPS alone, through a proxy that ends it. Cookies are secure, browsers are told to "
        "stay with HTTPS, and plain HTTP is refused but from this machine itself.",
        False,
    )
    hsts: int = setting(
        "SALTANT_HSTS",
        "With `SALTANT_HTTPS`: for how long browsers, once they came, refuse plain HTTP to this host "
        "(Strict-Transport-Security). 0: not at all.",
        86400,
    )
    trusted_proxies: list[str] = setting(
        "SALTANT_TRUSTED_PROXIES",
        "Addresses or networks of the proxies before this server, comma-separated: what they say in X-Forwarded-For "
        "and X-Forwarded-Proto is believed. By default nobody is. `*`: whoever connects.",
        default_factory=list,
    )
    sign_in_tries: int = setting(
        "SALTANT_SIGN_IN_TRIES",
        "How often somebody may fail to sign in under one username within a window. 0: as often as they like.",
        20,
    )
    sign_in_tries_per_address: int = setting(
        "SALTANT_SIGN_IN_TRIES_PER_ADDRESS",
        "How often signing in may fail from one address within a window. 0: as often as they like.",
        100,
    )
    sign_in_window: float = setting("SALTANT_SIGN_IN_WINDOW", "How long failed tries to sign in are counted.", 300.0)
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
    republish: float = setting(
        "SALTANT_REPUBLISH",
        "After how long a ticket that nobody claimed is looked for in the broker, and sent again if it is lost.",
        10.0,
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
    run_as: str = setting(
        "SALTANT_RUN_AS",
        "The user that jobs run as, in containers too, where saltant is started as root. By default saltant's own "
        "user: started as root, it then warns that whoever may submit is as good as root.",
        "",
    )
    docker_host: str = setting(
        "SALTANT_DOCKER_HOST",
        "Where the worker's Docker engine is, or Podman's socket: `unix:///run/docker.sock`, "
        "`unix:///run/user/1000/podman/podman.sock`. `DOCKER_HOST`, or Docker's own place, by default.",
        "",
    )
    container_user: str = setting(
        "SALTANT_CONTAINER_USER",
        "`self`: a Docker container whose type names no user runs as the worker's own user and group, so that what it "
        "writes can be read and deleted. By default as its image says, which is often root.",
        "",
    )
    registry_auth: str = setting(
        "SALTANT_REGISTRY_AUTH",
        "A file with the credentials of registries, in the form of Docker's `config.json`, that the worker pulls "
        "images with. By default that of the worker's user.",
        "",
    )
    images_dir: str = setting(
        "SALTANT_IMAGES_DIR",
        "Where the worker keeps the images that Singularity has pulled. `images` in its folder by default.",
        "",
    )
    pull_timeout: float = setting("SALTANT_PULL_TIMEOUT", "How long one try to pull an image may take.", 1800.0)
    pull_tries: int = setting("SALTANT_PULL_TRIES", "How often the worker tries to pull an image.", 3)
    engines_every: float = setting(
        "SALTANT_ENGINES_EVERY", "How often a worker asks again whether its container engines can be used.", 30.0
    )
    files_dir: str = setting(
        "SALTANT_FILES_DIR",
        "Where the server keeps the logs and results that workers send it: a folder of its own, on a disk with room. "
        "`files` in `SALTANT_DATA_DIR` by default. Several servers on one database need one that they share, or a "
        "store with `SALTANT_S3_BUCKET`.",
        "",
    )
    s3_bucket: str = setting(
        "SALTANT_S3_BUCKET",
        "Keep logs and results in this bucket of an S3-compatible store, in the place of a folder. It needs "
        "`pip install 'saltant-py[s3]'`.",
        "",
    )
    s3_endpoint: str = setting(
        "SALTANT_S3_ENDPOINT", "Where the store is: `https://s3.example.org`. Amazon's by default.", ""
    )
    s3_region: str = setting("SALTANT_S3_REGION", "The store's region, where it has any.", "")
    s3_prefix: str = setting(
        "SALTANT_S3_PREFIX", "What all names in the bucket begin with, where others use the bucket too.", ""
    )
    s3_access_key: str = setting(
        "SALTANT_S3_ACCESS_KEY",
        "The key's name. By default what the machine has (AWS_ACCESS_KEY_ID, roles and the like).",
        "",
        secret=True,
    )
    s3_secret_key: str = setting("SALTANT_S3_SECRET_KEY", "The key.", "", secret=True)
    log_limit: int = setting(
        "SALTANT_LOG_LIMIT",
        "How many bytes of logs the server keeps of an instance. What comes after is cut, and the last line says so.",
        100 * 1024 * 1024,
    )
    result_limit: int = setting(
        "SALTANT_RESULT_LIMIT",
        "How many bytes of results the server keeps of an attempt. Files beyond that are refused, and named.",
        10 * 1024**3,
    )
    result_files: int = setting(
        "SALTANT_RESULT_FILES", "How many files of results the server keeps of an attempt, likewise.", 10_000
    )
    keep_logs: int = setting(
        "SALTANT_KEEP_LOGS",
        "For how many days after an instance's end `saltant prune` leaves its logs. 0: for ever.",
        0,
    )
    keep_results: int = setting("SALTANT_KEEP_RESULTS", "Likewise its results.", 0)
    keep_instances: int = setting(
        "SALTANT_KEEP_INSTANCES", "Likewise the instance itself, with its attempts, logs and results.", 0
    )
    keep_local: int = setting(
        "SALTANT_KEEP_LOCAL",
        "For how many days a worker keeps its own copies of the logs and results that the server has. 0: for ever.",
        7,
    )
    log_level: str = setting("SALTANT_LOG_LEVEL", "debug, info, warning or error.", "info")
    log_format: str = setting(
        "SALTANT_LOG_FORMAT", "`people`, or `json`: one object a line, each field a key.", "people"
    )

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **overrides: Any) -> "Settings":
        """Read the settings from the environment; `overrides` that are not None win.

        Raises:
            SettingsError: a variable holds what its setting cannot take.
        """
        environ = os.environ if environ is None else environ
        hints = get_type_hints(cls)
        values = {name: value for name, value in overrides.items() if value is not None}
        if "data_dir" in values:
            values["data_dir"] = values["data_dir"].expanduser()  # a shell leaves `--data-dir=~/x` to us
        for each in fields(cls):
            text = _text_of(each.metadata["variable"], environ, secret=each.metadata["secret"])
            if text and each.name not in values:
                values[each.name] = _parse(each.metadata["variable"], hints[each.name], text)
        settings = cls(**values)
        settings._check()
        return settings

    @property
    def files_folder(self) -> Path:
        """The folder where the server keeps logs and results."""
        return Path(self.files_dir).expanduser() if self.files_dir else self.data_dir / "files"

    def _check(self) -> None:
        if self.container_user not in ("", "self"):
            raise SettingsError(f"SALTANT_CONTAINER_USER must be self or empty, not {self.container_user!r}.")
        if not 1 <= self.pull_tries <= 100:
            raise SettingsError(f"SALTANT_PULL_TRIES must be between 1 and 100, not {self.pull_tries}.")
        for name in ("max_body", "sign_in_window", "pull_timeout", "engines_every"):
            if not 0 < getattr(self, name) <= LONGEST:
                raise SettingsError(f"{variable_of(name)} must be more than 0, not {getattr(self, name)}.")
        if not 0 < self.filter_time <= 60:
            raise SettingsError(f"SALTANT_FILTER_TIME must be more than 0 and at most 60, not {self.filter_time}.")
        if not 1 <= self.republish <= LONGEST:
            raise SettingsError(f"SALTANT_REPUBLISH must be at least 1 second, not {self.republish}.")
        if not 1 <= self.lease <= LONGEST:
            raise SettingsError(f"SALTANT_LEASE must be at least 1 second, not {self.lease}.")
        for name in ("sign_in_tries", "sign_in_tries_per_address"):
            if getattr(self, name) < 0:
                raise SettingsError(f"{variable_of(name)} must be 0 or more, not {getattr(self, name)}.")
        for name in ("kill_grace", "claim_timeout", "hsts"):
            if not 0 <= getattr(self, name) <= LONGEST:
                raise SettingsError(
                    f"{variable_of(name)} must be between 0 and {LONGEST} seconds, not {getattr(self, name)}."
                )
        for name in ("log_limit", "result_limit", "result_files"):
            if not 0 <= getattr(self, name) <= 2**60:
                raise SettingsError(f"{variable_of(name)} must be 0 or more, not {getattr(self, name)}.")
        for name in ("keep_logs", "keep_results", "keep_instances", "keep_local"):
            if not 0 <= getattr(self, name) <= LONGEST // 86400:
                raise SettingsError(
                    f"{variable_of(name)} must be between 0 and {LONGEST // 86400} days, not {getattr(self, name)}."
                )
        if self.s3_bucket and bool(self.s3_access_key) != bool(self.s3_secret_key):
            raise SettingsError("SALTANT_S3_ACCESS_KEY and SALTANT_S3_SECRET_KEY go together: set both or neither.")
        if self.s3_endpoint and not self.s3_endpoint.startswith(("http://", "https://")):
            raise SettingsError("SALTANT_S3_ENDPOINT must begin with https:// or http://.")
        if self.log_level.lower() not in ("debug", "info", "warning", "error"):
            raise SettingsError(f"SALTANT_LOG_LEVEL must be debug, info, warning or error, not {self.log_level!r}.")
        if self.log_format not in ("people", "json"):
            raise SettingsError(f"SALTANT_LOG_FORMAT must be people or json, not {self.log_format!r}.")
        for proxy in self.trusted_proxies:
            try:
                if proxy != "*":
                    ipaddress.ip_network(proxy)
            except ValueError:
                raise SettingsError(
                    f"SALTANT_TRUSTED_PROXIES must hold IP addresses, networks or *, not {proxy!r}."
                ) from None


def variable_of(name: str) -> str:
    """The environment variable of the setting called `name`."""
    variable: str = next(each.metadata["variable"] for each in fields(Settings) if each.name == name)
    return variable


def _text_of(variable: str, environ: Mapping[str, str], *, secret: bool) -> str:
    """What is set, in the variable itself or, for a secret, in the file that is named instead."""
    text = environ.get(variable, "").strip()
    named = environ.get(f"{variable}_FILE", "").strip() if secret else ""
    if text and named:
        raise SettingsError(f"{variable} and {variable}_FILE are both set: unset one of them.")
    if named:
        try:
            text = Path(named).expanduser().read_text().strip()
        except (OSError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or "it holds no text"
            raise SettingsError(f"{variable}_FILE names {named}, which cannot be read: {why}.") from None
        if not text:
            raise SettingsError(f"{variable}_FILE names {named}, which is empty.")
    return text


def _parse(variable: str, kind: Any, text: str) -> Any:
    try:
        if kind is Path:
            return Path(text).expanduser()
        if kind is bool:
            return _parse_bool(text)
        if kind == list[str]:
            return [part.strip() for part in text.split(",") if part.strip()]
        return kind(text)
    except ValueError:
        names = {bool: "yes or no", int: "a whole number", float: "a number"}
        raise SettingsError(f"{variable} must be {names.get(kind, 'text')}, not {text!r}.") from None


def _parse_bool(text: str) -> bool:
    if text.lower() in ("yes", "true", "on", "1"):
        return True
    if text.lower() in ("no", "false", "off", "0"):
        return False
    raise ValueError(text)
