"""Finds anagrams of words with saltant: registers the task the first time, then runs it for every word at once.

Usage: python examples/anagrams/run.py WORD [WORD ...]
It needs a running saltant: see the README.
"""

import sys
import time
from pathlib import Path

import saltant
from saltant.exceptions import NotFound
from saltant.models.executable_task_instance import ExecutableTaskInstance
from saltant.models.executable_task_type import ExecutableTaskType

PROGRAM = Path(__file__).with_name("anagrams.py").resolve()


def anagram_type(client: saltant.Client) -> ExecutableTaskType:
    """The task type, on the whitelist of the queue `default`."""
    try:
        return client.executable_task_types.get(name="anagrams")
    except NotFound:
        task_type = client.executable_task_types.create(
            name="anagrams",
            command_to_run=str(PROGRAM),
            description="Finds the one-word English anagrams of a word.",
            required_arguments=["word"],
        )
    whitelist = client.task_whitelists.get(name="default")
    whitelist.whitelisted_executable_task_types.append(task_type.id)
    whitelist.patch()
    return task_type


def show_until_finished(client: saltant.Client, jobs: list[ExecutableTaskInstance]) -> None:
    """Print each state as it changes."""
    shown: dict[str, str] = {}
    while not all(job.is_finished for job in jobs):
        for job in jobs:
            job.sync()
            if shown.get(job.uuid) != job.state:
                shown[job.uuid] = job.state
                print(f"  {job.name:<10} {job.state}", flush=True)
        time.sleep(0.05)


def main() -> int:
    """Run it."""
    words = sys.argv[1:]
    if not words:
        print(__doc__, file=sys.stderr)
        return 2
    client = saltant.from_env()
    task_type, queue = anagram_type(client), client.task_queues.get(name="default")
    jobs = [
        client.executable_task_instances.create(task_type.id, queue.id, arguments={"word": word}, name=word)
        for word in words
    ]
    show_until_finished(client, jobs)
    return 0 if all(job.state == "successful" for job in jobs) else 1


if __name__ == "__main__":
    sys.exit(main())
