"""`make bench`, part of lists: pages by cursors of 1,000,000 instances beside the same of 1,000, in PostgreSQL.

Both databases have the same shares of states, types, queues and labels. Quote the ratios; 1.5 is the most they may be.
"""

import sys
import tempfile
from functools import partial
from typing import Any

from in_turn import answer, compare

ROUNDS = 60
INSTANCES = """
    INSERT INTO tasks_taskinstance (
        uuid, task_class, name, state, datetime_created, datetime_changed, datetime_finished, arguments, labels,
        task_queue_id, task_type_id, user_id, kind, snapshot, attempt, held_back, cancelled_by, reason, message,
        max_attempts, retry_on, retry_delay, priority
    )
    SELECT
        gen_random_uuid(), 'executable', 'n' || n,
        CASE WHEN n > {rows} - 20 THEN 'published' WHEN n %% 50 = 0 THEN 'failed' WHEN n %% 50 = 1 THEN 'terminated'
            ELSE 'successful' END,
        now() - ({rows} - n) * interval '1 second', now() - ({rows} - n) * interval '1 second', now(), '{{}}',
        '{{"project": "p' || n %% 10 || '", "seed": "' || n || '"}}', %s + n %% 5, %s + n %% 10, %s, 'executable',
        '{{}}', 1, false, '', 'exited', '', 1, 'lost', 5, 5
    FROM generate_series(1, {rows}) AS n
"""
ATTEMPTS = """
    INSERT INTO tasks_taskattempt (instance_id, number, worker, datetime_claimed, reason, message, image_digest)
    SELECT id, 1, 'worker', now(), 'exited', '', '' FROM tasks_taskinstance
"""
LABELS = """
    INSERT INTO tasks_tasklabel (instance_id, key, value)
    SELECT id, 'project', labels::json ->> 'project' FROM tasks_taskinstance
    UNION ALL SELECT id, 'seed', labels::json ->> 'seed' FROM tasks_taskinstance
"""


def main() -> None:
    """Fill both, measure both in turn, and print the table."""
    with tempfile.TemporaryDirectory(prefix="saltant-bench-") as folder:
        compare(__file__, folder, "list of one page, the median", ROUNDS)


def fill(rows: int) -> tuple[Any, list[Any], list[Any]]:
    """Make a user, queues, types, and so many instances of them."""
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection

    from saltant.server.accounts.models import User
    from saltant.server.tasks.models import TaskQueue, TaskType

    settings.ALLOWED_HOSTS = ["testserver"]
    call_command("migrate", verbosity=0)
    user = User.objects.create_superuser("ada")
    queues = [TaskQueue.objects.create(name=f"q{number}", user=user) for number in range(5)]
    types = [
        TaskType.objects.create(name=f"t{number}", task_class="executable", command_to_run="true", user=user)
        for number in range(10)
    ]
    with connection.cursor() as cursor:
        cursor.execute(INSTANCES.format(rows=rows), [queues[0].pk, types[0].pk, user.pk])
        cursor.execute(ATTEMPTS)
        cursor.execute(LABELS)
        cursor.execute("VACUUM ANALYZE")
    return user, queues, types


def measure(rows: int) -> None:
    """Take the time of each list as often as it is asked for."""
    user, queues, types = fill(rows)
    from rest_framework.test import APIClient

    client: Any = APIClient()
    client.force_authenticate(user)

    def page(query: dict[str, Any]) -> Any:
        query = {"cursor": "", "page_size": 10, **query}
        answer = client.get("/api/executabletaskinstances/", query, HTTP_ACCEPT="application/json; version=2")
        if answer.status_code != 200:
            sys.exit(f"{query}: {answer.content!r}")
        return answer.json()

    middle = page({"name": f"n{rows // 2}", "page_size": 1})["results"][0]["datetime_changed"]
    queries: dict[str, dict[str, Any]] = {
        "all": {},
        "state=successful (96%)": {"state": "successful"},
        "state=failed (2%)": {"state": "failed"},
        "state=published (20 of them)": {"state": "published"},
        "task_type (10%)": {"task_type": types[3].pk},
        "task_queue (20%)": {"task_queue": queues[3].pk},
        "user__username (all)": {"user__username": "ada"},
        "label=project=p3 (10%)": {"label": "project=p3"},
        "label=seed=17 (one)": {"label": "seed=17"},
        "type, queue, state and label": {
            "task_type": types[3].pk,
            "task_queue": queues[3].pk,
            "state": "successful",
            "label": "project=p3",
        },
        "ordering=-datetime_changed": {"ordering": "-datetime_changed"},
        "the same, from the middle on": {"ordering": "-datetime_changed", "datetime_changed__lte": middle},
    }
    first = page({"task_type": types[3].pk, "page_size": min(1000, rows // 20)})
    queries["task_type, by a cursor far on"] = {
        "task_type": types[3].pk,
        "cursor": first["next"].split("cursor=")[1].split("&")[0],
    }
    answer({name: partial(page, query) for name, query in queries.items()})


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(int(sys.argv[1]))
    else:
        main()
