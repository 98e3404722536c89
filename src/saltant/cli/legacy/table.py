"""The groups of the old tree, for tables of commands."""

GROUPS = {
    "container-task-instances": "Container task instances.",
    "container-task-types": "Container task types.",
    "executable-task-instances": "Executable task instances.",
    "executable-task-types": "Executable task types.",
    "task-queues": "Task queues.",
    "task-whitelists": "Task whitelists.",
    "users": "Users, by name and address.",
}
"""Their names, and what the help says of each."""


def entries(section: str) -> dict[str, tuple[str, str, str]]:
    """Entries of a table of commands."""
    where = "saltant.cli.legacy.commands:"
    return {name: (section, where + name.replace("-", "_"), says) for name, says in GROUPS.items()}
