"""`make demo-containers`: the example's images, made without a registry, run by a real `saltant up`.

It uses the machine's Docker engine and Apptainer. Where there is none, it starts or unpacks those of the tests.
"""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import demo

import saltant
from saltant.worker.runners.docker_engine import Engine

CONTAINERS = demo.ROOT / "examples/anagrams/containers"
IMAGE = "saltant-anagrams:demo"

sys.path.insert(0, str(demo.ROOT))


def main() -> int:
    """Show it."""
    with ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="saltant-demo-")))
        folder.chmod(0o755)
        environ = {**os.environ, **held.enter_context(docker()), **singularity()}
        wanted = [("docker", IMAGE)] * ("DOCKER_HOST" in environ)
        wanted += [("singularity", str(folder / "anagrams.sif"))] * ("APPTAINER" in environ)
        for kind, image in wanted:
            demo.say(f"examples/anagrams/containers/make-images {kind} {image}")
            subprocess.run([CONTAINERS / "make-images", kind, image], env=environ, check=True)
        if ("docker", IMAGE) in wanted:
            held.callback(subprocess.run, ["docker", "rmi", "--force", IMAGE], env=environ, stdout=subprocess.DEVNULL)
        return run(folder / "data", wanted, environ) if wanted else 1


@contextmanager
def docker() -> Iterator[dict[str, str]]:
    """What to add to the environment so that a Docker engine is found; nothing where there cannot be one."""
    engine = Engine()
    if not engine.why_not():
        yield {"DOCKER_HOST": engine.host}
        return
    from tests.services import Missing
    from tests.services.docker import Docker

    try:
        own = Docker().start()
    except Missing as missing:
        print(f"NOT SHOWN: Docker containers: {missing}.")
        yield {}
        return
    try:
        yield {"DOCKER_HOST": own.url}
    finally:
        own.stop()


def singularity() -> dict[str, str]:
    """Likewise for Apptainer."""
    from tests.services import Missing
    from tests.services.apptainer import Apptainer

    try:
        found = Apptainer()
    except Missing as missing:
        print(f"NOT SHOWN: Singularity containers: {missing}.")
        return {}
    return {"PATH": found.path, "APPTAINER": found.program}


def run(data_dir: Path, wanted: list[tuple[str, str]], environ: dict[str, str]) -> int:
    """Run the example with each image against a `saltant up`."""
    demo.say("saltant up")
    command = [*demo.SALTANT, "up", "--data-dir", str(data_dir), "--port", "0"]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as up:
        try:
            if not (up.stdout and (line := up.stdout.readline())):
                return up.wait()
            print(line, end="")
            env = demo.environment(data_dir)
            client = saltant.Client(env["SALTANT_API_URL"], env["SALTANT_AUTH_TOKEN"])
            for words in wanted:
                demo.say(f"python examples/anagrams/containers/example.py {' '.join(words)}")
                script = CONTAINERS / "example.py"
                subprocess.run([sys.executable, script, *words], env=environ | env, check=True)
                jobs = client.container_task_instances.list({"task_type__in": [_type(client, words[0])]})
                for job in reversed(jobs):
                    print(f"\n{job.uuid}: {job.reason}, exit code {job.exit_code}, image {job.image_digest}")
                    print(job.logs(), end="")
                    print((data_dir / "results" / job.uuid / "anagrams.txt").read_text(), end="")
                if any(job.state != "successful" for job in jobs):
                    return 1
        finally:
            up.send_signal(signal.SIGTERM)
    demo.say(f"Stopped. Exit code of saltant up: {up.returncode}")
    return up.returncode


def _type(client: saltant.Client, kind: str) -> int:
    return client.container_task_types.get(name=f"anagrams-{kind}").id


if __name__ == "__main__":
    sys.exit(main())
