"""What there is to be looked at: people, and instances of every kind, made for real."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from saltant import Client
from tests.acceptance.system import SALTANT, Site, wait_until

PASSWORD = "correct horse battery staple"
ROLES = ("nobody", "owner", "stranger", "admin")
"""Who looks at pages. `owner` made the instances; the queue is the admin's."""
JOB = r"""
import base64, os, pathlib, time
print("\033[1;32mready\033[0m to count")
for number in range(40):
    print(f"line {number}")
there = pathlib.Path(os.environ["JOB_RESULTS_DIRECTORY"])
(there / "table.csv").write_text("word,count\nbinary,1\n\"a, b\",2\n")
(there / "notes.txt").write_text("Two words.\n")
(there / "model.bin").write_bytes(bytes(range(256)))
(there / "plot.png").write_bytes(base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAIAAAACUFjqAAAAEklEQVR4nGP4z8CAB+GTG8HSALfKY52fTcuYAAAAAElFTkSuQmCC"
))
"""


def saltant(site: Site, *words: str, stdin: str = "") -> str:
    """What a command that works on the site's folder prints."""
    command = [*SALTANT, *words, "--data-dir", str(site.data_dir)]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip()


def session_of(site: Site, name: str, password: str = PASSWORD) -> requests.Session:
    """A session that is signed in."""
    session = requests.Session()
    page = session.get(f"{root_of(site)}/login", timeout=30).text
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert token is not None
    said = {"username": name, "password": password, "csrfmiddlewaretoken": token[1]}
    answer = session.post(f"{root_of(site)}/login", said, timeout=30)
    assert "sessionid" in session.cookies, answer.text
    return session


def root_of(site: Site) -> str:
    """Where the pages are."""
    return site.url.removesuffix("/api/")


@dataclass
class World:
    """A site with something on it.

    Attributes:
        sessions: of who is signed in, by role.
        names: what paths of `all_pages` name.
    """

    site: Site
    owner: Client
    sessions: dict[str, requests.Session]
    names: dict[str, Any]

    @property
    def root(self) -> str:
        """Where the pages are."""
        return root_of(self.site)


def make_world(site: Site, folder: Path) -> World:
    """Fill a site that is empty, and whose admin has `PASSWORD`."""
    for name in ("owner", "stranger"):
        saltant(site, "user", "create", name, "--password-file", "-", stdin=PASSWORD)
    owner = Client(site.url, saltant(site, "token", "create", "owner"))
    script = folder / "job.py"
    script.write_text(JOB)
    count = site.executable(
        f"/usr/bin/python3 {script}",
        name="count-words",
        description="Counts the words of a text.",
        required_arguments=["text", "language"],
        required_arguments_default_values={"language": "en"},
    )
    fails = site.executable("/bin/false", name="always-fails")
    sleeps = site.executable("/bin/sh -c 'echo begun; exec sleep 600'", name="sleeps")
    queue = site.client.task_queues.get(name="default")
    whitelist = site.client.task_whitelists.get(name="default")
    paused = site.client.task_queues.create("paused", whitelists=[whitelist.id])
    site.client.task_queues.patch(paused.id, paused=True)
    private = site.client.task_queues.create("private", private=True, whitelists=[whitelist.id])
    create = owner.executable_task_instances.create
    said: dict[str, Any] = {"text": "a <b>bold</b> one", "language": "en"}
    done = create(count.id, queue.id, said, name="first count", labels={"project": "x", "seed": "7"})
    failed = create(fails.id, queue.id, name="a failure", labels={"project": "x"})
    running = create(sleeps.id, queue.id, name="a long one")
    waiting = create(count.id, paused.id, {"text": "later"}, name="for later")
    hidden = site.client.executable_task_instances.create(count.id, private.id, {"text": "secret"})
    for each in (done, failed):
        each.wait_until_finished(0.02, timeout=60)
    site.client.executable_task_instances.get(hidden.uuid).wait_until_finished(0.02, timeout=60)
    log = f"{site.url}executabletaskinstances/{running.uuid}/logs/stdout"
    headers = {"Authorization": f"Token {site.token}"}
    wait_until(lambda: "begun" in requests.get(log, headers=headers, timeout=30).text, "the log of what runs")
    more = make_types(site, owner)
    sessions = {"nobody": requests.Session()}
    sessions |= {name: session_of(site, name) for name in ("owner", "stranger", "admin")}
    more |= make_people(site, sessions["owner"], sessions["admin"])
    names = {
        "done": done.uuid,
        "failed": failed.uuid,
        "running": running.uuid,
        "waiting": waiting.uuid,
        "hidden": hidden.uuid,
        "type": count.id,
        "queue": queue.id,
        "whitelist": whitelist.id,
        "password": PASSWORD,
        **more,
        "paused": paused.id,
        **make_places(site, owner, more["genetics"]),
    }
    return World(site, owner, sessions, names)


