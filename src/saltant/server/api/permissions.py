"""Who may do what."""

from typing import Any

from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from saltant.server.accounts.models import Role, Token
from saltant.server.tasks import services
from saltant.server.tasks.models import OwnedModel, TaskInstance
from saltant.states import State


def is_worker(request: Request) -> bool:
    """Whether the request comes with a worker's token."""
    return isinstance(request.auth, Token) and request.auth.role == Role.WORKER


class IsSignedIn(BasePermission):
    """Somebody whom we know: a person, a program of theirs, or a worker."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return bool(request.user and request.user.is_authenticated)


class IsPerson(IsSignedIn):
    """A person or a program of theirs. A worker's token claims and reports, and opens nothing else."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return super().has_permission(request, view) and not is_worker(request)


def check_owner(request: Request, thing: OwnedModel) -> None:
    """Let the owner and admins through."""
    user: Any = request.user
    if not (user.is_admin or thing.user_id == user.pk):
        raise PermissionDenied


def check_may_end(request: Request, instance: TaskInstance) -> None:
    """Let the instance's owner, its queue's owner and admins through."""
    user: Any = request.user
    if instance.task_queue.user_id != user.pk:
        check_owner(request, instance)


def check_may_read(request: Request, instance: TaskInstance) -> None:
    """Let everybody read logs and results; on a private queue, only those who may end the instance."""
    if instance.task_queue.private:
        check_may_end(request, instance)


def check_may_report(request: Request, instance: TaskInstance, *, ends: bool) -> None:
    """Let through who may report a state; `ends` if that state is `terminated`."""
    if is_worker(request):
        token: Any = request.auth
        if not token.queues.filter(pk=instance.task_queue_id).exists():
            raise PermissionDenied
        # A worker reports what it runs itself, outside of any lease; having others' work ended is for people.
        if ends and (instance.state != State.RUNNING or services.is_leased(instance)):
            raise PermissionDenied
    elif ends:
        check_may_end(request, instance)
    else:
        check_owner(request, instance)
