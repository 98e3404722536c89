"""Instances that ran elsewhere: nothing of them is started here."""

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction

from saltant.server.tasks import changes
from saltant.server.tasks.models import TaskInstance
from saltant.states import FINISHED


def known_of(uuids: Sequence[UUID]) -> set[UUID]:
    """Those of `uuids` that are instances here."""
    return set(TaskInstance.objects.filter(uuid__in=uuids).values_list("uuid", flat=True))


def bring(instances: Sequence[TaskInstance]) -> int:
    """Keep instances that have ended elsewhere, as they are; returns how many of them were not here yet."""
    if not all(instance.state in FINISHED for instance in instances):
        raise ValueError("Only what has ended can be brought: nothing here would run the others.")
    with transaction.atomic():
        known = known_of([instance.uuid for instance in instances])
        new = [instance for instance in instances if instance.uuid not in known]
        TaskInstance.objects.bulk_create(new)
        changes.tell(*(instance.uuid for instance in new), ended=True)
    return len(new)
