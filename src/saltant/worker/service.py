"""`saltant worker`: starts and stops the parts of a worker on a machine of its own."""

import logging
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from types import FrameType

from saltant import logs
from saltant.config import Settings
from saltant.reasons import Reason
from saltant.worker.assembly import make_tools
from saltant.worker.broker import BrokerSource
from saltant.worker.control.http import HttpControl
from saltant.worker.home import DRAIN, CannotWork, WorkerHome
from saltant.worker.loop import Worker
from saltant.worker.machine import this_machine
from saltant.worker.runners import make_runners
from saltant.worker.shipping import Shipping

log = logging.getLogger("saltant.worker")

STOPPED = (Reason.LOST, "Its worker was stopped while it ran.")

_ENDED = 0  # a mark among the numbers of signals
_ORDERS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, DRAIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a worker is to be.

    Attributes:
        name: its name.
        queues: the queues it serves.
        slots: how many jobs it runs at once.
        folder: where it keeps what it needs.
        cpus: processors that its jobs may ask for together; None: those that are found.
        memory: bytes that its jobs may ask for together; None: those that are found.
        grace: seconds between SIGTERM and SIGKILL for what runs when it is stopped without waiting.
    """

    name: str
    queues: Sequence[str]
    slots: int
    folder: Path
    cpus: float | None
    memory: int | None
    grace: float


class Service:
    """A worker in a process of its own."""

    def __init__(self, settings: Settings, plan: Plan) -> None:
        self._settings = settings
        self._plan = plan
        self._events: SimpleQueue[int] = SimpleQueue()

    def run(self) -> None:
        """Work until it is told to drain or to stop.

        Raises:
            CannotWork: it cannot start, or its server does not take it.
            SettingsError: the broker's URL cannot be used.
        """
        os.umask(0o077)
        logs.configure(self._settings)
        for signum in _ORDERS:
            if signal.getsignal(signum) is not signal.SIG_IGN:  # nohup ignores SIGHUP
                signal.signal(signum, self._on_signal)
        home = WorkerHome(self._plan.folder)
        home.open()
        try:
            worker = self._make_worker(home)
            worker.start()
            Thread(target=self._tell_end, args=(worker,), name="saltant-end", daemon=True).start()
            self._obey(worker)
        finally:
            home.close()
        if worker.refused is not None:
            raise CannotWork(str(worker.refused))

    def _make_worker(self, home: WorkerHome) -> Worker:
        settings, plan = self._settings, self._plan
        try:
            control = HttpControl(settings.server_url, settings.worker_token, ca=settings.server_ca)
            source = BrokerSource(
                settings.broker_url,
                queues=plan.queues,
                kinds=(),  # until its engines are asked
                slots=plan.slots,
                ca=settings.broker_ca,
                on_cancel=lambda uuid: worker.look_into(uuid),
            )
            machine = this_machine(plan.cpus, plan.memory)
            tools = make_tools(home.path, settings, worker=plan.name, server=lambda: control.server, gpus=machine.gpus)
            runners = make_runners(tools)
        except (OSError, ValueError) as error:
            raise CannotWork(str(error)) from None
        if control.is_readable_by_others:
            log.warning(
                "The token goes to %s unencrypted: use https:// where others share the network.", control.shown_url
            )
        said = machine.announce(
            plan.name, identity=home.identity, queues=plan.queues, slots=plan.slots, kinds=list(runners)
        )

        def ready() -> None:
            source.start(worker.lanes)
            queues = ", ".join(plan.queues)
            at_once = "1 job" if plan.slots == 1 else f"{plan.slots} jobs"
            print(
                f"saltant worker {plan.name} is ready: {at_once} at once of {queues}, from {control.shown_url}",
                flush=True,
            )

        worker = Worker(
            said=said,
            control=control,
            source=source,
            runners=runners,
            heartbeat_seconds=lambda: control.lease / 4,
            kill_grace=settings.kill_grace,
            engines_seconds=settings.engines_every,
            stopped=STOPPED,
            spool=home.spool,
            held=home.held,
            shipping=Shipping(control, plan.name, tools.folders, held=home.held, keep_days=settings.keep_local),
            on_ready=ready,
        )
        return worker

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        # Handlers run between two lines of the main thread: they only leave a mark.
        self._events.put(signum)

    def _tell_end(self, worker: Worker) -> None:
        worker.wait()
        self._events.put(_ENDED)

    def _obey(self, worker: Worker) -> None:
        told = 0
        while (event := self._events.get()) != _ENDED:
            if event != DRAIN:
                told += 1
            if told <= 1:
                worker.drain()
            elif told == 2:
                log.info("Stopping: what runs has %g seconds. Another signal ends it at once.", self._plan.grace)
                Thread(target=worker.end_now, args=(self._plan.grace,), name="saltant-stop", daemon=True).start()
            else:
                Thread(target=worker.stop, args=(0,), name="saltant-hurry", daemon=True).start()
