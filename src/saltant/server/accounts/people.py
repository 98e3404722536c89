"""Adding users, and letting them go. `by` is who does it, for the audit log."""

import secrets
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from zoneinfo import available_timezones

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from saltant.server.accounts.models import User
from saltant.server.audit.log import SALTANT, Actor, difference, record
from saltant.server.audit.models import Action
from saltant.server.tasks.cron import THIS_MACHINES_OWN


class Unfit(Exception):
    """Something said about a user cannot be. The message says what."""


class Malformed(Unfit):
    """What is wrong with each field."""

    def __init__(self, errors: Mapping[str, Sequence[str]]) -> None:
        super().__init__(" ".join(text for texts in errors.values() for text in texts))
        self.errors = errors


def create_user(
    username: str, *, email: str = "", password: str | None = None, admin: bool = False, by: Actor = SALTANT
) -> User:
    """A new user; without a password they have tokens alone.

    Raises:
        Malformed: the name is taken or malformed, the address malformed, the password too weak.
    """
    user = User(username=username, email=email, is_superuser=admin, is_staff=admin)
    if password is None:
        user.set_unusable_password()
    else:
        try:
            validate_password(password, user)
        except ValidationError as error:
            raise Malformed({"password": error.messages}) from None
        user.set_password(password)
    try:
        user.full_clean()
        with transaction.atomic():
            user.save()
            record(by, Action.CREATE, user, {"email": email, "admin": admin})
    except ValidationError as error:
        raise Malformed(error.message_dict) from None
    except IntegrityError:
        raise Malformed({"username": [f"There is a user named {username!r} already."]}) from None
    return user


def set_password(user: User, password: str, *, by: Actor = SALTANT) -> None:
    """Change a password; sessions signed in with the old one end.

    Raises:
        Unfit: it is too weak.
    """
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise Unfit(" ".join(error.messages)) from None
    user.set_password(password)
    with transaction.atomic():
        user.save(update_fields=["password"])
        record(by, Action.SET_PASSWORD, user)


def find(username: str) -> User:
    """The user of that name.

    Raises:
        Unfit: there is none.
    """
    try:
        return User.objects.get(username=username)
    except (User.DoesNotExist, UnicodeEncodeError):  # a command line may hold bytes that are no text
        raise Unfit(f"There is no user named {username!r}.") from None


def deactivate(user: User, *, by: Actor = SALTANT) -> None:
    """Let nothing of the user's in any more; what they own stays.

    Raises:
        Unfit: they are the last active admin.
    """
    with transaction.atomic():
        keep_an_admin([user])
        if User.objects.filter(pk=user.pk, is_active=True).update(is_active=False):
            record(by, Action.DEACTIVATE, user)
    user.is_active = False


def activate(user: User, *, by: Actor = SALTANT) -> None:
    """Let a deactivated user in again, with the password and the tokens that they had."""
    with transaction.atomic():
        if User.objects.filter(pk=user.pk, is_active=False).update(is_active=True):
            record(by, Action.ACTIVATE, user)
    user.is_active = True


def set_max_running(user: User, limit: int | None, *, by: Actor = SALTANT) -> None:
    """Let at most `limit` of the user's instances run at once; None: as many as there is room for.

    Raises:
        Unfit: it is less than 1, or more than can be kept.
    """
    if limit is not None and not 1 <= limit < 2**31:
        raise Unfit(f"How many may run at once is 1 or more (2147483647 at most), or no limit, not {limit}.")
    with transaction.atomic():
        changes = difference(user, {"max_running": limit})
        if changes:
            User.objects.filter(pk=user.pk).update(max_running=limit)
            record(by, Action.UPDATE, user, changes)
    user.max_running = limit


def set_admin(user: User, is_admin: bool, *, by: Actor = SALTANT) -> None:
    """Make somebody an admin, or no longer one.

    Raises:
        Unfit: they are the last active admin.
    """
    with transaction.atomic():
        if not is_admin:
            keep_an_admin([user])
        if User.objects.filter(pk=user.pk, is_superuser=not is_admin).update(is_superuser=is_admin, is_staff=is_admin):
            record(by, Action.UPDATE, user, {"is_superuser": [not is_admin, is_admin]})
    user.is_superuser = user.is_staff = is_admin


def set_profile(user: User, *, email: str, time_zone: str, by: Actor = SALTANT) -> None:
    """Change where mail goes to, and the time zone in which pages show times; empty: the browser's.

    Raises:
        Malformed: one of them is none.
    """
    new = User(username=user.username, password=user.password, email=email, time_zone=time_zone)
    errors: dict[str, list[str]] = {}
    try:
        new.clean_fields(exclude={"username", "password"})
    except ValidationError as error:
        errors = dict(error.message_dict)
    if time_zone and time_zone not in zones():
        errors["time_zone"] = [f"There is no time zone {time_zone[:64]!r}: take a name such as Europe/Berlin or UTC."]
    if errors:
        raise Malformed(errors)
    new.clean()  # the address as it is kept
    changes = difference(user, {"email": new.email, "time_zone": time_zone})
    if not changes:
        return
    with transaction.atomic():
        User.objects.filter(pk=user.pk).update(email=new.email, time_zone=time_zone)
        record(by, Action.UPDATE, user, changes)
    user.email, user.time_zone = new.email, time_zone


@cache
def zones() -> frozenset[str]:
    """The names of time zones."""
    return frozenset(name for name in available_timezones() if name not in THIS_MACHINES_OWN)


def made_up_password() -> str:
    """A password that nobody guesses, of characters that nobody mistakes for each other."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(5)) for _ in range(4))


def keep_an_admin(leaving: Collection[User]) -> None:
    """Refuse to let go of the last active admin; call it in the transaction that lets `leaving` go.

    Raises:
        Unfit: nobody else is an active admin.
    """
    # Locked, in one order: two admins must not let go of each other at once. What refers to them may still be added.
    active = User.objects.filter(is_superuser=True, is_active=True).order_by("pk")
    admins = set(active.select_for_update(no_key=True))
    gone = sorted(user.username for user in admins.intersection(leaving))
    if gone and len(gone) == len(admins):
        raise Unfit(
            f"Without {' and '.join(gone)} no active admin would be left, and saltant would not start. "
            "Make another first: saltant user create NAME --admin"
        )
