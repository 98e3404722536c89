"""Runs executables: a job's command as a process of its own, through the launcher."""

import json
import logging
import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from saltant.jobs import End, Job
from saltant.reasons import Reason
from saltant.worker.cgroups import CannotLimit, Cgroup
from saltant.worker.connection import LauncherFailed
from saltant.worker.environment import EnvironmentMissing
from saltant.worker.folders import JobFolders
from saltant.worker.launch import Launch, Process
from saltant.worker.outcomes import to_end
from saltant.worker.runners.base import AreLive, Tools
from saltant.worker.running import Running

log = logging.getLogger("saltant.worker")

_VARIABLE = re.compile(r"\$(\w+|\{[^}]*\})", re.ASCII)


class CannotRunError(Exception):
    """A job cannot be started; says how it ends instead."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.end = End(reason=reason, message=message)


class ExecutableRunner:
    """Runs jobs of kind executable."""

    def __init__(self, tools: Tools) -> None:
        self._folders = tools.folders
        self._launcher = tools.launcher
        self._environment = tools.environment
        self._cgroups = tools.cgroups
        self._grace = tools.kill_grace
        self._umask = tools.umask

    def run(self, job: Job, running: Running) -> End:
        """Run a job from its start until nothing of it is alive, ending it when `running` says so."""
        arguments: Path | None = None
        cgroup: Cgroup | None = None
        try:
            # First of all: then every attempt has folders of its own, and each one's are filed under its number.
            folders = self._folders.prepare(job.attempt)
            environment = self._make_environment(job, folders)
            argv = expand_command(job.command_to_run, environment)
            if job.memory is not None or job.cpus is not None:
                cgroup = self._cgroups.make(f"{job.attempt.uuid}.{job.attempt.number}", job.memory, job.cpus)
            if job.arguments:
                text = json.dumps(job.arguments)
                if job.json_file_option:
                    arguments = self._folders.write_arguments(job.attempt, text)
                    argv += [job.json_file_option, str(arguments)]
                else:
                    argv.append(text)
            if running.reason is not None:
                return End(running.reason, "It was ended before its program was started.")
            with self._start(job, folders, argv, environment, cgroup, running) as process:
                running.attach(process, None if job.timeout is None else job.timeout + self._grace)
                outcome = process.wait()
                return to_end(outcome, running.reason, job, None if cgroup is None else cgroup.usage())
        except CannotRunError as error:
            return error.end
        except OSError as error:
            return End(Reason.WORKER_ERROR, f"What it needs could not be made on the worker: {error}")
        except (CannotLimit, LauncherFailed, ValueError) as error:
            return End(Reason.WORKER_ERROR, str(error))
        finally:
            if cgroup is not None:
                cgroup.remove()
            self._folders.discard(job.attempt, arguments)

    def why_not(self) -> str:
        """Executables can be run wherever a worker can."""
        return ""

    def sweep(self, are_live: AreLive) -> None:
        """The launcher leaves nothing."""

    def close(self, timeout: float) -> None:
        """Let the launcher end."""
        self._launcher.close(timeout)

    def _make_environment(self, job: Job, folders: JobFolders) -> dict[str, str]:
        own = {
            "JOB_UUID": str(job.attempt.uuid),
            "PATH": self._environment.path,
            "JOB_LOGS_DIRECTORY": str(folders.logs),
            "JOB_RESULTS_DIRECTORY": str(folders.results),
        }
        try:
            return self._environment.select(name for name in job.environment_variables if name not in own) | own
        except EnvironmentMissing as error:
            raise CannotRunError(Reason.ENVIRONMENT_MISSING, str(error)) from None

    def _start(
        self,
        job: Job,
        folders: JobFolders,
        argv: list[str],
        environment: Mapping[str, str],
        cgroup: Cgroup | None,
        running: Running,
    ) -> Process:
        words = [_encode(word) for word in argv]
        variables = {os.fsencode(name): os.fsencode(value) for name, value in environment.items()}
        stdout = self._folders.open_log(folders.stdout)
        try:
            running.follow("stdout", stdout)
            stderr = self._folders.open_log(folders.stderr)
            try:
                running.follow("stderr", stderr)
                return self._launcher.start(
                    Launch(
                        argv=words,
                        environment=variables,
                        folder=folders.work,
                        stdout=stdout,
                        stderr=stderr,
                        grace=self._grace,
                        umask=self._umask,
                        run_as=self._folders.run_as,
                        timeout=job.timeout,
                        cgroups=[] if cgroup is None else [str(folder) for folder in cgroup.folders],
                    )
                )
            finally:
                os.close(stderr)
        finally:
            os.close(stdout)


def expand_command(command: str, environment: Mapping[str, str]) -> list[str]:
    """The words of a command: variables are expanded from `environment` as os.path.expandvars does, then it is split.

    >>> expand_command("run $WHERE ${WHAT} '$NONE |'", {"WHERE": "a b", "WHAT": "c"})
    ['run', 'a', 'b', 'c', '$NONE |']
    """

    def value(match: re.Match[str]) -> str:
        return environment.get(match[1].strip("{}"), match[0])

    try:
        words = shlex.split(_VARIABLE.sub(value, command))
    except ValueError as error:
        raise CannotRunError(Reason.WORKER_ERROR, f"Its command cannot be split into words: {error}.") from None
    if not words:
        raise CannotRunError(Reason.COMMAND_NOT_FOUND, "Its command is empty.")
    return words


def _encode(word: str) -> bytes:
    try:
        return word.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise CannotRunError(Reason.WORKER_ERROR, "Its command has a character that is none.") from None
