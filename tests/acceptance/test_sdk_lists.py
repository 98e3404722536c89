"""The SDK's lists and filters, against a real server."""

import re
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from saltant import NotFound, State
from saltant.exceptions import BadRequest
from tests.acceptance.system import Site
from tests.acceptance.test_sdk_types import fresh

pytestmark = pytest.mark.everywhere

AWKWARD = ["&#+ ü", "a\"b'c", "a,b", "50%", "a=b&c=d", "日本語 ☃", "a\\b", "%26", "😀"]


@pytest.mark.parametrize("awkward", AWKWARD)
def test_awkward_names(up: Site, awkward: str) -> None:
    types = up.client.executable_task_types
    name = f"{fresh()} {awkward} end"
    made = types.create(name, "echo", description=awkward)
    assert types.get(name=name) == made
    assert types.list({"name": name}) == [made]
    assert types.list({"name__startswith": name[:45]}) == [made]
    assert types.list({"name__endswith": f"{awkward} end", "name__contains": name[5:41]}) == [made]
    assert types.list({"name__regex": f"^{re.escape(name)}$"}) == [made]
    assert types.list({"name": name[:-1]}) == []
    if "," in awkward:
        with pytest.raises(ValueError, match="comma"):
            types.list({"name__in": [name]})
    else:
        assert types.list({"name__in": [name, "no such"]}) == [made]


def test_instances_by_everything(up: Site) -> None:
    before = datetime.now(UTC) - timedelta(minutes=5)
    after = before + timedelta(minutes=10)
    task_type = up.executable("true")
    made = up.run(task_type)
    queue = made.task_queue
    by = up.client.executable_task_instances.list
    for filters in (
        {"task_type": task_type.id},
        {"task_type__in": [task_type.id, task_type.id]},
        {"task_type": task_type.id, "task_queue__in": {queue}},
        {"task_type": task_type.id, "state": State.SUCCESSFUL},
        {"task_type": task_type.id, "state__in": ("successful", State.FAILED)},
        {"task_type": task_type.id, "datetime_created__gt": before},
        {"task_type": task_type.id, "datetime_finished__lte": after},
        {"task_type": task_type.id, "datetime_created__range": [before, after]},
        {"task_type": task_type.id, "datetime_created__year": made.datetime_created.year},
        {"task_type": task_type.id, "user__username": made.user},
    ):
        assert by(filters) == [made], filters
    assert by({"task_type": task_type.id, "datetime_created__lt": before}) == []
    assert by({"task_type": task_type.id, "state__in": []}) == []
    with pytest.raises(BadRequest):
        by({"state": "asleep"})


def test_pages(up: Site) -> None:
    task_type = up.executable("true")
    made = [up.submit(task_type) for _ in range(7)]
    instances = up.client.executable_task_instances
    mine = {"task_type": task_type.id}
    assert instances.list(mine) == made[::-1], "newest first"
    assert list(instances.iterate(mine, page_size=3)) == made[::-1]
    assert list(islice(instances.iterate(mine, page_size=2), 3)) == made[:-4:-1]
    assert instances.list({**mine, "page_size": 2}) == made[:-3:-1]
    assert instances.list({**mine, "page_size": 2, "page": 2}) == made[-3:-5:-1]
    assert instances.list({**mine, "page_size": 3, "page": "last"}) == [made[0]]
    with pytest.raises(NotFound):
        instances.list({**mine, "page": 99})
    for each in made:
        each.wait_until_finished(0.01)


def test_new_instances_while_a_list_is_read(up: Site) -> None:
    task_type = up.executable("true")
    made = [up.submit(task_type) for _ in range(4)]
    found = []
    for each in up.client.executable_task_instances.iterate({"task_type": task_type.id}, page_size=2):
        found.append(each)
        if len(found) < 3:
            up.submit(task_type)
    assert found == made[::-1]
