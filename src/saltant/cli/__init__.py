"""The `saltant` command."""

import sys


def main() -> None:
    """Run the command line, or say what it needs."""
    try:
        from saltant.cli.root import cli
    except ModuleNotFoundError as error:
        if error.name != "click":
            raise
        sys.exit("The saltant command needs more than the SDK: pip install 'saltant-py[all]'")
    cli(prog_name="saltant")
