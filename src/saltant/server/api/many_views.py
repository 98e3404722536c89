"""The views of many instances at once. They answer each item, in order, and show instances as version 2 does."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Length
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request

from saltant.server.api.errors import json_error
from saltant.server.api.forms import plain
from saltant.server.api.idempotency import answered_once
from saltant.server.api.many_input import (
    CloneManySerializer,
    Failure,
    ManyInstancesSerializer,
    ManyNamesSerializer,
    TerminateManySerializer,
    attempt,
    told,
)
from saltant.server.api.matching_views import end_matching
from saltant.server.api.permissions import check_may_end
from saltant.server.api.resources import parse_uuid
from saltant.server.api.views import ResourceView, json_response
from saltant.server.tasks import services
from saltant.server.tasks.models import LIMITS, TaskInstance
from saltant.server.tasks.parts import AT_ONCE, parts

Outcome = TaskInstance | Failure

LONGEST_ERRORS = 4 * 2**20
"""Characters of all errors that one answer tells."""
TOO_MUCH = ValidationError(
    {"non_field_errors": ["This is too much for one request, with what task types and clones bring: send fewer."]}
)
GONE = Failure(404, {"detail": str(NotFound.default_detail)})


class ManyView(ResourceView):
    """What they share."""

    version = "2"
    reads: Any = ManyNamesSerializer

    def said(self, request: Request) -> dict[str, Any]:
        """What the body says.

        Raises:
            ValidationError: the request as a whole cannot be.
        """
        serializer = self.reads(data={})
        serializer.initial_data = plain(request, serializer.fields)
        serializer.is_valid(raise_exception=True)
        values: dict[str, Any] = serializer.validated_data
        return values

    def outcomes(self, items: Sequence[Any], act: Callable[[Any], TaskInstance]) -> list[Outcome]:
        """What comes of each item.

        Raises:
            ValidationError: it is too much to be made, or to be told.
        """
        room, found = LONGEST_ERRORS, list[Outcome]()
        try:
            for item in items:
                outcome = attempt(act, item)
                if isinstance(outcome, Failure):
                    room -= len(told(outcome.result))
                    if room < 0:
                        raise services.TooLong
                found.append(outcome)
        except services.TooLong:
            raise TOO_MUCH from None
        return found

    def texts(self, uuids: Iterable[UUID]) -> dict[UUID, str]:
        """The bodies of instances, as they are now."""
        representation = self.resource.representation(self.version)
        at = next(position for position, column in enumerate(representation.columns) if column.key == "uuid")
        found: dict[UUID, str] = {}
        for some in parts(list(dict.fromkeys(uuids))):
            rows = list(representation.rows(self.resource.all().filter(uuid__in=some)))
            found.update(zip((row[at] for row in rows), representation.encode(rows), strict=True))
        return found


class MakingView(ManyView):
    """A view that makes instances, once for each `Idempotency-Key`."""

    def made(
        self,
        items: Sequence[Any],
        add: Callable[[Any], TaskInstance],
        batch: services.Batch,
        *,
        all_or_nothing: bool,
    ) -> HttpResponse:
        """Add each item to the batch, save that, and answer with what was made as it was saved."""
        outcomes = self.outcomes(items, add)
        made = {index: each for index, each in enumerate(outcomes) if isinstance(each, TaskInstance)}
        for index, errors in batch.check_after(made, len(items)).items():
            outcomes[index] = Failure(400, errors)
        if all_or_nothing and len(batch.instances) < len(items):
            return nothing_done(outcomes)
        representation = self.resource.representation(self.version)
        with transaction.atomic():
            save(batch)
            bodies = iter(representation.encode([representation.row_of(each) for each in batch.instances]))
            body = answer_of(each if isinstance(each, Failure) else next(bodies) for each in outcomes)
            if batch.instances:
                kept = [each.result if isinstance(each, Failure) else each.uuid.hex for each in outcomes]
                self.keep(body, 200, told(kept))
        return json_response(body)

    def made_anew(self, version: str | None, name: str, essence: str) -> str:
        kept = [each if isinstance(each, dict) else UUID(each) for each in json.loads(essence)]
        found = self.texts(each for each in kept if isinstance(each, UUID))
        return answer_of(
            found.get(each, GONE) if isinstance(each, UUID) else Failure(each["status"], each["errors"])
            for each in kept
        )


class ManyCreateView(MakingView):
    """POST makes many instances."""

    reads = ManyInstancesSerializer

    @answered_once
    def post(self, request: Request) -> HttpResponse:
        said = self.said(request)
        user: Any = request.user
        batch, reader = services.Batch(user), self.resource.reader(self.version)
        find = reader.finder(request)
        add = lambda item: batch.add(**reader.values_of(item, find))  # noqa: E731
        return self.made(said["instances"], add, batch, all_or_nothing=said["all_or_nothing"])


class ManyCloneView(MakingView):
    """POST submits many instances once more."""

    reads = CloneManySerializer

    @answered_once
    def post(self, request: Request) -> HttpResponse:
        said = self.said(request)
        user: Any = request.user
        batch = services.Batch(user)
        as_was: bool = said["as_was"]
        found = self.originals(said["uuids"], batch, as_was=as_was)

        def add(name: str) -> TaskInstance:
            original = found.get(parse_uuid(name))
            if original is None:
                raise NotFound
            return batch.clone(original, as_was=as_was)

        return self.made(said["uuids"], add, batch, all_or_nothing=said["all_or_nothing"])

    def originals(self, names: Sequence[str], batch: services.Batch, *, as_was: bool) -> dict[UUID, TaskInstance]:
        """The instances that are to be cloned, as far as they exist."""
        wanted = list(filter(None, map(uuid_of, names)))
        sizes: dict[UUID, int] = {}
        for some in parts(wanted):
            rows = self.resource.all().filter(uuid__in=some).order_by()
            size = Length("arguments") + Length("snapshot") if as_was else Length("arguments")
            sizes.update(rows.values_list("uuid", size))
        try:
            for uuid in wanted:
                batch.spend(sizes.get(uuid, 0))
        except services.TooLong:
            raise TOO_MUCH from None
        found: dict[UUID, TaskInstance] = {}
        columns = ["uuid", "task_queue", "task_type", "arguments", "name", "labels", *LIMITS]
        rows = self.resource.all().only(*columns, *(("kind", "snapshot", "revision") if as_was else ()))
        for some in parts(list(sizes)):
            each = rows.filter(uuid__in=some).prefetch_related("task_type", "task_queue")
            found.update((instance.uuid, instance) for instance in each)
        return found


class ManyTerminateView(ManyView):
    """POST has many instances ended."""

    reads = TerminateManySerializer

    def post(self, request: Request) -> HttpResponseBase:
        said = self.said(request)
        if "filters" in said:
            return self.end_matching(request, said["filters"], said["expected"])
        found: dict[UUID, TaskInstance] = {}
        rows = self.resource.all().only("uuid", "user", "name", "task_queue")
        for some in parts(list(filter(None, map(uuid_of, said["uuids"])))):
            each = rows.filter(uuid__in=some).prefetch_related("task_queue")
            found.update((instance.uuid, instance) for instance in each)

        def may_end(name: str) -> TaskInstance:
            instance = found.get(parse_uuid(name))
            if instance is None:
                raise NotFound
            check_may_end(request, instance)
            return instance

        outcomes = self.outcomes(said["uuids"], may_end)
        wanted = {each.pk: each for each in outcomes if isinstance(each, TaskInstance)}
        if said["all_or_nothing"] and any(isinstance(each, Failure) for each in outcomes):
            return nothing_done(outcomes)
        user: Any = request.user
        for chunk in parts([wanted[pk] for pk in sorted(wanted)]):
            services.terminate_many(instances=chunk, user=user)
        return self.told(outcomes)

    def end_matching(self, request: Request, filters: dict[str, Any], expected: int) -> HttpResponseBase:
        """End what filters let through, if it is as much as expected."""
        try:
            return self.told(end_matching(request, self.resource, filters, expected))
        except services.Miscounted as miscounted:
            count = miscounted.count
            said = f"Nothing was ended: {count} that match have not ended, not {expected} as expected."
            return json_error(409, said, count=count)

    def told(self, outcomes: Sequence[Outcome]) -> HttpResponseBase:
        """The answer. A long one is made while it is sent: the arguments of all may be more than memory holds."""
        pieces = (
            ",".join(result_of(each if isinstance(each, Failure) else found.get(each.uuid, GONE)) for each in some)
            for some, found in (
                (some, self.texts(each.uuid for each in some if isinstance(each, TaskInstance)))
                for some in parts(outcomes)
            )
        )
        if len(outcomes) <= AT_ONCE:
            return json_response(f'{{"results":[{"".join(pieces)}]}}')
        return StreamingHttpResponse(framed(pieces), content_type="application/json")


def save(batch: services.Batch) -> None:
    """Save a batch.

    Raises:
        ValidationError: what one of it is to wait for went a moment ago.
    """
    try:
        batch.save()
    except services.Refused as refused:
        raise ValidationError(refused.errors) from None


def uuid_of(name: str) -> UUID | None:
    """The UUID that a text is."""
    try:
        return parse_uuid(name)
    except NotFound:
        return None


def result_of(outcome: str | Failure) -> str:
    """An instance's body, or why there is none, as it is told."""
    return told(outcome.result) if isinstance(outcome, Failure) else f'{{"instance":{outcome}}}'


def answer_of(outcomes: Iterable[str | Failure]) -> str:
    """The body of an answer."""
    return f'{{"results":[{",".join(map(result_of, outcomes))}]}}'


def framed(pieces: Iterable[str]) -> Iterator[bytes]:
    """The same, in pieces."""
    head = '{"results":['
    for piece in pieces:
        yield (head + piece).encode()
        head = ","
    yield b"]}"


def nothing_done(outcomes: Sequence[Any]) -> HttpResponse:
    """The answer where all was to be done or nothing, and something cannot be."""
    failed = [{"index": at, **each.result} for at, each in enumerate(outcomes) if isinstance(each, Failure)]
    return json_error(400, f"Nothing was done, as {len(failed)} of {len(outcomes)} cannot be.", failed=failed)
