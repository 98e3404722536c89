"""Adding users, and letting them go. `by` is who does it, for the audit log."""

from collections.abc import Collection

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from saltant.server.accounts.models import User
from saltant.server.audit.log import SALTANT, Actor, difference, record
from saltant.server.audit.models import Action


class Unfit(Exception):
    """Something said about a user cannot be. The message says what."""


def create_user(
    username: str, *, email: str = "", password: str | None = None, admin: bool = False, by: Actor = SALTANT
) -> User:
    """A new user; without a password they have tokens alone.

    Raises:
        Unfit: the name is taken or malformed, the address malformed, the password too weak.
    """
    user = User(username=username, email=email, is_superuser=admin, is_staff=admin)
    try:
        if password is None:
            user.set_unusable_password()
        else:
            validate_password(password, user)
            user.set_password(password)
        user.full_clean()
        with transaction.atomic():
            user.save()
            record(by, Action.CREATE, user, {"email": email, "admin": admin})
    except ValidationError as error:
        raise Unfit(" ".join(error.messages)) from None
    except IntegrityError:
        raise Unfit(f"There is a user named {username!r} already.") from None
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
