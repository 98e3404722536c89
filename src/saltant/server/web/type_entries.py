"""What the form of a task type asks for, by kind of type."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from saltant.jobs import Kind, Network, PullPolicy
from saltant.reasons import RetryOn
from saltant.server.tasks.models import TaskClass, TaskType
from saltant.server.web.forms import Entry

KINDS = (
    (Kind.EXECUTABLE.value, "an executable on the workers' machines"),
    (Kind.DOCKER.value, "a command in a Docker container"),
    (Kind.SINGULARITY.value, "a command in a Singularity container"),
)
CONTAINERS = "docker singularity"


@dataclass(frozen=True)
class Section:
    """Entries that belong together.

    Attributes:
        kinds: which types have it; empty: all.
        folded: whether it is closed until somebody opens it.
    """

    title: str
    entries: Sequence[Entry]
    help: str = ""
    kinds: str = ""
    folded: bool = False


SECTIONS = (
    Section(
        "What it is called",
        (
            Entry("name", "Name", required=True, example="count-words", help="What people and programs call it."),
            Entry("description", "Description", "area", "What it does, and whom to ask. For people."),
        ),
    ),
    Section(
        "What it runs",
        (
            Entry(
                "command_to_run",
                "Command",
                required=True,
                example="/opt/lab/count-words --fast",
                help="Split into words as a shell does it; no shell runs. The arguments follow, as one word of JSON.",
            ),
            Entry(
                "container_image",
                "Image",
                required=True,
                kinds=CONTAINERS,
                example="registry.example.org/count-words:3",
                help="Docker: a name as for docker run. Singularity: the path of a .sif file, or docker://, library:// "
                "and the like. A tag or a digest keeps it the same from run to run.",
            ),
            Entry(
                "json_file_option",
                "Option for a file of arguments",
                kinds="executable",
                example="--arguments",
                help="With it the arguments come in a file, whose path follows this option. Needed where they may be "
                "longer than 120 kB.",
            ),
            Entry(
                "environment_variables",
                "Environment variables",
                "lines",
                "Names of variables of the worker that it gets, one a line. All others are kept from it.",
            ),
        ),
    ),
    Section(
        "Its container",
        (
            Entry(
                "pull_policy",
                "Pull its image",
                "choice",
                "What a worker does before a run.",
                (
                    (PullPolicy.IF_MISSING.value, "if it is missing"),
                    (PullPolicy.ALWAYS.value, "always"),
                    (PullPolicy.NEVER.value, "never"),
                ),
                required=True,
            ),
            Entry(
                "network",
                "Network",
                "choice",
                "What it reaches.",
                (
                    (Network.DEFAULT.value, "as its engine gives it"),
                    (Network.NONE.value, "nothing"),
                    (Network.HOST.value, "the host's own"),
                ),
                required=True,
            ),
            Entry(
                "results_path",
                "Results folder in it",
                example="/results",
                help="A path in the container: what it leaves there is kept as its results.",
            ),
            Entry(
                "logs_path",
                "Logs folder in it",
                example="/logs",
                help="A path in the container: the files there are kept as logs, beside what it prints.",
            ),
            Entry(
                "container_user",
                "User in it",
                kinds="docker",
                example="1000:1000",
                help="A name in its image, uid or uid:gid. Empty: the image's own. Docker only.",
            ),
            Entry(
                "shm_size",
                "Shared memory",
                "number",
                "Bytes of its /dev/shm; 67108864 is 64 MiB. Empty: the engine's choice. Docker only.",
                kinds="docker",
            ),
            Entry(
                "read_only_root",
                "Read-only",
                "check",
                "It can write nowhere but to its logs, its results and /tmp.",
            ),
        ),
        kinds=CONTAINERS,
    ),
    Section(
        "Its arguments",
        (
            Entry(
                "required_arguments",
                "Required arguments",
                "lines",
                "Names, one a line: what an instance must say. It may say more.",
            ),
            Entry(
                "required_arguments_default_values",
                "Default values",
                "json",
                "A JSON object of required arguments and what they are if an instance does not say. The form to run it "
                "asks for texts, numbers or true and false as these are.",
                example='{"language": "en", "depth": 3}',
            ),
        ),
    ),
    Section(
        "Limits",
        (
            Entry("timeout", "Timeout", "number", "Seconds that an attempt may take. Empty: no limit."),
            Entry("queue_timeout", "Waits at most", "number", "Seconds until a worker claims it. Empty: the server's."),
            Entry("max_attempts", "Attempts at most", "number", "1 to 100.", required=True),
            Entry(
                "retry_on",
                "Tried again after",
                "choice",
                "Which ends make another attempt.",
                (
                    (RetryOn.LOST.value, "lost: its worker was lost or stopped"),
                    (RetryOn.FAILED.value, "failed: that, or it failed"),
                ),
                required=True,
            ),
            Entry("retry_delay", "Delay before that", "number", "Seconds, doubled each time.", required=True),
            Entry("memory", "Memory", "number", "Bytes; 1073741824 is 1 GiB. Empty: no limit."),
            Entry("cpus", "Processors", "number", "How many it may keep busy. Empty: no limit."),
            Entry("gpus", "GPUs", "number", "How many it gets for itself. Empty: none."),
            Entry("priority", "Priority", "number", "9 runs first, 0 last.", required=True),
        ),
        "What an instance has if it says nothing else.",
        folded=True,
    ),
)


def has(kinds: str, kind: str) -> bool:
    """Whether what is of `kinds` is of a kind."""
    return not kinds or kind in kinds.split()


def entries_of(kind: str) -> list[Entry]:
    """All that the form of a kind of type asks for."""
    return [
        entry
        for section in SECTIONS
        for entry in section.entries
        if has(section.kinds, kind) and has(entry.kinds, kind)
    ]


def without(kind: str) -> dict[str, Any]:
    """What a kind of container cannot have, as a type that does not have it says so."""
    return {"container_user": "", "shm_size": None} if kind == Kind.SINGULARITY else {}


def class_of(kind: str) -> TaskClass:
    """The class of types of a kind."""
    return TaskClass.EXECUTABLE if kind == Kind.EXECUTABLE else TaskClass.CONTAINER


def title_of(name: str) -> str:
    """What the form calls a field."""
    titles: dict[str, Any] = {entry.name: entry.label for section in SECTIONS for entry in section.entries}
    return str(titles.get(name, "Engine" if name == "container_type" else name.replace("_", " ").capitalize()))


def fresh() -> TaskType:
    """A type as one that says nothing is."""
    return TaskType()
