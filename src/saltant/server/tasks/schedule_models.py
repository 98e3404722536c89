"""Schedules: types that run by the clock."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from saltant.schedules import Overlap
from saltant.server.tasks.fields import JSONTextField


class Schedule(models.Model):
    """A task type with arguments, to be run whenever its times come. The instances are its owner's.

    Only `tasks.services` writes `next_time` and what follows it.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    name = models.CharField(max_length=200, unique=True)
    description = models.TextField(blank=True, default="")
    datetime_created = models.DateTimeField(default=timezone.now, editable=False)
    task_type = models.ForeignKey("tasks.TaskType", on_delete=models.PROTECT, related_name="schedules")
    task_queue = models.ForeignKey("tasks.TaskQueue", on_delete=models.PROTECT, related_name="schedules")
    arguments: Any = JSONTextField(default=dict, blank=True)
    instance_name = models.CharField(max_length=200, blank=True, default="")
    labels: Any = JSONTextField(default=dict, blank=True)
    limits: Any = JSONTextField(default=dict, blank=True)  # those that win over its type's
    cron = models.CharField(max_length=100)
    timezone = models.CharField(max_length=64, default="UTC")
    overlap = models.CharField(
        max_length=7, choices=[(each.value, each.value) for each in Overlap], default=Overlap.SKIP.value
    )
    active = models.BooleanField(default=True)  # off: its times pass
    next_time = models.DateTimeField(null=True)  # null: it is not active
    last_time = models.DateTimeField(null=True)  # the last one that came, whatever became of it
    waiting_since = models.DateTimeField(null=True)  # a time whose instance waits for another one to end
    last_instance = models.ForeignKey(
        "tasks.TaskInstance", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    message = models.TextField(blank=True, default="")  # why its last time made none, or what else there is to say

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return self.name
