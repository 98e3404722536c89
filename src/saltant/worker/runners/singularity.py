"""Runs containers of Singularity and Apptainer, by calling the program through the launcher."""

import os
import stat
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from saltant.jobs import End, Job
from saltant.reasons import Reason
from saltant.worker.connection import LauncherFailed
from saltant.worker.environment import EnvironmentMissing
from saltant.worker.folders import JobFolders
from saltant.worker.progress import report_in_container
from saltant.worker.runners.base import AreLive, Tools
from saltant.worker.runners.process import CannotRunError, Plan, ProcessRunner
from saltant.worker.runners.singularity_command import isolation, make_command, make_environment
from saltant.worker.runners.singularity_images import Image, ImageStore
from saltant.worker.runners.singularity_program import FAILED, NAMES, both, call, explain, find_program, own_words
from saltant.worker.runners.singularity_pull import Puller, stop_if_ended
from saltant.worker.running import Running

_ABSENT = f"Neither {' nor '.join(NAMES)} is on the worker's PATH."
_PROBE = "/saltant-probe"  # a command that no image has
_PROBE_TIMEOUT = 10.0  # seconds


class SingularityRunner(ProcessRunner):
    """Runs jobs of kind singularity."""

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools)
        if tools.containers is None:
            raise ValueError("It takes to be told how containers are run.")
        self._containers = tools.containers
        puller = Puller(tools.containers, self._launcher, self._folders)
        self._images = ImageStore(tools.containers.images, self._folders, puller)

    def why_not(self) -> str:
        """Why containers cannot be run here now. It has one started without a program, from an empty image."""
        program = find_program(self._environment.path)
        if program is None:
            return _ABSENT
        folder = self._containers.images / "probe"
        run_as = self._folders.run_as
        try:
            self._images.make()
            for each in (folder, *(folder / name for name in ("dev", "etc", "proc", "sys", "tmp", "root"))):
                each.mkdir(mode=0o755, exist_ok=True)
                each.chmod(0o755)
            words = [program, "--silent", "exec", *isolation(run_as), "--", str(folder), _PROBE]
            own = str(folder)
            environment = {"PATH": self._environment.path, "HOME": own, **both({"_CONFIGDIR": own, "_TMPDIR": own})}
            probe = call(self._launcher, words, environment, folder, timeout=_PROBE_TIMEOUT, run_as=run_as)
            outcome, text = probe.wait()
        except (OSError, LauncherFailed) as error:
            return f"It cannot be tried whether {program} starts containers: {error}"
        if outcome.timed_out:
            return f"{program} did not start a container within {_PROBE_TIMEOUT:g} s."
        said = own_words(text) or text.strip()[-500:]
        if _PROBE in said and "no such file" in said:
            return ""  # it looked for it in the container, which thus was there
        return f"{program} cannot start containers: {said or outcome.message or outcome.failure}"

    def sweep(self, are_live: AreLive) -> None:
        """Remove halves of images. Of containers the launcher leaves nothing."""
        self._images.sweep()

    def _run(self, job: Job, running: Running, folders: JobFolders, held: ExitStack) -> End:
        program = find_program(self._environment.path)
        if program is None:
            raise CannotRunError(Reason.ENGINE_UNAVAILABLE, _ABSENT)
        own = {"JOB_UUID": str(job.attempt.uuid)}
        own |= report_in_container(job, folders, self._folders.run_as, running)
        try:
            values = self._environment.select(name for name in job.environment_variables if name not in own)
        except EnvironmentMissing as error:
            raise CannotRunError(Reason.ENVIRONMENT_MISSING, str(error)) from None
        values |= own
        make_command(program, Path(), job, folders, self._folders.run_as)  # what cannot be run needs no image
        image = self._images.get(program, job, running, folders.work)
        stop_if_ended(running)
        values |= self._take_gpus(job, held)
        argv = make_command(program, image.path, job, folders, self._folders.run_as)
        environment = make_environment(self._environment.path, folders, str(job.attempt.uuid), values)
        if job.logs_path:
            running.watch_logs({folders.stdout.name, folders.stderr.name, folders.progress.name})
        end = self._carry_out(job, running, folders, Plan(argv, environment, passes_on=True), held)
        return self._tell(end, image, folders, job)

    def _tell(self, end: End, image: Image, folders: JobFolders, job: Job) -> End:
        """The end as it is meant: the program's own failures are told by its exit code and its words alone."""
        end = replace(end, image_digest=image.digest)
        if end.reason is not Reason.EXITED or end.exit_code != FAILED or _begin(folders.stdout):
            return end
        words = own_words(_begin(folders.stderr))
        if not words:
            return end
        command = make_command("", Path(), job, folders, self._folders.run_as)
        first = command[command.index("--") + 2]
        explained = explain(words, first)
        if explained is None:
            return end
        reason, message = explained
        return replace(end, reason=reason, message=message, exit_code=None, started=None)


def _begin(path: Path) -> str:
    """How a log begins, if the job has put nothing else in its place."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        return os.pread(fd, 65536, 0).decode("utf-8", "replace") if stat.S_ISREG(os.fstat(fd).st_mode) else ""
    finally:
        os.close(fd)
