"""Labels of instances, and their names: what people may change of what was made.

Labels stand twice: whole on the instance, for whoever shows it, and one a row, for whoever looks for them.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import transaction

from saltant.server.accounts.models import User
from saltant.server.audit.log import difference, record
from saltant.server.audit.models import Action
from saltant.server.tasks.models import TaskInstance, TaskLabel


def save_labels(instances: Iterable[TaskInstance]) -> None:
    """Save the rows of labels of instances that were just saved."""
    rows = [
        TaskLabel(instance=instance, key=key, value=value)
        for instance in instances
        for key, value in instance.labels.items()
    ]
    if rows:
        TaskLabel.objects.bulk_create(rows, batch_size=5000)


def relabel(*, instance: TaskInstance, user: User, changes: Mapping[str, Any]) -> None:
    """Change `name`, `labels` or both of an instance that the caller has locked."""
    changed = difference(instance, changes)
    if not changed:
        return
    with transaction.atomic():
        TaskInstance.objects.filter(pk=instance.pk).update(**changes)
        record(user, Action.UPDATE, instance, changed)
        for name, value in changes.items():
            setattr(instance, name, value)
        if "labels" in changed:
            TaskLabel.objects.filter(instance=instance).delete()
            save_labels([instance])
