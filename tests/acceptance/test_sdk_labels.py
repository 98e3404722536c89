"""Labels, counts and ending what matches, against a real saltant."""

import pytest

from saltant.exceptions import Conflict
from tests.acceptance.system import START, Site


def test_what_is_labelled_is_found_counted_and_ended(up: Site) -> None:
    manager = up.client.executable_task_instances
    ids = {"task_type_id": up.executable("sleep 600").id, "task_queue_id": up.own_queue().id}
    mine = {"task_queue": ids["task_queue_id"]}
    made = manager.create_many([{**ids, "labels": {"project": "x", "n": str(number)}} for number in range(3)])
    other = manager.create(**ids, labels={"project": "y"})
    assert manager.list({**mine, "label": {"project": "x"}, "ordering": "datetime_created"}) == made
    assert manager.list({**mine, "label": ["project", "n=1"]}) == [made[1]]
    counts = manager.counts("label:project", filters=mine)
    assert counts == [{"label:project": "x", "count": 3}, {"label:project": "y", "count": 1}]
    other.rename("other").set_labels({"project": "z"})
    assert (other.sync().name, other.labels) == ("other", {"project": "z"})
    wanted = {**mine, "label": {"project": "x"}}
    with pytest.raises(Conflict, match="3 that match"):
        manager.terminate_matching(wanted, expected=4)
    assert manager.terminate_matching(wanted, expected=3) == made
    ended = manager.wait_many([job.uuid for job in made], timeout=START)
    assert {job.reason for job in ended} == {"cancelled"}
    assert not other.sync().is_finished
    other.terminate().wait_until_finished(timeout=START)
