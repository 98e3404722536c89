"""What server and worker say to each other about one attempt of a task instance."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from saltant.progress import Progress
from saltant.reasons import Reason, end_state
from saltant.states import State


class Kind(StrEnum):
    """What a worker must be able to run."""

    EXECUTABLE = "executable"
    DOCKER = "docker"
    SINGULARITY = "singularity"


class PullPolicy(StrEnum):
    """When the image of a container is pulled."""

    IF_MISSING = "if_missing"
    ALWAYS = "always"
    NEVER = "never"


class Network(StrEnum):
    """What a container reaches. By default what its engine gives: jobs fetch data, and people expect that to work."""

    DEFAULT = "default"
    NONE = "none"
    HOST = "host"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of an instance: the name under which leases are held. Attempts count from 1."""

    uuid: UUID
    number: int

    def __hash__(self) -> int:
        return hash(self.uuid.int)  # some dozens a job: a dataclass's own takes longer


DEFAULT_PRIORITY = 5
"""Priorities go from 0, which runs last, to 9, which runs first."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """The hint that an attempt may be claimed. Losing or repeating one does no harm.

    Attributes:
        is_claimed: its attempt is claimed already, for whom it is given to: this one must not be lost.
    """

    attempt: Attempt
    queue: str
    kind: Kind
    priority: int = DEFAULT_PRIORITY
    is_claimed: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """All that a worker needs to run a claimed attempt: the instance's snapshot of its type, arguments and limits.

    `timeout` and `lease` are in seconds, `memory` in bytes; None: no limit.

    Attributes:
        lease: how long the server waits for a heartbeat before it gives the attempt up; None: it is not told.
        is_retried_when_lost: whether another attempt follows when this one is given up: then a worker that is cut off
            must end it before.
        pull_policy: a `PullPolicy`, of containers alone; so are the fields below.
        gpus: how many GPUs its container gets; None: none.
        network: a `Network`.
        container_user: the user it runs as, as `uid`, `uid:gid` or a name in its image; empty: the image's own.
        read_only_root: whether nothing can be written but in its logs, its results and a `/tmp` in memory.
        shm_size: the size of its `/dev/shm`, in bytes; None: the engine's own choice.
    """

    attempt: Attempt
    kind: Kind
    command_to_run: str
    arguments: dict[str, Any]
    environment_variables: list[str] = field(default_factory=list)
    json_file_option: str | None = None
    container_image: str | None = None
    logs_path: str | None = None
    results_path: str | None = None
    timeout: float | None = None
    memory: int | None = None
    cpus: float | None = None
    lease: float | None = None
    is_retried_when_lost: bool = False
    pull_policy: str = PullPolicy.IF_MISSING
    gpus: int | None = None
    network: str = Network.DEFAULT
    container_user: str = ""
    read_only_root: bool = False
    shm_size: int | None = None


@dataclass(frozen=True, slots=True)
class End:
    """How an attempt ended, as its worker saw it. What cannot be known is None.

    Attributes:
        reason: why it ended.
        message: a sentence for people, with the particulars.
        exit_code: the program's exit code, where it exited by itself.
        signal: the number of the signal that killed the program.
        started: when the program was started (timezone-aware).
        finished: when nothing of it was alive any more (timezone-aware).
        cpu_seconds: user and system time of the whole tree, in seconds.
        peak_memory: the tree's largest resident memory, in bytes.
        image_digest: what identifies the image that a container was made from, as `sha256:…`; empty: there was none.
        progress: how far it said it was at last, where the server does not know yet.
    """

    reason: Reason
    message: str = ""
    exit_code: int | None = None
    signal: int | None = None
    started: datetime | None = None
    finished: datetime | None = None
    cpu_seconds: float | None = None
    peak_memory: int | None = None
    image_digest: str = ""
    progress: Progress | None = None

    @property
    def state(self) -> State:
        """The state in which this end leaves the instance."""
        return end_state(self.reason, self.exit_code)
