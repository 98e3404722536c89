"""What tells this database's servers from any others."""

import secrets

from django.db import transaction

from saltant.server.tasks.models import ServerIdentity


def server_identity() -> str:
    """It is made once, by whichever process needs it first, and lives as long as the database."""
    known = ServerIdentity.objects.filter(pk=1).first()
    if known is None:
        with transaction.atomic():
            known, _ = ServerIdentity.objects.get_or_create(pk=1, defaults={"identity": secrets.token_hex(16)})
    return known.identity
