"""Runs Docker containers, through the engine's own interface."""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from uuid import UUID

from saltant.jobs import Attempt, End, Job
from saltant.reasons import Reason
from saltant.worker.environment import EnvironmentMissing
from saltant.worker.folders import JobFolders
from saltant.worker.gpus import GpuPool, NoGpuFree
from saltant.worker.progress import report_in_container
from saltant.worker.runners import docker_plan as plan
from saltant.worker.runners.base import AreLive, Tools
from saltant.worker.runners.docker_container import Container
from saltant.worker.runners.docker_ends import Seen, is_init_missing, start_failure, to_end
from saltant.worker.runners.docker_engine import Engine, EngineAway, EngineRefused, Facts
from saltant.worker.runners.docker_output import Output
from saltant.worker.runners.docker_pulls import Image, Pulls
from saltant.worker.runners.process import CannotRunError, check_paths
from saltant.worker.running import Running

log = logging.getLogger("saltant.worker")

_START = 120.0  # seconds that an engine may take to start a container


class DockerRunner:
    """Runs jobs of kind docker.

    Args:
        tools: what runners work with.
        gpus: the machine's GPUs, where other runners hand them out as well.
    """

    def __init__(self, tools: Tools, gpus: GpuPool | None = None) -> None:
        if tools.containers is None:
            raise ValueError("It takes to be told how containers are run.")
        self._containers = tools.containers
        self._folders = tools.folders
        self._environment = tools.environment
        self._grace = tools.kill_grace
        self._engine = Engine(tools.containers.docker_host)
        self._pulls = Pulls(self._engine, tools.containers)
        self._gpus = gpus or GpuPool(len(tools.containers.gpus))
        self._lock = threading.Lock()
        self._own: set[Attempt] = set()  # that run in this worker
        self._lacks_init = False

    def run(self, job: Job, running: Running) -> End:
        """Run a job from its start until nothing of it is alive, ending it when `running` says so."""
        with ExitStack() as held:
            try:
                held.callback(self._folders.discard, job.attempt, None)
                folders = self._folders.prepare(job.attempt)
                held.enter_context(self._owned(job.attempt))
                return self._run(job, running, folders, held)
            except CannotRunError as error:
                return error.end
            except EngineAway as error:
                return End(Reason.ENGINE_UNAVAILABLE, str(error))
            except EngineRefused as error:
                if "no command specified" in str(error).lower():
                    return End(Reason.COMMAND_NOT_FOUND, "Its command is empty, and its image names none.")
                return End(Reason.WORKER_ERROR, f"Its container could not be made: {error}")
            except OSError as error:
                return End(Reason.WORKER_ERROR, f"What it needs could not be made on the worker: {error}")
            except NoGpuFree as error:
                return End(Reason.WORKER_ERROR, str(error))

    def why_not(self) -> str:
        """Why jobs of this kind cannot be run here now, in a sentence; empty: they can."""
        return self._engine.why_not()

    def sweep(self, are_live: AreLive) -> None:
        """Remove containers of this server that no live attempt owns. Raises EngineAway, and what `are_live` does."""
        with self._engine.asked() as client:
            label = f"{plan.SERVER}={self._containers.server()}"
            found = client.containers(all=True, filters={"label": label})
        left: dict[Attempt, list[str]] = {}
        with self._lock:
            own = set(self._own)
        for each in found:
            attempt = _attempt_of(each.get("Labels") or {})
            if attempt is not None and attempt not in own:
                left.setdefault(attempt, []).append(each["Id"])
        if not left:
            return
        live = set(are_live(list(left)))
        for attempt, ids in left.items():
            if attempt not in live:
                for id in ids:
                    log.warning("%s: a container that was left behind is removed: %.12s.", attempt.uuid, id)
                    self._remove(id)

    def close(self, timeout: float) -> None:
        """Let go of the engine."""
        self._pulls.close()
        self._engine.close()

    def _run(self, job: Job, running: Running, folders: JobFolders, held: ExitStack) -> End:
        who = plan.choose_user(job, self._folders.run_as, self._containers.user)
        words = plan.make_words(job)
        check_paths(job)
        environment = self._make_environment(job, report_in_container(job, folders, self._folders.run_as, running))
        if not job.container_image:
            raise CannotRunError(Reason.IMAGE_PULL_FAILED, "Its task type names no image.")
        if running.reason is not None:
            raise CannotRunError(running.reason, "It was ended before its container was made.")
        image = self._pulls.get(job.container_image, job.pull_policy, running)
        gpus = held.enter_context(self._gpus.take(job.gpus or 0))
        facts = self._engine.facts()
        if self._lacks_init:
            facts = replace(facts, has_init=False)

        def make(facts: Facts) -> str:
            config = plan.make_config(
                job,
                image=image.id,
                words=words,
                environment=environment,
                labels=plan.make_labels(job.attempt, self._containers.server(), self._containers.worker),
                folders=folders,
                who=who,
                gpus=gpus,
                facts=facts,
            )
            return self._create(config, f"saltant-{job.attempt.uuid}.{job.attempt.number}", held)

        if not who.is_owner:
            held.enter_context(_opened(folders))
        try:
            end = self._carry_out(job, running, folders, make(facts), image, held)
        except EngineRefused as error:
            if not facts.has_init or not is_init_missing(str(error)):
                raise
            log.warning("The container engine has no init: its containers go without. %s", error)
            self._lacks_init = True
            end = self._carry_out(job, running, folders, make(replace(facts, has_init=False)), image, held)
        return end if who.is_owner else _with_what_is_closed(end, folders)

    def _make_environment(self, job: Job, reports: dict[str, str]) -> list[str]:
        own = {"JOB_UUID": str(job.attempt.uuid), **reports}
        try:
            values = self._environment.select(name for name in job.environment_variables if name not in own)
        except EnvironmentMissing as error:
            raise CannotRunError(Reason.ENVIRONMENT_MISSING, str(error)) from None
        return plan.make_environment(values | own)

    def _create(self, config: dict[str, object], name: str, held: ExitStack) -> str:
        """Make the container; it is removed when `held` is closed."""
        held.callback(self._remove, name)  # by its name: of one whose making broke off nothing else is known
        for is_last in (False, True):
            try:
                with self._engine.asked() as client:
                    made = client.create_container_from_config(config, name=name)  # type: ignore[no-untyped-call]
                    return str(made["Id"])
            except EngineRefused as error:
                if error.status != 409 or is_last:
                    raise
                self._remove(name)  # left by an earlier life of this worker
        raise AssertionError

    def _carry_out(
        self, job: Job, running: Running, folders: JobFolders, id: str, image: Image, held: ExitStack
    ) -> End:
        output = self._open_output(folders, running)
        container = Container(self._engine, id, output, job.timeout, self._grace)
        try:
            try:
                container.attach()  # where Podman already makes what runs the program
                running.attach(container, None if job.timeout is None else job.timeout + self._grace + _START)
                if running.reason is not None:
                    return End(
                        running.reason, "It was ended before its program was started.", image_digest=image.digest
                    )
                if job.logs_path:
                    running.watch_logs({folders.stdout.name, folders.stderr.name, folders.progress.name})
                container.start()
            except EngineRefused as error:
                if is_init_missing(str(error)) and not self._lacks_init:
                    raise
                return replace(start_failure(str(error)), image_digest=image.digest)
            container.wait()
        finally:
            container.close()
        seen = Seen(
            state=container.state,
            ordered=_ordered(container, running),
            was_away=container.was_away,
            stderr="" if output.heads[1] else output.heads[2].decode("utf-8", "replace"),
            message=container.message
            or "its engine did not end it in time; it is removed as soon as that can be done.",
        )
        return _with_output_troubles(to_end(seen, job, image.digest), output)

    def _open_output(self, folders: JobFolders, running: Running) -> Output:
        with ExitStack() as opened:
            fds = []
            for name, path in (("stdout", folders.stdout), ("stderr", folders.stderr)):
                fd = self._folders.open_log(path)
                opened.callback(_close, fd)
                running.follow(name, fd)
                fds.append(fd)
            opened.pop_all()
            return Output(fds)

    def _remove(self, id: str) -> None:
        """Remove a container with its own volumes, whatever it does. What cannot be removed now, a sweep removes."""
        try:
            with self._engine.asked() as client:
                client.remove_container(id, v=True, force=True)
        except EngineRefused as error:
            if error.status not in (404, 409):  # gone, or on its way
                log.warning("The container %s could not be removed: %s", id, error)
        except EngineAway as error:
            log.warning("The container %s could not be removed yet: %s", id, error)

    @contextmanager
    def _owned(self, attempt: Attempt) -> Iterator[None]:
        with self._lock:
            self._own.add(attempt)
        try:
            yield
        finally:
            with self._lock:
                self._own.discard(attempt)


