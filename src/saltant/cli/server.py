"""`saltant server` and `saltant migrate`."""

import math
import os
import sys

import click

from saltant.config import Settings, SettingsError, variable_of
from saltant.serving import CannotStart


@click.command(epilog="Example: saltant server --host 0.0.0.0 --processes 4")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="The port; 0 takes a free one."
)
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    help="How many processes serve. As many as there are processors by default, 4 at most.",
)
@click.option(
    "--grace",
    default=10.0,
    show_default=True,
    type=click.FloatRange(0, 3600),
    help="How many seconds a stop may take.",
)
def server(host: str, port: int, processes: int | None, grace: float) -> None:
    """Run the server of many machines: on PostgreSQL, with a broker that carries tickets to workers.

    SALTANT_DATABASE_URL, SALTANT_BROKER_URL and SALTANT_SECRET_KEY must be set; `saltant migrate` makes the tables.
    SIGTERM or Ctrl-C stops it; workers go on, and report when it is back.
    """
    from saltant import logs
    from saltant.serving.database import wait_for_database
    from saltant.serving.http import base_url, is_loopback, listen
    from saltant.serving.needs import check_needs
    from saltant.serving.supervisor import Supervisor, default_count

    if math.isnan(grace):
        raise click.BadParameter("it must be a number of seconds.", param_hint="--grace")
    try:
        settings = Settings.from_env()
        check_needs(settings)
        logs.configure(settings)
        if not settings.allowed_hosts and not is_loopback(host):
            os.environ[variable_of("allowed_hosts")] = "*"
        _look_for_broker(settings)
        wait_for_database(settings)
        with listen(host, port) as sock:
            url = f"{base_url(sock)}/api/"

            def ready() -> None:
                print(f"saltant server is ready at {url}", flush=True)

            Supervisor(sock, processes or default_count(), on_ready=ready, grace=grace).run()
    except (CannotStart, SettingsError) as error:
        raise click.ClickException(str(error)) from None
    except KeyboardInterrupt:
        sys.exit(130)


@click.command(epilog="Example: saltant migrate")
def migrate() -> None:
    """Make the tables of the database that SALTANT_DATABASE_URL names, or bring them up to date.

    Run it once before each new version of the server is started. `saltant up` does that by itself for its folder.
    """
    from saltant import logs
    from saltant.serving.database import wait_for_database
    from saltant.serving.migrations import migrate_database

    try:
        settings = Settings.from_env()
        if not settings.database_url:
            raise SettingsError("Set SALTANT_DATABASE_URL to the database. `saltant up` migrates its own folder.")
        logs.configure(settings)
        wait_for_database(settings)
        applied, has_admin = migrate_database()
    except (CannotStart, SettingsError) as error:
        raise click.ClickException(str(error)) from None
    except KeyboardInterrupt:
        sys.exit(130)
    for name in applied:
        click.echo(name)
    click.echo(f"{len(applied)} migrations applied." if applied else "The database is up to date.", err=True)
    if not has_admin:
        click.echo("There is no admin yet: saltant user create NAME --admin --no-password", err=True)


def _look_for_broker(settings: Settings) -> None:
    """Say so if the broker is away. The server starts all the same: what is submitted waits for it."""
    import logging

    from saltant.engine import EngineUnavailable
    from saltant.engine.brokers import check_broker

    try:
        check_broker(settings.broker_url, settings.broker_ca)
    except EngineUnavailable as error:
        logging.getLogger("saltant.server").error("%s Tickets are sent when it is back.", error)
