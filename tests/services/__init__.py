"""Real services for the tests: each on a free loopback port, in a folder of its own, gone at the end."""

from tests.services.base import Missing, Service
from tests.services.postgresql import PostgreSQL
from tests.services.rabbitmq import RabbitMQ
from tests.services.redis import Redis

__all__ = ["Missing", "PostgreSQL", "RabbitMQ", "Redis", "Service"]
