"""`saltant import`: moves what another saltant server has over to this one."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, TextIO

import click

from saltant.cli.database import on_database, who
from saltant.cli.failures import REFUSED, USAGE, Failure, code_of
from saltant.cli.output import Output
from saltant.cli.rows import clean, echo_row

if TYPE_CHECKING:
    from saltant.importing.plan import Item, Plan
    from saltant.importing.source import Source

TOKEN = "SALTANT_IMPORT_TOKEN"  # noqa: S105 - the name of a variable
MOST_TOLD = 50
"""How many conflicts are listed."""


@click.command(
    name="import", epilog="Example: SALTANT_IMPORT_TOKEN=... saltant import https://old.example.org/api/ --dry-run"
)
@click.argument("url")
@click.option(
    "--token-file",
    type=click.File(encoding="utf-8"),
    metavar="FILE",
    help=f"Read that server's token from the first line of FILE (- : stdin), instead of {TOKEN}.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option(
    "--on-conflict",
    type=click.Choice(["stop", "skip", "rename"]),
    default="stop",
    show_default=True,
    help="Where a name is here with other content: write nothing, use what is here, or bring it under another name.",
)
@click.option(
    "--unfinished",
    type=click.Choice(["skip", "terminated"]),
    default="skip",
    show_default=True,
    help="Leave out what has not ended there, or bring it as terminated.",
)
@click.option("--json", "as_json", is_flag=True, help="The summary as a JSON object.")
@on_database
def import_(
    url: str, token_file: TextIO | None, dry_run: bool, on_conflict: str, unfinished: str, as_json: bool
) -> None:
    """Bring users, types, whitelists, queues and instances over from the saltant server at URL.

    It asks that server through its API, with a token of any user there, and works on the database here: give it the
    settings of `saltant server`, or run it as who started `saltant up`. Run it again whenever it was ended: it goes on,
    and makes nothing twice.
    """
    from saltant.client import parse_token
    from saltant.exceptions import SaltantError
    from saltant.importing.source import Source

    try:
        source = Source(url, parse_token(_read_token(token_file)))
    except ValueError as error:
        raise Failure(clean(str(error)), code_of(error)) from None
    try:
        source.greet()
    except SaltantError as error:
        source.close()
        raise Failure(clean(str(error)), code_of(error)) from None
    try:
        summary = _run(source, dry_run, on_conflict, unfinished)
    except SaltantError as error:
        said = f"{clean(str(error)).rstrip('.')}. What was brought stays: start it again."
        raise Failure(said, code_of(error)) from None
    except OSError as error:
        raise click.ClickException(f"Its position cannot be kept in the data folder: {error.strerror}.") from None
    finally:
        source.close()
    if as_json:
        click.echo(json.dumps(summary, indent=2))
        return
    rows = [("", "found", "brought", "here", "left out"), *((name, *each.values()) for name, each in summary.items())]
    if Output().is_drawn:
        widths = [max(len(str(row[place])) for row in rows) for place in range(5)]
        for row in rows:
            click.echo("  ".join(f"{each:>{widths[place]}}" for place, each in enumerate(row)).rstrip())
    else:
        for row in rows[1:]:
            echo_row(*row)


def _run(source: Source, dry_run: bool, on_conflict: str, unfinished: str) -> dict[str, dict[str, int]]:
    from django.conf import settings

    from saltant.importing.definitions import make
    from saltant.importing.instances import LISTS, Importer, Unfinished
    from saltant.importing.plan import OnConflict, Plan
    from saltant.importing.position import Busy, position_of

    by = who()

    def planned() -> Plan:
        plan = Plan(source, OnConflict(on_conflict))
        if plan.conflicts and on_conflict == OnConflict.STOP and not dry_run:
            _tell_conflicts(plan.conflicts)
            raise Failure(
                "Nothing was written for these conflicts. Choose with --on-conflict skip or rename, or mend them.",
                REFUSED,
            )
        return plan

    def replanned() -> Plan:
        plan = planned()
        make(plan, source.url, by)
        return plan

    try:
        with position_of(settings.SALTANT.data_dir, source.url) as position:
            plan = planned()
            summary = _summary_of(plan)
            if plan.conflicts:
                _tell_conflicts(plan.conflicts)
            if dry_run:
                for task_class, (path, _) in LISTS.items():
                    found = source.page(path, 1).count
                    summary[f"{task_class.value} task instances"] = _numbers(found, 0, 0, 0)
                click.echo("Nothing was changed: these are the counts of there and here.", err=True)
                return summary
            make(plan, source.url, by)
            if summary["users"]["brought"]:
                click.echo(
                    "Users come without passwords and tokens: set the one with `saltant user password NAME`, make the"
                    " other with `saltant token create NAME`.",
                    err=True,
                )
            for task_class in LISTS:
                words = f"{task_class.value} task instances"
                with Output().progress(words[0].upper() + words[1:]) as progress:

                    def tell(done: int, count: int, words: str = words, progress: Any = progress) -> None:
                        progress.update(done, total=count)
                        if not progress.is_drawn:
                            click.echo(f"{words}: {done} of {count}", err=True)

                    importer = Importer(
                        source, position, task_class, plan, Unfinished(unfinished), replan=replanned, tell=tell
                    )
                    counted = importer.run()
                summary[words] = _numbers(counted.found, counted.brought, counted.here, counted.left_out)
            return summary
    except Busy as busy:
        raise click.ClickException(str(busy)) from None


def _read_token(file: TextIO | None) -> str:
    if file is None:
        token = os.environ.get(TOKEN, "")
        if not token.strip():
            raise click.UsageError(f"Set {TOKEN} to a token of the other server's, or give --token-file FILE.")
        return token
    try:
        return file.readline()
    except UnicodeDecodeError:
        raise Failure("The token file is not text in UTF-8.", USAGE) from None


def _summary_of(plan: Plan) -> dict[str, dict[str, int]]:
    from saltant.importing.plan import KINDS, Verdict

    found = {}
    for kind in KINDS:
        of_kind = [item.verdict for item in plan.items if item.kind is kind]
        counts = [of_kind.count(verdict) for verdict in (Verdict.NEW, Verdict.HERE, Verdict.LEFT_OUT)]
        found[kind.words] = _numbers(len(of_kind), *counts)
    return found


def _numbers(found: int, brought: int, here: int, left_out: int) -> dict[str, int]:
    return {"found": found, "brought": brought, "here": here, "left_out": left_out}


def _tell_conflicts(conflicts: list[Item]) -> None:
    for item in conflicts[:MOST_TOLD]:
        where = "" if item.name == item.there else f" It becomes {item.name!r}."
        click.echo(clean(f"{item.kind.words}: {item.there!r}: {item.why.rstrip('.')}.{where}"), err=True)
    if len(conflicts) > MOST_TOLD:
        click.echo(f"… and {len(conflicts) - MOST_TOLD} more.", err=True)
