"""Making and revoking tokens."""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from saltant.server.accounts.models import Role, Token, User
from saltant.server.accounts.people import Unfit
from saltant.server.audit.log import SALTANT, Actor, record
from saltant.server.audit.models import Action
from saltant.server.tasks.models import TaskQueue

PREFIX = "saltant_"
"""Keys begin so, for secret scanners and for people who wonder what a string in a file is."""


def digest_of(key: str) -> str:
    """What is kept of a key. It is random and long, so a plain hash is enough."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def create_token(
    user: User,
    role: Role = Role.USER,
    queues: Iterable[TaskQueue] = (),
    expires: datetime | None = None,
    name: str = "",
    *,
    by: Actor = SALTANT,
) -> tuple[Token, str]:
    """A new token of `user` and its key, which nobody can learn again. `by` is who makes it, for the audit log.

    Raises:
        Unfit: the name cannot be kept.
    """
    longest = Token._meta.get_field("name").max_length or 0
    if len(name) > longest:
        raise Unfit(f"The name of a token has {longest} characters at most, not {len(name)}.")
    if not _is_text(name):
        raise Unfit("The name of a token must be text.")
    queues = list(queues)
    key = PREFIX + secrets.token_urlsafe(32)
    with transaction.atomic():
        token = Token.objects.create(user=user, role=role, name=name, digest=digest_of(key), datetime_expires=expires)
        token.queues.set(queues)
        bound = {"queues": [queue.name for queue in queues]} if queues else {}
        record(by, Action.CREATE, token, {"user": user.username, "name": name, "expires": expires, **bound})
    return token, key


def _is_text(name: str) -> bool:
    """Whether a database can hold it: a command line may have bytes that are no text."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in name


def revoke(token: Token, *, by: Actor = SALTANT) -> None:
    """Make `token` open nothing from now on. `by` is who revokes it, for the audit log."""
    with transaction.atomic():
        now = timezone.now()
        if Token.objects.filter(pk=token.pk, datetime_revoked=None).update(datetime_revoked=now):
            token.datetime_revoked = now
            record(by, Action.REVOKE, token, {"user": token.user.username, "name": token.name})
