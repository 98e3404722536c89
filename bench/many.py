"""`make bench`, second part: many machines (RabbitMQ and PostgreSQL), beside a bare Celery on the same broker.

Every round measures each figure once, in turn. Quote the ratios. On ext4, rest five minutes after thousands of files
were removed (by another bench, say): until then, whatever makes a file is slow.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import UUID

sys.path.insert(0, str(Path(__file__).parents[1]))  # the tests start the same services

import psycopg
from system import median_time

import saltant
from tests.acceptance.cluster import Cluster, Program
from tests.services import PostgreSQL, RabbitMQ

ROUNDS = 5
TASKS = 400
CLIENTS = 4
SLOTS = 8
FEW, MANY = 200, 200_000
REST = 20.0
"""Seconds of rest over which its cost is measured."""


def main() -> None:
    """Measure, and print the table."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="saltant-bench-")))
        database, broker = stack.enter_context(PostgreSQL()), stack.enter_context(RabbitMQ())
        site = stack.enter_context(
            Cluster(
                folder / "site",
                database_url=(database_url := database.new_database()),
                broker_url=broker.new_url(),
                environ={"SALTANT_LOG_LEVEL": "warning"},
                concurrency=SLOTS,
            )
        )
        rest = {"server": share_of(processes_of(site.server)), "worker": share_of(processes_of(site.workers[0]))}
        bare = stack.enter_context(bare_celery(broker.new_url()))
        figures = measure(bare | tasks(site))
        site.workers[0].stop()
        figures |= claims(site, database_url)
    print_table({name: statistics.median(values) for name, values in figures.items()}, rest)


