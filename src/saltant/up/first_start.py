"""What a folder needs before anything runs: its tables, an admin, a queue."""

from django.core.management import call_command
from django.db import DatabaseError, transaction
from django.utils import timezone

from saltant.folders import write_private
from saltant.server.accounts import people
from saltant.server.accounts.models import Token, User
from saltant.server.accounts.tokens import create_token, digest_of
from saltant.server.audit.log import SALTANT, record
from saltant.server.audit.models import Action
from saltant.server.tasks.models import TaskQueue, TaskWhitelist
from saltant.up.folder import DataFolder, UpError


def prepare(folder: DataFolder) -> None:
    """Bring the database up to date and, the first time, fill it. May be repeated after any interruption.

    Raises:
        UpError: the database cannot be written, or nobody could be its admin.
    """
    try:
        call_command("migrate", verbosity=0, interactive=False)
        _fill(folder)
    except (DatabaseError, OSError) as error:
        raise UpError(
            f"The database {folder.database} cannot be used: {error}. Is the disk full? Can the folder be written?"
        ) from None


def _fill(folder: DataFolder) -> None:
    with transaction.atomic():
        first = not User.objects.exists()
        if first:
            admin = people.create_user("admin", admin=True)
            whitelist = TaskWhitelist.objects.create(
                name="default", user=admin, description="What the queue `default` runs."
            )
            queue = TaskQueue.objects.create(name="default", user=admin, description="This machine.")
            queue.whitelists.add(whitelist)
            for thing in (whitelist, queue):
                record(SALTANT, Action.CREATE, thing)
        if not opens(folder):
            keeper = User.objects.filter(is_superuser=True, is_active=True).order_by("id").first()
            if keeper is None:
                raise UpError("No active admin is left. Make one: saltant user create NAME --admin --no-password")
            _, key = create_token(keeper, name="saltant up")
            # Before the commit: a key without its file would be lost, a file without its key is made again.
            write_private(folder.admin_token, key)


def opens(folder: DataFolder) -> bool:
    """Whether the key that `saltant env` gives away lets an admin in: it may be missing, revoked, or its user gone."""
    if not folder.admin_token.exists():
        return False
    key = folder.admin_token.read_text().strip()
    token = Token.objects.select_related("user").filter(digest=digest_of(key), user__is_active=True).first()
    return token is not None and token.user.is_admin and token.is_valid(timezone.now())