@contextmanager
def _opened(folders: JobFolders) -> Iterator[None]:
    """Have a container's user, whoever that is, write to the job's folders while it runs.

    Nobody else comes by: the folders above can be passed by the worker's user alone.
    """
    opened: list[Path] = [folders.logs, folders.results]
    for folder in opened:
        folder.chmod(0o777)
    try:
        yield
    finally:
        for folder in opened:
            with suppress(OSError):
                folder.chmod(0o700)


def _with_what_is_closed(end: End, folders: JobFolders) -> End:
    """Say so if the worker's user cannot read all that another one has written."""
    if os.geteuid() == 0:
        return end
    closed = next((path for top in (folders.logs, folders.results) for path in _closed_in(top)), None)
    if closed is None:
        return end
    words = (
        f"The worker's user cannot read all that it wrote, {closed!r} for one, so that is not among its logs and"
        " results: set SALTANT_CONTAINER_USER=self on the worker, or container_user in its task type."
    )
    return replace(end, message=f"{end.message} {words}".strip())


def _closed_in(top: Path) -> Iterator[str]:
    """What this user cannot read below a folder, by its path in it."""
    for folder, folders, files in os.walk(top):
        needed = [*((name, os.R_OK | os.X_OK) for name in folders), *((name, os.R_OK) for name in files)]
        for name, rights in needed:
            path = os.path.join(folder, name)  # noqa: PTH118 - there may be many
            if not os.access(path, rights) and not os.path.islink(path):  # noqa: PTH114
                yield os.path.relpath(path, top)


def _ordered(container: Container, running: Running) -> Reason | None:
    if container.state is not None and not container.is_signalled:
        return None  # it ended by itself before it could be told
    return Reason.TIMED_OUT if container.is_timed_out else running.reason


def _with_output_troubles(end: End, output: Output) -> End:
    words = []
    if output.failure is not None:
        words.append(f"Some of its output could not be kept: {output.failure.strerror}.")
    if output.has_gap:
        words.append("Some of its output may be missing: the connection to its engine broke.")
    return replace(end, message=" ".join([end.message, *words]).strip()) if words else end


def _attempt_of(labels: dict[str, str]) -> Attempt | None:
    try:
        return Attempt(UUID(labels[plan.INSTANCE]), int(labels[plan.ATTEMPT]))
    except (KeyError, ValueError):
        return None


def _close(fd: int) -> None:
    with suppress(OSError):
        os.close(fd)
