"""Task types, whitelists, queues, instances and their attempts.

One table of types and one of instances, with a class column, so that claim, sweeper and pages exist once.
"""

import uuid
from enum import StrEnum
from typing import Any, ClassVar

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.utils import timezone

from saltant.jobs import DEFAULT_PRIORITY, Kind, Network, PullPolicy
from saltant.reasons import Reason, RetryOn
from saltant.server.tasks.fields import JSONTextField
from saltant.server.tasks.revision_models import TaskTypeRevision as TaskTypeRevision
from saltant.server.tasks.revision_models import WhitelistPin as WhitelistPin
from saltant.server.tasks.schedule_models import Schedule
from saltant.server.tasks.state_lookups import ENDED_BADLY, UNFINISHED_STATES
from saltant.server.tasks.tally_models import EndTally as EndTally
from saltant.states import State


def choices(values: type[StrEnum]) -> list[tuple[str, str]]:
    """The choices of a column that holds one of `values`."""
    return [(member.value, member.value) for member in values]


class TaskClass(models.TextChoices):
    """The two classes of tasks, each with paths of its own in the API."""

    EXECUTABLE = "executable"
    CONTAINER = "container"


class ContainerType(models.TextChoices):
    """What runs a container."""

    DOCKER = "docker"
    SINGULARITY = "singularity"


