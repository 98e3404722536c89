"""Certificates for services that speak TLS, made by the `openssl` program."""

import subprocess
from pathlib import Path

from tests.services.base import program


def make(folder: Path, host: str) -> None:
    """Write `ca.pem`, which clients trust, and `cert.pem` and `key.pem` of a server at the address `host`."""
    openssl = program("openssl")
    names = f"subjectAltName=IP:{host},DNS:localhost"
    new = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]

    def run(*arguments: str) -> None:
        subprocess.run([openssl, *arguments], cwd=folder, check=True, capture_output=True)

    run(*new, "-keyout", "ca-key.pem", "-out", "ca.pem", "-subj", "/CN=saltant test authority")
    signed = [
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca-key.pem",
        "-addext",
        names,
        "-addext",
        "basicConstraints=critical,CA:FALSE",
    ]
    run(*new, *signed, "-keyout", "key.pem", "-out", "cert.pem", "-subj", f"/CN={host}")
