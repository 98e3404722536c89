"""`make demo`: a real `saltant up` on a temporary folder, the anagram task, a few words at once."""

import os
import shlex
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import saltant

WORDS = ["binary", "listen", "stream", "saltant"]
EXAMPLE = Path(__file__).with_name("run.py")


def main() -> int:
    """Show it."""
    with tempfile.TemporaryDirectory(prefix="saltant-demo-") as folder:
        data_dir = Path(folder) / "data"
        up_command = [sys.executable, "-m", "saltant", "up", "--data-dir", str(data_dir), "--port", "0"]
        say("saltant up")
        with subprocess.Popen(up_command, stdout=subprocess.PIPE, text=True) as up:
            try:
                print(up.stdout.readline() if up.stdout else "", end="", flush=True)
                say('eval "$(saltant env)"')
                env = environment(data_dir)
                print(f"SALTANT_API_URL={env['SALTANT_API_URL']}")
                say(f"python examples/anagrams/run.py {' '.join(WORDS)}")
                code = subprocess.run([sys.executable, str(EXAMPLE), *WORDS], env=os.environ | env).returncode
                show_files(saltant.Client(env["SALTANT_API_URL"], env["SALTANT_AUTH_TOKEN"]), data_dir)
            finally:
                up.send_signal(signal.SIGTERM)
    say(f"saltant up ended with exit code {up.returncode}; the example with {code}")
    return code or up.returncode


def environment(data_dir: Path) -> dict[str, str]:
    """What `saltant env` prints."""
    command = [sys.executable, "-m", "saltant", "env", "--data-dir", str(data_dir)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return dict(word.split("=", 1) for word in shlex.split(text) if word != "export")


def show_files(client: saltant.Client, data_dir: Path) -> None:
    """Print the results of every job, and the log of the last."""
    jobs = client.executable_task_instances.list()
    for job in reversed(jobs):
        say(f"results of {job.name}")
        print((data_dir / "results" / job.uuid / "anagrams.txt").read_text(), end="")
    for job in jobs[-1:]:
        say(f"log of {job.name}")
        print((data_dir / "logs" / job.uuid / f"{job.uuid}-stdout.txt").read_text(), end="")


def say(text: str) -> None:
    """A heading."""
    print(f"\n\033[1m$ {text}\033[0m" if sys.stdout.isatty() else f"\n$ {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
