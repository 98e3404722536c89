"""What task types were, and which of that a whitelist allows."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from saltant.server.tasks.fields import JSONTextField


class TaskTypeRevision(models.Model):
    """What a type was from one change to the next. It is written once, and stays as it is."""

    task_type = models.ForeignKey(
        "tasks.TaskType", on_delete=models.CASCADE, related_name="revisions", db_index=False
    )  # its constraint begins with it
    number = models.PositiveIntegerField()  # from 1, for each type
    datetime_created = models.DateTimeField(default=timezone.now)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    changed_by = models.CharField(max_length=200, blank=True, default="")  # the user's name, which outlives the user
    values: Any = JSONTextField()
    changes: Any = JSONTextField(default=dict)  # what the one before had otherwise: field to [old, new]

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["task_type", "number"], name="unique_revision_number"),
        ]

    def __str__(self) -> str:
        return f"{self.task_type_id}.{self.number}"


class WhitelistPin(models.Model):
    """Which revisions of a type a whitelist allows. Where there is none it allows all of them.

    With `to_revision` the whitelist's owner has pinned the type, and both are the same number. Without it all are
    allowed that the type has had since it was put on the whitelist: what it was before, nobody may have looked at.
    """

    whitelist = models.ForeignKey("tasks.TaskWhitelist", on_delete=models.CASCADE, related_name="pins", db_index=False)
    task_type = models.ForeignKey("tasks.TaskType", on_delete=models.CASCADE, related_name="pins")
    from_revision = models.PositiveIntegerField()
    to_revision = models.PositiveIntegerField(null=True)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["whitelist", "task_type"], name="unique_whitelist_pin"),
        ]

    def __str__(self) -> str:
        return f"{self.whitelist_id}.{self.task_type_id}"
