"""`saltant apply` and `saltant export`: types, whitelists, queues and schedules kept in a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from saltant.cli import complete
from saltant.cli.common import Context, client_command
from saltant.cli.failures import NOT_FOUND, USAGE, Failure, code_of, sentence
from saltant.cli.output import jsonable
from saltant.exceptions import SaltantError

if TYPE_CHECKING:
    from saltant.cli.described.plan import Step
    from saltant.cli.described.present import Present

COLOURS = {"+": "green", "-": "red", "@": "cyan"}


@client_command(epilog="Example: saltant apply -f saltant.yaml --dry-run")
@click.option("-f", "--file", "path", required=True, metavar="FILE", help="The description; - is stdin.")
@click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def apply(context: Context, path: str, dry_run: bool, yes: bool) -> None:
    """Make types, whitelists, queues and schedules as a file describes them.

    What differs is shown first. What the file does not name stays as it is, and so does every key that it does not
    say. Once more changes nothing.
    """
    from saltant.cli.described.plan import plan
    from saltant.cli.described.present import Present
    from saltant.cli.described.reading import read_description

    name = "stdin" if path == "-" else path
    things = read_description(_read(path), name)
    present = Present(context.client)
    steps = plan(things, present, name)
    _show(context, steps, name)
    if not things:
        context.output.hint(f"{name} describes nothing.")
    elif not steps:
        context.output.line("Nothing to do: the server is as the file says.")
    elif dry_run:
        context.output.hint(f"{_counted(steps)}; nothing was done.")
    else:
        if not yes:
            _ask(context, steps, path)
        _carry_out(context, steps, present)


@client_command(without=("quiet",), epilog="Example: saltant export --type align --output saltant.yaml")
@click.option(
    "--type",
    "names",
    multiple=True,
    metavar="NAME",
    shell_complete=complete.types,
    help="A task type to write, of either class; more than once for more. All else is left out then.",
)
@click.option("-o", "--output", "path", metavar="FILE", help="Where to write; stdout by default.")
def export(context: Context, names: tuple[str, ...], path: str | None) -> None:
    """Write types, whitelists, queues and schedules as `saltant apply` reads them.

    What is as it would be by default is left out. With --json it is the same as one object.
    """
    from saltant.cli.described.fields import CONTAINERS, EXECUTABLES, SECTIONS
    from saltant.cli.described.present import Present
    from saltant.cli.described.writing import to_yaml, unusual

    present = Present(context.client)
    sections = (EXECUTABLES, CONTAINERS) if names else tuple(SECTIONS)
    made: dict[str, dict[str, Any]] = {}
    for section in sections:
        if SECTIONS[section].since > present.version:  # it is known by now: the others come first
            continue
        for name, held in sorted(present.section(section).items()):
            if not names or name in names:
                made.setdefault(section, {})[name] = unusual(section, held.said)
    missing = [name for name in names if not any(name in things for things in made.values())]
    if missing:
        raise Failure(f"There is no task type {missing[0]!r}.", NOT_FOUND)
    if context.output.json:
        text = json.dumps(jsonable(made), indent=2) + "\n"
    else:
        text = f"# What {context.client.base_api_url} has, for `saltant apply`.\n" + (to_yaml(made) if made else "")
    if path is None:
        click.echo(text, nl=False)
        return
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror}.", USAGE) from None
    context.output.hint(f"Wrote {path}.")


def _read(path: str) -> str:
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        return data.decode()
    except OSError as error:
        raise Failure(f"{path} cannot be read: {error.strerror}.", USAGE) from None
    except UnicodeDecodeError:
        raise Failure(f"{path} is not text in UTF-8.", USAGE) from None


def _show(context: Context, steps: list[Step], file: str) -> None:
    from saltant.cli.described.writing import difference
    from saltant.cli.output import Column

    output = context.output
    if output.json or output.quiet:
        rows = (
            (
                step.thing.section,
                step.thing.name,
                step.action,
                {key: [step.old.get(key), value] for key, value in step.new.items()},
            )
            for step in steps
        )
        output.table([Column(name) for name in ("section", "name", "action", "changes")], rows, ids="name")
        return
    for step in steps:
        old = None if step.held is None else step.old
        for line in difference(step.thing.section, step.thing.name, old, step.new, file):
            output.coloured(line, COLOURS.get(line[:1]))


def _ask(context: Context, steps: list[Step], path: str) -> None:
    if path == "-" or not sys.stdin.isatty():
        raise click.UsageError("There is no terminal to ask whether to do this: use --yes, or --dry-run.")
    if not click.confirm(f"Do this ({_counted(steps)})?", err=True):
        context.output.hint("Nothing was done.")
        raise click.exceptions.Exit(1)


def _carry_out(context: Context, steps: list[Step], present: Present) -> None:
    from saltant.cli.described.plan import carry_out

    for done, step in enumerate(steps):
        try:
            removed = carry_out(step, present)
        except SaltantError as error:
            before = f" Done before it: {', '.join(each.title for each in steps[:done])}." if done else ""
            left = len(steps) - done - 1
            after = f" Not done after it: {left}." if left else ""
            raise Failure(f"{step.title} failed. {sentence(error)}{before}{after}", code_of(error)) from error
        context.output.hint(f"{'Created' if step.held is None else 'Changed'} {step.title}.")
        if removed:
            context.output.hint(
                f"As it runs something else now, it was taken off whitelists of others: {', '.join(removed)}."
                " Have their owners look at it."
            )


def _counted(steps: list[Step]) -> str:
    made = sum(step.held is None for step in steps)
    changed = len(steps) - made
    parts = [f"{made} to create"] * bool(made) + [f"{changed} to change"] * bool(changed)
    return ", ".join(parts)
