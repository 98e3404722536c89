"""The worker: what it is made of, how it starts, drains and stops. What its slots do is in `slots`."""

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from uuid import UUID

from saltant.jobs import Attempt, End, Kind
from saltant.reasons import Reason
from saltant.worker.control import Control
from saltant.worker.cut_off import CutOff
from saltant.worker.engines import EVERY, Engines
from saltant.worker.heart import Heart
from saltant.worker.progress import ProgressWatch
from saltant.worker.reports import Reports
from saltant.worker.runners.base import Runner
from saltant.worker.running import Running
from saltant.worker.shipping import Shipping
from saltant.worker.slots import Exchange, Slots
from saltant.worker.source import Source
from saltant.worker.spool import Spool
from saltant.workers import Announcement, Refused

log = logging.getLogger("saltant.worker")

_HURRY = 2.0  # seconds that a stop without grace may take to kill and to report
_REPORT = 5.0  # seconds to report, and to leave, after what ran was killed


class Worker:
    """Runs what it gets tickets for, as many at once as it has slots.

    Args:
        said: what it is: its name, queues and slots, and more that only its server needs.
        control: the server.
        source: where tickets come from; closed when the worker stops.
        runners: how it runs each kind of job; it takes tickets of those kinds that can be run at the time, announces
            those, and closes the runners when it stops.
        heartbeat_seconds: how often it renews its leases; asked for each time.
        kill_grace: seconds between SIGTERM and SIGKILL for a job that is terminated.
        stopped: the reason, and a sentence, for what is ended as the worker is stopped.
        spool: where ends are kept that the server has not taken; None: in memory only.
        held: what the spool held at the start.
        engines_seconds: how often it asks again what can be run.
        shipping: ships what jobs leave; None: it stays where it is. Closed when the worker stops.
        on_ready: called once the server has taken it, before it takes tickets.
        exchange: reports an end and claims the next attempt, both or neither; None: they are done one by one.
    """

    def __init__(
        self,
        *,
        said: Announcement,
        control: Control,
        source: Source,
        runners: Mapping[Kind, Runner],
        heartbeat_seconds: float | Callable[[], float] = 10.0,
        kill_grace: float = 5.0,
        engines_seconds: float = EVERY,
        stopped: tuple[Reason, str] = (Reason.SERVER_STOPPED, ""),
        spool: Spool | None = None,
        held: Mapping[Attempt, End] | None = None,
        shipping: Shipping | None = None,
        on_ready: Callable[[], None] = lambda: None,
        exchange: Exchange | None = None,
    ) -> None:
        self.name = said.worker
        self.refused: Refused | None = None  # why the server did not take it
        self._control = control
        self._source = source
        self._runners = dict(runners)
        self._queues = said.queues
        self._shipping = shipping
        self._on_ready = on_ready
        self._changed = threading.Lock()
        self._announced = threading.Event()  # or never to be
        self._abandoned = threading.Event()  # set when the time to report is over
        self._ended = threading.Event()
        self._deadlines = (float("inf"), float("inf"), float("inf"))
        self._reports = Reports(control, said.worker, spool, dict(held or {}), self._abandoned, shipping)
        self._engines = Engines(
            self._runners,
            on_change=self._on_engines,
            are_live=control.live,
            knows_server=lambda: bool(control.server),
            every=engines_seconds,
        )
        self._slots = Slots(
            worker=said.worker,
            count=said.slots,
            control=control,
            source=source,
            runners=self._runners,
            engines=self._engines,
            reports=self._reports,
            announced=self._announced,
            abandoned=self._abandoned,
            stopped=stopped,
            shipping=shipping,
            held=dict(held or {}),
            on_running=self._on_running,
            look=self._look,
            exchange=exchange,
        )
        self._cut_off = CutOff(self._slots.running, kill_grace)
        self._heart: Heart = Heart(
            control=control,
            said=lambda: replace(said, kinds=list(self._engines), lanes=self._slots.lanes),
            running=self._slots.running,
            pending=lambda: self._reports.pending,
            interval=heartbeat_seconds if callable(heartbeat_seconds) else lambda: heartbeat_seconds,
            kill_grace=kill_grace,
            on_drain=self.drain,
            abandoned=self._abandoned,
        )
        self._progress = ProgressWatch(self._slots.running, self._heart.look)
        threads = {"saltant-heartbeat": self._live, "saltant-cut-off": self._cut_off.watch}
        threads |= {"saltant-engines": self._watch_engines, "saltant-progress": self._progress.watch}
        self._threads = [threading.Thread(target=run, name=name, daemon=True) for name, run in threads.items()]

    def start(self) -> None:
        """Begin to take tickets; returns at once."""
        self._slots.start()
        for thread in self._threads:
            thread.start()

    def look(self) -> None:
        """Ask the server soon whether something that runs is to be ended. From any thread."""
        self._slots.looked()
        self._heart.look()

    def look_into(self, uuid: UUID) -> None:
        """Ask the server soon whether an instance is to be ended, if it is here. From any thread."""
        if self._slots.has(uuid):
            self.look()

    @property
    def lanes(self) -> Collection[str] | None:
        """The lanes by which the tickets of its queues come, once the server has told them; None: all."""
        return self._slots.lanes

    @property
    def running(self) -> list[Attempt]:
        """What runs now."""
        return [running.attempt for running in self._slots.running()]

    def wait(self) -> None:
        """Wait until it has stopped: it was told to, it has drained, or the server has refused it."""
        self._ended.wait()

    def drain(self) -> None:
        """Take nothing new, finish what runs however long it takes, then stop. Returns at once."""
        if not self._slots.stop_taking():
            return
        log.info("Draining: nothing new is taken, and what runs (%d) is finished.", len(self.running))
        self._heart.drain()
        threading.Thread(target=self._finish_all, name="saltant-drain", daemon=True).start()

    def stop(self, grace: float = 10.0) -> None:
        """Stop within `grace` seconds, though no job is killed unreported in less than two.

        Takes nothing new. What runs has half of the grace to end by itself, is then sent SIGTERM, and SIGKILL shortly
        before the grace is over; what was ended so is reported as such. Another call, from another thread, can make it
        quicker: stop(0) kills at once. Not to be called from a signal handler.
        """
        margin = min(1.0, grace / 4)
        self._stop(grace / 2, grace - margin, max(grace, _HURRY))

    def end_now(self, grace: float) -> None:
        """Stop: what runs is sent SIGTERM now, SIGKILL in `grace` seconds, and reported."""
        self._stop(0.0, grace, grace + _REPORT)

    def _stop(self, *seconds: float) -> None:
        """Stop: from now, when what runs is sent SIGTERM, when SIGKILL, and until when ends are reported."""
        now = time.monotonic()
        with self._changed:
            sooner = [min(now + each, known) for each, known in zip(seconds, self._deadlines, strict=True)]
            self._deadlines = (sooner[0], sooner[1], sooner[2])
        self._slots.stop_taking()
        # A broker may take a second or two to let go, and that is not to come off what jobs have to end.
        threading.Thread(target=self._source.close, name="saltant-close", daemon=True).start()
        self._announced.set()  # slots that never began end, too
        if not self._wait_for_slots(0):
            self._slots.end_all(self._deadlines[1])
            if self._shipping is not None and not self._wait_for_slots(1, 2):
                self._shipping.hurry()
            if not self._wait_for_slots(2):
                log.error("Stopping although these still run: %s", ", ".join(str(a.uuid) for a in self.running))
        leaving = threading.Thread(target=self._heart.leave, name="saltant-leave", daemon=True)
        if not self._ended.is_set():
            leaving.start()
        self._abandoned.set()
        self._heart.look()
        self._cut_off.close()
        self._progress.close()
        self._engines.close()
        for runner in self._runners.values():
            runner.close(max(0.5, self._deadlines[2] - time.monotonic()))
        if not self._ended.is_set():
            leaving.join(max(0.5, min(_REPORT, self._deadlines[2] - time.monotonic())))
        if self._shipping is not None:
            self._shipping.close()
        self._reports.keep_all()
        self._ended.set()

    def _finish_all(self) -> None:
        """A drain: stop when nothing runs any more and every end is reported."""
        self._source.close()
        if not self._heart.is_announced:
            self._announced.set()  # it has nothing to finish, but for ends that stay on disk
        if self._wait_for_slots(0):  # otherwise a stop has taken over
            self._stop(0.0, 0.0, _REPORT)

    def _wait_for_slots(self, *deadlines: int) -> bool:
        """Wait until all slots are done: False if one of the deadlines, or the middle of several, came first."""
        return self._slots.wait(lambda: sum(self._deadlines[each] for each in deadlines) / len(deadlines))

    def _live(self) -> None:
        """The heartbeat's thread: the worker's announcement, and its beats."""
        try:
            self._engines.look()
            self._heart.announce(lambda: not self._slots.stopping)
            if self._heart.is_announced:
                self._slots.lanes = self._queues if self._heart.lanes is None else self._heart.lanes
                self._slots.is_announced = True
                if self._shipping is not None:
                    self._shipping.start()
                self._on_ready()
        except Exception as error:
            if isinstance(error, Refused):
                log.error("This worker stops: %s", error)
                self.refused = error
            else:
                log.exception("The worker failed at its start.")
                self.refused = Refused(f"The worker failed at its start: {error}")
            self._stop(0.0, 0.0, _HURRY)
            return
        finally:
            self._announced.set()
        self._heart.beat()

    def _watch_engines(self) -> None:
        self._announced.wait()
        if self._heart.is_announced:
            self._engines.watch()

    def _on_engines(self) -> None:
        """Other kinds of jobs can be run than before."""
        self._source.refresh(self._engines)
        self._heart.say_again()

    def _look(self) -> None:
        self._heart.look()

    def _on_running(self, running: Running) -> None:
        """An attempt was claimed."""
        self._progress.look()
        if running.lease is not None:
            self._cut_off.look()
