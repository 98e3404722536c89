"""`saltant-cli`: the old tree, under its own name."""

from pathlib import Path

import click

from saltant.cli.legacy.table import entries
from saltant.cli.root import FORMER, LazyGroup


class FormerGroup(LazyGroup):
    """The old tree alone."""

    table = {
        **entries(FORMER),
        "completion": (FORMER, "saltant.cli.legacy.completion:completion", "Have your shell complete commands."),
    }


@click.group(
    cls=FormerGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="`saltant` has all of this, and more: see `saltant --help`.",
)
@click.option(
    "-c",
    "--config-path",
    type=click.Path(path_type=Path),
    help="The YAML file that names the server. By default saltant-cli/config.yaml in $XDG_CONFIG_HOME or ~/.config, "
    "unless SALTANT_API_URL and SALTANT_AUTH_TOKEN are set.",
)
@click.option("--setup", is_flag=True, help="Ask for URL and token, and write that file.")
@click.version_option(package_name="saltant-py")
@click.pass_context
def cli(ctx: click.Context, config_path: Path | None, setup: bool) -> None:
    """Look at, or change, what is on a saltant server."""
    if setup:
        from saltant.cli.failures import told
        from saltant.cli.legacy import settings

        with told():
            settings.setup(config_path or settings.default_path())
        ctx.exit()
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
        ctx.exit()
    if config_path is not None:
        from saltant.cli.legacy.settings import ConfigPath

        ctx.obj = ConfigPath(config_path)
