"""One container, from its start to its end."""

import logging
import socket
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from saltant.worker.runners.docker_engine import Engine, EngineAway, EngineRefused, EngineSlow
from saltant.worker.runners.docker_output import Output

log = logging.getLogger("saltant.worker")

_QUIET = 30.0  # seconds without output after which it is asked whether it still runs
_FIRST_WAIT, _WAIT = 1.0, 60.0  # seconds of one call that waits for its end
_PROMPT = 0.05  # seconds from the end of its output to its own, where the connection did not break
_LOOK = 1.0  # seconds between looks at what does not end
_FOLLOW = 600.0  # seconds without output after which its log is opened anew
_AWAY = 120.0  # seconds after which an engine that does not answer is given up
_AGAIN = 2.0  # seconds between two tries to kill
_LATE = 10.0  # seconds past the grace after which an engine that does not kill is given up
_PAUSES = (0.1, 0.2, 0.5, 1.0)  # seconds between looks for an engine that is away
_OOM_LOOKS, _OOM_PAUSE = 5, 0.1
_KILLED = 137  # the exit code


class Container:
    """A container that was made, and is not started yet.

    Args:
        engine: whose it is.
        id: the engine's name of it.
        output: where what it prints goes; closed when nothing more comes.
        timeout: seconds after its start at which it is ended; None: it may take as long as it likes.
        grace: seconds between SIGTERM and SIGKILL then.
    """

    def __init__(self, engine: Engine, id: str, output: Output, timeout: float | None, grace: float) -> None:
        self.started: datetime | None = None
        self.state: dict[str, Any] | None = None
        self.was_away = False
        self.message = ""  # what is known where `state` is None
        self.is_timed_out = False
        self.is_signalled = False
        self._engine = engine
        self._id = id
        self._output = output
        self._timeout = timeout
        self._grace = grace
        self._changed = threading.Condition()
        self._limit = float("inf")
        self._kill_at = float("inf")
        self._is_over = False
        self._is_given_up = False
        self._away_since: float | None = None
        self._socket: Any = None
        self._held: Any = None  # keeps what belongs to the socket
        self._thread: threading.Thread | None = None

    def end(self, grace: float) -> None:
        """Have it ended, by force after `grace` seconds."""
        with self._changed:
            self._kill_at = min(self._kill_at, time.monotonic() + grace)
            self._changed.notify_all()

    def force(self) -> None:
        """The engine does not end it: wait no longer."""
        with self._changed:
            self._is_given_up = True
            self._changed.notify_all()

    def attach(self) -> None:
        """Listen to what it will print. Raises EngineAway, EngineRefused."""
        with self._engine.asked() as client:
            held = client.attach_socket(self._id, {"stdout": 1, "stderr": 1, "stream": 1})
            self._held, self._socket = held, getattr(held, "_sock", held)
            self._socket.settimeout(_QUIET)
            if isinstance(self._socket, socket.socket):
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def start(self) -> None:
        """Start it. Raises EngineRefused where that cannot be; a broken connection is looked into by `wait`."""
        try:
            with self._engine.asked() as client:
                client.start(self._id)
        except EngineAway:
            self.was_away = True  # it may have been started, or not
        self.started = datetime.now(UTC)
        with self._changed:
            if self._timeout is not None:
                self._limit = time.monotonic() + self._timeout
        self._thread = threading.Thread(target=self._watch, name="saltant-container", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Wait for its end, and end it when its time is over or when it was ordered."""
        killed = float("-inf")
        is_told = False
        while True:
            with self._changed:
                now = time.monotonic()
                if self._is_over or self._is_given_up or self._is_lost(now):
                    break
                if now >= self._limit and self._kill_at == float("inf"):
                    self.is_timed_out, self._kill_at = True, now + self._grace
                is_time = now >= max(self._kill_at, killed + _AGAIN)
                if not is_time and (is_told or self._kill_at == float("inf")):
                    until = min(self._limit, self._kill_at) if now < self._kill_at else killed + _AGAIN
                    self._changed.wait(min(max(0.0, until - now), _LOOK if is_told or self._away_since else _WAIT))
                    continue
            if is_time:
                killed = now
                self._signal("SIGKILL")
            else:
                is_told = self._signal("SIGTERM")
                if not is_told:
                    self._sleep(_PAUSES[-1])
        self._let_go()

    def close(self) -> None:
        """Let go of it where it was never started."""
        self._let_go()
        if self._thread is None:
            self._output.close()

    def _is_lost(self, now: float) -> bool:
        away = self._away_since
        if away is None:
            return False
        return now > min(away + _AWAY, max(away, self._kill_at) + _LATE)

    def _sleep(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait(seconds)

    def _signal(self, name: str) -> bool:
        """Send a signal; returns whether the engine was reached."""
        try:
            with self._engine.asked() as client:
                client.kill(self._id, signal=name)
        except EngineRefused as error:
            log.debug("The container %.12s was not sent %s: %s", self._id, name, error)  # it has ended, mostly
            return True
        except EngineAway:
            return False
        self.is_signalled = True
        return True

    def _let_go(self) -> None:
        with suppress(OSError, AttributeError):
            self._socket.shutdown(socket.SHUT_RDWR)
        if self._thread is not None:
            self._thread.join(_LATE)
        for each in (self._socket, self._held):
            with suppress(OSError, AttributeError):
                each.close()

    def _watch(self) -> None:
        """Take in what it prints until it has ended, across broken connections."""
        try:
            self._read_attached()
            self._see_end()
        except Exception as error:
            log.exception("The container %.12s could not be watched.", self._id)
            self.message = f"{type(error).__name__}: {error}"
        finally:
            self._output.close()
            with self._changed:
                self._is_over = True
                self._changed.notify_all()

    def _read_attached(self) -> None:
        while True:
            try:
                data = self._socket.recv(1 << 16)
            except TimeoutError:
                with suppress(EngineAway, EngineRefused):
                    if self._inspect().get("Running"):
                        continue
                return
            except OSError:
                return
            if not data:
                return
            self._output.feed(data)

    def _see_end(self) -> None:
        pauses = iter(_PAUSES)
        patience = _FIRST_WAIT
        began = time.monotonic()
        is_whole: bool | None = None  # whether all it printed has come; None: if it ended just now
        while not self._is_given_up:
            try:
                has_ended = self._has_ended(patience)
                # Where a connection broke, and it has ended when the engine is back, nobody saw it end.
                self.was_away = self.was_away or (has_ended and self._away_since is not None)
                self._away_since = None
                if is_whole is None and has_ended:
                    is_whole = time.monotonic() - began < _PROMPT or not self._output.is_in_log
                if is_whole and has_ended:
                    self._see_final_state()
                    return
                is_whole = self._follow_again()  # the connection broke, or its program has closed its output
                patience = min(patience * 2, _WAIT)
            except EngineRefused as error:
                self.message = f"its container was removed by somebody else ({error})."
                return
            except EngineAway as error:
                self.message = str(error)
                with self._changed:
                    if self._away_since is None:
                        self._away_since = time.monotonic()
                    else:
                        self.was_away = True  # not only one connection broke
                    self._changed.notify_all()
                self._sleep(next(pauses, _PAUSES[-1]))

    def _has_ended(self, within: float) -> bool:
        try:
            with self._engine.asked() as client:
                client.wait(self._id, timeout=within)  # type: ignore[arg-type]
        except EngineSlow:
            return not self._inspect().get("Running")
        return True

    def _follow_again(self) -> bool:
        """Take in what was printed since, and what is printed from now on; returns whether that came to its end."""
        tail = "all" if self._output.begin_again() else "0"
        params = {"stdout": "1", "stderr": "1", "follow": "1", "tail": tail}
        with suppress(EngineAway), self._engine.asked() as client:  # whether it is away is seen next
            url = f"{client.base_url}/containers/{self._id}/logs"
            with client.get(url, params=params, stream=True, timeout=(_QUIET, _FOLLOW)) as response:
                if response.ok:
                    for data in response.iter_content(1 << 16):
                        self._output.feed(data)
                return True
        return False

    def _inspect(self) -> dict[str, Any]:
        with self._engine.asked() as client:
            return dict(client.inspect_container(self._id)["State"])

    def _see_final_state(self) -> None:
        state = self._inspect()
        if state.get("Status") in ("created", "configured", "initialized"):
            self.was_away = True
            self.message = "the engine went away before it was started."
            return
        for _ in range(_OOM_LOOKS):  # engines note a moment later that it was for want of memory
            if state.get("ExitCode") != _KILLED or state.get("OOMKilled") or self.is_signalled:
                break
            time.sleep(_OOM_PAUSE)
            state = self._inspect()
        self.state = state
        self._away_since = None
