"""A claim whose answer comes when the server has given the attempt up."""

from pathlib import Path

import pytest

from tests.acceptance.system import wait_until
from tests.chaos import jobs
from tests.chaos.machines import Machines
from tests.chaos.proxy import Cut
from tests.services import PostgreSQL, RabbitMQ
from tests.services.fixtures import obtain


@pytest.mark.timeout(300)
def test_what_was_given_up_before_the_answer_came_is_not_run(tmp_path: Path, postgresql: PostgreSQL) -> None:
    with obtain(RabbitMQ) as rabbitmq, Machines(tmp_path / "x", postgresql, rabbitmq, workers=1, slots=1) as machines:
        site, [way, _] = machines.cluster, machines.workers[0].ways
        scripts = tmp_path / "scripts"
        scripts.mkdir()
        types = jobs.make_types(site, scripts)
        way.cut(Cut.ONE_WAY)
        lost = site.submit(types["true"])
        wait_until(lambda: lost.sync().is_finished, "it is given up")
        assert (lost.state, lost.reason) == ("failed", "lost")
        way.mend()
        # The worker has one slot, so this one's turn comes when it is done with the other.
        following = site.submit(types["true"])
        wait_until(lambda: following.sync().is_finished, "the worker goes on")
        assert following.state == "successful"
        assert lost.uuid not in (scripts / "journal").read_text()
