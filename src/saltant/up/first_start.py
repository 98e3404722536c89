"""What a folder needs before anything runs: its tables, an admin, a queue."""

from django.core.management import call_command
from django.db import transaction

from saltant.server.accounts.models import User
from saltant.server.accounts.tokens import create_token
from saltant.server.tasks.models import TaskQueue, TaskWhitelist
from saltant.up.folder import DataFolder, write_private


def prepare(folder: DataFolder) -> None:
    """Bring the database up to date and, the first time, fill it. May be repeated after any interruption."""
    call_command("migrate", verbosity=0, interactive=False)
    with transaction.atomic():
        first = not User.objects.exists()
        if first:
            admin = User.objects.create_superuser("admin")
            whitelist = TaskWhitelist.objects.create(
                name="default", user=admin, description="What the queue `default` runs."
            )
            queue = TaskQueue.objects.create(name="default", user=admin, description="This machine.")
            queue.whitelists.add(whitelist)
        if not folder.admin_token.exists():
            admin = User.objects.filter(is_superuser=True, is_active=True).order_by("id")[0]
            _, key = create_token(admin, name="saltant up")
            # Before the commit: a key without its file would be lost, a file without its key is made again.
            write_private(folder.admin_token, key)
