"""What kills, cuts and starts again."""

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from tests.acceptance.system import START
from tests.chaos.machines import LEASE, Machine, Machines, wait_ready
from tests.chaos.proxy import Cut

WORKER, LAUNCHER, SHIM, CUT = "worker killed", "launcher killed", "shim killed", "worker cut off"
DRAIN = "worker drained"
PROCESS, SUPERVISOR, BROKER = "server process killed", "server killed", "broker killed"


@dataclass
class Act:
    """Something that was done, from when to when, by `time.time`; to which worker, if to one."""

    what: str
    worker: str
    begin: float
    end: float = float("inf")


class Monkey:
    """Acts at random, one act after the other, in a thread of its own.

    Every act comes once before any comes again, so that a short run has them all.

    Args:
        acts: what it does: each takes the monkey.
        rest: the most seconds between two acts.
    """

    def __init__(
        self,
        machines: Machines,
        acts: dict[str, Callable[["Monkey", Act], None]],
        *,
        chance: random.Random,
        rest: float,
        say: Callable[[str], None],
    ) -> None:
        self.machines = machines
        self.chance = chance
        self.done: list[Act] = []
        self.failure: BaseException | None = None
        self._acts = acts
        self._rest = rest
        self._say = say
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="chaos-monkey", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Have it end with the act under way; everything is up again then."""
        self._stop.set()

    @property
    def is_done(self) -> bool:
        """Whether it has ended."""
        return not self._thread.is_alive()

    @property
    def has_done_all(self) -> bool:
        """Whether it has done everything once."""
        return {act.what for act in list(self.done)} == set(self._acts)

    @property
    def counts(self) -> Counter[str]:
        """How often it did what."""
        return Counter(act.what for act in self.done)

    def pause(self, most: float) -> None:
        """Let a random time pass."""
        time.sleep(self.chance.uniform(0, most))

    def _run(self) -> None:
        deck: list[str] = []
        try:
            while not self._stop.wait(self.chance.uniform(0, self._rest)):
                if not deck:
                    deck = list(self._acts)
                    self.chance.shuffle(deck)
                what = deck.pop()
                worker = self._pick().name if self._acts[what] in ON_WORKERS else ""
                act = Act(what, worker, time.time())
                self._say(f"{what}{f': {worker}' if worker else ''}")
                try:
                    self._acts[what](self, act)
                finally:
                    act.end = time.time()
                    self.done.append(act)
        except BaseException as error:
            self.failure = error

    def _pick(self) -> Machine:
        """A worker, one that runs something if there is one."""
        workers = self.machines.workers
        return self.chance.choice([each for each in workers if each.busy_shims] or workers)

    def machine(self, act: Act) -> Machine:
        """The worker that an act is about."""
        return next(each for each in self.machines.workers if each.name == act.worker)


def kill_worker(monkey: Monkey, act: Act) -> None:
    """SIGKILL of a worker; it is back at once, soon, or when its leases are over."""
    program = monkey.machine(act).program
    program.kill()
    monkey.pause(monkey.chance.choice([0.0, 1.0, LEASE * 1.5]))
    program.start(wait=False)
    wait_ready(program)


def kill_launcher(monkey: Monkey, act: Act) -> None:
    """SIGKILL of the process that starts a worker's jobs."""
    launcher = monkey.machine(act).launcher
    if launcher is not None:
        _kill(launcher)


def kill_shim(monkey: Monkey, act: Act) -> None:
    """SIGKILL of a process that watches over a job, if there is a job, or else of one that waits for the next."""
    machine = monkey.machine(act)
    shims = machine.busy_shims or machine.shims
    if shims:
        _kill(monkey.chance.choice(shims))


def drain_worker(monkey: Monkey, act: Act) -> None:
    """SIGTERM of a worker: it finishes what it runs."""
    program = monkey.machine(act).program
    code = program.stop(signal.SIGTERM, START)
    assert code == 0, f"{act.worker} left with {code} after it was told to drain"
    monkey.pause(1.0)
    program.start(wait=False)
    wait_ready(program)


def cut_worker_off(monkey: Monkey, act: Act) -> None:
    """No way from a worker to server and broker, or no answers of the server, for longer than a lease."""
    machine = monkey.machine(act)
    how = monkey.chance.choice(list(Cut))
    for way in machine.ways[:1] if how is Cut.ONE_WAY else machine.ways:
        way.cut(how)
    time.sleep(LEASE * monkey.chance.uniform(1.1, 1.8))
    for way in machine.ways:
        way.mend()


def kill_server_process(monkey: Monkey, act: Act) -> None:
    """SIGKILL of one of the processes that serve."""
    found = monkey.machines.cluster.server_processes()
    if found:
        _kill(monkey.chance.choice(found))


def kill_server(monkey: Monkey, act: Act) -> None:
    """SIGKILL of the process that looks after those that serve, which then end; a new one is started."""
    monkey.machines.cluster.server.kill()
    monkey.pause(2.0)
    monkey.machines.start_server()


def kill_broker(monkey: Monkey, act: Act) -> None:
    """SIGKILL of RabbitMQ."""
    monkey.machines.rabbitmq.kill()
    time.sleep(monkey.chance.uniform(1, 5))
    monkey.machines.rabbitmq.start()


ON_WORKERS = (kill_worker, kill_launcher, kill_shim, drain_worker, cut_worker_off)
WORKER_ACTS: dict[str, Callable[[Monkey, Act], None]] = {
    WORKER: kill_worker,
    LAUNCHER: kill_launcher,
    SHIM: kill_shim,
    DRAIN: drain_worker,
    CUT: cut_worker_off,
}
SERVICE_ACTS: dict[str, Callable[[Monkey, Act], None]] = {
    PROCESS: kill_server_process,
    SUPERVISOR: kill_server,
    BROKER: kill_broker,
}


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
