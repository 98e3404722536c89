"""Writing the audit log."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from math import isfinite
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import Manager, Model, QuerySet

from saltant.server.audit.models import Action, AuditEntry

Actor = AbstractBaseUser | str
"""Who does something: a user, or in words who it is."""

SALTANT = "saltant"
"""The actor of what nobody asked for by hand, such as the admin of a first start."""

LONGEST = 1000
"""Characters that one value of the details may have."""


def record(actor: Actor, action: Action, thing: Model, details: Mapping[str, Any] | None = None) -> AuditEntry:
    """Write down that `actor` did `action` to `thing`; call it in the transaction that does it, before a delete.

    Args:
        actor: a user, or words such as "root (command line)".
        details: what JSON can hold; for updates what `difference` gives. Never a key or a password.
    """
    entry = _entry(actor, action, thing, details)
    entry.save(force_insert=True)
    return entry


def record_many(actor: Actor, action: Action, things: Sequence[Model]) -> None:
    """The same, of several things."""
    AuditEntry.objects.bulk_create([_entry(actor, action, thing) for thing in things])


def _entry(actor: Actor, action: Action, thing: Model, details: Mapping[str, Any] | None = None) -> AuditEntry:
    kind, id_ = identity(thing)
    return AuditEntry(
        actor=name_of(actor),
        action=action,
        object_kind=kind,
        object_id=id_,
        object_name=_name_of_thing(thing)[:200],
        details=_plain(details or {}),
    )


def difference(thing: Model, changes: Mapping[str, Any]) -> dict[str, list[Any]]:
    """What `changes` (fields and new values; lists for many-to-many ones) would make another: field to [old, new].

    Call it before they are saved, with `thing` as it is stored.
    """
    pairs = {name: (words(getattr(thing, name)), words(new)) for name, new in changes.items()}
    return {name: [old, new] for name, (old, new) in pairs.items() if old != new}


def words(value: Any) -> Any:
    """A field's value as the log tells it: things by their names, those of a many-to-many field in order."""
    if isinstance(value, Model):
        return str(value)
    if isinstance(value, Manager):
        value = value.all()
    if isinstance(value, QuerySet | list | set) and any(isinstance(each, Model) for each in value):
        return sorted(str(each) for each in value)
    if isinstance(value, QuerySet):
        return []
    return value


def name_of(actor: Actor) -> str:
    """How the log names an actor."""
    return actor[:200] if isinstance(actor, str) else actor.get_username()


def identity(thing: Model) -> tuple[str, str]:
    """The kind and the id under which the log has a thing."""
    return str(thing._meta.verbose_name), str(getattr(thing, "uuid", None) or thing.pk)


def _name_of_thing(thing: Model) -> str:
    return str(getattr(thing, "name", "")) if hasattr(thing, "uuid") else str(thing)


def _plain(value: Any) -> Any:
    """`value` as JSON can hold it, no text of it too long."""
    if isinstance(value, Mapping):
        return {str(key)[:LONGEST]: _plain(each) for key, each in list(value.items())[:LONGEST]}
    if isinstance(value, list | tuple | set):
        return [_plain(each) for each in list(value)[:LONGEST]]
    if isinstance(value, datetime):
        return value.isoformat()
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and isfinite(value)):
        return value
    text = str(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
