"""`python bench/sdk.py`: what the SDK's lists cost beside bare GETs of the same pages, and what `iterate()` holds.

Every round measures both, so that a machine whose speed drifts slows them alike. Quote the ratios.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

from embedded import fill
from system import running

import saltant
from saltant.models.resource import PAGE_SIZE

ROUNDS = 5
LISTED = 10_000
FEW, MANY = 100_000, 1_000_000


def main() -> None:
    """Measure, and print the figures."""
    with tempfile.TemporaryDirectory(prefix="saltant-bench-") as folder:
        with running(Path(folder) / "data") as client:
            one(client)
        fill(Path(folder) / "data", LISTED)
        with running(Path(folder) / "data") as client:
            lists(client)
    few, many = (memory(rows) for rows in (FEW, MANY))
    print(f"peak memory of iterate(), {FEW} rows: {few / 2**20:.1f} MiB; {MANY} rows: {many / 2**20:.1f} MiB")
    print(f"{'more for ten times the rows, MiB':44}{(many - few) / 2**20:9.2f}   goal: at most 1")


def one(client: saltant.Client) -> None:
    """Run one instance, for the others to be copies of."""
    task_type = client.executable_task_types.create(name="true", command_to_run="/bin/true")
    client.task_whitelists.get(name="default").add(executable_task_types=[task_type.id])
    queue = client.task_queues.get(name="default")
    client.executable_task_instances.create(task_type.id, queue.id).wait_until_finished()


def lists(client: saltant.Client) -> None:
    """Seconds for all instances: through the SDK, and bare."""

    def sdk() -> int:
        return len(client.executable_task_instances.list())

    def bare() -> int:
        count, url = 0, f"{client.base_api_url}executabletaskinstances/?page_size={PAGE_SIZE}"
        while url:
            page = json.loads(client.session.get(url, timeout=60).content)
            count, url = count + len(page["results"]), page["next"]
        return count

    taken: dict[str, list[float]] = {"sdk": [], "bare": []}
    for round_ in range(ROUNDS + 1):
        for name, action in (("bare", bare), ("sdk", sdk)):
            started = time.perf_counter()
            count = action()
            if count < LISTED:
                sys.exit(f"only {count} instances were listed")
            if round_:  # the first is a warm-up
                taken[name].append(time.perf_counter() - started)
    fast, slow = statistics.median(taken["bare"]), statistics.median(taken["sdk"])
    print(f"list() of {LISTED}: {slow:.3f} s; bare GET and json.loads of the same pages: {fast:.3f} s")
    print(f"{'list() / bare':44}{slow / fast:9.2f}   goal: at most 2")


class Pages(BaseHTTPRequestHandler):
    """Answers with pages of made-up instances: a million real ones would take the server long."""

    protocol_version = "HTTP/1.1"
    rows: ClassVar[int] = 0

    def do_GET(self) -> None:
        """One page."""
        query = parse_qs(urlsplit(self.path).query)
        size, page = int(query["page_size"][0]), int(query.get("page", ["1"])[0])
        numbers = range((page - 1) * size, min(page * size, self.rows))
        following = f"http://x/api/?page_size={size}&page={page + 1}" if page * size < self.rows else None
        found = [INSTANCE | {"uuid": f"{number:08x}-0000-4000-8000-000000000000"} for number in numbers]
        body = json.dumps({"count": self.rows, "next": following, "previous": None, "results": found}).encode()
        self.send_response(200)
        self.send_header("Saltant-Version", "2")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


INSTANCE = {
    "user": "ada",
    "name": "",
    "state": "successful",
    "datetime_created": "2024-05-06T07:08:09.123456Z",
    "datetime_finished": "2024-05-06T07:08:10.123456Z",
    "arguments": {},
    "task_queue": 1,
    "task_type": 2,
    "reason": "exited",
}
READER = """
import resource, sys, saltant
client = saltant.Client(sys.argv[1], "token", test_if_authenticated=False)
count = sum(1 for _ in client.executable_task_instances.iterate())
print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def memory(rows: int) -> int:
    """The peak memory, in bytes, of a process that looks through so many rows."""
    Pages.rows = rows
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}/api/"
        ran = subprocess.run([sys.executable, "-c", READER, url], capture_output=True, text=True, check=True)
    finally:
        server.shutdown()
        server.server_close()
    count, peak = map(int, ran.stdout.split())
    if count != rows:
        sys.exit(f"{count} of {rows} rows were seen")
    return peak * 1024


if __name__ == "__main__":
    main()
