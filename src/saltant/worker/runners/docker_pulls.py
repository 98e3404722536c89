"""Getting the images of Docker containers: once for all who wait for one."""

import json
import logging
import re
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from saltant.jobs import PullPolicy
from saltant.reasons import Reason
from saltant.worker.runners.base import Containers
from saltant.worker.runners.docker_engine import Engine, EngineAway, EngineRefused
from saltant.worker.runners.process import CannotRunError
from saltant.worker.running import Running

if TYPE_CHECKING:
    from docker import APIClient

log = logging.getLogger("saltant.worker")

_FIRST_PAUSE, _LAST_PAUSE = 1.0, 30.0  # seconds between two tries
_HOPELESS = re.compile(
    r"not found|manifest unknown|unauthorized|denied|no basic auth|invalid reference|does not exist"
    r"|no matching manifest|authentication required|forbidden|could not parse|no space left",
    re.IGNORECASE,
)
"""What another try would only hear again."""

_NAME = re.compile(r"(?!.*(//|/\.{0,2}(/|$)))[A-Za-z0-9\[][A-Za-z0-9._:/@+\[\]-]*", re.ASCII)
"""What an image's name may look like, for it becomes a part of a path: an engine judges the rest."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image that the engine has.

    Attributes:
        id: the engine's own name of it.
        digest: the registry's where it came from one, else `id`.
    """

    id: str
    digest: str


class _Waiter:
    """One job that waits for an image. To end it is to stop waiting."""

    started: datetime | None = None

    def __init__(self) -> None:
        self.woken = threading.Event()

    def end(self, grace: float) -> None:
        """Stop waiting."""
        self.woken.set()

    def force(self) -> None:
        """Stop waiting."""
        self.woken.set()


class Pulls:
    """The images of one engine."""

    def __init__(self, engine: Engine, containers: Containers) -> None:
        self._engine = engine
        self._containers = containers
        self._lock = threading.Lock()
        self._pulls: dict[str, _Pull] = {}

    def get(self, name: str, policy: str, running: Running) -> Image:
        """The image of that name, pulled where the policy says so.

        Raises:
            CannotRunError: it cannot be had, or the job was ended while it was waited for.
            EngineAway: the engine does not answer.
        """
        if not _NAME.fullmatch(name):
            raise CannotRunError(Reason.IMAGE_PULL_FAILED, f"{name!r:.200} is no name of an image.")
        if policy != PullPolicy.ALWAYS:
            found = self.find(name)
            if found is not None:
                return found
            if policy == PullPolicy.NEVER:
                raise CannotRunError(
                    Reason.IMAGE_PULL_FAILED,
                    f"The image {name} is not on the worker, and its task type says that it is never pulled.",
                )
        self._pull(name, running)
        found = self.find(name)
        if found is None:
            raise CannotRunError(
                Reason.IMAGE_PULL_FAILED, f"The image {name} was pulled, and then removed by somebody."
            )
        return found

    def find(self, name: str) -> Image | None:
        """The image of that name if the engine has it."""
        try:
            with self._engine.asked() as client:
                seen = client.inspect_image(name)  # type: ignore[no-untyped-call]
        except EngineRefused as error:
            if error.status == 404:
                return None
            raise CannotRunError(Reason.IMAGE_PULL_FAILED, f"The image {name!r} cannot be looked up: {error}") from None
        return Image(seen["Id"], digest_of(name, seen.get("RepoDigests") or []) or seen["Id"])

    def close(self) -> None:
        """Give up all pulls."""
        with self._lock:
            pulls = list(self._pulls.values())
        for pull in pulls:
            pull.abort("the worker stops")

    def _pull(self, name: str, running: Running) -> None:
        waiter = _Waiter()
        with self._lock:
            pull = self._pulls.get(name)
            if pull is None:
                pull = self._pulls[name] = _Pull(self._engine, self._containers, name, self._forget)
                pull.waiters.add(waiter)
                pull.start()
            else:
                pull.waiters.add(waiter)
        running.attach(waiter)
        waiter.woken.wait()  # a pull has an end, for it has a time-out
        with self._lock:
            pull.waiters.discard(waiter)
            is_unwanted = not pull.waiters and self._pulls.get(name) is pull
            if is_unwanted:
                del self._pulls[name]
        if is_unwanted:
            pull.abort("nobody waits for it any more")
        if running.reason is not None:
            raise CannotRunError(running.reason, "It was ended while its image was being pulled.")
        if pull.failure is not None:
            raise pull.failure

    def _forget(self, pull: "_Pull") -> None:
        """A pull is over: wake those who wait for it."""
        with self._lock:
            if self._pulls.get(pull.image) is pull:
                del self._pulls[pull.image]
            for waiter in pull.waiters:
                waiter.woken.set()


