from typing import Any

import pytest
from django.test import Client

from tests.integration.conftest import World


@pytest.fixture(autouse=True)
def paths(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.integration.admin.urls"


@pytest.fixture
def browser(world: World) -> Client:
    """An admin's."""
    client = Client()
    client.force_login(world.users["admin"])
    return client
