"""`python -m tests.chaos`: see `make chaos`."""

import argparse
import random
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.chaos.run import run_chaos
from tests.chaos.sleepers import make_broker, run_sleepers
from tests.services import PostgreSQL, RabbitMQ


def main() -> int:
    """Run it; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=run_chaos.__doc__)
    parser.add_argument("--instances", type=int, default=500, help="how many are submitted")
    parser.add_argument("--seconds", type=float, default=150.0, help="for how long they are submitted")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6), help="of what is random")
    parser.add_argument("--keep", action="store_true", help="keep the folder with what was printed and written")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="saltant-chaos-"))
    failed = False
    with PostgreSQL() as postgresql:

        def chaos() -> None:
            with RabbitMQ() as rabbitmq:
                run_chaos(
                    folder / "chaos",
                    postgresql,
                    rabbitmq,
                    count=options.instances,
                    seconds=options.seconds,
                    seed=options.seed,
                    say=say,
                )

        def sleepers() -> None:
            with make_broker() as rabbitmq:
                run_sleepers(folder / "sleepers", postgresql, rabbitmq, say=say)

        for part in (chaos, sleepers):
            failed |= not succeeds(part)
    if failed:
        say(f"FAILED, with seed {options.seed}.")
    if failed or options.keep:
        say(f"What was printed and written is in {folder}.")
    else:
        shutil.rmtree(folder)
    return int(failed)


def succeeds(part: Callable[[], None]) -> bool:
    """Whether a part of it finds nothing wrong; says what it finds."""
    try:
        part()
    except Exception as error:
        say(f"FAILED: {type(error).__name__}: {error}")
        return False
    return True


def say(text: str) -> None:
    """Print it at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
