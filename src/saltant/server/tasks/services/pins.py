"""Which revisions of its types a whitelist allows: those since it has them, or the one that its owner has pinned."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.db import transaction

from saltant.server.audit.log import Actor, record
from saltant.server.audit.models import Action
from saltant.server.tasks.arguments import Refused
from saltant.server.tasks.models import TaskQueue, TaskType, TaskWhitelist, WhitelistPin

Range = Sequence[Any]
"""The first and the last revision that a whitelist allows; None: no matter which."""


def allows(revision: int | None, allowed: Range) -> bool:
    """Whether a whitelist allows a revision; None stands for what was made before there were any."""
    first, last = allowed
    return (first or 0) <= (revision or 0) and (last is None or (revision or 0) <= last)


def refusal(task_type: TaskType, queue: TaskQueue, ranges: Collection[Range]) -> str:
    """Why a queue does not run a revision of a type: what its whitelists that hold the type allow is in `ranges`."""
    if not ranges:
        return (
            f"No whitelist of the queue '{queue.name}' holds the task type '{task_type.name}': "
            "add the type to one of them, or use another queue."
        )
    pinned = sorted(last for _, last in ranges if last is not None)
    which = "what it was before" if task_type.revision is None else f"revision {task_type.revision}"
    if pinned:
        numbers = ", ".join(map(str, pinned))
        also = "" if task_type.revision is None else f", or have the whitelist's owner pin {which}"
        return (
            f"The queue '{queue.name}' does not run {which} of the task type '{task_type.name}': its whitelist pins "
            f"revision {numbers}. Say revision={pinned[-1]}{also}."
        )
    first = min(first for first, _ in ranges)
    return (
        f"The queue '{queue.name}' does not run {which} of the task type '{task_type.name}': its whitelist allows "
        f"revision {first} and later ones. Run one of these, or have its owner pin another one."
    )


def pins_of(whitelist: TaskWhitelist) -> dict[int, int]:
    """The revisions that a whitelist pins, by the ids of their types."""
    pins = WhitelistPin.objects.filter(whitelist=whitelist, to_revision__isnull=False)
    return {task_type: number for task_type, number in pins.values_list("task_type", "to_revision") if number}


def pin(whitelist: TaskWhitelist, pins: Mapping[int, int | None], by: Actor | None = None) -> None:
    """Pin types of a whitelist to revisions, by their ids; None unpins. Other types stay as they are.

    The caller has locked the whitelist. `by` is who does it; None: who has just made it.

    Raises:
        Refused: a type is not on the whitelist, or has no such revision.
    """
    types = {each.pk: each for each in whitelist.task_types.filter(pk__in=pins)}
    old = pins_of(whitelist)
    wanted = {pk: number for pk, number in pins.items() if number != old.get(pk)}
    for pk, number in pins.items():
        if pk not in types:
            raise _refused(f"The task type {pk} is not on this whitelist: put it there first.")
        known = number in (None, types[pk].revision) or types[pk].revisions.filter(number=number).exists()
        if not known:
            raise _refused(f"The task type {pk} has no revision {number}: its newest is {types[pk].revision}.")
    if not wanted:
        return
    with transaction.atomic():
        for pk, number in wanted.items():
            # What nobody has looked at since is not allowed by unpinning.
            values = {"from_revision": number or types[pk].revision, "to_revision": number}
            WhitelistPin.objects.update_or_create(whitelist=whitelist, task_type=types[pk], defaults=values)
        if by is not None:
            said = [{str(types[pk]): each.get(pk) for pk in wanted} for each in (old, pins)]
            record(by, Action.UPDATE, whitelist, {"pinned_revisions": said})


def follow_members(
    sender: Any, instance: Any, action: str, reverse: bool, pk_set: set[int] | None, **kwargs: Any
) -> None:
    """Keep what whitelists allow in step with what they hold: called by Django whenever that changes."""
    if action not in ("post_add", "post_remove", "post_clear"):
        return
    rows = WhitelistPin.objects.filter(**{"task_type" if reverse else "whitelist": instance.pk})
    if pk_set is not None:
        rows = rows.filter(**{f"{'whitelist' if reverse else 'task_type'}__in": pk_set})
    if action != "post_add":
        rows.delete()
        return
    others = pk_set or set()
    types = TaskType.objects.filter(pk__in=[instance.pk] if reverse else others).order_by("pk")
    # Locked: who changes one of them now takes it off this whitelist after that, or has changed it before.
    made = [
        WhitelistPin(whitelist_id=whitelist, task_type_id=pk, from_revision=revision)
        for pk, revision in types.select_for_update().values_list("pk", "revision")
        for whitelist in (others if reverse else [instance.pk])
        if revision > 1
    ]
    WhitelistPin.objects.bulk_create(made, ignore_conflicts=True)


def _refused(sentence: str) -> Refused:
    return Refused({"pinned_revisions": [sentence]})