def measure(actions: dict[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Run every action once a round, in turn."""
    for action in actions.values():
        action()  # a warm-up
    figures: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(ROUNDS):
        for name, action in actions.items():
            figures[name].append(action())
    return figures


@contextmanager
def bare_celery(broker_url: str) -> Iterator[dict[str, Callable[[], float]]]:
    """Seconds for one task until its result is there, and per task of many, with Celery alone."""
    os.environ["BARE_BROKER_URL"] = broker_url
    command = [sys.executable, "-m", "celery", "-A", "bare", "worker", "-P", "threads", "-c", str(SLOTS)]
    quiet = [*command, "-l", "ERROR", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    here = Path(__file__).parent
    with subprocess.Popen(quiet, cwd=here, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as worker:
        try:
            from bare import run

            run.delay().get(timeout=60)

            def many() -> float:
                started = time.perf_counter()
                results = [run.delay() for _ in range(TASKS)]
                for result in results:
                    result.get(timeout=60)
                return (time.perf_counter() - started) / TASKS

            yield {
                "bare Celery: latency": lambda: median_time(lambda: run.delay().get(timeout=60), 50),
                "bare Celery: task": many,
            }
        finally:
            worker.terminate()


def tasks(site: Cluster) -> dict[str, Callable[[], float]]:
    """The same through the API: from the request that submits until the server has recorded the end."""
    task_type, queue = site.executable("/bin/true"), site.client.task_queues.get(name="default")
    manager = site.client.executable_task_instances

    def create(client: saltant.Client) -> str:
        return client.executable_task_instances.create(task_type.id, queue.id).uuid

    def one() -> None:
        job = site.client.executable_task_instances.wait_until_finished(create(site.client), refresh_period=0.005)
        if job.state != "successful":
            sys.exit(f"A /bin/true ended {job.state}: {job.message}")

    clients = [saltant.Client(site.url, site.token) for _ in range(CLIENTS)]

    def some(client: saltant.Client) -> list[str]:
        return [create(client) for _ in range(TASKS // CLIENTS)]

    def some_at_once(client: saltant.Client) -> list[str]:
        item = {"task_type_id": task_type.id, "task_queue_id": queue.id}
        return [job.uuid for job in client.executable_task_instances.create_many([item] * (TASKS // CLIENTS))]

    def many() -> float:
        # As Celery's tasks do, the first run while the last are submitted.
        with ThreadPoolExecutor(CLIENTS) as pool:
            return all_ended(lambda: [uuid for uuids in pool.map(some_at_once, clients) for uuid in uuids])

    def one_by_one() -> float:
        with ThreadPoolExecutor(CLIENTS) as pool:
            return all_ended(lambda: [uuid for uuids in pool.map(some, clients) for uuid in uuids])

    def all_ended(submit: Callable[[], list[str]]) -> float:
        started = time.perf_counter()
        jobs = manager.wait_many(submit(), timeout=60)
        taken = time.perf_counter() - started
        if any(job.state != "successful" for job in jobs):
            sys.exit("not all were successful")
        return taken / TASKS

    return {
        "saltant: latency": lambda: median_time(one, 50),
        "saltant: task": many,
        "saltant: task, a request each": one_by_one,
    }


def claims(site: Cluster, database_url: str) -> dict[str, list[float]]:
    """Seconds of one claim while few, and while many rows are queued. Both are measured in turn."""
    from saltant.jobs import Attempt, Kind, Ticket
    from saltant.worker.control.http import HttpControl
    from saltant.workers import Announcement

    control = HttpControl(site.url, site.worker_token)
    control.announce(Announcement(worker="bench", queues=["default"], kinds=[Kind.EXECUTABLE]), ())
    queue = site.client.task_queues.get(name="default")
    task_type = site.executable("/bin/true")
    pattern = site.client.executable_task_instances.create(task_type.id, queue.id).uuid

    def claim(rows: int) -> float:
        queued = fill(database_url, pattern, rows)

        def one() -> None:
            job = control.claim(Ticket(Attempt(queued.pop(), 1), "default", Kind.EXECUTABLE), "bench")
            if job is None:
                sys.exit("a claim was refused")

        return median_time(one, 100)

    figures: dict[str, list[float]] = {"claim, few": [], "claim, many": []}
    for _ in range(ROUNDS):
        figures["claim, few"].append(claim(FEW))
        figures["claim, many"].append(claim(MANY))
    return figures


def fill(database_url: str, pattern: str, rows: int) -> list[UUID]:
    """Leave exactly `rows` queued instances, copies of `pattern`; returns some of their UUIDs."""
    with psycopg.connect(database_url) as connection:
        names = [
            name
            for (name,) in connection.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_name = 'tasks_taskinstance'"
            )
            if name not in ("id", "uuid", "state")
        ]
        columns = ", ".join(names)
        connection.execute("DELETE FROM tasks_taskattempt")
        connection.execute("DELETE FROM tasks_taskinstance WHERE uuid != %s", [pattern])
        connection.execute(
            f"INSERT INTO tasks_taskinstance (uuid, state, {columns})"  # noqa: S608 - names of ours
            f" SELECT gen_random_uuid(), 'published', {columns} FROM tasks_taskinstance, generate_series(1, %s)"
            " WHERE uuid = %s",
            [rows, pattern],
        )
        found = connection.execute(
            "SELECT uuid FROM tasks_taskinstance WHERE uuid != %s ORDER BY random() LIMIT 110", [pattern]
        )
        uuids = [uuid for (uuid,) in found]
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE tasks_taskinstance")
    return uuids


def processes_of(program: Program) -> list[int]:
    """A program's processes: itself and its children, all generations."""
    if program.process is None:
        sys.exit("it was not started")
    found = [program.process.pid]
    for pid in found:
        children = Path(f"/proc/{pid}/task/{pid}/children")
        found += [int(each) for each in children.read_text().split()]
    return found


def share_of(pids: list[int]) -> float:
    """The share of one core that processes take while they rest."""
    before = sum(map(cpu_seconds, pids))
    time.sleep(REST)
    return (sum(map(cpu_seconds, pids)) - before) / REST


def cpu_seconds(pid: int) -> float:
    """User and system time so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def print_table(seconds: dict[str, float], rest: dict[str, float]) -> None:
    """Each figure, and the ratios that have a goal."""
    print(f"\nmany machines: cores {os.cpu_count()}, medians of {ROUNDS} interleaved rounds\n")
    for name, value in seconds.items():
        print(f"{name:32}{value * 1000:9.2f} ms{1 / value:9.0f} /s")
    ratios = {
        "tasks / bare Celery's tasks": (seconds["bare Celery: task"] / seconds["saltant: task"], "at least 0.4"),
        "submitted by a request each / bare Celery's": (
            seconds["bare Celery: task"] / seconds["saltant: task, a request each"],
            "none",
        ),
        "latency / bare Celery's": (seconds["saltant: latency"] / seconds["bare Celery: latency"], "at most 10"),
        f"claim: {MANY} queued / {FEW} queued": (seconds["claim, many"] / seconds["claim, few"], "at most 1.3"),
        "a worker at rest, % of a core": (rest["worker"] * 100, "at most 1"),
        "a server at rest, % of a core": (rest["server"] * 100, "at most 1"),
    }
    print()
    for name, (value, goal) in ratios.items():
        print(f"{name:44}{value:9.2f}   goal: {goal}")


if __name__ == "__main__":
    main()
