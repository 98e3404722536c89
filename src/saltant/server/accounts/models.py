"""Users and their tokens."""

from datetime import datetime
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser
from django.core.validators import MinValueValidator
from django.db import models
from django.utils import timezone


class User(AbstractUser):
    """Somebody who signs in. An admin is a superuser."""

    max_running = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="How many of the user's instances run at once. Empty: no limit.",
    )
    time_zone = models.CharField(
        max_length=64, blank=True, default="", db_default="", help_text="Pages show times in it. Empty: the browser's."
    )

    @property
    def is_admin(self) -> bool:
        """Whether this user may do everything."""
        return self.is_superuser


class Role(models.TextChoices):
    """What a token is for."""

    USER = "user"
    WORKER = "worker"


class Token(models.Model):
    """A key that lets a program in. Only its digest is kept: the key itself is shown once, when it is made."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=100, blank=True)
    digest = models.CharField(max_length=64, unique=True)
    role = models.CharField(max_length=10, choices=Role, default=Role.USER)
    queues: "models.ManyToManyField[Any, Any]" = models.ManyToManyField(
        "tasks.TaskQueue", blank=True, help_text="The queues that a worker's token is bound to."
    )
    datetime_created = models.DateTimeField(default=timezone.now)
    datetime_expires = models.DateTimeField(null=True, blank=True)
    datetime_revoked = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return f"{self.role} token {self.id} of {self.user.username}"

    def is_valid(self, now: datetime) -> bool:
        """Whether the token opens anything at `now`."""
        return self.datetime_revoked is None and (self.datetime_expires is None or now < self.datetime_expires)
