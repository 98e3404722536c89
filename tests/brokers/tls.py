"""Brokers that speak TLS, with certificates made for the test."""

import socket
import ssl
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.services import RabbitMQ, Redis


class Certificates:
    """A CA, and a certificate of it for `localhost`, not for 127.0.0.1."""

    def __init__(self, folder: Path) -> None:
        self.ca, self.key, self.certificate = (folder / name for name in ("ca.pem", "key.pem", "certificate.pem"))
        ca_key, request, names = (folder / name for name in ("ca-key.pem", "request.pem", "names"))
        names.write_text("subjectAltName=DNS:localhost\n")
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        _openssl("req", "-x509", *curve, "-keyout", ca_key, "-out", self.ca, "-days", "2", "-subj", "/CN=lab CA")
        _openssl("req", *curve, "-keyout", self.key, "-out", request, "-subj", "/CN=localhost")
        _openssl(
            *("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", ca_key, "-CAcreateserial"),
            *("-extfile", names, "-days", "2", "-out", self.certificate),
        )
        self.key.chmod(0o644)

    def bare(self, port: int) -> socket.socket:
        """A connection whose certificate is not looked at."""
        context = ssl._create_unverified_context()  # noqa: S323
        return context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=5))


class EncryptedRabbitMQ(RabbitMQ):
    """RabbitMQ with no port but the encrypted one."""

    def __init__(self, certificates: Certificates) -> None:
        super().__init__()
        self.certificates = certificates

    @property
    def url(self) -> str:
        return super().url.replace("amqp:", "amqps:").replace(self.host, "localhost")

    def listeners(self) -> Sequence[str]:
        return [
            "listeners.tcp = none",
            f"listeners.ssl.1 = {self.host}:{self.port}",
            f"ssl_options.cacertfile = {self.certificates.ca}",
            f"ssl_options.certfile = {self.certificates.certificate}",
            f"ssl_options.keyfile = {self.certificates.key}",
            "ssl_options.verify = verify_none",
        ]

    def connect(self) -> socket.socket:
        return self.certificates.bare(self.port)


class EncryptedRedis(Redis):
    """Redis with no port but the encrypted one."""

    def __init__(self, certificates: Certificates) -> None:
        super().__init__()
        self.certificates = certificates

    @property
    def url(self) -> str:
        return super().url.replace("redis:", "rediss:").replace(self.host, "localhost")

    def listeners(self) -> Sequence[str]:
        return [
            *("--bind", self.host, "--port", "0", "--tls-port", str(self.port), "--tls-auth-clients", "no"),
            *("--tls-ca-cert-file", str(self.certificates.ca), "--tls-key-file", str(self.certificates.key)),
            *("--tls-cert-file", str(self.certificates.certificate)),
        ]

    def connect(self) -> socket.socket:
        return self.certificates.bare(self.port)


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=60)
