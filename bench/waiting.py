"""`make bench`, waiting: clients of the wait hub, each for an instance of its own, that learn of its end.

The clients are in a process of their own, and so is whoever ends the instances. What is measured is the time from each
end, as the server writes it down just before it commits, to the arrival of the answer at its client.
"""

import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[1]))  # the tests start the same systems

import requests

from tests.acceptance.cluster import Cluster
from tests.acceptance.system import Site, Up
from tests.services import Missing, PostgreSQL, Redis

CLIENTS = 2000
RATE = 100.0
"""Ends in a second."""
HEADERS = "Accept: application/json; version=2"


def main() -> None:
    """Measure each system, and print the table."""
    print(f"\nwaiting: cores {os.cpu_count()}, {CLIENTS} clients, {RATE:g} ends a second\n")
    with tempfile.TemporaryDirectory(prefix="saltant-bench-") as folder, ExitStack() as stack:
        with Up(Path(folder) / "up") as site:
            report("embedded", site, [site.process.pid] if site.process else [])
        try:
            database, broker = stack.enter_context(PostgreSQL()), stack.enter_context(Redis())
        except Missing as missing:
            print(f"NOT MEASURED with two server processes: {missing}.")
            return
        urls = {"database_url": database.new_database(), "broker_url": broker.new_url()}
        with Cluster(Path(folder) / "site", **urls) as cluster:
            report("two server processes, PostgreSQL", cluster, cluster.server_processes())


def report(name: str, site: Site, pids: list[int]) -> None:
    """Measure one system, and print its figures."""
    uuids = instances(site)
    # What the server allocates once, at its first waiting client, is not what clients cost.
    late = wait_for(site, pids, uuids[:50])
    before = memory_of(pids), threads_of(pids)
    late, memory, threads = measure(site, pids, uuids[50:])
    late.sort()
    median, p99 = statistics.median(late) * 1000, late[int(len(late) * 0.99)] * 1000
    print(f"{name}: end to client, median {median:.1f} ms, p99 {p99:.1f} ms   goal: p99 at most 100 ms")
    print(f"{name}: memory above idle {(memory - before[0]) / 2**20:.0f} MiB   goal: at most 60")
    print(f"{name}: threads, idle {before[1]}, with all clients {threads}   goal: none for each client\n")


def instances(site: Site) -> list[str]:
    """Instances that nothing starts: their queue is paused."""
    task_type, queue = site.executable("/bin/true"), site.own_queue()
    session = session_of(site)
    session.patch(f"{site.url}taskqueues/{queue.id}/", json={"paused": True}).raise_for_status()
    body = {"task_type": task_type.id, "task_queue": queue.id}
    made = (session.post(f"{site.url}executabletaskinstances/", json=body) for _ in range(CLIENTS + 50))
    return [answer.json()["uuid"] for answer in made]


def session_of(site: Site) -> requests.Session:
    """A session that speaks version 2."""
    session = requests.Session()
    session.headers.update({"Authorization": f"Token {site.token}", "Accept": "application/json; version=2"})
    return session


def wait_for(site: Site, pids: list[int], uuids: list[str]) -> list[float]:
    """How late each client learns of its instance's end, in seconds."""
    return measure(site, pids, uuids)[0]


def measure(site: Site, pids: list[int], uuids: list[str]) -> tuple[list[float], int, int]:
    """The same, and the server's memory and threads while all clients wait."""
    command = [sys.executable, __file__, site.url, site.token, *([] if not uuids else [str(len(uuids))])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as clients:
        if clients.stdin is None or clients.stdout is None:
            sys.exit("no pipes")
        clients.stdin.write(json.dumps(uuids) + "\n")
        clients.stdin.flush()
        if clients.stdout.readline().strip() != "waiting":
            sys.exit("the clients could not connect")
        settle(pids)
        memory, threads = memory_of(pids), threads_of(pids)
        end_all(site, uuids)
        late: list[float] = json.loads(clients.stdout.readline())
    return late, memory, threads


def settle(pids: list[int]) -> None:
    """Until every request of the clients has been looked at: the server rests."""
    for _ in range(100):
        before = sum(map(cpu_ticks, pids))
        time.sleep(0.3)
        if sum(map(cpu_ticks, pids)) - before <= 2 * len(pids):
            return


def end_all(site: Site, uuids: list[str]) -> None:
    """End one after the other, so many in a second."""
    session, began = session_of(site), time.perf_counter()
    for number, uuid in enumerate(uuids):
        time.sleep(max(0.0, began + number / RATE - time.perf_counter()))
        path = f"{site.url}updatetaskinstancestatus/{uuid}/"
        session.patch(path, json={"state": "failed"}).raise_for_status()
    rate = len(uuids) / (time.perf_counter() - began)
    if len(uuids) > 100 and rate < 0.9 * RATE:
        print(f"the instances ended at {rate:.0f} a second only")


def memory_of(pids: list[int]) -> int:
    """Resident bytes."""
    return sum(int(line.split()[1]) * 1024 for line in status_of(pids) if line.startswith("VmRSS"))


def threads_of(pids: list[int]) -> int:
    """Threads."""
    return sum(int(line.split()[1]) for line in status_of(pids) if line.startswith("Threads"))


def status_of(pids: list[int]) -> Iterator[str]:
    """The lines that Linux says of processes."""
    for pid in pids:
        yield from Path(f"/proc/{pid}/status").read_text().splitlines()


def cpu_ticks(pid: int) -> int:
    """User and system time so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


async def clients(url: str, token: str) -> None:
    """The other process: a client for each UUID of a line of JSON; prints how late each one's answer was."""
    uuids = json.loads(sys.stdin.readline())
    parts = urlsplit(url)
    connected: asyncio.Queue[None] = asyncio.Queue()

    async def one(uuid: str) -> float:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        path = f"{parts.path}executabletaskinstances/{uuid}/?wait=300"
        host = f"Host: {parts.netloc}\r\nAuthorization: Token {token}\r\n{HEADERS}"
        writer.write(f"GET {path} HTTP/1.1\r\n{host}\r\n\r\n".encode())
        await writer.drain()
        connected.put_nowait(None)
        head = await reader.readuntil(b"\r\n\r\n")
        now = time.time()
        if not head.startswith(b"HTTP/1.1 200"):
            sys.exit(head.decode())
        [length] = [line for line in head.decode().lower().splitlines() if line.startswith("content-length:")]
        body = json.loads(await reader.readexactly(int(length.split(":")[1])))
        writer.close()
        if body["state"] != "failed":
            sys.exit(f"it was {body['state']}")
        return now - datetime.fromisoformat(body["datetime_changed"]).astimezone(UTC).timestamp()

    asked = [asyncio.create_task(one(uuid)) for uuid in uuids]
    for _ in uuids:
        await connected.get()
    print("waiting", flush=True)
    print(json.dumps(await asyncio.gather(*asked)), flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        asyncio.run(clients(sys.argv[1], sys.argv[2]))
    else:
        main()
