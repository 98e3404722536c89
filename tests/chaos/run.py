"""A run of chaos: instances are submitted while everything is hurt; at the end all of them have true ends."""

import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psycopg

from tests.acceptance.system import START, wait_until
from tests.chaos import jobs
from tests.chaos.machines import Machines, alive
from tests.chaos.monkey import SERVICE_ACTS, WORKER_ACTS, Monkey
from tests.chaos.submitter import PATIENCE, Submitter
from tests.chaos.truth import Record, Truth
from tests.services import PostgreSQL, RabbitMQ

SETTLE = 120.0
"""Seconds in which everything that waits must have run, once all is up again. Only a bound."""
TELL = 5.0
"""Seconds between two words about what still waits."""

Say = Callable[[str], None]


def timed(say: Say) -> Say:
    """Say with the seconds since now."""
    begin = time.monotonic()
    return lambda text: say(f"{time.monotonic() - begin:6.1f} s  {text}")


def run_chaos(
    folder: Path,
    postgresql: PostgreSQL,
    rabbitmq: RabbitMQ,
    *,
    count: int,
    seconds: float,
    seed: int,
    say: Say,
) -> None:
    """Submit `count` instances within `seconds` of chaos. AssertionError tells what is not as it must be."""
    say(f"chaos: {count} instances in {seconds:g} s, seed {seed}")
    say = timed(say)
    with Machines(folder, postgresql, rabbitmq) as machines:
        site = machines.cluster
        scripts = folder / "scripts"
        scripts.mkdir()
        submitter = Submitter(
            site.url,
            site.token,
            jobs.make_types(site, scripts),
            site.client.task_queues.get(name="default").id,
            count=count,
            seconds=seconds,
            chance=random.Random(f"{seed} submitter"),  # noqa: S311
        )
        monkeys = [
            Monkey(machines, acts, chance=random.Random(f"{seed} {name}"), rest=min(rest, seconds / 20), say=say)  # noqa: S311
            for name, acts, rest in (("workers", WORKER_ACTS, 2.0), ("services", SERVICE_ACTS, 5.0))
        ]
        say("everything is up")
        submitter.start()
        for each in monkeys:
            each.start()
        _wait_for_chaos(submitter, monkeys, bound=4 * seconds + 2 * PATIENCE)
        say("everything is submitted, and up again")
        faults = _settle(machines, say)
        say("the waiting is over")
        truth = _look(machines, submitter, monkeys)
        faults += truth.faults()
        faults += _leave(machines, truth)
        say(f"answers that the submitter did not get: {submitter.unanswered}")
        for line in truth.summary():
            say(line)
    assert not faults, f"{len(faults)} faults, with seed {seed}:\n" + "\n".join(faults)


def _wait_for_chaos(submitter: Submitter, monkeys: list[Monkey], bound: float) -> None:
    def all_is_done() -> bool:
        for failure in (submitter.failure, *(each.failure for each in monkeys)):
            if failure is not None:
                raise failure
        return submitter.is_done and all(each.has_done_all for each in monkeys)

    wait_until(all_is_done, "all is submitted, and everything was hurt once", bound)
    for monkey in monkeys:
        monkey.stop()
    wait_until(lambda: all(each.is_done for each in monkeys), "everything is up again", 3 * START)
    all_is_done()


def _settle(machines: Machines, say: Say) -> list[str]:
    """Wait until all instances are finished; returns what is not after a time, or what hinders."""
    instances = machines.cluster.client.executable_task_instances
    waiting = {"state__in": ["created", "published", "running"]}
    end = time.monotonic() + SETTLE
    told = 0.0
    while left := instances.list(waiting):
        if time.monotonic() > told + TELL:
            told = time.monotonic()
            say(f"waiting: {dict(Counter(each.state for each in left))}")
        if time.monotonic() > end:
            names = ", ".join(f"{each.uuid} {each.name} {each.state} {each.waiting}" for each in left)
            return [f"not finished within {SETTLE:g} s: {names}"]
        time.sleep(0.1)
    return []


def _look(machines: Machines, submitter: Submitter, monkeys: list[Monkey]) -> Truth:
    client = machines.cluster.client
    records = {each.uuid: Record(each, each.attempts()) for each in client.executable_task_instances.list()}
    journal = machines.folder / "scripts" / "journal"
    for run in jobs.read_runs(journal.read_text().splitlines(), machines.folder):
        records[run.uuid].runs.append(run)
    acts = sorted((act for monkey in monkeys for act in monkey.done), key=lambda act: act.begin)
    return Truth(submitter.names, submitter.answered, submitter.terminated, records, acts)


def _leave(machines: Machines, truth: Truth) -> list[str]:
    """Stop everything politely; returns what is left, and what should not have been said."""
    marks = {f"JOB_UUID={uuid}".encode() for uuid in truth.records}
    faults = [f"process {pid} of a job is alive" for pid in alive(lambda each: each in marks)]
    with psycopg.connect(machines.database_url) as connection:
        row = connection.execute("SELECT count(*) FROM tasks_taskattempt WHERE lease_expires IS NOT NULL").fetchone()
        assert row is not None
        if row[0]:
            faults.append(f"{row[0]} leases are open")
    running = {each.name: each.program for each in machines.workers} | {"server": machines.cluster.server}
    for name, program in running.items():
        code = program.stop(signal.SIGTERM, START)
        if code != 0:
            faults.append(f"{name} left with {code}")
    mark = f"SALTANT_LAUNCHER={machines.folder}".encode()
    faults += [f"process {pid} of a launcher is alive" for pid in alive(lambda each: each.startswith(mark))]
    for name, said in machines.outputs.items():
        traces = Counter(line for line in said.splitlines() if line.startswith("Traceback"))
        if traces:
            where = said.index("Traceback")
            faults.append(f"{name} printed {traces.total()} tracebacks:\n{said[max(0, where - 500) : where + 5000]}")
    return faults
