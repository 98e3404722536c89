"""Runs executables: a job's command as a process of its own, through the launcher."""

import json
import re
from collections.abc import Mapping
from contextlib import ExitStack

from saltant.commands import words_of_arguments
from saltant.jobs import End, Job
from saltant.reasons import Reason
from saltant.worker.environment import EnvironmentMissing
from saltant.worker.folders import JobFolders
from saltant.worker.progress import VARIABLE, ProgressFile
from saltant.worker.runners.process import CannotRunError, Plan, ProcessRunner, split_command
from saltant.worker.running import Running

_VARIABLE = re.compile(r"\$(\w+|\{[^}]*\})", re.ASCII)


class ExecutableRunner(ProcessRunner):
    """Runs jobs of kind executable. They can be run wherever a worker can."""

    def _run(self, job: Job, running: Running, folders: JobFolders, held: ExitStack) -> End:
        environment = self._make_environment(job, folders) | self._take_gpus(job, held)
        running.report_from(ProgressFile(folders.progress, self._folders.run_as))
        argv = expand_command(job.command_to_run, environment)

        def save(text: str) -> str:
            arguments = self._folders.write_arguments(job.attempt, text)
            held.callback(self._folders.discard, job.attempt, arguments)
            return str(arguments)

        argv += words_of_arguments(json.dumps(job.arguments), job.json_file_option, save)
        return self._carry_out(job, running, folders, Plan(argv, environment), held)

    def _make_environment(self, job: Job, folders: JobFolders) -> dict[str, str]:
        own = {
            "JOB_UUID": str(job.attempt.uuid),
            "PATH": self._environment.path,
            "JOB_LOGS_DIRECTORY": str(folders.logs),
            "JOB_RESULTS_DIRECTORY": str(folders.results),
            VARIABLE: str(folders.progress),
        }
        try:
            return self._environment.select(name for name in job.environment_variables if name not in own) | own
        except EnvironmentMissing as error:
            raise CannotRunError(Reason.ENVIRONMENT_MISSING, str(error)) from None


def expand_command(command: str, environment: Mapping[str, str]) -> list[str]:
    """The words of a command: variables are expanded from `environment` as os.path.expandvars does, then it is split.

    >>> expand_command("run $WHERE ${WHAT} '$NONE |'", {"WHERE": "a b", "WHAT": "c"})
    ['run', 'a', 'b', 'c', '$NONE |']
    """

    def value(match: re.Match[str]) -> str:
        return environment.get(match[1].strip("{}"), match[0])

    return split_command(_VARIABLE.sub(value, command))
