"""Brings the database of `saltant server` up to date."""

import os

import django

from saltant.serving import CannotStart
from saltant.serving.database import why

KEY = 0x6D696772  # "migr": an advisory lock, so that of two who migrate at once the second finds nothing to do


def migrate_database() -> tuple[list[str], bool]:
    """Apply what is missing; returns the migrations' names, and whether there is an admin.

    Raises:
        CannotStart: the database refuses it.
    """
    os.environ["DJANGO_SETTINGS_MODULE"] = "saltant.server.settings"
    django.setup()
    from django.core.management import call_command
    from django.db import DatabaseError, connection

    from saltant.server.accounts.models import User
    from saltant.server.health import missing_migrations

    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [KEY])
        missing = missing_migrations()
        call_command("migrate", verbosity=0, interactive=False)
        return missing, User.objects.filter(is_superuser=True, is_active=True).exists()
    except DatabaseError as error:
        raise CannotStart(f"The database could not be migrated: {why(error)}.") from None
    finally:
        connection.close()
