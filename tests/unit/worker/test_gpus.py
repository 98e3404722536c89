"""GPUs of executables. That no two jobs have one is tried without any: what is told them are numbers."""

from tests.unit.worker.rig import Rig


def test_a_job_is_told_which_are_its_own(rig: Rig) -> None:
    command = "/bin/sh -c 'echo $CUDA_DEVICE_ORDER $CUDA_VISIBLE_DEVICES; exec sleep 600'"
    first, second = rig.submit(command, gpus=1), rig.submit(command, gpus=1)
    for attempt in (first, second):
        rig.said(attempt, "PCI_BUS_ID")
    assert {rig.folders.of(each).stdout.read_text() for each in (first, second)} == {"PCI_BUS_ID 0\n", "PCI_BUS_ID 1\n"}
    for attempt in (first, second):
        rig.cancel(attempt)
        rig.end_of(attempt)
    assert rig.run("/bin/sh -c 'echo $CUDA_VISIBLE_DEVICES'", gpus=2)[1] == b"0,1\n"
    assert rig.run("/bin/sh -c 'echo ${CUDA_VISIBLE_DEVICES-none}'")[1] == b"none\n"


def test_more_than_there_are_is_an_error_of_the_worker(rig: Rig) -> None:
    end, _ = rig.run("/bin/true", gpus=3)
    assert (end.reason, end.message) == (
        "worker_error",
        "It asks for 3 GPUs, and of the worker's 2 only 2 are free.",
    )
