"""Who changed, ended or revoked what."""

from typing import Any, ClassVar

from django.db import models
from django.utils import timezone

from saltant.server.tasks.fields import JSONTextField


class Action(models.TextChoices):
    """What was done."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    PAUSE = "pause"
    RESUME = "resume"
    TERMINATE = "terminate"
    DRAIN = "drain"
    REPORT = "report"  # a state, by hand
    SET_PASSWORD = "set_password"  # noqa: S105 - what was done, no password
    DEACTIVATE = "deactivate"
    ACTIVATE = "activate"
    REVOKE = "revoke"
    ARCHIVE = "archive"
    UNARCHIVE = "unarchive"
    RESTORE = "restore"  # an earlier revision
    RUN = "run"  # a schedule, by hand
    SKIP = "skip"  # a time of a schedule


class AuditEntry(models.Model):
    """One thing done. All in words: it outlives whoever did it and what it was done to."""

    datetime = models.DateTimeField(default=timezone.now, db_index=True)
    actor = models.CharField(max_length=200)
    action = models.CharField(max_length=20, choices=Action)
    object_kind = models.CharField(max_length=50)
    object_id = models.CharField(max_length=36)
    object_name = models.CharField(max_length=200, blank=True)
    details: Any = JSONTextField(default=dict)

    class Meta:
        ordering: ClassVar = ["-id"]
        verbose_name_plural = "audit entries"
        indexes: ClassVar = [
            models.Index(fields=["actor", "-datetime", "-id"], name="audit_actor"),
            models.Index(fields=["object_id"], name="audit_object_id"),
            models.Index(fields=["object_name"], name="audit_object_name"),
        ]

    def __str__(self) -> str:
        return f"{self.actor}: {self.action} {self.object_kind} {self.object_name or self.object_id}"
