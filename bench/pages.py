"""`make bench`, part of pages: pages of 1,000,000 instances beside 1,000, first pages' sizes, live pages at rest.

The first is on PostgreSQL, with as many entries in the audit log; 2 is the most that its ratios may be. The second is
all that a browser loads to show a first page, not compressed; 150 kB is the most. The third is the share of a core that
a server process needs for pages that are open and live while nothing happens; 5% is the most that it may be.
"""

import os
import re
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from in_turn import answer, compare
from lists import fill

from tests.acceptance.system import Up
from tests.pages.world import PASSWORD, root_of, saltant, session_of

ROUNDS = 30
OPEN = 200
"""Live pages at once."""
SECONDS = 60
"""How long they are watched: longer than it takes until all have looked once by themselves."""
LOADED = re.compile(r'<(?:script|link)\b[^>]*?\b(?:src|href)="([^"]+)"')
IMPORTED = re.compile(r'^(?:import|export)\b[^"]*"(\.[^"]+)";', re.MULTILINE)
ENTRIES = """
    INSERT INTO audit_auditentry (datetime, actor, action, object_kind, object_id, object_name, details)
    SELECT
        now() - ({rows} - n) * interval '1 second', 'user' || n % 10,
        CASE WHEN n % 50 = 0 THEN 'update' ELSE 'terminate' END, 'task instance', n, 'n' || n, '{{}}'
    FROM generate_series(1, {rows}) AS n
"""


def main() -> None:
    """Measure, and print the tables."""
    with tempfile.TemporaryDirectory(prefix="saltant-bench-") as folder:
        compare(__file__, folder, "page, the median", ROUNDS)
        print()
        with Up(Path(folder) / "up", "--concurrency", "1") as site:
            saltant(site, "user", "password", "admin", "--password-file", "-", stdin=PASSWORD)
            for path in ("/", "/instances", "/types", "/users"):
                print(f"the first page at {path + ', with all that it loads':<40}{size_of(site, path) / 1000:>6.1f} kB")
            idle, busy = at_rest(site)
            print(f"{OPEN} live pages at rest: {busy:.2%} of a core; none: {idle:.2%}")


def measure(rows: int) -> None:
    """Take the time of each page as often as it is asked for."""
    user, queues, types = fill(rows)
    from django.db import connection
    from django.test import Client
    from django.utils import timezone

    from saltant.server.tasks.models import TaskInstance
    from saltant.server.tasks.services.tallies import count_ends

    with connection.cursor() as cursor:
        cursor.execute(ENTRIES.format(rows=rows))
        cursor.execute("VACUUM ANALYZE audit_auditentry")
    # As the sweeper does it.
    while count_ends(timezone.now()):
        pass
    client = Client()
    client.force_login(user)
    middle = TaskInstance.objects.get(name=f"n{rows // 2}")
    pages = {
        "home": "/",
        "home, a month": "/?span=month",
        "queues": "/queues",
        "one queue": f"/queues/{queues[3].pk}",
        "workers": "/workers",
        "schedules": "/schedules",
        "instances": "/instances",
        "instances, state=failed": "/instances?state=failed",
        "instances, state=successful": "/instances?state=successful",
        "instances, of a type": f"/instances?task_type={types[3].pk}",
        "instances, of a queue and a state": f"/instances?task_queue={queues[3].pk}&state=successful",
        "instances, by a label": "/instances?label=project%3Dp3",
        "instances, changed last": "/instances?ordering=-datetime_changed",
        "search for a name": "/instances?q=n9",  # of which there is a page at least among 1,000, too
        "search for what is nowhere": "/instances?q=nowhere-to-be-found",
        "search for a UUID": f"/instances?q={middle.uuid}",
        "search for a label": "/instances?q=seed%3D17",
        "search for a type": "/instances?q=t3",
        "one instance": f"/instances/{middle.uuid}",
        "types": "/types",
        "one type": f"/types/{types[3].pk}",
        "whitelists": "/whitelists",
        "users": "/users",
        "one user": f"/users/{user.pk}",
        "audit log": "/audit",
        "audit log, updates": "/audit?action=update",
        "audit log, of somebody": "/audit?actor=user3",
        "audit log, of nobody": "/audit?actor=nobody",
        "audit log, of one thing": "/audit?object=n17",
        "audit log, a day of it": f"/audit?before={middle.datetime_created:%Y-%m-%dT%H:%M:%S}",
    }

    def show(path: str) -> None:
        shown = client.get(path)
        if shown.status_code != 200:
            sys.exit(f"{path}: {shown.status_code}")

    answer({name: partial(show, path) for name, path in pages.items()})


def at_rest(site: Up) -> tuple[float, float]:
    """The share of a core that the process uses without open pages, and with them."""
    pid = site.process.pid if site.process else 0
    session = session_of(site, "admin")
    idle = share_of(pid)
    streams: list[Any] = [
        session.get(f"{root_of(site)}/api/events/", stream=True, timeout=120, headers={"Accept": "text/event-stream"})
        for _ in range(OPEN)
    ]
    for stream in streams:
        next(stream.iter_content(1))
    busy = share_of(pid)
    for stream in streams:
        stream.close()
    return idle, busy


def size_of(site: Up, path: str) -> int:
    """Bytes of a page and of what it loads, not compressed."""
    session = session_of(site, "admin")
    there = urljoin(root_of(site), path)
    page = session.get(there, timeout=30)
    sizes, left = {there: len(page.content)}, [urljoin(there, each) for each in LOADED.findall(page.text)]
    while left:
        url = left.pop()
        if url in sizes:
            continue
        answer = session.get(url, timeout=30)
        answer.raise_for_status()
        sizes[url] = len(answer.content)
        if url.endswith(".js"):
            left += [urljoin(url, each) for each in IMPORTED.findall(answer.text)]
    return sum(sizes.values())


def share_of(pid: int) -> float:
    """The share of a core that a process uses while nothing happens."""
    began, before = time.monotonic(), used_by(pid)
    time.sleep(SECONDS)
    return (used_by(pid) - before) / (time.monotonic() - began)


def used_by(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(int(sys.argv[1]))
    else:
        main()
