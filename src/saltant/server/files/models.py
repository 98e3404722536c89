"""What files there are of each attempt. Their bytes are in a store (`files.stores`): a row says how many count."""

from typing import ClassVar

from django.db import models

from saltant.files import LONGEST_NAME
from saltant.server.tasks.models import TaskAttempt


class LogFile(models.Model):
    """A log: `stdout`, `stderr`, or a text file that a container wrote to its logs folder."""

    attempt = models.ForeignKey(TaskAttempt, on_delete=models.CASCADE, related_name="logs")
    name = models.CharField(max_length=LONGEST_NAME)
    size = models.BigIntegerField(default=0)  # bytes
    is_cut = models.BooleanField(default=False)  # there was more than the limit: its last line says so

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["attempt", "name"], name="unique_log_name")]

    def __str__(self) -> str:
        return self.name


class ResultFile(models.Model):
    """A file of a results folder. It is there once all of it was uploaded, and has the checksum that was said."""

    attempt = models.ForeignKey(TaskAttempt, on_delete=models.CASCADE, related_name="results")
    name = models.CharField(max_length=LONGEST_NAME)
    size = models.BigIntegerField()  # bytes
    sha256 = models.CharField(max_length=64)
    uploaded = models.BigIntegerField(default=0)  # bytes; as many as `size` once the checksum was found right

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["attempt", "name"], name="unique_result_name")]

    def __str__(self) -> str:
        return self.name

    @property
    def is_complete(self) -> bool:
        """Whether it can be read."""
        return self.uploaded == self.size


class RefusedResult(models.Model):
    """A file of a results folder that is not kept, and why. Its name may be no good one: it is to be read alone."""

    attempt = models.ForeignKey(TaskAttempt, on_delete=models.CASCADE, related_name="refused_results")
    name = models.CharField(max_length=LONGEST_NAME)
    why = models.CharField(max_length=500)

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["attempt", "name"], name="unique_refused_name")]

    def __str__(self) -> str:
        return self.name
