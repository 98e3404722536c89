"""What all tests share."""

import signal
import time
from collections.abc import Generator, Iterator
from typing import Any

import pytest

from tests.services import fixtures, leftovers
from tests.services.fixtures import postgresql, rabbitmq, redis_server

__all__ = ["postgresql", "rabbitmq", "redis_server"]

# Whoever starts the tests in the background may have them ignore Ctrl-C or a hang-up, and with them all they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def _no_container_is_left() -> Iterator[None]:
    """Nothing of container engines is left when all tests, and all other fixtures, are over."""
    yield
    end = time.monotonic() + 30  # the last processes may be on their way out
    while found := leftovers.left():
        assert not leftovers.KEPT and time.monotonic() < end, f"This is left: {found}"  # noqa: PT018
        time.sleep(0.1)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """Tests' SQLite is in memory, in each process its own; pytest-django knows that of Django's own backend alone."""
    from django.conf import settings

    for each in settings.DATABASES.values():
        if "sqlite" in each["ENGINE"]:
            each.setdefault("TEST", {})["NAME"] = ":memory:"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Generator[None]:
    """Say last what could not be tested."""
    yield
    for name, why in fixtures.absent.items():
        terminalreporter.write_line(f"NOT TESTED with {name}: {why}.", red=True, bold=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where several processes test, have each tell the first what it could not."""
    told = getattr(session.config, "workeroutput", None)
    if told is not None:
        told["absent"] = dict(fixtures.absent)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Hear what one of several processes could not test."""
    fixtures.absent.update(getattr(node, "workeroutput", {}).get("absent", {}))
