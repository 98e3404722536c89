"""The rig's server over HTTP, on a loopback port."""

import json
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from saltant.protocol import (
    announcement_from_json,
    attempt_from_json,
    attempts_from_json,
    attempts_to_json,
    end_from_json,
    job_to_json,
    orders_to_json,
    progress_from_json,
    running_from_json,
    ticket_from_json,
)
from tests.unit.worker.rig import Server

TOKEN = "saltant_a-made-up-worker-token"


class Web:
    """Serves a Server's control as JSON.

    Attributes:
        requests: the path and body of each request that was let in.
        answer: a status and a body that every request gets instead, or None.
        ahead: how far its clock is ahead, in seconds.
        gate: while it is not set, claims and ends wait in the server.
    """

    def __init__(self, server: Server | None = None) -> None:
        self.server = server or Server()
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.answer: tuple[int, str] | None = None
        self.ahead = 0.0
        self.lease = 60.0
        self.more: dict[str, Any] = {}  # that it answers to an announcement
        self.gate = threading.Event()
        self.gate.set()
        self.under_way = 0
        self.connections = 0
        self.refuses_many = False
        web = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 1 << 16  # one packet an answer

            def setup(self) -> None:
                web.connections += 1
                super().setup()

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, text = web.respond(self.path, dict(self.headers), body)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def respond(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> tuple[int, str]:
        """The answer to a request."""
        if headers.get("Authorization") != f"Token {TOKEN}" or "version=2" not in headers.get("Accept", ""):
            return 401, json.dumps({"detail": "Invalid token."})
        self.requests.append((path, body))
        if self.answer is not None:
            return self.answer
        name = path.removeprefix("/api/worker/")
        if name in ("claim", "finish", "exchange"):
            self.under_way += 1
            self.gate.wait(30)
            self.under_way -= 1
        many = len(body.get("tickets", ())) + len(body.get("ends", ()))
        if self.refuses_many and many > 1:
            return 400, json.dumps({"detail": "One of them is wrong."})
        try:
            return 200, json.dumps(getattr(self, f"_{name}")(body))
        except ConnectionError as error:
            return 503, json.dumps({"detail": str(error)})

    def close(self) -> None:
        """Serve nothing more."""
        self.gate.set()
        self._http.shutdown()
        self._http.server_close()

    def _announce(self, body: dict[str, Any]) -> dict[str, Any]:
        held = body["holding"]
        self.server.announce(
            announcement_from_json(body), None if held is None else [attempt_from_json(each) for each in held]
        )
        return {"time": self._now(), "lease": self.lease, "version": "0"} | self.more

    def _claim(self, body: dict[str, Any]) -> dict[str, Any]:
        jobs = [self.server.claim(ticket_from_json(each), body["worker"]) for each in body["tickets"]]
        return {"jobs": [None if job is None else job_to_json(job) for job in jobs]}

    def _heartbeat(self, body: dict[str, Any]) -> dict[str, Any]:
        running = body["running"]
        orders = self.server.heartbeat(body["worker"], running_from_json(running), progress_from_json(running))
        return orders_to_json(orders) | {"time": self._now()}

    def _finish(self, body: dict[str, Any]) -> dict[str, Any]:
        ends = [(attempt_from_json(each), end_from_json(each["end"])) for each in body["ends"]]
        return {"accepted": [self.server.finish(attempt, body["worker"], end) for attempt, end in ends]}

    def _exchange(self, body: dict[str, Any]) -> dict[str, Any]:
        return self._finish(body) | self._claim(body)

    def _live(self, body: dict[str, Any]) -> dict[str, Any]:
        return attempts_to_json(self.server.live(attempts_from_json(body)))

    def _leave(self, body: dict[str, Any]) -> dict[str, Any]:
        self.server.leave(body["worker"], draining=body["draining"])
        return {}

    def _now(self) -> str:
        return (datetime.now(UTC) + timedelta(seconds=self.ahead)).isoformat()
