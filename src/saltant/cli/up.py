"""`saltant up`."""

import math
import os
from pathlib import Path

import click

from saltant.config import Settings, SettingsError
from saltant.serving import CannotStart
from saltant.up.folder import UpError


@click.command(epilog="Example: saltant up --port 0 --concurrency 4")
@click.option("--data-dir", type=click.Path(path_type=Path), help="The folder for everything it keeps.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="The port; 0 takes a free one."
)
@click.option(
    "--concurrency",
    type=click.IntRange(min=1, max=1000),
    help="How many jobs run at once. As many as there are processors by default.",
)
@click.option("--queue", "queues", multiple=True, metavar="NAME", help="Serve only this queue; may be repeated.")
@click.option("--run-as", metavar="USER", help="The user that executables run as; only root can choose one.")
@click.option(
    "--grace",
    default=10.0,
    show_default=True,
    type=click.FloatRange(0, 86400),
    help="How many seconds a stop may take. Jobs may end by themselves in the first half, then they are ended.",
)
def up(
    data_dir: Path | None,
    host: str,
    port: int,
    concurrency: int | None,
    queues: tuple[str, ...],
    run_as: str | None,
    grace: float,
) -> None:
    """Run server and worker in one process, over one folder.

    The first start makes the folder, an admin and a queue `default` with a whitelist `default`.
    SIGTERM or Ctrl-C stops it, a second one at once. What waits then runs after the next start.
    """
    if math.isnan(grace):
        raise click.BadParameter("it must be a number of seconds.", param_hint="--grace")
    try:
        settings = Settings.from_env(data_dir=data_dir, run_as=run_as)
        if settings.database_url:
            raise UpError(
                "SALTANT_DATABASE_URL is set, but `saltant up` has a database of its own: unset it, or use"
                " `saltant server`."
            )
        from saltant.up.system import System

        System(settings, host=host, port=port, slots=concurrency or usable_cpus(), queues=queues, grace=grace).run()
    except (UpError, CannotStart, SettingsError) as error:
        raise click.ClickException(str(error)) from None


def usable_cpus() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0))
