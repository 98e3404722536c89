"""Of which attempt files are asked for, and whether they may be read."""

from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request

from saltant.protocol import INTEGER
from saltant.server.api.downloads import AnyAccept
from saltant.server.api.permissions import check_may_read
from saltant.server.api.views import ResourceView
from saltant.server.tasks.models import TaskAttempt, TaskInstance
from saltant.states import State


class FilesView(ResourceView):
    """A view of files of an instance: of its current attempt, or of the one that `?attempt=` names."""

    content_negotiation_class = AnyAccept

    def find(self, request: Request, name: str) -> tuple[TaskInstance, int, TaskAttempt | None]:
        """The instance, the number of the attempt, and that attempt if there is one by now.

        Raises:
            NotFound: there is no such instance, or there never was such an attempt.
            PermissionDenied: who asks may not read its files.
        """
        instance: TaskInstance = self.resource.get(name)
        check_may_read(request, instance)
        number = number_in(request, "attempt", 1)
        if number is not None and number > instance.attempt:
            raise NotFound
        number = number or instance.attempt
        return instance, number, TaskAttempt.objects.filter(instance=instance, number=number).first()


def number_in(request: Request, key: str, least: int) -> int | None:
    """A number of the query, None if it is not there. Raises ValidationError."""
    digits = request.query_params.get(key)
    if digits is None:
        return None
    if digits.isascii() and digits.isdecimal() and len(digits) <= 10 and least <= int(digits) <= INTEGER:
        return int(digits)
    raise ValidationError({key: [f"Give a whole number between {least} and {INTEGER}."]})


def has_ended(instance: TaskInstance, attempt: TaskAttempt | None) -> bool:
    """Whether an attempt has ended: then its worker had sent everything before."""
    return State(instance.state).is_finished if attempt is None else attempt.lease_expires is None
