"""Workers: what runs task instances."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from saltant.constants import HTTP_202_ACCEPTED
from saltant.models._encoding import parse_datetime, segment
from saltant.models._limits import require_version_2
from saltant.models.resource import PAGE_SIZE, Model, ModelManager


@dataclass(frozen=True)
class RunningInstance:
    """What a worker runs now.

    Attributes:
        uuid: The UUID of the task instance.
        name: Its name; None on a private queue.
        attempt: Which attempt to run it this is, from 1.
        since: When the worker claimed it.
    """

    uuid: str
    name: str | None
    attempt: int
    since: datetime

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Self:
        """Make one of the data of an answer; what a newer server adds is left out."""
        try:
            return cls(data["uuid"], data["name"], data["attempt"], parse_datetime(data["since"]))
        except KeyError as error:
            raise ValueError(f"it lacks {error}") from None


class Worker(Model):
    """A worker.

    Attributes:
        name (str): Its unique name.
        user (str | None): The owner of its token; None if it lives in the server's own process.
        state (str): `online`, `draining` (it takes nothing new), `lost` (it is silent) or `stopped`.
        host (str): The name of its machine.
        version (str): The version of saltant that it runs.
        queues (list[str] | None): The names of the queues that it serves; None for every queue.
        kinds (list[str]): What it can run: `executable`, `docker`, `singularity`.
        slots (int): How many instances it runs at once.
        cpus (float | None): The processors that its instances may ask for together; None if they are not counted.
        memory (int | None): The bytes that its instances may ask for together; None if they are not counted.
        gpus (list[str]): Its GPUs, by name.
        running (list[RunningInstance]): What it runs now.
        datetime_announced (datetime): When it was started.
        datetime_heartbeat (datetime): When the server last heard of it.
        manager (WorkerManager): The manager that made this model.
    """

    manager: WorkerManager

    _identity = "name"
    _shown = ("name", "state")
    _datetimes = ("datetime_announced", "datetime_heartbeat")

    def __init__(
        self,
        name: str,
        user: str | None,
        state: str,
        host: str,
        version: str,
        queues: list[str] | None,
        kinds: list[str],
        slots: int,
        cpus: float | None,
        memory: int | None,
        gpus: list[str],
        running: list[Any],
        datetime_announced: datetime,
        datetime_heartbeat: datetime,
        manager: WorkerManager,
        **unknown: Any,
    ) -> None:
        super().__init__(manager, unknown)
        self.name = name
        self.user = user
        self.state = state
        self.host = host
        self.version = version
        self.queues = queues
        self.kinds = kinds
        self.slots = slots
        self.cpus = cpus
        self.memory = memory
        self.gpus = gpus
        self.running = [
            each if isinstance(each, RunningInstance) else RunningInstance.from_data(each) for each in running
        ]
        self.datetime_announced = datetime_announced
        self.datetime_heartbeat = datetime_heartbeat

    def drain(self) -> Self:
        """Have this worker take nothing new, finish what it runs, and leave.

        It hears of that with its next heartbeat. Once the worker of `saltant up` is drained, nothing runs there until
        it is started again.

        Returns:
            This very worker.

        Raises:
            PermissionDenied: It is not yours, nor are you an admin.
            BadHttpRequestError: The request failed otherwise.
        """
        return self._take(self.manager.drain(self.name))


class WorkerManager(ModelManager[Worker]):
    """Looks up workers, and drains them. It takes a server of version 2.

    >>> client.workers.list({"state": "online", "queue": "gpu"})  # doctest: +SKIP
    [Worker(name='node7', state='online')]
    """

    list_url = "workers/"
    detail_url = "workers/{name}/"
    drain_url = "workers/{name}/drain/"
    model = Worker

    def get(self, name: str) -> Worker:
        """Get a worker by name.

        Raises:
            ValueError: Such a name no worker has.
            UnsupportedByServer: The server, of version 1, does not tell of workers.
            NotFound: There is no such worker.
            BadHttpRequestError: The request failed otherwise.
        """
        self._require()
        data = self._request("GET", self.detail_url.format(name=segment(name)))
        return self.response_data_to_model_instance(data)

    def iterate(self, filters: Mapping[str, Any] | None = None, *, page_size: int = PAGE_SIZE) -> Iterator[Worker]:
        """Like `list`, but one after another, each page fetched when it is needed.

        Args:
            filters: As for `list`: `state`, `queue` (those that serve it), `name__startswith` and the like.
            page_size: How many to fetch at a time.

        Raises:
            ValueError: A value cannot be told in a query. This is raised at once.
            UnsupportedByServer: The server, of version 1, does not tell of workers.
            BadHttpRequestError: A request failed.
        """
        self._require()
        return super().iterate(filters, page_size=page_size)

    def drain(self, name: str) -> Worker:
        """Have a worker take nothing new, finish what it runs, and leave.

        Returns:
            The worker as it is after the server was told.

        Raises:
            UnsupportedByServer: The server, of version 1, does not tell of workers.
            NotFound: There is no such worker.
            PermissionDenied: It is not yours, nor are you an admin.
            BadHttpRequestError: The request failed otherwise.
        """
        self._require()
        data = self._request("POST", self.drain_url.format(name=segment(name)), expected=HTTP_202_ACCEPTED)
        return self.response_data_to_model_instance(data)

    def _require(self) -> None:
        require_version_2(self._client, "list of workers")
