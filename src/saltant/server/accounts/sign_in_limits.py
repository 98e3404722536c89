"""How often somebody may fail to sign in: per username, and per address.

The counts are in this process's memory. A count must cost less than the password check that it saves, and must not let
strangers write to the database that jobs wait for. So a restart forgets them, and several processes together allow
as many tries as each of them: with guesses this rare, neither helps anybody to a password.
"""

import ipaddress
import math
import time
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Lock

from django.conf import settings
from django.http import HttpRequest
from rest_framework.exceptions import AuthenticationFailed, Throttled

MAX_KEYS = 20_000
"""What is counted at most; beyond it the oldest windows are forgotten."""


class TooManyTries(Throttled):
    """429, with Retry-After."""

    default_detail = "There were too many failed tries to sign in."
    extra_detail_singular = "Try again in {wait} second."
    extra_detail_plural = "Try again in {wait} seconds."

    def __init__(self, seconds: int) -> None:
        super().__init__(wait=seconds)
        self.seconds = seconds


class Tries:
    """Counts by key. A key's window begins with its first try."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._windows: dict[str, tuple[float, int]] = {}

    def take(self, limits: Mapping[str, int], window: float) -> float:
        """Count one try for each key and return 0; or count none, and return the seconds until there is one again.

        A key's try counts before it fails: many at once get no more of them.
        """
        now = time.monotonic()
        with self._lock:
            current = {key: self._current(key, now - window) or (now, 0) for key in limits}
            wait = max((began for key, (began, count) in current.items() if count >= limits[key]), default=None)
            if wait is not None:
                return max(1.0, wait + window - now)
            for key, (began, count) in current.items():
                self._windows[key] = (began, count + 1)
            self._forget()
            return 0.0

    def give_back(self, limits: Mapping[str, int]) -> None:
        """Do not count a try after all: it did not fail."""
        with self._lock:
            for key in limits:
                began, count = self._windows.get(key, (0.0, 0))
                if count > 1:
                    self._windows[key] = (began, count - 1)
                else:
                    self._windows.pop(key, None)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._windows.clear()

    def _current(self, key: str, oldest: float) -> tuple[float, int] | None:
        began, count = self._windows.get(key, (oldest, 0))
        if began > oldest:
            return began, count
        # In its next window it shall stand at the end again.
        self._windows.pop(key, None)
        return None

    def _forget(self) -> None:
        """Keep memory bounded. A dict keeps the order in which windows began."""
        while len(self._windows) > MAX_KEYS:
            del self._windows[next(iter(self._windows))]


tries = Tries()


def take(request: HttpRequest, username: object = None) -> dict[str, int]:
    """Count a try to sign in; returns what to give back if it does not fail.

    Raises:
        TooManyTries: too many failed before.
    """
    saltant = settings.SALTANT
    limits = {f"address {network_of(request.META.get('REMOTE_ADDR', ''))}": saltant.sign_in_tries_per_address}
    if isinstance(username, str | int | float):
        limits[f"user {name_of(username)}"] = saltant.sign_in_tries
    limits = {key: limit for key, limit in limits.items() if limit}
    wait = tries.take(limits, saltant.sign_in_window)
    if wait:
        raise TooManyTries(math.ceil(min(wait, 1e9)))
    return limits


@contextmanager
def counted(request: HttpRequest, username: object = None) -> Iterator[None]:
    """Count what is done within as a try to sign in. It fails with AuthenticationFailed.

    Raises:
        TooManyTries: too many failed before.
    """
    taken = take(request, username)
    try:
        yield
    except AuthenticationFailed:
        raise
    except BaseException:
        tries.give_back(taken)
        raise
    tries.give_back(taken)


def name_of(username: str | float) -> str:
    """One key for everything that signs in as the same user: both doors trim, the API takes numbers, the page NFKC.

    >>> name_of("\\tada "), name_of("\uff41da"), name_of(1815)
    ('ada', 'ada', '1815')
    """
    # No name is longer: what is cut off here could sign nobody in.
    return unicodedata.normalize("NFKC", str(username).strip()[:150]).strip()


def network_of(address: str) -> str:
    """What one client may choose its address from: of IPv6 that is a /64.

    >>> network_of("192.0.2.1"), network_of("2001:db8::1:2:3:4"), network_of("")
    ('192.0.2.1', '2001:db8::/64', '')
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, 64), strict=False))
    return address