class OwnedModel(models.Model):
    """What has an owner. Deleting a user leaves it, without one."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)

    class Meta:
        abstract = True


class Archivable(models.Model):
    """What can be put out of use, with all that was made with it kept."""

    datetime_archived = models.DateTimeField(null=True, blank=True, editable=False)  # null: it is in use

    class Meta:
        abstract = True


class Limits(models.Model):
    """How long, how often, with how much and how soon something may run. Null: no limit. Durations are seconds."""

    timeout = models.FloatField(null=True, blank=True)  # of an attempt, from its program's start
    queue_timeout = models.FloatField(null=True, blank=True)  # from the creation to the first claim
    max_attempts = models.PositiveIntegerField(default=1)
    retry_on = models.CharField(max_length=6, choices=choices(RetryOn), default=RetryOn.LOST.value)
    retry_delay = models.FloatField(default=5.0)  # before the second attempt; doubled before each one after it
    memory = models.BigIntegerField(null=True, blank=True)  # bytes
    cpus = models.FloatField(null=True, blank=True)
    priority = models.PositiveSmallIntegerField(  # 0 runs last, 9 first
        default=DEFAULT_PRIORITY, validators=[MaxValueValidator(9)]
    )
    gpus = models.PositiveIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])

    class Meta:
        abstract = True


LIMITS = tuple(field.name for field in Limits._meta.local_fields)


class TaskType(OwnedModel, Limits, Archivable):
    """What can be run."""

    task_class = models.CharField(max_length=10, choices=TaskClass)
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True, default="")
    datetime_created = models.DateTimeField(default=timezone.now, editable=False)
    command_to_run = models.CharField(max_length=400)
    environment_variables: Any = JSONTextField(default=list, blank=True)
    required_arguments: Any = JSONTextField(default=list, blank=True)
    required_arguments_default_values: Any = JSONTextField(default=dict, blank=True)
    json_file_option = models.CharField(max_length=50, null=True, blank=True)  # noqa: DJ001 - the wire tells null from ""
    logs_path = models.CharField(max_length=400, null=True, blank=True)  # noqa: DJ001
    results_path = models.CharField(max_length=400, null=True, blank=True)  # noqa: DJ001
    container_image = models.CharField(max_length=200, blank=True, default="")
    container_type = models.CharField(max_length=11, choices=ContainerType, blank=True, default="")
    pull_policy = models.CharField(max_length=10, choices=choices(PullPolicy), default=PullPolicy.IF_MISSING.value)
    network = models.CharField(max_length=7, choices=choices(Network), default=Network.DEFAULT.value)
    container_user = models.CharField(max_length=65, blank=True, default="")
    read_only_root = models.BooleanField(default=False)
    shm_size = models.BigIntegerField(null=True, blank=True)  # bytes
    revision = models.PositiveIntegerField(default=1, db_default=1, editable=False)  # what it is now, of its revisions

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["task_class", "name"], name="unique_task_type_name"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def kind(self) -> Kind:
        """What a worker must be able to run."""
        return Kind(self.container_type or Kind.EXECUTABLE)


class TaskWhitelist(OwnedModel, Archivable):
    """Task types that the queues which hold this whitelist run."""

    name = models.CharField(max_length=50, unique=True)
    description = models.TextField(blank=True, default="")
    task_types: "models.ManyToManyField[TaskType, Any]" = models.ManyToManyField(TaskType, blank=True)

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return self.name


class TaskQueue(OwnedModel, Archivable):
    """A set of machines.

    `lane` is the name under which engines carry its tickets. It stays when the queue is renamed, so that workers which
    were started before go on.
    """

    name = models.CharField(max_length=50, unique=True, validators=[RegexValidator(r"^[\w@+-]+\Z")])
    description = models.TextField(blank=True, default="")
    private = models.BooleanField(default=False)
    runs_executable_tasks = models.BooleanField(default=True)
    runs_docker_container_tasks = models.BooleanField(default=True)
    runs_singularity_container_tasks = models.BooleanField(default=True)
    active = models.BooleanField(default=True)  # off: nothing new is put on it
    paused = models.BooleanField(default=False)  # on: nothing of it is started, either
    max_running = models.PositiveIntegerField(  # of its instances at once; null: no limit
        null=True, blank=True, validators=[MinValueValidator(1)]
    )
    whitelists: "models.ManyToManyField[TaskWhitelist, Any]" = models.ManyToManyField(TaskWhitelist, blank=True)
    lane = models.CharField(max_length=60, unique=True, editable=False)

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save it; a new one gets a lane: its name, unless a queue that had this name before keeps that as its lane."""
        if not self.lane:
            taken = set(TaskQueue.objects.filter(lane__startswith=self.name).values_list("lane", flat=True))
            # Names hold no dot.
            names = (f"{self.name}.{number}" if number else self.name for number in range(len(taken) + 1))
            self.lane = next(name for name in names if name not in taken)
        super().save(*args, **kwargs)

    def accepts(self, kind: Kind) -> bool:
        """Whether instances of `kind` may be put on this queue."""
        return {
            Kind.EXECUTABLE: self.runs_executable_tasks,
            Kind.DOCKER: self.runs_docker_container_tasks,
            Kind.SINGULARITY: self.runs_singularity_container_tasks,
        }[kind]


class FormerQueueName(models.Model):
    """A name that a queue had: workers may still be started with it, as long as no other queue has it."""

    name = models.CharField(max_length=50, unique=True)
    queue = models.ForeignKey(TaskQueue, on_delete=models.CASCADE, related_name="former_names")

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return self.name


