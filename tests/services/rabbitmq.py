"""RabbitMQ for the tests."""

import itertools
import subprocess
from collections.abc import Mapping, Sequence

from tests.services import certificates
from tests.services.base import Service, program
from tests.services.ports import free_port

# Debian's own program of that name wants to be root or rabbitmq, and to live in their folders.
PLACES = ("/usr/lib/rabbitmq/bin", "/usr/lib/rabbitmq/lib/*/sbin")
USER, PASSWORD = "saltant", "broker-secret"
_NEW_HOST = """
ok = rabbit_vhost:add(<<"{name}">>, <<"tests">>),
ok = rabbit_auth_backend_internal:set_permissions(
    <<"{user}">>, <<"{name}">>, <<".*">>, <<".*">>, <<".*">>, <<"tests">>
).
"""


class RabbitMQ(Service):
    """A RabbitMQ node with an epmd of its own.

    Args:
        consumer_timeout: milliseconds after which a ticket that nobody acknowledged is delivered again.
        channel_tick_interval: milliseconds between its looks for such tickets.
    """

    name = "rabbitmq"

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        tls: bool = False,
        consumer_timeout: int | None = None,
        channel_tick_interval: int | None = None,
    ) -> None:
        self.program = program("rabbitmq-server", *PLACES)
        program("erl")
        super().__init__(host=host, tls=tls)
        self.epmd_port, self.distribution_port = free_port(), free_port()
        limits = {"consumer_timeout": consumer_timeout, "channel_tick_interval": channel_tick_interval}
        self.numbers = itertools.count(1)
        self.limits = {name: value for name, value in limits.items() if value is not None}

    @property
    def url(self) -> str:
        """Its default virtual host, `/`."""
        return f"{'amqps' if self.tls else 'amqp'}://{USER}:{PASSWORD}@{self.host}:{self.port}//"

    def new_url(self) -> str:
        """A virtual host that nobody was given yet."""
        name = f"site-{next(self.numbers)}"
        self.control("eval", _NEW_HOST.format(name=name, user=USER))  # at once: each rabbitmqctl takes a second
        return f"{self.url.removesuffix('//')}/{name}"

    def control(self, *words: str) -> str:
        """Run rabbitmqctl; returns what it prints."""
        done = subprocess.run(
            [program("rabbitmqctl", *PLACES), "-n", self.environ()["RABBITMQ_NODENAME"], *words],
            env=self.environ(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr or done.stdout
        return done.stdout

    def settle(self) -> None:
        """Have it write down its queues: one that was declared just before a kill is lost, with what lies in it."""
        self.control("eval", "mnesia:sync_log().")

    def prepare(self) -> None:
        """Write what it is configured by."""
        if self.tls:
            certificates.make(self.folder, self.host)
        lines = [
            *self.listeners(),
            f"default_user = {USER}",
            f"default_pass = {PASSWORD}",
            "disk_free_limit.absolute = 1MB",
            "log.console = true",
            "log.file = false",
        ]
        (self.folder / "rabbitmq.conf").write_text("\n".join(lines) + "\n")
        terms = ", ".join(f"{{{name}, {value}}}" for name, value in self.limits.items())
        (self.folder / "advanced.config").write_text(f"[{{rabbit, [{terms}]}}].\n")
        (self.folder / "enabled_plugins").write_text("[].\n")
        (self.folder / "environment.conf").touch()

    def listeners(self) -> Sequence[str]:
        """The lines that say where it listens."""
        if not self.tls:
            return [f"listeners.tcp.1 = {self.host}:{self.port}"]
        files = {"cacertfile": "ca.pem", "certfile": "cert.pem", "keyfile": "key.pem"}
        options = [f"ssl_options.{option} = {self.folder / file}" for option, file in files.items()]
        return ["listeners.tcp = none", f"listeners.ssl.1 = {self.host}:{self.port}", *options]

    def command(self) -> Sequence[str]:
        """The node in the foreground."""
        return [self.program]

    def environ(self) -> Mapping[str, str]:
        """All of its places: it must not share one with another node, nor with the system's."""
        folder = self.folder
        return {
            **super().environ(),
            "ERL_EPMD_PORT": str(self.epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"saltant-{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(self.distribution_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_CONF_ENV_FILE": str(folder / "environment.conf"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_FEATURE_FLAGS_FILE": str(folder / "feature_flags"),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "generated"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
        }

    def answers(self) -> bool:
        """Whether it greets a client: it listens only once it has started."""
        with self.connect() as connection:
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            return connection.recv(1) == b"\x01"
