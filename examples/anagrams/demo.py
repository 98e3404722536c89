"""`make demo`: a real `saltant up` on a temporary folder, and the README's example against it, watched live."""

import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import saltant

ROOT = Path(__file__).parents[2]
EXAMPLE = "examples/anagrams/example.py"
SALTANT = [sys.executable, "-m", "saltant"]


def main() -> int:
    """Show it."""
    with tempfile.TemporaryDirectory(prefix="saltant-demo-") as folder:
        data_dir = Path(folder) / "data"
        say("saltant up")
        with subprocess.Popen(
            [*SALTANT, "up", "--data-dir", str(data_dir), "--port", "0"], stdout=subprocess.PIPE, text=True
        ) as up:
            try:
                if not (up.stdout and (line := up.stdout.readline())):
                    return up.wait()
                print(line, end="")
                say('eval "$(saltant env)"')
                env = environment(data_dir)
                client = saltant.Client(env["SALTANT_API_URL"], env["SALTANT_AUTH_TOKEN"])
                say(f"python {EXAMPLE}    (and the states of its task instances)")
                with subprocess.Popen(
                    [sys.executable, EXAMPLE], cwd=ROOT, env=os.environ | env, stdout=subprocess.PIPE, text=True
                ) as example:
                    show_states(client, example)
                show_files(client, data_dir)
            finally:
                up.send_signal(signal.SIGTERM)
    say(f"Stopped. Exit code of saltant up: {up.returncode}, of the example: {example.returncode}")
    return example.returncode or up.returncode


def environment(data_dir: Path) -> dict[str, str]:
    """What `saltant env` prints."""
    text = subprocess.run(
        [*SALTANT, "env", "--data-dir", str(data_dir)], check=True, capture_output=True, text=True
    ).stdout
    return dict(word.split("=", 1) for word in shlex.split(text) if word != "export")


def show_states(client: saltant.Client, example: subprocess.Popen[str]) -> None:
    """Print each state as it is seen, and what the example printed when it has ended."""
    shown: dict[str, str] = {}
    while True:
        ended = example.poll() is not None
        for job in reversed(client.executable_task_instances.list()):
            if shown.get(job.uuid) != job.state:
                shown[job.uuid] = job.state
                print(f"  {job.uuid}  {job.arguments['word']:<8} {job.state}", flush=True)
        if ended:
            break
        time.sleep(0.02)
    print(example.stdout.read() if example.stdout else "", end="")


def show_files(client: saltant.Client, data_dir: Path) -> None:
    """Print the results of every job, and the log of the last."""
    for job in reversed(client.executable_task_instances.list()):
        say(f"cat results/{job.uuid}/anagrams.txt    ({job.arguments['word']})")
        print((data_dir / "results" / job.uuid / "anagrams.txt").read_text(), end="")
    log = f"logs/{job.uuid}/{job.uuid}-stdout.txt"
    say(f"cat {log}")
    print((data_dir / log).read_text(), end="")


def say(text: str) -> None:
    """A heading."""
    print(f"\n\033[1m$ {text}\033[0m" if sys.stdout.isatty() else f"\n$ {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
