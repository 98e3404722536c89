"""A small run of chaos; `make chaos` is a long one."""

import random
from pathlib import Path

import pytest

from tests.chaos.run import run_chaos
from tests.chaos.sleepers import make_broker, run_sleepers
from tests.services import PostgreSQL, RabbitMQ
from tests.services.fixtures import obtain


@pytest.mark.timeout(400)
def test_a_small_run(tmp_path: Path, postgresql: PostgreSQL) -> None:
    seed = random.SystemRandom().randrange(10**6)
    with obtain(RabbitMQ) as rabbitmq:
        run_chaos(tmp_path / "chaos", postgresql, rabbitmq, count=60, seconds=20, seed=seed, say=print)


@pytest.mark.timeout(300)
def test_jobs_outlast_the_brokers_patience(tmp_path: Path, postgresql: PostgreSQL) -> None:
    with obtain(make_broker) as rabbitmq:
        run_sleepers(tmp_path / "sleepers", postgresql, rabbitmq, say=print)
