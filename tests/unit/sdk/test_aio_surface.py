"""The asynchronous client offers what the other one does: names, signatures, and an awaitable for all that acts."""

import asyncio
import gc
import inspect
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from saltant import Client, NotFound
from saltant.aio import AsyncClient, File, Stream
from saltant.aio._surface import methods
from saltant.aio._twins import TWINS
from saltant.models.resource import Model, ModelManager
from saltant.models.result_file import ResultFile
from tests.unit.sdk import aio_types
from tests.unit.sdk.conftest import TOKEN, Answer, Scripted, instance, queue

STREAMS = {"iterate", "as_completed", "watch"}
PAIRS = [(cls, twin, name) for cls, twin in TWINS.items() for name in methods(cls)]


def ids(pair: Any) -> str:
    return pair.__name__ if inspect.isclass(pair) else str(pair)


def public(cls: type) -> list[str]:
    return [name for name in dir(cls) if not name.startswith("_")]


def test_the_client_has_the_same_managers_and_methods() -> None:
    one = Client("http://127.0.0.1/", TOKEN, test_if_authenticated=False)
    other = AsyncClient("http://127.0.0.1/", TOKEN)
    assert public(AsyncClient) == [*public(Client)]
    managers = {name: type(value) for name, value in vars(one).items() if isinstance(value, ModelManager)}
    assert len(managers) >= 8
    assert {name: TWINS[kind] for name, kind in managers.items()} == {
        name: type(value) for name, value in vars(other).items() if isinstance(value, ModelManager)
    }
    mine, theirs = (inspect.signature(kind.__init__).parameters for kind in (AsyncClient, Client))
    assert {name: each for name, each in mine.items() if name != "pool_size"} == {
        name: each for name, each in theirs.items() if name != "pool_size"
    }


def test_every_class_that_acts_has_a_twin() -> None:
    kinds = [Client, ResultFile, *every(Model), *every(ModelManager)]
    kinds = [kind for kind in kinds if not kind.__module__.startswith("saltant.aio")]
    assert set(kinds) <= TWINS.keys()
    for kind in kinds:
        assert public(TWINS[kind]) == public(kind)
        if "model" in vars(kind):
            assert TWINS[kind].model is TWINS[kind.model]  # type: ignore[attr-defined]


def every(cls: type) -> list[type]:
    return [cls, *(found for below in cls.__subclasses__() for found in every(below))]


@pytest.mark.parametrize(("cls", "twin", "name"), PAIRS, ids=ids)
def test_every_method_has_its_signature_and_gives_an_awaitable(cls: type, twin: type, name: str) -> None:
    method = getattr(twin, name)
    assert inspect.signature(method) == inspect.signature(getattr(cls, name))
    assert method.__doc__ == getattr(cls, name).__doc__
    given = method(object())  # nothing of it runs before it is awaited
    if name in STREAMS or (cls, name) == (ResultFile, "open"):
        assert isinstance(given, File if name == "open" else Stream)
    else:
        assert inspect.iscoroutine(given)
        assert given.__qualname__ == f"{cls.__name__}.{name}"
        given.close()
    if name == "logs":
        assert isinstance(method(object(), follow=True), Stream)


def test_what_type_checkers_read_is_up_to_date() -> None:
    assert aio_types.STUB.read_text() == aio_types.written(), "run: python -m tests.unit.sdk.aio_types"


def test_the_package_does_not_load_it() -> None:
    program = "import sys, saltant.client; assert not {'greenlet', 'asyncio', 'saltant.aio'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_without_its_extra_it_says_what_to_install() -> None:
    program = "import sys; sys.modules['greenlet'] = None; import saltant.aio"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert run.stderr.splitlines()[-1] == "ImportError: saltant.aio needs greenlet: pip install 'saltant-py[async]'"


def test_it_is_not_entered_as_the_other_one() -> None:
    with pytest.raises(TypeError, match="async with"), AsyncClient("http://127.0.0.1/", TOKEN):  # type: ignore[attr-defined]
        pass


def test_one_client_serves_one_loop_after_another(server: Scripted) -> None:
    client = AsyncClient(server.url, TOKEN, test_if_authenticated=False)
    server.say(queue(), Saltant_Version="2")
    for _ in range(2):
        assert asyncio.run(client.task_queues.get(1)).name == "default"
    assert len({request.peer for request in server.requests}) == 1, "by the same connection"


def test_the_loop_goes_on_while_a_call_waits_and_a_cancel_closes_its_connection(server: Scripted) -> None:
    server.say(fault="hang")

    async def main() -> None:
        async with AsyncClient(server.url, TOKEN, test_if_authenticated=False) as client:
            call = asyncio.create_task(client.task_queues.get(1))
            while not server.requests:
                await asyncio.sleep(0.01)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            server.script.clear()
            server.say({"detail": "Not found."}, 404)
            with pytest.raises(NotFound):
                await client.task_queues.get(1)
            first, second = server.requests
            assert first.peer != second.peer

    asyncio.run(main())


@pytest.mark.filterwarnings("error")
def test_a_stream_that_is_left_or_never_begun_leaves_nothing_behind(server: Scripted) -> None:
    server.say({"count": 2, "next": "?page=2", "previous": None, "results": [instance()]})

    async def main() -> None:
        async with AsyncClient(server.url, TOKEN, test_if_authenticated=False) as client:
            manager = client.executable_task_instances
            async for job in manager.iterate():
                assert job.state == "running"
                break
            assert len(server.requests) == 1
            stream = manager.iterate()
            await stream.close()
            assert [job async for job in stream] == []
            assert len(server.requests) == 1

    asyncio.run(main())
    gc.collect()


def test_tls(server: Scripted, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", str(key), "-out", str(certificate), "-subj", "/CN=here"]
    subprocess.run([*command, "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    large = "x" * 1_000_000
    server.decide = lambda asked: Answer(queue(description=large), 201 if asked.method == "POST" else 200)

    async def main() -> None:
        client = AsyncClient(server.url.replace("http:", "https:"), TOKEN, max_retries=0)
        with pytest.raises(Exception, match="no secure connection"):
            await client.task_queues.get(1)
        client.session.verify = str(certificate)
        made = await asyncio.gather(*(client.task_queues.create("q", large) for _ in range(3)))
        assert [each.description for each in made] == [large] * 3
        assert [request.body["description"] for request in server.requests] == [large] * 3
        assert len({request.peer for request in server.requests}) == 3, "at once"
        await client.close()

    asyncio.run(main())


def test_a_proxy_of_the_environment(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    server.say(queue())
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.delenv("no_proxy", raising=False)

    async def main() -> None:
        async with AsyncClient("http://saltant.invalid/api/", TOKEN, test_if_authenticated=False) as client:
            assert (await client.task_queues.get(1)).name == "default"

    asyncio.run(main())
    assert [request.path for request in server.requests] == ["/api/taskqueues/1/"]
