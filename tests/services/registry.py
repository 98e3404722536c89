"""A registry of container images for the tests, and images put into it without a container engine."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import requests

from tests.services.base import Service, program

USER, PASSWORD = "saltant", "registry-secret"
_HASH = "$2y$05$abcdefghijklmnopqrstuubNCCgMNqYiQA5BMGxm7McAPft53drSm"

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


class Registry(Service):
    """A registry that speaks plain HTTP.

    Args:
        is_private: whether it asks for USER and PASSWORD.
    """

    name = "docker-registry"

    def __init__(self, *, is_private: bool = False) -> None:
        self.program = program("docker-registry")
        self.is_private = is_private
        super().__init__()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{self.host}:{self.port}"

    def image(self, name: str) -> str:
        """What an image in it is called."""
        return f"{self.host}:{self.port}/{name}"

    def prepare(self) -> None:
        """Write its configuration: JSON is YAML."""
        config: dict[str, Any] = {
            "version": "0.1",
            "storage": {"filesystem": {"rootdirectory": str(self.folder / "data")}},
            "http": {"addr": f"{self.host}:{self.port}"},
        }
        if self.is_private:
            (self.folder / "htpasswd").write_text(f"{USER}:{_HASH}\n")
            config["auth"] = {"htpasswd": {"realm": "tests", "path": str(self.folder / "htpasswd")}}
        (self.folder / "config.json").write_text(json.dumps(config))

    def command(self) -> Sequence[str]:
        """In the foreground."""
        return [self.program, "serve", str(self.folder / "config.json")]

    def answers(self) -> bool:
        """Whether it speaks its protocol."""
        return requests.get(f"{self.url}/v2/", timeout=5).status_code in (200, 401)

    def pulls(self, name: str) -> int:
        """How often the manifest of an image was given away."""
        repository, _, tag = name.partition(":")
        wanted = f'"GET /v2/{repository}/manifests/{tag} HTTP/1.1" 200'
        return self.output.count(wanted)

    def push(self, name: str, root: Path, **config: Any) -> str:
        """Put a folder into it as an image of one layer; `config` is the image's, as Docker has it. Its digest."""
        repository, _, tag = name.partition(":")
        layer = io.BytesIO()
        with tarfile.open(fileobj=layer, mode="w") as tar:
            tar.add(root, arcname=".")
        plain = layer.getvalue()
        about = {
            "architecture": "amd64",
            "os": "linux",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [_digest(plain)]},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": self._upload(repository, json.dumps(about).encode(), _CONFIG),
            "layers": [self._upload(repository, gzip.compress(plain, mtime=0), _LAYER)],
        }
        body = json.dumps(manifest).encode()
        self._ask("PUT", f"{repository}/manifests/{tag}", body, {"Content-Type": _MANIFEST})
        return _digest(body)

    def _upload(self, repository: str, blob: bytes, kind: str) -> dict[str, Any]:
        where = self._ask("POST", f"{repository}/blobs/uploads/").headers["Location"]
        separator = "&" if "?" in where else "?"
        self._ask(
            "PUT", f"{where}{separator}digest={_digest(blob)}", blob, {"Content-Type": "application/octet-stream"}
        )
        return {"mediaType": kind, "size": len(blob), "digest": _digest(blob)}

    def _ask(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> requests.Response:
        url = path if path.startswith("http") else f"{self.url}/v2/{path}"
        auth = (USER, PASSWORD) if self.is_private else None
        response = requests.request(method, url, data=body, headers=headers, auth=auth, timeout=60)
        assert response.ok, response.text
        return response


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
