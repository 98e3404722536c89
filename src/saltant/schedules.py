"""What a schedule does when its time comes while an instance of it has not ended."""

from enum import StrEnum


class Overlap(StrEnum):
    """What becomes of the new instance, and of the one that runs."""

    SKIP = "skip"  # this time makes none
    ALLOW = "allow"  # both run
    REPLACE = "replace"  # the one that runs is terminated, and then the new one starts
    WAIT = "wait"  # the new one starts when the other one has ended; at most one waits
