"""What an engine is asked for, where this machine cannot show what comes of it: GPUs, swap, poor engines."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from saltant.jobs import Attempt, Job, Kind
from saltant.reasons import Reason
from saltant.worker.folders import WorkerFolders
from saltant.worker.run_as import RunAs
from saltant.worker.runners.docker_engine import Facts
from saltant.worker.runners.docker_plan import choose_user, make_config, own_user
from saltant.worker.runners.docker_pulls import digest_of
from saltant.worker.runners.process import CannotRunError


def job(**particulars: Any) -> Job:
    return Job(Attempt(uuid4(), 1), Kind.DOCKER, "true", {}, container_image="image", **particulars)


def config(facts: Facts | None = None, gpus: tuple[int, ...] = (), **particulars: Any) -> dict[str, Any]:
    asked = job(**particulars)
    return make_config(
        asked,
        image="sha256:1",
        words=["true"],
        environment=[],
        labels={},
        folders=WorkerFolders(Path("/data")).of(asked.attempt),
        who=choose_user(asked, None, ""),
        gpus=gpus,
        facts=facts or Facts(cpus=4),
    )


def test_gpus_are_named_one_by_one() -> None:
    host = config(gpus=(1, 3))["HostConfig"]
    assert host["DeviceRequests"] == [{"Driver": "", "DeviceIDs": ["1", "3"], "Capabilities": [["gpu"]]}]
    assert "DeviceRequests" not in config()["HostConfig"]


def test_memory_is_limited_with_its_swap() -> None:
    host = config(memory=1 << 30)["HostConfig"]
    assert (host["Memory"], host["MemorySwap"]) == (1 << 30, 1 << 30)


@pytest.mark.parametrize(("cpus", "limit"), [(0.5, 500_000_000), (0.001, 10_000_000), (4, None), (100, None)])
def test_more_processors_than_there_are_is_no_limit(cpus: float, limit: int | None) -> None:
    assert config(cpus=cpus)["HostConfig"].get("NanoCpus") == limit


def test_a_limit_that_cannot_be_set_is_refused() -> None:
    facts = Facts(cpus=4, limits_memory=False, limits_cpus=False)
    for limit in ({"memory": 1 << 30}, {"cpus": 1.0}):
        with pytest.raises(CannotRunError, match="cannot limit"):
            config(facts, **limit)
    assert config(facts)


def test_what_an_engine_keeps_of_the_output_is_bounded() -> None:
    for facts in (Facts(), Facts(is_podman=True)):
        assert "max-size" in config(facts)["HostConfig"]["LogConfig"]["Config"]


def test_as_whom_a_container_runs() -> None:
    nobody = RunAs("nobody", 65534, 65533, (65533, 10))
    assert choose_user(job(), None, "").user == ""
    assert choose_user(job(), None, "self").user == own_user()
    assert choose_user(job(container_user="7"), None, "self").user == "7"
    for user in ("", "nobody", "65534", "65534:65533"):
        who = choose_user(job(container_user=user), nobody, "")
        assert (who.user, who.groups) == ("65534:65533", ["65533", "10"])
    with pytest.raises(CannotRunError) as raised:
        choose_user(job(container_user="root"), nobody, "")
    assert raised.value.end.reason is Reason.WORKER_ERROR


@pytest.mark.parametrize(
    ("name", "found", "digest"),
    [
        ("ubuntu:24.04", ["ubuntu@sha256:a"], "sha256:a"),
        ("docker.io/library/ubuntu", ["other@sha256:b", "ubuntu@sha256:a"], "sha256:a"),
        ("host:5000/tool:1", ["host:5000/tool@sha256:a"], "sha256:a"),
        ("mirror/tool", ["host:5000/tool@sha256:a"], "sha256:a"),
        ("tool@sha256:c", [], "sha256:c"),
        ("built-here", [], ""),
    ],
)
def test_the_digest_is_a_registrys(name: str, found: list[str], digest: str) -> None:
    assert digest_of(name, found) == digest
