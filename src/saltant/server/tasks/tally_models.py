"""How much ended when: kept, because counting a month of instances anew takes too long for a page."""

from typing import ClassVar

from django.db import models


class EndTally(models.Model):
    """The instances that ended in five minutes, by state.

    `slot` is the number of these five minutes since 1970. A row is written once, when they are over, and stays as it
    is, even if the instances are pruned.
    """

    slot = models.BigIntegerField(primary_key=True)
    successful = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    terminated = models.PositiveIntegerField(default=0)

    class Meta:
        ordering: ClassVar = ["slot"]

    def __str__(self) -> str:
        return str(self.slot)
