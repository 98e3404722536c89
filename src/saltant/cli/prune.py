"""`saltant prune`: logs, results and instances that are old enough to go."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from saltant.cli.database import on_database, who
from saltant.config import variable_of

if TYPE_CHECKING:
    from saltant.server.files.retention import Amount

UNITS = ("bytes", "kB", "MB", "GB", "TB")
DAYS = click.IntRange(1, 3650)


@click.command(epilog="Example: saltant prune --logs 30 --results 90, and then the same with --yes")
@click.option("--logs", type=DAYS, metavar="DAYS", help="Logs of instances that ended so long ago.")
@click.option("--results", type=DAYS, metavar="DAYS", help="Results, likewise.")
@click.option("--instances", type=DAYS, metavar="DAYS", help="Instances, with their logs and results.")
@click.option("--yes", is_flag=True, help="Remove them. Without it, nothing is changed.")
@on_database
def prune(yes: bool, **asked: int | None) -> None:
    """Say which logs, results and instances are old enough to go, and with --yes remove them.

    Without DAYS, SALTANT_KEEP_LOGS, SALTANT_KEEP_RESULTS and SALTANT_KEEP_INSTANCES say for how many days what is
    kept. Nothing goes of what has not ended. It works on the database and the store themselves: give it the settings of
    `saltant server`, or run it as who started `saltant up`.
    """
    from django.conf import settings
    from django.utils import timezone

    from saltant.files import CannotKeep
    from saltant.server.audit.models import Action, AuditEntry
    from saltant.server.files import retention

    now = timezone.now()
    acts = {
        "logs": retention.prune_logs,
        "results": retention.prune_results,
        "instances": retention.prune_instances,
    }
    kept = {what: asked[what] or getattr(settings.SALTANT, f"keep_{what}") for what in acts}
    if not any(kept.values()):
        names = ", ".join(variable_of(f"keep_{what}") for what in acts)
        click.echo(f"Everything is kept for ever: neither {names} nor an option says otherwise.")
        return
    for what, act in acts.items():
        if kept[what]:
            before = now - timedelta(days=kept[what])
            try:
                amount = act(before, really=yes)
            except CannotKeep as error:
                raise click.ClickException(str(error)) from None
            if yes and amount.instances:
                said: Any = {"ended_before": before.isoformat(), **asdict(amount)}
                AuditEntry.objects.create(actor=who(), action=Action.DELETE, object_kind=what, details=said)
            click.echo(_line(what, amount, before, really=yes))
    if not yes:
        click.echo("Nothing was changed. --yes removes it.")


def _line(what: str, amount: "Amount", before: datetime, *, really: bool) -> str:
    verb = "Removed" if really else "Would remove"
    of = "" if what == "instances" else f"{what} of "
    files = f"{_count(amount.files, 'file')}, {readable_size(amount.size)}"
    return f"{verb} {of}{_count(amount.instances, 'instance')} that ended before {before:%Y-%m-%d %H:%M} UTC: {files}."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def readable_size(size: float) -> str:
    """Bytes, in a unit that leaves few digits.

    >>> readable_size(999), readable_size(1500), readable_size(2.5e12)
    ('999 bytes', '1.5 kB', '2.5 TB')
    """
    for unit in UNITS[:-1]:
        if size < 1000:
            return f"{size:.0f} bytes" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} {UNITS[-1]}"