class _Pull(threading.Thread):
    """One image on its way."""

    def __init__(self, engine: Engine, containers: Containers, image: str, on_end: Any) -> None:
        super().__init__(name="saltant-pull", daemon=True)
        self.image = image
        self.waiters: set[_Waiter] = set()
        self.failure: CannotRunError | EngineAway | None = None
        self._engine = engine
        self._containers = containers
        self._on_end = on_end
        self._aborted = threading.Event()
        self._cut = ""  # why the current try was broken off
        self._connections: list[Any] = []

    def run(self) -> None:
        """Try until it is there, or there is no hope."""
        try:
            self._try_all()
        except Exception as error:
            log.exception("The image %s could not be pulled.", self.image)
            self.failure = CannotRunError(
                Reason.IMAGE_PULL_FAILED, f"The image {self.image} could not be pulled: {error}"
            )
        finally:
            self._on_end(self)

    def abort(self, why: str) -> None:
        """Break it off: the engine stops pulling when nobody listens."""
        self._aborted.set()
        self._break_off(why)

    def _break_off(self, why: str) -> None:
        self._cut = self._cut or why
        for connection in self._connections:
            sock = connection.sock
            if sock is not None:
                with suppress(OSError, AttributeError):
                    sock.shutdown(socket.SHUT_RDWR)

    def _try_all(self) -> None:
        tries = max(1, self._containers.pull_tries)
        pause = _FIRST_PAUSE
        for number in range(1, tries + 1):
            try:
                return self._try()
            except (EngineAway, EngineRefused) as error:
                words = f"it took longer than {self._containers.pull_timeout:g} s" if self._cut else str(error)
                is_hopeless = not self._cut and bool(_HOPELESS.search(words))
                self.failure = (
                    error
                    if isinstance(error, EngineAway) and not self._cut
                    else CannotRunError(Reason.IMAGE_PULL_FAILED, f"The image {self.image} cannot be pulled: {words}")
                )
            if self._aborted.is_set() or is_hopeless or number == tries or self._aborted.wait(pause):
                return None
            log.info("The image %s is tried again: %s", self.image, words)
            pause = min(pause * 2, _LAST_PAUSE)
        return None

    def _try(self) -> None:
        from docker.utils import parse_repository_tag

        self._cut, self._connections = "", []
        repository, tag = parse_repository_tag(self.image)
        client = self._engine.new_client(timeout=None)
        timer = threading.Timer(self._containers.pull_timeout, self._break_off, ["it took too long"])
        timer.daemon = True
        try:
            self._remember_connections(client)
            timer.start()
            if self._aborted.is_set():
                raise EngineAway("It was broken off.")
            with self._engine.asked(client):
                credentials = find_credentials(self._containers.registry_auth, repository)
                said = client.pull(repository, tag or "latest", stream=True, decode=True, auth_config=credentials)
                for line in said:
                    if "error" in line:
                        detail = line.get("errorDetail") or {}
                        raise EngineRefused(str(detail.get("message") or line["error"]).strip(), 500)
            if self._cut:  # a stream that is cut may look like one that has ended
                raise EngineAway("It was broken off.")
            self.failure = None
        finally:
            timer.cancel()
            client.close()

    def _remember_connections(self, client: "APIClient") -> None:
        """So that they can be broken off from another thread, for which docker-py and requests have no call."""
        adapter: Any = client.get_adapter(client.base_url)
        connections = self._connections

        def remember(pool: Any) -> Any:
            make = pool._new_conn

            def make_and_remember() -> Any:
                connections.append(make())
                return connections[-1]

            connections.extend(connection for connection in pool.pool.queue if connection is not None)
            pool._new_conn = make_and_remember
            return pool

        name = "get_connection_with_tls_context"
        if not hasattr(adapter, name):
            name = "get_connection"  # of requests before 2.32
        find = getattr(adapter, name)
        setattr(adapter, name, lambda *words, **options: remember(find(*words, **options)))


def find_credentials(path: Path | None, repository: str) -> dict[str, Any] | None:
    """What a registry is to be shown, from `path`; None: what the worker's user has.

    Raises:
        EngineRefused: the file cannot be used.
    """
    from docker import auth, errors

    if path is None:
        return None
    try:
        if not isinstance(json.loads(path.read_text(encoding="utf-8")), dict):
            raise ValueError("it is no JSON object")
        config = auth.load_config(config_path=str(path))
        registry, _ = auth.resolve_repository_name(repository)
        found = auth.resolve_authconfig(config, registry)
    except (OSError, ValueError, errors.DockerException) as error:
        what = error.strerror if isinstance(error, OSError) else type(error).__name__  # never its content
        raise EngineRefused(f"the file of the registries' credentials, {path}, cannot be used: {what}", 401) from None
    return dict(found) if found else {}


def digest_of(name: str, repo_digests: list[str]) -> str:
    """The digest under which a registry has an image: that of its own repository first; empty if there is none.

    >>> digest_of("lab/tool:2", ["other@sha256:a", "docker.io/lab/tool@sha256:b"])
    'sha256:b'
    """
    from docker.utils import parse_repository_tag

    wanted, tag = parse_repository_tag(name)
    if tag and tag.startswith("sha256:"):
        return tag
    known = [(repository, digest) for repository, at, digest in (each.partition("@") for each in repo_digests) if at]
    own = [digest for repository, digest in known if _plain(repository) == _plain(wanted)]
    return next(iter([*own, *(digest for _, digest in known)]), "")


def _plain(repository: str) -> str:
    for prefix in ("docker.io/", "index.docker.io/", "library/"):
        repository = repository.removeprefix(prefix)
    return repository
