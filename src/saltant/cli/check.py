"""`saltant check`."""

import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import click

from saltant.cli.database import open_database
from saltant.config import Settings, SettingsError


@click.command(epilog="Example: saltant check --json")
@click.option("--data-dir", type=click.Path(path_type=Path), help="The folder of the `saltant up` that is meant.")
@click.option("--json", "as_json", is_flag=True, help="A JSON list of objects: part, ok, says, advice.")
def check(data_dir: Path | None, as_json: bool) -> None:
    """Look whether each part is reachable and right, with or without a running `saltant up`.

    Exit code 1 if something is wrong; then the table says what to do.
    """
    from saltant.up.checks import Check, run_checks

    found: list[Check] = []
    try:
        settings = Settings.from_env(data_dir=data_dir)
        found.append(Check("settings", True, "all can be used"))
    except SettingsError as error:
        found.append(Check("settings", False, str(error), "Correct that variable."))
    else:
        with suppress(click.ClickException):  # the checks say it
            open_database(settings.data_dir)
        found += run_checks(settings)
    if as_json:
        click.echo(json.dumps([asdict(each) for each in found], indent=2))
    else:
        width = max(len(each.part) for each in found)
        for each in found:
            click.echo(f"{each.part:{width}}  {'ok  ' if each.ok else 'FAIL'}  {each.says}")
            if each.advice:
                click.echo(f"{'':{width}}        {each.advice}")
    if not all(each.ok for each in found):
        raise click.exceptions.Exit(1)
