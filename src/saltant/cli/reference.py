"""The reference of the command line, made from its commands: `python -m saltant.cli.reference` writes both files.

Nothing of it depends on the terminal, the environment or the day, so that a test can tell when the files are stale.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from inspect import cleandoc
from pathlib import Path

import click

from saltant.cli import failures
from saltant.cli.root import COMMANDS, FORMER, cli

REMAKE = "python -m saltant.cli.reference"
PROGRAM = "saltant"
EXAMPLE = "Example: "
ENVIRONMENT = (
    ("SALTANT_API_URL", "The URL of the server's API. It and the next go before profiles, but for --profile."),
    ("SALTANT_AUTH_TOKEN", "Your token for it."),
    ("SALTANT_PROFILE", "The profile to use."),
    ("SALTANT_CONFIG", "The configuration file, if it is not where it usually is."),
    ("SALTANT_QUEUE", "The queue to use unless told otherwise."),
    ("NO_COLOR", "Whatever it is set to: no colour."),
)
FILES = (("$XDG_CONFIG_HOME/saltant/config.toml", "Profiles; below ~/.config if XDG_CONFIG_HOME is not set."),)


@dataclass(frozen=True)
class Entry:
    """A command, or a group of them.

    Attributes:
        words: how it is called, such as `saltant config show`.
        section: of the help.
        usage: what follows the words.
        help: its paragraphs; those of lines that stay as they are begin with "\\b".
        options: each with its help.
        examples: command lines.
    """

    words: str
    section: str
    is_group: bool
    usage: str
    help: list[str]
    options: list[tuple[str, str]]
    examples: list[str]


def entries() -> Iterator[Entry]:
    """Every command that is not hidden, in the order of the help."""
    with click.Context(cli, info_name=PROGRAM) as context:
        for name in cli.list_commands(context):
            command = cli.get_command(context, name)
            if command is not None:
                yield from _entries(command, name, context, COMMANDS[name][0])


def _entries(command: click.Command, name: str, parent: click.Context, section: str) -> Iterator[Entry]:
    if command.hidden:
        return
    with click.Context(command, info_name=name, parent=parent, **command.context_settings) as context:
        records = [
            record
            for each in command.params
            if (record := each.get_help_record(context)) is not None
            and (record[1] or not isinstance(each, click.Argument))  # the help above says what an argument is
        ]
        yield Entry(
            words=context.command_path.partition(" [")[0],
            section=section,
            is_group=isinstance(command, click.Group),
            usage=" ".join(command.collect_usage_pieces(context)),
            help=[each.strip("\n") for each in re.split(r"\n\s*\n", cleandoc(command.help or "").strip()) if each],
            options=[(names, " ".join(said.split())) for names, said in records],
            examples=_examples(command.epilog or ""),
        )
        if isinstance(command, click.Group):
            for each in command.list_commands(context):
                child = command.get_command(context, each)
                if child is not None:
                    yield from _entries(child, each, context, section)


def _examples(epilog: str) -> list[str]:
    lines = [line.strip() for line in cleandoc(epilog).replace("\b", "").splitlines()]
    return [line.removeprefix(EXAMPLE) for line in lines if line.startswith((EXAMPLE, f"{PROGRAM} "))]


def lacks() -> list[str]:
    """What no command may lack: help, an example, and help for each of its options. Old names need no example."""
    found = []
    for entry in entries():
        if not entry.help:
            found.append(f"{entry.words} has no help")
        if not entry.is_group and not entry.examples and entry.section != FORMER:
            found.append(f"{entry.words} has no example: epilog='{EXAMPLE}{entry.words} …'")
        found += [f"{entry.words} {names} has no help" for names, said in entry.options if not said]
    return found


def exit_codes() -> list[tuple[str, str]]:
    """Each exit code, and what it means."""
    lines = (failures.__doc__ or "").splitlines()
    rows = [line.split(maxsplit=1) for line in lines if line[:1].isdigit()]
    return [(code, said) for code, said in rows]


def markdown() -> str:
    """The reference for people who read it in a browser."""
    parts = [
        "# All commands",
        f"This is made from the code by `{REMAKE}`; change it there. `saltant COMMAND --help` says the same.",
        _table(("exit code", "meaning"), exit_codes()),
        _table(("environment", "meaning"), [(f"`{name}`", said) for name, said in ENVIRONMENT]),
    ]
    section = ""
    for entry in entries():
        if entry.section != section:
            section = entry.section
            parts.append(f"## {section}")
        parts.append(f"### {entry.words}")
        parts += [_block(each) or each.replace("\n", " ") for each in entry.help]
        if not entry.is_group:
            parts.append(f"    {entry.words} {entry.usage}".rstrip())
        if entry.options and not entry.is_group:
            parts.append(_table(("option", "meaning"), [(f"`{names}`", said) for names, said in entry.options]))
        if entry.examples:
            parts.append("For example:")
            parts.append("\n".join(f"    {each}" for each in entry.examples))
    return "\n\n".join(parts) + "\n"


def _block(paragraph: str) -> str:
    """A paragraph whose lines stay as they are, as code; "" if it is none."""
    first, _, rest = paragraph.partition("\n")
    return "\n".join(f"    {line}" for line in rest.splitlines()) if first.strip() == "\b" else ""


def _table(head: tuple[str, str], rows: list[tuple[str, str]]) -> str:
    lines = [f"| {head[0]} | {head[1]} |", "|---|---|"]
    return "\n".join([*lines, *(f"| {_cell(one)} | {_cell(two)} |" for one, two in rows)])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;") if not text.startswith("`") else text.replace("|", "\\|")


def man() -> str:
    """The man page."""
    lines = [
        f'.\\" Made from the code by {REMAKE}',
        '.TH SALTANT 1 "" "saltant" "User Commands"',
        ".SH NAME",
        "saltant \\- run scripts and containers on many machines",
        ".SH SYNOPSIS",
        ".B saltant",
        "COMMAND [OPTIONS] [ARGUMENTS]",
        ".SH DESCRIPTION",
        *(_roff_paragraph(each) for each in re.split(r"\n\s*\n", cleandoc(cli.help or ""))),
    ]
    section = ""
    for entry in entries():
        if entry.section != section:
            section = entry.section
            lines.append(f".SH {_roff(section.upper())}")
        usage = "" if entry.is_group else f" {entry.usage}"
        lines.append(f".SS {_roff(entry.words + usage)}")
        lines += [_roff_paragraph(each) for each in entry.help]
        if not entry.is_group:
            lines += [f".TP\n.B {_roff(names)}\n{_roff(said)}" for names, said in entry.options]
        if entry.examples:
            lines.append(".P\nFor example:")
            lines.append("\n".join([".RS", ".nf", *map(_roff, entry.examples), ".fi", ".RE"]))
    for title, rows in (("EXIT STATUS", exit_codes()), ("ENVIRONMENT", ENVIRONMENT), ("FILES", FILES)):
        lines.append(f".SH {title}")
        lines += [f".TP\n.B {_roff(one)}\n{_roff(two)}" for one, two in rows]
    return "\n".join(lines) + "\n"


def _roff_paragraph(text: str) -> str:
    first, _, rest = text.partition("\n")
    if first.strip() == "\b":
        return "\n".join([".P", ".nf", *map(_roff, rest.splitlines()), ".fi"])
    return f".P\n{_roff(text.replace(chr(10), ' '))}"


def _roff(text: str) -> str:
    """Text that means nothing to roff.

    >>> _roff(".a -b"), _roff("c" + chr(92))
    ('\\\\&.a \\\\-b', 'c\\\\e')
    """
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\(ga")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


PAGES = {"cli-reference.md": markdown, "saltant.1": man}


def main() -> None:
    """Write both into docs/."""
    docs = Path(__file__).parents[3] / "docs"
    for name, make in PAGES.items():
        (docs / name).write_text(make(), encoding="utf-8")
        click.echo(f"Wrote {docs / name}.", err=True)


if __name__ == "__main__":
    main()