class TaskInstance(OwnedModel, Limits):
    """One run of a task type: its arguments, the snapshot of its type, and where it stands.

    `attempt` is the number of the attempt that may be claimed or is running. While it is leased, a row of
    `TaskAttempt` with that number holds the lease. Only `tasks.services` writes `state`.

    `held_back` is set while it waits for a limit: its ticket was used up, and it gets a new one when there is room.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    task_class = models.CharField(max_length=10, choices=TaskClass)
    name = models.CharField(max_length=200, blank=True, default="")
    state = models.CharField(max_length=10, choices=choices(State), default=State.CREATED.value)
    datetime_created = models.DateTimeField(default=timezone.now, editable=False)
    datetime_finished = models.DateTimeField(null=True, blank=True)
    datetime_changed = models.DateTimeField(default=timezone.now, editable=False)  # of its state
    arguments: Any = JSONTextField(default=dict, blank=True)
    labels: Any = JSONTextField(default=dict, blank=True)  # the same as the rows of `TaskLabel`
    # Without indexes of their own: those below begin with them.
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, db_index=False)
    task_queue = models.ForeignKey(TaskQueue, on_delete=models.PROTECT, related_name="instances", db_index=False)
    task_type = models.ForeignKey(TaskType, on_delete=models.PROTECT, related_name="instances", db_index=False)
    schedule = models.ForeignKey(  # the one that made it
        Schedule, null=True, blank=True, on_delete=models.SET_NULL, related_name="instances", db_index=False
    )

    kind = models.CharField(max_length=11, choices=choices(Kind))
    snapshot: Any = JSONTextField()
    revision = models.PositiveIntegerField(null=True, editable=False)  # of its type, at birth; null: it had none
    attempt = models.PositiveIntegerField(default=1)
    start_after = models.DateTimeField(null=True)  # set while its next attempt waits: its ticket is sent then
    start_before = models.DateTimeField(null=True)  # it fails if no worker has ever claimed it by then
    datetime_published = models.DateTimeField(null=True)  # when a broker last took its ticket
    held_back = models.BooleanField(default=False)
    # How many of its dependencies are not satisfied yet; above 0 it stays created, and nobody may claim it.
    waits_for = models.PositiveSmallIntegerField(default=0, db_default=0)
    has_dependents = models.BooleanField(default=False, db_default=False)  # its end may let others start
    datetime_cancelled = models.DateTimeField(null=True, blank=True)
    cancelled_by = models.CharField(max_length=150, blank=True, default="")
    reason = models.CharField(max_length=20, choices=choices(Reason), blank=True, default="")
    message = models.TextField(blank=True, default="")

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["task_class", "-id"], name="instance_class_newest"),
            # Few rows are unfinished, however many there are: the engine's refill and the sweeper look at these alone.
            models.Index(
                fields=["state", "id"],
                name="instance_unfinished",
                condition=models.Q(state__in=list(UNFINISHED_STATES)),
            ),
            models.Index(
                fields=["task_queue", "-priority", "id"],
                name="instance_held_back",
                condition=models.Q(held_back=True),
            ),
            models.Index(fields=["datetime_changed", "id"], name="instance_changed"),
            # Lists of one user, queue or type, the newest first. Their columns never change.
            models.Index(fields=["user", "-id"], name="instance_of_user"),
            models.Index(fields=["task_queue", "-id"], name="instance_of_queue"),
            models.Index(fields=["task_type", "-id"], name="instance_of_type"),
            models.Index(
                fields=["schedule", "-id"],
                name="instance_of_schedule",
                condition=models.Q(schedule__isnull=False),
            ),
            # What keeps a schedule's next one waiting: few of all that it has made.
            models.Index(
                fields=["schedule"],
                name="unfinished_of_schedule",
                condition=models.Q(schedule__isnull=False, state__in=list(UNFINISHED_STATES)),
            ),
            # Ends that are rare among many. What succeeds, which most do, costs nothing here.
            models.Index(
                fields=["state", "-id"],
                name="instance_ended_badly",
                condition=models.Q(state__in=list(ENDED_BADLY)),
            ),
        ]

    def __str__(self) -> str:
        return str(self.uuid)


class TaskLabel(models.Model):
    """A label of an instance, to be found by."""

    instance = models.ForeignKey(TaskInstance, on_delete=models.CASCADE, related_name="label_rows", db_index=False)
    key = models.CharField(max_length=63)
    value = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["instance", "key"], name="unique_label_key")]
        indexes: ClassVar = [models.Index(fields=["key", "value", "-instance"], name="label_value")]

    def __str__(self) -> str:
        return f"{self.key}={self.value}"


class Condition(StrEnum):
    """How an instance must end for another one to start after it."""

    SUCCESS = "success"
    ANY = "any"


class TaskDependency(models.Model):
    """An instance starts after another one, `on`, has ended. Where that one is pruned, so is this."""

    instance = models.ForeignKey(TaskInstance, on_delete=models.CASCADE, related_name="dependencies", db_index=False)
    on = models.ForeignKey(TaskInstance, on_delete=models.CASCADE, related_name="dependents")
    condition = models.CharField(max_length=7, choices=choices(Condition), default=Condition.SUCCESS.value)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["instance", "on"], name="unique_dependency")]

    def __str__(self) -> str:
        return f"{self.instance_id} after {self.on_id}"


class TaskAttempt(models.Model):
    """One claim of an instance by a worker, its lease, and how it ended."""

    instance = models.ForeignKey(TaskInstance, on_delete=models.CASCADE, related_name="attempts")
    number = models.PositiveIntegerField()
    worker = models.CharField(max_length=200)
    lease_expires = models.DateTimeField(null=True)  # null: the lease is over
    datetime_claimed = models.DateTimeField()
    datetime_started = models.DateTimeField(null=True)
    datetime_finished = models.DateTimeField(null=True)
    reason = models.CharField(max_length=20, choices=choices(Reason), blank=True, default="")
    message = models.TextField(blank=True, default="")
    exit_code = models.IntegerField(null=True)
    signal = models.IntegerField(null=True)
    cpu_seconds = models.FloatField(null=True)
    peak_memory = models.BigIntegerField(null=True)
    image_digest = models.CharField(max_length=200, blank=True, default="", db_default="")
    progress: Any = JSONTextField(null=True)  # as its job said last; null: it said nothing
    datetime_progress = models.DateTimeField(null=True)  # when it said that

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["instance", "number"], name="unique_attempt_number"),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["lease_expires"], name="attempt_lease", condition=models.Q(lease_expires__isnull=False)
            ),
            # Few attempts say anything.
            models.Index(
                fields=["datetime_progress"],
                name="attempt_progress",
                condition=models.Q(datetime_progress__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.instance_id}.{self.number}"


class KeptAnswer(models.Model):
    """What was answered to a request that makes something, for whoever sends it again with the same key."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    key = models.CharField(max_length=200)
    request = models.CharField(max_length=64)  # a digest of all that it said
    status = models.PositiveSmallIntegerField(default=0)
    body = models.TextField(blank=True, default="")  # of what was too long to be kept, what it is made anew from
    thing = models.CharField(max_length=200, blank=True, default="")  # what was made, as a path names it
    datetime_created = models.DateTimeField(db_index=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "key"], name="unique_idempotency_key")]

    def __str__(self) -> str:
        return self.key


