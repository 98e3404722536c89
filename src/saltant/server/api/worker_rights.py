"""What a worker's token opens: the queues that it is bound to, and the workers of its owner."""

from functools import cache
from importlib import metadata
from typing import Any

from django.db.models import Q

from saltant import protocol
from saltant.server.accounts.models import Token
from saltant.server.prepared import Prepared
from saltant.server.tasks import services
from saltant.server.tasks.models import Worker
from saltant.server.tasks.worker_state import is_live
from saltant.workers import PROTOCOL, Announcement

_queues = Prepared(
    lambda token: (
        Token.queues.through.objects.filter(token_id=token).order_by().values_list("taskqueue_id", "taskqueue__lane")
    ),
    Token._meta.pk,
    2**62,  # no token has such an id
)
_owners = Prepared(
    lambda name: Worker.objects.filter(name=name).order_by().values_list("user_id"),
    Worker._meta.get_field("name"),
    "\N{BLACK STAR}",
)


class Denied(Exception):
    """The answer to a worker that may not do this."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


@cache
def version() -> str:
    """The version of saltant that this server is."""
    return metadata.version("saltant-py")


def check_protocol(said: Any) -> None:
    """Refuse a worker that is too old or too new: a server knows its own protocol and the one before.

    Raises:
        Denied: with a sentence that says which of the two to upgrade.
        Malformed: the protocol is missing.
    """
    theirs = protocol.protocol_of(said)
    if max(1, PROTOCOL - 1) <= theirs <= PROTOCOL:
        return
    named = said.get("version")
    of = f" of saltant {named:.50}" if isinstance(named, str) and named.isprintable() and named else ""
    what = "the server first, then its workers" if theirs > PROTOCOL else "this worker"
    raise Denied(
        426,
        f"This worker speaks protocol {theirs}{of}, this server protocol {PROTOCOL} of saltant {version()}: "
        f"upgrade {what}.",
    )


def lanes_of(token: Token) -> dict[int, str]:
    """The queues that a token is bound to: id to lane."""
    return {pk: lane for pk, lane in _queues.rows(token.pk)}  # noqa: C416 - rows are no pairs to a type checker


def names_of(token: Token) -> list[str]:
    """The names of the queues that a token is bound to."""
    return list(token.queues.order_by("name").values_list("name", flat=True))


def check_queues(token: Token, said: Announcement) -> list[services.Served]:
    """The queues that a worker would serve. It is refused one which its token is not for, or which is not there.

    Raises:
        Denied: with a sentence that says how to get a right token.
    """
    if said.queues is None:
        bound = names_of(token)
        names = " ".join(f"--queue {name}" for name in bound)
        hint = f"say which of them the worker serves: {names}" if bound else "make one with --queue QUEUE"
        raise Denied(403, f"This token is not for every queue: {hint}.")
    served, bound_ids = services.find_served(said.queues, said.lanes), lanes_of(token).keys()
    for name in sorted(each.name for each in served if each.pk not in bound_ids):
        raise Denied(
            403,
            f"This token is not for the queue {name!r}. If there is such a queue, "
            f"`saltant token create {token.user.username} --role worker --queue {name}` makes a token that is.",
        )
    return served


def check_name(token: Token, said: Announcement) -> None:
    """Refuse a worker that comes under the name of somebody else's.

    Raises:
        Denied: with a sentence that says so.
    """
    known = Worker.objects.filter(name=said.worker).first()
    if known is None or known.user_id == token.user_id:
        return
    # One without an owner lives in the server's own process, if it lives. By its identity `announce` tells it apart.
    if known.user_id is not None or (is_live(known) and not said.identity):
        raise _taken(said.worker)


def take_name(token: Token, worker: str) -> None:
    """Write down whose worker it is.

    Raises:
        Denied: somebody else was quicker.
    """
    free = Worker.objects.filter(Q(user=None) | Q(user=token.user_id), name=worker)
    if not free.update(user=token.user_id):
        raise _taken(worker)


def own(token: Token, worker: str, *, or_unknown: bool = False) -> bool:
    """Whether `worker` was announced, by the token's owner.

    Raises:
        Denied: it is somebody else's; or nobody announced it, unless that is all right (`or_unknown`).
    """
    rows = _owners.rows(worker)
    if not rows:
        if or_unknown:
            return False
        raise Denied(409, f"No worker named {worker!r} has been announced to this server: announce it first.")
    if rows[0][0] != token.user_id:
        raise Denied(403, f"The worker named {worker!r} was not announced with a token of this one's owner.")
    return True


def _taken(worker: str) -> Denied:
    return Denied(409, f"There is a worker named {worker!r} already, and it is not of this token's owner.")
