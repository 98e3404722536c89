"""What a worker's server says to it, without anything being done there."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from saltant._http import Transport
from saltant._http_errors import without_userinfo
from saltant.checks import Wrong
from saltant.config import Settings
from saltant.exceptions import AuthenticationError, BadHttpRequestError, NotFound, PermissionDenied
from saltant.worker.control.http import base_url
from saltant.workers import PROTOCOL

SECONDS = 10.0
"""How long the server may take to answer."""
DRIFT = 5.0
"""Seconds by which the two clocks may differ: as many as the server tolerates without a warning."""

HOW = "`saltant token create NAME --role worker --queue QUEUE` on the server makes one"


@dataclass
class Contact:
    """One question to the server, whose answer tells several things."""

    settings: Settings
    answer: Any = None
    refused: BadHttpRequestError | None = None
    ahead: float = 0.0
    url: str = ""

    def check_server(self) -> str:
        """It answers, as a saltant that speaks with workers like this one."""
        try:
            self.url = base_url(self.settings.server_url)
        except ValueError as error:
            raise Wrong(str(error), "Correct SALTANT_SERVER_URL.") from None
        shown = without_userinfo(self.url)
        try:
            self._ask()
        except (AuthenticationError, PermissionDenied) as error:
            self.refused = error  # that is for "token" to tell
            return f"{shown} answers"
        except BadHttpRequestError as error:
            if error.status_code == 405 or isinstance(error, NotFound):
                raise Wrong(
                    f"{shown} answers, but not as a server that knows workers like this one.",
                    "Upgrade the server, or correct SALTANT_SERVER_URL.",
                ) from None
            raise Wrong(f"{str(error).rstrip('.')}.", "Correct SALTANT_SERVER_URL, or start the server.") from None
        theirs = self.answer["protocol"]
        if not max(1, theirs - 1) <= PROTOCOL <= theirs:
            what = "the server first, then its workers" if theirs < PROTOCOL else "this worker"
            raise Wrong(
                f"{shown} is saltant {self.answer['version']} and speaks protocol {theirs}, this worker {PROTOCOL}.",
                f"Upgrade {what}.",
            )
        return f"{shown} answers, saltant {self.answer['version']}"

    def check_token(self) -> str:
        """It lets a worker in, and says for which queues."""
        if self.refused is not None:
            detail = self.refused.detail or str(self.refused)
            is_known = isinstance(self.refused, PermissionDenied)
            says = "The token is not a worker's" if is_known else "The server does not accept the token"
            raise Wrong(f"{says}: {detail}", f"Set SALTANT_WORKER_TOKEN to a worker's: {HOW}.")
        queues = self.answer["queues"]
        if not queues:
            raise Wrong("The token is for no queue: they were deleted.", f"Set another: {HOW}.")
        return f"for {', '.join(queues)}"

    def check_clock(self) -> str:
        """The two clocks agree. What a worker tells is corrected, but who compares logs is not."""
        if abs(self.ahead) > DRIFT:
            raise Wrong(
                f"This clock is {abs(self.ahead):.0f} s {'ahead of' if self.ahead > 0 else 'behind'} the server's.",
                "Set both by NTP.",
            )
        return f"{abs(self.ahead):.1f} s from the server's"

    def _ask(self) -> None:
        transport = Transport(f"{self.url}/api/worker/", self.settings.worker_token, SECONDS, retries=0, pool_size=1)
        if self.settings.server_ca:
            transport.session.verify = self.settings.server_ca
        try:
            before = datetime.now(UTC)
            self.answer = transport.request("GET", "")
            middle = before + (datetime.now(UTC) - before) / 2
        finally:
            transport.close()
        try:
            self.ahead = (middle - datetime.fromisoformat(self.answer["time"])).total_seconds()
            fits = isinstance(self.answer["protocol"], int) and all(isinstance(q, str) for q in self.answer["queues"])
        except (LookupError, TypeError, ValueError):
            fits = False
        if not fits:
            shown = without_userinfo(self.url)
            raise Wrong(f"{shown} answers, but not as saltant does.", "Correct SALTANT_SERVER_URL.")
