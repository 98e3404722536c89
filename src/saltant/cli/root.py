"""The root of the command line: it imports a command's module only when that command is used."""

from importlib import import_module

import click

from saltant.cli.legacy.table import entries

EVERYDAY = "Everyday"
THINGS = "Things on the server"
MACHINE = "Signing in, and this machine"
SERVING = "Running a server"
FORMER = "As in saltant-cli"
SECTIONS = (EVERYDAY, THINGS, MACHINE, SERVING, FORMER)
"""The sections of the help, in its order."""

COMMANDS: dict[str, tuple[str, str, str]] = {
    # Section, where it is, and its short help: modules are not imported to show that.
    "run": (EVERYDAY, "saltant.cli.verbs.run:run", "Run a task type."),
    "exec": (EVERYDAY, "saltant.cli.verbs.exec:exec_", "Run a command on a queue, and print what it prints."),
    "map": (EVERYDAY, "saltant.cli.verbs.map:map_", "Run a task type once for each line of a file."),
    "ps": (EVERYDAY, "saltant.cli.verbs.ps:ps", "List task instances, the newest first."),
    "counts": (EVERYDAY, "saltant.cli.verbs.counts:counts", "Count task instances, in groups."),
    "show": (EVERYDAY, "saltant.cli.verbs.show:show", "Show all of a task instance."),
    "logs": (EVERYDAY, "saltant.cli.verbs.logs:logs", "Print what a task instance printed."),
    "results": (EVERYDAY, "saltant.cli.verbs.results:results", "List or download what a task instance left."),
    "wait": (EVERYDAY, "saltant.cli.verbs.wait:wait", "Wait until task instances have ended."),
    "kill": (EVERYDAY, "saltant.cli.verbs.kill:kill", "Have task instances ended."),
    "clone": (EVERYDAY, "saltant.cli.verbs.kill:clone", "Run task instances once more."),
    "workers": (THINGS, "saltant.cli.verbs.lists:workers", "List workers."),
    "queues": (THINGS, "saltant.cli.verbs.lists:queues", "List task queues."),
    "schedules": (THINGS, "saltant.cli.verbs.schedules:schedules", "List schedules."),
    "schedule": (THINGS, "saltant.cli.verbs.schedule:schedule", "Task types that run by the clock."),
    "types": (THINGS, "saltant.cli.verbs.lists:types", "List task types."),
    "history": (THINGS, "saltant.cli.verbs.history:history", "List the revisions of a task type."),
    "diff": (THINGS, "saltant.cli.verbs.history:diff", "Show what changed of a task type."),
    "revert": (THINGS, "saltant.cli.verbs.history:revert", "Have a task type go back to a revision."),
    "pin": (THINGS, "saltant.cli.verbs.pin:pin", "Have a whitelist allow one revision of a task type."),
    "whitelists": (THINGS, "saltant.cli.verbs.lists:whitelists", "List task whitelists."),
    "archive": (THINGS, "saltant.cli.keeping:archive", "Put a type, queue or whitelist out of use."),
    "unarchive": (THINGS, "saltant.cli.keeping:unarchive", "Take it into use again."),
    "rename": (THINGS, "saltant.cli.keeping:rename", "Rename a type, queue or whitelist."),
    "delete": (THINGS, "saltant.cli.keeping:delete", "Delete one that was never used."),
    "apply": (THINGS, "saltant.cli.apply:apply", "Make types, queues, whitelists and schedules as a file says."),
    "export": (THINGS, "saltant.cli.apply:export", "Write such a file."),
    "login": (MACHINE, "saltant.cli.login:login", "Sign in, and keep a token for this machine."),
    "logout": (MACHINE, "saltant.cli.login:logout", "Revoke the token, and forget it."),
    "config": (MACHINE, "saltant.cli.config:config", "Servers that this machine knows."),
    "completion": (MACHINE, "saltant.cli.completion:completion", "Have your shell complete commands, ids and names."),
    "up": (SERVING, "saltant.cli.up:up", "Run server and worker in one process, over one folder."),
    "server": (SERVING, "saltant.cli.server:server", "Run the server of many machines."),
    "migrate": (SERVING, "saltant.cli.server:migrate", "Make the tables of its database, or bring them up to date."),
    "worker": (SERVING, "saltant.cli.worker:worker", "Run jobs of some queues, on a machine of its own."),
    "env": (SERVING, "saltant.cli.env:env", "Print what clients need to find it."),
    "user": (SERVING, "saltant.cli.user:user", "Who may sign in."),
    "token": (SERVING, "saltant.cli.token:token", "Keys that let programs in."),
    "audit": (SERVING, "saltant.cli.audit:audit", "Print the audit log."),
    "import": (SERVING, "saltant.cli.import_:import_", "Bring what another server has over to this one."),
    "prune": (SERVING, "saltant.cli.prune:prune", "Say which logs, results and instances are old, or remove them."),
    "check": (SERVING, "saltant.cli.check:check", "Look whether each part is reachable and right."),
    "backup": (SERVING, "saltant.cli.backup:backup", "Pack database, keys, logs and results of a `saltant up`."),
    "restore": (SERVING, "saltant.cli.backup:restore", "Make a folder of what `saltant backup` packed."),
    **entries(FORMER),
}
"""Every command, in the order of its section."""


class LazyGroup(click.Group):
    """A group whose commands are named in a table like `COMMANDS`."""

    table = COMMANDS

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the help."""
        return [name for section in SECTIONS for name, (home, *_) in self.table.items() if home == section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one."""
        if cmd_name not in self.table:
            return None
        module, _, name = self.table[cmd_name][1].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The sections of the help."""
        for section in SECTIONS:
            rows = [(name, said) for name, (home, _, said) in self.table.items() if home == section]
            if rows:
                with formatter.section(section):
                    formatter.write_dl(rows)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="saltant-py")
def cli() -> None:
    """Run scripts and containers on many machines, driven from Python.

    \b
    saltant up            in one terminal: server and worker, over one folder
    eval "$(saltant env)" in another: then saltant.from_env() finds them
    """
