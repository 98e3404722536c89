"""Apptainer for the tests: the machine's own, or Debian's newest, unpacked beside the system and not installed.

Debian 12 packages none, and the package of later ones needs a newer libc: that is unpacked with it. What is unpacked
stays for the next run.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.services.base import Missing, program

PLACE = Path(tempfile.gettempdir()) / f"saltant-tests-apptainer-{os.getuid()}"
"""Straight under /tmp, whose every part another user may pass: jobs run as such."""

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


class Apptainer:
    """The program, and images made without a registry.

    Attributes:
        path: the PATH with which it is found.
    """

    name = "apptainer"

    def __init__(self) -> None:
        self.path = os.environ.get("PATH", os.defpath)
        if shutil.which("apptainer", path=self.path) is None and shutil.which("singularity", path=self.path) is None:
            program("busybox")
            self.path = f"{install() / 'root/usr/bin'}:{self.path}"
        self.program = shutil.which("apptainer", path=self.path) or shutil.which("singularity", path=self.path) or ""

    def build(self, image: Path, source: Path | str) -> Path:
        """Make an image file of a folder, or of whatever else can be named."""
        with tempfile.TemporaryDirectory() as folder:
            environ = {"PATH": self.path, "HOME": folder, "APPTAINER_TMPDIR": folder, "APPTAINER_CACHEDIR": folder}
            words = [self.program, "--silent", "build", str(image), str(source)]
            done = subprocess.run(words, env=environ, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        image.chmod(0o644)
        return image


def make_root(folder: Path, files: Mapping[str, str] | None = None) -> Path:
    """Fill a folder with what an image needs: busybox, and `files` with their run bit."""
    busybox = program("busybox")
    for name in ("bin", "etc", "app", "logs", "results", "tmp", "proc", "sys", "dev", "root"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    shutil.copy(busybox, folder / "bin/busybox")
    listed = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout
    for applet in set(listed.split()) - {"busybox"}:
        (folder / "bin" / applet).symlink_to("busybox")
    (folder / "etc/passwd").write_text("root:x:0:0::/app:/bin/sh\n")
    (folder / "etc/group").write_text("root:x:0:\n")
    for name, text in (files or {}).items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder


def install() -> Path:
    """The folder with the unpacked program, which is made once. Missing if it cannot be had."""
    for needed in ("apt-get", "dpkg-deb", "patchelf", "mksquashfs"):
        program(needed)
    if not KEYRING.exists():
        raise Missing(f"there is no {KEYRING}")
    PLACE.mkdir(mode=0o755, exist_ok=True)
    if PLACE.lstat().st_uid != os.getuid():
        raise Missing(f"{PLACE} is another user's")
    with _locked(PLACE / "lock"):
        if not (PLACE / "whole").exists():
            try:
                _unpack(PLACE)
            except subprocess.SubprocessError as error:
                output = getattr(error, "stderr", None) or b""
                raise Missing(f"Debian's package cannot be had: {error} {output.decode(errors='replace')}") from None
            (PLACE / "whole").touch()
    return PLACE


def _unpack(folder: Path) -> None:
    for name in ("apt", "deb", "root", "glibc"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in ("apt/lists/partial", "apt/cache/archives/partial", "apt/parts", "deb"):
        (folder / name).mkdir(parents=True)
    (folder / "apt/sid.list").write_text(f"deb [signed-by={KEYRING}] {_mirror()} sid main\n")
    options = {
        "Dir::Etc::SourceList": folder / "apt/sid.list",
        "Dir::Etc::SourceParts": folder / "apt/parts",
        "Dir::State::lists": folder / "apt/lists",
        "Dir::Cache": folder / "apt/cache",
        "APT::Sandbox::User": "root",
    }
    apt = ["apt-get", "-qq", *(word for name, value in options.items() for word in ("-o", f"{name}={value}"))]
    _run(folder, *apt, "update")
    _run(folder / "deb", *apt, "download", "apptainer", "libc6")
    for package, target in (("apptainer", "root"), ("libc6", "glibc")):
        (file,) = (folder / "deb").glob(f"{package}_*.deb")
        _run(folder, "dpkg-deb", "-x", str(file), target)
    usr = folder / "root/usr"
    (lib,) = (folder / "glibc/usr/lib").glob("*-linux-gnu*")
    (loader,) = lib.glob("ld-linux*.so.*")
    (starter,) = usr.glob("lib/*/apptainer/bin/starter")
    for each in (usr / "bin/apptainer", starter):
        changed = ["--set-interpreter", str(loader), "--force-rpath", "--set-rpath", str(lib)]
        _run(folder, "patchelf", *changed, str(each))
    shutil.copytree(folder / "root/etc", usr / "etc", symlinks=True)
    for name in ("var/lib/apptainer/mnt/session", "lib/var/lib/apptainer/mnt/session", "lib/etc"):
        (usr / name).mkdir(parents=True)
    (usr / "lib/etc/apptainer").symlink_to("../../etc/apptainer")
    if not (usr / "bin/singularity").is_symlink():
        (usr / "bin/singularity").symlink_to("apptainer")
    # Root in a sandbox lacks some capabilities: ask for none, and leave cgroups to whoever started it.
    configuration = usr / "etc/apptainer/apptainer.conf"
    text = configuration.read_text().replace("\nroot default capabilities = full", "\nroot default capabilities = no")
    configuration.write_text(text.replace("\nsystemd cgroups = yes", "\nsystemd cgroups = no"))
    for name in ("apt", "deb"):
        shutil.rmtree(folder / name)


def _mirror() -> str:
    words = ["apt-get", "indextargets", "--format", "$(SITE)"]
    sites = subprocess.run(words, capture_output=True, text=True, check=False).stdout.split()
    site = next((site for site in sites if site.endswith("/debian")), None)
    if site is None:
        raise Missing("apt-get knows no mirror of Debian")
    return site


def _run(folder: Path, *words: str) -> None:
    subprocess.run(words, cwd=folder, check=True, capture_output=True, timeout=300)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    try:
        install()
    except Missing as missing:
        print(f"NOT INSTALLED: apptainer: {missing}.", file=sys.stderr)
