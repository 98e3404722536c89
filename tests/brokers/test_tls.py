"""TLS: the certificate and the host's name are looked at."""

from collections.abc import Iterator
from uuid import UUID

import pytest

from saltant.engine import EngineUnavailable
from saltant.engine.brokers import check_broker
from saltant.engine.celery import CeleryEngine
from saltant.jobs import Kind
from saltant.worker.broker import BrokerSource
from tests.brokers.rig import Slot, a_ticket, wait_for
from tests.brokers.tls import Certificates, EncryptedRabbitMQ, EncryptedRedis
from tests.services import Service


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    for place in (folder, folder.parent, folder.parent.parent):
        place.chmod(0o755)  # a broker may run as another user
    return Certificates(folder)


@pytest.fixture(scope="module", params=[EncryptedRabbitMQ, EncryptedRedis])
def encrypted(request: pytest.FixtureRequest, certificates: Certificates) -> Iterator[Service]:
    with request.param(certificates) as service:
        yield service


def test_tickets_and_cancels_come_through(encrypted: Service, certificates: Certificates, queue: str) -> None:
    ca = str(certificates.ca)
    check_broker(encrypted.url, ca)
    engine = CeleryEngine(encrypted.url, ca=ca)
    heard: list[UUID] = []
    source = BrokerSource(
        encrypted.url, queues=[queue], kinds=[Kind.EXECUTABLE], slots=2, ca=ca, on_cancel=heard.append
    )
    source.start()
    try:
        tickets = {a_ticket(queue) for _ in range(2)}
        slots = [Slot(source), Slot(source)]
        for ticket in tickets:
            engine.publish(ticket)
        assert {slot.get() for slot in slots} == tickets

        def is_heard() -> bool:
            engine.cancel(a_ticket(queue).attempt.uuid)
            return bool(heard)

        wait_for(is_heard)
        last = Slot(source)
    finally:
        source.close()
        engine.close()
    assert last.get() is None


def test_a_certificate_of_somebody_is_refused(encrypted: Service) -> None:
    with pytest.raises(EngineUnavailable, match="certificate is not trusted"):
        check_broker(encrypted.url)


def test_a_certificate_for_another_host_is_refused(encrypted: Service, certificates: Certificates) -> None:
    with pytest.raises(EngineUnavailable, match="certificate is not trusted"):
        check_broker(encrypted.url.replace("localhost", "127.0.0.1"), str(certificates.ca))


def test_a_port_that_expects_tls(encrypted: Service) -> None:
    with pytest.raises(EngineUnavailable, match="maybe it expects TLS"):
        check_broker(encrypted.url.replace("s:", ":", 1))


def test_a_port_that_speaks_no_tls(broker: Service) -> None:
    with pytest.raises(EngineUnavailable, match=r"maybe it speaks none|did not answer"):
        check_broker(broker.url.replace(":", "s:", 1))
