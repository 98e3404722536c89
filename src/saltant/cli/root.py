"""The root of the command line: it imports a command's module only when that command is used."""

from importlib import import_module

import click

COMMANDS = {
    "up": "saltant.cli.up:up",
    "server": "saltant.cli.server:server",
    "migrate": "saltant.cli.server:migrate",
    "worker": "saltant.cli.worker:worker",
    "env": "saltant.cli.env:env",
    "user": "saltant.cli.user:user",
    "token": "saltant.cli.token:token",
    "audit": "saltant.cli.audit:audit",
    "prune": "saltant.cli.prune:prune",
    "check": "saltant.cli.check:check",
    "backup": "saltant.cli.backup:backup",
    "restore": "saltant.cli.backup:restore",
}


class LazyGroup(click.Group):
    """A group whose commands are named in `COMMANDS`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="saltant-py")
def cli() -> None:
    """Run scripts and containers on many machines, driven from Python.

    \b
    saltant up            in one terminal: server and worker, over one folder
    eval "$(saltant env)" in another: then saltant.from_env() finds them
    """
