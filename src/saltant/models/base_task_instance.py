"""What container and executable task instances share, which is all but their URLs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from saltant.constants import HTTP_201_CREATED, HTTP_202_ACCEPTED
from saltant.models._encoding import segment
from saltant.models._instance import BaseTaskInstance
from saltant.models._instance_matching import MatchesInstances
from saltant.models._limits import OPTIONS, Limits, check_limits, require_version_2
from saltant.models._many import Many
from saltant.models._waiting_many import texts
from saltant.models.attempt import TaskAttempt
from saltant.models.dependency import TaskDependency, encode_after

if TYPE_CHECKING:
    from saltant.models.dependency import One, Others

__all__ = ["BaseTaskInstance", "BaseTaskInstanceManager"]

I = TypeVar("I", bound=BaseTaskInstance)  # noqa: E741

NEEDED = ("task_type_id", "task_queue_id")
KNOWN = (*NEEDED, "arguments", "name", *OPTIONS)
"""What an item of `create_many` may have."""


class BaseTaskInstanceManager(MatchesInstances[I]):
    """Acts on task instances of one class.

    Attributes:
        clone_url (str): The format of where one is cloned.
        terminate_url (str): The format of where one is terminated.
        attempts_url (str): The format of where its attempts are listed.
    """

    clone_url: str = ""
    terminate_url: str = ""
    attempts_url: str = ""

    def create(
        self,
        task_type_id: int,
        task_queue_id: int,
        arguments: Mapping[str, Any] | None = None,
        name: str = "",
        *,
        labels: Mapping[str, str] | None = None,
        after: Others | None = None,
        after_any: Others | None = None,
        revision: int | None = None,
        **limits: Unpack[Limits],
    ) -> I:
        """Create a task instance, which runs as soon as a worker of its queue is free.

        Args:
            task_type_id: The ID of its task type.
            task_queue_id: The ID of its task queue. One of the queue's whitelists must hold the task type.
            arguments: Its arguments. Those that are missing take the task type's default values.
            name: A name, which need not be unique.
            labels: Its labels, to be found by: texts by their keys.
            after: The task instances, or their UUIDs, of either class, that must succeed before it starts. If one
                does not, it ends as `failed`, with the reason `dependency_failed`.
            after_any: Those that must end, well or not, before it starts.
            revision: The revision of its task type that it is made from; None: the newest.
            limits: How long, how often and with how much it may run, where that differs from its task type: see
                `saltant.models.Limits`.

        Raises:
            BadRequest: The server refuses it; `field_errors` says why.
            ValueError, TypeError: The arguments cannot be told in JSON.
            UnsupportedByServer: The server knows no limits, or no labels, or cannot start one after others.
            BadHttpRequestError: The request failed otherwise.

        >>> client.executable_task_instances.create(1, 1, {"who": "world"})  # doctest: +SKIP
        ExecutableTaskInstance(uuid='0b0c…', name='', state='published')
        """
        others = encode_after(after, after_any, has_items=False)
        return self._create(
            self._body(
                task_type_id, task_queue_id, arguments, name, labels=labels, after=others, revision=revision, **limits
            )
        )

    def create_many(self, instances: Iterable[Mapping[str, Any]], *, all_or_nothing: bool = False) -> list[I]:
        """Create many task instances: one request for up to 10,000 of them, more requests for more.

        A server of version 1 gets a request for each.

        Args:
            instances: For each the arguments of `create` by their names: `task_type_id`, `task_queue_id`, and maybe
                `arguments`, `name`, `labels`, `revision`, `after`, `after_any` and limits. In `after` and `after_any`
                an integer is the index of another one of `instances`, which then are 10,000 at most. `saltant.sweep`
                makes them of a grid or a table of arguments.
            all_or_nothing: Whether to create none if one of them cannot be. For 10,000 at most.

        Returns:
            The task instances, in the same order.

        Raises:
            ManyFailed: Some could not be created: `.errors` tells which and why, `.instances` has the others.
            TypeError: One lacks an ID, or has what `create` does not know. Nothing was sent.
            UnsupportedByServer: The server knows no limits, or cannot do all or nothing. Nothing was sent.
            ValueError: They cannot be told in JSON, or are too many for all or nothing.
            BadHttpRequestError: The request failed as a whole.

        >>> jobs = [{"task_type_id": 1, "task_queue_id": 1, "arguments": {"seed": seed}} for seed in range(1000)]
        >>> made = client.executable_task_instances.create_many(jobs)  # doctest: +SKIP
        >>> ended = client.executable_task_instances.wait_many(job.uuid for job in made)  # doctest: +SKIP
        """
        bodies = []
        for index, each in enumerate(instances):
            try:
                given: dict[str, Any] = dict(**each)
                _check_names(given)
                others = encode_after(given.pop("after", None), given.pop("after_any", None), has_items=True)
                bodies.append(self._body(**given, after=others))
            except TypeError as error:
                raise TypeError(f"The task instance at index {index}: {error}") from None
        many = Many(self, "many/", "instances", self._create, lambda index, _: str(index))
        return many.run(bodies, all_or_nothing=all_or_nothing)

    def get(self, uuid: One) -> I:
        """Get a task instance.

        Raises:
            NotFound: There is none of this UUID.
            BadHttpRequestError: The request failed otherwise.
        """
        return self._look(uuid)

    def clone(self, uuid: One, *, as_was: bool = False) -> I:
        """Clone a task instance.

        Args:
            uuid: It, or its UUID.
            as_was: Whether the clone runs what it ran, of its task type as it was then, and not as it is now.

        Returns:
            The new task instance.

        Raises:
            NotFound: There is none of this UUID.
            BadRequest: It could not be created today: the queue is inactive, for example.
            UnsupportedByServer: The server, of version 1, knows a task type as it is now alone.
            BadHttpRequestError: The request failed otherwise.
        """
        body = self._clone_body(as_was)
        return self._act(self.clone_url, uuid, HTTP_201_CREATED, **({"body": body} if body else {}))

    def terminate(self, uuid: One) -> I:
        """Tell the server to terminate a task instance. One that has finished stays as it is.

        It is over when its state says so: while its processes are being ended it is still `running`.

        Returns:
            The task instance as it is after it was told.

        Raises:
            NotFound: There is none of this UUID.
            PermissionDenied: It is not yours to terminate.
            BadHttpRequestError: The request failed otherwise.
        """
        return self._act(self.terminate_url, uuid, HTTP_202_ACCEPTED)

    def set_labels(self, uuid: One, labels: Mapping[str, str]) -> I:
        """Replace all labels of a task instance.

        Returns:
            The task instance as it is then.

        Raises:
            NotFound: There is none of this UUID.
            PermissionDenied: It is not yours.
            UnsupportedByServer: The server, of version 1, knows no labels.
            BadHttpRequestError: The request failed otherwise; `BadRequest` says which label cannot be.
        """
        return self._change(uuid, "labels", {"labels": dict(labels)})

    def rename(self, uuid: One, name: str) -> I:
        """Give a task instance another name.

        Returns:
            The task instance as it is then.

        Raises:
            NotFound: There is none of this UUID.
            PermissionDenied: It is not yours.
            UnsupportedByServer: The server, of version 1, renames none.
            BadHttpRequestError: The request failed otherwise.
        """
        return self._change(uuid, "renaming of task instances", {"name": name})

    def attempts(self, uuid: One) -> list[TaskAttempt]:
        """The attempts to run a task instance, the first one first.

        Raises:
            UnsupportedByServer: The server, of version 1, keeps no attempts.
            NotFound: There is none of this UUID.
            BadHttpRequestError: The request failed otherwise.
        """
        require_version_2(self._client, "attempts")
        data = self._request("GET", self.attempts_url.format(uuid=segment(uuid)))
        try:
            return [TaskAttempt.from_data(each) for each in data]
        except (TypeError, ValueError) as error:
            raise self._unexpected(f"no list of attempts ({error})") from error

    def after(self, uuid: One) -> list[TaskDependency]:
        """What a task instance starts after, in the order in which it was said; pruned ones are left out.

        Raises:
            UnsupportedByServer: The server, of version 1, starts none after others.
            NotFound: There is none of this UUID.
            BadHttpRequestError: The request failed otherwise.
        """
        return self._related("after", uuid)

    def dependents(self, uuid: One) -> list[TaskDependency]:
        """What starts after a task instance: the oldest first, 10,000 at most.

        Raises:
            UnsupportedByServer: The server, of version 1, starts none after others.
            NotFound: There is none of this UUID.
            BadHttpRequestError: The request failed otherwise.
        """
        return self._related("dependents", uuid)

    def clone_many(self, uuids: Iterable[One], *, all_or_nothing: bool = False, as_was: bool = False) -> list[I]:
        """Clone many task instances: one request for up to 10,000 of them. If one fails, the others are still cloned.

        A server of version 1 gets a request for each.

        Args:
            uuids: They, or their UUIDs; one that comes twice is cloned twice.
            all_or_nothing: Whether to clone none if one of them cannot be. For 10,000 at most.
            as_was: Whether the clones run what these ran, of their task types as they were then, and not as they are.

        Returns:
            The new task instances, in the same order.

        Raises:
            ManyFailed: Some could not be cloned; it holds the new ones, and each failure.
            UnsupportedByServer: The server cannot do all or nothing, or as it was. Nothing was sent.
            BadHttpRequestError: The request failed as a whole.
        """
        more = self._clone_body(as_was)
        one = partial(self.clone, as_was=as_was)
        many = Many(self, "clone/", "uuids", one, lambda _, uuid: str(uuid), more=more)
        return many.run(texts(uuids), all_or_nothing=all_or_nothing)

    def terminate_many(self, uuids: Iterable[One], *, all_or_nothing: bool = False) -> list[I]:
        """Terminate many task instances: one request for up to 10,000. If one fails, the others are still terminated.

        A server of version 1 gets a request for each.

        Args:
            uuids: They, or their UUIDs.
            all_or_nothing: Whether to terminate none if one of them does not exist or is not yours. For 10,000 at most.

        Returns:
            The task instances as they are after they were told, in the same order.

        Raises:
            ManyFailed: Some could not be told; it holds the others, and each failure.
            UnsupportedByServer: The server cannot do all or nothing. Nothing was sent.
            BadHttpRequestError: The request failed as a whole.
        """
        many = Many(self, "terminate/", "uuids", self.terminate, lambda _, uuid: str(uuid), repeatable=True)
        return many.run(texts(uuids), all_or_nothing=all_or_nothing)

    def _body(
        self,
        task_type_id: int,
        task_queue_id: int,
        arguments: Mapping[str, Any] | None = None,
        name: str = "",
        *,
        labels: Mapping[str, str] | None = None,
        after: list[Any],
        revision: int | None = None,
        **limits: Unpack[Limits],
    ) -> dict[str, Any]:
        if labels:
            require_version_2(self._client, "labels")
        if after:
            require_version_2(self._client, "instances that start after others")
        if revision is not None:
            require_version_2(self._client, "revisions of task types")
        return {
            "name": name,
            "task_type": task_type_id,
            "task_queue": task_queue_id,
            "arguments": {} if arguments is None else arguments,
            **({"labels": dict(labels)} if labels else {}),
            **({"after": after} if after else {}),
            **({} if revision is None else {"revision": revision}),
            **check_limits(limits, self._client, OPTIONS),
        }

    def _related(self, which: str, uuid: One) -> list[TaskDependency]:
        require_version_2(self._client, "instances that start after others")
        data = self._request("GET", f"{self.detail_url.format(uuid=segment(uuid))}{which}/")
        try:
            return [TaskDependency.from_data(each) for each in data]
        except (KeyError, TypeError) as error:
            raise self._unexpected(f"no list of task instances ({error!r})") from error

    def _change(self, uuid: One, what: str, changes: Mapping[str, Any]) -> I:
        require_version_2(self._client, what)
        data = self._request("PATCH", self.detail_url.format(uuid=segment(uuid)), body=changes)
        return self.response_data_to_model_instance(data)

    def _create(self, body: Mapping[str, Any]) -> I:
        created = self._request("POST", self.list_url, body=body, expected=HTTP_201_CREATED)
        return self.response_data_to_model_instance(created)

    def _clone_body(self, as_was: bool) -> dict[str, Any]:
        if not as_was:
            return {}
        require_version_2(self._client, "clones of what a task type was")
        return {"as_was": True}

    def _act(self, url: str, uuid: One, expected: int, **options: Any) -> I:
        data = self._request("POST", url.format(uuid=segment(uuid)), expected=expected, **options)
        return self.response_data_to_model_instance(data)


def _check_names(given: Mapping[str, Any]) -> None:
    """Check what an item of `create_many` has.

    Raises:
        TypeError: It lacks what it needs, or has what is unknown.
    """
    for name in NEEDED:
        if name not in given:
            raise TypeError(f"{name!r} is missing")
    for name in given:
        if name not in KNOWN:
            raise TypeError(f"{name!r} is no argument: these are {', '.join(KNOWN)}")
