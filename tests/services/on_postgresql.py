"""Runs pytest with saltant's server on a temporary PostgreSQL: python -m tests.services.on_postgresql ARGUMENT...

Django's settings are read before any fixture can start a service, so this starts it around the whole run.
"""

import os
import sys

import pytest

from tests.services import Missing, PostgreSQL


def main(arguments: list[str]) -> int:
    """Run pytest; returns its exit code, or 0 with a loud line where PostgreSQL is not to be had."""
    try:
        postgresql = PostgreSQL()
    except Missing as missing:
        print(f"NOT TESTED on PostgreSQL: {' '.join(arguments)}: {missing}.", file=sys.stderr)
        return 0
    with postgresql:
        os.environ["SALTANT_DATABASE_URL"] = postgresql.new_database()
        return int(pytest.main(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
