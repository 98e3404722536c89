"""People who look at pages, without a browser."""

from dataclasses import dataclass

import pytest
from django.test import Client

from tests.integration.conftest import World


@dataclass
class Pages:
    """Clients that are signed in, by role."""

    owner: Client
    stranger: Client
    queue_owner: Client
    admin: Client

    def __getitem__(self, role: str) -> Client:
        client: Client = getattr(self, role)
        return client


@pytest.fixture
def pages(world: World) -> Pages:
    """Everybody."""
    clients = {name: Client(raise_request_exception=False) for name in world.users}
    for name, client in clients.items():
        client.force_login(world.users[name])
    return Pages(**clients)
