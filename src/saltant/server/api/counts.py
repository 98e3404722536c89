"""How many instances there are, without counting them all every time.

SQLite counts the rows of a whole table by its pages, but those of one class one by one, which for 100,000 of them
takes longer than all the rest of a page. Instances get ascending ids and are hardly ever deleted. So what was counted
once stays true for the rows up to the newest one then, if that one is still there and none has been deleted since;
only newer rows are counted. Where this does not hold, all are counted.
"""

from dataclasses import dataclass

from django.db import connection
from django.db.models import QuerySet

from saltant.server.tasks.models import TaskClass, TaskInstance

TABLE = TaskInstance._meta.db_table
# One statement, so that all of it is about the same moment.
SINCE = f"""
    SELECT
        (SELECT COUNT(*) FROM {TABLE}),
        (SELECT COUNT(*) FROM {TABLE} WHERE id > %s),
        (SELECT COUNT(*) FROM {TABLE} WHERE id > %s AND task_class = %s),
        (SELECT uuid FROM {TABLE} WHERE id = %s),
        newest.id,
        newest.uuid
    FROM {TABLE} AS newest ORDER BY newest.id DESC LIMIT 1
"""  # noqa: S608 - the table's name is ours


@dataclass(frozen=True)
class Counted:
    """What was counted: all rows and those of a class, up to the newest one."""

    newest: int
    uuid: str | None
    all: int
    of_class: int


NOTHING = Counted(newest=0, uuid=None, all=0, of_class=0)
_counted: dict[TaskClass, Counted] = {}


def count_instances(task_class: TaskClass, instances: "QuerySet[TaskInstance]") -> int:
    """The number of `instances`, which are all those of a class."""
    if connection.vendor != "sqlite":
        return instances.count()
    last = _counted.get(task_class, NOTHING)
    with connection.cursor() as cursor:
        cursor.execute(SINCE, [last.newest, last.newest, task_class, last.newest])
        row = cursor.fetchone()
    if row is None:
        return 0
    everything, newer, newer_of_class, uuid, newest, newest_uuid = row
    if uuid != last.uuid or everything != last.all + newer:
        # Some were deleted, or this is another database: nothing is known. That cannot happen a second time.
        _counted.pop(task_class, None)
        return count_instances(task_class, instances)
    now = Counted(newest, newest_uuid, everything, last.of_class + newer_of_class)
    _counted[task_class] = now
    return now.of_class