class ServerIdentity(models.Model):
    """What tells this database's servers from any others, to who meets what they left. There is one row."""

    identity = models.CharField(max_length=64)

    def __str__(self) -> str:
        return self.identity


class Worker(OwnedModel):
    """A worker, and what it said when it last spoke.

    Its owner is that of the token with which it came. One in the server's own process has none.
    """

    name = models.CharField(max_length=200, unique=True)
    identity = models.CharField(max_length=64, blank=True, default="")  # of its folder: tells two of one name apart
    host = models.CharField(max_length=255, blank=True, default="")
    version = models.CharField(max_length=50, blank=True, default="")
    queues: Any = JSONTextField(null=True)  # null: every queue
    kinds: Any = JSONTextField(default=list)
    slots = models.PositiveIntegerField()
    cpus = models.FloatField(null=True)  # that its jobs may ask for together; null: not counted
    memory = models.BigIntegerField(null=True)  # bytes, likewise
    gpus: Any = JSONTextField(default=list)
    datetime_announced = models.DateTimeField(default=timezone.now)
    datetime_heartbeat = models.DateTimeField()
    drain = models.BooleanField(default=False)  # somebody asked it to take nothing new, and to leave
    draining = models.BooleanField(default=False)  # it said that it does
    datetime_left = models.DateTimeField(null=True)  # when it said goodbye; null: it has not

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return self.name
