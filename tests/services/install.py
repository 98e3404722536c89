"""Installs the programs that `make test` starts services of, where they are missing: python -m tests.services.install.

Nothing is started: while packages are set up, policy-rc.d forbids it. What was there before is there afterwards.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.services import apptainer, postgresql, rabbitmq
from tests.services.base import Missing, program

PROGRAMS = {
    "postgresql": ("postgres", postgresql.PLACES),
    "rabbitmq-server": ("rabbitmq-server", rabbitmq.PLACES),
    "redis-server": ("redis-server", ()),
    "iproute2": ("ip", ()),
    "openssl": ("openssl", ()),
    "faketime": ("faketime", ()),
    "docker.io": ("dockerd", ()),
    "docker-registry": ("docker-registry", ()),
    "podman": ("podman", ()),
    "busybox-static": ("busybox", ()),
    "squashfs-tools": ("mksquashfs", ()),
    "patchelf": ("patchelf", ()),
    "chromium": ("chromium", ()),
}
"""A package, and the program of it that is needed."""

POLICY = Path("/usr/sbin/policy-rc.d")
NO_CLUSTER = Path("/etc/postgresql-common/createcluster.d/saltant-tests.conf")
MARK = "# saltant's tests, while they install packages"


def main() -> int:
    """Install what is missing. Says what it could not, and goes on: the tests skip what they have no program for."""
    if packages := missing():
        try:
            install(packages)
        except (OSError, subprocess.SubprocessError) as error:
            print(error, file=sys.stderr)
        for package in missing():
            print(f"NOT INSTALLED: {package}. What needs it is not tested.", file=sys.stderr)
    try:
        apptainer.Apptainer()
    except Missing as error:
        print(f"NOT INSTALLED: Apptainer: {error}. What needs it is not tested.", file=sys.stderr)
    return 0


def missing() -> list[str]:
    """The packages whose programs this machine lacks."""
    return [package for package, (name, places) in PROGRAMS.items() if not is_there(name, places)]


def is_there(name: str, places: tuple[str, ...]) -> bool:
    """Whether a program can be found."""
    try:
        program(name, *places)
    except Missing:
        return False
    return True


def install(packages: list[str]) -> None:
    """Install packages, if this is root on a machine with apt."""
    apt = shutil.which("apt-get")
    if apt is None or os.getuid() != 0:
        return
    environ = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    with (
        put_in_place(POLICY, f"#!/bin/sh\n{MARK}\nexit 101\n", 0o755),
        put_in_place(NO_CLUSTER, f"{MARK}\ncreate_main_cluster = false\n", 0o644),
    ):
        subprocess.run([apt, "update", "-qq"], env=environ, check=False)  # one source of many may be away
        command = [apt, "install", "-y", "-qq", "--no-install-recommends"]
        if subprocess.run([*command, *packages], env=environ, check=False).returncode:
            for package in packages:  # one that is not to be had does not keep the others away
                subprocess.run([*command, package], env=environ, check=False)


@contextmanager
def put_in_place(path: Path, text: str, mode: int) -> Iterator[None]:
    """Have a file say something for a while; whatever was there comes back, a link as a link."""
    kept = path.with_name(path.name + ".before-saltant-tests")
    made = [folder for folder in path.parents if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(kept):  # a run that was killed
        kept.replace(path)
    if os.path.lexists(path) and not (path.is_file() and MARK in path.read_text(errors="replace")):
        path.rename(kept)
    try:
        path.unlink(missing_ok=True)
        path.write_text(text)
        path.chmod(mode)
        yield
    finally:
        path.unlink()
        if os.path.lexists(kept):
            kept.replace(path)
        for folder in made:
            if not any(folder.iterdir()):
                folder.rmdir()


if __name__ == "__main__":
    sys.exit(main())