def make_types(site: Site, owner: Client) -> dict[str, int]:
    """Types and whitelists of several kinds, one of them with a history; their names in `World.names`."""
    make = owner.executable_task_types.create
    aligns = make(
        "align-reads",
        "/opt/lab/align --quiet",
        description="Aligns reads with a genome.\nAsk the genetics group.",
        required_arguments=["reads", "genome", "depth", "strict", "options"],
        required_arguments_default_values={"genome": "hg38", "depth": 30, "strict": True, "options": {"seed": 7}},
        environment_variables=["LANG"],
        timeout=3600,
        memory=2**30,
    )
    boxed = owner.container_task_types.create(
        "align-in-a-box", "align --quiet", "registry.example.org/align:3.2", "docker", results_path="/results"
    )
    site.client.task_whitelists.get(name="default").add(
        executable_task_types=[aligns.id], container_task_types=[boxed.id]
    )
    mine = owner.task_whitelists.create(
        "genetics",
        "What the genetics group looked at.",
        whitelisted_executable_task_types=[aligns.id],
        whitelisted_container_task_types=[boxed.id],
    )
    aligns.description = "Aligns reads with a genome.\nAsk Ada."
    aligns.timeout = 7200
    aligns.put()
    mine.pin({aligns.id: 1})
    return {"aligns": aligns.id, "boxed": boxed.id, "genetics": mine.id}


def make_people(site: Site, owner: requests.Session, admin: requests.Session) -> dict[str, int]:
    """Users and tokens of several kinds; their names in `World.names`."""
    saltant(site, "user", "create", "retired", "--email", "retired@example.org", "--no-password")
    saltant(site, "user", "deactivate", "retired")
    saltant(site, "token", "create", "owner", "--name", "laptop", "--expires", "30")
    saltant(site, "token", "create", "admin", "--role", "worker", "--queue", "default", "--name", "the cluster")
    rows = admin.get(f"{root_of(site)}/users?show=all", timeout=30).text
    users = {name: int(pk) for pk, name in re.findall(r'href="/users/(\d+)">(\w+)</a>', rows)}
    token = re.search(r"/tokens/(\d+)/revoke", owner.get(f"{root_of(site)}/tokens", timeout=30).text)
    assert token is not None
    return {"of_owner": users["owner"], "of_admin": users["admin"], "retired": users["retired"], "token": int(token[1])}


def make_places(site: Site, owner: Client, whitelist: int) -> dict[str, Any]:
    """A queue and schedules of the owner's, one of which has made instances; their names in `World.names`."""
    gpu = owner.task_queues.create("gpu", "The two machines with GPUs.", whitelists=[whitelist])
    owner.task_queues.patch(gpu.id, max_running=2)
    count = owner.executable_task_types.get(name="count-words")
    default = owner.task_queues.get(name="default")
    nightly = owner.schedules.create(
        "nightly",
        count.id,
        default.id,
        "30 2 * * *",
        {"text": "of the night"},
        description="Counts what came in by day.",
        timezone="Europe/Berlin",
        overlap="wait",
        labels={"by": "clock"},
        limits={"timeout": 3600},
    )
    nightly.run().wait_until_finished(0.02, timeout=60)
    weekly = owner.schedules.create("weekly", count.id, default.id, "0 6 * * MON", {"text": "of the week"})
    weekly.pause()
    worker = site.client.workers.list()[0].name
    return {"gpu": gpu.id, "nightly": nightly.id, "weekly": weekly.id, "worker": worker}
