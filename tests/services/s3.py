"""An S3 server for the tests: moto's, in a process of its own."""

import http.client
import itertools
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.services.base import Service

ACCESS_KEY, SECRET_KEY, REGION = "tester", "storage-secret", "us-east-1"


class S3(Service):
    """An S3 server. A kill loses everything."""

    name = "s3"

    def __init__(self) -> None:
        super().__init__()
        self._numbers = itertools.count(1)

    @property
    def url(self) -> str:
        """Its endpoint: keys go with the requests."""
        return f"http://{self.host}:{self.port}"

    def new_bucket(self) -> str:
        """A bucket that nobody was given yet."""
        import boto3

        name = f"bucket-{next(self._numbers)}"
        client = boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
        )
        client.create_bucket(Bucket=name)
        return name

    def command(self) -> Sequence[str]:
        """The server in the foreground."""
        program = Path(sys.executable).with_name("moto_server")
        return [sys.executable, str(program), "-H", self.host, "-p", str(self.port)]

    def environ(self) -> Mapping[str, str]:
        """Its environment: an S3 alone needs no keys of anybody's."""
        return {**super().environ(), "PYTHONDONTWRITEBYTECODE": "1"}

    def answers(self) -> bool:
        """Whether it is ready."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=5)
        try:
            connection.request("GET", "/moto-api/data.json")
            return connection.getresponse().status == 200
        except http.client.HTTPException:
            return False
        finally:
            connection.close()
