"""What `saltant check` looks at where the settings are those of a `saltant server`."""

import platform
from collections.abc import Iterator
from importlib.metadata import version

import requests

from saltant.checks import Check, Part, Wrong, run_parts
from saltant.config import Settings, SettingsError, variable_of
from saltant.engine.round_trip import check_round_trip
from saltant.files import CannotKeep
from saltant.serving.database_checks import database_parts
from saltant.serving.needs import check_needs

SECONDS = 5.0
"""How long the server may take to answer."""
USUAL = "http://127.0.0.1:8000"
"""Where `saltant server` listens unless told otherwise."""


def run_checks(settings: Settings) -> Iterator[Check]:
    """Check every part of the server that the settings describe, one after the other."""
    parts = [Part("settings", lambda: check_settings(settings)), Part("https", lambda: check_https(settings))]
    # What is not set is for "settings" to tell.
    if settings.database_url:
        parts += database_parts(settings)
    if settings.broker_url:
        parts.append(Part("broker", lambda: check_round_trip(settings), is_remote=True))
    if settings.database_url:
        parts.append(Part("files", lambda: check_files(settings), is_remote=True))
    parts += [
        Part("versions", check_versions),
        Part("server", lambda: check_server(settings), is_remote=True),
    ]
    return run_parts(parts, "server/")


def check_settings(settings: Settings) -> str:
    """What a server cannot do without is set."""
    try:
        check_needs(settings)
    except SettingsError as error:
        raise Wrong(str(error), "Correct that variable.") from None
    return "database, broker and secret key are set"


def check_https(settings: Settings) -> str:
    """A proxy is believed when it says whom it speaks for."""
    if not settings.https:
        return "not asked for (SALTANT_HTTPS)"
    if not settings.trusted_proxies:
        raise Wrong(
            "No proxy is trusted, so whoever comes through one on this machine counts as local, with HTTPS or without.",
            "Set SALTANT_TRUSTED_PROXIES to the proxy's address, such as 127.0.0.1.",
        )
    return f"through {', '.join(settings.trusted_proxies)}"


def check_files(settings: Settings) -> str:
    """What keeps logs and results takes a file."""
    from saltant.server.files.stores import store_of  # needs Django, which is set up by now

    try:
        store_of(settings).check()
    except CannotKeep as error:
        variable = variable_of("s3_bucket" if settings.s3_bucket else "files_dir")
        raise Wrong(str(error), f"Mend that, or correct {variable} and what goes with it.") from None
    return f"the bucket {settings.s3_bucket}" if settings.s3_bucket else str(settings.files_folder)


def check_versions() -> str:
    """Of what this command runs with."""
    return f"saltant {version('saltant-py')}, Python {platform.python_version()}, Django {version('Django')}"


def check_server(settings: Settings) -> str:
    """The server that is named answers, and says that it is ready; or one that is found where one usually is."""
    named = settings.server_url.strip().rstrip("/").removesuffix("/api").rstrip("/")
    root = named or USUAL
    session = requests.Session()
    session.trust_env = bool(named)  # a proxy of this shell's knows nothing of this machine's addresses
    try:
        with session:
            ready = session.get(f"{root}/readyz", timeout=SECONDS, verify=settings.server_ca or True)
        parts = ready.json()["parts"].items()
    except (requests.RequestException, ValueError, LookupError, TypeError, AttributeError, OSError) as error:
        if not named:
            return f"none at {USUAL}; SALTANT_SERVER_URL names it where it is elsewhere"
        if isinstance(error, requests.ConnectionError | requests.Timeout):
            raise Wrong(
                f"SALTANT_SERVER_URL does not answer: {type(error).__name__}.",
                "Start the server, or correct SALTANT_SERVER_URL (and SALTANT_SERVER_CA).",
            ) from None
        raise Wrong("SALTANT_SERVER_URL answers, but not as saltant does.", "Correct SALTANT_SERVER_URL.") from None
    wrong = [f"{name}: {said}" for name, said in parts if said != "ok"]
    if wrong:
        raise Wrong(f"The server is not ready: {' '.join(wrong)}", "Look into its log.")
    return f"{'' if not named else 'the one that SALTANT_SERVER_URL names, '}ready" + ("" if named else f" at {USUAL}")
